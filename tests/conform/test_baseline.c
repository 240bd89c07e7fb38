/* Workloads without the pool, both ways, on every device that is here (native, the machine's
 * OpenCL, the fake driver with memory of its own and with the host's): random tasks with scalars,
 * vectors, local memory, one to three dimensions, in-place updates, spans at any offset and
 * rectangles must leave the bytes that a serial loop in C leaves, and those that the pool leaves.
 * All arithmetic is on unsigned whole numbers or is that of the filters, so results are equal to
 * the bit. And what is said where something is missing or wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dlfcn.h>

#include "base/atomic.h"
#include "base/rng.h"
#include "cli/baseline/baseline.h"
#include "cli/filters/kernels.h"
#include "cli/workload/workload_edges.h"
#include "lib/seed.h"
#include "lib/workload_files.h"

#define ROWS 16
#define COLUMNS 64
#define BUFFERS 3
#define BYTES (ROWS * COLUMNS * 4)
#define SEEDS 4
#define TASKS 12
#define TEXT_BYTES 16384

static const char kernels_text[] =
    "kernel void scale(global const uint *src, global uint *dst, uint factor)\n"
    "{ uint i = get_global_id(0); dst[i] = src[i] * factor + i; }\n"
    "kernel void mix4(global uint *x, uint4 v, uint pitch)\n"
    "{ uint c = get_global_id(0), r = get_global_id(1);\n"
    "  x[r * pitch + c] = x[r * pitch + c] * v.x + v.y * r + v.z * c + v.w + PLUS; }\n"
    "kernel void turn(global const uint *src, global uint *dst, local uint *kept)\n"
    "{ uint i = get_global_id(0), n = get_local_size(0), k = get_local_id(0);\n"
    "  kept[k] = src[i]; barrier(CLK_LOCAL_MEM_FENCE); dst[i] = kept[n - 1 - k]; }\n"
    "kernel void cube(global uint *x)\n"
    "{ uint i = get_global_id(0) + 4 * (get_global_id(1) + 3 * get_global_id(2));\n"
    "  x[i] = x[i] * 3 + get_global_id(2) * 100 + get_global_id(1) * 10 + get_global_id(0); }\n";

static const char head[] =
    "{\"fastgpu\": 1, \"buffers\": {\"b{i}\": {\"random\": {\"seed\": 1}, \"shape\": [16, 64], "
    "\"type\": \"uint32\", \"repeat\": {\"i\": 3}}}, \"kernels\": {"
    "\"scale\": {\"file\": \"k.cl\", \"options\": \"-DPLUS=7\", \"args\": [{\"read\": \"src\"}, "
    "{\"write\": \"dst\"}, {\"scalar\": \"factor\", \"type\": \"uint32\"}]}, "
    "\"mix4\": {\"file\": \"k.cl\", \"options\": \"-DPLUS=7\", \"args\": [{\"buffer\": \"x\"}, "
    "{\"scalar\": \"v\", \"type\": \"uint32x4\"}, {\"scalar\": \"pitch\", \"type\": \"uint32\"}]}, "
    "\"turn\": {\"file\": \"k.cl\", \"options\": \"-DPLUS=7\", \"args\": [{\"read\": \"src\"}, "
    "{\"write\": \"dst\"}, {\"local\": \"kept\"}]}, "
    "\"cube\": {\"file\": \"k.cl\", \"options\": \"-DPLUS=7\", "
    "\"args\": [{\"read-write\": \"x\"}]}}, \"tasks\": [";

static const char filters_text[] =
    "{\"fastgpu\": 1, \"buffers\": {\"photo\": {\"image\": \"photo.png\"}, "
    "\"grey\": {\"like\": \"photo\", \"channels\": 1}, \"edges\": {\"like\": \"grey\"}, "
    "\"wide\": {\"like\": \"photo\", \"type\": \"uint16\"}, \"soft\": {\"like\": \"photo\"}, "
    "\"sharp\": {\"like\": \"photo\"}, \"w\": {\"gaussian\": {\"radius\": 4, \"sigma\": 2}}}, "
    "\"kernels\": {\"grey\": {\"filter\": \"grey\"}, \"sobel\": {\"filter\": \"sobel\"}, "
    "\"bh\": {\"filter\": \"blur_horizontal\"}, \"bv\": {\"filter\": \"blur_vertical\"}, "
    "\"sharpen\": {\"filter\": \"sharpen\"}}, \"tasks\": ["
    "{\"kernel\": \"grey\", \"repeat\": {\"i\": 3}, \"args\": {\"src\": \"photo\", \"dst\": "
    "{\"buffer\": \"grey\", \"rows\": [\"i * 16\", \"(i + 1) * 16\"]}}}, "
    "{\"kernel\": \"sobel\", \"args\": {\"src\": \"grey\", \"dst\": \"edges\"}}, "
    "{\"kernel\": \"bh\", \"args\": {\"src\": \"photo\", \"dst\": \"wide\", \"weights\": \"w\"}}, "
    "{\"kernel\": \"bv\", \"repeat\": {\"i\": 2}, \"args\": {\"src\": \"wide\", \"dst\": "
    "{\"buffer\": \"soft\", \"rows\": [\"i * 24\", \"(i + 1) * 24\"]}, \"weights\": \"w\"}}, "
    "{\"kernel\": \"sharpen\", \"args\": {\"src\": \"photo\", \"blurred\": \"soft\", "
    "\"dst\": \"sharp\", \"amount\": 300}}], \"outputs\": ["
    "{\"buffer\": \"edges\", \"raw\": \"a\"}, {\"buffer\": \"sharp\", \"raw\": \"b\"}, "
    "{\"buffer\": \"photo\", \"raw\": \"c\"}]}";

struct place {
    const char *name;
    const char *devices; /* of the pool */
    bool is_fake;
    const char *unified; /* FAKECL_UNIFIED */
};

