/* Scattered copies, the pipeline and what is moved, on a device with memory of its own: see
 * bench_transfer.h. What comes out of the kernels is compared with the host's own computation.
 */
#include "cli/bench/bench_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"

#define OWN_STEPS 4u
#define OWN_APART 4u   /* a piece lies somewhere in so many times its bytes */
#define OWN_ALIGN 128u /* arguments may begin there on every device */
#define OWN_LINKS 16u

static const char own_source[] =
    "__kernel void touch(__global const uint *in) {}\n"
    "__kernel void mark(__global uint *out) { out[get_global_id(0)] = 7; }\n"
    "__kernel void steps(__global uint *out, __global const uint *in, uint count)\n"
    "{\n"
    "    uint i = (uint)get_global_id(0);\n"
    "    uint x = in[i] + i;\n"
    "    for (uint k = 0; k < count; k++)\n"
    "        x = (x ^ (x >> 15)) * 2246822519u + k;\n"
    "    out[i] = x;\n"
    "}\n";

uint32_t transfer_steps(uint32_t word, uint32_t at, uint32_t count)
{
    uint32_t x = word + at;

    for (uint32_t k = 0; k < count; k++)
        x = (x ^ (x >> 15)) * 2246822519u + k;
    return x;
}

/* ---- kernels ---------------------------------------------------------------------------- */

static fgpu_status own_kernel(fgpu_pool pool, const char *name, const fgpu_access *modes,
                              uint32_t count, fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, name, kernel);

    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, own_source, name, NULL);
    for (uint32_t i = 0; i < count && status == FGPU_OK; i++)
        status = modes[i] == FGPU_ACCESS_DEFAULT
                     ? fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_SCALAR, modes[i], sizeof(uint32_t))
                     : fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_BUFFER, modes[i], 0);
    return status;
}

static fgpu_status own_kernels(fgpu_pool pool, fgpu_kernel kernels[3])
{
    static const fgpu_access modes[3][3] = {
        {FGPU_READ}, {FGPU_WRITE}, {FGPU_WRITE, FGPU_READ, FGPU_ACCESS_DEFAULT}};
    fgpu_status status = own_kernel(pool, "touch", modes[0], 1, &kernels[0]);

    if (status == FGPU_OK)
        status = own_kernel(pool, "mark", modes[1], 1, &kernels[1]);
    return status == FGPU_OK ? own_kernel(pool, "steps", modes[2], 3, &kernels[2]) : status;
}

fgpu_status transfer_kernels(struct transfer_bench *bench)
{
    fgpu_kernel kernels[3];
    fgpu_status status = own_kernels(bench->own, kernels);

    bench->touch = kernels[0];
    bench->mark = kernels[1];
    bench->steps = kernels[2];
    return status;
}

fgpu_status transfer_launch(fgpu_pool pool, const struct transfer_launch *launch, fgpu_task *task)
{
    fgpu_task_desc desc;

    fgpu_task_desc_init(&desc);
    desc.kernel = launch->kernel;
    desc.dims = 1;
    desc.global[0] = launch->items;
    desc.args = launch->args;
    desc.arg_count = launch->arg_count;
    return fgpu_task_submit(pool, &desc, task);
}

fgpu_status transfer_launch_wait(fgpu_pool pool, const struct transfer_launch *launch)
{
    fgpu_task task;
    fgpu_status status = transfer_launch(pool, launch, &task);

    return status == FGPU_OK ? fgpu_task_wait(task, FGPU_FOREVER) : status;
}

/* ---- scattered copies ------------------------------------------------------------------- */

struct own_scattered {
    struct transfer_bench *bench;
    uint64_t bytes, pieces, piece_bytes;
    uint64_t *places; /* offsets of the pieces: no two at the same distance, so that no rectangle
                         holds them */
    uint32_t *lent;
    fgpu_buffer buffer;
};

/* New contents for the piece; then only the host has them. */
static fgpu_status scattered_change(struct own_scattered *own, uint64_t piece, uint32_t value)
{
    void *at = NULL;
    fgpu_status status =
        fgpu_buffer_map(own->buffer, own->places[piece], own->piece_bytes, FGPU_WRITE, &at);

    if (status != FGPU_OK)
        return status;
    for (uint64_t i = 0; i < own->piece_bytes / sizeof value; i++)
        ((uint32_t *)at)[i] = value + (uint32_t)i;
    return fgpu_buffer_unmap(own->buffer, at);
}

