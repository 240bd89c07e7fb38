/*
 * Mapping of buffers into host memory in the fake OpenCL library, and explicit migration.
 *
 * Runs in the caller's thread. With discrete memory the user gets a staging area (or the host
 * pointer of CL_MEM_USE_HOST_PTR), filled when the map command runs and copied back by the unmap
 * command; with UNIFIED the user gets the device's memory itself. All mappings of a buffer and of
 * its sub-buffers are in one list, so that commands that meddle with a mapped region can be seen.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static cl_mem root_of(cl_mem mem)
{
    return mem->parent != NULL ? mem->parent : mem;
}

static cl_int check_map(cl_command_queue queue, cl_mem mem, const struct mapping *wanted)
{
    const cl_map_flags known = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;
    cl_map_flags flags = wanted->flags;
    if (!object_check(mem, OBJECT_MEM))
        return CL_INVALID_MEM_OBJECT;
    if (mem->context != queue->context)
        return CL_INVALID_CONTEXT;
    if (flags == 0 || (flags & ~known) != 0)
        return CL_INVALID_VALUE;
    if ((flags & CL_MAP_WRITE_INVALIDATE_REGION) != 0 && flags != CL_MAP_WRITE_INVALIDATE_REGION)
        return CL_INVALID_VALUE;
    if (wanted->size_bytes == 0 || wanted->offset > mem->size_bytes ||
        wanted->size_bytes > mem->size_bytes - wanted->offset)
        return CL_INVALID_VALUE;
    if ((flags & CL_MAP_READ) != 0 &&
        (mem->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS)) != 0)
        return CL_INVALID_OPERATION;
    if ((flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)) != 0 &&
        (mem->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)) != 0)
        return CL_INVALID_OPERATION;
    return CL_SUCCESS;
}

static struct mapping *create_mapping(cl_mem mem, const struct mapping *wanted)
{
    struct mapping *mapping = state_alloc(sizeof(*mapping));
    *mapping = *wanted;
    mapping->begin = mem->origin + wanted->offset;
    if (config.unified != 0) {
        mapping->pointer = mem->store->data[0] + mapping->begin;
    } else if (mem->host_ptr != NULL) {
        mapping->pointer = (unsigned char *)mem->host_ptr + wanted->offset;
    } else {
        void *memory = NULL;
        mapping->owned = true;
        if (posix_memalign(&memory, 128, wanted->size_bytes) != 0)
            abort();
        memset(memory, 0xC9, wanted->size_bytes);
        mapping->pointer = memory;
    }
    return mapping;
}

static void remove_mapping(cl_mem root, struct mapping *mapping)
{
    struct mapping **link = &root->mappings;
    while (*link != mapping)
        link = &(*link)->next;
    *link = mapping->next;
    if (mapping->owned)
        free(mapping->pointer);
    free(mapping);
}

static void *append_map(struct command *command, cl_mem mem, const struct mapping *wanted,
                        cl_bool blocking, cl_event *event, cl_int *error)
{
    cl_mem root = root_of(mem);
    struct mapping *mapping = create_mapping(mem, wanted);
    mapping->next = root->mappings;
    root->mappings = mapping;
    mem->map_count++;
    command->mapping = mapping;
    void *pointer = mapping->pointer;
    object_hold(&mem->object);
    *error = command_append(command, event, blocking);
    if (*error != CL_SUCCESS) { /* it ran and failed: nobody will unmap it */
        remove_mapping(root, mapping);
        mem->map_count--;
        pointer = NULL;
    }
    object_drop(&mem->object);
    return pointer;
}

static void *enqueue_map(struct command *command, cl_mem mem, const struct mapping *wanted,
                         cl_bool blocking, cl_event *event, cl_int *error)
{
    *error = check_map(command->queue, mem, wanted);
    if (*error != CL_SUCCESS) {
        command_abandon(command);
        return NULL;
    }
    *error = command_use(command, mem, true);
    if (*error != CL_SUCCESS) {
        command_refuse(command, *error);
        return NULL;
    }
    *error = command_admit(command, blocking);
    return *error != CL_SUCCESS ? NULL : append_map(command, mem, wanted, blocking, event, error);
}

FAKECL_API void *CL_API_CALL clEnqueueMapBuffer(cl_command_queue queue, cl_mem mem,
                                                cl_bool blocking, cl_map_flags flags, size_t offset,
                                                size_t size, cl_uint count, const cl_event *waits,
                                                cl_event *event, cl_int *errcode_ret)
{
    cl_int error;
    void *pointer = NULL;
    struct mapping wanted = {.mem = mem, .offset = offset, .size_bytes = size, .flags = flags};
    state_lock();
    struct command *command = command_begin(queue, CL_COMMAND_MAP_BUFFER, count, waits, &error);
    if (command != NULL)
        pointer = enqueue_map(command, mem, &wanted, blocking, event, &error);
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return pointer;
}