static const struct place places[] = {
    {"cpu", "devices=cpu; workers=3", false, NULL},
    {"OpenCL", "devices=opencl:0", false, NULL},
    {"fake driver, own memory", "devices=opencl:1", true, "0"},
    {"fake driver, the host's memory", "devices=opencl:0", true, "1"},
};

static const struct place *place; /* of the group that runs */
static fgpu_pool pool;
static fgpu_device_info info;
static uint64_t seed;
static char why[512];
static char text[TEXT_BYTES];

static void require(fgpu_status status)
{
    if (status == FGPU_OK)
        return;
    seed_print("conform/baseline", seed);
    fail_msg("%s: %s: %s (%s)", place->name, fgpu_status_name(status), why, fgpu_last_error());
}

/* ---- workloads */

static fgpu_status give_kernels(const char *path, char **given, char *reason, size_t reason_bytes)
{
    (void)path;
    (void)reason;
    (void)reason_bytes;
    *given = strdup(kernels_text);
    return *given ? FGPU_OK : FGPU_E_NOMEM;
}

static void parse(const char *json, struct workload *workload)
{
    struct workload_files files = workload_files_made_up;
    const struct workload_options options = {.files = &files};

    files.text = give_kernels;
    fgpu_status status = workload_parse(json, strlen(json), "", &options, workload);
    if (status != FGPU_OK)
        fail_msg("%s: %s: %s", json, workload->mistakes ? workload->mistakes->path : "",
                 workload->mistakes ? workload->mistakes->text : "");
}

static void make_data(const struct workload *workload, struct workload_data *data)
{
    struct rng rng;

    rng_init(&rng, seed);
    data->count = workload->buffer_count;
    data->memory = calloc(data->count, sizeof *data->memory);
    assert_non_null(data->memory);
    for (uint32_t i = 0; i < data->count; i++) {
        const struct workload_buffer *buffer = &workload->buffers[i];
        if (buffer->content == WORKLOAD_EMPTY)
            continue;
        data->memory[i] = fgpu_host_alloc(buffer->size_bytes);
        assert_non_null(data->memory[i]);
        for (uint64_t b = 0; b < buffer->size_bytes; b++)
            data->memory[i][b] = (unsigned char)rng_below(&rng, 256);
        if (buffer->values_bytes == buffer->size_bytes)
            memcpy(data->memory[i], buffer->values, buffer->size_bytes);
    }
}

