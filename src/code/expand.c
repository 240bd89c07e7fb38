/* The expander: a stack of token lists over a source of raw tokens; see macro.h.
 *
 * Keeps true: a macro is disabled exactly while its list is on the stack; nothing below `base` is
 * read while a list is expanded on its own; each step is paid for from the budget.
 */
#include "code/macro.h"

#include <stdio.h>
#include <string.h>
#include "code/word.h"

/* Arguments inside arguments, by far more than people write; keeps the stack small. */
enum { EXPAND_DEPTH = 128 };

/* A list that is being read. The replacement of a macro owns its tokens, an argument does not. */
struct expand_level {
    const struct code_token *tokens;
    size_t count;
    size_t at;
    struct vec owned;
    struct code_macro *macro; /* switched off meanwhile; NULL for an argument */
};

void code_expander_init(struct code_expander *expander, struct code_macros *macros,
                        struct code_token_source source, uint64_t budget)
{
    *expander = (struct code_expander){
        .context = macros->context, .macros = macros, .source = source, .budget = budget};
    vec_init(&expander->levels, sizeof(struct expand_level), macros->context->hooks);
}

static void expander_pop(struct code_expander *expander)
{
    struct expand_level *level = vec_at(&expander->levels, expander->levels.count - 1);
    if (level->macro != NULL)
        level->macro->disabled = false;
    vec_fini(&level->owned);
    vec_pop(&expander->levels);
}

void code_expander_fini(struct code_expander *expander)
{
    if (expander == NULL)
        return;
    while (expander->levels.count > 0)
        expander_pop(expander);
    vec_fini(&expander->levels);
}

bool code_expander_charge(struct code_expander *expander, uint64_t cost,
                          const struct code_token *place)
{
    if (!code_context_ok(expander->context))
        return false;
    if (expander->budget < cost) {
        expander->budget = 0;
        code_context_fail(expander->context, FGPU_E_LIMIT, place,
                          "its macros expand to too many tokens");
        return false;
    }
    expander->budget -= cost;
    return true;
}

/* Next token as it stands: from the innermost list that has one, else from the source. */
static struct code_token expander_read(struct code_expander *expander)
{
    struct code_token end = {.kind = CODE_TOKEN_END, .flags = CODE_TOKEN_FIRST};
    while (expander->levels.count > expander->base) {
        struct expand_level *level = vec_at(&expander->levels, expander->levels.count - 1);
        if (level->at < level->count) {
            const struct code_token *token = &level->tokens[level->at++];
            return code_expander_charge(expander, 1, token) ? *token : end;
        }
        expander_pop(expander);
    }
    if (expander->bounded || !code_expander_charge(expander, 1, NULL))
        return end;
    if (!expander->peeked)
        return expander->source.next(expander->source.user);
    expander->peeked = false;
    return expander->ahead;
}

/* Does `(` come next, in whatever list? */
static bool expander_sees_call(struct code_expander *expander)
{
    for (size_t i = expander->levels.count; i > expander->base; i--) {
        const struct expand_level *level = vec_at(&expander->levels, i - 1);
        if (level->at < level->count)
            return code_token_is(&level->tokens[level->at], CODE_PUNCT_LPAREN);
    }
    if (expander->bounded)
        return false;
    if (!expander->peeked) {
        expander->ahead = expander->source.next(expander->source.user);
        expander->peeked = true;
    }
    return code_token_is(&expander->ahead, CODE_PUNCT_LPAREN);
}

static bool is_macro_off(const struct code_expander *expander, const struct code_token *token)
{
    if (token->kind != CODE_TOKEN_NAME)
        return false;
    const struct code_macro *macro = code_macros_find(expander->macros, token->name);
    return macro != NULL && macro->disabled;
}

/* Reads `( a , b )` behind a macro's name; false when it does not end. */
static bool expander_collect(struct code_expander *expander, const struct code_macro *macro,
                             struct code_arguments *arguments)
{
    struct code_context *context = expander->context;
    expander_read(expander);
    for (uint32_t depth = 1;;) {
        struct code_token token = expander_read(expander);
        if (token.kind == CODE_TOKEN_END)
            return false;
        if (is_macro_off(expander, &token))
            token.flags |= CODE_TOKEN_PAINTED;
        depth += code_token_is(&token, CODE_PUNCT_LPAREN);
        depth -= code_token_is(&token, CODE_PUNCT_RPAREN);
        bool rest = macro->variadic && arguments->ends.count + 1 >= macro->parameter_count;
        bool comma = depth == 1 && !rest && code_token_is(&token, CODE_PUNCT_COMMA);
        uint32_t end = (uint32_t)arguments->tokens.count;
        if ((comma || depth == 0) && code_context_push(context, &arguments->ends, &end) == NULL)
            return false;
        if (depth == 0)
            return true;
        if (!comma && code_context_push(context, &arguments->tokens, &token) == NULL)
            return false;
    }
}

static bool arguments_fit(const struct code_macro *macro, const struct code_arguments *arguments)
{
    size_t count = arguments->ends.count;
    if (macro->parameter_count == 0)
        return count == 1 && arguments->tokens.count == 0;
    return count == macro->parameter_count ||
           (macro->variadic && count + 1 == macro->parameter_count);
}

