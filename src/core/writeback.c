/* Write-back while a link is idle, see writeback.h. */
#include "core/writeback.h"

#include "core/future.h"
#include "core/move.h"
#include "core/planner.h"
#include "core/traffic.h"
#include "core/victim.h"

#define WRITEBACK_LOOK 8u   /* memories that are looked at for new tasks in a turn */
#define WRITEBACK_SHARE 32u /* of what is held so much is foreseen to go */

/* The lane that copies would go through; TASK_LANE_NONE: there is none for it. */
static uint16_t writeback_lane(const struct engine *engine, uint32_t node)
{
    const struct engine_node *n = &engine->nodes[node];
    uint32_t spill = engine->spill_node;
    if (n->lost || (spill != 0 && node == spill))
        return TASK_LANE_NONE;
    if (node == 0 && (spill == 0 || engine->spill_refused || engine->nodes[spill].lost))
        return TASK_LANE_NONE;
    const struct engine_device *device =
        &engine->devices[node == 0 ? engine->nodes[spill].device : n->device];
    if (device->lost || device->copy_count == 0)
        return TASK_LANE_NONE;
    uint32_t first = device->lane_first + device->lane_count;
    return (uint16_t)(node == 0 ? first : device->lane_first + engine_lanes_of(device) - 1);
}

/* Nothing is under way there, nor does anybody wait for room. */
static bool writeback_is_free(struct engine *engine, uint32_t node, uint16_t lane_index)
{
    const struct lane *lane = engine_lane(engine, lane_index);
    const struct engine_node *n = &engine->nodes[node];
    if (lane->issued != lane->done || lane->fence_due || n->short_task != TASK_NONE ||
        n->spills > 0)
        return false;
    return engine->traffic == NULL ||
           traffic_is_free(engine, node, node == 0 ? engine->spill_node : 0);
}

/* The block whose copy is worth it: the next tasks need more room than there is, also when all that
 * is clean and not theirs goes. TASK_NONE. */
static uint32_t writeback_find(struct engine *engine, uint32_t node)
{
    const struct heap *heap = &engine->nodes[node].heap;
    const struct victim_view view = victim_view(engine);
    uint64_t room =
        heap->ceiling_bytes > heap->used_bytes ? heap->ceiling_bytes - heap->used_bytes : 0;
    uint64_t most = room + heap->used_bytes / WRITEBACK_SHARE + 1, until, need;
    if (!view.known || most < room)
        return TASK_NONE;
    need = view.planned ? uses_missing(engine, node, most, &until)
                        : future_missing(engine, node, most, &until);
    if (need <= room)
        return TASK_NONE;
    const struct victim_stock stock = victim_stock(engine, node, &view, until);
    return stock.clean_bytes + room < need ? stock.dirty.buffer : TASK_NONE;
}

static void writeback_node(struct engine *engine, uint32_t node)
{
    uint16_t lane = writeback_lane(engine, node);
    if (lane == TASK_LANE_NONE || !writeback_is_free(engine, node, lane))
        return;
    uint32_t victim = writeback_find(engine, node);
    if (victim != TASK_NONE)
        move_out(engine, victim, node);
}

/* New tasks may need room anywhere: some of the memories that are short, in turn. */
static void writeback_news(struct engine *engine)
{
    uint32_t node = engine->tight_from;
    for (uint32_t i = 0; i < WRITEBACK_LOOK; i++) {
        node = bitset_next(&engine->tight, node);
        if (node == BITSET_END)
            break;
        bitset_add(&engine->relief, node++);
    }
    engine->tight_from = node == BITSET_END ? 0 : node;
    engine->tight_order = engine->order;
}

void writeback_look(struct engine *engine)
{
    if (engine->tight_order != engine->order)
        writeback_news(engine);
    for (uint32_t node = bitset_next(&engine->relief, 0); node != BITSET_END;
         node = bitset_next(&engine->relief, node + 1)) {
        bitset_remove(&engine->relief, node);
        writeback_node(engine, node);
    }
}
