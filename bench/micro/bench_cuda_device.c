/* What the CUDA backend adds to a stream that is driven by hand.
 *
 * Both sides on the first card, in turn, ROUNDS times, each with a stream of its own. Rate:
 * COMMANDS empty kernels, by hand launched one after another, by the backend submitted in batches
 * of 32 with FGPU_CMD_NOTIFY on the last. Latency: one kernel, by hand launched and its stream
 * asked until it is done, by the backend submitted and polled until it is reported. Copies of
 * COPY_BYTES each way: by hand from pinned memory in one call; the backend from pinned memory and
 * from memory of malloc. Prints medians and the ratios of medians. Wanted: latency at most 5 us;
 * rate at least 0.9 of by hand; pinned copies 0.97, pageable 0.85.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "dev/cuda/loader.h"

#define ROUNDS 15u
#define COMMANDS 8192u
#define BATCH 32u
#define TRIPS 1000u
#define COPY_BYTES ((uint64_t)256 << 20)
#define COPIES 5u

static const char text[] =
    "extern \"C\" __global__ void empty(int *a, int v) { (void)a; (void)v; }";

struct bench {
    const struct cuda_api *api;
    cuda_context context;
    cuda_stream stream;
    cuda_function function;
    cuda_event event;
    void *device;
    void *queue;
    struct doorbell bell;
    fgpu_mem mem;
    fgpu_cmd_launch bodies[COMMANDS];
    fgpu_cmd_arg args[2];
    int value;
    uint64_t last;
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_cuda_device: %s: %s\n", what, error_text());
    exit(1);
}

static void check(int error, const char *what)
{
    if (error != CUDA_SUCCESS)
        die(what);
}

static void ring(void *arg)
{
    doorbell_ring(arg);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void hand_launch(struct bench *bench)
{
    void *address = (void *)(uintptr_t)bench->mem;
    void *arguments[] = {&address, &bench->value};

    check(bench->api->launch(bench->function, 1, 1, 1, 32, 1, 1, 0, bench->stream, arguments, NULL),
          "launch");
}

static void hand_wait(struct bench *bench)
{
    int error = CUDA_ERROR_NOT_READY;

    while (error == CUDA_ERROR_NOT_READY)
        error = bench->api->stream_query(bench->stream);
    check(error, "stream");
}

static double hand_rate(struct bench *bench)
{
    uint64_t start_ns = clock_now_ns();

    for (uint32_t i = 0; i < COMMANDS; i++)
        hand_launch(bench);
    hand_wait(bench);
    return (double)(clock_now_ns() - start_ns) / COMMANDS;
}

static double hand_latency(struct bench *bench)
{
    double times[TRIPS];

    for (uint32_t i = 0; i < TRIPS; i++) {
        uint64_t start_ns = clock_now_ns();
        hand_launch(bench);
        hand_wait(bench);
        times[i] = (double)(clock_now_ns() - start_ns);
    }
    return median(times, TRIPS);
}

static double hand_copy(struct bench *bench, void *pinned, bool out)
{
    uint64_t start_ns = clock_now_ns();

    if (out)
        check(bench->api->copy_out(pinned, bench->mem, COPY_BYTES, bench->stream), "copy");
    else
        check(bench->api->copy_in(bench->mem, pinned, COPY_BYTES, bench->stream), "copy");
    hand_wait(bench);
    return (double)(clock_now_ns() - start_ns);
}

/* ---- the backend ---------------------------------------------------------------------------- */

static void pool_wait(struct bench *bench, uint64_t number)
{
    uint64_t reached = 0;

    while (reached < number)
        if (cuda_backend.poll(bench->queue, &reached) != FGPU_OK)
            die("queue");
}

static void pool_submit(struct bench *bench, const fgpu_cmd *cmds, uint32_t count)
{
    while (count > 0) {
        uint64_t reached = 0;
        uint32_t taken = cuda_backend.submit(bench->queue, cmds, count, &bench->last);
        cmds += taken;
        count -= taken;
        if (count > 0 && cuda_backend.poll(bench->queue, &reached) != FGPU_OK)
            die("queue");
    }
}

static double pool_rate(struct bench *bench)
{
    fgpu_cmd cmds[BATCH];
    uint64_t start_ns = clock_now_ns();

    for (uint32_t i = 0; i < COMMANDS; i += BATCH) {
        for (uint32_t b = 0; b < BATCH; b++)
            cmds[b] = (fgpu_cmd){FGPU_CMD_LAUNCH, b + 1 == BATCH ? FGPU_CMD_NOTIFY : 0,
                                 &bench->bodies[i + b]};
        pool_submit(bench, cmds, BATCH);
    }
    pool_wait(bench, bench->last);
    return (double)(clock_now_ns() - start_ns) / COMMANDS;
}

static double pool_latency(struct bench *bench)
{
    double times[TRIPS];
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &bench->bodies[0]};

    for (uint32_t i = 0; i < TRIPS; i++) {
        uint64_t start_ns = clock_now_ns();
        pool_submit(bench, &cmd, 1);
        pool_wait(bench, bench->last);
        times[i] = (double)(clock_now_ns() - start_ns);
    }
    return median(times, TRIPS);
}

static double pool_copy(struct bench *bench, void *memory, bool out)
{
    fgpu_cmd_copy copy = {.src = out ? bench->mem : (uintptr_t)memory,
                          .dst = out ? (uintptr_t)memory : bench->mem,
                          .src_is_host = !out,
                          .dst_is_host = out,
                          .row_bytes = COPY_BYTES,
                          .rows = 1};
    fgpu_cmd cmd = {FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &copy};
    uint64_t start_ns = clock_now_ns();

    pool_submit(bench, &cmd, 1);
    pool_wait(bench, bench->last);
    return (double)(clock_now_ns() - start_ns);
}

