/* Tasks: submit, wait, state, error, cancel, forget. Thread: any. */
#include "api/task.h"
#include "api/reduce.h"

#include "api/quick.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"

void fgpu_task_desc_init(fgpu_task_desc *desc)
{
    memset(desc, 0, sizeof *desc);
    desc->struct_bytes = sizeof *desc;
}

static fgpu_status task_submit_any(struct pool *pool, const fgpu_task_desc *desc, fgpu_task *task)
{
    struct task_room room;
    struct submit_request request;
    fgpu_status status = task_check(pool, desc, "fgpu_task_submit", &room, &request);
    if (status == FGPU_OK && desc->terms != NULL)
        status = task_check_terms(pool, desc->terms, "fgpu_task_submit", &room, &request);
    if (status != FGPU_OK)
        return status;
    uint32_t index, generation;
    status = reduce_submit(pool, &request, &index, &generation);
    if (status == FGPU_OK && task != NULL)
        *task = lookup_task_handle(pool, index, generation);
    return status;
}

static inline fgpu_status task_submit(struct pool *pool, const fgpu_task_desc *desc,
                                      fgpu_task *task)
{
    return quick_submit(pool, desc, task) ? FGPU_OK : task_submit_any(pool, desc, task);
}

fgpu_status fgpu_task_submit(fgpu_pool handle, const fgpu_task_desc *desc, fgpu_task *task)
{
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_task_submit", &status);
    return pool != NULL ? task_submit(pool, desc, task) : status;
}

fgpu_status fgpu_task_run(fgpu_kernel kernel, uint64_t global, const fgpu_arg *args,
                          uint32_t arg_count, fgpu_task *task)
{
    fgpu_status status;
    LOOKUP_GUEST *pool =
        lookup_pool_of(kernel.bits, HANDLE_KERNEL, "fgpu_task_run: kernel", &status);
    if (pool == NULL)
        return status;
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = global;
    desc.args = args;
    desc.arg_count = arg_count;
    return task_submit(pool, &desc, task);
}

/* ---- errors ----------------------------------------------------------------------------- */

fgpu_status task_error_text(const struct pool *pool, uint32_t index)
{
    const struct task *task = engine_task(&pool->driver->engine, index);
    char name[96], root_name[96];
    lookup_task_name(pool, index, name, sizeof name);
    fgpu_status status = (fgpu_status)task->status;
    if (task_is_own_root(task) || task->root == TASK_NONE)
        return error_set(status, "%s: %s%s%s", name, fgpu_status_text(status),
                         task->why != NULL ? ": " : "", task->why != NULL ? task->why : "");
    const struct task *root = engine_task(&pool->driver->engine, task->root);
    bool there = task_generation(root) == task->root_word >> TASK_STATE_BITS;
    if (!there)
        return error_set(status,
                         "%s: %s: it began with task %u, which was forgotten or whose data was "
                         "lost with its device",
                         name, fgpu_status_text(status), task->root);
    lookup_task_name(pool, task->root, root_name, sizeof root_name);
    return error_set(status, "%s: %s: it began with %s: %s%s%s", name, fgpu_status_text(status),
                     root_name, fgpu_status_text(root->status), root->why != NULL ? ": " : "",
                     root->why != NULL ? root->why : "");
}

/* The task behind a handle and its pool, as lookup_task(); the caller is a guest of *pool. */
static fgpu_status task_get(fgpu_task handle, const char *who, struct pool **pool, uint32_t *index,
                            uint32_t *word, bool *gone)
{
    fgpu_status status;
    *pool = lookup_pool_of(handle.bits, HANDLE_TASK, who, &status);
    FGPU_ASSERT(*pool != NULL || status != FGPU_OK);
    return *pool != NULL ? lookup_task(*pool, handle, who, index, word, gone) : status;
}

/* ---- waiting ---------------------------------------------------------------------------- */

struct task_target {
    uint32_t index;
    uint32_t generation;
};

static bool task_has_ended(struct driver *driver, void *user)
{
    const struct task_target *target = user;
    uint32_t word = task_word(engine_task(&driver->engine, target->index));
    return word >> TASK_STATE_BITS != target->generation ||
           task_state_ended(word & TASK_STATE_MASK);
}

static fgpu_status task_result_status(struct pool *pool, uint32_t index, uint32_t generation)
{
    uint32_t word = task_word(engine_task(&pool->driver->engine, index));
    if (word >> TASK_STATE_BITS != generation || (word & TASK_STATE_MASK) == FGPU_TASK_DONE)
        return FGPU_OK;
    driver_enter(pool->driver);
    fgpu_status status = FGPU_OK;
    if (task_generation(engine_task(&pool->driver->engine, index)) == generation)
        status = task_error_text(pool, index);
    driver_leave(pool->driver);
    return status;
}

fgpu_status task_wait(struct pool *pool, uint32_t index, uint32_t generation, uint64_t timeout_ns)
{
    struct task_target target = {index, generation};
    if (!task_has_ended(pool->driver, &target)) {
        uint64_t deadline_ns = UINT64_MAX;
        if (timeout_ns != FGPU_FOREVER) {
            uint64_t now_ns = clock_now_ns();
            deadline_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
        }
        fgpu_status status = driver_wait(pool->driver, task_has_ended, &target, deadline_ns);
        if (status == FGPU_OK)
            status = task_result_status(pool, index, generation);
        else
            (void)error_set(status, "task %u has not ended after %llu ns", index,
                            (unsigned long long)timeout_ns);
        return status;
    }
    return task_result_status(pool, index, generation);
}