static fgpu_status scattered_change_all(struct own_scattered *own, uint32_t value)
{
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < own->pieces && status == FGPU_OK; i++)
        status = scattered_change(own, i, value + (uint32_t)i);
    return status;
}

/* A kernel on the whole needs all pieces. */
static fgpu_status scattered_gathered(struct own_scattered *own, double *ns)
{
    struct transfer_launch launch = {.kernel = own->bench->touch,
                                     .args = {fgpu_arg_buffer(own->buffer)},
                                     .arg_count = 1,
                                     .items = 1};
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = transfer_launch_wait(own->bench->own, &launch);

    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

/* A kernel on each piece needs that one, and is waited for. */
static fgpu_status scattered_one_by_one(struct own_scattered *own, double *ns)
{
    struct transfer_launch launch = {.kernel = own->bench->touch, .arg_count = 1, .items = 1};
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < own->pieces && status == FGPU_OK; i++) {
        launch.args[0] =
            fgpu_arg_span(own->buffer, FGPU_ACCESS_DEFAULT, own->places[i], own->piece_bytes);
        status = transfer_launch_wait(own->bench->own, &launch);
    }
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

static fgpu_status scattered_raw(struct own_scattered *own, bool is_blocking, double *ns)
{
    struct transfer_raw *raw = own->bench->raw;
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < own->pieces && status == FGPU_OK && raw; i++)
        status = transfer_raw_write(raw, own->places[i], own->piece_bytes,
                                    (char *)own->lent + own->places[i], is_blocking);
    if (status == FGPU_OK && raw)
        status = transfer_raw_finish(raw);
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

static fgpu_status scattered_make(struct own_scattered *own)
{
    uint32_t state = 12345;

    own->pieces = own->bench->options->pieces;
    own->piece_bytes = own->bench->options->piece_bytes;
    own->bytes = own->pieces * own->piece_bytes * OWN_APART;
    own->places = malloc(own->pieces * sizeof *own->places);
    own->lent = malloc(own->bytes);
    if (!own->places || !own->lent)
        return FGPU_E_NOMEM;
    (void)memset(own->lent, 0, own->bytes);
    for (uint64_t i = 0; i < own->pieces; i++) {
        state = state * 1664525 + 1013904223;
        own->places[i] = (i * OWN_APART + (state >> 8) % (OWN_APART - 1)) * own->piece_bytes +
                         (state >> 16) % (own->piece_bytes / OWN_ALIGN) * OWN_ALIGN;
    }
    return fgpu_buffer_create_from(own->bench->own, own->lent, own->bytes, &own->buffer);
}

/* The whole as the device has it. */
static fgpu_status scattered_check(struct own_scattered *own, uint32_t value)
{
    uint64_t words = own->bytes / sizeof(uint32_t), each = own->piece_bytes / sizeof(uint32_t);
    uint32_t none = 0;
    void *at = NULL;
    fgpu_buffer out;
    fgpu_status status = fgpu_buffer_create(own->bench->own, own->bytes, &out);

    if (status != FGPU_OK)
        return status;
    struct transfer_launch launch = {.kernel = own->bench->steps,
                                     .args = {fgpu_arg_buffer(out), fgpu_arg_buffer(own->buffer),
                                              fgpu_arg_scalar(&none, sizeof none)},
                                     .arg_count = 3,
                                     .items = words};
    status = transfer_launch_wait(own->bench->own, &launch);
    if (status == FGPU_OK)
        status = fgpu_buffer_map(out, 0, own->bytes, FGPU_READ, &at);
    for (uint64_t p = 0; p < own->pieces && status == FGPU_OK; p++) {
        uint64_t from = own->places[p] / sizeof(uint32_t);
        for (uint64_t i = 0; i < each; i++)
            if (((const uint32_t *)at)[from + i] !=
                transfer_steps(value + (uint32_t)(p + i), (uint32_t)(from + i), none))
                own->bench->result->is_right = false;
    }
    if (status == FGPU_OK)
        status = fgpu_buffer_unmap(out, at);
    (void)fgpu_buffer_destroy(out);
    return status;
}

struct own_series {
    double gathered[TRANSFER_ROUNDS_LIMIT], single[TRANSFER_ROUNDS_LIMIT];
    double blocking[TRANSFER_ROUNDS_LIMIT], enqueued[TRANSFER_ROUNDS_LIMIT];
    double speed_up[TRANSFER_ROUNDS_LIMIT], raw_speed_up[TRANSFER_ROUNDS_LIMIT];
};

static fgpu_status scattered_round(struct own_scattered *own, struct own_series *series,
                                   uint32_t round)
{
    fgpu_status status = scattered_change_all(own, 3 * round);

    if (status == FGPU_OK)
        status = scattered_gathered(own, &series->gathered[round]);
    if (status == FGPU_OK)
        status = scattered_raw(own, true, &series->blocking[round]);
    if (status == FGPU_OK)
        status = scattered_change_all(own, 3 * round + 1);
    if (status == FGPU_OK)
        status = scattered_one_by_one(own, &series->single[round]);
    if (status == FGPU_OK)
        status = scattered_raw(own, false, &series->enqueued[round]);
    series->speed_up[round] = series->single[round] / series->gathered[round];
    series->raw_speed_up[round] = series->blocking[round] / series->gathered[round];
    return status;
}

fgpu_status transfer_run_scattered(struct transfer_bench *bench)
{
    struct transfer_scattered *result = &bench->result->scattered;
    struct own_series *series = calloc(1, sizeof *series);
    struct own_scattered own = {.bench = bench};
    uint64_t rounds = bench->options->rounds;
    fgpu_status status = series ? scattered_make(&own) : FGPU_E_NOMEM;

    if (status == FGPU_OK)
        status = scattered_round(&own, series, 0); /* warms up */
    for (uint32_t round = 0; round < rounds && status == FGPU_OK; round++)
        status = waiting_is_stopped(bench->options->stop) ? FGPU_E_CANCELLED
                                                          : scattered_round(&own, series, round);
    if (status == FGPU_OK) {
        *result = (struct transfer_scattered){.is_known = true, .has_raw = bench->raw != NULL};
        result->gathered_ns = figures_median(series->gathered, rounds);
        result->one_by_one_ns = figures_median(series->single, rounds);
        result->speed_up = figures_median(series->speed_up, rounds);
        result->raw_one_by_one_ns = figures_median(series->blocking, rounds);
        result->raw_enqueued_ns = figures_median(series->enqueued, rounds);
        result->raw_speed_up = figures_median(series->raw_speed_up, rounds);
        status = scattered_change_all(&own, 77);
    }
    if (status == FGPU_OK)
        status = scattered_check(&own, 77);
    (void)fgpu_buffer_destroy(own.buffer);
    fgpu_status ended = fgpu_pool_wait(bench->own, FGPU_FOREVER);
    free(own.places);
    free(own.lent);
    free(series);
    return status == FGPU_OK ? ended : status;
}

/* ---- what is moved ---------------------------------------------------------------------- */

static double own_moved(fgpu_pool pool)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    (void)fgpu_pool_get_stats(pool, &stats);
    return (double)(stats.bytes_to_device + stats.bytes_to_host + stats.bytes_device_device);
}

