/* Pinned memory of guards: see guard.h. One piece for a device, given out by pages; what does not
 * fit is allocated by itself, which may wait for what runs on the card. */
#include "base/error.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/text.h"

#define PINNED_PAGE 4096u

_Static_assert(LIMITS_CUDA_PINNED_PAGES % 64 == 0, "pages are bits of words");

static bool pinned_used(const struct cuda_device *device, uint32_t page)
{
    return (device->pinned_pages[page / 64] >> (page % 64) & 1) != 0;
}

static void pinned_mark(struct cuda_device *device, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++)
        device->pinned_pages[page / 64] ^= UINT64_C(1) << (page % 64);
}

static uint32_t pinned_count(uint64_t bytes)
{
    uint64_t pages = (bytes + PINNED_PAGE - 1) / PINNED_PAGE;

    return pages <= LIMITS_CUDA_PINNED_PAGES ? (uint32_t)pages : LIMITS_CUDA_PINNED_PAGES + 1;
}

fgpu_status cuda_pinned_ready(struct cuda_device *device)
{
    void *memory = NULL;
    cuda_result error = CUDA_SUCCESS;

    lock_acquire(&device->lock);
    memory = device->pinned;
    lock_release(&device->lock);
    if (memory != NULL)
        return FGPU_OK;
    error = device->api->host_alloc(&memory, (size_t)LIMITS_CUDA_PINNED_PAGES * PINNED_PAGE,
                                    CUDA_HOSTALLOC_PORTABLE | CUDA_HOSTALLOC_MAPPED);
    if (error != CUDA_SUCCESS)
        return error_set(cuda_text_status(error), "cuda:%u: no pinned memory for guards: %s (%d)",
                         device->index, cuda_text_name(error), error);
    lock_acquire(&device->lock);
    if (device->pinned == NULL) {
        device->pinned = memory;
        memory = NULL;
    }
    lock_release(&device->lock);
    if (memory != NULL) /* somebody was faster */
        (void)device->api->host_free(memory);
    return FGPU_OK;
}

void *cuda_pinned_get(struct cuda_device *device, uint64_t bytes)
{
    uint32_t wanted = pinned_count(bytes), free_pages = 0;
    void *memory = NULL;

    lock_acquire(&device->lock);
    for (uint32_t page = 0; device->pinned != NULL && page < LIMITS_CUDA_PINNED_PAGES; page++) {
        free_pages = pinned_used(device, page) ? 0 : free_pages + 1;
        if (free_pages < wanted)
            continue;
        pinned_mark(device, page + 1 - wanted, wanted);
        memory = (char *)device->pinned + (size_t)(page + 1 - wanted) * PINNED_PAGE;
        break;
    }
    lock_release(&device->lock);
    if (memory == NULL &&
        device->api->host_alloc(&memory, bytes, CUDA_HOSTALLOC_PORTABLE | CUDA_HOSTALLOC_MAPPED) !=
            CUDA_SUCCESS)
        return NULL;
    return memory;
}

void cuda_pinned_put(struct cuda_device *device, void *memory, uint64_t bytes)
{
    uintptr_t at = (uintptr_t)memory, first;
    bool shared = false;

    if (memory == NULL)
        return;
    lock_acquire(&device->lock);
    first = (uintptr_t)device->pinned;
    shared =
        first != 0 && at >= first && at < first + (uintptr_t)LIMITS_CUDA_PINNED_PAGES * PINNED_PAGE;
    if (shared)
        pinned_mark(device, (uint32_t)((at - first) / PINNED_PAGE), pinned_count(bytes));
    lock_release(&device->lock);
    if (!shared)
        (void)device->api->host_free(memory);
}

void cuda_pinned_fini(struct cuda_device *device)
{
    if (device->pinned != NULL)
        (void)device->api->host_free(device->pinned);
    device->pinned = NULL;
}
