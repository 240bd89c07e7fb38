/* Large copies against memcpy, and mappings of all sizes: see bench_transfer.h.
 *
 * In each round every way copies once, in turn, so that whatever else the machine does meets all of
 * them alike. All memory was touched before.
 */
#include "cli/bench/bench_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"
#include "cli/common/waiting.h"

#define COPY_LEAST (UINT64_C(16) << 20)
#define COPY_STEP 4u
#define MAP_LEAST (UINT64_C(4) << 10)
#define MAP_STEP 16u
#define MAP_TRIPS 200u /* of a round */

struct copy_bench {
    struct transfer_bench *bench;
    uint64_t bytes;
    unsigned char *a, *b;     /* plain memory */
    unsigned char *lent;      /* what `own` lies over */
    fgpu_buffer first, other; /* of the host's pool */
    fgpu_buffer own;          /* of the other pool */
    double ns[TRANSFER_WAYS][TRANSFER_ROUNDS_LIMIT];
    double ratio[TRANSFER_WAYS][TRANSFER_ROUNDS_LIMIT];
};

static bool copy_has(const struct copy_bench *copy, enum transfer_way way)
{
    const struct transfer_bench *bench = copy->bench;

    switch (way) {
    case TRANSFER_MEMCPY:
        return true;
    case TRANSFER_WRITE:
    case TRANSFER_READ:
    case TRANSFER_COPY:
        return bench->host.bits != 0;
    case TRANSFER_IN:
    case TRANSFER_OUT:
        return bench->own.bits != 0;
    default:
        return bench->raw != NULL;
    }
}

static void copy_memcpy(struct copy_bench *copy)
{
    (void)memcpy(copy->b, copy->a, copy->bytes);
    __asm__ volatile("" : : "r"(copy->b) : "memory"); /* somebody may look at it */
}

/* The kernel that asks for the data does next to nothing. */
static fgpu_status copy_in(struct copy_bench *copy, uint64_t *start_ns)
{
    struct transfer_bench *bench = copy->bench;
    struct transfer_launch launch = {
        .kernel = bench->touch, .args = {fgpu_arg_buffer(copy->own)}, .arg_count = 1, .items = 1};
    void *at = NULL;
    /* Only the host has it. */
    fgpu_status status = fgpu_buffer_map(copy->own, 0, copy->bytes, FGPU_READ_WRITE, &at);

    if (status != FGPU_OK)
        return status;
    status = fgpu_buffer_unmap(copy->own, at);
    *start_ns = figures_wall_ns();
    return status == FGPU_OK ? transfer_launch_wait(bench->own, &launch) : status;
}

static fgpu_status copy_out(struct copy_bench *copy, uint64_t *start_ns)
{
    struct transfer_bench *bench = copy->bench;
    struct transfer_launch launch = {
        .kernel = bench->mark, .args = {fgpu_arg_buffer(copy->own)}, .arg_count = 1, .items = 1};
    void *at = NULL;
    /* Only the device has it. */
    fgpu_status status = transfer_launch_wait(bench->own, &launch);

    *start_ns = figures_wall_ns();
    if (status == FGPU_OK)
        status = fgpu_buffer_map(copy->own, 0, copy->bytes, FGPU_READ, &at);
    return status == FGPU_OK ? fgpu_buffer_unmap(copy->own, at) : status;
}

