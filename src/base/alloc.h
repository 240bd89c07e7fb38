/* Where memory comes from: the pool's allocator hooks, with a counter that proves "no allocation on
 * the hot path".
 *
 * Every container takes a `const struct alloc_hooks *`, borrowed for its life; NULL means
 * aligned_alloc and free. Thread: any (hooks must be thread-safe). The counters are of the whole
 * process.
 */
#ifndef FASTGPU_BASE_ALLOC_H
#define FASTGPU_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

struct alloc_hooks {
    /* `align` is a power of two; NULL says that there is no memory. */
    void *(*alloc)(void *user, size_t bytes, size_t align);
    /* `bytes` as it was asked for; never called with NULL. */
    void (*free)(void *user, void *ptr, size_t bytes);
    void *user;
};

/* NULL when there is no memory or `bytes` is 0 or absurd; contents undefined. Aligned to at least
 * 16 bytes. */
void *alloc_get(const struct alloc_hooks *hooks, size_t bytes, size_t align);

/* The same, zeroed. */
void *alloc_get_zeroed(const struct alloc_hooks *hooks, size_t bytes, size_t align);

/* Gives it back; `bytes` as asked for. NULL is ignored. */
void alloc_put(const struct alloc_hooks *hooks, void *ptr, size_t bytes);

/* Calls of alloc_get... / alloc_put that reached an allocator since the process started. */
uint64_t alloc_count(void);
uint64_t alloc_free_count(void);

/* Bytes that are out now. */
uint64_t alloc_live_bytes(void);

#endif
