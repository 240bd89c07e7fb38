/* What the steps of reading one source share: memory, names, the first failure and the first doubt.
 *
 * A failure (no memory, a limit, text that no compiler takes) is sticky: the first one sets the
 * thread's error text and everything after it unwinds, because no step delivers tokens any more. A
 * doubt does not stop anything: it says why what is read from this text may differ from what a
 * device's compiler sees (#include, an #if over a macro that the device defines), and makes every
 * answer the careful one. Thread: one. Owns arena and names.
 */
#ifndef FASTGPU_CODE_CONTEXT_H
#define FASTGPU_CODE_CONTEXT_H

#include <fastgpu/status.h>
#include "code/name.h"

struct code_token;

struct code_context {
    struct arena arena;
    struct code_names names;
    const struct alloc_hooks *hooks; /* [borrow] */
    fgpu_status status;              /* FGPU_OK until the first failure */
    const char *doubt;               /* NULL, or a sentence */
    uint32_t doubt_line;
    const char *stop; /* NULL, or what ends a translation: it includes a file, #error, ... */
    uint32_t stop_line;
    bool no_contract; /* #pragma OPENCL FP_CONTRACT OFF is somewhere in the text */
};

/* On failure the status is also in `context`; call code_context_fini in any case. */
fgpu_status code_context_init(struct code_context *context, const struct alloc_hooks *hooks);
void code_context_fini(struct code_context *context);

/* Raises a failure at `token` (NULL: no place). Only the first one counts. Returns the sticky
 * status. */
fgpu_status code_context_fail(struct code_context *context, fgpu_status status,
                              const struct code_token *token, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* The failure "no memory". */
fgpu_status code_context_fail_memory(struct code_context *context) __attribute__((cold));

/* Notes a doubt; only the first one is kept. The sentence is "line N: " and the text. */
void code_context_doubt(struct code_context *context, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Sentence in the arena; on failure a fixed text, never NULL. */
const char *code_context_sentence(struct code_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Zeroed memory of the arena; NULL raises the failure. */
void *code_context_alloc(struct code_context *context, size_t bytes);

/* vec_push that raises the failure. */
void *code_context_push(struct code_context *context, struct vec *vec, const void *item);

static inline bool code_context_ok(const struct code_context *context)
{
    return context->status == FGPU_OK;
}

#endif
