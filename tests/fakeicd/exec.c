/*
 * Execution of one command of the fake OpenCL library.
 *
 * Runs in a worker. exec_prepare, with the lock, looks for conflicts, brings the buffers to the
 * device's memory and finds the addresses; exec_run, without it, does the work, or only a part of
 * it when the device dies in this command (torn); exec_cleanup, with the lock, looks for damage and
 * ends mappings.
 */
#include "internal.h"

#include <string.h>

static size_t side_span(const struct copy_side *side, const size_t region[3])
{
    return (region[2] - 1) * side->slice_pitch + (region[1] - 1) * side->row_pitch + region[0];
}

/* Each range that a command touches is announced here, before its memory is brought. */
static void note_use(struct command *command, cl_mem mem, size_t begin, size_t size, bool write)
{
    struct use use = {mem->store, begin, begin + size, write};
    if (map_conflicts(mem, begin, size, write))
        state_misuse("a command %s buffer %p where the host has it mapped",
                     write ? "writes" : "reads", (void *)mem);
    if (worker_conflicts(device_node(command->queue->device), &use))
        state_misuse("two devices use buffer %p at once, and one writes it", (void *)mem);
    command->uses[command->use_count++] = use;
}

/* Where a range can be read: on this device, or where its contents are. */
static const unsigned char *readable(cl_mem mem, unsigned node, size_t begin, size_t size)
{
    const unsigned char *base = store_peek(mem->store, node, begin, size);
    return base != NULL ? base : store_ensure(mem->store, node, begin, size, ACCESS_READ);
}

static cl_int prepare_copy(struct command *command, unsigned node)
{
    const struct copy *copy = &command->copy;
    bool linear = copy->region[1] * copy->region[2] == 1;
    cl_mem from = copy->from.mem, to = copy->to.mem;
    command->source = copy->from.host;
    command->target = copy->to.host;
    if (from != NULL) {
        size_t begin = from->origin + copy->from.offset,
               size = side_span(&copy->from, copy->region);
        note_use(command, from, begin, size, false);
        command->source = readable(from, node, begin, size);
        if (command->source == NULL)
            return CL_MEM_OBJECT_ALLOCATION_FAILURE;
        command->source += from->origin;
    }
    if (to != NULL) {
        size_t begin = to->origin + copy->to.offset, size = side_span(&copy->to, copy->region);
        note_use(command, to, begin, size, true);
        command->target = store_ensure(to->store, node, begin, size,
                                       linear ? ACCESS_WRITE : ACCESS_READ | ACCESS_WRITE);
        if (command->target == NULL)
            return CL_MEM_OBJECT_ALLOCATION_FAILURE;
        command->target += to->origin;
    }
    return CL_SUCCESS;
}

static cl_int prepare_fill(struct command *command, unsigned node)
{
    cl_mem mem = command->mems[0];
    size_t begin = mem->origin + command->fill.offset, size = command->fill.size_bytes;
    note_use(command, mem, begin, size, true);
    command->target = store_ensure(mem->store, node, begin, size, ACCESS_WRITE);
    if (command->target == NULL)
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    command->target += begin;
    return CL_SUCCESS;
}

static cl_int prepare_map(struct command *command, unsigned node)
{
    struct mapping *mapping = command->mapping;
    cl_mem mem = command->mems[0];
    if (mapping->flags == CL_MAP_WRITE_INVALIDATE_REGION) {
        mapping->active = true;
        return CL_SUCCESS;
    }
    note_use(command, mem, mapping->begin, mapping->size_bytes, false);
    const unsigned char *base = readable(mem, node, mapping->begin, mapping->size_bytes);
    if (base == NULL)
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    mapping->active = true;
    command->source = base + mapping->begin;
    command->target = mapping->pointer;
    return CL_SUCCESS;
}

static cl_int prepare_unmap(struct command *command, unsigned node)
{
    struct mapping *mapping = command->mapping;
    cl_mem mem = command->mems[0];
    mapping->active = false;
    if ((mapping->flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)) == 0)
        return CL_SUCCESS;
    note_use(command, mem, mapping->begin, mapping->size_bytes, true);
    command->target =
        store_ensure(mem->store, node, mapping->begin, mapping->size_bytes, ACCESS_WRITE);
    if (command->target == NULL)
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    command->source = mapping->pointer;
    command->target += mapping->begin;
    return CL_SUCCESS;
}

