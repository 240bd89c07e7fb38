/* What kernels cost in slices and under a guard, on the first OpenCL device.
 *
 * Some small kernels of different kinds, each whole, whole behind one barrier, sliced in one launch
 * and guarded, in turn. Printed are medians of the process's CPU time in microseconds a work group,
 * and those of the forms over that of the whole kernel. On PoCL a few words of text decide whether
 * the loops of a kernel are vectorised, so a form may be several times slower or faster.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/error.h"
#include "dev/checked.h"
#include "dev/opencl/opencl.h"

#define REPEATS 7u
#define WIDTH 64u  /* items of a group */
#define GROUPS 64u /* in each of up to two dimensions: 64 x 1 or 64 x 8 */
#define BYTES (1024u * 1024u)
#define HEAD "__kernel void bench(__global float *a, __global uint *c, uint n) {\n"

struct bench_case {
    const char *name, *text; /* %s: where the barrier comes */
    uint32_t rows;           /* groups in the second dimension */
    uint32_t n;
};

static const struct bench_case cases[] = {
    {"loop",
     HEAD "%s size_t i = get_global_id(0); float x = a[i];\n"
          "for (uint r = 0; r < n; r++) x = x * 0.999f + 0.5f; a[i] = x; }",
     1, 10000},
    {"count before loop",
     HEAD "%s if (get_local_id(0) == 0) c[get_group_id(0)] += 1;\n"
          "uint x = c[4096 + get_global_id(0)];\n"
          "for (uint r = 0; r < n; r++) x = x * 1664525u + r; c[4096 + get_global_id(0)] = x; }",
     1, 10000},
    {"barrier, count, loop",
     HEAD "%s barrier(CLK_LOCAL_MEM_FENCE); if (get_local_id(0) == 0) c[get_group_id(0)] += 1;\n"
          "uint x = c[4096 + get_global_id(0)];\n"
          "for (uint r = 0; r < n; r++) x = x * 1664525u + r; c[4096 + get_global_id(0)] = x; }",
     1, 10000},
    {"barrier, count rows, loop",
     HEAD "%s barrier(CLK_LOCAL_MEM_FENCE); uint at = (uint)(get_global_id(1) * 4096 + "
          "get_global_id(0));\n"
          "if (get_local_id(0) == 0) c[get_group_id(1) * get_num_groups(0) + get_group_id(0)] += 1;"
          "\nuint x = c[4096 + at];\n"
          "for (uint r = 0; r < n; r++) x = x * 1664525u + r; c[4096 + at] = x; }",
     8, 1000},
    {"count behind loop",
     HEAD "%s uint x = c[4096 + get_global_id(0)];\n"
          "for (uint r = 0; r < n; r++) x = x * 1664525u + r; c[4096 + get_global_id(0)] = x;\n"
          "if (get_local_id(0) == 0) c[get_group_id(0)] += 1; }",
     1, 10000},
    {"group in loop",
     HEAD "%s uint x = c[4096 + get_global_id(0)];\n"
          "for (uint r = 0; r < n; r++) x = x * 1664525u + (uint)get_group_id(0);\n"
          "c[4096 + get_global_id(0)] = x; }",
     1, 10000},
    {"early return",
     HEAD "%s size_t i = get_global_id(0); if (i >= get_global_size(0) - 5) return; float x = a[i];"
          "\nfor (uint r = 0; r < n; r++) x = x * 0.999f + 0.5f; a[i] = x; }",
     1, 10000},
    {"saxpy", HEAD "%s size_t i = get_global_id(0); a[i] = a[i] * 0.5f + a[i + 65536]; }", 1, 1},
    {"grid stride",
     HEAD "%s float s = 0; for (size_t i = get_global_id(0); i < n; i += get_global_size(0))\n"
          "s += a[i]; a[get_global_id(0)] = s; }",
     1, 250000},
    {"matrix product",
     HEAD "%s size_t x = get_global_id(0), y = get_global_id(1); float s = 0;\n"
          "for (uint r = 0; r < n; r++) s += a[y * 256 + r] * a[r * 256 + (x & 255)];\n"
          "a[131072 + y * 64 + x] = s; }",
     8, 256},
    {"stencil",
     HEAD "%s size_t x = get_global_id(0), y = get_global_id(1), w = get_global_size(0);\n"
          "if (x == 0 || y == 0 || x == w - 1 || y == get_global_size(1) - 1) return;\n"
          "a[131072 + y * w + x] = a[y * w + x - 1] + a[y * w + x + 1] + a[(y - 1) * w + x]\n"
          "+ a[(y + 1) * w + x] - 4 * a[y * w + x]; }",
     8, 1},
    {"tile with barriers",
     HEAD "%s __local float t[64]; size_t l = get_local_id(0), i = get_global_id(0); float s = 0;\n"
          "for (uint r = 0; r < n; r++) { t[l] = a[i + r * 64]; barrier(CLK_LOCAL_MEM_FENCE);\n"
          "for (uint k = 0; k < 64; k++) s += t[k] * (float)(k + l);\n"
          "barrier(CLK_LOCAL_MEM_FENCE); } a[131072 + i] = s; }",
     1, 64},
    {"mandelbrot",
     HEAD "%s float x0 = (float)get_global_id(0) / (float)get_global_size(0) * 3 - 2;\n"
          "float y0 = (float)get_global_id(1) / 8 * 2 - 1, x = 0, y = 0; uint r = 0;\n"
          "while (r < n && x * x + y * y < 4) { float t = x * x - y * y + x0;\n"
          "y = 2 * x * y + y0; x = t; r++; }\n"
          "c[get_global_id(1) * get_global_size(0) + get_global_id(0)] = r; }",
     8, 300},
    {"helper",
     "uint place(uint m) { return (uint)get_global_id(0) * 3 % m; }\n" HEAD
     "%s uint x = place(7777); for (uint r = 0; r < n; r++) x = x * 1664525u + place(r + 7);\n"
     "c[4096 + get_global_id(0)] = x; }",
     1, 2000}};