static void free_data(struct workload_data *data)
{
    for (uint32_t i = 0; i < data->count; i++)
        fgpu_host_free(data->memory[i]);
    free(data->memory);
}

/* Two different buffers for a task that reads one and writes the other. With odd seeds all regions
 * begin at multiples of 128 bytes, as devices with memory of their own want it in the pool. */
static size_t draw_task(struct rng *rng, char *to, size_t bytes)
{
    unsigned from = (unsigned)rng_below(rng, BUFFERS);
    unsigned dst = (from + 1 + (unsigned)rng_below(rng, BUFFERS - 1)) % BUFFERS;
    unsigned count = 8 * (1 + (unsigned)rng_below(rng, 60));
    unsigned step = seed % 2 ? 32 : 1, places_left = (ROWS * COLUMNS - count) / step + 1;
    unsigned a = step * (unsigned)rng_below(rng, places_left),
             b = step * (unsigned)rng_below(rng, places_left);
    unsigned row = (unsigned)rng_below(rng, ROWS), rows = 1 + (unsigned)rng_below(rng, ROWS - row);
    unsigned column = step * (unsigned)rng_below(rng, COLUMNS / step),
             columns = 1 + (unsigned)rng_below(rng, COLUMNS - column);
    int written = 0;

    switch (rng_below(rng, 4)) {
    case 0:
        written = snprintf(to, bytes,
                           "{\"kernel\": \"scale\", \"grid\": %u, \"args\": {\"src\": {\"buffer\": "
                           "\"b%u\", \"range\": [%u, %u]}, \"dst\": {\"buffer\": \"b%u\", "
                           "\"range\": [%u, %u]}, \"factor\": %u}}",
                           count, from, a, a + count, dst, b, b + count, count * 77 + row);
        break;
    case 1:
        written = snprintf(to, bytes,
                           "{\"kernel\": \"mix4\", \"grid\": [%u, %u], \"args\": {\"x\": "
                           "{\"buffer\": \"b%u\", \"rows\": [%u, %u], \"columns\": [%u, %u]}, "
                           "\"v\": [%u, 2, 3, 4], \"pitch\": %u}}",
                           columns, rows, from, row, row + rows, column, column + columns,
                           2 * count + 1, COLUMNS);
        break;
    case 2:
        written = snprintf(to, bytes,
                           "{\"kernel\": \"turn\", \"grid\": %u, \"local\": 8, \"args\": {\"src\": "
                           "{\"buffer\": \"b%u\", \"range\": [%u, %u]}, \"dst\": {\"buffer\": "
                           "\"b%u\", \"range\": [%u, %u]}, \"kept\": 32}}",
                           count, from, a, a + count, dst, b, b + count);
        break;
    default:
        written = snprintf(to, bytes,
                           "{\"kernel\": \"cube\", \"grid\": [4, 3, 2], \"local\": [2, 3, 1], "
                           "\"args\": {\"x\": {\"buffer\": \"b%u\", \"range\": [%u, %u]}}}",
                           from, a, a + 24);
        break;
    }
    assert_true(written > 0 && (size_t)written < bytes);
    return (size_t)written;
}

static void draw_workload(struct workload *workload)
{
    struct rng rng;
    size_t length = strlen(head);

    rng_init(&rng, seed * 1000);
    memcpy(text, head, length);
    for (int i = 0; i < TASKS; i++) {
        if (i > 0)
            text[length++] = ',';
        length += draw_task(&rng, text + length, sizeof text - length);
    }
    (void)snprintf(text + length, sizeof text - length,
                   "], \"outputs\": [{\"buffer\": \"b{i}\", \"raw\": \"o{i}\", "
                   "\"repeat\": {\"i\": 3}}]}");
    parse(text, workload);
}

/* ---- the serial reference */

static uint32_t scalar(const struct workload_arg *arg, uint32_t lane)
{
    uint32_t value;

    memcpy(&value, (const char *)arg->value + lane * sizeof value, sizeof value);
    return value;
}

