/* What slices and guards cost on the first OpenCL device, and how soon a guarded launch drains.
 *
 * The batch: 1024 groups of about 0.19 ms each. Every form runs it in turn, REPEATS times; printed
 * are medians of the process's CPU time over that of the same kernel with the guard's barrier and
 * nothing else, which is what a guard is to be compared with (on PoCL a barrier alone may make a
 * loop several times faster). Then launches are told to stop at random moments: the time until the
 * device has drained, in wall time and in group times. Last, groups that do next to nothing: the
 * guard's own cost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/error.h"
#include "base/rng.h"
#include "dev/checked.h"
#include "dev/opencl/opencl.h"

#define REPEATS 9u
#define STOPS 60u
#define GROUPS 1024u
#define ITEMS 64u
#define GROUP_NS 190000.0
#define SLICES 64u

static const char bench_plain[] = "__kernel void work(__global float *a, int rounds)\n"
                                  "{ size_t i = get_global_id(0); float x = a[i];\n"
                                  "  for (int r = 0; r < rounds; r++) x = x * 0.999f + 0.5f;\n"
                                  "  a[i] = x; }\n";

static const char bench_barrier[] =
    "__kernel void work(__global float *a, int rounds)\n"
    "{ barrier(CLK_LOCAL_MEM_FENCE); size_t i = get_global_id(0); float x = a[i];\n"
    "  for (int r = 0; r < rounds; r++) x = x * 0.999f + 0.5f;\n"
    "  a[i] = x; }\n";

enum bench_form {
    BENCH_PLAIN,
    BENCH_BARRIER,
    BENCH_SLICED,
    BENCH_SLICES,
    BENCH_GUARDED,
    BENCH_FORMS
};

static const char *const bench_names[BENCH_FORMS] = {"plain", "plain with the guard's barrier",
                                                     "sliced, in one", "sliced, in 64",
                                                     "guarded, in one"};

static struct doorbell bench_bell;

static void bench_ring(void *arg)
{
    doorbell_ring(arg);
}

static const fgpu_doorbell bench_ringer = {bench_ring, &bench_bell};

struct bench {
    struct device device;
    struct device_queue queue;
    fgpu_mem data;
    fgpu_guard guard;
    fgpu_code codes[BENCH_FORMS];
    fgpu_cmd_arg args[2];
    int32_t rounds;
};

static void bench_fail(const char *what)
{
    fprintf(stderr, "bench_guard: %s: %s\n", what, error_text());
    exit(1);
}

static double bench_cpu_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double bench_at(double *values, uint32_t count, double share)
{
    qsort(values, count, sizeof *values, bench_compare);
    return values[(uint32_t)(share * (count - 1) + 0.5)];
}

/* ---- launches --------------------------------------------------------------------------- */

static void bench_open(struct bench *bench)
{
    struct registry_match match;
    fgpu_backend_options options = {0};
    uint32_t count = 0;

    memset(bench, 0, sizeof *bench);
    doorbell_init(&bench_bell);
    if (registry_find("opencl:0", &options, &match, 1, &count, NULL) != FGPU_OK)
        bench_fail("no device");
    if (device_open(&bench->device, &match, &options, &bench_ringer) != FGPU_OK ||
        device_queue_open(&bench->device, 0, &bench->queue) != FGPU_OK ||
        device_mem_alloc(&bench->device, GROUPS * ITEMS * 4, &bench->data) != FGPU_OK ||
        device_guard_open(&bench->device, GROUPS, &bench->guard) != FGPU_OK)
        bench_fail("the device cannot be used");
    bench->args[0] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER, .size_bytes = GROUPS * ITEMS * 4};
    bench->args[0].u.buffer.mem = bench->data;
    bench->args[1] = (fgpu_cmd_arg){.kind = FGPU_ARG_SCALAR, .size_bytes = 4};
    bench->args[1].u.value = &bench->rounds;
}

static void bench_build(struct bench *bench)
{
    static const uint32_t forms[BENCH_FORMS] = {FGPU_FORM_WHOLE, FGPU_FORM_WHOLE, FGPU_FORM_SLICED,
                                                FGPU_FORM_SLICED, FGPU_FORM_GUARDED};
    for (int f = 0; f < BENCH_FORMS; f++) {
        fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                                   .arg_count = 2,
                                   .text = f == BENCH_PLAIN ? bench_plain : bench_barrier,
                                   .entry = "work",
                                   .options = "",
                                   .form = forms[f]};
        fgpu_code_built built;
        if (f == BENCH_GUARDED)
            source.text = bench_plain; /* its own barrier is the one */
        if (device_code_build(&bench->device, &source, &built) != FGPU_OK)
            bench_fail("build");
        free(built.log);
        bench->codes[f] = built.code;
    }
}

static void bench_start(struct bench *bench, fgpu_cmd_slice *slice)
{
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, slice};
    if (device_submit(&bench->queue, &cmd, 1) != 1)
        bench_fail("submit");
}

