/* Shape and arguments of native launches: see native.h. */
#include "dev/host/native.h"

#include "base/alloc.h"

#define NATIVE_LOCAL_ALIGN 64u          /* a cache line, and any vector type */
#define NATIVE_LOCAL_LIMIT (1ull << 30) /* local memory of one launch, all arguments together */

void native_scratch_fini(struct native_scratch *scratch)
{
    alloc_put(NULL, scratch->local, scratch->local_bytes);
    scratch->local = NULL;
    scratch->local_bytes = 0;
}

static fgpu_status native_scratch_reserve(struct native_scratch *scratch, uint64_t bytes)
{
    if (bytes <= scratch->local_bytes)
        return FGPU_OK;
    native_scratch_fini(scratch);
    scratch->local = alloc_get(NULL, bytes, NATIVE_LOCAL_ALIGN);
    if (scratch->local == NULL)
        return FGPU_E_NOMEM;
    scratch->local_bytes = bytes;
    return FGPU_OK;
}

/* Local arguments come second, for their sum is known only when all have been seen. */
static fgpu_status native_locals(struct native_scratch *scratch, const fgpu_cmd_arg *args,
                                 uint32_t count, uint64_t total_bytes)
{
    fgpu_status status = native_scratch_reserve(scratch, total_bytes);
    uint64_t used_bytes = 0;

    if (status != FGPU_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        if (args[i].kind != FGPU_ARG_LOCAL)
            continue;
        scratch->args[i] = scratch->local + used_bytes;
        used_bytes += (args[i].size_bytes + NATIVE_LOCAL_ALIGN - 1) & ~(NATIVE_LOCAL_ALIGN - 1ull);
    }
    return FGPU_OK;
}

fgpu_status native_args(struct native_scratch *scratch, const fgpu_cmd_arg *args, uint32_t count)
{
    uint64_t local_bytes = 0;

    if (count > LIMITS_KERNEL_ARGS)
        return FGPU_E_LIMIT;
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_cmd_arg *arg = &args[i];

        if (__builtin_expect(arg->kind == FGPU_ARG_BUFFER, 1)) {
            scratch->args[i] = (void *)(uintptr_t)(arg->u.buffer.mem + arg->u.buffer.offset_bytes);
            continue;
        }
        switch (arg->kind) {
        case FGPU_ARG_SCALAR:
            scratch->args[i] = (void *)(uintptr_t)arg->u.value;
            break;
        case FGPU_ARG_LOCAL:
            if (arg->size_bytes > NATIVE_LOCAL_LIMIT)
                return FGPU_E_LIMIT;
            local_bytes +=
                (arg->size_bytes + NATIVE_LOCAL_ALIGN - 1) & ~(NATIVE_LOCAL_ALIGN - 1ull);
            break;
        default:
            return FGPU_E_INVAL;
        }
    }
    return local_bytes == 0 ? FGPU_OK : native_locals(scratch, args, count, local_bytes);
}

/* The groups of a part follow each other, because it is cut along the last dimension. */
static fgpu_status native_part(fgpu_range *range, const fgpu_cmd_part *part)
{
    uint32_t last = part->launch.dims - 1u;
    uint64_t local = range->local[last], count = range->global[last], inner = 1;

    if (part->whole < count || part->first > part->whole - count || part->first % local != 0 ||
        part->whole > NATIVE_GROUPS_LIMIT)
        return FGPU_E_INVAL;
    range->global[last] = part->whole;
    range->groups[last] = (part->whole - 1) / local + 1;
    for (uint32_t d = 0; d < last; d++)
        inner *= range->groups[d];
    if (inner * range->groups[last] / inner != range->groups[last] ||
        inner * range->groups[last] > NATIVE_GROUPS_LIMIT)
        return FGPU_E_LIMIT;
    range->group_begin = inner * (part->first / local);
    range->group_end = inner * ((part->first + count - 1) / local + 1);
    return FGPU_OK;
}

/* Any groups of a grid in linear order: for native functions as it is. */
static fgpu_status native_slice(fgpu_range *range, const fgpu_cmd_slice *slice)
{
    if (slice->count == 0 || slice->count > range->group_end ||
        slice->first > range->group_end - slice->count)
        return FGPU_E_INVAL;
    range->group_begin = slice->first;
    range->group_end = slice->first + slice->count;
    return FGPU_OK;
}

fgpu_status native_range(fgpu_range *range, const fgpu_cmd_launch *launch)
{
    uint64_t count = 1;

    if (launch->dims == 1 && launch->part == 0 &&
        launch->global[0] - 1 < launch->local[0]) { /* one group */
        *range = (fgpu_range){.dims = 1,
                              .worker = range->worker,
                              .global = {launch->global[0], 1, 1},
                              .local = {launch->local[0], 1, 1},
                              .groups = {1, 1, 1},
                              .group_end = 1};
        return FGPU_OK;
    }
    if (launch->dims == 0 || launch->dims > LIMITS_DIMS)
        return FGPU_E_INVAL;
    range->dims = launch->dims;
    for (uint32_t d = 0; d < LIMITS_DIMS; d++) {
        uint64_t global = d < launch->dims ? launch->global[d] : 1;
        uint64_t local = d < launch->dims && launch->local[d] != 0 ? launch->local[d] : 1;

        if (global == 0)
            return FGPU_E_INVAL;
        range->global[d] = global;
        range->local[d] = local;
        /* Division costs as much as an empty launch; most grids need none. */
        range->groups[d] = local == 1 ? global : global <= local ? 1 : (global - 1) / local + 1;
        if (__builtin_mul_overflow(count, range->groups[d], &count) || count > NATIVE_GROUPS_LIMIT)
            return FGPU_E_LIMIT;
    }
    range->group_begin = 0;
    range->group_end = count;
    if (__builtin_expect(launch->part == FGPU_LAUNCH_SLICE, 0))
        return native_slice(range, (const fgpu_cmd_slice *)(const void *)launch);
    if (__builtin_expect(launch->part != FGPU_LAUNCH_WHOLE, 0))
        return native_part(range, (const fgpu_cmd_part *)(const void *)launch);
    return FGPU_OK;
}