/* A chain of kernels: each takes what the one before it made, and the last is read. One buffer goes
 * in, one comes out; what lies between, and what is overwritten, stays. */
fgpu_status transfer_run_moved(struct transfer_bench *bench)
{
    uint64_t bytes = bench->options->chunk_bytes, items = bytes / sizeof(uint32_t);
    uint32_t one = 1, *data = calloc(1, bytes), *expected = calloc(1, bytes);
    fgpu_buffer buffers[2] = {{0}, {0}};
    fgpu_status status = data && expected ? FGPU_OK : FGPU_E_NOMEM;
    double before = own_moved(bench->own);

    for (uint32_t i = 0; i < 2 && status == FGPU_OK; i++)
        status = fgpu_buffer_create(bench->own, bytes, &buffers[i]);
    if (status == FGPU_OK)
        status = fgpu_buffer_write(buffers[0], NULL, data, 0);
    for (uint32_t i = 0; i < OWN_LINKS && status == FGPU_OK; i++) {
        struct transfer_launch launch = {.kernel = bench->steps,
                                         .args = {fgpu_arg_buffer(buffers[(i + 1) % 2]),
                                                  fgpu_arg_buffer(buffers[i % 2]),
                                                  fgpu_arg_scalar(&one, sizeof one)},
                                         .arg_count = 3,
                                         .items = items};
        status = transfer_launch(bench->own, &launch, NULL);
        for (uint64_t k = 0; k < items; k++)
            expected[k] = transfer_steps(expected[k], (uint32_t)k, one);
    }
    if (status == FGPU_OK)
        status = fgpu_buffer_read(buffers[OWN_LINKS % 2], NULL, data, 0);
    if (status == FGPU_OK && memcmp(data, expected, bytes) != 0)
        bench->result->is_right = false;
    bench->result->bytes_moved = own_moved(bench->own) - before;
    bench->result->bytes_compulsory = 2.0 * (double)bytes;
    (void)fgpu_buffer_destroy(buffers[0]);
    (void)fgpu_buffer_destroy(buffers[1]);
    free(data);
    free(expected);
    return status;
}

