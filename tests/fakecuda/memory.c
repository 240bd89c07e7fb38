/* Memory of the fake driver: host memory with a list of what is whose. */
#include <stdlib.h>
#include <string.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"

struct block {
    uint64_t address, bytes;
    enum fake_memory kind;
    bool pooled;
    struct block *next;
    bool registered; /* the caller's memory */
};

static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *memory_blocks;
static uint64_t memory_used; /* of the card */
static uint64_t memory_kept; /* by the card's pool, for nobody */

enum fake_memory fake_where(uint64_t address, uint64_t bytes)
{
    enum fake_memory found = FAKE_NOWHERE;

    pthread_mutex_lock(&memory_lock);
    for (struct block *b = memory_blocks; b != NULL; b = b->next)
        if (address >= b->address && bytes <= b->bytes && address - b->address <= b->bytes - bytes)
            found = b->kind;
    pthread_mutex_unlock(&memory_lock);
    return found;
}

static int memory_get(uint64_t *address, uint64_t bytes, enum fake_memory kind, bool pooled)
{
    struct block *block = calloc(1, sizeof *block);
    void *memory = NULL;
    bool fits = bytes != 0;

    pthread_mutex_lock(&memory_lock);
    if (kind == FAKE_DEVICE && (uint64_t)fake_get(FAKE_memory) - memory_used < bytes)
        fits = false;
    if (fits)
        memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (memory != NULL) {
        memset(memory, 0xa5, bytes);
        *block =
            (struct block){(uint64_t)(uintptr_t)memory, bytes, kind, pooled, memory_blocks, false};
        memory_blocks = block;
        memory_used += kind == FAKE_DEVICE ? bytes : 0;
        *address = block->address;
    } else {
        free(block);
    }
    pthread_mutex_unlock(&memory_lock);
    return memory != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static int memory_put(uint64_t address, enum fake_memory kind, bool pooled)
{
    int error = CUDA_ERROR_INVALID_VALUE;

    pthread_mutex_lock(&memory_lock);
    for (struct block **link = &memory_blocks; *link != NULL; link = &(*link)->next) {
        struct block *block = *link;
        if (block->address != address || block->kind != kind || block->pooled != pooled ||
            block->registered)
            continue;
        *link = block->next;
        memory_used -= kind == FAKE_DEVICE ? block->bytes : 0;
        memory_kept += pooled ? block->bytes : 0;
        free((void *)(uintptr_t)block->address);
        free(block);
        error = CUDA_SUCCESS;
        break;
    }
    pthread_mutex_unlock(&memory_lock);
    return error;
}

/* Allocations that live. */
FAKE(int, fakecuda_blocks, (void))
{
    int count = 0;

    pthread_mutex_lock(&memory_lock);
    for (struct block *b = memory_blocks; b != NULL; b = b->next)
        count++;
    pthread_mutex_unlock(&memory_lock);
    return count;
}

static int memory_fault(void)
{
    int once = fake_take(FAKE_alloc_error_once);

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (once != 0)
        return once;
    return fake_broken() != 0 ? fake_broken() : (int)fake_get(FAKE_alloc_error);
}

FAKE(int, cuMemAlloc_v2, (uint64_t * address, size_t bytes))
{
    int fault = memory_fault();

    return fault != 0 ? fault : memory_get(address, bytes, FAKE_DEVICE, false);
}

FAKE(int, cuMemFree_v2, (uint64_t address))
{
    return fake_current() ? memory_put(address, FAKE_DEVICE, false) : CUDA_ERROR_INVALID_CONTEXT;
}

FAKE(int, cuDeviceGetDefaultMemPool, (void **pool, int device))
{
    *pool = (void *)(uintptr_t)(0x2000 + device);
    return fake_get(FAKE_pools) != 0 ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
}

FAKE(int, cuMemAllocFromPoolAsync, (uint64_t * address, size_t bytes, void *pool, void *stream))
{
    int fault = memory_fault();

    if (pool == NULL || stream == NULL)
        return CUDA_ERROR_INVALID_VALUE;
    return fault != 0 ? fault : memory_get(address, bytes, FAKE_DEVICE, true);
}

FAKE(int, cuMemFreeAsync, (uint64_t address, void *stream))
{
    return stream != NULL ? memory_put(address, FAKE_DEVICE, true) : CUDA_ERROR_INVALID_VALUE;
}

FAKE(int, cuMemPoolTrimTo, (void *pool, size_t keep))
{
    pthread_mutex_lock(&memory_lock);
    if (memory_kept > keep)
        memory_kept = keep;
    pthread_mutex_unlock(&memory_lock);
    return pool != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE(long, fakecuda_kept, (void))
{
    return (long)memory_kept;
}

FAKE(int, cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))
{
    uint64_t address = 0;
    int error = (int)fake_get(FAKE_host_alloc_error);

    (void)flags;
    fake_wait_all();
    if (error == 0)
        error = memory_get(&address, bytes, FAKE_HOST, false);
    *memory = (void *)(uintptr_t)address;
    return error;
}

/* Keeps the memory's place only: it is the caller's. Overlaps are refused. */
FAKE(int, cuMemHostRegister_v2, (void *memory, size_t bytes, unsigned flags))
{
    uint64_t address = (uint64_t)(uintptr_t)memory;
    struct block *block = calloc(1, sizeof *block);
    int error = fake_broken();

    if (!fake_current())
        error = CUDA_ERROR_INVALID_CONTEXT;
    if (error == 0)
        error = bytes == 0 || flags != 1 ? CUDA_ERROR_INVALID_VALUE
                                         : (int)fake_get(FAKE_register_error);
    pthread_mutex_lock(&memory_lock);
    for (const struct block *b = memory_blocks; error == 0 && b != NULL; b = b->next)
        if (b->kind == FAKE_HOST && address < b->address + b->bytes && b->address < address + bytes)
            error = CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    if (error == 0) {
        *block = (struct block){address, bytes, FAKE_HOST, false, memory_blocks, true};
        memory_blocks = block;
        block = NULL;
        (void)atomic_fetch_add(&fake_settings[FAKE_registered], 1);
    }
    pthread_mutex_unlock(&memory_lock);
    free(block);
    return error;
}

FAKE(int, cuMemHostUnregister, (void *memory))
{
    int error = CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;

    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (fake_broken() != 0)
        return fake_broken();
    pthread_mutex_lock(&memory_lock);
    for (struct block **link = &memory_blocks; *link != NULL; link = &(*link)->next) {
        struct block *block = *link;
        if (block->address != (uint64_t)(uintptr_t)memory || !block->registered)
            continue;
        *link = block->next;
        free(block);
        error = CUDA_SUCCESS;
        break;
    }
    pthread_mutex_unlock(&memory_lock);
    return error;
}

/* What is pinned in a context goes with it. */
void fake_unpin_all(void)
{
    pthread_mutex_lock(&memory_lock);
    for (struct block **link = &memory_blocks; *link != NULL;) {
        struct block *block = *link;
        if (!block->registered) {
            link = &block->next;
            continue;
        }
        *link = block->next;
        free(block);
    }
    pthread_mutex_unlock(&memory_lock);
}

FAKE(int, cuMemFreeHost, (void *memory))
{
    return memory_put((uint64_t)(uintptr_t)memory, FAKE_HOST, false);
}

FAKE(int, cuPointerGetAttribute, (void *value, int which, uint64_t address))
{
    enum fake_memory where = fake_where(address, 1);

    if (where == FAKE_NOWHERE && fake_get(FAKE_pin_after) == 1)
        where = FAKE_HOST;
    else if (where == FAKE_NOWHERE && fake_get(FAKE_pin_after) > 1)
        (void)atomic_fetch_sub(&fake_settings[FAKE_pin_after], 1);
    if (!fake_current())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (which != 2 || where == FAKE_NOWHERE)
        return CUDA_ERROR_INVALID_VALUE;
    *(unsigned *)value = where == FAKE_HOST ? 1 : 2;
    return CUDA_SUCCESS;
}
