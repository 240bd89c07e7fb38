/*
 * Buffers and sub-buffers of the fake OpenCL library.
 *
 * Runs in the caller's thread. A buffer owns its store (store.c), a sub-buffer uses its parent's
 * and holds the parent. Memory is charged at creation, or at the first use on a device when LAZY is
 * set or the context has several memories (which of them will be used is not known before).
 */
#include "internal.h"

#include <stdlib.h>

static const cl_mem_flags access_flags = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY;
static const cl_mem_flags host_access_flags =
    CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS;
static const cl_mem_flags pointer_flags =
    CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR;

static bool one_at_most(cl_mem_flags flags)
{
    return (flags & (flags - 1)) == 0;
}

static bool flags_ok(cl_mem_flags flags)
{
    bool both = (flags & CL_MEM_USE_HOST_PTR) != 0 &&
                (flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != 0;
    return (flags & ~(access_flags | host_access_flags | pointer_flags)) == 0 && !both &&
           one_at_most(flags & access_flags) && one_at_most(flags & host_access_flags);
}

static cl_int check_new(cl_context context, cl_mem_flags flags, size_t size, const void *host)
{
    if (!object_check(context, OBJECT_CONTEXT))
        return CL_INVALID_CONTEXT;
    if (!flags_ok(flags))
        return CL_INVALID_VALUE;
    if (size == 0 || size > device_max_alloc())
        return CL_INVALID_BUFFER_SIZE;
    if ((host != NULL) != ((flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)) != 0))
        return CL_INVALID_HOST_PTR;
    return CL_SUCCESS;
}

/* Refuses what no device of the context could hold beside what the context holds already. */
static bool fits_context(cl_context context, size_t size)
{
    uint64_t nodes = 0;
    for (uint32_t set = context_nodes(context); set != 0; set &= set - 1)
        nodes++;
    return size <= (uint64_t)config.memory &&
           context->buffer_bytes + size <= nodes * (uint64_t)config.memory;
}

static cl_int place(cl_mem mem, void *host)
{
    uint32_t nodes = context_nodes(mem->context);
    bool single = one_at_most(nodes);
    unsigned node = 0;
    while ((nodes & (1u << node)) == 0)
        node++;
    if ((mem->flags & CL_MEM_USE_HOST_PTR) != 0 && config.unified != 0) {
        store_borrow(mem->store, host);
        return CL_SUCCESS;
    }
    if (config.lazy == 0 && !fits_context(mem->context, mem->size_bytes)) {
        stats.failed_allocs++;
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
    if (config.lazy != 0 || !single)
        node = NODE_HOST;
    if (node == NODE_HOST && config.lazy == 0 && state_chance(config.fail_alloc)) {
        stats.failed_allocs++;
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
    if (node == NODE_HOST && host == NULL)
        return CL_SUCCESS;
    cl_int error = store_reserve(mem->store, node);
    if (error == CL_SUCCESS && host != NULL)
        store_preset(mem->store, node, host);
    return error;
}

static cl_mem create(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *error)
{
    *error = check_new(context, flags, size, host);
    if (*error != CL_SUCCESS)
        return NULL;
    cl_mem mem = state_alloc(sizeof(*mem));
    object_init(&mem->object, OBJECT_MEM);
    mem->context = context;
    mem->size_bytes = size;
    mem->flags = (flags & access_flags) == 0 ? flags | CL_MEM_READ_WRITE : flags;
    mem->host_ptr = (flags & CL_MEM_USE_HOST_PTR) != 0 ? host : NULL;
    mem->store = store_create(size);
    object_hold(&context->object);
    *error = place(mem, host);
    context->buffer_bytes += size;
    if (*error != CL_SUCCESS) {
        object_drop(&mem->object);
        return NULL;
    }
    return mem;
}

FAKECL_API cl_mem CL_API_CALL clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size,
                                             void *host_ptr, cl_int *errcode_ret)
{
    cl_int error;
    state_lock();
    cl_mem mem = create(context, flags, size, host_ptr, &error);
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return mem;
}

/* The flags that a sub-buffer gets, or false where it asks for more than its parent has. */
static bool sub_flags(cl_mem_flags parent, cl_mem_flags *flags)
{
    cl_mem_flags own = *flags;
    if ((own & pointer_flags) != 0 || !flags_ok(own))
        return false;
    if ((parent & CL_MEM_WRITE_ONLY) != 0 && (own & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY)) != 0)
        return false;
    if ((parent & CL_MEM_READ_ONLY) != 0 && (own & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY)) != 0)
        return false;
    if ((parent & CL_MEM_HOST_WRITE_ONLY) != 0 && (own & CL_MEM_HOST_READ_ONLY) != 0)
        return false;
    if ((parent & CL_MEM_HOST_READ_ONLY) != 0 && (own & CL_MEM_HOST_WRITE_ONLY) != 0)
        return false;
    if ((parent & CL_MEM_HOST_NO_ACCESS) != 0 &&
        (own & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY)) != 0)
        return false;
    if ((own & access_flags) == 0)
        own |= parent & access_flags;
    if ((own & host_access_flags) == 0)
        own |= parent & host_access_flags;
    *flags = own | (parent & pointer_flags);
    return true;
}