/* ---- both ----------------------------------------------------------------------------------- */

/* The kernel's handle: the backend keeps it to itself, so the text is compiled once more by hand
 * through a module of the same code. */
static void hand_load(struct bench *bench, const struct cuda_nvrtc *nvrtc)
{
    void *program = NULL;
    size_t bytes = 0;
    char *ptx = NULL;
    cuda_module module = NULL;

    check(nvrtc->create(&program, text, "empty.cu", 0, NULL, NULL), "nvrtc");
    check(nvrtc->add_name(program, "empty"), "nvrtc");
    check(nvrtc->compile(program, 0, NULL), "nvrtc");
    check(nvrtc->ptx_bytes(program, &bytes), "nvrtc");
    ptx = malloc(bytes);
    if (ptx == NULL)
        die("memory");
    check(nvrtc->ptx(program, ptx), "nvrtc");
    (void)nvrtc->destroy(&program);
    check(bench->api->module_load(&module, ptx, 0, NULL, NULL), "module");
    check(bench->api->module_function(&bench->function, module, "empty"), "function");
    free(ptx);
}

static void pool_load(struct bench *bench)
{
    fgpu_code_source source = {
        .kind = FGPU_VARIANT_CUDA, .arg_count = 2, .text = text, .entry = "empty", .options = ""};
    fgpu_code_built built;

    if (cuda_backend.code_build(bench->device, &source, &built) != FGPU_OK)
        die("build");
    bench->args[0] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER, .size_bytes = 4};
    bench->args[0].u.buffer.mem = bench->mem;
    bench->args[1] = (fgpu_cmd_arg){.kind = FGPU_ARG_SCALAR, .size_bytes = sizeof bench->value};
    bench->args[1].u.value = &bench->value;
    for (uint32_t i = 0; i < COMMANDS; i++)
        bench->bodies[i] = (fgpu_cmd_launch){.code = built.code,
                                             .args = bench->args,
                                             .arg_count = 2,
                                             .dims = 1,
                                             .global = {32},
                                             .local = {32, 1, 1}};
}

static void run_launches(struct bench *bench)
{
    double raw[2][ROUNDS], own[2][ROUNDS];

    for (uint32_t i = 0; i < ROUNDS; i++) {
        raw[0][i] = hand_rate(bench);
        own[0][i] = pool_rate(bench);
        raw[1][i] = hand_latency(bench);
        own[1][i] = pool_latency(bench);
    }
    for (int what = 0; what < 2; what++) {
        double a = median(raw[what], ROUNDS), b = median(own[what], ROUNDS);
        (void)printf("figure backend, %s: pool %.2f us, by hand %.2f us, ratio %.2f\n",
                     what == 0 ? "rate" : "one kernel alone", b / 1e3, a / 1e3,
                     what == 0 ? a / b : b / a);
    }
}

static void run_copies(struct bench *bench)
{
    void *pinned = NULL, *pageable = malloc(COPY_BYTES);

    check(bench->api->host_alloc(&pinned, COPY_BYTES, 0), "pinned memory");
    if (pageable == NULL)
        die("memory");
    memset(pinned, 1, COPY_BYTES);
    memset(pageable, 1, COPY_BYTES);
    for (int out = 0; out < 2; out++) {
        double times[3][COPIES];
        for (uint32_t i = 0; i < COPIES; i++) {
            times[0][i] = hand_copy(bench, pinned, out);
            times[1][i] = pool_copy(bench, pinned, out);
            times[2][i] = pool_copy(bench, pageable, out);
        }
        double raw = median(times[0], COPIES);
        for (int kind = 1; kind < 3; kind++) {
            double own = median(times[kind], COPIES);
            (void)printf("figure backend, %s copy %s: pool %.2f GB/s, by hand %.2f GB/s, "
                         "ratio %.3f\n",
                         kind == 1 ? "pinned" : "pageable", out ? "out" : "in",
                         (double)COPY_BYTES / own, (double)COPY_BYTES / raw, raw / own);
        }
    }
    (void)bench->api->host_free(pinned);
    free(pageable);
}

int main(void)
{
    static struct bench bench;
    static fgpu_device_info info = {.struct_bytes = sizeof info};
    const struct cuda_nvrtc *nvrtc = NULL;
    fgpu_backend_options options = {0};
    fgpu_doorbell bell = {ring, &bench.bell};
    char why[512] = "";
    uint32_t count = 0;
    cuda_ordinal ordinal = 0;

    if (cuda_backend.probe(&options, &info, 1, &count, why, sizeof why) != FGPU_OK ||
        cuda_loader_driver(&bench.api, why, sizeof why) != FGPU_OK ||
        cuda_loader_nvrtc(bench.api->version, &nvrtc, why, sizeof why) != FGPU_OK) {
        (void)fprintf(stderr, "bench_cuda_device: skipped: %s\n", why);
        return 77;
    }
    doorbell_init(&bench.bell);
    if (cuda_backend.open(&options, 0, &bell, &bench.device) != FGPU_OK ||
        cuda_backend.queue_open(bench.device, 0, &bench.queue) != FGPU_OK ||
        cuda_backend.mem_alloc(bench.device, COPY_BYTES, &bench.mem) != FGPU_OK)
        die("open");
    check(bench.api->device_get(&ordinal, 0), "device");
    check(bench.api->context_retain(&bench.context, ordinal), "context");
    check(bench.api->context_push(bench.context), "context");
    check(bench.api->stream_create(&bench.stream, CUDA_STREAM_NON_BLOCKING), "stream");
    hand_load(&bench, nvrtc);
    pool_load(&bench);
    (void)printf("%s, %s\n", info.name, info.driver);
    run_launches(&bench);
    run_copies(&bench);
    return 0;
}