/* ---- the pipeline ----------------------------------------------------------------------- */

struct own_pipeline {
    struct transfer_bench *bench;
    fgpu_pool pool;
    fgpu_kernel kernels[3];
    uint64_t chunks, bytes;
    uint32_t *lent, *back; /* all chunks */
    fgpu_buffer *in, *out;
    uint32_t steps;
};

static struct transfer_launch pipeline_steps(struct own_pipeline *pipeline, uint64_t chunk)
{
    return (struct transfer_launch){
        .kernel = pipeline->kernels[2],
        .args = {fgpu_arg_buffer(pipeline->out[chunk]), fgpu_arg_buffer(pipeline->in[chunk]),
                 fgpu_arg_scalar(&pipeline->steps, sizeof pipeline->steps)},
        .arg_count = 3,
        .items = pipeline->bytes / sizeof(uint32_t)};
}

/* Only the host has the inputs. */
static fgpu_status pipeline_refresh(struct own_pipeline *pipeline, uint32_t value)
{
    uint64_t words = pipeline->bytes / sizeof value;
    fgpu_status status = FGPU_OK;

    for (uint64_t c = 0; c < pipeline->chunks && status == FGPU_OK; c++) {
        void *at = NULL;
        status = fgpu_buffer_map(pipeline->in[c], 0, pipeline->bytes, FGPU_WRITE, &at);
        if (status != FGPU_OK)
            return status;
        for (uint64_t i = 0; i < words; i++)
            ((uint32_t *)at)[i] = value + (uint32_t)(c * words + i);
        status = fgpu_buffer_unmap(pipeline->in[c], at);
    }
    return status;
}

enum pipeline_stage { PIPELINE_IN = 1, PIPELINE_KERNEL = 2, PIPELINE_OUT = 4 };

/* Chunk after chunk through the stages, and the wait for all. */
static fgpu_status pipeline_run(struct own_pipeline *pipeline, uint32_t stages, double *ns)
{
    uint64_t words = pipeline->bytes / sizeof(uint32_t), start_ns = figures_wall_ns();
    fgpu_status status = FGPU_OK;

    for (uint64_t c = 0; c < pipeline->chunks && status == FGPU_OK; c++) {
        struct transfer_launch in = {.kernel = pipeline->kernels[0],
                                     .args = {fgpu_arg_buffer(pipeline->in[c])},
                                     .arg_count = 1,
                                     .items = 1};
        struct transfer_launch steps = pipeline_steps(pipeline, c);
        if (stages & PIPELINE_KERNEL)
            status = transfer_launch(pipeline->pool, &steps, NULL);
        else if (stages & PIPELINE_IN)
            status = transfer_launch(pipeline->pool, &in, NULL);
        if (status == FGPU_OK && (stages & PIPELINE_OUT))
            status =
                fgpu_buffer_read_async(pipeline->out[c], NULL, pipeline->back + c * words, 0, NULL);
    }
    fgpu_status ended = waiting_pool(pipeline->pool, FGPU_FOREVER, pipeline->bench->options->stop);
    *ns = (double)(figures_wall_ns() - start_ns);
    return status == FGPU_OK ? ended : status;
}

static fgpu_status pipeline_make(struct own_pipeline *pipeline)
{
    uint64_t all = pipeline->chunks * pipeline->bytes;
    fgpu_status status = own_kernels(pipeline->pool, pipeline->kernels);

    pipeline->lent = calloc(1, all);
    pipeline->back = calloc(1, all);
    pipeline->in = calloc(pipeline->chunks, sizeof *pipeline->in);
    pipeline->out = calloc(pipeline->chunks, sizeof *pipeline->out);
    if (!pipeline->lent || !pipeline->back || !pipeline->in || !pipeline->out)
        return FGPU_E_NOMEM;
    for (uint64_t c = 0; c < pipeline->chunks && status == FGPU_OK; c++) {
        status =
            fgpu_buffer_create_from(pipeline->pool, (char *)pipeline->lent + c * pipeline->bytes,
                                    pipeline->bytes, &pipeline->in[c]);
        if (status == FGPU_OK)
            status = fgpu_buffer_create(pipeline->pool, pipeline->bytes, &pipeline->out[c]);
    }
    return status;
}

