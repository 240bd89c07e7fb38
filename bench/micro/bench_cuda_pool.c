/* What the pool makes of a CUDA card, beside the driver's own calls for the same, in turn.
 *
 * usage: bench_cuda_pool launch|rate|graph|copy|scatter|alloc
 * On the first card. launch: one empty kernel, submitted and waited for. rate: BURST of them, then
 * waited for. graph: a recorded chain of NODES empty kernels against the driver's graph of the
 * same, captured from a stream. copy: a buffer of COPY_BYTES that the host has written, to the
 * card, by a kernel that reads it, against one call from pinned memory. scatter: PIECES of 4 KiB
 * each way, through the backend, against one call for each. alloc: a block from the pool's heap and
 * back, against the card's own memory pool. Prints one line, "figure NAME: pool A unit, by hand B
 * unit, ratio R", medians of ROUNDS. Exit status 77 without a card.
 */
#include <dlfcn.h>
#include <fastgpu/fastgpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/doorbell.h"
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "dev/cuda/loader.h"
#include "mem/heap.h"

#define ROUNDS 15u
#define TRIPS 500u
#define BURST 4096u
#define NODES 32u
#define COPY_BYTES ((uint64_t)256 << 20)
#define PIECES 1024u
#define PIECE_BYTES 4096u
#define ALLOCS 10000u
#define ALLOC_BYTES 65536u

static const char text[] = "extern \"C\" __global__ void empty(int v) { (void)v; }\n"
                           "extern \"C\" __global__ void look(const int *a, int *b) { if "
                           "(threadIdx.x == 0) b[0] = a[0]; }";

/* The driver's graphs: the pool does not use them. */
struct graphs {
    cuda_result (*begin)(cuda_stream stream, int mode);
    cuda_result (*end)(cuda_stream stream, void **graph);
    cuda_result (*instantiate)(void **exec, void *graph, unsigned long long flags);
    cuda_result (*launch)(void *exec, cuda_stream stream);
};

struct bench {
    const struct cuda_api *api;
    const struct cuda_nvrtc *nvrtc;
    cuda_ordinal ordinal;
    cuda_context context;
    cuda_stream stream;
    cuda_function function;
    fgpu_pool pool;
    fgpu_kernel empty, look;
    int value;
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_cuda_pool: %s: %s\n", what, why);
    exit(1);
}

static void check(int error, const char *what)
{
    char text_of[32];

    (void)snprintf(text_of, sizeof text_of, "CUDA error %d", error);
    if (error != CUDA_SUCCESS)
        die(what, text_of);
}

