/*
 * The life of one command between its enqueue and its end.
 *
 * An entry point begins a command, names the buffers it uses, fills in what it does and submits it;
 * the worker finishes it. Runs with the lock held, in the caller's thread (begin, use, submit) or a
 * worker's (finish). A command holds its queue, event, wait list and buffers until it is done, so
 * that the user may release them all at once.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct command *command_begin(cl_command_queue queue, cl_command_type type, cl_uint wait_count,
                              const cl_event *waits, cl_int *error)
{
    *error = CL_INVALID_COMMAND_QUEUE;
    if (!object_check(queue, OBJECT_QUEUE))
        return NULL;
    *error = event_check_list(queue->context, wait_count, waits);
    if (*error != CL_SUCCESS)
        return NULL;
    struct command *command = state_alloc(sizeof(*command));
    command->queue = queue;
    command->type = type;
    object_hold(&queue->object);
    if (wait_count > 0) {
        command->waits = state_alloc(wait_count * sizeof(cl_event));
        memcpy(command->waits, waits, wait_count * sizeof(cl_event));
        command->wait_count = wait_count;
    }
    for (cl_uint i = 0; i < wait_count; i++)
        object_hold(&waits[i]->object);
    return command;
}

cl_int command_use(struct command *command, cl_mem mem, bool reserve)
{
    cl_mem *mems = realloc(command->mems, (command->mem_count + 1) * sizeof(cl_mem));
    if (mems == NULL)
        return CL_OUT_OF_HOST_MEMORY;
    command->mems = mems;
    mems[command->mem_count++] = mem;
    object_hold(&mem->object);
    if (!reserve)
        return CL_SUCCESS;
    return store_reserve(mem->store, device_node(command->queue->device));
}

static void free_launch(struct launch *launch)
{
    if (launch == NULL)
        return;
    for (cl_uint i = 0; i < ARG_COUNT_MAX; i++)
        free(launch->args[i].bytes);
    object_drop(&launch->kernel->object);
    free(launch);
}

void command_abandon(struct command *command)
{
    if (command == NULL)
        return;
    for (cl_uint i = 0; i < command->wait_count; i++)
        object_drop(&command->waits[i]->object);
    for (cl_uint i = 0; i < command->mem_count; i++)
        object_drop(&command->mems[i]->object);
    free_launch(command->launch);
    object_drop(&command->queue->object);
    free(command->waits);
    free(command->mems);
    free(command->uses);
    free(command);
}

cl_int command_refuse(struct command *command, cl_int error)
{
    stats.refused_enqueues++;
    command_abandon(command);
    return error;
}

cl_int command_admit(struct command *command, cl_bool blocking)
{
    cl_int error = CL_SUCCESS;
    if (device_root(command->queue->device)->lost || state_chance(config.fail_enqueue))
        error = CL_OUT_OF_RESOURCES;
    if (blocking && state_in_callback()) {
        state_misuse("a blocking command inside a callback");
        error = CL_INVALID_OPERATION;
    }
    return error == CL_SUCCESS ? CL_SUCCESS : command_refuse(command, error);
}

static void append(struct command *command)
{
    cl_command_queue queue = command->queue;
    command->seq = ++queue->last_seq;
    command->event = event_create(queue->context, queue, command->type);
    command->event->seq = command->seq;
    if (queue->tail != NULL)
        queue->tail->next = command;
    else
        queue->head = command;
    queue->tail = command;
    if (queue->unflushed == NULL)
        queue->unflushed = command;
    stats.enqueued++;
}

cl_int command_append(struct command *command, cl_event *event, cl_bool blocking)
{
    append(command);
    cl_int status = CL_SUCCESS;
    cl_event own = command->event;
    object_hold(&own->object); /* the command's; the first one is the user's */
    if (event != NULL) {
        *event = own;
    } else {
        own->object.api_refs = 0;
        object_drop(&own->object);
    }
    if (blocking)
        status = event_wait(own);
    return status < 0 ? status : CL_SUCCESS;
}

cl_int command_submit(struct command *command, cl_event *event, cl_bool blocking)
{
    cl_int error = command_admit(command, blocking);
    return error != CL_SUCCESS ? error : command_append(command, event, blocking);
}

static void unlink_command(struct command *command)
{
    cl_command_queue queue = command->queue;
    struct command *before = NULL;
    for (struct command *at = queue->head; at != command; at = at->next)
        before = at;
    if (before != NULL)
        before->next = command->next;
    else
        queue->head = command->next;
    if (queue->tail == command)
        queue->tail = before;
}

void command_finish(struct command *command, cl_int status)
{
    cl_event event = command->event;
    unlink_command(command);
    event->end_ns = state_now_ns();
    if (event->start_ns == 0)
        event->start_ns = event->end_ns;
    stats.failed += status < 0;
    event_advance(event, status);
    command_abandon(command);
    object_drop(&event->object);
    state_progress();
}
