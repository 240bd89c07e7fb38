/* What a command costs on the cpu and null devices, without anything above them.
 *
 * Prints nanoseconds per command for empty launches, host calls and fences at several batch sizes,
 * the round trip of one command to a sleeping worker, and how a wide launch scales with workers.
 * Every case runs REPEATS times, in turn with the others, and prints the median.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "dev/checked.h"
#include "dev/cpu/cpu.h"
#include "dev/null/null.h"

#define REPEATS 7
#define COMMANDS 100000u
#define BODIES 1024u
#define BATCH_MAX 256u

static struct doorbell bench_bell;

static void bench_ring(void *arg)
{
    doorbell_ring(arg);
}

static const fgpu_doorbell bench_ringer = {bench_ring, &bench_bell};

static int bench_empty(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    return 0;
}

/* About 1 us for each group, and nothing that a compiler may drop. */
static int bench_work(const fgpu_range *range, void *const *args, void *user)
{
    volatile double *out = args[0];

    (void)user;
    for (uint64_t group = range->group_begin; group < range->group_end; group++) {
        double x = (double)group;
        for (int i = 0; i < 250; i++)
            x = x * 0.999 + 1.0;
        out[group] = x;
    }
    return 0;
}

struct bench {
    struct device device;
    struct device_queue queue;
    fgpu_code code;
};

static void bench_fail(const char *what)
{
    (void)fprintf(stderr, "bench_cpu_device: %s failed\n", what);
    exit(1);
}

static void bench_open(struct bench *bench, const fgpu_backend *backend, uint32_t workers,
                       fgpu_native_fn fn)
{
    const fgpu_backend_options options = {.cpu_workers = workers};
    const struct registry_match match = {.backend = backend};
    const fgpu_code_source source = {
        .kind = FGPU_VARIANT_NATIVE, .arg_count = 1, .options = "", .native = fn};
    fgpu_code_built built;

    if (device_open(&bench->device, &match, &options, &bench_ringer) != FGPU_OK ||
        device_code_build(&bench->device, &source, &built) != FGPU_OK ||
        device_queue_open(&bench->device, 0, &bench->queue) != FGPU_OK)
        bench_fail("open");
    bench->code = built.code;
}

static void bench_close(struct bench *bench)
{
    device_queue_close(&bench->queue);
    device_code_free(&bench->device, bench->code);
    device_close(&bench->device);
}

static void bench_wait(struct bench *bench, uint64_t number)
{
    for (;;) {
        uint32_t seen = doorbell_read(&bench_bell);
        if (device_poll(&bench->queue) != FGPU_OK)
            bench_fail("poll");
        if (bench->queue.finished >= number)
            return;
        (void)doorbell_wait(&bench_bell, seen, 20000, DOORBELL_FOREVER);
    }
}

/* Submits `total` launches in batches; bodies are used again once their command has finished. */
static double bench_stream(struct bench *bench, uint32_t batch, uint64_t groups, uint32_t total)
{
    static fgpu_cmd_launch bodies[BODIES];
    double target;
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_BUFFER};
    fgpu_cmd cmds[BATCH_MAX];
    uint64_t begin_ns = clock_now_ns();

    arg.u.buffer.mem = (uintptr_t)&target;
    for (uint32_t i = 0; i < BODIES; i++)
        bodies[i] = (fgpu_cmd_launch){.code = bench->code,
                                      .args = &arg,
                                      .arg_count = 1,
                                      .dims = 1,
                                      .global = {groups, 1, 1},
                                      .local = {1, 1, 1}};
    for (uint32_t done = 0; done < total;) {
        for (uint32_t i = 0; i < batch; i++)
            cmds[i] = (fgpu_cmd){FGPU_CMD_LAUNCH, 0, &bodies[(done + i) % BODIES]};
        uint64_t first = bench->queue.accepted + 1;
        if (first + batch > BODIES)
            bench_wait(bench, first + batch - BODIES);
        uint32_t taken = device_submit(&bench->queue, cmds, batch);
        if (taken == 0)
            bench_wait(bench, bench->queue.finished + 1);
        done += taken;
    }
    bench_wait(bench, bench->queue.accepted);
    return (double)(clock_now_ns() - begin_ns) / total;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bench_streams(const char *name, const fgpu_backend *backend)
{
    static const uint32_t batches[] = {1, 4, 16, 64, 256};
    static const uint64_t groups[] = {1, 16};
    struct bench bench;

    bench_open(&bench, backend, 2, bench_empty);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            double ns[REPEATS];
            for (int r = 0; r < REPEATS; r++)
                ns[r] = bench_stream(&bench, batches[b], groups[g], COMMANDS);
            qsort(ns, REPEATS, sizeof *ns, bench_compare);
            (void)printf("%-5s empty launch, %2llu groups, batches of %3u: %7.1f ns\n", name,
                         (unsigned long long)groups[g], batches[b], ns[REPEATS / 2]);
        }
    }
    bench_close(&bench);
}

