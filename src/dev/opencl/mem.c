/* Allocations and views of them: see mem.h. */
#include "dev/opencl/mem.h"

#include <stdlib.h>
#include "base/error.h"
#include "dev/opencl/text.h"

#define MEM_PAGE 4096u
#define MEM_ALIGN 128u /* the largest OpenCL type: long16, double16 */

/* Takes bytes out of the budget; false when it does not hold them. */
static bool mem_reserve(struct ocl_device *device, uint64_t bytes)
{
    uint64_t used = atomic_load_relaxed_u64(&device->memory_used_bytes);

    do {
        if (bytes > device->caps.memory_bytes || used > device->caps.memory_bytes - bytes)
            return false;
    } while (!atomic_cas_weak_acqrel_u64(&device->memory_used_bytes, &used, used + bytes));
    return true;
}

static void mem_unreserve(struct ocl_device *device, uint64_t bytes)
{
    (void)atomic_sub_relaxed_u64(&device->memory_used_bytes, bytes);
}

static fgpu_status mem_alloc_host(struct ocl_device *device, uint64_t bytes, fgpu_mem *mem)
{
    size_t align = bytes >= MEM_PAGE ? MEM_PAGE : MEM_ALIGN;
    uint64_t rounded = (bytes + align - 1) / align * align;
    void *address = NULL;

    if (rounded < bytes)
        return FGPU_E_DEVMEM;
    address = aligned_alloc(align, rounded);
    if (address == NULL)
        return FGPU_E_DEVMEM;
    if (map_put(&device->sizes, (uint64_t)(uintptr_t)address, bytes) != FGPU_OK) {
        free(address);
        return FGPU_E_NOMEM;
    }
    *mem = (fgpu_mem)(uintptr_t)address;
    return FGPU_OK;
}

/* OpenCL may put off the real allocation until the first use, where its failure would cost a
 * command. Moving undefined contents to the device brings it forward. */
static cl_int mem_settle(struct ocl_device *device, cl_mem id)
{
    const struct ocl_api *api = device->api;
    cl_event event = NULL;
    cl_int error = api->clEnqueueMigrateMemObjects(
        device->memory_queue, 1, &id, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, &event);

    if (error != CL_SUCCESS)
        return error;
    error = api->clFlush(device->memory_queue);
    if (error == CL_SUCCESS)
        error = ocl_device_wait(api, event, LIMITS_OPENCL_WAIT_NS);
    (void)api->clReleaseEvent(event);
    return error;
}

static fgpu_status mem_alloc_own(struct ocl_device *device, uint64_t bytes, fgpu_mem *mem)
{
    struct ocl_mem *made = calloc(1, sizeof(*made));
    cl_int error = CL_SUCCESS;

    if (made == NULL)
        return FGPU_E_NOMEM;
    made->whole.id =
        device->api->clCreateBuffer(device->context->id, CL_MEM_READ_WRITE, bytes, NULL, &error);
    if (error == CL_SUCCESS) {
        error = mem_settle(device, made->whole.id);
        if (error != CL_SUCCESS)
            (void)device->api->clReleaseMemObject(made->whole.id);
    }
    if (error != CL_SUCCESS) {
        fgpu_status status = error > 0 ? FGPU_E_DEVICE_LOST : ocl_text_status(error);
        free(made);
        return error_set(status, "opencl:%u: %llu bytes of device memory are refused: %s (%d)",
                         device->unit.root_index, (unsigned long long)bytes,
                         error > 0 ? "no answer in time" : ocl_text_name(error), (int)error);
    }
    vec_init(&made->views, sizeof(struct ocl_view), NULL);
    made->whole.size_bytes = bytes;
    made->whole.serial = atomic_add_relaxed_u64(&device->serial, 1) + 1;
    *mem = (fgpu_mem)(uintptr_t)made;
    return FGPU_OK;
}

fgpu_status ocl_mem_alloc(void *opened, uint64_t bytes, fgpu_mem *mem)
{
    struct ocl_device *device = opened;
    fgpu_status status = FGPU_OK;

    if (bytes == 0)
        return error_set(FGPU_E_INVAL, "opencl: an allocation of 0 bytes");
    if (bytes > device->caps.memory_max_alloc_bytes || !mem_reserve(device, bytes))
        return error_set(FGPU_E_DEVMEM,
                         "opencl:%u: %llu bytes asked for, %llu of %llu in use, %llu at once",
                         device->unit.root_index, (unsigned long long)bytes,
                         (unsigned long long)atomic_load_relaxed_u64(&device->memory_used_bytes),
                         (unsigned long long)device->caps.memory_bytes,
                         (unsigned long long)device->caps.memory_max_alloc_bytes);
    status = device->caps.host_memory != 0 ? mem_alloc_host(device, bytes, mem)
                                           : mem_alloc_own(device, bytes, mem);
    if (status != FGPU_OK)
        mem_unreserve(device, bytes);
    return status;
}

