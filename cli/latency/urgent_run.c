/* The two threads of a run: one keeps the batch going, one is the client; see urgent.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"
#include "cli/latency/urgent.h"

#define URGENT_DEPTH_LIMIT 64u
#define URGENT_FEW_LAUNCHES 3u /* run at least, so that there is something to tell */

enum { URGENT_BATCH, URGENT_CLIENT };

/* ---- both */

static fgpu_status urgent_submit(struct urgent_pool *pool, fgpu_kernel kernel,
                                 const fgpu_terms *terms, const fgpu_arg *args, fgpu_task *task)
{
    bool is_batch = terms->task_class == FGPU_CLASS_BATCH;
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.device = pool->device;
    desc.dims = 1;
    desc.global[0] =
        (uint64_t)(is_batch ? pool->size.groups : pool->size.request_groups) * URGENT_ITEMS;
    desc.local[0] = URGENT_ITEMS;
    desc.args = args;
    desc.arg_count = is_batch ? 3 : 2;
    desc.terms = terms;
    return fgpu_task_submit(pool->pool, &desc, task);
}

static void urgent_failed(struct urgent_run *run, int who, fgpu_status status)
{
    const char *why = fgpu_last_error();
    if (status == FGPU_OK || run->status[who] != FGPU_OK)
        return;
    run->status[who] = status;
    (void)snprintf(run->why[who], sizeof run->why[who], "%s: %s",
                   who == URGENT_BATCH ? "the batch" : "a request",
                   why[0] ? why : fgpu_status_text(status));
}

static uint64_t urgent_passed_ns(const struct urgent_run *run)
{
    return figures_wall_ns() - run->start_ns;
}

/* ---- the batch */

/* A launch in flight is waited for even when the user wants an end: it is short. */
static bool urgent_batch_wait(struct urgent_run *run, fgpu_task task)
{
    fgpu_status status = fgpu_task_wait(task, FGPU_FOREVER);
    urgent_failed(run, URGENT_BATCH, status);
    return status == FGPU_OK;
}

static bool urgent_batch_submit(struct urgent_run *run, fgpu_task *task)
{
    struct urgent_pool *pool = run->pool;
    const fgpu_arg args[3] = {fgpu_arg_buffer(pool->data), fgpu_arg_buffer(pool->seen),
                              fgpu_arg_scalar(&pool->size.rounds, sizeof pool->size.rounds)};
    fgpu_terms terms;

    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_BATCH;
    fgpu_status status = urgent_submit(pool, pool->batch, &terms, args, task);
    urgent_failed(run, URGENT_BATCH, status);
    if (status != FGPU_OK)
        return false;
    pool->launches++;
    pool->steps += pool->size.rounds;
    return true;
}

static void urgent_batch_mark(struct urgent_run *run)
{
    uint64_t launches = run->last.launches + 1;
    struct urgent_mark mark = {launches, figures_wall_ns(), urgent_clock_ns(run->pool)};

    if (run->first.launches == 0)
        run->first = mark;
    run->last.wall_ns = mark.wall_ns;
    run->last.cpu_ns = mark.cpu_ns;
    __atomic_store_n(&run->last.launches, launches, __ATOMIC_RELAXED);
}

static void *urgent_batch_main(void *arg)
{
    struct urgent_run *run = arg;
    fgpu_task tasks[URGENT_DEPTH_LIMIT] = {0};
    uint32_t depth = run->load.depth < URGENT_DEPTH_LIMIT ? run->load.depth : URGENT_DEPTH_LIMIT;
    uint64_t made = 0, ended = 0;
    bool is_good = true;

    while (is_good && !waiting_is_stopped(run->stop) &&
           (urgent_passed_ns(run) < run->load.run_ns || ended < URGENT_FEW_LAUNCHES)) {
        for (; is_good && made < ended + depth; made++)
            is_good = urgent_batch_submit(run, &tasks[made % URGENT_DEPTH_LIMIT]);
        if (!is_good)
            made--; /* the last one was refused */
        else if ((is_good = urgent_batch_wait(run, tasks[ended++ % URGENT_DEPTH_LIMIT])))
            urgent_batch_mark(run);
    }
    for (; ended < made; ended++)
        (void)urgent_batch_wait(run, tasks[ended % URGENT_DEPTH_LIMIT]);
    return NULL;
}

/* ---- the client */

struct urgent_client {
    struct urgent_run *run;
    fgpu_task tasks[URGENT_SLOTS];
    uint64_t since_ns[URGENT_SLOTS];
    uint64_t made, ended;
};

/* The oldest one, until then. False: it goes on. */
static bool urgent_client_wait(struct urgent_client *client, uint64_t timeout_ns)
{
    struct urgent_run *run = client->run;
    uint32_t slot = (uint32_t)(client->ended % URGENT_SLOTS), count = run->count;
    fgpu_status status = fgpu_task_wait(client->tasks[slot], timeout_ns);
    uint64_t now_ns = figures_wall_ns();

    if (status == FGPU_E_TIMEOUT)
        return false;
    client->ended++;
    urgent_failed(run, URGENT_CLIENT, status);
    if (status == FGPU_OK && count < run->capacity) {
        run->samples[count] = (struct urgent_sample){client->since_ns[slot] - run->start_ns,
                                                     now_ns - client->since_ns[slot]};
        __atomic_store_n(&run->count, count + 1, __ATOMIC_RELEASE);
    }
    return true;
}

