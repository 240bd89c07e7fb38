/* Directives, and the crank that drives lexer and expander; see preprocess.h.
 *
 * Keeps true: `uncertain_count` is the number of open #ifs whose choice depends on the device;
 * while it is not 0, text raises a doubt and definitions are marked uncertain.
 */
#include "code/preprocess.h"

#include <string.h>
#include "base/limits.h"
#include "code/condition.h"
#include "code/enclose.h"
#include "code/macro.h"
#include "code/option.h"
#include "code/word.h"

/* An #if that is open. */
struct condition {
    uint8_t mode;   /* of the group that is being read */
    bool taken;     /* a group was emitted */
    bool settled;   /* on no device can a later group be taken */
    bool uncertain; /* which group is taken depends on the device */
    bool otherwise; /* #else was seen */
    struct code_token place;
};

enum mode {
    MODE_SKIP,   /* out on every device */
    MODE_SHADOW, /* out here, perhaps in on another device */
    MODE_EMIT
};

struct preprocessor {
    struct code_context *context;
    struct code_macros macros;
    struct code_expander expander;
    struct code_lexer lexer;
    struct code_token ahead; /* read, not yet used */
    bool has_ahead;
    struct vec conditions;    /* stack of struct condition */
    uint32_t uncertain_count; /* uncertain ones among them */
    struct vec line;          /* tokens of the directive being read */
    struct vec enclosing;     /* offsets of conditions around the whole text (enclose.h) */
};

/* What __OPENCL_VERSION__ can be on a device that this library takes. */
static const uint32_t opencl_versions[] = {120, 200, 210, 220, 300};

static enum mode current_mode(const struct preprocessor *pp)
{
    if (pp->conditions.count == 0)
        return MODE_EMIT;
    const struct condition *top = vec_at(&pp->conditions, pp->conditions.count - 1);
    return top->mode;
}

/* Mode of what lies around the innermost #if. */
static enum mode outer_mode(const struct preprocessor *pp)
{
    if (pp->conditions.count < 2)
        return MODE_EMIT;
    const struct condition *outer = vec_at(&pp->conditions, pp->conditions.count - 2);
    return outer->mode;
}

static struct code_token lex(struct preprocessor *pp)
{
    if (!pp->has_ahead)
        return code_lexer_next(&pp->lexer);
    pp->has_ahead = false;
    return pp->ahead;
}

/* Reads the rest of the directive's line into pp->line. */
static void read_line(struct preprocessor *pp)
{
    vec_clear(&pp->line);
    for (;;) {
        pp->ahead = code_lexer_next(&pp->lexer);
        pp->has_ahead = true;
        if ((pp->ahead.flags & CODE_TOKEN_FIRST) != 0 ||
            code_context_push(pp->context, &pp->line, &pp->ahead) == NULL)
            return;
    }
}

static const struct code_token *line_token(const struct preprocessor *pp, size_t index)
{
    return index < pp->line.count ? vec_at(&pp->line, index) : NULL;
}

/* Replaces `defined X` and `defined(X)` in pp->line by numbers. */
static void replace_defined(struct preprocessor *pp, struct vec *out)
{
    for (size_t i = 0; i < pp->line.count; i++) {
        struct code_token token = *line_token(pp, i);
        const struct code_token *next = line_token(pp, i + 1);
        bool paren = next != NULL && code_token_is(next, CODE_PUNCT_LPAREN);
        const struct code_token *name = line_token(pp, i + 1 + paren);
        const struct code_token *close = line_token(pp, i + 3);
        bool closed = !paren || (close != NULL && code_token_is(close, CODE_PUNCT_RPAREN));
        if (code_token_is_word(&token, CODE_WORD_defined) && name != NULL &&
            name->kind == CODE_TOKEN_NAME && closed) {
            struct code_value value = code_condition_defined(pp->context, &pp->macros, name->name);
            token.kind = CODE_TOKEN_NUMBER;
            token.name = code_names_intern(&pp->context->names, value.bits != 0 ? "1" : "0", 1);
            token.flags |= value.known ? 0 : CODE_TOKEN_UNCERTAIN;
            i += paren ? 3 : 1;
        }
        if (code_context_push(pp->context, out, &token) == NULL)
            return;
    }
}

