/* Guards and slices of launches: see guard.h. */
#include "dev/cuda/guard.h"

#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/preempt.h"
#include "dev/cuda/mem.h"
#include "dev/cuda/text.h"

/* ---- memory ----------------------------------------------------------------------------- */

static uint64_t guard_bytes(const struct cuda_guard *guard)
{
    return LIMITS_CACHE_LINE + guard->groups;
}

static void guard_free(struct cuda_device *device, struct cuda_guard *guard)
{
    /* What a queue that never ended may still use is not given back. */
    if (!device->leaked && cuda_device_enter(device) == CUDA_SUCCESS) {
        cuda_pinned_put(device, (void *)guard->flag, guard_bytes(guard));
        if (guard->done != 0)
            cuda_mem_put(device, guard->done);
        cuda_device_leave(device);
    }
    free(guard);
}

static cuda_result guard_fill(struct cuda_device *device, struct cuda_guard *guard)
{
    cuda_result error = cuda_device_enter(device);
    char *pinned = NULL;

    if (error != CUDA_SUCCESS)
        return error;
    pinned = cuda_pinned_get(device, guard_bytes(guard));
    if (pinned == NULL) {
        error = CUDA_ERROR_OUT_OF_MEMORY;
    } else {
        memset(pinned, 0, guard_bytes(guard));
        guard->flag = (_Atomic uint32_t *)(void *)pinned;
        guard->flag_at = (uint64_t)(uintptr_t)pinned; /* addresses are unified */
        guard->seen = (uint8_t *)pinned + LIMITS_CACHE_LINE;
        error = cuda_mem_get(device, guard->groups, &guard->done);
    }
    cuda_device_leave(device);
    return error;
}

fgpu_status cuda_guard_make(struct cuda_device *device, uint64_t groups, fgpu_guard *made)
{
    struct cuda_guard *guard = NULL;
    cuda_result error;

    *made = 0;
    if (groups == 0 || groups > CODE_PREEMPT_GROUPS)
        return error_set(FGPU_E_LIMIT, "cuda:%u: a guard for %llu groups, at most %u",
                         device->index, (unsigned long long)groups, CODE_PREEMPT_GROUPS);
    guard = calloc(1, sizeof *guard);
    if (guard == NULL)
        return FGPU_E_NOMEM;
    guard->groups = groups;
    guard->fresh = true;
    error = guard_fill(device, guard);
    if (error == CUDA_SUCCESS) {
        *made = (fgpu_guard)(uintptr_t)guard;
        return FGPU_OK;
    }
    guard->done = 0;
    guard_free(device, guard);
    return error_set(cuda_text_status(error), "cuda:%u: no guard for %llu groups: %s (%d)",
                     device->index, (unsigned long long)groups, cuda_text_name(error), error);
}

fgpu_status cuda_guard_open(void *opened, uint64_t groups, fgpu_guard *made)
{
    struct cuda_device *device = opened;
    uint32_t live = 0;
    fgpu_status status = cuda_live_flag(device, &live);

    *made = 0;
    if (status == FGPU_OK && live == 0)
        status =
            error_set(FGPU_E_UNSUPPORTED,
                      "cuda:%u: a running kernel does not see what the host stores", device->index);
    return status == FGPU_OK ? cuda_guard_make(device, groups, made) : status;
}

void cuda_guard_close(void *opened, fgpu_guard closed)
{
    if (closed != 0)
        guard_free(opened, cuda_guard_of(closed));
}

void cuda_guard_stop(void *device, fgpu_guard guard, uint32_t stop)
{
    (void)device;
    atomic_store_release_u32(cuda_guard_of(guard)->flag, stop);
}

uint64_t cuda_guard_left(void *device, fgpu_guard asked, uint64_t first, uint64_t count)
{
    const struct cuda_guard *guard = cuda_guard_of(asked);
    uint64_t left = 0;

    (void)device;
    if (first >= guard->groups)
        return 0;
    if (count > guard->groups - first)
        count = guard->groups - first;
    for (uint64_t g = first; g < first + count; g++)
        left += ((const volatile uint8_t *)guard->seen)[g] == 0;
    return left;
}