void ocl_mem_free(void *opened, fgpu_mem mem)
{
    struct ocl_device *device = opened;
    struct ocl_mem *own = ocl_mem_of(mem);
    uint64_t bytes = 0;

    if (mem == 0)
        return;
    if (device->caps.host_memory != 0) {
        FGPU_ASSERT(map_get(&device->sizes, mem, &bytes)); /* it came from ocl_mem_alloc */
        (void)map_del(&device->sizes, mem);
        free((void *)(uintptr_t)mem);
        mem_unreserve(device, bytes);
        return;
    }
    for (size_t i = 0; i < own->views.count; i++) {
        struct ocl_view *view = vec_at(&own->views, i);
        (void)device->api->clReleaseMemObject(view->id);
    }
    vec_fini(&own->views);
    (void)device->api->clReleaseMemObject(own->whole.id);
    mem_unreserve(device, own->whole.size_bytes);
    free(own);
}

/* With the lock held: the place for one more view, in the end that of the least recently used.
 * OpenCL keeps a released sub-buffer until the commands that use it have finished. */
static struct ocl_view *mem_view_place(struct ocl_device *device, struct ocl_mem *mem)
{
    struct ocl_view *oldest = NULL;

    if (mem->views.count < LIMITS_OPENCL_VIEWS) {
        oldest = vec_push(&mem->views, NULL);
        if (oldest != NULL || mem->views.count == 0)
            return oldest;
    }
    oldest = vec_at(&mem->views, 0);
    for (size_t i = 1; i < mem->views.count; i++) {
        struct ocl_view *view = vec_at(&mem->views, i);
        if (view->launch < oldest->launch)
            oldest = view;
    }
    (void)device->api->clReleaseMemObject(oldest->id);
    return oldest;
}

static cl_int mem_view_make(struct ocl_device *device, struct ocl_mem *mem,
                            const cl_buffer_region *region, struct ocl_view **made)
{
    struct ocl_view *place = NULL;
    cl_int error = CL_SUCCESS;
    cl_mem id = device->api->clCreateSubBuffer(mem->whole.id, CL_MEM_READ_WRITE,
                                               CL_BUFFER_CREATE_TYPE_REGION, region, &error);

    if (error != CL_SUCCESS)
        return error;
    place = mem_view_place(device, mem);
    if (place == NULL) {
        (void)device->api->clReleaseMemObject(id);
        return CL_OUT_OF_HOST_MEMORY;
    }
    *place = (struct ocl_view){.id = id,
                               .serial = atomic_add_relaxed_u64(&device->serial, 1) + 1,
                               .offset_bytes = region->origin,
                               .size_bytes = region->size};
    *made = place;
    return CL_SUCCESS;
}

static struct ocl_view *mem_view_find(const struct ocl_mem *mem, const cl_buffer_region *region)
{
    for (size_t i = 0; i < mem->views.count; i++) {
        struct ocl_view *view = vec_at(&mem->views, i);
        if (view->offset_bytes == region->origin && view->size_bytes == region->size)
            return view;
    }
    return NULL;
}

cl_int ocl_mem_view(struct ocl_device *device, const fgpu_cmd_arg *arg, uint64_t launch,
                    struct ocl_view *view)
{
    struct ocl_mem *mem = ocl_mem_of(arg->u.buffer.mem);
    cl_buffer_region region = {arg->u.buffer.offset_bytes, arg->size_bytes};
    struct ocl_view *found = NULL;
    cl_int error = CL_SUCCESS;

    if (region.origin == 0) {
        *view = mem->whole;
        return CL_SUCCESS;
    }
    lock_acquire(&mem->lock);
    found = mem_view_find(mem, &region);
    if (found == NULL)
        error = mem_view_make(device, mem, &region, &found);
    if (error == CL_SUCCESS) {
        found->launch = launch;
        *view = *found;
    }
    lock_release(&mem->lock);
    return error;
}