/* Value of the expression in pp->line; known when it is the same under every version of OpenCL. */
static struct code_value line_value(struct preprocessor *pp, const struct code_token *place)
{
    struct vec plain;
    struct vec expanded;
    vec_init(&plain, sizeof(struct code_token), pp->context->hooks);
    vec_init(&expanded, sizeof(struct code_token), pp->context->hooks);
    replace_defined(pp, &plain);
    pp->expander.condition = true;
    if (plain.count > 0)
        code_expander_list(&pp->expander, vec_at(&plain, 0), plain.count, &expanded);
    pp->expander.condition = false;
    const struct code_token *tokens = expanded.count > 0 ? vec_at(&expanded, 0) : NULL;
    struct code_value value =
        code_condition_value(pp->context, &pp->macros, opencl_versions[0], tokens, expanded.count);
    for (size_t i = 1; i < sizeof opencl_versions / sizeof *opencl_versions; i++) {
        struct code_value other = code_condition_value(pp->context, &pp->macros, opencl_versions[i],
                                                       tokens, expanded.count);
        value.known &= other.known && (other.bits != 0) == (value.bits != 0);
    }
    if (value.malformed)
        code_context_doubt(pp->context, place->line, "the expression behind #if cannot be read");
    vec_fini(&plain);
    vec_fini(&expanded);
    return value;
}

/* Value of #ifdef and #ifndef. */
static struct code_value name_value(struct preprocessor *pp, bool inverted)
{
    struct code_value value = {.malformed = true};
    const struct code_token *name = line_token(pp, 0);
    if (name == NULL || name->kind != CODE_TOKEN_NAME)
        return value;
    value = code_condition_defined(pp->context, &pp->macros, name->name);
    value.bits = inverted ? value.bits == 0 : value.bits;
    return value;
}

static void set_uncertain(struct preprocessor *pp, struct condition *condition)
{
    if (!condition->uncertain)
        pp->uncertain_count++;
    condition->uncertain = true;
}

/* The mode of a group whose condition has `value`; everything before it in `condition`. */
static void choose(struct preprocessor *pp, struct condition *condition, struct code_value value)
{
    enum mode mode;
    if (condition->settled || (value.known && value.bits == 0)) {
        condition->mode = MODE_SKIP;
        return;
    }
    if (!value.known)
        set_uncertain(pp, condition);
    mode = condition->taken || value.bits == 0 ? MODE_SHADOW : MODE_EMIT;
    condition->taken |= mode == MODE_EMIT;
    condition->settled = value.known;
    condition->mode = (uint8_t)(mode < outer_mode(pp) ? mode : outer_mode(pp));
}

static struct code_value group_value(struct preprocessor *pp, const struct code_token *place,
                                     uint32_t word)
{
    if (word == CODE_WORD_if || word == CODE_WORD_elif)
        return line_value(pp, place);
    return name_value(pp, word == CODE_WORD_ifndef || word == CODE_WORD_elifndef);
}

/* Does this #if enclose the whole text? */
static bool is_enclosing(const struct preprocessor *pp, const struct code_token *place)
{
    for (size_t i = 0; place->line != 0 && i < pp->enclosing.count; i++)
        if (*(uint32_t *)vec_at(&pp->enclosing, i) == place->offset)
            return true;
    return false;
}

static void open_condition(struct preprocessor *pp, const struct code_token *place, uint32_t word)
{
    struct condition fresh = {.mode = MODE_SKIP, .settled = true, .place = *place};
    bool dead = current_mode(pp) == MODE_SKIP;
    if (pp->conditions.count >= LIMITS_CODE_DEPTH)
        code_context_fail(pp->context, FGPU_E_LIMIT, place, "#if is nested deeper than %u",
                          LIMITS_CODE_DEPTH);
    struct condition *condition = code_context_push(pp->context, &pp->conditions, &fresh);
    if (condition == NULL || dead)
        return;
    condition->settled = false;
    struct code_value value = group_value(pp, place, word);
    if (!value.known && is_enclosing(pp, place))
        value = (struct code_value){.known = true, .bits = 1};
    choose(pp, condition, value);
}

static void next_group(struct preprocessor *pp, const struct code_token *place, uint32_t word)
{
    struct condition *condition =
        pp->conditions.count > 0 ? vec_at(&pp->conditions, pp->conditions.count - 1) : NULL;
    if (condition == NULL || condition->otherwise) {
        code_context_fail(pp->context, FGPU_E_BUILD, place, "#%s without #if",
                          code_names_text(&pp->context->names, word));
        return;
    }
    condition->otherwise = word == CODE_WORD_else;
    if (condition->settled)
        condition->mode = MODE_SKIP;
    else if (condition->otherwise)
        choose(pp, condition, (struct code_value){.known = true, .bits = 1});
    else
        choose(pp, condition, group_value(pp, place, word));
}

static void close_condition(struct preprocessor *pp, const struct code_token *place)
{
    if (pp->conditions.count == 0) {
        code_context_fail(pp->context, FGPU_E_BUILD, place, "#endif without #if");
        return;
    }
    const struct condition *top = vec_at(&pp->conditions, pp->conditions.count - 1);
    pp->uncertain_count -= top->uncertain;
    vec_pop(&pp->conditions);
}

