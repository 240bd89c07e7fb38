/* Is what a world did a schedule? Looked at from outside: numbers of its runs alone. */
#include "lib/window_rig.h"

static bool rig_overlap(const struct world_run *a, const struct world_run *b)
{
    return a->worker == b->worker && a->start_ns < b->end_ns && b->start_ns < a->end_ns;
}

static const char *rig_wrong_task(const struct world *world, uint32_t task)
{
    const struct plan_window *window = world->window;
    const struct world_run *run = &world->runs[task];
    const struct plan_task *of = plan_task_at(window, task);
    if (run->worker >= window->workers.count)
        return "no such worker";
    const struct plan_worker *worker = plan_worker_at(window, run->worker);
    int64_t cost_ns = plan_cost_ns(window, of->type, worker->class_index);
    if (cost_ns == PLAN_CANNOT || run->end_ns - run->start_ns != cost_ns)
        return "runs not as long as it costs";
    if (of->only_worker != PLAN_NONE && of->only_worker != run->worker)
        return "runs on a worker that is not its own";
    if (run->start_ns < (int64_t)of->ready_ns || run->start_ns < (int64_t)worker->free_ns)
        return "starts before its time";
    for (uint32_t s = of->first_successor; s < (of + 1)->first_successor; s++)
        if (world->runs[plan_successors(window)[s]].start_ns < run->end_ns)
            return "a successor starts before its end";
    for (uint32_t other = 0; other < task; other++)
        if (rig_overlap(run, &world->runs[other]))
            return "two at a time on one worker";
    return NULL;
}

const char *rig_wrong(const struct world *world, int64_t makespan_ns)
{
    int64_t last_ns = 0;
    for (uint32_t t = 0; t < world->window->task_count; t++) {
        const char *wrong = rig_wrong_task(world, t);
        if (wrong != NULL)
            return wrong;
        last_ns = world->runs[t].end_ns > last_ns ? world->runs[t].end_ns : last_ns;
    }
    return last_ns == makespan_ns ? NULL : "the makespan is not the last end";
}
