/* Reads one source from end to end: preprocess, parse, describe; see unit.h.
 *
 * The parser and the macros last for the call only; a unit keeps tokens, names and what kernels
 * were found.
 */
#include "code/unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/parser.h"
#include "code/preprocess.h"

struct code_unit {
    struct code_context context;
    struct vec tokens; /* of struct code_token */
    struct vec heads;  /* of struct code_head */
    struct code_kernel *kernels;
    uint32_t kernel_count;
};

static bool is_kernel(const struct code_function *function)
{
    return function->kernel && function->defined;
}

static int compare_places(const void *a, const void *b)
{
    const struct code_kernel *x = a;
    const struct code_kernel *y = b;
    return x->body_token < y->body_token ? -1 : x->body_token > y->body_token;
}

static void kernels_make(struct code_unit *unit, const struct code_parser *parser)
{
    size_t count = 0;
    for (size_t i = 0; i < parser->functions.count; i++)
        count += is_kernel(*(struct code_function **)vec_at(&parser->functions, i));
    unit->kernels = code_context_alloc(&unit->context, (count + 1) * sizeof *unit->kernels);
    for (size_t i = 0; i < parser->functions.count && code_context_ok(&unit->context); i++) {
        const struct code_function *function =
            *(struct code_function **)vec_at(&parser->functions, i);
        if (is_kernel(function))
            code_kernel_make(&unit->context, function, &unit->kernels[unit->kernel_count++]);
    }
    if (code_context_ok(&unit->context) && unit->kernel_count > 1)
        qsort(unit->kernels, unit->kernel_count, sizeof *unit->kernels, compare_places);
}

static void unit_read(struct code_unit *unit, const char *text, size_t length, const char *options)
{
    struct code_parser parser;
    if (code_preprocess(&unit->context, text, length, options, &unit->tokens) != FGPU_OK)
        return;
    if (code_parser_init(&parser, &unit->context, vec_at(&unit->tokens, 0), unit->tokens.count)) {
        code_functions_parse(&parser);
        if (code_context_ok(&unit->context))
            kernels_make(unit, &parser);
        unit->heads = parser.heads;
        vec_init(&parser.heads, sizeof(struct code_head), unit->context.hooks);
    }
    code_parser_fini(&parser);
}

fgpu_status code_unit_create(const char *text, size_t length, const char *options,
                             const struct alloc_hooks *hooks, struct code_unit **out)
{
    *out = NULL;
    if (text == NULL)
        return error_set(FGPU_E_INVAL, "OpenCL C source: the text is NULL");
    if (length > LIMITS_SOURCE_BYTES)
        return error_set(FGPU_E_LIMIT, "OpenCL C source: %zu bytes are more than the limit of %u",
                         length, LIMITS_SOURCE_BYTES);
    struct code_unit *unit = alloc_get_zeroed(hooks, sizeof *unit, 16);
    if (unit == NULL)
        return error_set(FGPU_E_NOMEM, "OpenCL C source: no memory to read it");
    vec_init(&unit->tokens, sizeof(struct code_token), hooks);
    vec_init(&unit->heads, sizeof(struct code_head), hooks);
    if (code_context_init(&unit->context, hooks) == FGPU_OK)
        unit_read(unit, text, length, options);
    fgpu_status status = unit->context.status;
    if (status != FGPU_OK)
        code_unit_destroy(unit);
    else
        *out = unit;
    return status;
}

void code_unit_destroy(struct code_unit *unit)
{
    if (unit == NULL)
        return;
    const struct alloc_hooks *hooks = unit->context.hooks;
    vec_fini(&unit->tokens);
    vec_fini(&unit->heads);
    code_context_fini(&unit->context);
    alloc_put(hooks, unit, sizeof *unit);
}

uint32_t code_unit_kernel_count(const struct code_unit *unit)
{
    return unit->kernel_count;
}

const struct code_kernel *code_unit_kernel(const struct code_unit *unit, uint32_t index)
{
    return index < unit->kernel_count ? &unit->kernels[index] : NULL;
}

const struct code_kernel *code_unit_find(const struct code_unit *unit, const char *name)
{
    for (uint32_t i = 0; i < unit->kernel_count; i++)
        if (strcmp(unit->kernels[i].name, name) == 0)
            return &unit->kernels[i];
    return NULL;
}

const char *code_unit_doubt(const struct code_unit *unit)
{
    return unit->context.doubt;
}

const struct code_head *code_unit_heads(const struct code_unit *unit, uint32_t *count)
{
    *count = (uint32_t)unit->heads.count;
    return unit->heads.count > 0 ? vec_at(&unit->heads, 0) : NULL;
}

uint32_t code_unit_name(const struct code_unit *unit, const char *name)
{
    return code_names_find(&unit->context.names, name);
}

uint32_t code_unit_token_count(const struct code_unit *unit)
{
    return (uint32_t)unit->tokens.count;
}

const struct code_token *code_unit_token(const struct code_unit *unit, uint32_t index)
{
    return index < unit->tokens.count ? vec_at(&unit->tokens, index) : NULL;
}

const char *code_unit_token_text(const struct code_unit *unit, uint32_t index)
{
    const struct code_token *token = code_unit_token(unit, index);
    return token != NULL ? code_token_text(&unit->context, token) : "";
}