static void refer_task(const struct workload *workload, const struct workload_task *task,
                       unsigned char *const *memory)
{
    const struct workload_kernel *kernel = &workload->kernels[task->kernel];
    const struct workload_arg *args = &workload->args[task->arg_first];
    const char *name = kernel->name;
    void *at[64];
    uint32_t count = (uint32_t)task->global[0];

    for (uint32_t i = 0; i < task->arg_count; i++)
        at[i] = args[i].kind == FGPU_ARG_BUFFER
                    ? (void *)(memory[args[i].buffer] + args[i].region.offset_bytes)
                    : (void *)(uintptr_t)args[i].value;
    uint32_t *x = at[0], *y = at[1];
    if (kernel->filter) {
        fgpu_range range = {.dims = task->dims, .group_end = 1};
        for (uint32_t d = 0; d < 3; d++) {
            range.global[d] = d < task->dims ? task->global[d] : 1;
            range.local[d] = d < task->dims ? task->local[d] : 1;
            range.groups[d] = range.global[d] / range.local[d];
            range.group_end *= range.groups[d];
        }
        assert_int_equal(kernel->filter->native(&range, at, NULL), 0);
    } else if (strcmp(name, "scale") == 0) {
        for (uint32_t i = 0; i < count; i++)
            y[i] = x[i] * scalar(&args[2], 0) + i;
    } else if (strcmp(name, "turn") == 0) {
        for (uint32_t i = 0; i < count; i++)
            y[i] = x[i / 8 * 8 + 7 - i % 8];
    } else if (strcmp(name, "mix4") == 0) {
        for (uint32_t r = 0; r < task->global[1]; r++)
            for (uint32_t c = 0; c < count; c++)
                x[r * COLUMNS + c] = x[r * COLUMNS + c] * scalar(&args[1], 0) +
                                     scalar(&args[1], 1) * r + scalar(&args[1], 2) * c +
                                     scalar(&args[1], 3) + 7;
    } else {
        for (uint32_t i = 0; i < 24; i++)
            x[i] = x[i] * 3 + i / 12 * 100 + i / 4 % 3 * 10 + i % 4;
    }
}

static unsigned char **refer(const struct workload *workload, const struct workload_data *data)
{
    unsigned char **memory = calloc(workload->buffer_count, sizeof *memory);

    assert_non_null(memory);
    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        memory[i] = calloc(1, workload->buffers[i].size_bytes);
        assert_non_null(memory[i]);
        if (data->memory[i])
            memcpy(memory[i], data->memory[i], workload->buffers[i].size_bytes);
    }
    for (uint32_t i = 0; i < workload->task_count; i++)
        refer_task(workload, &workload->tasks[workload->order[i]], memory);
    return memory;
}

static void free_memory(const struct workload *workload, unsigned char **memory)
{
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        free(memory[i]);
    free(memory);
}

static void check_output(const struct workload *workload, uint32_t buffer, const unsigned char *got,
                         const unsigned char *wanted)
{
    for (uint64_t i = 0; i < workload->buffers[buffer].size_bytes; i++)
        if (got[i] != wanted[i]) {
            seed_print("conform/baseline", seed);
            fail_msg("%s: byte %llu of %s is %u, not %u", place->name, (unsigned long long)i,
                     workload->buffers[buffer].name, got[i], wanted[i]);
        }
}

/* ---- the pool */

static bool pool_takes(const struct workload *workload)
{
    for (uint32_t i = 0; i < workload->arg_count; i++)
        if (workload->args[i].kind == FGPU_ARG_BUFFER &&
            workload->args[i].region.offset_bytes % info.memory_align_bytes != 0)
            return false;
    return true;
}

