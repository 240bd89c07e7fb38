/* Set-up of the index stack and taking several at once. Method in base/freelist.h. */
#include "base/freelist.h"

#include "base/limits.h"

static size_t freelist_bytes(uint32_t capacity)
{
    return (capacity > 0 ? capacity : 1) * sizeof(_Atomic uint32_t);
}

fgpu_status freelist_init_with(struct freelist *list, uint32_t capacity,
                               const struct alloc_hooks *hooks)
{
    FGPU_ASSERT(capacity < FREELIST_NONE);
    list->capacity = capacity;
    list->hooks = hooks;
    atomic_store_relaxed_u64(&list->head, FREELIST_NONE);
    /* Not zeroed on purpose: a link is written before it is read, and untouched pages cost nothing.
     */
    list->next = alloc_get(hooks, freelist_bytes(capacity), LIMITS_CACHE_LINE);
    return list->next != NULL ? FGPU_OK : FGPU_E_NOMEM;
}

fgpu_status freelist_init(struct freelist *list, uint32_t capacity)
{
    return freelist_init_with(list, capacity, NULL);
}

void freelist_fini(struct freelist *list)
{
    if (list == NULL)
        return;
    alloc_put(list->hooks, (void *)list->next, freelist_bytes(list->capacity));
    list->next = NULL;
}

uint32_t freelist_pop_n(struct freelist *list, uint32_t *out, uint32_t n)
{
    uint64_t head = atomic_load_acquire_u64(&list->head);
    for (;;) {
        uint32_t index = (uint32_t)head, count = 0;
        /* Links may change under this walk; an unchanged tag at the end proves that none did. A
         * link that another thread has not written yet may hold anything. */
        while (index < list->capacity && count < n) {
            out[count++] = index;
            index = atomic_load_relaxed_u32(&list->next[index]);
        }
        if (index >= list->capacity && index != FREELIST_NONE) {
            head = atomic_load_acquire_u64(&list->head);
            continue;
        }
        if (count == 0)
            return 0;
        if (atomic_cas_weak_acqrel_u64(&list->head, &head, freelist_head_after(head, index)))
            return count;
    }
}
