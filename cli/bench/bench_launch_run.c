/* Runs both sides of `fastgpu bench launch` in turn: see bench_launch.h.
 *
 * A round is a burst through the pool and one in each way by hand (who begins changes with the
 * round), then single kernels in every way, one of each after the other, so that whatever else the
 * machine does meets all of them alike. The kernels of a burst read and write one buffer, so that
 * the pool owes the same order as an in-order queue gives. Main thread.
 */
#include "cli/bench/bench_launch.h"

#include <stdlib.h>
#include <time.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"

#define BENCH_LAUNCH_PAUSE_NS 1000000L
#define BENCH_LAUNCH_PAUSED_EACH 8u /* of so many trips one is made after a pause as well */
#define BENCH_LAUNCH_WARM 200u
#define BENCH_LAUNCH_FLUSH_EVERY 64u

enum bench_side { /* of a burst */
                  BENCH_SIDE_POOL,
                  BENCH_SIDE_RAW,     /* enqueue all, clFinish */
                  BENCH_SIDE_FLUSHED, /* the same with a clFlush now and then */
                  BENCH_SIDES
};

enum bench_way { /* of launching one kernel and waiting for it */
                 BENCH_WAY_POOL,
                 BENCH_WAY_FINISH,
                 BENCH_WAY_EVENT,
                 BENCH_WAYS
};

/* Both sides, and what they have measured so far. */
struct bench_launch {
    fgpu_pool pool;
    fgpu_task_desc desc;
    fgpu_arg arg;
    struct bench_raw *raw;
    const struct bench_launch_options *options;
    const volatile sig_atomic_t *stop;
    double *wall[BENCH_SIDES], *cpu[BENCH_SIDES]; /* by round */
    double *ratio[BENCH_SIDES];                   /* to the pool within a round */
    double *trips[BENCH_WAYS], *paused[BENCH_WAYS];
    uint64_t trip_count, paused_count;
};

