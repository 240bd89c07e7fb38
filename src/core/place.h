/* Step 4, place: on which queue of which device. See place.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_PLACE_H
#define FASTGPU_CORE_PLACE_H

#include "core/engine.h"

/* struct policy_lane's `known`. */
enum place_known {
    PLACE_ASSUMED = 0, /* nobody has measured it */
    PLACE_LOADED,      /* an earlier process has */
    PLACE_MEASURED
};

/* PICKED -> PLACED: task->lane, task->predicted_ns and task->model are set. False when no device
 * can run the task (any more); it has been doomed with the reason in task->why. */
bool place_task(struct engine *engine, struct task *task);

/* Can this lane's device run the task at all? NULL, or why not. */
const char *place_obstacle(const struct engine *engine, const struct task *task,
                           const struct engine_device *device, uint32_t device_index);

/* Predicted run time on the device, compilation aside. [out] known: it comes from measurements. */
uint64_t place_cost_ns(struct engine *engine, const struct task *task, uint32_t device,
                       bool *known);

/* What place_on() would predict. [out] model: the model's slot, HISTORY_NONE. */
uint32_t place_predicted_ns(struct engine *engine, const struct task *task, uint32_t device,
                            uint32_t *model);

/* Set lane, prediction and model slot without a choice (chained tasks). */
void place_on(struct engine *engine, struct task *task, uint32_t lane);

/* Predicted time until what the access reads is on the node. */
uint64_t place_access_ns(const struct engine *engine, const struct task_access *access,
                         uint32_t node);

/* Tells trace and log of a place_on() that stays. [in] how: fgpu_placed. */
void place_tell(struct engine *engine, const struct task *task, uint8_t how);

static inline bool place_is_told(const struct engine *engine)
{
    return __builtin_expect(engine->trace->on || log_enabled(engine->log, FGPU_LOG_DEBUG), 0);
}

static inline void place_note(struct engine *engine, const struct task *task, uint8_t how)
{
    if (place_is_told(engine))
        place_tell(engine, task, how);
}

/* Sets what a kernel's task is predicted to take: task->model, task->predicted_ns. */
#define PLACE_UNKNOWN_NS 60000u /* a run that nobody has measured yet */
static inline void place_predict(struct engine *engine, struct task *task, uint32_t slot)
{
    uint64_t ns = 0;
    if (history_slot_predict(engine->history, slot, &ns) == HISTORY_UNKNOWN)
        ns = PLACE_UNKNOWN_NS;
    task->model = slot;
    task->predicted_ns = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* Predicted time until a task of `exec_ns` has finished behind `ready_ns` on a lane of that device.
 * Devices of one resource group compute with the same cores (a CPU that is reached in two ways):
 * there the task cannot have finished before all that is placed in the group has had its share of
 * them. [in] work: place_group_work(). */
uint64_t place_finish_ns(const struct engine_device *device, uint64_t ready_ns, uint64_t exec_ns,
                         uint64_t work);

/* What is placed on the lanes of the device's resource group, in ns x cores; 0 where it is the only
 * one there. */
uint64_t place_group_work(const struct engine *engine, const struct engine_device *device);

#endif
