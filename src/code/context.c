/* Memory, names, failure and doubt of one source; see context.h.
 *
 * Texts of failures go to the thread's error text (base/error.h), those of doubts to the arena.
 */
#include "code/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "code/token.h"

enum { CONTEXT_TEXT_BYTES = 320 }; /* one sentence with a name of LIMITS_NAME_BYTES or two */

fgpu_status code_context_init(struct code_context *context, const struct alloc_hooks *hooks)
{
    *context = (struct code_context){.hooks = hooks, .status = FGPU_OK};
    arena_init(&context->arena, 0, hooks);
    if (!code_names_init(&context->names, &context->arena, hooks))
        return code_context_fail_memory(context);
    return FGPU_OK;
}

void code_context_fini(struct code_context *context)
{
    if (context == NULL)
        return;
    code_names_fini(&context->names);
    arena_fini(&context->arena);
}

fgpu_status code_context_fail(struct code_context *context, fgpu_status status,
                              const struct code_token *token, const char *format, ...)
{
    if (context->status != FGPU_OK)
        return context->status;
    char text[CONTEXT_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (token != NULL && token->line != 0)
        context->status = error_set(status, "OpenCL C source, line %u, column %u: %s", token->line,
                                    token->column, text);
    else
        context->status = error_set(status, "OpenCL C source: %s", text);
    return context->status;
}

fgpu_status code_context_fail_memory(struct code_context *context)
{
    return code_context_fail(context, FGPU_E_NOMEM, NULL, "no memory to read it");
}

void code_context_doubt(struct code_context *context, uint32_t line, const char *format, ...)
{
    if (context->doubt != NULL)
        return;
    char text[CONTEXT_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    context->doubt_line = line;
    context->doubt = line != 0 ? code_context_sentence(context, "line %u: %s", line, text)
                               : code_context_sentence(context, "%s", text);
}

const char *code_context_sentence(struct code_context *context, const char *format, ...)
{
    char text[CONTEXT_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = arena_strdup(&context->arena, text);
    if (copy == NULL)
        code_context_fail_memory(context);
    return copy != NULL ? copy : "no memory for the reason";
}

void *code_context_alloc(struct code_context *context, size_t bytes)
{
    void *memory = arena_alloc_zeroed(&context->arena, bytes, 16);
    if (memory == NULL)
        code_context_fail_memory(context);
    return memory;
}

void *code_context_push(struct code_context *context, struct vec *vec, const void *item)
{
    void *place = vec_push(vec, item);
    if (place == NULL)
        code_context_fail_memory(context);
    return place;
}