static fgpu_kernel make_kernel(const struct workload_kernel *kernel)
{
    fgpu_kernel made;

    require(fgpu_kernel_create(pool, kernel->name, &made));
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (kernel->params[i].access != FGPU_ACCESS_DEFAULT ||
            kernel->params[i].kind != FGPU_ARG_BUFFER)
            require(fgpu_kernel_set_arg(made, i, kernel->params[i].kind, kernel->params[i].access,
                                        kernel->params[i].kind == FGPU_ARG_SCALAR
                                            ? elements[kernel->params[i].type].size_bytes *
                                                  kernel->params[i].lanes
                                            : 0));
    if (!kernel->filter) {
        require(fgpu_kernel_add_opencl(made, kernel->source, kernel->entry, kernel->options));
        return made;
    }
    for (size_t i = 0; i < kernel_text_count; i++)
        if (strcmp(kernel_texts[i].name, kernel->filter->file) == 0)
            require(fgpu_kernel_add_opencl(made, kernel_texts[i].text, kernel->filter->name, "-w"));
    require(fgpu_kernel_add_native(made, kernel->filter->native, NULL));
    return made;
}

static void submit(const struct workload *workload, const struct workload_task *task,
                   const fgpu_buffer *buffers, const fgpu_kernel *kernels)
{
    fgpu_arg args[64];
    fgpu_task_desc desc;
    fgpu_task submitted;

    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &workload->args[task->arg_first + i];
        args[i] = arg->kind == FGPU_ARG_BUFFER
                      ? fgpu_arg_region(buffers[arg->buffer], arg->access, arg->region)
                  : arg->kind == FGPU_ARG_LOCAL
                      ? fgpu_arg_local(arg->size_bytes)
                      : fgpu_arg_scalar(arg->value, (uint32_t)arg->size_bytes);
    }
    fgpu_task_desc_init(&desc);
    desc.kernel = kernels[task->kernel];
    desc.args = args;
    desc.arg_count = task->arg_count;
    desc.dims = task->dims;
    for (uint32_t d = 0; d < task->dims; d++) {
        desc.global[d] = task->global[d];
        desc.local[d] = task->local[d];
    }
    require(fgpu_task_submit(pool, &desc, &submitted));
}

static void check_pool(const struct workload *workload, const struct workload_data *data,
                       unsigned char *const *wanted)
{
    fgpu_buffer buffers[8];
    fgpu_kernel kernels[8];
    static unsigned char got[1 << 20];

    assert_true(workload->buffer_count <= 8 && workload->kernel_count <= 8);
    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        assert_true(workload->buffers[i].size_bytes <= sizeof got);
        require(fgpu_buffer_create(pool, workload->buffers[i].size_bytes, &buffers[i]));
        if (data->memory[i])
            require(fgpu_buffer_write(buffers[i], NULL, data->memory[i], 0));
    }
    for (uint32_t i = 0; i < workload->kernel_count; i++)
        kernels[i] = make_kernel(&workload->kernels[i]);
    for (uint32_t i = 0; i < workload->task_count; i++)
        submit(workload, &workload->tasks[workload->order[i]], buffers, kernels);
    require(fgpu_pool_wait(pool, FGPU_FOREVER));
    for (uint32_t i = 0; i < workload->output_count; i++) {
        uint32_t buffer = workload->outputs[i].buffer;
        require(fgpu_buffer_read(buffers[buffer], NULL, got, 0));
        check_output(workload, buffer, got, wanted[buffer]);
    }
    for (uint32_t i = 0; i < workload->buffer_count; i++)
        require(fgpu_buffer_destroy(buffers[i]));
    for (uint32_t i = 0; i < workload->kernel_count; i++)
        require(fgpu_kernel_destroy(kernels[i]));
}

/* ---- tests */

/* What a run before has left is spoiled, where the run must write it. */
static void spoil(const struct workload *workload, struct baseline *baseline)
{
    for (uint32_t i = 0; i < workload->output_count; i++) {
        uint32_t buffer = workload->outputs[i].buffer;
        if (workload->buffers[buffer].content == WORKLOAD_EMPTY)
            memset((void *)(uintptr_t)baseline_buffer(baseline, buffer), 0xEE,
                   workload->buffers[buffer].size_bytes);
    }
}

