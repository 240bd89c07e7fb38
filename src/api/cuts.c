/* Argument checks of divisible tasks: how each argument is cut.
 *
 * Runs on the submitting thread without the lock, after the other checks (check.c). Thread: any.
 */
#include "api/task.h"

static fgpu_status cuts_check_buffer(const struct submit_arg *arg, const fgpu_cut *cut, uint32_t i,
                                     uint64_t items, const char *who)
{
    uint64_t bytes = arg->shape.pitch_bytes * (arg->shape.rows - 1) + arg->shape.row_bytes;
    uint64_t step = cut->items != 0 ? cut->items : 1, steps = (items - 1) / step + 1, reach;
    if (cut->bytes == 0)
        return error_set(FGPU_E_INVAL, "%s: cut %u: bytes is 0", who, i);
    if (arg->shape.rows > 1 && cut->bytes % arg->shape.pitch_bytes != 0)
        return error_set(
            FGPU_E_INVAL, "%s: cut %u: bytes is %llu, the argument has rows with a pitch of %llu",
            who, i, (unsigned long long)cut->bytes, (unsigned long long)arg->shape.pitch_bytes);
    if ((arg->mode & FGPU_WRITE) && (cut->before != 0 || cut->after != 0))
        return error_set(FGPU_E_INVAL,
                         "%s: cut %u: the argument is written: it has no halo, before is %u and "
                         "after is %u",
                         who, i, cut->before, cut->after);
    if (!__builtin_mul_overflow(steps, cut->bytes, &reach) && reach < bytes)
        return error_set(FGPU_E_RANGE,
                         "%s: cut %u: %llu times %llu bytes do not cover the argument's %llu", who,
                         i, (unsigned long long)steps, (unsigned long long)cut->bytes,
                         (unsigned long long)bytes);
    return FGPU_OK;
}

static fgpu_status cuts_check_one(const struct submit_arg *arg, const fgpu_cut *cut, uint32_t i,
                                  uint64_t items, const char *who)
{
    if (cut->kind > FGPU_CUT_ITEMS)
        return error_set(FGPU_E_INVAL, "%s: cut %u: kind is %u, it takes 0 and 1", who, i,
                         cut->kind);
    if (arg->kind != FGPU_ARG_BUFFER && cut->kind != FGPU_CUT_WHOLE)
        return error_set(FGPU_E_INVAL, "%s: cut %u: the argument is no buffer, give FGPU_CUT_WHOLE",
                         who, i);
    if (cut->kind == FGPU_CUT_ITEMS)
        return cuts_check_buffer(arg, cut, i, items, who);
    if (arg->kind == FGPU_ARG_BUFFER && (arg->mode & FGPU_WRITE))
        return error_set(FGPU_E_INVAL,
                         "%s: cut %u: the argument is written: pieces cannot have all of it", who,
                         i);
    return FGPU_OK;
}

fgpu_status task_check_cuts(const struct pool *pool, const fgpu_task_desc *desc,
                            const struct kernel *kernel, const char *who,
                            struct submit_request *request)
{
    if (kernel == NULL)
        return error_set(FGPU_E_INVAL, "%s: cuts are given, but the task runs no kernel", who);
    uint64_t items = request->global[request->dims - 1];
    for (uint32_t i = 0; i < request->arg_count; i++)
        if (request->args[i].kind == FGPU_ARG_BUFFER && request->args[i].mode == FGPU_REDUCE)
            return error_set(FGPU_E_UNSUPPORTED,
                             "%s: argument %u: a task with access FGPU_REDUCE cannot be divided: "
                             "cuts must be NULL",
                             who, i);
    for (uint32_t i = 0; i < request->arg_count; i++) {
        fgpu_status status = cuts_check_one(&request->args[i], &desc->cuts[i], i, items, who);
        if (status != FGPU_OK)
            return status;
    }
    if ((kernel->whole_dims >> (request->dims - 1) & 1) == 0)
        request->cuts = desc->cuts;
    else
        LOG_DEBUG(pool->driver->engine.log, "split", "a task of kernel '%s' is not divided: %s",
                  kernel->name, kernel->whole_why);
    return FGPU_OK;
}
