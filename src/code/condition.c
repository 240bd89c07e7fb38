/* Constant expressions with unknown parts; see condition.h.
 *
 * Precedence climbing (K. Clarke, The top-down parsing of expressions, 1986) over a list of tokens;
 * signed and unsigned 64-bit arithmetic as C99 6.10.1 wants it, wrapping where that leaves it
 * undefined.
 */
#include "code/condition.h"

#include "code/builtin.h"
#include "code/word.h"

/* Parentheses inside parentheses; keeps the stack small. */
enum { CONDITION_DEPTH = 64 };

struct evaluation {
    struct code_context *context;
    const struct code_macros *macros;
    uint32_t opencl_version;
    const struct code_token *tokens;
    size_t count;
    size_t at;
    uint32_t depth;
    bool malformed;
};

static const struct code_value value_unknown = {.known = false};

static struct code_value value_known(uint64_t bits, bool is_unsigned)
{
    return (struct code_value){.known = true, .is_unsigned = is_unsigned, .bits = bits};
}

static struct code_value value_malformed(struct evaluation *eval)
{
    eval->malformed = true;
    eval->at = eval->count;
    return value_unknown;
}

static uint8_t peek_punct(const struct evaluation *eval)
{
    return eval->at < eval->count ? eval->tokens[eval->at].punct : CODE_PUNCT_NONE;
}

static bool accept(struct evaluation *eval, enum code_punct punct)
{
    if (peek_punct(eval) != punct)
        return false;
    eval->at++;
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static struct code_value number_value(struct evaluation *eval, const struct code_token *token)
{
    const char *text = code_token_text(eval->context, token);
    int base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    } else if (text[0] == '0' && (text[1] == 'b' || text[1] == 'B')) {
        base = 2;
        text += 2;
    } else if (text[0] == '0') {
        base = 8;
    }
    uint64_t bits = 0;
    for (; digit_value(*text) < base; text++)
        bits = bits * (uint64_t)base + (uint64_t)digit_value(*text);
    bool is_unsigned = bits > INT64_MAX;
    for (; *text == 'u' || *text == 'U' || *text == 'l' || *text == 'L'; text++)
        is_unsigned |= *text == 'u' || *text == 'U';
    if (*text != '\0')
        return value_malformed(eval);
    return (token->flags & CODE_TOKEN_UNCERTAIN) != 0 ? value_unknown
                                                      : value_known(bits, is_unsigned);
}

struct code_value code_condition_defined(const struct code_context *context,
                                         const struct code_macros *macros, uint32_t name)
{
    const struct code_macro *macro = code_macros_find(macros, name);
    if (macro != NULL)
        return macro->uncertain ? value_unknown : value_known(macro->defined, false);
    if (code_builtin_may_be_macro(code_names_text(&context->names, name)))
        return value_unknown;
    return value_known(0, false);
}

/* Skips `( ... )` behind a name. */
static void skip_call(struct evaluation *eval)
{
    uint32_t depth = 0;
    do {
        depth += peek_punct(eval) == CODE_PUNCT_LPAREN;
        depth -= peek_punct(eval) == CODE_PUNCT_RPAREN;
        eval->at++;
    } while (depth > 0 && eval->at < eval->count);
    eval->malformed |= depth > 0;
}

static struct code_value name_value(struct evaluation *eval, const struct code_token *token)
{
    if (peek_punct(eval) == CODE_PUNCT_LPAREN) {
        skip_call(eval);
        return value_unknown;
    }
    if (eval->macros == NULL)
        return value_unknown;
    const struct code_macro *macro = code_macros_find(eval->macros, token->name);
    if (token->name == CODE_WORD___OPENCL_VERSION__ && macro != NULL && macro->predefined)
        return value_known(eval->opencl_version, false);
    struct code_value defined = code_condition_defined(eval->context, eval->macros, token->name);
    return defined.known ? value_known(0, false) : value_unknown;
}

static struct code_value conditional_value(struct evaluation *eval);

static struct code_value primary_value(struct evaluation *eval)
{
    if (eval->at >= eval->count)
        return value_malformed(eval);
    const struct code_token *token = &eval->tokens[eval->at++];
    const char *text = code_token_text(eval->context, token);
    switch (token->kind) {
    case CODE_TOKEN_NUMBER:
        return number_value(eval, token);
    case CODE_TOKEN_CHAR:
        return token->length == 3 ? value_known((uint64_t)(int64_t)(signed char)text[1], false)
                                  : value_unknown;
    case CODE_TOKEN_NAME:
        return name_value(eval, token);
    default:
        break;
    }
    if (!code_token_is(token, CODE_PUNCT_LPAREN))
        return value_malformed(eval);
    struct code_value value = conditional_value(eval);
    return accept(eval, CODE_PUNCT_RPAREN) ? value : value_malformed(eval);
}

static struct code_value unary_value(struct evaluation *eval)
{
    if (++eval->depth > CONDITION_DEPTH)
        return value_malformed(eval);
    uint8_t punct = peek_punct(eval);
    struct code_value value;
    switch (punct) {
    case CODE_PUNCT_PLUS:
    case CODE_PUNCT_MINUS:
    case CODE_PUNCT_TILDE:
    case CODE_PUNCT_NOT:
        eval->at++;
        value = unary_value(eval);
        break;
    default:
        value = primary_value(eval);
        punct = CODE_PUNCT_NONE;
    }
    eval->depth--;
    if (!value.known)
        return value;
    if (punct == CODE_PUNCT_MINUS)
        value.bits = 0 - value.bits;
    else if (punct == CODE_PUNCT_TILDE)
        value.bits = ~value.bits;
    else if (punct == CODE_PUNCT_NOT)
        value = value_known(value.bits == 0, false);
    return value;
}

