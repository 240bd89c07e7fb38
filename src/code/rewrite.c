/* Applies edits; see rewrite.h.
 *
 * Checks all of them before anything is copied, so that a refused list costs nothing.
 */
#include "code/rewrite.h"

#include <string.h>
#include "base/error.h"
#include "base/limits.h"

/* Checks the edits and adds up the size of the result. */
static fgpu_status measure(size_t length, const struct code_edit *edits, size_t edit_count,
                           size_t *bytes)
{
    size_t end = 0;
    *bytes = length;
    for (size_t i = 0; i < edit_count; i++) {
        const struct code_edit *edit = &edits[i];
        if (edit->offset > length || edit->length > length - edit->offset)
            return error_set(FGPU_E_RANGE, "edit %zu: bytes %u + %u are beyond the text's %zu", i,
                             edit->offset, edit->length, length);
        if (edit->offset < end)
            return error_set(FGPU_E_OVERLAP,
                             "edit %zu: offset %u lies before %zu, where the edit "
                             "before it ends",
                             i, edit->offset, end);
        end = (size_t)edit->offset + edit->length;
        *bytes = *bytes - edit->length + strlen(edit->text);
        if (*bytes > 2 * (size_t)LIMITS_SOURCE_BYTES)
            break;
    }
    if (*bytes > LIMITS_SOURCE_BYTES)
        return error_set(FGPU_E_LIMIT, "the rewritten text has more than %u bytes",
                         LIMITS_SOURCE_BYTES);
    return FGPU_OK;
}

fgpu_status code_rewrite_apply(const char *text, size_t length, const struct code_edit *edits,
                               size_t edit_count, const struct alloc_hooks *hooks,
                               struct code_text *result)
{
    size_t bytes;
    *result = (struct code_text){NULL, 0};
    fgpu_status status = measure(length, edits, edit_count, &bytes);
    if (status != FGPU_OK)
        return status;
    char *out = alloc_get(hooks, bytes + 1, 1);
    if (out == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for a rewritten text of %zu bytes", bytes);
    size_t from = 0;
    size_t to = 0;
    for (size_t i = 0; i < edit_count; i++) {
        size_t added = strlen(edits[i].text);
        memcpy(out + to, text + from, edits[i].offset - from);
        to += edits[i].offset - from;
        memcpy(out + to, edits[i].text, added);
        to += added;
        from = (size_t)edits[i].offset + edits[i].length;
    }
    memcpy(out + to, text + from, length - from);
    out[bytes] = '\0';
    *result = (struct code_text){out, bytes};
    return FGPU_OK;
}
