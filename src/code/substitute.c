/* One macro's replacement: arguments put in, # and ## done (C99 6.10.3.1 to 6.10.3.3); see macro.h.
 *
 * Tokens take the place of the invocation, so that every token of the output points into the text.
 */
#include "code/macro.h"

#include <stdio.h>
#include <string.h>
#include "code/word.h"

/* What is being put together. */
struct substitution {
    struct code_expander *expander;
    const struct code_macro *macro;
    const struct code_token *place;
    const struct code_arguments *arguments;
    struct vec *out;
    bool paste;      /* a ## waits for its right side */
    bool left_empty; /* its left side had no tokens */
};

static bool is_paste(const struct code_macro *macro, uint32_t index)
{
    return index < macro->body_count && code_token_is(&macro->body[index], CODE_PUNCT_PASTE);
}

static const struct code_token *argument_tokens(const struct substitution *sub, uint32_t index,
                                                size_t *count)
{
    const struct vec *ends = &sub->arguments->ends;
    const struct vec *tokens = &sub->arguments->tokens;
    *count = 0;
    if (index >= ends->count)
        return NULL;
    size_t begin = index == 0 ? 0 : *(uint32_t *)vec_at(ends, index - 1);
    *count = *(uint32_t *)vec_at(ends, index) - begin;
    return *count == 0 ? NULL : vec_at(tokens, begin);
}

/* Appends one token at the place of the invocation. */
static void put(struct substitution *sub, struct code_token token)
{
    if (!code_expander_charge(sub->expander, 1, sub->place))
        return;
    token.offset = sub->place->offset;
    token.length = sub->place->length;
    token.line = sub->place->line;
    token.column = sub->place->column;
    token.flags = (uint16_t)((token.flags & ~(unsigned)CODE_TOKEN_FIRST) | CODE_TOKEN_MACRO);
    if (sub->macro->uncertain && token.kind == CODE_TOKEN_NUMBER)
        token.flags |= CODE_TOKEN_UNCERTAIN;
    code_context_push(sub->expander->context, sub->out, &token);
}

static void text_add(struct code_context *context, struct vec *text, const char *bytes,
                     size_t length)
{
    for (size_t i = 0; i < length; i++)
        code_context_push(context, text, &bytes[i]);
}

/* The argument as a string literal. */
static void stringize(struct substitution *sub, uint32_t parameter)
{
    struct code_context *context = sub->expander->context;
    struct code_token token = {.kind = CODE_TOKEN_STRING};
    struct vec text;
    size_t count;
    const struct code_token *tokens = argument_tokens(sub, parameter, &count);
    vec_init(&text, 1, context->hooks);
    text_add(context, &text, "\"", 1);
    for (size_t i = 0; i < count && code_context_ok(context); i++) {
        const char *spelling = code_token_text(context, &tokens[i]);
        bool quoted = tokens[i].kind == CODE_TOKEN_STRING || tokens[i].kind == CODE_TOKEN_CHAR;
        if (i > 0 && (tokens[i].flags & (CODE_TOKEN_SPACED | CODE_TOKEN_FIRST)) != 0)
            text_add(context, &text, " ", 1);
        if (!code_expander_charge(sub->expander, strlen(spelling), sub->place))
            break;
        for (; *spelling != '\0'; spelling++) {
            if (quoted && (*spelling == '"' || *spelling == '\\'))
                text_add(context, &text, "\\", 1);
            text_add(context, &text, spelling, 1);
        }
    }
    text_add(context, &text, "\"", 1);
    if (code_context_ok(context))
        token.name = code_names_intern(&context->names, text.items, text.count);
    vec_fini(&text);
    put(sub, token);
}

/* Joins the last token put with `right`; where that gives no token, both stay and a doubt is noted.
 */