static struct mapping *find_mapping(cl_mem mem, const void *pointer)
{
    for (struct mapping *at = root_of(mem)->mappings; at != NULL; at = at->next)
        if (at->pointer == pointer && at->mem == mem && !at->ending)
            return at;
    state_misuse("unmap of %p, which buffer %p has not mapped", pointer, (void *)mem);
    return NULL;
}

static cl_int enqueue_unmap(struct command *command, cl_mem mem, const void *pointer,
                            cl_event *event)
{
    cl_int error = CL_SUCCESS;
    struct mapping *mapping = NULL;
    if (!object_check(mem, OBJECT_MEM))
        error = CL_INVALID_MEM_OBJECT;
    else if (mem->context != command->queue->context)
        error = CL_INVALID_CONTEXT;
    else if ((mapping = find_mapping(mem, pointer)) == NULL)
        error = CL_INVALID_VALUE;
    if (error != CL_SUCCESS) {
        command_abandon(command);
        return error;
    }
    error = command_use(command, mem, true);
    if (error != CL_SUCCESS)
        return command_refuse(command, error);
    error = command_admit(command, CL_FALSE);
    if (error != CL_SUCCESS)
        return error;
    mapping->ending = true;
    mem->map_count--;
    command->mapping = mapping;
    return command_append(command, event, CL_FALSE);
}

FAKECL_API cl_int CL_API_CALL clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem mem,
                                                      void *mapped_ptr, cl_uint count,
                                                      const cl_event *waits, cl_event *event)
{
    cl_int error;
    state_lock();
    struct command *command =
        command_begin(queue, CL_COMMAND_UNMAP_MEM_OBJECT, count, waits, &error);
    if (command != NULL)
        error = enqueue_unmap(command, mem, mapped_ptr, event);
    state_unlock();
    return error;
}

void map_end(struct command *command)
{
    if (command->type == CL_COMMAND_UNMAP_MEM_OBJECT)
        remove_mapping(root_of(command->mapping->mem), command->mapping);
}

bool map_conflicts(cl_mem mem, size_t offset, size_t size, bool write)
{
    const cl_map_flags writing = CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;
    if (config.unified != 0)
        return false;
    for (struct mapping *at = root_of(mem)->mappings; at != NULL; at = at->next) {
        if (at->active && (write || (at->flags & writing) != 0) && at->begin < offset + size &&
            offset < at->begin + at->size_bytes)
            return true;
    }
    return false;
}

static cl_int enqueue_migration(struct command *command, cl_uint mem_count, const cl_mem *mems,
                                cl_event *event)
{
    cl_int error = CL_SUCCESS;
    const cl_mem_migration_flags known =
        CL_MIGRATE_MEM_OBJECT_HOST | CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED;
    if (mem_count == 0 || mems == NULL || (command->migrate_flags & ~known) != 0)
        error = CL_INVALID_VALUE;
    for (cl_uint i = 0; error == CL_SUCCESS && i < mem_count; i++) {
        if (!object_check(mems[i], OBJECT_MEM))
            error = CL_INVALID_MEM_OBJECT;
        else if (mems[i]->context != command->queue->context)
            error = CL_INVALID_CONTEXT;
    }
    if (error != CL_SUCCESS) {
        command_abandon(command);
        return error;
    }
    bool to_device = (command->migrate_flags & CL_MIGRATE_MEM_OBJECT_HOST) == 0;
    for (cl_uint i = 0; i < mem_count; i++) {
        error = command_use(command, mems[i], to_device);
        if (error != CL_SUCCESS)
            return command_refuse(command, error);
    }
    return command_submit(command, event, CL_FALSE);
}

FAKECL_API cl_int CL_API_CALL clEnqueueMigrateMemObjects(cl_command_queue queue, cl_uint mem_count,
                                                         const cl_mem *mems,
                                                         cl_mem_migration_flags flags,
                                                         cl_uint count, const cl_event *waits,
                                                         cl_event *event)
{
    cl_int error;
    state_lock();
    struct command *command =
        command_begin(queue, CL_COMMAND_MIGRATE_MEM_OBJECTS, count, waits, &error);
    if (command != NULL) {
        command->migrate_flags = flags;
        error = enqueue_migration(command, mem_count, mems, event);
    }
    state_unlock();
    return error;
}