static double bench_wide_once(struct bench *bench, double *out, uint64_t groups)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_BUFFER};
    fgpu_cmd_launch body = {.code = bench->code,
                            .args = &arg,
                            .arg_count = 1,
                            .dims = 1,
                            .global = {groups, 1, 1},
                            .local = {1, 1, 1}};
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, 0, &body};
    uint64_t begin_ns = clock_now_ns();

    arg.u.buffer.mem = (uintptr_t)out;
    (void)device_submit(&bench->queue, &cmd, 1);
    bench_wait(bench, bench->queue.accepted);
    return (double)(clock_now_ns() - begin_ns);
}

/* One launch after another, each waited for: both sides spin, so this is the traffic between cores.
 */
static void bench_round_trip(void)
{
    struct bench bench;
    double ns[REPEATS];
    double out;

    bench_open(&bench, &cpu_backend, 1, bench_empty);
    for (int r = 0; r < REPEATS; r++) {
        double sum_ns = 0;
        for (int i = 0; i < 1000; i++)
            sum_ns += bench_wide_once(&bench, &out, 1);
        ns[r] = sum_ns / 1000;
    }
    qsort(ns, REPEATS, sizeof *ns, bench_compare);
    (void)printf("cpu   one launch and wait for it: %7.1f ns\n", ns[REPEATS / 2]);
    bench_close(&bench);
}

static void bench_wide(uint64_t groups)
{
    double *out = calloc(groups, sizeof *out);
    double ns[2][REPEATS];

    if (out == NULL)
        bench_fail("calloc");
    for (int r = 0; r < REPEATS; r++)
        for (uint32_t workers = 1; workers <= 2; workers++) {
            struct bench bench;
            struct device_queue other = {0};
            bench_open(&bench, &cpu_backend, workers, bench_work);
            if (workers == 2 && device_queue_open(&bench.device, 1, &other) != FGPU_OK)
                bench_fail("queue_open");
            (void)bench_wide_once(&bench, out, groups);
            ns[workers - 1][r] = bench_wide_once(&bench, out, groups);
            device_queue_close(&other);
            bench_close(&bench);
        }
    for (int w = 0; w < 2; w++)
        qsort(ns[w], REPEATS, sizeof **ns, bench_compare);
    (void)printf("cpu   launch of %6llu groups: %8.1f us on 1 worker, %8.1f on 2, ratio %.2f\n",
                 (unsigned long long)groups, ns[0][REPEATS / 2] / 1e3, ns[1][REPEATS / 2] / 1e3,
                 ns[0][REPEATS / 2] / ns[1][REPEATS / 2]);
    free(out);
}

int main(void)
{
    doorbell_init(&bench_bell);
    bench_streams("null", &null_backend);
    bench_streams("cpu", &cpu_backend);
    bench_round_trip();
    bench_wide(8);
    bench_wide(64);
    bench_wide(1024);
    bench_wide(16384);
    return 0;
}
