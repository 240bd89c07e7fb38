/* Which lanes rest; see rest.h. */
#include "core/rest.h"

#include "core/planner.h"
#include "core/sched.h"

static void rest_set(struct engine *engine, struct lane *lane, bool rests)
{
    rests |= lane->overdue;
    if ((bool)lane->rests == rests)
        return;
    lane->rests = rests;
    sched_update_hunger(engine, lane);
}

void rest_plan(struct engine *engine)
{
    const struct planner *planner = engine->planner;
    if (engine->aim.cap_watt <= 0 && engine->aim.objective != PLAN_ENERGY &&
        engine->aim.objective != PLAN_EDP)
        return;
    for (uint32_t i = 0; i < engine->lane_count; i++)
        rest_set(engine, engine_lane(engine, i), !engine->lanes[i].copies);
    for (size_t i = 0; i < planner->entries.count; i++) {
        const struct planned *entry = vec_at(&planner->entries, i);
        if (entry->lane != PLAN_NONE)
            rest_set(engine, engine_lane(engine, entry->lane), false);
    }
}

void rest_end(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->lane_count; i++)
        rest_set(engine, engine_lane(engine, i), false);
}