static bool urgent_client_submit(struct urgent_client *client)
{
    struct urgent_run *run = client->run;
    struct urgent_pool *pool = run->pool;
    uint32_t slot = (uint32_t)(client->made % URGENT_SLOTS);
    const fgpu_arg args[2] = {
        fgpu_arg_buffer(pool->slots[slot]),
        fgpu_arg_scalar(&pool->size.request_rounds, sizeof pool->size.request_rounds)};
    fgpu_terms terms;

    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    client->since_ns[slot] = figures_wall_ns();
    fgpu_status status = urgent_submit(pool, pool->request, &terms, args, &client->tasks[slot]);
    urgent_failed(run, URGENT_CLIENT, status);
    if (status != FGPU_OK)
        return false;
    client->made++;
    pool->slot_steps[slot] += pool->size.request_rounds;
    return true;
}

/* Until `due_ns` of the run, taking results as they come. */
static void urgent_client_until(struct urgent_client *client, uint64_t due_ns)
{
    const uint64_t look_ns = 100000000; /* at `stop` */
    struct urgent_run *run = client->run;
    uint64_t now_ns;

    while (!waiting_is_stopped(run->stop) && (now_ns = urgent_passed_ns(run)) < due_ns) {
        uint64_t left_ns = due_ns - now_ns < look_ns ? due_ns - now_ns : look_ns;
        if (client->ended < client->made)
            (void)urgent_client_wait(client, left_ns);
        else
            (void)waiting_sleep(left_ns, run->stop);
    }
}

static void *urgent_client_main(void *arg)
{
    struct urgent_client client = {.run = arg};
    struct urgent_run *run = arg;
    uint64_t random = run->load.seed;
    double due_ns = urgent_pause_ns(&random, run->load.mean_ns);

    while (due_ns < (double)run->load.run_ns && run->status[URGENT_CLIENT] == FGPU_OK) {
        urgent_client_until(&client, (uint64_t)due_ns);
        if (waiting_is_stopped(run->stop) ||
            (client.made == client.ended + URGENT_SLOTS &&
             !urgent_client_wait(&client, FGPU_FOREVER)) ||
            !urgent_client_submit(&client))
            break;
        due_ns += urgent_pause_ns(&random, run->load.mean_ns);
    }
    while (client.ended < client.made)
        (void)urgent_client_wait(&client, FGPU_FOREVER);
    return NULL;
}

/* ---- a run */

double urgent_pause_ns(uint64_t *random, double mean_ns)
{
    uint64_t x = (*random += 0x9e3779b97f4a7c15u); /* S. Vigna's splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return -log(1 - (double)(x >> 11) * 0x1p-53) * mean_ns;
}

uint32_t urgent_room(const struct urgent_load *load)
{
    double expected = load->has_requests ? (double)load->run_ns / load->mean_ns : 0;
    return (uint32_t)(expected * 2) + 64;
}

static fgpu_status urgent_thread(struct urgent_run *run, int who, void *(*body)(void *))
{
    int failed = pthread_create(&run->threads[who], NULL, body, run);
    run->is_started[who] = failed == 0;
    if (failed == 0)
        return FGPU_OK;
    run->status[who] = FGPU_E_SYSTEM;
    return why_fail(FGPU_E_SYSTEM, run->why[who], sizeof run->why[who],
                    "no thread can be started: %s", strerror(failed));
}

fgpu_status urgent_start(struct urgent_run *run)
{
    fgpu_status status = FGPU_OK;

    run->capacity = urgent_room(&run->load);
    run->samples = calloc(run->capacity, sizeof *run->samples);
    if (!run->samples)
        return why_fail(FGPU_E_NOMEM, run->why[0], sizeof run->why[0], "no memory");
    run->start_ns = figures_wall_ns();
    if (run->load.has_batch)
        status = urgent_thread(run, URGENT_BATCH, urgent_batch_main);
    if (status == FGPU_OK && run->load.has_requests)
        status = urgent_thread(run, URGENT_CLIENT, urgent_client_main);
    return status;
}

uint32_t urgent_count(const struct urgent_run *run)
{
    return __atomic_load_n(&run->count, __ATOMIC_ACQUIRE);
}

uint64_t urgent_launches(const struct urgent_run *run)
{
    return __atomic_load_n(&run->last.launches, __ATOMIC_RELAXED);
}

fgpu_status urgent_finish(struct urgent_run *run)
{
    fgpu_status status = FGPU_OK;

    for (int who = 0; who < 2; who++)
        if (run->is_started[who])
            (void)pthread_join(run->threads[who], NULL);
    for (int who = 1; who >= 0; who--)
        if (run->status[who] != FGPU_OK)
            status = run->status[who];
    if (status == FGPU_OK && waiting_is_stopped(run->stop))
        status = FGPU_E_CANCELLED;
    return status;
}

void urgent_fini(struct urgent_run *run)
{
    free(run->samples);
    run->samples = NULL;
}

static double urgent_per(const struct urgent_run *run, uint64_t from_ns, uint64_t to_ns)
{
    double launches = (double)(run->last.launches - run->first.launches);
    return to_ns > from_ns ? launches * 1e9 / (double)(to_ns - from_ns) : 0;
}

double urgent_rate(const struct urgent_run *run)
{
    return urgent_per(run, run->first.cpu_ns, run->last.cpu_ns);
}

double urgent_speed(const struct urgent_run *run)
{
    return urgent_per(run, run->first.wall_ns, run->last.wall_ns);
}
