/* One command other than a launch on the calling worker: copies, fills, host calls.
 *
 * The step between launch and complete on the walk of a task. Takes a record whose addresses are
 * resolved, gives its status; no command, however wrong, does more. Called by worker threads; owns
 * nothing. Also here: what the device keeps for built code.
 */
#ifndef FASTGPU_DEV_CPU_CPU_RUN_H
#define FASTGPU_DEV_CPU_CPU_RUN_H

#include <fastgpu/backend.h>
#include "base/atomic.h"

/* Built code: the function, and what a group of it last took in picoseconds (0: not measured). */
struct cpu_code {
    fgpu_native_fn fn;
    void *user;
    _Atomic uint64_t group_ps;
};

/* Runs any command that is no launch. */
fgpu_status cpu_run_simple(const fgpu_cmd *cmd);

#endif