/* Puts the replacement of `macro` on top of the stack. */
static void expander_push(struct code_expander *expander, struct code_macro *macro,
                          const struct code_token *place, const struct code_arguments *arguments)
{
    struct expand_level level = {.macro = macro};
    vec_init(&level.owned, sizeof(struct code_token), expander->context->hooks);
    code_macro_substitute(expander, macro, place, arguments, &level.owned);
    level.count = level.owned.count;
    level.tokens = level.count > 0 ? vec_at(&level.owned, 0) : NULL;
    if (!code_expander_charge(expander, 1, place) ||
        code_context_push(expander->context, &expander->levels, &level) == NULL) {
        vec_fini(&level.owned);
        return;
    }
    macro->disabled = true;
}

static void expander_call(struct code_expander *expander, struct code_macro *macro,
                          const struct code_token *place)
{
    struct code_arguments arguments;
    vec_init(&arguments.tokens, sizeof(struct code_token), expander->context->hooks);
    vec_init(&arguments.ends, sizeof(uint32_t), expander->context->hooks);
    const char *name = code_token_text(expander->context, place);
    if (macro->function_like && !expander_collect(expander, macro, &arguments))
        code_context_doubt(expander->context, place->line, "a use of macro %.64s does not end",
                           name);
    else if (macro->function_like && !arguments_fit(macro, &arguments))
        code_context_doubt(expander->context, place->line,
                           "macro %.64s takes %u arguments, not %zu", name, macro->parameter_count,
                           arguments.ends.count);
    else
        expander_push(expander, macro, place, &arguments);
    vec_fini(&arguments.tokens);
    vec_fini(&arguments.ends);
}

/* __LINE__, __FILE__ and __COUNTER__. */
static struct code_token expander_builtin(struct code_expander *expander, struct code_token token)
{
    char text[32];
    if (token.name == CODE_WORD___FILE__) {
        token.kind = CODE_TOKEN_STRING;
        snprintf(text, sizeof text, "\"\"");
    } else {
        token.kind = CODE_TOKEN_NUMBER;
        bool line = token.name == CODE_WORD___LINE__;
        snprintf(text, sizeof text, "%u", line ? token.line : expander->counter++);
    }
    token.name = code_names_intern(&expander->context->names, text, strlen(text));
    token.flags |= CODE_TOKEN_MACRO;
    return token;
}

/* A macro that another device might see differently: a doubt, or in a condition a value that is not
 * known. */
static struct code_token expander_uncertain(struct code_expander *expander, struct code_token token)
{
    if (!expander->condition) {
        code_context_doubt(expander->context, token.line,
                           "macro %.64s depends on what the device defines",
                           code_token_text(expander->context, &token));
        return token;
    }
    token.kind = CODE_TOKEN_NUMBER;
    token.name = code_names_intern(&expander->context->names, "0", 1);
    token.flags |= CODE_TOKEN_UNCERTAIN | CODE_TOKEN_MACRO;
    return token;
}

struct code_token code_expander_next(struct code_expander *expander)
{
    for (;;) {
        struct code_token token = expander_read(expander);
        if (token.kind != CODE_TOKEN_NAME || (token.flags & CODE_TOKEN_PAINTED) != 0)
            return token;
        struct code_macro *macro = code_macros_find(expander->macros, token.name);
        bool special = token.name == CODE_WORD___LINE__ || token.name == CODE_WORD___FILE__ ||
                       token.name == CODE_WORD___COUNTER__;
        if (macro != NULL && macro->uncertain && (!macro->harmless || expander->condition))
            token = expander_uncertain(expander, token);
        else if (special && (macro == NULL || !macro->defined))
            return expander_builtin(expander, token);
        if (macro != NULL && macro->uncertain && !macro->defined)
            token.flags |= CODE_TOKEN_UNCERTAIN;
        if (token.kind != CODE_TOKEN_NAME || macro == NULL || !macro->defined || macro->predefined)
            return token;
        if (macro->disabled) {
            token.flags |= CODE_TOKEN_PAINTED;
            return token;
        }
        if (macro->function_like && !expander_sees_call(expander))
            return token;
        expander_call(expander, macro, &token);
    }
}

void code_expander_list(struct code_expander *expander, const struct code_token *tokens,
                        size_t count, struct vec *out)
{
    struct expand_level level = {.tokens = tokens, .count = count};
    size_t base = expander->base;
    bool bounded = expander->bounded;
    if (expander->depth >= EXPAND_DEPTH)
        code_context_fail(expander->context, FGPU_E_LIMIT, count > 0 ? tokens : NULL,
                          "macro arguments are nested deeper than %d", EXPAND_DEPTH);
    vec_init(&level.owned, sizeof(struct code_token), expander->context->hooks);
    if (!code_context_ok(expander->context))
        return;
    expander->base = expander->levels.count;
    expander->bounded = true;
    expander->depth++;
    if (code_context_push(expander->context, &expander->levels, &level) != NULL) {
        for (;;) {
            struct code_token token = code_expander_next(expander);
            if (token.kind == CODE_TOKEN_END ||
                code_context_push(expander->context, out, &token) == NULL)
                break;
        }
    }
    while (expander->levels.count > expander->base)
        expander_pop(expander);
    expander->depth--;
    expander->base = base;
    expander->bounded = bounded;
}
