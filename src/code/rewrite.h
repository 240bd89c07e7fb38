/* Changes to a text, as a list of edits: how transforms of kernels are written down and carried
 * out.
 *
 * What decides returns edits; this file applies them. Offsets are those of tokens (token.h), so
 * that whatever no edit touches stays as its author wrote it, lines included. Pure. Thread: any.
 */
#ifndef FASTGPU_CODE_REWRITE_H
#define FASTGPU_CODE_REWRITE_H

#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/alloc.h"

/* Bytes [offset, offset + length) become `text`. Length 0 inserts before the byte at `offset`. */
struct code_edit {
    uint32_t offset;
    uint32_t length;
    const char *text; /* NUL-terminated, [borrow] for the call */
};

/* A text of `length` bytes, NUL-terminated; owns length + 1 bytes of the hooks it was made with. */
struct code_text {
    char *text;
    size_t length;
};

/* Edits come in the order of their offsets and do not overlap; insertions at one place keep their
 * order and may stand before a replacement that begins there. [give] result: to be freed with
 * alloc_put(hooks, text, length + 1). Errors: FGPU_E_OVERLAP (out of order or overlapping),
 * FGPU_E_RANGE (beyond the text), FGPU_E_LIMIT (result larger than LIMITS_SOURCE_BYTES),
 * FGPU_E_NOMEM; then its text is NULL. */
fgpu_status code_rewrite_apply(const char *text, size_t length, const struct code_edit *edits,
                               size_t edit_count, const struct alloc_hooks *hooks,
                               struct code_text *result);

#endif