fgpu_status fgpu_task_wait(fgpu_task handle, uint64_t timeout_ns)
{
    static const char who[] = "fgpu_task_wait: task";
    LOOKUP_GUEST *pool = NULL;
    uint32_t index, word;
    bool gone;
    fgpu_status status = task_get(handle, who, &pool, &index, &word, &gone);
    if (status != FGPU_OK || gone)
        return status;
    if (!task_state_ended(word & TASK_STATE_MASK) && timeout_ns != 0) {
        status = lookup_may_wait("fgpu_task_wait");
        if (status != FGPU_OK)
            return status;
    }
    return task_wait(pool, index, word >> TASK_STATE_BITS, timeout_ns);
}

/* ---- questions -------------------------------------------------------------------------- */

fgpu_status fgpu_task_get_state(fgpu_task handle, fgpu_task_state *state)
{
    static const char who[] = "fgpu_task_get_state: task";
    if (state == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_task_get_state: state is NULL");
    LOOKUP_GUEST *pool = NULL;
    uint32_t index, word;
    bool gone;
    fgpu_status status = task_get(handle, who, &pool, &index, &word, &gone);
    if (status == FGPU_OK)
        *state = gone ? FGPU_TASK_DONE : (fgpu_task_state)(word & TASK_STATE_MASK);
    return status;
}

static void task_fill_error(struct pool *pool, uint32_t index, fgpu_status *failure,
                            fgpu_task *root, char *text, size_t text_bytes)
{
    const struct task *task = engine_task(&pool->driver->engine, index);
    *failure = task_error_text(pool, index);
    if (root != NULL) {
        root->bits = 0;
        if (task->root != TASK_NONE)
            *root = lookup_task_handle(pool, task->root, task->root_word >> TASK_STATE_BITS);
    }
    if (text != NULL && text_bytes > 0)
        snprintf(text, text_bytes, "%s", error_text());
}

fgpu_status fgpu_task_get_error(fgpu_task handle, fgpu_status *failure, fgpu_task *root, char *text,
                                size_t text_bytes)
{
    static const char who[] = "fgpu_task_get_error: task";
    if (failure == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_task_get_error: status is NULL");
    LOOKUP_GUEST *pool = NULL;
    uint32_t index, word;
    bool gone;
    fgpu_status status = task_get(handle, who, &pool, &index, &word, &gone);
    if (status != FGPU_OK)
        return status;
    if (!gone && !task_state_ended(word & TASK_STATE_MASK))
        return error_set(FGPU_E_BUSY, "fgpu_task_get_error: the task has not ended");
    *failure = FGPU_OK;
    if (root != NULL)
        root->bits = 0;
    if (text != NULL && text_bytes > 0)
        text[0] = '\0';
    if (gone || (word & TASK_STATE_MASK) == FGPU_TASK_DONE)
        return FGPU_OK;
    driver_enter(pool->driver);
    if (task_generation(engine_task(&pool->driver->engine, index)) == word >> TASK_STATE_BITS)
        task_fill_error(pool, index, failure, root, text, text_bytes);
    driver_leave(pool->driver);
    return FGPU_OK;
}

fgpu_status fgpu_task_cancel(fgpu_task handle)
{
    static const char who[] = "fgpu_task_cancel: task";
    LOOKUP_GUEST *pool = NULL;
    uint32_t index, word;
    bool gone;
    fgpu_status status = task_get(handle, who, &pool, &index, &word, &gone);
    if (status != FGPU_OK)
        return status;
    driver_enter(pool->driver);
    gone |= task_generation(engine_task(&pool->driver->engine, index)) != word >> TASK_STATE_BITS;
    status = gone ? FGPU_E_BUSY : engine_cancel(&pool->driver->engine, index);
    driver_leave(pool->driver);
    return status == FGPU_OK ? status : error_set(status, "%s: it has started or ended", who);
}

fgpu_status fgpu_task_forget(fgpu_task handle)
{
    static const char who[] = "fgpu_task_forget: task";
    LOOKUP_GUEST *pool = NULL;
    uint32_t index, word;
    bool gone;
    fgpu_status status = task_get(handle, who, &pool, &index, &word, &gone);
    if (status != FGPU_OK || gone)
        return status;
    driver_enter(pool->driver);
    word = task_word(engine_task(&pool->driver->engine, index));
    if ((word >> TASK_STATE_BITS & HANDLE_GENERATION_MASK) == handle_generation(handle.bits)) {
        if (!task_state_ended(word & TASK_STATE_MASK))
            status = FGPU_E_BUSY;
        else if ((word & TASK_STATE_MASK) != FGPU_TASK_DONE)
            engine_forget(&pool->driver->engine, index);
    }
    driver_leave(pool->driver);
    return status == FGPU_OK ? status : error_set(status, "%s: it has not ended", who);
}