static fgpu_status copy_once(struct copy_bench *copy, enum transfer_way way, double *ns)
{
    struct transfer_raw *raw = copy->bench->raw;
    uint64_t start_ns = figures_wall_ns();
    fgpu_status status = FGPU_OK;

    switch (way) {
    case TRANSFER_WRITE:
        status = fgpu_buffer_write(copy->first, NULL, copy->a, 0);
        break;
    case TRANSFER_READ:
        status = fgpu_buffer_read(copy->first, NULL, copy->b, 0);
        break;
    case TRANSFER_COPY:
        status = fgpu_buffer_copy(copy->other, NULL, copy->first, NULL);
        break;
    case TRANSFER_IN:
        status = copy_in(copy, &start_ns);
        break;
    case TRANSFER_OUT:
        status = copy_out(copy, &start_ns);
        break;
    case TRANSFER_RAW_IN:
        status = transfer_raw_write(raw, 0, copy->bytes, copy->a, true);
        break;
    case TRANSFER_RAW_OUT:
        status = transfer_raw_read(raw, copy->bytes, copy->b);
        break;
    default:
        copy_memcpy(copy);
    }
    *ns = (double)(figures_wall_ns() - start_ns);
    return status;
}

static fgpu_status copy_round(struct copy_bench *copy, uint32_t round)
{
    fgpu_status status = FGPU_OK;

    for (uint32_t turn = 0; turn < TRANSFER_WAYS && status == FGPU_OK; turn++) {
        enum transfer_way way = (enum transfer_way)((round + turn) % TRANSFER_WAYS);
        if (waiting_is_stopped(copy->bench->options->stop))
            return FGPU_E_CANCELLED;
        if (copy_has(copy, way))
            status = copy_once(copy, way, &copy->ns[way][round]);
    }
    for (uint32_t way = 0; way < TRANSFER_WAYS; way++)
        copy->ratio[way][round] = copy->ns[TRANSFER_MEMCPY][round] / copy->ns[way][round];
    return status;
}

static fgpu_status copy_make(struct copy_bench *copy)
{
    struct transfer_bench *bench = copy->bench;
    fgpu_status status = FGPU_OK;

    copy->a = malloc(copy->bytes);
    copy->b = malloc(copy->bytes);
    copy->lent = malloc(copy->bytes);
    if (!copy->a || !copy->b || !copy->lent)
        return FGPU_E_NOMEM;
    (void)memset(copy->a, 1, copy->bytes);
    (void)memset(copy->b, 2, copy->bytes);
    (void)memset(copy->lent, 3, copy->bytes);
    if (bench->host.bits != 0)
        status = fgpu_buffer_create(bench->host, copy->bytes, &copy->first);
    if (status == FGPU_OK && bench->host.bits != 0)
        status = fgpu_buffer_create(bench->host, copy->bytes, &copy->other);
    if (status == FGPU_OK && bench->own.bits != 0)
        status = fgpu_buffer_create_from(bench->own, copy->lent, copy->bytes, &copy->own);
    return status;
}

static fgpu_status copy_free(struct copy_bench *copy)
{
    (void)fgpu_buffer_destroy(copy->first);
    (void)fgpu_buffer_destroy(copy->other);
    (void)fgpu_buffer_destroy(copy->own);
    fgpu_status status = FGPU_OK;
    if (copy->own.bits != 0) /* the caller's memory is his again */
        status = fgpu_pool_wait(copy->bench->own, FGPU_FOREVER);
    free(copy->a);
    free(copy->b);
    free(copy->lent);
    free(copy);
    return status;
}

static fgpu_status copy_size(struct transfer_bench *bench, uint64_t bytes,
                             struct transfer_copy *result)
{
    struct copy_bench *copy = calloc(1, sizeof *copy);

    if (!copy)
        return FGPU_E_NOMEM;
    copy->bench = bench;
    copy->bytes = result->bytes = bytes;
    fgpu_status status = copy_make(copy);
    if (status == FGPU_OK)
        status = copy_round(copy, 0); /* warms up */
    for (uint32_t round = 0; round < bench->options->rounds && status == FGPU_OK; round++)
        status = copy_round(copy, round);
    for (uint32_t way = 0; way < TRANSFER_WAYS && status == FGPU_OK; way++) {
        result->has[way] = copy_has(copy, (enum transfer_way)way);
        result->ns[way] = figures_median(copy->ns[way], bench->options->rounds);
        result->ratio[way] = figures_median(copy->ratio[way], bench->options->rounds);
    }
    fgpu_status ended = copy_free(copy);
    return status == FGPU_OK ? ended : status;
}