static int bench_launch_body(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

static fgpu_status bench_launch_init(struct bench_launch *launch)
{
    fgpu_buffer buffer;
    fgpu_kernel kernel;
    fgpu_status status = fgpu_kernel_create(launch->pool, bench_raw_entry, &kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(kernel, bench_raw_source, bench_raw_entry, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(kernel, bench_launch_body, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(launch->pool, 64, &buffer);
    if (status != FGPU_OK)
        return status;
    launch->arg = fgpu_arg_buffer(buffer);
    fgpu_task_desc_init(&launch->desc);
    launch->desc.kernel = kernel;
    launch->desc.dims = 1;
    launch->desc.global[0] = 1;
    launch->desc.local[0] = 1;
    launch->desc.args = &launch->arg;
    launch->desc.arg_count = 1;
    return fgpu_device_at(launch->pool, 0, &launch->desc.device);
}

static fgpu_status bench_launch_room(struct bench_launch *launch)
{
    uint64_t rounds = launch->options->rounds, trips = rounds * launch->options->trips;
    bool is_good = true;

    for (int side = 0; side < BENCH_SIDES; side++) {
        launch->wall[side] = calloc(rounds, sizeof(double));
        launch->cpu[side] = calloc(rounds, sizeof(double));
        launch->ratio[side] = calloc(rounds, sizeof(double));
        is_good = is_good && launch->wall[side] && launch->cpu[side] && launch->ratio[side];
    }
    for (int way = 0; way < BENCH_WAYS; way++) {
        launch->trips[way] = calloc(trips, sizeof(double));
        launch->paused[way] = calloc(trips, sizeof(double));
        is_good = is_good && launch->trips[way] && launch->paused[way];
    }
    return is_good ? FGPU_OK : FGPU_E_NOMEM;
}

static void bench_launch_fini(struct bench_launch *launch)
{
    for (int side = 0; side < BENCH_SIDES; side++) {
        free(launch->wall[side]);
        free(launch->cpu[side]);
        free(launch->ratio[side]);
    }
    for (int way = 0; way < BENCH_WAYS; way++) {
        free(launch->trips[way]);
        free(launch->paused[way]);
    }
}

/* ---- bursts ----------------------------------------------------------------------------- */

static fgpu_status bench_launch_pool_many(const struct bench_launch *launch, uint64_t count)
{
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < count && status == FGPU_OK; i++)
        status = fgpu_task_submit(launch->pool, &launch->desc, NULL);
    fgpu_status ended = fgpu_pool_wait(launch->pool, FGPU_FOREVER);
    return status == FGPU_OK ? ended : status;
}

static fgpu_status bench_launch_burst(struct bench_launch *launch, uint32_t round,
                                      enum bench_side side)
{
    uint64_t count = launch->options->count;
    uint64_t flush_every = side == BENCH_SIDE_FLUSHED ? BENCH_LAUNCH_FLUSH_EVERY : 0;
    uint64_t cpu_ns = figures_cpu_ns(), wall_ns = figures_wall_ns();
    fgpu_status status = side == BENCH_SIDE_POOL ? bench_launch_pool_many(launch, count)
                                                 : bench_raw_many(launch->raw, count, flush_every);

    launch->wall[side][round] = (double)(figures_wall_ns() - wall_ns) / (double)count;
    launch->cpu[side][round] = (double)(figures_cpu_ns() - cpu_ns) / (double)count;
    return status;
}

static fgpu_status bench_launch_bursts(struct bench_launch *launch, uint32_t round)
{
    uint32_t sides = launch->raw ? BENCH_SIDES : 1;
    fgpu_status status = FGPU_OK;

    for (uint32_t turn = 0; turn < sides && status == FGPU_OK; turn++)
        status = waiting_is_stopped(launch->stop)
                     ? FGPU_E_CANCELLED
                     : bench_launch_burst(launch, round, (enum bench_side)((round + turn) % sides));
    for (uint32_t side = 1; side < sides && status == FGPU_OK; side++)
        launch->ratio[side][round] =
            launch->wall[side][round] / launch->wall[BENCH_SIDE_POOL][round];
    return status;
}

/* ---- single kernels --------------------------------------------------------------------- */

static fgpu_status bench_launch_one(const struct bench_launch *launch, enum bench_way way,
                                    double *ns)
{
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status;
    fgpu_task task;

    if (way == BENCH_WAY_FINISH) {
        status = bench_raw_one_finish(launch->raw);
    } else if (way == BENCH_WAY_EVENT) {
        status = bench_raw_one_event(launch->raw);
    } else {
        status = fgpu_task_submit(launch->pool, &launch->desc, &task);
        if (status == FGPU_OK)
            status = fgpu_task_wait(task, FGPU_FOREVER);
    }
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

static fgpu_status bench_launch_trips(struct bench_launch *launch)
{
    const struct timespec pause = {.tv_nsec = BENCH_LAUNCH_PAUSE_NS};
    int ways = launch->raw ? BENCH_WAYS : 1;
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < launch->options->trips && status == FGPU_OK; i++) {
        bool is_paused = i % BENCH_LAUNCH_PAUSED_EACH == 0;
        if (waiting_is_stopped(launch->stop))
            return FGPU_E_CANCELLED;
        for (int way = 0; way < ways && status == FGPU_OK; way++) {
            double first; /* wakes what the other side has let sleep */
            status = bench_launch_one(launch, (enum bench_way)way, &first);
            if (status == FGPU_OK)
                status = bench_launch_one(launch, (enum bench_way)way,
                                          &launch->trips[way][launch->trip_count]);
            if (!is_paused || status != FGPU_OK)
                continue;
            (void)nanosleep(&pause, NULL);
            status = bench_launch_one(launch, (enum bench_way)way,
                                      &launch->paused[way][launch->paused_count]);
        }
        launch->trip_count++;
        launch->paused_count += is_paused;
    }
    return status;
}

/* ---- all of it -------------------------------------------------------------------------- */

static struct bench_trips bench_launch_quantiles(double *values, uint64_t count)
{
    return (struct bench_trips){figures_quantile(values, count, 0.5),
                                figures_quantile(values, count, 0.99)};
}

static struct bench_trips bench_launch_better(struct bench_trips a, struct bench_trips b)
{
    return a.p50_ns <= b.p50_ns ? a : b;
}

static void bench_launch_summarise(struct bench_launch *launch, struct bench_launch_result *result)
{
    uint32_t rounds = result->round_count;
    uint64_t trips = launch->trip_count, paused = launch->paused_count;

    if (rounds == 0)
        return;
    result->pool_ns = figures_median(launch->wall[BENCH_SIDE_POOL], rounds);
    result->pool_cpu_ns = figures_median(launch->cpu[BENCH_SIDE_POOL], rounds);
    result->pool_trip = bench_launch_quantiles(launch->trips[BENCH_WAY_POOL], trips);
    result->pool_idle_trip = bench_launch_quantiles(launch->paused[BENCH_WAY_POOL], paused);
    result->has_raw = launch->raw != NULL;
    if (!result->has_raw)
        return;
    bool is_flushed = figures_median(launch->ratio[BENCH_SIDE_FLUSHED], rounds) <
                      figures_median(launch->ratio[BENCH_SIDE_RAW], rounds);
    enum bench_side better = is_flushed ? BENCH_SIDE_FLUSHED : BENCH_SIDE_RAW;
    result->raw_ns = figures_median(launch->wall[better], rounds);
    result->raw_cpu_ns = figures_median(launch->cpu[better], rounds);
    result->rate_ratio = figures_median(launch->ratio[better], rounds);
    result->raw_trip =
        bench_launch_better(bench_launch_quantiles(launch->trips[BENCH_WAY_FINISH], trips),
                            bench_launch_quantiles(launch->trips[BENCH_WAY_EVENT], trips));
    result->raw_idle_trip =
        bench_launch_better(bench_launch_quantiles(launch->paused[BENCH_WAY_FINISH], paused),
                            bench_launch_quantiles(launch->paused[BENCH_WAY_EVENT], paused));
}

static fgpu_status bench_launch_warm(struct bench_launch *launch)
{
    fgpu_status status = bench_launch_pool_many(launch, BENCH_LAUNCH_WARM);

    if (status == FGPU_OK)
        status = bench_launch_bursts(launch, 0);
    return status;
}

fgpu_status bench_launch_run(fgpu_pool pool, const struct bench_launch_options *options,
                             struct bench_raw *raw, struct bench_launch_result *result,
                             const volatile sig_atomic_t *stop)
{
    struct bench_launch launch = {.pool = pool, .raw = raw, .options = options, .stop = stop};
    fgpu_status status = bench_launch_room(&launch);

    if (status == FGPU_OK)
        status = bench_launch_init(&launch);
    if (status == FGPU_OK)
        status = bench_launch_warm(&launch);
    while (status == FGPU_OK && result->round_count < options->rounds) {
        status = bench_launch_bursts(&launch, result->round_count);
        if (status == FGPU_OK)
            status = bench_launch_trips(&launch);
        if (status == FGPU_OK)
            result->round_count++;
    }
    bench_launch_summarise(&launch, result);
    bench_launch_fini(&launch);
    return status;
}
