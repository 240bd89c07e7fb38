/* OpenCL C 1.2 as CUDA C++ that NVRTC takes: the language of the `cuda` device.
 *
 * The text is read as everywhere (parser.h), macros expanded, and written out again token by token,
 * behind a prelude that brings OpenCL's types and functions (cuda_prelude.cu). What C++ means
 * differently is changed on the way: vector literals, swizzles, shifts, choices between vectors,
 * address spaces. Lines keep their numbers (#line), so the compiler's log speaks of the user's
 * text. What cannot be translated is refused with its line: see docs/gpu.md.
 *
 * The result holds one kernel, `entry`, as extern "C" under its own name or CODE_CUDA_ENTRY. Its
 * parameters are those of the OpenCL kernel in their order, then one more:
 * - pointer to global or constant memory: a pointer (8 bytes);
 * - pointer to local memory: an unsigned, the offset of its bytes in the dynamic shared memory,
 *   a multiple of 16;
 * - value: the same bytes as in OpenCL (a vector of 3 takes 4 elements);
 * - last: struct { uint64_t first[3]; }, the global offset in items: what get_global_offset says
 * and what get_global_id counts from. Zeros for whole grids; for fgpu_cmd_part `first` in its
 *   dimension. get_group_id, get_num_groups and get_global_size are those of the launch, as with an
 *   offset of OpenCL.
 * Slices and guards: make the text with code_preempt_make() first and translate its result; the
 * hidden arguments (a uint4; flag and map) stand before the offset.
 * Pure. Thread: any.
 */
#ifndef FASTGPU_CODE_CUDA_H
#define FASTGPU_CODE_CUDA_H

#include <stdbool.h>
#include <stdint.h>
#include "code/rewrite.h"

/* Bytes of the last parameter. */
#define CODE_CUDA_OFFSET_BYTES 24u

/* Parameters behind the kernel's own. */
#define CODE_CUDA_HIDDEN 1u

/* Name of the kernel in the result. */
#define CODE_CUDA_ENTRY "fcl::user::fgpu_kernel"

struct code_cuda_source {
    const char *text;
    size_t length;
    const char *options; /* those of clBuildProgram; may be NULL */
    const char *entry;   /* the kernel's name */
    const struct alloc_hooks *hooks;
};

struct code_cuda {
    struct code_text text;      /* for NVRTC; freed with code_cuda_fini() */
    char options[256];          /* for NVRTC, separated by blanks; without the architecture */
    uint32_t param_count;       /* of the OpenCL kernel: without the offset */
    uint32_t required_local[3]; /* reqd_work_group_size; 0: none */
};

/* [give] result: to be given to code_cuda_fini() where FGPU_OK. Errors, with a text that names the
 * line: FGPU_E_UNSUPPORTED (what is not translated, or no kernel of that name), FGPU_E_BUILD (no
 * compiler takes it), FGPU_E_LIMIT, FGPU_E_NOMEM, FGPU_E_INVAL (text is NULL). */
fgpu_status code_cuda_make(const struct code_cuda_source *source, struct code_cuda *result);
void code_cuda_fini(struct code_cuda *result, const struct alloc_hooks *hooks);

#endif
