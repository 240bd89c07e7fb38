/* Which lane carries a copy: see ways.h. */
#include "core/ways.h"

#define WAYS_SHORT_NS 200000u /* some times the host's turn */
#define WAYS_IDLE_NS 4000000u /* so long others may have to wait behind it, should they come */

static const struct engine_device *ways_device(const struct engine *engine, uint32_t node)
{
    return &engine->devices[engine->nodes[node].device];
}

uint16_t ways_out_lane(const struct engine *engine, uint32_t node)
{
    const struct engine_device *device = ways_device(engine, node);
    uint32_t last = device->copy_count > 0 ? engine_lanes_of(device) - 1 : 0;
    return (uint16_t)(device->lane_first + last);
}

uint16_t ways_in_lane(const struct engine *engine, uint32_t node, uint16_t lane)
{
    const struct engine_device *device = ways_device(engine, node);
    if (node == 0 || device->copy_count == 0)
        return lane;
    return (uint16_t)(device->lane_first + device->lane_count);
}

static bool ways_idle(const struct engine *engine, uint16_t lane)
{
    const struct lane *l = engine_lane(engine, lane);
    return l->issued == l->done;
}

/* In virtual time the host's turn takes none. */
static bool ways_apart(const struct engine *engine)
{
    return engine->traffic != NULL || engine->copies_apart;
}

bool ways_follow(const struct engine *engine, uint32_t src, uint16_t lane, uint64_t bytes)
{
    if (lane == TASK_LANE_NONE || ways_apart(engine))
        return false;
    uint32_t node = engine->devices[engine_lane(engine, lane)->device].node;
    uint64_t ns = engine_copy_ns(engine, src, node, bytes);
    if (ns <= WAYS_SHORT_NS)
        return true;
    return ns <= WAYS_IDLE_NS && ways_idle(engine, lane) &&
           ways_idle(engine, ways_in_lane(engine, node, lane));
}

bool ways_ahead(const struct engine *engine, struct task *task, uint32_t node)
{
    if (node == 0 || ways_apart(engine))
        return true;
    for (uint32_t i = 0; i < task->access_count; i++) {
        const struct task_access *a = &task_accesses(task)[i];
        if ((a->mode & FGPU_READ) &&
            engine_copy_ns(engine, 0, node, a->end - a->begin) > WAYS_SHORT_NS)
            return true;
    }
    return false;
}

bool ways_reach(const struct engine *engine, uint32_t src, uint32_t dst)
{
    return src != 0 && dst != 0 && engine->reaches != NULL &&
           ways_device(engine, dst)->copy_count > 0 &&
           engine->reaches(engine->reaches_user, src, dst);
}