/* Both ways, each twice and in turn: no run finds what another one left. */
static void check_workload(struct workload *workload)
{
    static const enum baseline_way ways[] = {BASELINE_BY_HAND, BASELINE_QUEUE, BASELINE_QUEUE,
                                             BASELINE_BY_HAND};
    struct workload_data data;
    struct baseline *baseline;
    struct baseline_result result;

    make_data(workload, &data);
    unsigned char **wanted = refer(workload, &data);
    require(baseline_open(workload, &data, &info, &baseline, why, sizeof why));
    for (int i = 0; i < 4; i++) {
        spoil(workload, baseline);
        require(baseline_run(baseline, ways[i], NULL, &result, why, sizeof why));
        assert_true(result.wall_ns > 0 && result.cpu_ns > 0);
        for (uint32_t o = 0; o < workload->output_count; o++) {
            uint32_t buffer = workload->outputs[o].buffer;
            check_output(workload, buffer, baseline_buffer(baseline, buffer), wanted[buffer]);
        }
        if (ways[i] == BASELINE_BY_HAND)
            assert_true(result.copied_bytes > 0);
        else if (!place->unified || place->unified[0] == '1')
            assert_int_equal(result.copied_bytes, 0);
    }
    assert_null(baseline_buffer(baseline, workload->buffer_count));
    baseline_close(baseline);
    if (pool_takes(workload))
        check_pool(workload, &data, wanted);
    else
        assert_true(seed % 2 == 0);
    free_memory(workload, wanted);
    free_data(&data);
}

static void test_random(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS);
    struct workload workload;

    (void)state;
    if (strcmp(info.backend, "cpu") == 0)
        skip();
    for (seed = first; seed < first + count; seed++) {
        draw_workload(&workload);
        check_workload(&workload);
        workload_fini(&workload);
    }
}

static void test_filters(void **state)
{
    struct workload workload;

    (void)state;
    for (seed = 1; seed < 3; seed++) {
        parse(filters_text, &workload);
        check_workload(&workload);
        workload_fini(&workload);
    }
}

/* By hand: in, photo three times as what the three bands of grey read, and so on. */
static void test_copied(void **state)
{
    struct workload workload;
    struct workload_data data;
    struct baseline *baseline;
    struct baseline_result result;
    uint64_t wanted = 0;

    (void)state;
    parse(filters_text, &workload);
    make_data(&workload, &data);
    for (uint32_t i = 0; i < workload.task_count; i++)
        for (uint32_t a = 0; a < workload.tasks[i].arg_count; a++) {
            const struct workload_arg *arg = &workload.args[workload.tasks[i].arg_first + a];
            if (arg->kind == FGPU_ARG_BUFFER &&
                strcmp(workload.buffers[arg->buffer].name, "w") != 0)
                wanted += arg->region.row_bytes * arg->region.rows;
        }
    require(baseline_open(&workload, &data, &info, &baseline, why, sizeof why));
    require(baseline_run(baseline, BASELINE_BY_HAND, NULL, &result, why, sizeof why));
    assert_true(result.copied_bytes == wanted);
    baseline_close(baseline);
    free_data(&data);
    workload_fini(&workload);
}

static void test_stop(void **state)
{
    volatile sig_atomic_t stop = 1;
    struct workload workload;
    struct workload_data data;
    struct baseline *baseline;
    struct baseline_result result;

    (void)state;
    parse(filters_text, &workload);
    make_data(&workload, &data);
    require(baseline_open(&workload, &data, &info, &baseline, why, sizeof why));
    for (int way = 0; way < 2; way++) {
        assert_int_equal(
            baseline_run(baseline, (enum baseline_way)way, &stop, &result, why, sizeof why),
            FGPU_E_CANCELLED);
        stop = 0;
        require(baseline_run(baseline, (enum baseline_way)way, &stop, &result, why, sizeof why));
        stop = 1;
    }
    baseline_close(baseline);
    free_data(&data);
    workload_fini(&workload);
}

static void refuse(struct workload *workload, const fgpu_device_info *device, fgpu_status status,
                   const char *sentence)
{
    struct workload_data data;
    struct baseline *baseline;

    make_data(workload, &data);
    why[0] = '\0';
    fgpu_status got = baseline_open(workload, &data, device, &baseline, why, sizeof why);
    if (got != status || !strstr(why, sentence))
        fail_msg("%s: %s: %s; wants %s: %s", place->name, fgpu_status_name(got), why,
                 fgpu_status_name(status), sentence);
    assert_null(baseline);
    free_data(&data);
}