static void define(struct preprocessor *pp, const struct code_token *place)
{
    struct code_macro fresh;
    if (!code_macro_parse(pp->context, line_token(pp, 0), pp->line.count, &fresh)) {
        code_context_doubt(pp->context, place->line, "#define cannot be read");
        return;
    }
    struct code_macro *macro = code_macros_touch(&pp->macros, fresh.name);
    if (macro == NULL)
        return;
    bool number = code_macro_is_number(&fresh);
    bool was_number =
        macro->uncertain ? macro->harmless : !macro->defined || code_macro_is_number(macro);
    fresh.disabled = macro->disabled;
    fresh.uncertain = pp->uncertain_count > 0;
    fresh.harmless = number && was_number;
    if (current_mode(pp) == MODE_EMIT) {
        *macro = fresh;
    } else {
        macro->uncertain = true;
        macro->harmless = fresh.harmless;
    }
}

static void undefine(struct preprocessor *pp)
{
    const struct code_token *name = line_token(pp, 0);
    if (name == NULL || name->kind != CODE_TOKEN_NAME)
        return;
    struct code_macro *macro = code_macros_touch(&pp->macros, name->name);
    if (macro == NULL)
        return;
    if (current_mode(pp) == MODE_EMIT) {
        macro->defined = false;
        macro->predefined = false;
    }
    macro->uncertain = pp->uncertain_count > 0;
    macro->harmless = false;
}

/* What a translation could not go on behind. */
static void stop(struct preprocessor *pp, const struct code_token *place, const char *text)
{
    if (pp->context->stop != NULL || current_mode(pp) != MODE_EMIT)
        return;
    pp->context->stop = text;
    pp->context->stop_line = place->line;
}

static const char stop_pack[] = "#pragma pack is not translated for this device";

/* Pragmas that change what a text means. */
static void pragma(struct preprocessor *pp, const struct code_token *place)
{
    const struct code_token *name = line_token(pp, 0), *second = line_token(pp, 1),
                            *third = line_token(pp, 2);
    if (name != NULL && strcmp(code_token_text(pp->context, name), "pack") == 0)
        stop(pp, place, stop_pack);
    if (second != NULL && third != NULL && current_mode(pp) == MODE_EMIT &&
        strcmp(code_token_text(pp->context, second), "FP_CONTRACT") == 0 &&
        strcmp(code_token_text(pp->context, third), "OFF") == 0)
        pp->context->no_contract = true;
    if (name != NULL && (code_token_is_word(name, CODE_WORD_push_macro) ||
                         code_token_is_word(name, CODE_WORD_pop_macro)))
        code_context_doubt(pp->context, place->line, "#pragma push_macro is not read");
}

/* Directives other than conditions, in a group that some device reads. */
static void act(struct preprocessor *pp, const struct code_token *place, uint32_t word)
{
    switch (word) {
    case CODE_WORD_define:
        define(pp, place);
        break;
    case CODE_WORD_undef:
        undefine(pp);
        break;
    case CODE_WORD_pragma:
        pragma(pp, place);
        break;
    case CODE_WORD_include:
    case CODE_WORD_include_next:
    case CODE_WORD_import:
    case CODE_WORD_embed:
        code_context_doubt(pp->context, place->line,
                           "#include is not read, so what the file says "
                           "is not known");
        stop(pp, place, "#include is not read on this device");
        break;
    default: /* #error, #warning, #line, and what no compiler takes */
        if (strcmp(code_names_text(&pp->context->names, word), "error") == 0)
            stop(pp, place, "#error");
        break;
    }
}

/* `place` is the # that begins the line. */
static void directive(struct preprocessor *pp, const struct code_token *place)
{
    read_line(pp);
    const struct code_token *first = line_token(pp, 0);
    if (first == NULL || first->kind != CODE_TOKEN_NAME)
        return;
    uint32_t word = first->name;
    pp->line.count--;
    memmove(pp->line.items, pp->line.items + sizeof *first, pp->line.count * sizeof *first);
    switch (word) {
    case CODE_WORD_if:
    case CODE_WORD_ifdef:
    case CODE_WORD_ifndef:
        open_condition(pp, place, word);
        break;
    case CODE_WORD_elif:
    case CODE_WORD_elifdef:
    case CODE_WORD_elifndef:
    case CODE_WORD_else:
        next_group(pp, place, word);
        break;
    case CODE_WORD_endif:
        close_condition(pp, place);
        break;
    default:
        if (current_mode(pp) != MODE_SKIP)
            act(pp, place, word);
    }
}

