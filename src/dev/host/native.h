/* What devices that run native C functions share: a launch's shape, its argument pointers and local
 * memory.
 *
 * Stands below the cpu and sim devices (launch): takes a resolved launch, gives what fgpu_native_fn
 * wants. The thread that runs the launch calls it; a scratch belongs to one thread at a time. What
 * stays true: no launch, however wrong, does more than return a status; nothing is allocated once a
 * scratch has reached its size.
 */
#ifndef FASTGPU_DEV_HOST_NATIVE_H
#define FASTGPU_DEV_HOST_NATIVE_H

#include <fastgpu/backend.h>
#include "base/limits.h"

/* A group count beyond this is refused, so that sums of counts never wrap. */
#define NATIVE_GROUPS_LIMIT (UINT64_C(1) << 48)

/* The argument array and the local memory of one call. All zero to begin with. */
struct native_scratch {
    void *args[LIMITS_KERNEL_ARGS];
    char *local;
    uint64_t local_bytes;
};

void native_scratch_fini(struct native_scratch *scratch);

/* Fills scratch->args from arguments whose memory handles are addresses, giving local ones their
 * part of the scratch. FGPU_E_INVAL, FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status native_args(struct native_scratch *scratch, const fgpu_cmd_arg *args, uint32_t count);

/* Fills the range's shape; group_begin..group_end is all of it, or the part that is launched.
 * FGPU_E_INVAL for a grid that is none, FGPU_E_LIMIT for too many groups. */
fgpu_status native_range(fgpu_range *range, const fgpu_cmd_launch *launch);

#endif
