/*
 * Contexts of the fake OpenCL library. Runs in the caller's thread; a context holds its devices and
 * is held by everything made in it.
 */
#include "internal.h"

#include <string.h>

bool context_has(cl_context context, cl_device_id device)
{
    for (cl_uint i = 0; i < context->device_count; i++)
        if (context->devices[i] == device)
            return true;
    return false;
}

uint32_t context_nodes(cl_context context)
{
    uint32_t nodes = 0;
    for (cl_uint i = 0; i < context->device_count; i++)
        nodes |= 1u << device_node(context->devices[i]);
    return nodes;
}

static cl_int check_properties(const cl_context_properties *properties, size_t *count)
{
    *count = 0;
    if (properties == NULL)
        return CL_SUCCESS;
    for (; properties[*count] != 0; *count += 2) {
        if (*count >= 6)
            return CL_INVALID_PROPERTY;
        if (properties[*count] == CL_CONTEXT_INTEROP_USER_SYNC)
            continue;
        if (properties[*count] != CL_CONTEXT_PLATFORM)
            return CL_INVALID_PROPERTY;
        if ((cl_platform_id)properties[*count + 1] != &platform)
            return CL_INVALID_PLATFORM;
    }
    (*count)++;
    return CL_SUCCESS;
}

static cl_context create(const cl_context_properties *properties, cl_uint count,
                         const cl_device_id *list, cl_int *error)
{
    size_t property_count;
    *error = CL_INVALID_VALUE;
    if (count == 0 || list == NULL || count > WORKER_COUNT)
        return NULL;
    *error = check_properties(properties, &property_count);
    if (*error != CL_SUCCESS)
        return NULL;
    for (cl_uint i = 0; i < count; i++) {
        *error = CL_INVALID_DEVICE;
        if (!object_check(list[i], OBJECT_DEVICE))
            return NULL;
        *error = CL_DEVICE_NOT_AVAILABLE;
        if (device_root(list[i])->lost)
            return NULL;
    }
    cl_context context = state_alloc(sizeof(*context));
    object_init(&context->object, OBJECT_CONTEXT);
    context->device_count = count;
    for (cl_uint i = 0; i < count; i++) {
        context->devices[i] = list[i];
        object_hold(&list[i]->object);
    }
    context->property_count = property_count;
    if (property_count > 0)
        memcpy(context->properties, properties, property_count * sizeof(*properties));
    *error = CL_SUCCESS;
    return context;
}

FAKECL_API cl_context CL_API_CALL clCreateContext(
    const cl_context_properties *properties, cl_uint num_devices, const cl_device_id *list,
    void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user_data,
    cl_int *errcode_ret)
{
    cl_int error = CL_INVALID_VALUE;
    cl_context context = NULL;
    if (notify != NULL || user_data == NULL) {
        state_lock();
        context = create(properties, num_devices, list, &error);
        state_unlock();
    }
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return context;
}

FAKECL_API cl_context CL_API_CALL
clCreateContextFromType(const cl_context_properties *properties, cl_device_type type,
                        void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                        void *user_data, cl_int *errcode_ret)
{
    cl_int error = CL_DEVICE_NOT_FOUND;
    cl_context context = NULL;
    cl_device_id list[FAKECL_MAX_DEVICES];
    (void)notify;
    (void)user_data;
    state_lock();
    if (type == CL_DEVICE_TYPE_ALL || (type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_DEFAULT)) != 0) {
        cl_uint count = (type & CL_DEVICE_TYPE_GPU) != 0 ? (cl_uint)config.devices : 1;
        for (cl_uint i = 0; i < count; i++)
            list[i] = &devices[i];
        context = create(properties, count, list, &error);
    }
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return context;
}

void context_destroy(struct object *object)
{
    cl_context context = (cl_context)(void *)object;
    for (cl_uint i = 0; i < context->device_count; i++)
        object_drop(&context->devices[i]->object);
}

FAKECL_API cl_int CL_API_CALL clRetainContext(cl_context context)
{
    return object_api_retain(context, OBJECT_CONTEXT, CL_INVALID_CONTEXT);
}

FAKECL_API cl_int CL_API_CALL clReleaseContext(cl_context context)
{
    return object_api_release(context, OBJECT_CONTEXT, CL_INVALID_CONTEXT);
}

static cl_int context_info(cl_context context, cl_context_info name, size_t size, void *value,
                           size_t *ret)
{
    if (!object_check(context, OBJECT_CONTEXT))
        return CL_INVALID_CONTEXT;
    switch (name) {
    case CL_CONTEXT_REFERENCE_COUNT:
        return state_info(&context->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_CONTEXT_NUM_DEVICES:
        return state_info(&context->device_count, sizeof(cl_uint), size, value, ret);
    case CL_CONTEXT_DEVICES:
        return state_info(context->devices, context->device_count * sizeof(cl_device_id), size,
                          value, ret);
    case CL_CONTEXT_PROPERTIES:
        return state_info(context->properties,
                          context->property_count * sizeof(cl_context_properties), size, value,
                          ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetContextInfo(cl_context context, cl_context_info name,
                                               size_t size, void *value, size_t *ret)
{
    state_lock();
    cl_int error = context_info(context, name, size, value, ret);
    state_unlock();
    return error;
}
