/* An allocator that fails when it is told to and knows what is still out.
 *
 * For tests of FGPU_E_NOMEM paths and of leaks: give `hooks` to the object, set `left`, look at
 * `live_count` afterwards. One thread.
 */
#ifndef FASTGPU_TESTS_LIB_POOR_ALLOC_H
#define FASTGPU_TESTS_LIB_POOR_ALLOC_H

#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"

struct poor_alloc {
    struct alloc_hooks hooks;
    long left; /* allocations until the first failure; negative: never */
    long live_count;
    size_t live_bytes;
};

static inline void *poor_alloc_take(void *user, size_t bytes, size_t align)
{
    struct poor_alloc *poor = user;
    if (poor->left == 0)
        return NULL;
    if (poor->left > 0)
        poor->left--;
    void *ptr = aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
    if (ptr == NULL)
        return NULL;
    /* Whoever trusts fresh memory to be zero shall notice; large blocks keep their lazy pages. */
    memset(ptr, 0xa5, bytes < 65536 ? bytes : 65536);
    poor->live_count++;
    poor->live_bytes += bytes;
    return ptr;
}

static inline void poor_alloc_give(void *user, void *ptr, size_t bytes)
{
    struct poor_alloc *poor = user;
    poor->live_count--;
    poor->live_bytes -= bytes;
    free(ptr);
}

static inline void poor_alloc_init(struct poor_alloc *poor)
{
    *poor = (struct poor_alloc){.left = -1};
    poor->hooks = (struct alloc_hooks){poor_alloc_take, poor_alloc_give, poor};
}

#endif