enum { BENCH_WHOLE, BENCH_BARRIER, BENCH_SLICED, BENCH_GUARDED, BENCH_FORMS };

static struct doorbell bench_bell;

static void bench_ring(void *arg)
{
    doorbell_ring(arg);
}

static const fgpu_doorbell bench_ringer = {bench_ring, &bench_bell};

struct bench {
    struct device device;
    struct device_queue queue;
    fgpu_mem floats, words;
    fgpu_guard guard;
    fgpu_code codes[BENCH_FORMS];
    fgpu_cmd_arg args[3];
    const struct bench_case *of;
};

static void bench_fail(const char *what)
{
    fprintf(stderr, "bench_forms: %s: %s\n", what, error_text());
    exit(1);
}

static double bench_cpu_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

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
        device_mem_alloc(&bench->device, BYTES, &bench->floats) != FGPU_OK ||
        device_mem_alloc(&bench->device, BYTES, &bench->words) != FGPU_OK)
        bench_fail("the device cannot be used");
    for (int i = 0; i < 2; i++)
        bench->args[i] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER, .size_bytes = BYTES};
    bench->args[0].u.buffer.mem = bench->floats;
    bench->args[1].u.buffer.mem = bench->words;
}

static void bench_build(struct bench *bench, const struct bench_case *of)
{
    static const uint32_t forms[BENCH_FORMS] = {FGPU_FORM_WHOLE, FGPU_FORM_WHOLE, FGPU_FORM_SLICED,
                                                FGPU_FORM_GUARDED};
    bench->of = of;
    bench->args[2] = (fgpu_cmd_arg){.kind = FGPU_ARG_SCALAR, .size_bytes = 4, .u.value = &of->n};
    for (int f = 0; f < BENCH_FORMS; f++) {
        char text[4096];
        const char *barrier = f == BENCH_BARRIER ? "barrier(CLK_LOCAL_MEM_FENCE);" : "";
        const char *at = strstr(of->text, "%s");
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - of->text), of->text, barrier,
                       at + 2);
        fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                                   .arg_count = 3,
                                   .text = text,
                                   .entry = "bench",
                                   .options = "",
                                   .form = forms[f]};
        fgpu_code_built built;
        if (device_code_build(&bench->device, &source, &built) != FGPU_OK)
            bench_fail(of->name);
        free(built.log);
        bench->codes[f] = built.code;
    }
}

/* All of it once; its CPU time. A new guard forgets what is done. */
static double bench_run(struct bench *bench, int form)
{
    const struct bench_case *of = bench->of;
    uint32_t groups = GROUPS * of->rows;
    if (device_guard_open(&bench->device, groups, &bench->guard) != FGPU_OK)
        bench_fail("guard");
    fgpu_cmd_slice slice = {
        .launch = {.code = bench->codes[form],
                   .args = bench->args,
                   .arg_count = 3,
                   .dims = of->rows > 1 ? 2 : 1,
                   .part = form <= BENCH_BARRIER ? FGPU_LAUNCH_WHOLE : FGPU_LAUNCH_SLICE,
                   .global = {(uint64_t)GROUPS * WIDTH, of->rows, 1},
                   .local = {WIDTH, 1, 1}},
        .count = groups,
        .guard = form == BENCH_GUARDED ? bench->guard : 0};
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &slice};
    double begin_us = bench_cpu_us();
    if (device_submit(&bench->queue, &cmd, 1) != 1)
        bench_fail("submit");
    while (bench->queue.finished < bench->queue.accepted) {
        uint32_t seen = doorbell_read(&bench_bell);
        if (device_poll(&bench->queue) != FGPU_OK)
            bench_fail("poll");
        if (bench->queue.finished < bench->queue.accepted)
            (void)doorbell_wait(&bench_bell, seen, 0, clock_now_ns() + 1000000000);
    }
    double us = bench_cpu_us() - begin_us;
    device_guard_close(&bench->device, bench->guard);
    return us;
}

static void bench_measure(struct bench *bench)
{
    double took[BENCH_FORMS][REPEATS], us[BENCH_FORMS];
    uint32_t groups = GROUPS * bench->of->rows;

    for (int f = 0; f < BENCH_FORMS; f++)
        (void)bench_run(bench, f);
    for (uint32_t r = 0; r < REPEATS; r++)
        for (int f = 0; f < BENCH_FORMS; f++)
            took[f][r] = bench_run(bench, f);
    for (int f = 0; f < BENCH_FORMS; f++) {
        qsort(took[f], REPEATS, sizeof took[f][0], bench_compare);
        us[f] = took[f][REPEATS / 2] / groups;
    }
    printf("%-20s %9.2f us a group; with a barrier %6.2f, sliced %6.2f, guarded %6.2f\n",
           bench->of->name, us[0], us[1] / us[0], us[2] / us[0], us[3] / us[0]);
}

int main(void)
{
    struct bench bench;

    bench_open(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_build(&bench, &cases[i]);
        bench_measure(&bench);
        for (int f = 0; f < BENCH_FORMS; f++)
            device_code_free(&bench.device, bench.codes[f]);
    }
    device_mem_free(&bench.device, bench.words);
    device_mem_free(&bench.device, bench.floats);
    device_queue_close(&bench.queue);
    device_close(&bench.device);
    return 0;
}