static void need(fgpu_status status)
{
    if (status != FGPU_OK)
        die("the pool", fgpu_last_error());
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

static double since(uint64_t start_ns)
{
    return (double)(clock_now_ns() - start_ns);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void hand_open(struct bench *bench)
{
    void *program = NULL;
    size_t bytes = 0;
    char *ptx = NULL;
    cuda_module module = NULL;

    check(bench->api->device_get(&bench->ordinal, 0), "device");
    check(bench->api->context_retain(&bench->context, bench->ordinal), "context");
    check(bench->api->context_push(bench->context), "context");
    check(bench->api->stream_create(&bench->stream, CUDA_STREAM_NON_BLOCKING), "stream");
    check(bench->nvrtc->create(&program, text, "empty.cu", 0, NULL, NULL), "nvrtc");
    check(bench->nvrtc->add_name(program, "empty"), "nvrtc");
    check(bench->nvrtc->compile(program, 0, NULL), "nvrtc");
    check(bench->nvrtc->ptx_bytes(program, &bytes), "nvrtc");
    ptx = malloc(bytes);
    if (ptx == NULL)
        die("memory", "there is none");
    check(bench->nvrtc->ptx(program, ptx), "nvrtc");
    (void)bench->nvrtc->destroy(&program);
    check(bench->api->module_load(&module, ptx, 0, NULL, NULL), "module");
    check(bench->api->module_function(&bench->function, module, "empty"), "function");
    free(ptx);
}

static void hand_wait(struct bench *bench)
{
    int error = CUDA_ERROR_NOT_READY;

    while (error == CUDA_ERROR_NOT_READY)
        error = bench->api->stream_query(bench->stream);
    check(error, "stream");
}

static void hand_launch(struct bench *bench)
{
    void *arguments[] = {&bench->value};

    check(bench->api->launch(bench->function, 1, 1, 1, 32, 1, 1, 0, bench->stream, arguments, NULL),
          "launch");
}

static double hand_trip(struct bench *bench)
{
    uint64_t start_ns = clock_now_ns();

    hand_launch(bench);
    hand_wait(bench);
    return since(start_ns);
}

static double hand_burst(struct bench *bench)
{
    uint64_t start_ns = clock_now_ns();

    for (uint32_t i = 0; i < BURST; i++)
        hand_launch(bench);
    hand_wait(bench);
    return since(start_ns) / BURST;
}

/* ---- the pool ------------------------------------------------------------------------------- */

static void pool_open(struct bench *bench)
{
    need(fgpu_pool_open_text("devices=cuda:0;cache=;log=error", &bench->pool));
    need(fgpu_kernel_create(bench->pool, "empty", &bench->empty));
    need(fgpu_kernel_add_cuda(bench->empty, text, "empty", NULL));
    need(fgpu_kernel_set_arg(bench->empty, 0, FGPU_ARG_SCALAR, FGPU_READ, sizeof bench->value));
    need(fgpu_kernel_create(bench->pool, "look", &bench->look));
    need(fgpu_kernel_add_cuda(bench->look, text, "look", NULL));
    need(fgpu_kernel_set_arg(bench->look, 0, FGPU_ARG_BUFFER, FGPU_READ, 0));
    need(fgpu_kernel_set_arg(bench->look, 1, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
}

static void pool_launch(struct bench *bench, fgpu_task *task)
{
    fgpu_arg arg = fgpu_arg_scalar(&bench->value, sizeof bench->value);

    need(fgpu_task_run(bench->empty, 32, &arg, 1, task));
}

static double pool_trip(struct bench *bench)
{
    uint64_t start_ns = clock_now_ns();
    fgpu_task task;

    pool_launch(bench, &task);
    need(fgpu_task_wait(task, FGPU_FOREVER));
    return since(start_ns);
}

static double pool_burst(struct bench *bench)
{
    uint64_t start_ns = clock_now_ns();

    for (uint32_t i = 0; i < BURST; i++)
        pool_launch(bench, NULL);
    need(fgpu_pool_wait(bench->pool, FGPU_FOREVER));
    return since(start_ns) / BURST;
}

/* ---- figures -------------------------------------------------------------------------------- */

/* By is what is better: a rate, or else a time. */
static void tell(const char *name, double pool, double hand, const char *unit, bool rate)
{
    (void)printf("figure %s: pool %.3f %s, by hand %.3f %s, ratio %.3f\n", name, pool, unit, hand,
                 unit, rate ? hand / pool : pool / hand);
}

static double trips(struct bench *bench, double (*trip)(struct bench *))
{
    double times[TRIPS];

    for (uint32_t i = 0; i < TRIPS; i++)
        times[i] = trip(bench);
    return median(times, TRIPS);
}

static void figure_launch(struct bench *bench)
{
    double pool[ROUNDS], hand[ROUNDS];

    for (uint32_t r = 0; r < ROUNDS; r++) {
        pool[r] = trips(bench, pool_trip);
        hand[r] = trips(bench, hand_trip);
    }
    tell("launch", median(pool, ROUNDS) / 1e3, median(hand, ROUNDS) / 1e3, "us", false);
}

static void figure_rate(struct bench *bench)
{
    double pool[ROUNDS], hand[ROUNDS];

    for (uint32_t r = 0; r < ROUNDS; r++) {
        pool[r] = pool_burst(bench);
        hand[r] = hand_burst(bench);
    }
    tell("rate", median(pool, ROUNDS) / 1e3, median(hand, ROUNDS) / 1e3, "us a kernel", true);
}

static void graph_symbols(struct graphs *graphs)
{
    const char *named = getenv("FASTGPU_CUDA_LIBRARY");
    void *library = dlopen(named != NULL ? named : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const char *const names[] = {"cuStreamBeginCapture_v2", "cuStreamEndCapture",
                                 "cuGraphInstantiateWithFlags", "cuGraphLaunch"};
    void *symbols[4] = {NULL, NULL, NULL, NULL};

    for (int i = 0; i < 4 && library != NULL; i++)
        symbols[i] = dlsym(library, names[i]);
    for (int i = 0; i < 4; i++)
        if (symbols[i] == NULL)
            die("the driver lacks", names[i]);
    memcpy(graphs, symbols, sizeof *graphs);
}

static fgpu_graph_exec graph_record(struct bench *bench)
{
    fgpu_arg arg = fgpu_arg_scalar(&bench->value, sizeof bench->value);
    fgpu_graph_exec exec;
    fgpu_graph graph;
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_KERNEL;
    desc.kernel = bench->empty;
    desc.dims = 1;
    desc.global[0] = desc.local[0] = 32;
    desc.args = &arg;
    desc.arg_count = 1;
    need(fgpu_graph_create(bench->pool, &graph));
    for (uint32_t i = 0; i < NODES; i++) {
        need(fgpu_graph_add(graph, &desc, NULL));
        if (i > 0)
            need(fgpu_graph_depend(graph, i, i - 1));
    }
    need(fgpu_graph_instantiate(graph, &exec));
    need(fgpu_graph_destroy(graph));
    return exec;
}

static void figure_graph(struct bench *bench)
{
    struct graphs graphs;
    void *graph = NULL, *native = NULL;
    double pool[ROUNDS], hand[ROUNDS], times[2][TRIPS];
    fgpu_graph_exec exec = graph_record(bench);

    graph_symbols(&graphs);
    check(graphs.begin(bench->stream, 0), "capture");
    for (uint32_t i = 0; i < NODES; i++)
        hand_launch(bench);
    check(graphs.end(bench->stream, &graph), "capture");
    check(graphs.instantiate(&native, graph, 0), "instantiate");
    for (uint32_t r = 0; r < ROUNDS; r++) {
        for (uint32_t i = 0; i < TRIPS; i++) {
            uint64_t start_ns = clock_now_ns();
            fgpu_task task;
            need(fgpu_graph_launch(exec, &task));
            need(fgpu_task_wait(task, FGPU_FOREVER));
            times[0][i] = since(start_ns);
            start_ns = clock_now_ns();
            check(graphs.launch(native, bench->stream), "graph");
            hand_wait(bench);
            times[1][i] = since(start_ns);
        }
        pool[r] = median(times[0], TRIPS);
        hand[r] = median(times[1], TRIPS);
    }
    tell("graph", median(pool, ROUNDS) / 1e3, median(hand, ROUNDS) / 1e3, "us", false);
}

/* A buffer that the host has changed comes to the card with the kernel that reads it; the same
 * kernel without a copy is taken off. */
static double pool_copy(struct bench *bench, fgpu_buffer large, fgpu_buffer small, char *host)
{
    fgpu_arg args[] = {fgpu_arg_buffer(large), fgpu_arg_buffer(small)};
    fgpu_task task;
    uint64_t start_ns;
    double with, without;

    need(fgpu_buffer_write(large, NULL, host, 0));
    start_ns = clock_now_ns();
    need(fgpu_task_run(bench->look, 32, args, 2, &task));
    need(fgpu_task_wait(task, FGPU_FOREVER));
    with = since(start_ns);
    start_ns = clock_now_ns();
    need(fgpu_task_run(bench->look, 32, args, 2, &task));
    need(fgpu_task_wait(task, FGPU_FOREVER));
    without = since(start_ns);
    return with > without ? with - without : with;
}

static void figure_copy(struct bench *bench)
{
    double pool[ROUNDS], hand[ROUNDS];
    void *pinned = NULL;
    char *host = calloc(1, COPY_BYTES);
    fgpu_buffer large, small;
    cuda_ptr mem = 0;

    if (host == NULL)
        die("memory", "there is none");
    need(fgpu_buffer_create(bench->pool, COPY_BYTES, &large));
    need(fgpu_buffer_create(bench->pool, 4096, &small));
    need(fgpu_buffer_fill(small, NULL, "\0\0\0", 4));
    check(bench->api->host_alloc(&pinned, COPY_BYTES, 0), "pinned memory");
    memset(pinned, 1, COPY_BYTES);
    check(bench->api->mem_alloc(&mem, COPY_BYTES), "memory of the card");
    (void)pool_copy(bench, large, small, host); /* the host's part is pinned meanwhile */
    for (uint32_t r = 0; r < ROUNDS; r++) {
        uint64_t start_ns = clock_now_ns();
        check(bench->api->copy_in(mem, pinned, COPY_BYTES, bench->stream), "copy");
        hand_wait(bench);
        hand[r] = since(start_ns);
        pool[r] = pool_copy(bench, large, small, host);
    }
    tell("copy", median(pool, ROUNDS) / 1e6, median(hand, ROUNDS) / 1e6, "ms", true);
    (void)bench->api->host_free(pinned);
    free(host);
}

/* ---- through the backend -------------------------------------------------------------------- */

static void ring(void *arg)
{
    doorbell_ring(arg);
}

struct pieces {
    void *device, *queue;
    struct doorbell bell;
    fgpu_mem mem;
    char *host; /* pinned */
    fgpu_cmd_copy bodies[PIECES];
    fgpu_cmd cmds[PIECES];
};

static void pieces_open(struct bench *bench, struct pieces *pieces)
{
    fgpu_backend_options options = {0};
    fgpu_doorbell bell = {ring, &pieces->bell};
    void *pinned = NULL;

    doorbell_init(&pieces->bell);
    if (cuda_backend.open(&options, 0, &bell, &pieces->device) != FGPU_OK ||
        cuda_backend.queue_open(pieces->device, 1, &pieces->queue) != FGPU_OK ||
        cuda_backend.mem_alloc(pieces->device, PIECES * PIECE_BYTES * 2, &pieces->mem) != FGPU_OK)
        die("the device", error_text());
    check(bench->api->host_alloc(&pinned, (size_t)PIECES * PIECE_BYTES * 2, 0), "pinned memory");
    pieces->host = pinned;
    for (uint32_t i = 0; i < PIECES; i++) {
        uint64_t at = (uint64_t)(i * 389 % PIECES) * PIECE_BYTES * 2; /* in no order */
        pieces->bodies[i] = (fgpu_cmd_copy){.src = (uintptr_t)pinned,
                                            .src_is_host = 1,
                                            .src_offset_bytes = at,
                                            .dst = pieces->mem,
                                            .dst_offset_bytes = at,
                                            .row_bytes = PIECE_BYTES,
                                            .rows = 1};
        pieces->cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, FGPU_CMD_TIMED, &pieces->bodies[i]};
    }
}

static double pieces_pool(struct pieces *pieces)
{
    uint64_t start_ns = clock_now_ns(), last = 0, reached = 0;

    for (uint32_t i = 0; i < PIECES;) {
        i += cuda_backend.submit(pieces->queue, pieces->cmds + i, PIECES - i, &last);
        if (cuda_backend.poll(pieces->queue, &reached) != FGPU_OK)
            die("the queue", error_text());
    }
    while (reached < last)
        if (cuda_backend.poll(pieces->queue, &reached) != FGPU_OK)
            die("the queue", error_text());
    return since(start_ns);
}

/* One by one: a call each, waited for, as who has only one copy in mind would do it. */
static double pieces_hand(struct bench *bench, struct pieces *pieces)
{
    uint64_t start_ns = clock_now_ns();

    for (uint32_t i = 0; i < PIECES; i++) {
        const fgpu_cmd_copy *copy = &pieces->bodies[i];
        check(bench->api->copy_in(copy->dst + copy->dst_offset_bytes,
                                  pieces->host + copy->src_offset_bytes, PIECE_BYTES,
                                  bench->stream),
              "copy");
        hand_wait(bench);
    }
    return since(start_ns);
}

static void figure_scatter(struct bench *bench)
{
    static struct pieces pieces;
    double pool[ROUNDS], hand[ROUNDS];

    pieces_open(bench, &pieces);
    for (uint32_t r = 0; r < ROUNDS; r++) {
        pool[r] = pieces_pool(&pieces);
        hand[r] = pieces_hand(bench, &pieces);
    }
    tell("scatter", median(pool, ROUNDS) / 1e3, median(hand, ROUNDS) / 1e3, "us", true);
}

static void figure_alloc(struct bench *bench)
{
    double pool[ROUNDS], hand[ROUNDS];
    struct heap heap;
    struct heap_block block;
    cuda_pool memory = NULL;
    uint64_t grow = 0;

    if (bench->api->pool_default == NULL || bench->api->pool_alloc == NULL ||
        bench->api->pool_default(&memory, bench->ordinal) != CUDA_SUCCESS)
        die("the card", "it has no memory pool");
    heap_init(&heap, &(struct heap_config){0});
    if (heap_alloc(&heap, ALLOC_BYTES, &block, &grow) != HEAP_GROW ||
        heap_add_slab(&heap, 1, grow, true) == HEAP_NONE)
        die("the heap", "it does not grow");
    for (uint32_t r = 0; r < ROUNDS; r++) {
        uint64_t start_ns = clock_now_ns();
        for (uint32_t i = 0; i < ALLOCS; i++) {
            if (heap_alloc(&heap, ALLOC_BYTES, &block, &grow) != HEAP_OK)
                die("the heap", "it is full");
            heap_free(&heap, &block);
        }
        pool[r] = since(start_ns) / ALLOCS;
        start_ns = clock_now_ns();
        for (uint32_t i = 0; i < ALLOCS; i++) {
            cuda_ptr address = 0;
            check(bench->api->pool_alloc(&address, ALLOC_BYTES, memory, bench->stream), "memory");
            check(bench->api->pool_free(address, bench->stream), "memory");
        }
        hand_wait(bench);
        hand[r] = since(start_ns) / ALLOCS;
    }
    heap_fini(&heap);
    tell("alloc", median(pool, ROUNDS) / 1e3, median(hand, ROUNDS) / 1e3, "us", false);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct bench *bench);
    } figures[] = {{"launch", figure_launch}, {"rate", figure_rate},       {"graph", figure_graph},
                   {"copy", figure_copy},     {"scatter", figure_scatter}, {"alloc", figure_alloc}};
    static struct bench bench;
    char why[512] = "";

    for (size_t i = 0; i < sizeof figures / sizeof *figures && argc == 2; i++) {
        if (strcmp(argv[1], figures[i].name) != 0)
            continue;
        if (cuda_loader_driver(&bench.api, why, sizeof why) != FGPU_OK ||
            cuda_loader_nvrtc(bench.api->version, &bench.nvrtc, why, sizeof why) != FGPU_OK) {
            (void)fprintf(stderr, "bench_cuda_pool: skipped: %s\n", why);
            return 77;
        }
        hand_open(&bench);
        pool_open(&bench);
        figures[i].run(&bench);
        return 0;
    }
    (void)fprintf(stderr, "usage: bench_cuda_pool launch|rate|graph|copy|scatter|alloc\n");
    return 2;
}