static void join(struct substitution *sub, struct code_token right)
{
    struct code_context *context = sub->expander->context;
    struct code_token *left = vec_at(sub->out, sub->out->count - 1);
    const char *a = code_token_text(context, left);
    const char *b = code_token_text(context, &right);
    size_t length = strlen(a) + strlen(b);
    if (!code_expander_charge(sub->expander, length, sub->place))
        return;
    char *text = alloc_get(context->hooks, length + 1, 1);
    if (text == NULL) {
        code_context_fail_memory(context);
        return;
    }
    snprintf(text, length + 1, "%s%s", a, b);
    struct code_lexer lexer;
    code_lexer_init(&lexer, context, text, length, 0);
    bool comment = length >= 2 && text[0] == '/' && (text[1] == '/' || text[1] == '*');
    struct code_token token = {.kind = CODE_TOKEN_END};
    if (!comment)
        token = code_lexer_next(&lexer);
    bool whole = token.kind != CODE_TOKEN_END && token.length == length;
    alloc_put(context->hooks, text, length + 1);
    if (((left->flags | right.flags) & CODE_TOKEN_UNCERTAIN) != 0)
        code_context_doubt(context, sub->place->line,
                           "a macro joins a name with a number that depends on the device");
    if (!whole) {
        code_context_doubt(context, sub->place->line, "## gives no token");
        put(sub, right);
        return;
    }
    token.flags = left->flags & CODE_TOKEN_SPACED;
    vec_pop(sub->out);
    put(sub, token);
}

/* Puts the tokens of one element of the body, joining the first one when a ## waits. */
static void put_element(struct substitution *sub, const struct code_token *tokens, size_t count)
{
    bool join_first = sub->paste && !sub->left_empty && count > 0;
    sub->left_empty = count == 0 && (!sub->paste || sub->left_empty);
    sub->paste = false;
    for (size_t i = 0; i < count && code_context_ok(sub->expander->context); i++) {
        if (i == 0 && join_first && sub->out->count > 0)
            join(sub, tokens[i]);
        else
            put(sub, tokens[i]);
    }
}

/* `, ## rest`: without a rest the comma goes; returns true when body token `index` began such a
 * sequence. */
static bool comma_rest(struct substitution *sub, uint32_t index)
{
    const struct code_macro *macro = sub->macro;
    if (!macro->variadic || !code_token_is(&macro->body[index], CODE_PUNCT_COMMA) ||
        !is_paste(macro, index + 1) || index + 2 >= macro->body_count ||
        macro->slots[index + 2] != macro->parameter_count)
        return false;
    size_t count;
    argument_tokens(sub, macro->parameter_count - 1, &count);
    if (count > 0)
        put_element(sub, &macro->body[index], 1);
    return true;
}

/* An argument that neither # nor ## touches is expanded first, on its own. */
static void put_expanded(struct substitution *sub, const struct code_token *tokens, size_t count,
                         bool spaced)
{
    struct vec expanded;
    vec_init(&expanded, sizeof(struct code_token), sub->expander->context->hooks);
    code_expander_list(sub->expander, tokens, count, &expanded);
    if (expanded.count > 0) {
        struct code_token *first = vec_at(&expanded, 0);
        first->flags = (uint16_t)(first->flags & ~(unsigned)CODE_TOKEN_SPACED);
        first->flags |= spaced ? CODE_TOKEN_SPACED : 0;
        put_element(sub, first, expanded.count);
    } else {
        put_element(sub, NULL, 0);
    }
    vec_fini(&expanded);
}

void code_macro_substitute(struct code_expander *expander, const struct code_macro *macro,
                           const struct code_token *place, const struct code_arguments *arguments,
                           struct vec *out)
{
    struct substitution sub = {expander, macro, place, arguments, out, false, false};
    bool rest_follows = false;
    for (uint32_t i = 0; i < macro->body_count && code_context_ok(expander->context); i++) {
        const struct code_token *token = &macro->body[i];
        uint32_t slot = macro->slots[i];
        size_t count;
        if (macro->function_like && code_token_is(token, CODE_PUNCT_HASH) &&
            i + 1 < macro->body_count && macro->slots[i + 1] != 0) {
            struct vec whole;
            vec_init(&whole, sizeof(struct code_token), expander->context->hooks);
            struct substitution inner = sub;
            inner.out = &whole;
            stringize(&inner, macro->slots[++i] - 1);
            put_element(&sub, whole.count > 0 ? vec_at(&whole, 0) : NULL, whole.count);
            vec_fini(&whole);
        } else if (is_paste(macro, i) && i > 0 && i + 1 < macro->body_count) {
            sub.paste = !rest_follows;
        } else if (comma_rest(&sub, i)) {
            rest_follows = true;
            continue;
        } else if (slot == 0) {
            put_element(&sub, token, 1);
        } else {
            const struct code_token *tokens = argument_tokens(&sub, slot - 1, &count);
            if (!rest_follows && (sub.paste || is_paste(macro, i + 1)))
                put_element(&sub, tokens, count);
            else
                put_expanded(&sub, tokens, count, (token->flags & CODE_TOKEN_SPACED) != 0);
            rest_follows = false;
        }
    }
}
