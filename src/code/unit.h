/* One OpenCL C source, read: its kernels, their parameters, what may be done with them. The door of
 * src/code/.
 *
 * First use on the walk: fgpu_kernel_add_opencl (src/api) makes a unit to find the entry and the
 * access modes; later slicing and the guard take its tokens. Everything is a function of text and
 * options: no I/O, no clock. What cannot be read makes answers careful, not wrong:
 * code_unit_doubt() and code_param.why say what it was. Callers who know what a device's compiler
 * predefines (cl_khr_fp64, __GPU__) clear such doubts with -D and -U options. A unit does not
 * change after it was made. Thread: any. Owns all that its functions return.
 */
#ifndef FASTGPU_CODE_UNIT_H
#define FASTGPU_CODE_UNIT_H

#include "code/head.h"
#include "code/kernel.h"
#include "code/token.h"

struct code_unit;

/* [in] text: `length` bytes, up to LIMITS_SOURCE_BYTES; only read during the call. [in] options:
 * those of clBuildProgram, may be NULL. [borrow] hooks: for the unit's life, NULL for malloc.
 * [give] unit: NULL on failure. Errors, with a text that names line and column: FGPU_E_INVAL
 * (NULL), FGPU_E_LIMIT (too long, too deep, macros that explode), FGPU_E_BUILD (a comment, an #if
 * or a body that does not end), FGPU_E_NOMEM. */
fgpu_status code_unit_create(const char *text, size_t length, const char *options,
                             const struct alloc_hooks *hooks, struct code_unit **unit);
void code_unit_destroy(struct code_unit *unit);

/* Kernels with a body, in the order of the text. */
uint32_t code_unit_kernel_count(const struct code_unit *unit);
const struct code_kernel *code_unit_kernel(const struct code_unit *unit, uint32_t index);

/* By name; NULL when there is none. */
const struct code_kernel *code_unit_find(const struct code_unit *unit, const char *name);

/* NULL, or why a device's compiler may see another program: then every access is UNKNOWN and
 * nothing may be sliced. */
const char *code_unit_doubt(const struct code_unit *unit);

/* All declarations of functions, in the order of the text. */
const struct code_head *code_unit_heads(const struct code_unit *unit, uint32_t *count);

/* Number of a name that occurs in the text, or 0; tokens and heads carry it. */
uint32_t code_unit_name(const struct code_unit *unit, const char *name);

/* The tokens after preprocessing, CODE_TOKEN_END last; their offsets are places in the text. */
uint32_t code_unit_token_count(const struct code_unit *unit);
const struct code_token *code_unit_token(const struct code_unit *unit, uint32_t index);
const char *code_unit_token_text(const struct code_unit *unit, uint32_t index);

#endif
