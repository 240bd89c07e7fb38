/* Kernels that can be stopped between work groups: how their text is changed.
 *
 * Used where code is built for a device (dev/). Two forms:
 * - sliced: a launch runs any range of the grid's groups in linear order (dimension 0 fastest);
 * - guarded: each group of the range first claims itself in a map with a byte per group, unless it
 *   is claimed already or a flag is set, and only then runs the kernel's body. So setting the flag
 *   drains the launch, and launching the range again runs exactly the groups that have not run.
 * The kernel gets arguments behind its own. The launch is one row of groups with the kernel's own
 * work-group size: get_group_id, get_num_groups, get_global_id, get_global_size, get_global_offset
 * become macros that compute what they were in the whole grid, also in functions that it calls,
 * which get the range as a hidden first parameter. Lines keep their numbers. The body is not
 * touched: early returns, barriers, local variables and attributes stay as they are.
 * What cannot be changed so is refused with line and reason. Pure. Thread: any.
 */
#ifndef FASTGPU_CODE_PREEMPT_H
#define FASTGPU_CODE_PREEMPT_H

#include "code/rewrite.h"
#include "code/unit.h"

enum code_preempt { CODE_PREEMPT_SLICED, CODE_PREEMPT_GUARDED };

/* Arguments behind the kernel's own. Both: a uint4 of first group and groups of the grid in x, y,
 * z. Guarded: also the flag (global uint *), and the map (global uchar *, a byte per group). */
#define CODE_PREEMPT_ARGS(form) ((form) == CODE_PREEMPT_GUARDED ? 3u : 1u)

/* Groups of a grid, at most; and the first group of a launch that has no effect. */
#define CODE_PREEMPT_GROUPS (UINT32_C(1) << 31)
#define CODE_PREEMPT_NOTHING UINT32_MAX

struct code_preempt_source {
    const struct code_unit *unit; /* of this text and these options */
    const char *text;
    size_t length;
    const char *options; /* may be NULL */
    const struct alloc_hooks *hooks;
};

/* [give] result: to be freed with alloc_put(hooks, text, length + 1); its text is NULL on failure.
 * Errors: FGPU_E_UNSUPPORTED where the kernel cannot be changed so (the text says why),
 * FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status code_preempt_make(const struct code_preempt_source *source,
                              const struct code_kernel *kernel, enum code_preempt form,
                              struct code_text *result);

#endif
