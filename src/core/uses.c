/* The plan's uses of buffers, see uses.h. */
#include "core/uses.h"

#include <stdlib.h>

#include "core/planner.h"

#define USES_END UINT32_MAX
#define USES_AHEAD 64u /* tasks whose needs are foreseen */

struct uses_item {
    uint64_t start_ns;
    uint32_t task, generation;
    uint32_t next;
};

struct uses_start {
    uint64_t start_ns;
    uint32_t task;
};

void uses_init(struct uses *uses, const struct alloc_hooks *hooks)
{
    vec_init(&uses->all, sizeof(struct uses_item), hooks);
    vec_init(&uses->order, sizeof(struct uses_start), hooks);
    map_init(&uses->first, hooks);
    uses->known = false;
}

void uses_fini(struct uses *uses)
{
    vec_fini(&uses->all);
    vec_fini(&uses->order);
    map_fini(&uses->first);
}

void uses_forget(struct uses *uses)
{
    vec_clear(&uses->all);
    vec_clear(&uses->order);
    map_clear(&uses->first);
    uses->known = false;
}

static int uses_latest_first(const void *a, const void *b)
{
    const struct uses_start *left = a, *right = b;
    if (left->start_ns != right->start_ns)
        return left->start_ns > right->start_ns ? -1 : 1;
    return left->task > right->task ? -1 : left->task < right->task;
}

static uint64_t uses_key(const struct engine *engine, uint32_t buffer, uint32_t node)
{
    return (uint64_t)buffer * engine->node_count + node + 1;
}

/* In front of those that were added before, which start later. */
static bool uses_add(struct engine *engine, struct uses *uses, const struct task *task)
{
    const struct planned *planned = planner_of(engine, task);
    uint32_t node = engine->devices[engine_lane(engine, planned->lane)->device].node;
    for (uint32_t a = 0; a < task->access_count; a++) {
        uint64_t key = uses_key(engine, task_accesses(task)[a].buffer, node), next = USES_END;
        (void)map_get(&uses->first, key, &next);
        struct uses_item item = {.start_ns = planned->start_ns,
                                 .task = task->self,
                                 .generation = planned->generation,
                                 .next = (uint32_t)next};
        if (vec_push(&uses->all, &item) == NULL ||
            map_put(&uses->first, key, uses->all.count - 1) != FGPU_OK)
            return false;
    }
    return true;
}

void uses_make(struct engine *engine)
{
    struct planner *planner = engine->planner;
    struct uses *uses = &planner->uses;
    uses_forget(uses);
    for (uint32_t t = 0; t < planner->search.window.tasks.count; t++) {
        uint32_t slot = *(const uint32_t *)vec_at(&planner->search.window.tasks, t);
        const struct planned *planned = planner_at(engine, slot);
        struct uses_start start = {.start_ns = planned != NULL ? planned->start_ns : 0,
                                   .task = slot};
        if (planned != NULL && vec_push(&uses->order, &start) == NULL)
            return;
    }
    if (uses->order.count > 1)
        qsort(uses->order.items, uses->order.count, sizeof(struct uses_start), uses_latest_first);
    uses->known = true;
    for (size_t i = 0; i < uses->order.count && uses->known; i++) {
        const struct uses_start *start = vec_at(&uses->order, i);
        uses->known = uses_add(engine, uses, engine_task(engine, start->task));
    }
}

static bool uses_is_to_come(const struct engine *engine, const struct uses_item *item)
{
    const struct task *task = engine_task(engine, item->task);
    return task_generation(task) == item->generation && window_takes(task);
}

uint64_t uses_next_ns(struct engine *engine, uint32_t buffer, uint32_t node)
{
    struct uses *uses = &engine->planner->uses;
    uint64_t key = uses_key(engine, buffer, node), at = USES_END;
    if (!map_get(&uses->first, key, &at))
        return USES_NEVER;
    uint32_t first = (uint32_t)at;
    while (first != USES_END) {
        const struct uses_item *item = vec_at(&uses->all, first);
        if (uses_is_to_come(engine, item))
            break;
        first = item->next;
    }
    if (first != at)
        (void)map_put(&uses->first, key, first);
    return first != USES_END ? ((const struct uses_item *)vec_at(&uses->all, first))->start_ns
                             : USES_NEVER;
}

uint64_t uses_missing(struct engine *engine, uint32_t node, uint64_t most_bytes, uint64_t *until)
{
    struct uses *uses = &engine->planner->uses;
    uint64_t bytes = 0;
    uint32_t looked = 0;
    *until = engine->now_ns;
    for (size_t left = uses->order.count; left > 0 && looked < USES_AHEAD && bytes < most_bytes;
         left--) {
        const struct uses_start *start = vec_at(&uses->order, left - 1);
        const struct task *task = engine_task(engine, start->task);
        const struct planned *planned = planner_of(engine, task);
        if (planned == NULL || planned->start_ns != start->start_ns || !window_takes(task)) {
            uses->order.count -= left == uses->order.count;
            continue;
        }
        if (engine->devices[engine_lane(engine, planned->lane)->device].node != node)
            continue;
        looked++;
        *until = start->start_ns;
        for (uint32_t a = 0; a < task->access_count; a++) {
            uint32_t index = task_accesses(task)[a].buffer;
            struct buffer *buffer = engine_buffer(engine, index);
            if (engine_block(buffer, node)->state != BLOCK_PRESENT &&
                uses_next_ns(engine, index, node) == start->start_ns)
                bytes += atomic_load_relaxed_u64(&buffer->size_bytes);
        }
    }
    return bytes;
}
