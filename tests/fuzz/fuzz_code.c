/* Any bytes as an OpenCL C source: read or refused, never a crash, and never a promise that it does
 * not keep.
 *
 * Bytes before the first NUL, if there is one, are the build options. What was read must be in one
 * piece: places lie in the text, reasons are given, a doubt takes all promises back, the same text
 * reads the same, no memory stays behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/error.h"
#include "code/preempt.h"
#include "code/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_param(const struct code_unit *unit, const struct code_param *param)
{
    bool changes = param->access == CODE_ACCESS_READ_WRITE || param->access == CODE_ACCESS_UNKNOWN;
    FGPU_ASSERT(param->name != NULL && param->type_name != NULL && param->base_name != NULL);
    FGPU_ASSERT((param->kind == CODE_PARAM_BUFFER) == (param->access != CODE_ACCESS_NONE));
    FGPU_ASSERT((param->why != NULL) == changes);
    FGPU_ASSERT(!param->unused || param->access == CODE_ACCESS_READ);
    FGPU_ASSERT(!param->size_known || param->size_bytes > 0);
    if (code_unit_doubt(unit) != NULL)
        FGPU_ASSERT(param->access == CODE_ACCESS_NONE || param->access == CODE_ACCESS_UNKNOWN);
}

static void check_kernel(const struct code_unit *unit, const struct code_kernel *kernel)
{
    const struct code_token *body = code_unit_token(unit, kernel->body_token);
    const struct code_token *end = code_unit_token(unit, kernel->body_end_token);
    FGPU_ASSERT(kernel->name[0] != '\0' && code_unit_find(unit, kernel->name) != NULL);
    FGPU_ASSERT(body != NULL && code_token_is(body, CODE_PUNCT_LBRACE));
    FGPU_ASSERT(end != NULL && code_token_is(end, CODE_PUNCT_RBRACE));
    FGPU_ASSERT((kernel->class.reason != NULL) == (kernel->class.slicing != CODE_SLICING_FREE));
    if (code_unit_doubt(unit) != NULL)
        FGPU_ASSERT(kernel->class.slicing == CODE_SLICING_NEVER);
    for (uint32_t i = 0; i < kernel->param_count; i++)
        check_param(unit, &kernel->params[i]);
}

static void check_tokens(const struct code_unit *unit, size_t length)
{
    uint32_t count = code_unit_token_count(unit);
    size_t last = 0;
    FGPU_ASSERT(count > 0 && code_unit_token(unit, count - 1)->kind == CODE_TOKEN_END);
    FGPU_ASSERT(code_unit_token(unit, count) == NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct code_token *token = code_unit_token(unit, i);
        FGPU_ASSERT(token->kind != CODE_TOKEN_END || i + 1 == count);
        if (token->line == 0)
            continue;
        FGPU_ASSERT((size_t)token->offset + token->length <= length && token->column > 0);
        FGPU_ASSERT(token->offset >= last);
        last = token->offset;
    }
}

/* Replacing each token of the text by what stands there changes nothing. */
static void check_rewrite(const struct code_unit *unit, const char *text, size_t length)
{
    struct code_text same;
    struct code_edit edits[64];
    char copies[64][32];
    size_t used = 0;
    size_t end = 0;
    for (uint32_t i = 0; i < code_unit_token_count(unit) && used < 64; i++) {
        const struct code_token *token = code_unit_token(unit, i);
        if (token->line == 0 || token->offset < end || token->length >= sizeof copies[0] ||
            memchr(text + token->offset, '\0', token->length) != NULL)
            continue;
        memcpy(copies[used], text + token->offset, token->length);
        copies[used][token->length] = '\0';
        edits[used] = (struct code_edit){token->offset, token->length, copies[used]};
        end = (size_t)token->offset + token->length;
        used++;
    }
    FGPU_ASSERT(code_rewrite_apply(text, length, edits, used, NULL, &same) == FGPU_OK);
    FGPU_ASSERT(same.length == length && memcmp(same.text, text, length) == 0);
    alloc_put(NULL, same.text, same.length + 1);
}

/* A changed text is the same kernel with more parameters, or there is none and a reason. Reading it
 * again asks no more than that: a text of bytes may mean anything behind our prelude. */
static void check_preempt(const struct code_preempt_source *source,
                          const struct code_kernel *kernel)
{
    for (int form = 0; form < 2; form++) {
        struct code_text made;
        struct code_unit *again = NULL;
        fgpu_status status = code_preempt_make(source, kernel, (enum code_preempt)form, &made);
        FGPU_ASSERT((status == FGPU_OK) == (made.text != NULL));
        FGPU_ASSERT(status == FGPU_OK || error_text()[0] != '\0');
        if (status != FGPU_OK)
            continue;
        FGPU_ASSERT(kernel->class.slicing != CODE_SLICING_NEVER);
        FGPU_ASSERT(made.length > source->length);
        if (code_unit_create(made.text, made.length, source->options, NULL, &again) == FGPU_OK) {
            const struct code_kernel *same = code_unit_find(again, kernel->name);
            /* Behind the prelude no #if encloses the whole file: then our reader may leave it out.
             */
            FGPU_ASSERT(same == NULL ||
                        same->param_count ==
                            kernel->param_count + CODE_PREEMPT_ARGS((enum code_preempt)form));
        }
        code_unit_destroy(again);
        alloc_put(NULL, made.text, made.length + 1);
    }
}

static uint32_t read_source(const char *text, size_t length, const char *options, bool check)
{
    struct code_unit *unit;
    fgpu_status status = code_unit_create(text, length, options, NULL, &unit);
    if (status != FGPU_OK) {
        FGPU_ASSERT(unit == NULL && error_text()[0] != '\0');
        return (uint32_t)-status;
    }
    uint32_t seen = code_unit_token_count(unit) * 31 + code_unit_kernel_count(unit);
    const struct code_preempt_source source = {
        .unit = unit, .text = text, .length = length, .options = options};
    for (uint32_t k = 0; check && k < code_unit_kernel_count(unit); k++) {
        check_kernel(unit, code_unit_kernel(unit, k));
        if (k < 4)
            check_preempt(&source, code_unit_kernel(unit, k));
    }
    if (check) {
        check_tokens(unit, length);
        check_rewrite(unit, text, length);
    }
    code_unit_destroy(unit);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    const char *options = nul != NULL ? (const char *)data : NULL;
    size_t skip = nul != NULL ? (size_t)(nul - data) + 1 : 0;
    /* Exactly so many bytes, so that a sanitizer sees a read beyond the end. */
    char *text = malloc(size - skip > 0 ? size - skip : 1);
    uint64_t before = alloc_live_bytes();
    if (text == NULL)
        return 0;
    if (size > skip)
        memcpy(text, data + skip, size - skip);
    uint32_t first = read_source(text, size - skip, options, true);
    FGPU_ASSERT(read_source(text, size - skip, options, false) == first);
    FGPU_ASSERT(alloc_live_bytes() == before);
    free(text);
    return 0;
}