static cl_int prepare_migration(struct command *command, unsigned node)
{
    if ((command->migrate_flags & CL_MIGRATE_MEM_OBJECT_HOST) != 0)
        return CL_SUCCESS; /* contents stay; the host's copy is made when it is asked for */
    for (cl_uint i = 0; i < command->mem_count; i++) {
        cl_mem mem = command->mems[i];
        note_use(command, mem, mem->origin, mem->size_bytes, true);
        if ((command->migrate_flags & CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED) != 0)
            store_forget(mem->store, mem->origin, mem->size_bytes);
        else if (store_ensure(mem->store, node, mem->origin, mem->size_bytes,
                              ACCESS_READ | ACCESS_WRITE) == NULL)
            return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
    return CL_SUCCESS;
}

static cl_int prepare_launch(struct command *command, struct worker *worker, unsigned node)
{
    struct launch *launch = command->launch;
    for (cl_uint i = 0; i < launch->arg_count; i++) {
        struct launch_arg *arg = &launch->args[i];
        cl_mem mem = arg->mem;
        if (arg->local)
            arg->pointer = worker->local + arg->local_offset;
        if (mem == NULL)
            continue;
        note_use(command, mem, mem->origin, mem->size_bytes, arg->write);
        unsigned char *base = store_ensure(mem->store, node, mem->origin, mem->size_bytes,
                                           arg->write ? ACCESS_READ | ACCESS_WRITE : ACCESS_READ);
        if (base == NULL)
            return CL_MEM_OBJECT_ALLOCATION_FAILURE;
        arg->pointer = base + mem->origin;
    }
    return CL_SUCCESS;
}

cl_int exec_prepare(struct command *command, struct worker *worker)
{
    unsigned node = device_node(command->queue->device);
    command->uses = state_alloc(command->mem_count * sizeof(struct use));
    if (command->launch != NULL)
        return prepare_launch(command, worker, node);
    switch (command->type) {
    case CL_COMMAND_FILL_BUFFER:
        return prepare_fill(command, node);
    case CL_COMMAND_MAP_BUFFER:
        return prepare_map(command, node);
    case CL_COMMAND_UNMAP_MEM_OBJECT:
        return prepare_unmap(command, node);
    case CL_COMMAND_MIGRATE_MEM_OBJECTS:
        return prepare_migration(command, node);
    case CL_COMMAND_MARKER:
    case CL_COMMAND_BARRIER:
        return CL_SUCCESS;
    default:
        return prepare_copy(command, node);
    }
}

static size_t part(size_t whole, unsigned permille)
{
    return permille >= 1000 ? whole : whole / 1000 * permille + whole % 1000 * permille / 1000;
}

static void run_copy(const struct command *command, unsigned permille)
{
    const struct copy *copy = &command->copy;
    size_t rows = copy->region[1], all = rows * copy->region[2];
    size_t count = all == 1 ? 1 : part(all, permille);
    size_t bytes = all == 1 ? part(copy->region[0], permille) : copy->region[0];
    for (size_t i = 0; i < count; i++) {
        size_t row = i % rows, slice = i / rows;
        memmove(command->target + copy->to.offset + slice * copy->to.slice_pitch +
                    row * copy->to.row_pitch,
                command->source + copy->from.offset + slice * copy->from.slice_pitch +
                    row * copy->from.row_pitch,
                bytes);
    }
}

static void run_fill(const struct command *command, unsigned permille)
{
    const struct fill *fill = &command->fill;
    size_t count = part(fill->size_bytes / fill->pattern_bytes, permille);
    for (size_t i = 0; i < count; i++)
        memcpy(command->target + i * fill->pattern_bytes, fill->pattern, fill->pattern_bytes);
}

static void run_mapping(const struct command *command, unsigned permille)
{
    if (command->target != NULL && command->target != command->source)
        memcpy(command->target, command->source, part(command->mapping->size_bytes, permille));
}

void exec_run(struct command *command, struct worker *worker, unsigned permille)
{
    if (command->launch != NULL) {
        group_run(command->launch, worker, permille);
        return;
    }
    switch (command->type) {
    case CL_COMMAND_FILL_BUFFER:
        run_fill(command, permille);
        break;
    case CL_COMMAND_MAP_BUFFER:
    case CL_COMMAND_UNMAP_MEM_OBJECT:
        run_mapping(command, permille);
        break;
    case CL_COMMAND_MIGRATE_MEM_OBJECTS:
    case CL_COMMAND_MARKER:
    case CL_COMMAND_BARRIER:
        break;
    default:
        run_copy(command, permille);
        break;
    }
}

void exec_cleanup(struct command *command)
{
    struct launch *launch = command->launch;
    for (cl_uint i = 0; launch != NULL && i < launch->arg_count; i++)
        if (launch->args[i].mem != NULL)
            store_check_edges(launch->args[i].mem->store);
    if (launch != NULL && launch->diverged)
        state_misuse("work items of a group did not all reach the same barrier");
    map_end(command);
}
