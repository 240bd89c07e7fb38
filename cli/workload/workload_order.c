/* Which tasks come after which, and an order in which each stands behind those.
 *
 * Method: depth-first search with a stack of its own (a chain may be a million tasks long); a task
 * that is met again while it is on the stack closes a cycle, and the stack from there on names it.
 */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_CYCLE_SHOWN 6

enum order_state { ORDER_NEW, ORDER_OPEN, ORDER_DONE };

struct order {
    struct workload *out;
    uint8_t *states;
    uint32_t *next; /* by task: how many of its predecessors were looked at */
    uint32_t *stack;
    uint32_t depth, count; /* of the stack; of tasks in order */
};

/* The path of an "after", as it was read. */
static void order_enter(struct workload_reader *reader, const struct reader_after *after)
{
    json_path_init(&reader->path);
    (void)json_path_enter_key(&reader->path, "tasks");
    (void)json_path_enter_item(&reader->path, after->entry);
    (void)json_path_enter_key(&reader->path, "after");
    if (after->item != READER_NONE)
        (void)json_path_enter_item(&reader->path, after->item);
}

static bool order_resolve(struct workload_reader *reader)
{
    struct workload *out = reader->out;
    bool is_good = true;

    out->after = calloc(reader->after_count + (size_t)1, sizeof *out->after);
    if (!out->after)
        return reader_no_memory(reader);
    for (uint32_t i = 0; i < reader->after_count; i++) {
        const struct reader_after *after = &reader->after[i];
        struct workload_task *task = &out->tasks[after->task];
        uint32_t number = reader_find_name(&reader->task_names, after->name);
        if (number == READER_NONE) {
            cJSON *value = cJSON_CreateString(after->name);
            order_enter(reader, after);
            is_good = value ? reader_fail_unknown(reader, value, "task", &reader->task_names)
                            : reader_no_memory(reader);
            cJSON_Delete(value);
            continue;
        }
        if (task->after_count++ == 0)
            task->after_first = out->after_count;
        out->after[out->after_count++] = number;
    }
    return is_good;
}

/* [in] from: the place on the stack where the cycle begins. */
static bool order_fail(struct workload_reader *reader, const struct order *order, uint32_t from)
{
    char text[ORDER_CYCLE_SHOWN * (WORKLOAD_NAME_BYTES + 12) + 64] = "";
    uint32_t count = order->depth - from, task = order->stack[from];

    for (uint32_t i = 0; i <= count && i <= ORDER_CYCLE_SHOWN; i++) {
        size_t used = strlen(text);
        if (i == ORDER_CYCLE_SHOWN && count > ORDER_CYCLE_SHOWN)
            (void)snprintf(text + used, sizeof text - used, " after ... (%u tasks)", count);
        else
            (void)snprintf(text + used, sizeof text - used, "%s\"%.40s\"", i ? " after " : "",
                           order->out->tasks[order->stack[from + i % count]].name);
    }
    for (uint32_t i = 0; i < reader->after_count; i++)
        if (reader->after[i].task == task) {
            struct reader_after whole = reader->after[i];
            whole.item = READER_NONE;
            order_enter(reader, &whole);
            break;
        }
    return reader_fail(reader, NULL, "the tasks wait for each other in a circle: %s", text);
}

/* Puts a task, and before it all that it comes after, in order. */
static bool order_visit(struct workload_reader *reader, struct order *order, uint32_t first)
{
    struct workload *out = order->out;

    order->stack[order->depth++] = first;
    order->states[first] = ORDER_OPEN;
    while (order->depth > 0) {
        uint32_t task = order->stack[order->depth - 1];
        if (order->next[task] == out->tasks[task].after_count) {
            order->states[task] = ORDER_DONE;
            out->order[order->count++] = task;
            order->depth--;
            continue;
        }
        uint32_t before = out->after[out->tasks[task].after_first + order->next[task]++];
        if (order->states[before] == ORDER_NEW) {
            order->states[before] = ORDER_OPEN;
            order->stack[order->depth++] = before;
        } else if (order->states[before] == ORDER_OPEN) {
            uint32_t from = 0;
            while (order->stack[from] != before)
                from++;
            return order_fail(reader, order, from);
        }
    }
    return true;
}

bool reader_order_tasks(struct workload_reader *reader)
{
    struct workload *out = reader->out;
    size_t count = (size_t)out->task_count + 1;
    struct order order = {.out = out};

    if (!order_resolve(reader))
        return false;
    out->order = calloc(count, sizeof *out->order);
    order.states = calloc(count, sizeof *order.states);
    order.next = calloc(count, sizeof *order.next);
    order.stack = calloc(count, sizeof *order.stack);
    bool is_good =
        (out->order && order.states && order.next && order.stack) || reader_no_memory(reader);
    for (uint32_t i = 0; i < out->task_count && is_good; i++)
        if (order.states[i] == ORDER_NEW)
            is_good = order_visit(reader, &order, i);
    free(order.states);
    free(order.next);
    free(order.stack);
    return is_good;
}