static void bench_finish(struct bench *bench)
{
    while (bench->queue.finished < bench->queue.accepted) {
        uint32_t seen = doorbell_read(&bench_bell);
        if (device_poll(&bench->queue) != FGPU_OK)
            bench_fail("poll");
        if (bench->queue.finished < bench->queue.accepted)
            (void)doorbell_wait(&bench_bell, seen, 0, clock_now_ns() + 1000000000);
    }
}

static fgpu_cmd_slice bench_slice(const struct bench *bench, enum bench_form form)
{
    fgpu_cmd_slice slice = {.launch = {.code = bench->codes[form],
                                       .args = bench->args,
                                       .arg_count = 2,
                                       .dims = 1,
                                       .part = FGPU_LAUNCH_SLICE,
                                       .global = {GROUPS * ITEMS, 1, 1},
                                       .local = {ITEMS, 1, 1}},
                            .count = GROUPS,
                            .guard = form == BENCH_GUARDED ? bench->guard : 0};
    if (form <= BENCH_BARRIER)
        slice.launch.part = FGPU_LAUNCH_WHOLE;
    return slice;
}

/* A new guard forgets what is done. */
static void bench_renew(struct bench *bench)
{
    device_guard_close(&bench->device, bench->guard);
    if (device_guard_open(&bench->device, GROUPS, &bench->guard) != FGPU_OK)
        bench_fail("guard");
}

/* The whole batch once; its CPU time. */
static double bench_run(struct bench *bench, enum bench_form form)
{
    fgpu_cmd_slice slices[SLICES];
    uint32_t count = form == BENCH_SLICES ? SLICES : 1;

    bench_renew(bench);
    double begin_ms = bench_cpu_ms();
    for (uint32_t i = 0; i < count; i++) {
        slices[i] = bench_slice(bench, form);
        slices[i].count = GROUPS / count;
        slices[i].first = i * slices[i].count;
        bench_start(bench, &slices[i]);
    }
    bench_finish(bench);
    return bench_cpu_ms() - begin_ms;
}

/* ---- measurements ----------------------------------------------------------------------- */

static void bench_forms(struct bench *bench, const char *what)
{
    double took[BENCH_FORMS][REPEATS];

    for (int f = 0; f < BENCH_FORMS; f++)
        (void)bench_run(bench, (enum bench_form)f);
    for (uint32_t r = 0; r < REPEATS; r++)
        for (int f = 0; f < BENCH_FORMS; f++)
            took[f][r] = bench_run(bench, (enum bench_form)f);
    double base = bench_at(took[BENCH_BARRIER], REPEATS, 0.5);
    printf("%s, median of %u:\n", what, REPEATS);
    for (int f = 0; f < BENCH_FORMS; f++) {
        double ms = bench_at(took[f], REPEATS, 0.5);
        printf("  %-32s %9.3f ms of CPU  %9.0f ns a group  work per CPU second %.3f\n",
               bench_names[f], ms, ms * 1e6 / GROUPS, base / ms);
    }
}

static void bench_drain(struct bench *bench, double group_ns)
{
    double took_ns[STOPS];
    struct rng rng;
    uint32_t drained = 0;

    rng_init(&rng, 1);
    for (uint32_t i = 0; i < STOPS; i++) {
        bench_renew(bench);
        fgpu_cmd_slice slice = bench_slice(bench, BENCH_GUARDED);
        bench_start(bench, &slice);
        const struct timespec pause = {0, 2000000 + (long)rng_below(&rng, 30000000)};
        (void)nanosleep(&pause, NULL);
        uint64_t begin_ns = clock_now_ns();
        device_guard_stop(&bench->device, bench->guard, true);
        bench_finish(bench);
        took_ns[drained] = (double)(clock_now_ns() - begin_ns);
        drained += slice.left > 0;
    }
    if (drained == 0)
        bench_fail("no launch was stopped in time");
    printf("told to stop, %u launches: drained after p50 %.0f us, p90 %.0f us, most %.0f us; in "
           "group times %.2f, %.2f, %.2f\n",
           drained, bench_at(took_ns, drained, 0.5) / 1e3, bench_at(took_ns, drained, 0.9) / 1e3,
           bench_at(took_ns, drained, 1) / 1e3, bench_at(took_ns, drained, 0.5) / group_ns,
           bench_at(took_ns, drained, 0.9) / group_ns, bench_at(took_ns, drained, 1) / group_ns);
}

int main(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_build(&bench);
    bench.rounds = 10000;
    (void)bench_run(&bench, BENCH_BARRIER);
    double group_ns = bench_run(&bench, BENCH_BARRIER) * 1e6 / GROUPS;
    bench.rounds = (int32_t)(bench.rounds * GROUP_NS / group_ns);
    bench_forms(&bench, "1024 groups of 0.19 ms");
    bench_drain(&bench, bench_run(&bench, BENCH_GUARDED) * 1e6 / GROUPS);
    bench.rounds = 1;
    bench_forms(&bench, "1024 groups of next to nothing");
    for (int f = 0; f < BENCH_FORMS; f++)
        device_code_free(&bench.device, bench.codes[f]);
    device_guard_close(&bench.device, bench.guard);
    device_mem_free(&bench.device, bench.data);
    device_queue_close(&bench.queue);
    device_close(&bench.device);
    return 0;
}
