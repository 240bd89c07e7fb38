/* A thread that looks at clocks: see sampler.h. */
#include "cli/common/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "cli/common/figures.h"

struct sampler {
    fgpu_pool pool;
    uint64_t period_ns;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t stopped;
    bool is_stopped;
    uint32_t count;
    struct sample samples[SAMPLER_SAMPLES_LIMIT + 1]; /* one more for the last */
};

static void sampler_take(struct sampler *sampler)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    struct sample *sample = &sampler->samples[sampler->count++];

    /* Both clocks are read side by side: a share is a quotient of their differences. */
    bool is_known = fgpu_pool_get_stats(sampler->pool, &stats) == FGPU_OK;
    *sample = (struct sample){.time_ns = figures_wall_ns(), .cpu_ns = figures_cpu_ns()};
    if (is_known)
        sample->tasks_done = stats.tasks_done;
    else if (sampler->count > 1)
        sample->tasks_done = sample[-1].tasks_done;
}

static void sampler_thin(struct sampler *sampler)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < sampler->count; i += 2)
        sampler->samples[kept++] = sampler->samples[i];
    sampler->count = kept;
    sampler->period_ns *= 2;
}

/* Sleeps until then, or until it is stopped; with the mutex held. */
static void sampler_sleep(struct sampler *sampler, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};

    while (!sampler->is_stopped &&
           pthread_cond_timedwait(&sampler->stopped, &sampler->mutex, &until) == 0) {
    }
}

static void *sampler_main(void *arg)
{
    struct sampler *sampler = arg;
    uint64_t next_ns = sampler->samples[0].time_ns;

    (void)pthread_mutex_lock(&sampler->mutex);
    for (;;) {
        uint64_t now_ns = figures_wall_ns();
        next_ns += sampler->period_ns;
        if (next_ns < now_ns) /* too late for some: no crowd of samples follows */
            next_ns = now_ns + sampler->period_ns;
        sampler_sleep(sampler, next_ns);
        if (sampler->is_stopped)
            break;
        sampler_take(sampler);
        if (sampler->count >= SAMPLER_SAMPLES_LIMIT)
            sampler_thin(sampler);
    }
    (void)pthread_mutex_unlock(&sampler->mutex);
    return NULL;
}

/* The thread takes no signals: they are for the command's own. */
static int sampler_create_thread(struct sampler *sampler)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&sampler->thread, NULL, sampler_main, sampler);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void sampler_destroy(struct sampler *sampler)
{
    (void)pthread_cond_destroy(&sampler->stopped);
    (void)pthread_mutex_destroy(&sampler->mutex);
    free(sampler);
}

fgpu_status sampler_start(fgpu_pool pool, uint64_t period_ns, struct sampler **started)
{
    struct sampler *sampler = calloc(1, sizeof *sampler);
    pthread_condattr_t clock;

    *started = NULL;
    if (!sampler)
        return FGPU_E_NOMEM;
    sampler->pool = pool;
    sampler->period_ns = period_ns < SAMPLER_PERIOD_LEAST_NS ? SAMPLER_PERIOD_LEAST_NS : period_ns;
    (void)pthread_mutex_init(&sampler->mutex, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&sampler->stopped, &clock);
    (void)pthread_condattr_destroy(&clock);
    sampler_take(sampler);
    if (sampler_create_thread(sampler) != 0) {
        sampler_destroy(sampler);
        return FGPU_E_SYSTEM;
    }
    *started = sampler;
    return FGPU_OK;
}

fgpu_status sampler_stop(struct sampler *sampler, struct sample **samples, uint32_t *count)
{
    *samples = NULL;
    *count = 0;
    if (!sampler)
        return FGPU_E_INVAL;
    (void)pthread_mutex_lock(&sampler->mutex);
    sampler->is_stopped = true;
    sampler_take(sampler);
    (void)pthread_cond_signal(&sampler->stopped);
    (void)pthread_mutex_unlock(&sampler->mutex);
    (void)pthread_join(sampler->thread, NULL);
    *samples = malloc(sampler->count * sizeof **samples);
    if (*samples) {
        *count = sampler->count;
        for (uint32_t i = 0; i < sampler->count; i++)
            (*samples)[i] = sampler->samples[i];
    }
    sampler_destroy(sampler);
    return *samples ? FGPU_OK : FGPU_E_NOMEM;
}

/* CPU time at a time between the first sample and the last. */
static double sampler_cpu_at(const struct sample *samples, uint32_t count, uint64_t time_ns)
{
    uint32_t low = 0, high = count - 1;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (samples[middle].time_ns <= time_ns)
            low = middle;
        else
            high = middle;
    }
    const struct sample *a = &samples[low], *b = &samples[high];
    if (b->time_ns == a->time_ns)
        return (double)a->cpu_ns;
    return (double)a->cpu_ns + (double)(b->cpu_ns - a->cpu_ns) * (double)(time_ns - a->time_ns) /
                                   (double)(b->time_ns - a->time_ns);
}

double sampler_share(const struct sample *samples, uint32_t count, double cores, uint64_t from_ns,
                     uint64_t to_ns)
{
    if (count < 2 || !(cores > 0.0))
        return 0.0;
    if (from_ns < samples[0].time_ns)
        from_ns = samples[0].time_ns;
    if (to_ns > samples[count - 1].time_ns)
        to_ns = samples[count - 1].time_ns;
    if (from_ns >= to_ns)
        return 0.0;
    double cpu_ns = sampler_cpu_at(samples, count, to_ns) - sampler_cpu_at(samples, count, from_ns);
    double share = cpu_ns / (cores * (double)(to_ns - from_ns));
    return share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
}