/* ---- launches --------------------------------------------------------------------------- */

bool cuda_guard_shape(const fgpu_cmd_slice *slice, const struct cuda_code *code,
                      struct cuda_slice *shape)
{
    const fgpu_cmd_launch *launch = &slice->launch;
    const uint32_t *wanted = launch->local[0] != 0 ? launch->local : code->required_local;
    const struct cuda_guard *guard = cuda_guard_of(slice->guard);
    uint64_t groups = 1, items = 1;

    *shape = (struct cuda_slice){.place = {(uint32_t)slice->first, 1, 1, 1}};
    if (code->form != (guard != NULL ? FGPU_FORM_GUARDED : FGPU_FORM_SLICED) || wanted[0] == 0)
        return false;
    for (uint32_t d = 0; d < 3; d++) {
        uint64_t global = d < launch->dims ? launch->global[d] : 1;
        uint64_t local = d < launch->dims && wanted[d] != 0 ? wanted[d] : 1;
        if (global == 0 || global % local != 0 || global / local > CODE_PREEMPT_GROUPS)
            return false;
        groups *= global / local;
        items *= local;
        if (groups > CODE_PREEMPT_GROUPS || items > code->max_items)
            return false;
        shape->place[d + 1] = (uint32_t)(global / local);
        shape->block[d] = (unsigned)local;
    }
    /* A row of a grid is of at most 2^31 - 1 groups. */
    if (slice->count == 0 || slice->count > groups || slice->count >= CODE_PREEMPT_GROUPS ||
        slice->first > groups - slice->count || (guard != NULL && guard->groups != groups))
        return false;
    shape->groups = (unsigned)slice->count;
    return true;
}

cuda_result cuda_guard_before(struct cuda_queue *queue, struct cuda_guard *guard)
{
    cuda_result error = CUDA_SUCCESS;

    if (guard->fresh)
        error = queue->api->set_8(guard->done, guard->groups, 0, guard->groups, 1, queue->stream);
    if (error == CUDA_SUCCESS)
        guard->fresh = false;
    return error;
}

cuda_result cuda_guard_behind(struct cuda_queue *queue, const fgpu_cmd_slice *slice)
{
    const struct cuda_guard *guard = cuda_guard_of(slice->guard);

    return queue->api->copy_out(guard->seen + slice->first, guard->done + slice->first,
                                slice->count, queue->stream);
}

/* ---- compiling ahead -------------------------------------------------------------------- */

/* Nothing is compiled when a launch begins: the driver loads functions when code is built. What it
 * does not take is said now. */
fgpu_status cuda_guard_warm(void *opened, const fgpu_cmd_launch *launch)
{
    const struct cuda_device *device = opened;
    const struct cuda_code *code = cuda_code_of(launch->code);
    struct cuda_guard guard = {.groups = 1};
    fgpu_cmd_slice slice = {.launch = *launch, .count = 1};
    struct cuda_slice shape;

    if (code->form == FGPU_FORM_WHOLE || launch->dims < 1 || launch->dims > 3)
        return error_set(FGPU_E_INVAL, "cuda:%u: compiling ahead is for slices of a grid",
                         device->index);
    if (code->form == FGPU_FORM_GUARDED)
        slice.guard = (fgpu_guard)(uintptr_t)&guard;
    for (uint32_t d = 0; d < launch->dims; d++) {
        uint32_t local = launch->local[0] != 0 ? launch->local[d] : code->required_local[d];
        slice.launch.global[d] = local != 0 ? local : 1;
    }
    if (!cuda_guard_shape(&slice, code, &shape))
        return error_set(FGPU_E_INVAL, "cuda:%u: a work-group size that the kernel does not take",
                         device->index);
    if (shape.block[2] > LIMITS_CUDA_BLOCK_Z)
        return error_set(FGPU_E_INVAL,
                         "cuda:%u: %u items of a work group in dimension 2, at most %u",
                         device->index, shape.block[2], LIMITS_CUDA_BLOCK_Z);
    return FGPU_OK;
}