static void pipeline_check(struct own_pipeline *pipeline, uint32_t value)
{
    uint64_t words = pipeline->bytes / sizeof value;

    for (uint64_t i = 0; i < pipeline->chunks * words; i++)
        if (pipeline->back[i] !=
            transfer_steps(value + (uint32_t)i, (uint32_t)(i % words), pipeline->steps))
            pipeline->bench->result->is_right = false;
}

/* The stages alone, with what they need in place, and then all of it. */
static fgpu_status pipeline_round(struct own_pipeline *pipeline, uint32_t round, double *ns)
{
    uint32_t value = 1000 * round;
    double unmeasured;
    fgpu_status status = pipeline_refresh(pipeline, value);

    if (status == FGPU_OK)
        status = pipeline_run(pipeline, PIPELINE_IN, &ns[0]);
    if (status == FGPU_OK && round == 0) /* the kernel is compiled */
        status = pipeline_run(pipeline, PIPELINE_KERNEL, &unmeasured);
    if (status == FGPU_OK)
        status = pipeline_run(pipeline, PIPELINE_KERNEL, &ns[1]);
    if (status == FGPU_OK)
        status = pipeline_run(pipeline, PIPELINE_OUT, &ns[2]);
    if (status == FGPU_OK)
        status = pipeline_refresh(pipeline, value + 1);
    double before = own_moved(pipeline->pool);
    if (status == FGPU_OK)
        status = pipeline_run(pipeline, PIPELINE_IN | PIPELINE_KERNEL | PIPELINE_OUT, &ns[3]);
    pipeline->bench->result->pipeline.bytes_moved = own_moved(pipeline->pool) - before;
    if (status == FGPU_OK)
        pipeline_check(pipeline, value + 1);
    return status;
}

static void pipeline_free(struct own_pipeline *pipeline)
{
    for (uint64_t c = 0; c < pipeline->chunks && pipeline->in && pipeline->out; c++) {
        (void)fgpu_buffer_destroy(pipeline->in[c]);
        (void)fgpu_buffer_destroy(pipeline->out[c]);
    }
    (void)fgpu_pool_wait(pipeline->pool, FGPU_FOREVER);
    free(pipeline->lent);
    free(pipeline->back);
    free(pipeline->in);
    free(pipeline->out);
}

fgpu_status transfer_run_pipeline(struct transfer_bench *bench, fgpu_pool paced)
{
    struct transfer_pipeline *result = &bench->result->pipeline;
    struct own_pipeline pipeline = {.bench = bench,
                                    .pool = paced,
                                    .chunks = bench->options->chunks,
                                    .bytes = bench->options->chunk_bytes,
                                    .steps = OWN_STEPS};
    double ns[4], series[5][TRANSFER_ROUNDS_LIMIT];
    uint64_t rounds = bench->options->rounds;
    fgpu_status status = pipeline_make(&pipeline);

    for (uint32_t round = 0; round < rounds && status == FGPU_OK; round++) {
        status = pipeline_round(&pipeline, round, ns);
        double longest = ns[0] > ns[1] ? ns[0] : ns[1];
        longest = longest > ns[2] ? longest : ns[2];
        for (uint32_t i = 0; i < 4; i++)
            series[i][round] = ns[i];
        series[4][round] = ns[3] / longest;
    }
    pipeline_free(&pipeline);
    if (status != FGPU_OK)
        return waiting_is_stopped(bench->options->stop) ? FGPU_E_CANCELLED : status;
    result->is_known = true;
    result->in_ns = figures_median(series[0], rounds);
    result->kernel_ns = figures_median(series[1], rounds);
    result->out_ns = figures_median(series[2], rounds);
    result->wall_ns = figures_median(series[3], rounds);
    result->over_longest = figures_median(series[4], rounds);
    result->bytes_compulsory = 2.0 * (double)(pipeline.chunks * pipeline.bytes);
    return FGPU_OK;
}
