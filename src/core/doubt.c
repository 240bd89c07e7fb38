/* Where loaded predictions are tried again; see doubt.h. */
#include "core/doubt.h"

#include "core/place.h"
#include "core/serve.h"

/* Time of what has run and of what waits, on all devices; with what it costs to know. */
static uint64_t doubt_work_ns(const struct engine *engine)
{
    uint64_t work_ns = 0;
    for (uint32_t d = 0; d < engine->device_count; d++)
        work_ns += engine->devices[d].stats.busy_ns;
    for (uint32_t l = 0; l < engine->lane_count; l++)
        work_ns += engine_lane(engine, l)->flight_ns + engine_lane(engine, l)->backlog_ns;
    return work_ns;
}

static bool doubt_pays(const struct engine *engine, uint64_t extra_ns)
{
    return engine->doubt_ns + extra_ns <= doubt_work_ns(engine) / DOUBT_SHARE;
}

/* Tasks that people wait for go where they end first. */
static bool doubt_may(const struct engine *engine, const struct task *task)
{
    return task->kind == TASK_KERNEL && task->pin == TASK_DEVICE_ANY &&
           !(task->marks & TASK_M_PIECE) &&
           (engine->serve == NULL || !serve_is_urgent(engine, task));
}

bool doubt_would(const struct engine *engine, const struct task *task, uint32_t model,
                 uint64_t extra_ns)
{
    return history_slot_is_doubted(engine->history, model) && doubt_may(engine, task) &&
           doubt_pays(engine, extra_ns);
}

uint32_t doubt_choose(struct engine *engine, const struct task *task, uint32_t count,
                      uint32_t choice)
{
    const struct policy_lane *lanes = engine->candidates;
    uint32_t chosen = engine_lane(engine, lanes[choice].lane)->device, best = choice;
    uint64_t base_ns = policy_lane_cost_ns(&lanes[choice]), least_ns = UINT64_MAX;
    if (!doubt_may(engine, task))
        return choice;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t device = engine_lane(engine, lanes[i].lane)->device, model;
        if (lanes[i].known != PLACE_LOADED || device == chosen)
            continue;
        if (engine_code(engine, engine_kernel(engine, task->kernel), device)->state != CODE_READY)
            continue; /* it would choose anew when that is there */
        uint64_t cost_ns = policy_lane_cost_ns(&lanes[i]);
        uint64_t extra_ns = cost_ns > base_ns ? cost_ns - base_ns : 0;
        (void)place_predicted_ns(engine, task, device, &model);
        if (extra_ns < least_ns && history_slot_is_doubted(engine->history, model)) {
            least_ns = extra_ns;
            best = i;
        }
    }
    if (best == choice || !doubt_pays(engine, least_ns))
        return choice;
    uint32_t model;
    (void)place_predicted_ns(engine, task, engine_lane(engine, lanes[best].lane)->device, &model);
    history_slot_ask(engine->history, model);
    engine->doubt_ns += least_ns;
    return best;
}
