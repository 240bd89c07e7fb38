/* Handles, regions and access modes: the words that every other header uses.
 *
 * A handle is a 64-bit value with a generation, passed by value. It is never a pointer: a stale,
 * foreign or invented handle is an error (FGPU_E_STALE, FGPU_E_FOREIGN, FGPU_E_HANDLE), not a
 * crash. The zero handle means "none".
 */
#ifndef FASTGPU_TYPES_H
#define FASTGPU_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/export.h>
#include <fastgpu/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fgpu_pool {
    uint64_t bits;
} fgpu_pool;
typedef struct fgpu_device {
    uint64_t bits;
} fgpu_device;
typedef struct fgpu_buffer {
    uint64_t bits;
} fgpu_buffer;
typedef struct fgpu_kernel {
    uint64_t bits;
} fgpu_kernel;
typedef struct fgpu_task {
    uint64_t bits;
} fgpu_task;
typedef struct fgpu_tenant {
    uint64_t bits;
} fgpu_tenant;
typedef struct fgpu_graph {
    uint64_t bits;
} fgpu_graph;
typedef struct fgpu_graph_exec {
    uint64_t bits;
} fgpu_graph_exec;

/* What a task does to a range of a buffer. WRITE promises that every byte of the range is
 * overwritten, so that its old contents are neither waited for by transfers nor moved. */
typedef enum fgpu_access {
    FGPU_ACCESS_DEFAULT = 0, /* as the kernel declares it, or as read from its source */
    FGPU_READ = 1,
    FGPU_WRITE = 2,
    FGPU_READ_WRITE = 3,
    FGPU_REDUCE = 4 /* accumulates: see fastgpu/reduction.h */
} fgpu_access;

/* A 2-D region of a buffer: `rows` rows of `row_bytes` bytes, the first at `offset_bytes`, each
 * `pitch_bytes` after the one before. row_bytes 0 with offset 0 and at most one row means the whole
 * buffer, else it is FGPU_E_INVAL; rows 0 means 1; pitch 0 means row_bytes, and a smaller one than
 * row_bytes is FGPU_E_INVAL. What reaches beyond the buffer is FGPU_E_RANGE. Unit: bytes. */
typedef struct fgpu_region {
    uint64_t offset_bytes;
    uint64_t row_bytes;
    uint64_t pitch_bytes;
    uint64_t rows;
} fgpu_region;

/* The whole buffer. */
static inline fgpu_region fgpu_region_whole(void)
{
    fgpu_region r = {0, 0, 0, 0};
    return r;
}

/* `bytes` contiguous bytes at `offset`. bytes 0 is refused by the calls that take it unless offset
 * is 0 (whole). */
static inline fgpu_region fgpu_region_span(uint64_t offset_bytes, uint64_t bytes)
{
    fgpu_region r = {offset_bytes, bytes, bytes, 1};
    return r;
}

/* `rows` rows of `row_bytes` at distance `pitch_bytes`. */
static inline fgpu_region fgpu_region_rect(uint64_t offset_bytes, uint64_t row_bytes,
                                           uint64_t pitch_bytes, uint64_t rows)
{
    fgpu_region r = {offset_bytes, row_bytes, pitch_bytes, rows};
    return r;
}

/* What `auto` looks for among the schedules that it tries. */
typedef enum fgpu_objective {
    FGPU_OBJECTIVE_MAKESPAN = 0, /* the end of the last task */
    FGPU_OBJECTIVE_LATENCY = 1,  /* the mean time from submission to end; of the tasks with a
                                    priority above 0 where there are such */
    FGPU_OBJECTIVE_ENERGY = 2,   /* joules, idle ones until the end of the last task included */
    FGPU_OBJECTIVE_EDP = 3       /* energy times makespan */
} fgpu_objective;

/* Time-out that never passes, in nanoseconds. */
#define FGPU_FOREVER UINT64_MAX

#ifdef __cplusplus
}
#endif

#endif