static cl_int check_sub(cl_mem parent, cl_mem_flags *flags, cl_buffer_create_type type,
                        const cl_buffer_region *region)
{
    if (!object_check(parent, OBJECT_MEM) || parent->parent != NULL)
        return CL_INVALID_MEM_OBJECT;
    if (type != CL_BUFFER_CREATE_TYPE_REGION || region == NULL || !sub_flags(parent->flags, flags))
        return CL_INVALID_VALUE;
    if (region->size == 0)
        return CL_INVALID_BUFFER_SIZE;
    if (region->origin > parent->size_bytes || region->size > parent->size_bytes - region->origin)
        return CL_INVALID_VALUE;
    if (region->origin % device_align_bytes() != 0)
        return CL_MISALIGNED_SUB_BUFFER_OFFSET;
    return CL_SUCCESS;
}

FAKECL_API cl_mem CL_API_CALL clCreateSubBuffer(cl_mem parent, cl_mem_flags flags,
                                                cl_buffer_create_type type, const void *info,
                                                cl_int *errcode_ret)
{
    const cl_buffer_region *region = info;
    cl_mem mem = NULL;
    state_lock();
    cl_int error = check_sub(parent, &flags, type, region);
    if (error == CL_SUCCESS) {
        mem = state_alloc(sizeof(*mem));
        object_init(&mem->object, OBJECT_MEM);
        mem->context = parent->context;
        mem->parent = parent;
        mem->origin = region->origin;
        mem->size_bytes = region->size;
        mem->flags = flags;
        mem->host_ptr =
            parent->host_ptr == NULL ? NULL : (unsigned char *)parent->host_ptr + region->origin;
        mem->store = parent->store;
        object_hold(&mem->context->object);
        object_hold(&parent->object);
    }
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return mem;
}

void memory_released(cl_mem mem)
{
    if (mem->map_count > 0)
        state_misuse("buffer %p released while it is mapped", (void *)mem);
}

void memory_destroy(struct object *object)
{
    cl_mem mem = (cl_mem)(void *)object;
    for (struct callback *next; mem->destructors != NULL; mem->destructors = next) {
        next = mem->destructors->next;
        mem->destructors->mem = mem;
        state_defer(mem->destructors);
    }
    for (struct mapping *next; mem->mappings != NULL; mem->mappings = next) {
        next = mem->mappings->next;
        if (mem->mappings->owned)
            free(mem->mappings->pointer);
        free(mem->mappings);
    }
    if (mem->parent != NULL) {
        object_drop(&mem->parent->object);
    } else {
        store_destroy(mem->store);
        mem->context->buffer_bytes -= mem->size_bytes;
    }
    object_drop(&mem->context->object);
}

bool memory_overlap(cl_mem a, size_t a_offset, cl_mem b, size_t b_offset, size_t size)
{
    size_t a_begin = a->origin + a_offset, b_begin = b->origin + b_offset;
    return a->store == b->store && a_begin < b_begin + size && b_begin < a_begin + size;
}

FAKECL_API cl_int CL_API_CALL clRetainMemObject(cl_mem mem)
{
    return object_api_retain(mem, OBJECT_MEM, CL_INVALID_MEM_OBJECT);
}

FAKECL_API cl_int CL_API_CALL clReleaseMemObject(cl_mem mem)
{
    return object_api_release(mem, OBJECT_MEM, CL_INVALID_MEM_OBJECT);
}

FAKECL_API cl_int CL_API_CALL
clSetMemObjectDestructorCallback(cl_mem mem, void(CL_CALLBACK *notify)(cl_mem, void *), void *user)
{
    cl_int error = CL_INVALID_MEM_OBJECT;
    state_lock();
    if (object_check(mem, OBJECT_MEM)) {
        error = notify == NULL ? CL_INVALID_VALUE : CL_SUCCESS;
        if (notify != NULL) {
            struct callback *callback = state_alloc(sizeof(*callback));
            callback->mem_fn = notify;
            callback->user = user;
            callback->next = mem->destructors; /* the newest is called first */
            mem->destructors = callback;
        }
    }
    state_unlock();
    return error;
}

static cl_int memory_info(cl_mem mem, cl_mem_info name, size_t size, void *value, size_t *ret)
{
    cl_mem_object_type type = CL_MEM_OBJECT_BUFFER;
    if (!object_check(mem, OBJECT_MEM))
        return CL_INVALID_MEM_OBJECT;
    switch (name) {
    case CL_MEM_TYPE:
        return state_info(&type, sizeof(type), size, value, ret);
    case CL_MEM_FLAGS:
        return state_info(&mem->flags, sizeof(mem->flags), size, value, ret);
    case CL_MEM_SIZE:
        return state_info(&mem->size_bytes, sizeof(size_t), size, value, ret);
    case CL_MEM_HOST_PTR:
        return state_info(&mem->host_ptr, sizeof(void *), size, value, ret);
    case CL_MEM_MAP_COUNT:
        return state_info(&mem->map_count, sizeof(cl_uint), size, value, ret);
    case CL_MEM_REFERENCE_COUNT:
        return state_info(&mem->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_MEM_CONTEXT:
        return state_info(&mem->context, sizeof(mem->context), size, value, ret);
    case CL_MEM_ASSOCIATED_MEMOBJECT:
        return state_info(&mem->parent, sizeof(cl_mem), size, value, ret);
    case CL_MEM_OFFSET:
        return state_info(&mem->origin, sizeof(size_t), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetMemObjectInfo(cl_mem mem, cl_mem_info name, size_t size,
                                                 void *value, size_t *ret)
{
    state_lock();
    cl_int error = memory_info(mem, name, size, value, ret);
    state_unlock();
    return error;
}