static struct code_value divide(uint64_t a, uint64_t b, bool is_unsigned, bool remainder)
{
    if (b == 0)
        return value_unknown;
    if (is_unsigned)
        return value_known(remainder ? a % b : a / b, true);
    if (b == UINT64_MAX) /* the one quotient that does not fit: INT64_MIN / -1 */
        return value_known(remainder ? 0 : 0 - a, false);
    int64_t x = (int64_t)a;
    int64_t y = (int64_t)b;
    return value_known((uint64_t)(remainder ? x % y : x / y), false);
}

/* Counts out of range are what they are on no device: unknown. */
static struct code_value shift(struct code_value a, uint64_t count, bool left)
{
    if (count > 63)
        return value_unknown;
    if (left)
        return value_known(a.bits << count, a.is_unsigned);
    bool negative = !a.is_unsigned && (a.bits >> 63) != 0;
    uint64_t bits = a.bits >> count;
    if (negative && count > 0)
        bits |= ~UINT64_C(0) << (64 - count);
    return value_known(bits, a.is_unsigned);
}

static bool compare(uint8_t punct, uint64_t a, uint64_t b, bool is_unsigned)
{
    bool less = is_unsigned ? a < b : (int64_t)a < (int64_t)b;
    switch (punct) {
    case CODE_PUNCT_LT:
        return less;
    case CODE_PUNCT_GT:
        return !less && a != b;
    case CODE_PUNCT_LE:
        return less || a == b;
    case CODE_PUNCT_GE:
        return !less;
    case CODE_PUNCT_EQ:
        return a == b;
    default:
        return a != b;
    }
}

static struct code_value combine(uint8_t punct, struct code_value a, struct code_value b)
{
    if (punct == CODE_PUNCT_AND_AND && ((a.known && a.bits == 0) || (b.known && b.bits == 0)))
        return value_known(0, false);
    if (punct == CODE_PUNCT_OR_OR && ((a.known && a.bits != 0) || (b.known && b.bits != 0)))
        return value_known(1, false);
    if (!a.known || !b.known)
        return value_unknown;
    bool is_unsigned = a.is_unsigned || b.is_unsigned;
    switch (punct) {
    case CODE_PUNCT_STAR:
        return value_known(a.bits * b.bits, is_unsigned);
    case CODE_PUNCT_DIV:
    case CODE_PUNCT_MOD:
        return divide(a.bits, b.bits, is_unsigned, punct == CODE_PUNCT_MOD);
    case CODE_PUNCT_PLUS:
        return value_known(a.bits + b.bits, is_unsigned);
    case CODE_PUNCT_MINUS:
        return value_known(a.bits - b.bits, is_unsigned);
    case CODE_PUNCT_SHL:
    case CODE_PUNCT_SHR:
        return shift(a, b.bits, punct == CODE_PUNCT_SHL);
    case CODE_PUNCT_AMP:
        return value_known(a.bits & b.bits, is_unsigned);
    case CODE_PUNCT_XOR:
        return value_known(a.bits ^ b.bits, is_unsigned);
    case CODE_PUNCT_OR:
        return value_known(a.bits | b.bits, is_unsigned);
    case CODE_PUNCT_AND_AND: /* both are true */
        return value_known(1, false);
    case CODE_PUNCT_OR_OR: /* both are false */
        return value_known(0, false);
    default:
        return value_known(compare(punct, a.bits, b.bits, is_unsigned), false);
    }
}

static struct code_value binary_value(struct evaluation *eval, int least)
{
    struct code_value value = unary_value(eval);
    for (;;) {
        uint8_t punct = peek_punct(eval);
        /* Directives have no `^^`; what is left of the line makes it malformed. */
        int level = punct != CODE_PUNCT_XOR_XOR ? code_punct_precedence(punct) : 0;
        if (level == 0 || level < least)
            return value;
        eval->at++;
        struct code_value right = binary_value(eval, level + 1);
        value = combine(punct, value, right);
    }
}

static struct code_value conditional_value(struct evaluation *eval)
{
    if (++eval->depth > CONDITION_DEPTH)
        return value_malformed(eval);
    struct code_value value = binary_value(eval, 1);
    if (accept(eval, CODE_PUNCT_QUESTION)) {
        struct code_value yes = conditional_value(eval);
        if (!accept(eval, CODE_PUNCT_COLON))
            return value_malformed(eval);
        struct code_value no = conditional_value(eval);
        if (value.known)
            value = value.bits != 0 ? yes : no;
        else
            value = value_unknown;
        value.is_unsigned |= yes.is_unsigned || no.is_unsigned;
    }
    eval->depth--;
    return value;
}

struct code_value code_condition_value(struct code_context *context,
                                       const struct code_macros *macros, uint32_t opencl_version,
                                       const struct code_token *tokens, size_t count)
{
    struct evaluation eval = {.context = context,
                              .macros = macros,
                              .opencl_version = opencl_version,
                              .tokens = tokens,
                              .count = count};
    struct code_value value = conditional_value(&eval);
    if (eval.at < eval.count || eval.malformed) {
        value = value_unknown;
        value.malformed = true;
    }
    return value;
}
