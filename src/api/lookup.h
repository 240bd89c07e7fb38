/* Handles become objects, or clear errors. Every public function begins here.
 *
 * A pool lives in one of LIMITS_POOLS places, whose number is part of every handle of the pool.
 * Generations are compared before anything is touched, so that stale, foreign and invented handles
 * are told apart without a crash. Thread: any.
 */
#ifndef FASTGPU_API_LOOKUP_H
#define FASTGPU_API_LOOKUP_H

#include <fastgpu/fastgpu.h>

#include "base/error.h"
#include "base/handle.h"
#include "base/lock.h"
#include "run/driver.h"

struct graph;
struct reduces;
struct graph_exec;

#define LOOKUP_OWN 8u    /* doors that belong to one thread each: the first ones that came */
#define LOOKUP_SHARED 8u /* ... and those of all others; a power of two */
#define LOOKUP_DOORS (LOOKUP_OWN + LOOKUP_SHARED)

/* Calls that came in through one of the doors and have not left. Threads keep to one door each, so
 * that they do not count in the same cache line, and one that nobody else uses is counted at
 * without atomic operations (base/barrier.h). */
struct lookup_door {
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t guests;
};

struct pool {
    _Atomic uint32_t live;    /* generation of the pool here now; odd while it is open */
    _Atomic uint32_t closing; /* nothing new is started; stays set while the place is empty */
    bool taken;               /* a pool is being made, open or closed here (lookup_lock) */
    uint32_t index;
    uint32_t first_generation; /* even: objects of this pool count from here, those of the pools
                                  that were here before are below */
    _Atomic uint32_t forks;    /* lookup_forks() at open: differs in a child */
    struct driver *driver;
    struct lock maps_lock;
    struct vec maps; /* struct map_entry_api */
    struct lock graphs_lock;
    struct table graphs;      /* struct graph */
    struct table execs;       /* struct graph_exec */
    struct reduces *reduces;  /* buffers that tasks reduce into (api/reduce.c) */
    _Atomic uint32_t tenants; /* that there are, the pool's own included; 0: nobody has terms */
    _Atomic uint32_t quotas;  /* of them with a quota */
    struct lookup_door doors[LOOKUP_DOORS]; /* closing waits until nobody is inside */
};

/* A current mapping: what fgpu_buffer_map() returned. */
struct lookup_map {
    uint64_t buffer; /* handle: it may be destroyed by another thread meanwhile */
    uint32_t task;
    void *ptr;
};

/* Takes a free place for a pool; NULL with a text. */
struct pool *lookup_pool_new(void);
void lookup_pool_opened(struct pool *pool);
void lookup_pool_free(struct pool *pool, bool was_open);
/* Nobody is inside the pool, and nobody comes in, for it is closing. */
bool lookup_pool_is_left(const struct pool *pool);
fgpu_pool lookup_pool_handle(const struct pool *pool);

/* A call is a guest of the pool from lookup_pool or lookup_pool_of until its variable goes out of
 * scope; until then the pool is not freed. The variable is NULL or holds what these returned. */
#define LOOKUP_GUEST __attribute__((cleanup(lookup_leave))) struct pool

/* The calling thread's + 1; 0: none yet. Every call asks for it twice: without a function's help.
 */
#define LOOKUP_TLS _Thread_local __attribute__((tls_model("initial-exec")))
extern LOOKUP_TLS uint32_t lookup_door;

static inline void lookup_leave(struct pool **pool)
{
    if (*pool == NULL)
        return;
    _Atomic uint32_t *guests = &(*pool)->doors[lookup_door - 1].guests;
    if (__builtin_expect(lookup_door <= LOOKUP_OWN, 1))
        atomic_store_release_u32(guests, atomic_load_relaxed_u32(guests) - 1);
    else
        (void)atomic_sub_seqcst_u32(guests, 1);
}

/* `who`: the function and argument for the text, for example "fgpu_pool_wait: pool". NULL on
 * failure, with *status and a text. The caller is a guest: see LOOKUP_GUEST. */
struct pool *lookup_pool(fgpu_pool handle, const char *who, fgpu_status *status);
/* The pool of any object's handle, when the handle is of that kind. */
struct pool *lookup_pool_of(uint64_t bits, enum handle_kind kind, const char *who,
                            fgpu_status *status);

/* The object's index. `pool` NULL: any pool; otherwise another pool's handle is FGPU_E_FOREIGN. */
fgpu_status lookup_device(const struct pool *pool, fgpu_device handle, const char *who,
                          uint32_t *index);
fgpu_status lookup_buffer(const struct pool *pool, fgpu_buffer handle, const char *who,
                          uint32_t *index);
fgpu_status lookup_kernel(const struct pool *pool, fgpu_kernel handle, const char *who,
                          uint32_t *index);
fgpu_status lookup_tenant(const struct pool *pool, fgpu_tenant handle, const char *who,
                          uint32_t *index);
/* [out] word: the record's word, read once. *gone: the task has ended well and its record serves
 * another now. */
fgpu_status lookup_task(const struct pool *pool, fgpu_task handle, const char *who, uint32_t *index,
                        uint32_t *word, bool *gone);

static inline fgpu_buffer lookup_buffer_handle(const struct pool *pool, uint32_t index)
{
    const struct buffer *buffer = engine_buffer(&pool->driver->engine, index);
    fgpu_buffer handle = {
        handle_make(HANDLE_BUFFER, pool->index, atomic_load_relaxed_u32(&buffer->live), index)};
    return handle;
}

static inline fgpu_task lookup_task_handle(const struct pool *pool, uint32_t index,
                                           uint32_t generation)
{
    return driver_task_handle(pool->driver, index, generation);
}

/* "task 'name' (1234)": for texts. */
void lookup_task_name(const struct pool *pool, uint32_t index, char *out, size_t out_bytes);

/* FGPU_E_BUSY with a text when the calling thread may not wait on a pool. */
fgpu_status lookup_may_wait(const char *who);

#endif
