/* The table of macros and their definitions; see macro.h.
 *
 * Records are found by the number of their name and stay where they are; bodies live in the
 * context's arena.
 */
#include "code/macro.h"

#include "code/word.h"

void code_macros_init(struct code_macros *macros, struct code_context *context)
{
    *macros = (struct code_macros){.context = context};
    vec_init(&macros->by_name, sizeof(struct code_macro *), context->hooks);
}

void code_macros_fini(struct code_macros *macros)
{
    if (macros != NULL)
        vec_fini(&macros->by_name);
}

struct code_macro *code_macros_find(const struct code_macros *macros, uint32_t name)
{
    if (name >= macros->by_name.count)
        return NULL;
    return *(struct code_macro **)vec_at(&macros->by_name, name);
}

struct code_macro *code_macros_touch(struct code_macros *macros, uint32_t name)
{
    struct code_macro *none = NULL;
    while (macros->by_name.count <= name)
        if (code_context_push(macros->context, &macros->by_name, &none) == NULL)
            return NULL;
    struct code_macro **place = vec_at(&macros->by_name, name);
    if (*place == NULL) {
        *place = code_context_alloc(macros->context, sizeof **place);
        if (*place != NULL)
            (*place)->name = name;
    }
    return *place;
}

/* One parameter and what follows it; `rest` is the name of a bare `...`. Returns the tokens used, 0
 * for an error; `done` after the closing parenthesis. */
static size_t parameter_parse(const struct code_token *tokens, size_t count, uint32_t rest,
                              struct code_macro *macro, uint32_t *name, bool *done)
{
    size_t used = 0;
    *name = 0;
    if (used < count && tokens[used].kind == CODE_TOKEN_NAME)
        *name = tokens[used++].name;
    if (used < count && code_token_is(&tokens[used], CODE_PUNCT_ELLIPSIS)) {
        macro->variadic = true;
        *name = *name != 0 ? *name : rest;
        used++;
    }
    if (*name == 0 || used == count)
        return 0;
    *done = code_token_is(&tokens[used], CODE_PUNCT_RPAREN);
    if (!*done && (macro->variadic || !code_token_is(&tokens[used], CODE_PUNCT_COMMA)))
        return 0;
    return used + 1;
}

/* Parameters behind the opening parenthesis; returns the tokens used, 0 for an error. */
static size_t parameters_parse(struct code_context *context, const struct code_token *tokens,
                               size_t count, struct code_macro *macro, struct vec *names)
{
    static const char rest_name[] = "__VA_ARGS__";
    uint32_t rest = code_names_intern(&context->names, rest_name, sizeof rest_name - 1);
    size_t used = 0;
    bool done = count > 0 && code_token_is(&tokens[0], CODE_PUNCT_RPAREN);
    if (done)
        return 1;
    while (!done) {
        uint32_t name;
        size_t step = parameter_parse(tokens + used, count - used, rest, macro, &name, &done);
        if (step == 0 || code_context_push(context, names, &name) == NULL)
            return 0;
        used += step;
    }
    return used;
}

/* Copies the body and finds which of its tokens are parameters. */
static bool body_parse(struct code_context *context, const struct code_token *tokens, size_t count,
                       struct code_macro *macro, const struct vec *names)
{
    struct code_token *body = code_context_alloc(context, (count + 1) * sizeof *body);
    uint32_t *slots = code_context_alloc(context, (count + 1) * sizeof *slots);
    if (body == NULL || slots == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        body[i] = tokens[i];
        if (tokens[i].kind != CODE_TOKEN_NAME)
            continue;
        for (uint32_t p = 0; p < names->count; p++)
            if (*(uint32_t *)vec_at(names, p) == tokens[i].name)
                slots[i] = p + 1;
    }
    macro->body = body;
    macro->slots = slots;
    macro->body_count = (uint32_t)count;
    macro->parameter_count = (uint32_t)names->count;
    return true;
}

bool code_macro_parse(struct code_context *context, const struct code_token *tokens, size_t count,
                      struct code_macro *macro)
{
    *macro = (struct code_macro){.defined = true};
    if (count == 0 || tokens[0].kind != CODE_TOKEN_NAME || tokens[0].name == CODE_WORD_defined)
        return false;
    macro->name = tokens[0].name;
    size_t used = 1;
    struct vec names;
    vec_init(&names, sizeof(uint32_t), context->hooks);
    bool good = true;
    if (count > 1 && code_token_is(&tokens[1], CODE_PUNCT_LPAREN) &&
        (tokens[1].flags & CODE_TOKEN_SPACED) == 0) {
        macro->function_like = true;
        size_t step = parameters_parse(context, tokens + 2, count - 2, macro, &names);
        good = step != 0 && names.count <= CODE_MACRO_PARAMETERS;
        used = 2 + step;
    }
    good = good && body_parse(context, tokens + used, count - used, macro, &names);
    vec_fini(&names);
    return good;
}

bool code_macro_is_number(const struct code_macro *macro)
{
    int depth = 0;
    uint32_t numbers = 0;
    if (macro->function_like)
        return false;
    for (uint32_t i = 0; i < macro->body_count; i++) {
        const struct code_token *token = &macro->body[i];
        bool before = numbers == 0;
        if (token->kind == CODE_TOKEN_NUMBER && before)
            numbers++;
        else if (before && code_token_is(token, CODE_PUNCT_LPAREN))
            depth++;
        else if (!before && code_token_is(token, CODE_PUNCT_RPAREN))
            depth--;
        else if (!before ||
                 !(code_token_is(token, CODE_PUNCT_MINUS) || code_token_is(token, CODE_PUNCT_PLUS)))
            return false;
    }
    return numbers == 1 && depth == 0;
}
