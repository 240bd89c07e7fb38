/* Which tasks fill a device, and the lane of those that do not: see beside.h. */
#include "core/beside.h"

#include "core/place.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"

#define BESIDE_LEAST_NS                                                                            \
    20000u /* of shorter ones the host's share is as long: nothing is gained                       \
            */

/* Work groups of a launch; UINT64_MAX where the device chooses their size. A brief record has no
 * body before it is launched: one dimension of as many items as its size. */
static uint64_t beside_groups(const struct engine *engine, const struct task *task, uint32_t device)
{
    const fgpu_cmd_launch *launch = task_body(task);
    const struct code *code = engine_code(engine, engine_kernel(engine, task->kernel), device);
    bool chosen = !(task->flags & TASK_F_AUTO_LOCAL);
    uint64_t groups = 1;
    if (launch == NULL && chosen)
        return UINT64_MAX;
    for (uint32_t i = 0; i < (launch != NULL ? launch->dims : 1); i++) {
        uint64_t local = chosen ? launch->local[i] : code->required_local[i];
        uint64_t items = launch != NULL ? launch->global[i] : task->size;
        if (local == 0 ||
            __builtin_mul_overflow(groups, items / local + (items % local != 0), &groups))
            return UINT64_MAX;
    }
    return groups;
}

bool beside_fits(const struct engine *engine, const struct task *task,
                 const struct engine_device *device)
{
    if (device->side_count == 0 || task->kind != TASK_KERNEL || (task->marks & TASK_M_PIECE))
        return false;
    uint64_t groups = beside_groups(engine, task, (uint32_t)(device - engine->devices));
    return groups <= device->caps.fill_groups / (device->side_count + device->lane_count);
}

void beside_place(struct engine *engine, struct task *task)
{
    const struct engine_device *device = &engine->devices[engine_lane(engine, task->lane)->device];
    uint64_t least_ns = UINT64_MAX;
    uint32_t best = task->lane;
    if (engine->preempt != NULL && device->side_count > 0 && task->kind == TASK_KERNEL &&
        serve_is_urgent(engine, task)) {
        uint32_t lane = preempt_urgent_lane(engine, device);
        if (lane != task->lane)
            place_on(engine, task, lane);
        return;
    }
    if (task->predicted_ns < BESIDE_LEAST_NS || !beside_fits(engine, task, device))
        return;
    for (uint32_t i = 0; i < device->lane_count + device->side_count; i++) {
        const struct lane *lane = engine_lane(engine, device->lane_first + i);
        uint64_t ns = sched_flight_ns(engine, lane) + lane->backlog_ns;
        if (ns >= least_ns)
            continue;
        least_ns = ns;
        best = lane->index;
    }
    if (best != task->lane)
        place_on(engine, task, best);
}

uint32_t beside_others(const struct engine *engine, const struct task *task,
                       const struct lane *lane, uint64_t start_ns)
{
    const struct engine_device *device = &engine->devices[lane->device];
    uint32_t others = 0;
    if (device->side_count == 0 || beside_fits(engine, task, device))
        return 0;
    for (uint32_t i = 0; i < device->lane_count + device->side_count; i++) {
        const struct lane *other = engine_lane(engine, device->lane_first + i);
        others += other != lane && (other->flight_tasks > 0 || other->timed_end_ns > start_ns);
    }
    return others;
}
