/* Allocations on the card: see mem.h. */
#include "dev/cuda/mem.h"

#include "base/error.h"
#include "base/limits.h"
#include "dev/cuda/device.h"
#include "dev/cuda/text.h"

/* From the pool, once that is done; else plain. The context is current. */
cuda_result cuda_mem_get(const struct cuda_device *device, uint64_t bytes, cuda_ptr *address)
{
    const struct cuda_api *api = device->api;
    cuda_result error;

    if (device->pool == NULL)
        return api->mem_alloc(address, bytes);
    error = api->pool_alloc(address, bytes, device->pool, device->memory);
    if (error != CUDA_SUCCESS)
        return error;
    error = cuda_device_settle(device, device->memory, LIMITS_CUDA_WAIT_NS);
    if (error != CUDA_SUCCESS)
        (void)api->pool_free(*address, device->memory);
    return error;
}

void cuda_mem_put(const struct cuda_device *device, cuda_ptr address)
{
    if (device->pool == NULL)
        (void)device->api->mem_free(address);
    else
        (void)device->api->pool_free(address, device->memory);
}

fgpu_status cuda_mem_alloc(void *opened, uint64_t bytes, fgpu_mem *mem)
{
    struct cuda_device *device = opened;
    uint64_t used = atomic_load_relaxed_u64(&device->memory_used_bytes);
    cuda_ptr address = 0;
    cuda_result error;

    *mem = 0;
    if (bytes == 0)
        return error_set(FGPU_E_INVAL, "cuda: an allocation of 0 bytes");
    if (bytes > device->caps.memory_bytes || used > device->caps.memory_bytes - bytes)
        return error_set(FGPU_E_DEVMEM, "cuda:%u: %llu bytes asked for, %llu of %llu in use",
                         device->index, (unsigned long long)bytes, (unsigned long long)used,
                         (unsigned long long)device->caps.memory_bytes);
    error = cuda_device_enter(device);
    if (error == CUDA_SUCCESS) {
        error = cuda_mem_get(device, bytes, &address);
        if (error == CUDA_SUCCESS && map_put(&device->sizes, address, bytes) != FGPU_OK) {
            cuda_mem_put(device, address);
            cuda_device_leave(device);
            return FGPU_E_NOMEM;
        }
        cuda_device_leave(device);
    }
    if (error != CUDA_SUCCESS)
        return error_set(cuda_text_status(error), "cuda:%u: %llu bytes are refused: %s (%d)",
                         device->index, (unsigned long long)bytes, cuda_text_name(error), error);
    (void)atomic_add_relaxed_u64(&device->memory_used_bytes, bytes);
    *mem = address;
    return FGPU_OK;
}

void cuda_mem_free(void *opened, fgpu_mem mem)
{
    struct cuda_device *device = opened;
    uint64_t bytes = 0;

    if (!map_get(&device->sizes, mem, &bytes))
        return;
    (void)map_del(&device->sizes, mem);
    (void)atomic_sub_relaxed_u64(&device->memory_used_bytes, bytes);
    /* What a queue that never ended may still use is not given back. */
    if (device->leaked || cuda_device_enter(device) != CUDA_SUCCESS)
        return;
    cuda_mem_put(device, mem);
    cuda_device_leave(device);
}

fgpu_status cuda_mem_pin(void *opened, void *memory, uint64_t bytes)
{
    struct cuda_device *device = opened;
    cuda_result error = cuda_device_enter(device);

    if (error == CUDA_SUCCESS) {
        error = device->api->host_register(memory, bytes, CUDA_HOSTREGISTER_PORTABLE);
        cuda_device_leave(device);
    }
    if (error == CUDA_SUCCESS)
        return FGPU_OK;
    return error_set(cuda_text_status(error), "cuda:%u: %llu bytes cannot be pinned: %s (%d)",
                     device->index, (unsigned long long)bytes, cuda_text_name(error), error);
}

fgpu_status cuda_mem_unpin(void *opened, void *memory)
{
    struct cuda_device *device = opened;
    cuda_result error = CUDA_SUCCESS;

    if (device->leaked) /* a queue that never ended may still copy */
        return FGPU_E_DEVICE_LOST;
    error = cuda_device_enter(device);
    if (error == CUDA_SUCCESS) {
        error = device->api->host_unregister(memory);
        cuda_device_leave(device);
    }
    /* Nothing copies in a context that is broken, and it goes with all that is pinned in it. */
    if (error == CUDA_SUCCESS || cuda_text_classify(error) == CUDA_TEXT_DEVICE)
        return FGPU_OK;
    return error_set(FGPU_E_DEVICE, "cuda:%u: memory cannot be unpinned: %s (%d)", device->index,
                     cuda_text_name(error), error);
}