/* Raw token for the expander: directives done, dropped groups left out. */
static struct code_token next_raw(void *user)
{
    struct preprocessor *pp = user;
    for (;;) {
        struct code_token token = lex(pp);
        if (token.kind == CODE_TOKEN_END)
            return token;
        if (code_token_is(&token, CODE_PUNCT_HASH) && (token.flags & CODE_TOKEN_FIRST) != 0) {
            directive(pp, &token);
            continue;
        }
        enum mode mode = current_mode(pp);
        if (mode != MODE_SKIP && pp->uncertain_count > 0) {
            const struct condition *top = vec_at(&pp->conditions, pp->conditions.count - 1);
            code_context_doubt(pp->context, top->place.line,
                               "this #if depends on what the device defines");
        }
        if (mode == MODE_EMIT)
            return token;
    }
}

/* _Pragma("..."): its three tokens are dropped. */
static void pragma_operator(struct preprocessor *pp, struct code_token token)
{
    struct code_context *context = pp->context;
    for (int i = 0; i < 3 && token.kind != CODE_TOKEN_END; i++) {
        token = code_expander_next(&pp->expander);
        const char *text = token.kind == CODE_TOKEN_STRING ? code_token_text(context, &token) : "";
        context->no_contract |= strstr(text, "FP_CONTRACT") != NULL && strstr(text, "OFF") != NULL;
        if (context->stop == NULL && strncmp(text + strcspn(text, "pP"), "pack", 4) == 0) {
            context->stop = stop_pack;
            context->stop_line = token.line;
        }
    }
}

/* Reads one text to its end; its tokens go to `tokens`. */
static void run(struct preprocessor *pp, const char *text, size_t length, uint32_t first_line,
                struct vec *tokens)
{
    code_lexer_init(&pp->lexer, pp->context, text, length, first_line);
    pp->has_ahead = false;
    pp->expander.peeked = false;
    for (;;) {
        struct code_token token = code_expander_next(&pp->expander);
        if (token.kind == CODE_TOKEN_END)
            break;
        if (code_token_is_word(&token, CODE_WORD__Pragma)) {
            pragma_operator(pp, token);
            continue;
        }
        if (tokens->count >= LIMITS_CODE_TOKENS)
            code_context_fail(pp->context, FGPU_E_LIMIT, &token, "it has more than %u tokens",
                              LIMITS_CODE_TOKENS);
        if (code_context_push(pp->context, tokens, &token) == NULL)
            break;
    }
    if (pp->conditions.count > 0) {
        const struct condition *top = vec_at(&pp->conditions, pp->conditions.count - 1);
        code_context_fail(pp->context, FGPU_E_BUILD, &top->place, "#if without #endif");
    }
}

/* __OPENCL_VERSION__ is there, and only conditions know its value. */
static void predefine_version(struct preprocessor *pp)
{
    struct code_macro *macro = code_macros_touch(&pp->macros, CODE_WORD___OPENCL_VERSION__);
    if (macro != NULL) {
        macro->defined = true;
        macro->predefined = true;
    }
}

/* Unrolling by macros makes much of little text, but within limits that keep a bad text from taking
 * seconds. */
static uint64_t budget_of(size_t length)
{
    uint64_t budget = LIMITS_CODE_STEPS / 16 + 64 * (uint64_t)length;
    return budget < LIMITS_CODE_STEPS ? budget : LIMITS_CODE_STEPS;
}

fgpu_status code_preprocess(struct code_context *context, const char *text, size_t length,
                            const char *options, struct vec *tokens)
{
    struct preprocessor pp = {.context = context};
    struct vec prelude;
    code_macros_init(&pp.macros, context);
    code_expander_init(&pp.expander, &pp.macros, (struct code_token_source){next_raw, &pp},
                       budget_of(length));
    vec_init(&pp.conditions, sizeof(struct condition), context->hooks);
    vec_init(&pp.line, sizeof(struct code_token), context->hooks);
    vec_init(&pp.enclosing, sizeof(uint32_t), context->hooks);
    vec_init(&prelude, 1, context->hooks);
    code_enclose_find(context, text, length, &pp.enclosing);
    predefine_version(&pp);
    code_option_prelude(context, options, &prelude);
    if (code_context_ok(context) && prelude.count > 0)
        run(&pp, vec_at(&prelude, 0), prelude.count, 0, tokens);
    run(&pp, text, length, 1, tokens);
    const struct code_token end = code_lexer_next(&pp.lexer);
    code_context_push(context, tokens, &end);
    vec_fini(&prelude);
    vec_fini(&pp.enclosing);
    vec_fini(&pp.line);
    vec_fini(&pp.conditions);
    code_expander_fini(&pp.expander);
    code_macros_fini(&pp.macros);
    return context->status;
}