static void test_refused(void **state)
{
    struct workload workload;
    fgpu_device_info other = info;

    (void)state;
    seed = 1;
    draw_workload(&workload);
    (void)snprintf(other.backend, sizeof other.backend, "sim");
    refuse(&workload, &other, FGPU_E_UNSUPPORTED, "sim");
    other = info;
    if (strcmp(info.backend, "cpu") == 0) {
        refuse(&workload, &info, FGPU_E_UNSUPPORTED, "has no variant for the device cpu");
        workload_fini(&workload);
        return;
    }
    (void)snprintf(other.id, sizeof other.id, "opencl:77");
    refuse(&workload, &other, FGPU_E_NODEVICE, "OpenCL device 77 is not the pool's");
    other = info;
    (void)snprintf(other.name, sizeof other.name, "somebody else's");
    refuse(&workload, &other, FGPU_E_NODEVICE, "somebody else's");
    const char *entry = workload.kernels[0].entry;
    workload.kernels[0].entry = "nobody";
    refuse(&workload, &info, FGPU_E_BUILD, "has no kernel nobody");
    workload.kernels[0].entry = entry;
    workload.kernels[0].source = "kernel void scale(global uint *x) { x[0] = unheard_of; }";
    refuse(&workload, &info, FGPU_E_BUILD, "unheard_of");
    workload_fini(&workload);
}

static void test_no_library(void **state)
{
    struct workload workload;
    const char *before = getenv("FASTGPU_OPENCL_LIBRARY");
    char *kept = before ? strdup(before) : NULL;

    (void)state;
    seed = 1;
    draw_workload(&workload);
    if (strcmp(info.backend, "opencl") == 0) {
        (void)setenv("FASTGPU_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so", 1);
        refuse(&workload, &info, FGPU_E_NODEVICE, "/nonexistent/libOpenCL.so");
        (void)setenv("FASTGPU_OPENCL_LIBRARY", "libm.so.6", 1);
        refuse(&workload, &info, FGPU_E_NODEVICE, "libm.so.6 has no clGetPlatformIDs");
    }
    if (kept)
        (void)setenv("FASTGPU_OPENCL_LIBRARY", kept, 1);
    else
        (void)unsetenv("FASTGPU_OPENCL_LIBRARY");
    free(kept);
    workload_fini(&workload);
}

/* ---- places */

static bool open_place(const struct place *chosen)
{
    const char *library = chosen->is_fake ? getenv("FAKEICD_LIB") : NULL;
    fgpu_device device;

    place = chosen;
    if ((chosen->is_fake && !library) ||
        (ATOMIC_TSAN != 0 && strcmp(chosen->name, "OpenCL") == 0)) {
        fprintf(stderr, "%s: skipped\n", chosen->name);
        return false;
    }
    if (library) {
        (void)setenv("FASTGPU_OPENCL_LIBRARY", library, 1);
        (void)setenv("FAKECL_UNIFIED", chosen->unified, 1);
        (void)setenv("FAKECL_STRICT", "1", 1);
        int (*reset)(void) = NULL;
        *(void **)&reset = dlsym(dlopen(library, RTLD_NOW | RTLD_LOCAL), "fakecl_reset");
        assert_non_null(reset);
        (void)reset();
    } else {
        (void)unsetenv("FASTGPU_OPENCL_LIBRARY");
    }
    if (fgpu_pool_open_text(chosen->devices, &pool) != FGPU_OK) {
        fprintf(stderr, "%s: skipped: %s\n", chosen->name, fgpu_last_error());
        return false;
    }
    info = (fgpu_device_info){.struct_bytes = sizeof info};
    require(fgpu_device_at(pool, 0, &device));
    require(fgpu_device_get_info(device, &info));
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),  cmocka_unit_test(test_filters),
        cmocka_unit_test(test_copied),  cmocka_unit_test(test_stop),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_no_library),
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!open_place(&places[i]))
            continue;
        failed += cmocka_run_group_tests_name(place->name, tests, NULL, NULL);
        (void)fgpu_pool_close(pool);
    }
    return failed;
}
