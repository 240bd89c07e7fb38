/* The window: the engine's pending tasks as numbers that policies can plan with.
 *
 * Runs under the engine's lock; changes nothing of the engine but the performance model's slots.
 */
#ifndef FASTGPU_CORE_WINDOW_H
#define FASTGPU_CORE_WINDOW_H

#include "base/map.h"
#include "core/engine.h"
#include "plan/window.h"

/* Filled again and again; keeps its memory. */
struct window {
    struct plan_window plan;
    struct vec tasks;   /* uint32_t: task slot of each of the plan's tasks */
    struct vec samples; /* uint32_t: task slot of the first task of each type */
    struct vec lanes;   /* uint32_t: lane of each of the plan's workers */
    struct vec worker;  /* uint32_t: the plan's worker of each lane, PLAN_NONE */
    struct vec classes; /* uint32_t: a device of each of the plan's classes */
    struct vec after;   /* uint32_t: of each of the plan's tasks, slot of what runs and ends last of
                           what it waits for; PLAN_NONE */
    struct vec place;   /* uint32_t: number in the plan of each task slot, PLAN_NONE */
    struct map types;   /* what a task is -> type */
    struct map data;    /* range of a buffer -> the plan's data */
    struct vec pinned;  /* uint8_t: tasks ask for each device; those have classes of their own */
    uint64_t work_ns;   /* predicted time of all tasks, each on its cheapest class */
    struct vec untried; /* uint32_t: classes where nobody has measured each type */
    uint32_t gaps;      /* of all types together */
    uint32_t known;     /* types whose cost is known somewhere */
    struct vec latency; /* uint64_t [source * nodes + target], where no paths are described */
    struct vec reach;   /* uint8_t [the same]: directly, or by way of the host */
    const struct engine *engine;
};

void window_init(struct window *window, const struct alloc_hooks *hooks);
void window_fini(struct window *window);

/* From the tasks that are linked and not handed out. At most `most` tasks: beyond that nothing is
 * done. False without memory, or when there are too many. */
bool window_fill(struct window *window, struct engine *engine, uint32_t most);

/* Does the task still wait to be handed out, so that a plan may cover it? */
bool window_takes(const struct task *task);

#endif
