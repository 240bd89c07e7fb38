/* The default allocator and the counters. See base/alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/atomic.h"

static _Atomic uint64_t count_get, count_put, live_bytes;

static void *alloc_default(size_t bytes, size_t align)
{
    /* aligned_alloc wants a multiple of the alignment (ISO C11). */
    return aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
}

void *alloc_get(const struct alloc_hooks *hooks, size_t bytes, size_t align)
{
    size_t real_align = align < 16 ? 16 : align;
    FGPU_DEBUG_ASSERT((align & (align - 1)) == 0);
    if (bytes == 0 || bytes > (size_t)PTRDIFF_MAX - real_align)
        return NULL;
    atomic_add_relaxed_u64(&count_get, 1);
    void *ptr = hooks != NULL ? hooks->alloc(hooks->user, bytes, real_align)
                              : alloc_default(bytes, real_align);
    if (ptr != NULL)
        atomic_add_relaxed_u64(&live_bytes, bytes);
    return ptr;
}

void *alloc_get_zeroed(const struct alloc_hooks *hooks, size_t bytes, size_t align)
{
    void *ptr = alloc_get(hooks, bytes, align);
    if (ptr != NULL)
        memset(ptr, 0, bytes);
    return ptr;
}

void alloc_put(const struct alloc_hooks *hooks, void *ptr, size_t bytes)
{
    if (ptr == NULL)
        return;
    atomic_add_relaxed_u64(&count_put, 1);
    atomic_sub_relaxed_u64(&live_bytes, bytes);
    if (hooks != NULL)
        hooks->free(hooks->user, ptr, bytes);
    else
        free(ptr);
}

uint64_t alloc_count(void)
{
    return atomic_load_relaxed_u64(&count_get);
}

uint64_t alloc_free_count(void)
{
    return atomic_load_relaxed_u64(&count_put);
}

uint64_t alloc_live_bytes(void)
{
    return atomic_load_relaxed_u64(&live_bytes);
}
