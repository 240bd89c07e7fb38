/* The failures that nobody has been told of yet: what fgpu_pool_wait() reports, earliest first.
 * Runs under the engine's lock.
 */
#include "core/engine.h"

#include <stdio.h>

/* Not forgotten since. */
static bool engine_still_failed(const struct engine *engine, const struct engine_failure *failure)
{
    const struct task *task = engine_task(engine, failure->task);
    return task_generation(task) == failure->generation && !(task->flags & TASK_F_UNLISTED);
}

/* A program that forgets its failures and never waits for the pool must not make the list grow. */
static void engine_sweep_failures(struct engine *engine)
{
    struct vec *failures = &engine->failures;
    size_t kept = 0;
    for (size_t i = engine->failures_head; i < failures->count; i++) {
        struct engine_failure failure = *(struct engine_failure *)vec_at(failures, i);
        if (engine_still_failed(engine, &failure))
            *(struct engine_failure *)vec_at(failures, kept++) = failure;
    }
    failures->count = kept;
    engine->failures_head = 0;
}

void engine_note_failure(struct engine *engine, const struct task *task)
{
    struct engine_failure failure = {task->self, task_generation(task)};
    if (engine->failures.count == engine->failures.capacity) {
        size_t before = engine->failures.count;
        engine_sweep_failures(engine);
        if (engine->failures.count > before / 2)
            (void)vec_reserve(&engine->failures, 2 * before);
    }
    (void)vec_push(&engine->failures, &failure); /* without memory the earlier ones are told */
}

uint32_t engine_first_failure(struct engine *engine)
{
    while (engine->failures_head < engine->failures.count) {
        const struct engine_failure *failure = vec_at(&engine->failures, engine->failures_head);
        if (engine_still_failed(engine, failure))
            return failure->task;
        engine->failures_head++;
    }
    return TASK_NONE;
}

uint32_t engine_take_failure(struct engine *engine)
{
    uint32_t task = engine_first_failure(engine);
    vec_clear(&engine->failures);
    engine->failures_head = 0;
    return task;
}

void engine_note_unreturned(struct engine *engine, const struct task *task)
{
    struct engine_unreturned *unreturned = &engine->unreturned;
    /* The name of a root that had ended well before its data were lost has no state. */
    if (!task_is_own_root(task) && (task->root_word & TASK_STATE_MASK) != FGPU_TASK_NEW)
        return;
    if (unreturned->count++ > 0)
        return;
    const struct task_access *access = task_accesses(task);
    unreturned->status = (fgpu_status)task->status;
    snprintf(unreturned->name, sizeof unreturned->name, "%s",
             task->access_count > 0 ? engine_buffer(engine, access->buffer)->name : "");
}
