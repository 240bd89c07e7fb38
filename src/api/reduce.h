/* Tasks that reduce: FGPU_REDUCE becomes ordinary tasks before the walk begins.
 *
 * The engine knows nothing of reductions. Here, where tasks are submitted, an argument that reduces
 * is turned to an array of its own (a "part"), which a fill has set to the operator's identity; the
 * first submission that touches the buffer in another way is preceded by tasks that combine the
 * parts with it. See docs/decisions/018-reduce-arguments.md. Thread: any.
 */
#ifndef FASTGPU_API_REDUCE_H
#define FASTGPU_API_REDUCE_H

#include "api/lookup.h"

#define REDUCE_OPS 8      /* fgpu_reduction_op, 0 unused, without KERNEL */
#define REDUCE_ELEMENTS 7 /* fgpu_element, 0 unused */

/* One array that tasks accumulate into. */
struct reduce_part {
    uint32_t buffer; /* slot */
    uint32_t live;
    uint64_t begin, end; /* the bytes that have been set to the identity */
};

/* A buffer with a reduction. Its parts and counts are those since it was last combined. */
struct reduction {
    uint64_t key; /* reduce_key */
    uint32_t kernel;
    uint32_t element_bytes;
    uint8_t identity[16];
    uint32_t part_limit;
    uint64_t joined;  /* tasks */
    struct vec parts; /* struct reduce_part */
};

struct reduces {
    _Atomic uint32_t declared; /* buffers that have a reduction */
    _Atomic uint32_t gone;     /* buffers were destroyed since the last look */
    _Atomic uint32_t waiting;  /* the lock's holder waits for a task to end */
    struct lock lock;
    struct map by_buffer; /* reduce_key -> struct reduction * */
    fgpu_kernel kernels[REDUCE_OPS][REDUCE_ELEMENTS];
};

static inline uint64_t reduce_key(uint32_t slot, uint32_t live)
{
    return (uint64_t)(live & HANDLE_GENERATION_MASK) << 32 | slot;
}

fgpu_status reduce_init(struct pool *pool);
/* Nobody uses the pool any more. */
void reduce_fini(struct pool *pool);

/* Takes the lock; FGPU_E_AGAIN with a text where its holder waits for something that may need the
 * calling thread (which is inside a task or a callback). */
fgpu_status reduce_enter(struct reduces *reduces, const char *who);
void reduce_leave(struct reduces *reduces);

/* Under the lock. The buffer's reduction, or NULL. */
struct reduction *reduce_find(const struct reduces *reduces, uint64_t key);

/* Under the lock. Combines what has been accumulated; what a failure leaves is still pending. */
fgpu_status reduce_combine(struct pool *pool, struct reduction *reduction);

/* Under the lock. Gives everything of a reduction back; drop: of one that its buffer had. */
void reduce_discard(struct pool *pool, struct reduction *reduction);
void reduce_drop(struct pool *pool, struct reduction *reduction);

/* An argument with mode FGPU_REDUCE fits its buffer's reduction, or an error. */
fgpu_status reduce_check(struct pool *pool, const struct submit_arg *arg, uint32_t number,
                         const char *who);

/* A buffer has been destroyed: if it had a reduction, that goes, now or soon. */
void reduce_buffer_gone(struct pool *pool);

fgpu_status reduce_submit_slow(struct pool *pool, const struct submit_request *request,
                               uint32_t *index, uint32_t *generation);

/* Has any buffer of the pool a reduction? */
static inline bool reduce_any(const struct pool *pool)
{
    return atomic_load_relaxed_u32(&pool->reduces->declared) != 0;
}

/* driver_submit for requests whose arguments may reduce or touch what is being reduced. */
static inline fgpu_status reduce_submit(struct pool *pool, const struct submit_request *request,
                                        uint32_t *index, uint32_t *generation)
{
    if (__builtin_expect(!reduce_any(pool), 1))
        return driver_submit(pool->driver, request, index, generation);
    return reduce_submit_slow(pool, request, index, generation);
}

/* reduce_ops.c: the library's kernel (into, from) for an operator and an element, made at first
 * use. Under the lock. Errors with a text. */
fgpu_status reduce_kernel(struct pool *pool, uint32_t op, uint32_t element, fgpu_kernel *kernel);
/* Bytes of an element; writes the operator's identity 16 / bytes times. 0: no such pair. */
uint32_t reduce_identity(uint32_t op, uint32_t element, uint8_t identity[16]);

#endif