fgpu_status transfer_run_copies(struct transfer_bench *bench)
{
    struct transfer_result *result = bench->result;
    fgpu_status status = FGPU_OK;

    for (uint64_t bytes = COPY_LEAST; bytes <= bench->options->largest_bytes &&
                                      result->copy_count < TRANSFER_SIZES && status == FGPU_OK;
         bytes *= COPY_STEP) {
        status = copy_size(bench, bytes, &result->copies[result->copy_count]);
        result->copy_count += status == FGPU_OK;
    }
    return status;
}

/* ---- mappings --------------------------------------------------------------------------- */

static fgpu_status map_once(fgpu_buffer buffer, uint64_t bytes)
{
    void *at = NULL;
    fgpu_status status = fgpu_buffer_map(buffer, 0, bytes, FGPU_READ_WRITE, &at);

    return status == FGPU_OK ? fgpu_buffer_unmap(buffer, at) : status;
}

static fgpu_status map_round(struct transfer_bench *bench, fgpu_buffer buffer, uint64_t bytes,
                             double *ns, double *raw_ns)
{
    fgpu_status status = FGPU_OK;
    uint64_t start_ns = figures_wall_ns();

    for (uint32_t i = 0; i < MAP_TRIPS && status == FGPU_OK; i++)
        status = map_once(buffer, bytes);
    *ns = (double)(figures_wall_ns() - start_ns) / MAP_TRIPS;
    start_ns = figures_wall_ns();
    for (uint32_t i = 0; i < MAP_TRIPS && status == FGPU_OK && bench->raw; i++)
        status = transfer_raw_map(bench->raw, bytes);
    *raw_ns = (double)(figures_wall_ns() - start_ns) / MAP_TRIPS;
    return status;
}

static fgpu_status map_size(struct transfer_bench *bench, uint64_t bytes,
                            struct transfer_map *result)
{
    double ns[TRANSFER_ROUNDS_LIMIT], raw_ns[TRANSFER_ROUNDS_LIMIT];
    uint32_t zero = 0;
    fgpu_buffer buffer;
    fgpu_status status = fgpu_buffer_create(bench->host, bytes, &buffer);

    if (status != FGPU_OK)
        return status;
    status = fgpu_buffer_fill(buffer, NULL, &zero, sizeof zero);
    for (uint32_t round = 0; round < bench->options->rounds && status == FGPU_OK; round++)
        status = waiting_is_stopped(bench->options->stop)
                     ? FGPU_E_CANCELLED
                     : map_round(bench, buffer, bytes, &ns[round], &raw_ns[round]);
    (void)fgpu_buffer_destroy(buffer);
    if (status != FGPU_OK)
        return status;
    *result = (struct transfer_map){.bytes = bytes,
                                    .ns = figures_median(ns, bench->options->rounds),
                                    .has_raw = bench->raw != NULL,
                                    .raw_ns = figures_median(raw_ns, bench->options->rounds)};
    return FGPU_OK;
}

/* The size after that; the largest is one of them, and the last. */
static uint64_t map_next(uint64_t bytes, uint64_t largest)
{
    if (bytes >= largest)
        return UINT64_MAX;
    return bytes * MAP_STEP < largest ? bytes * MAP_STEP : largest;
}

fgpu_status transfer_run_maps(struct transfer_bench *bench)
{
    struct transfer_result *result = bench->result;
    uint64_t largest = bench->options->largest_bytes;
    fgpu_status status = FGPU_OK;

    for (uint64_t bytes = MAP_LEAST; bytes <= largest && result->map_count < TRANSFER_SIZES &&
                                     status == FGPU_OK && bench->host.bits != 0;
         bytes = map_next(bytes, largest)) {
        status = map_size(bench, bytes, &result->maps[result->map_count]);
        result->map_count += status == FGPU_OK;
    }
    return status;
}
