/* Arithmetic in texts: see expression.h. A recursive descent with a bounded depth. */
#include "cli/workload/expression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/why.h"

#define EXPRESSION_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define EXPRESSION_DIGITS "0123456789"

struct expression {
    const char *at;
    const struct expression_names *names;
    unsigned depth;
    char *why;
    size_t why_bytes;
};

/* What is asked for: a sum, or what binds closer. */
static bool expression_sum(struct expression *in, double *value);

static void expression_blank(struct expression *in)
{
    while (*in->at == ' ')
        in->at++;
}

static bool expression_take(struct expression *in, const char *sign)
{
    size_t length = strlen(sign);

    expression_blank(in);
    if (strncmp(in->at, sign, length) != 0)
        return false;
    in->at += length;
    return true;
}

static bool expression_fail(struct expression *in, const char *wanted)
{
    expression_blank(in);
    (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes, "%s is wanted %s%.20s%s", wanted,
                   *in->at ? "before \"" : "at its end", in->at, *in->at ? "\"" : "");
    return false;
}

/* min(a, b) and max(a, b), from the parenthesis on. */
static bool expression_call(struct expression *in, bool is_min, double *value)
{
    double other = 0.0;

    if (!expression_sum(in, value))
        return false;
    if (!expression_take(in, ","))
        return expression_fail(in, "a comma");
    if (!expression_sum(in, &other))
        return false;
    if (!expression_take(in, ")"))
        return expression_fail(in, ")");
    *value = is_min ? fmin(*value, other) : fmax(*value, other);
    return true;
}

/* Item `index` of a list, where the index stands behind it. */
static bool expression_index(struct expression *in, const char *name,
                             struct expression_value *found)
{
    double index = 0.0;

    if (!expression_sum(in, &index))
        return false;
    if (!expression_take(in, "]"))
        return expression_fail(in, "]");
    if (!found->items) {
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes, "%.40s is no list", name);
        return false;
    }
    if (!(index >= 0.0 && index < found->count) || index != floor(index)) {
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes,
                       "%.40s has %u values, numbered from 0; there is no number %.10g", name,
                       found->count, index);
        return false;
    }
    *found = found->items[(uint32_t)index];
    return true;
}

/* A name, or a list's name and an index. */
static bool expression_refer(struct expression *in, char name[CLI_EXPRESSION_BYTES],
                             struct expression_value *found)
{
    *found = (struct expression_value){0};
    if (!in->names->find(in->names->user, name, found, in->why, in->why_bytes))
        return false;
    return !expression_take(in, "[") || expression_index(in, name, found);
}

static bool expression_take_name(struct expression *in, char name[CLI_EXPRESSION_BYTES])
{
    size_t length = strspn(in->at, EXPRESSION_LETTERS EXPRESSION_DIGITS ".");

    if (length >= CLI_EXPRESSION_BYTES)
        return expression_fail(in, "a shorter name");
    memcpy(name, in->at, length);
    name[length] = '\0';
    in->at += length;
    return true;
}

static bool expression_name(struct expression *in, double *value)
{
    char name[CLI_EXPRESSION_BYTES];
    struct expression_value found;

    if (!expression_take_name(in, name))
        return false;
    bool is_min = strcmp(name, "min") == 0;
    if ((is_min || strcmp(name, "max") == 0) && expression_take(in, "("))
        return expression_call(in, is_min, value);
    if (!expression_refer(in, name, &found))
        return false;
    if (found.text)
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes,
                       "%.40s is the text \"%.40s\", no number", name, found.text);
    else if (found.items)
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes,
                       "%.40s is a list, no number; %.40s[0] is its first value", name, name);
    *value = found.number;
    return !found.text && !found.items;
}

static bool expression_literal(struct expression *in, double *value)
{
    char digits[64];
    size_t length = strspn(in->at, EXPRESSION_DIGITS ".");

    if (length == 0 || length >= sizeof digits || in->at[0] == '.')
        return expression_fail(in, "a number or a name");
    memcpy(digits, in->at, length);
    digits[length] = '\0';
    char *end;
    *value = strtod(digits, &end);
    if (*end)
        return expression_fail(in, "a number");
    in->at += length;
    return true;
}

static bool expression_atom(struct expression *in, double *value)
{
    bool is_good;

    if (in->depth >= CLI_EXPRESSION_DEPTH_LIMIT)
        return expression_fail(in, "less nesting");
    in->depth++;
    if (expression_take(in, "-")) {
        is_good = expression_atom(in, value);
        *value = -*value;
    } else if (expression_take(in, "(")) {
        is_good =
            expression_sum(in, value) && (expression_take(in, ")") || expression_fail(in, ")"));
    } else if (*in->at && strchr(EXPRESSION_LETTERS, *in->at)) {
        is_good = expression_name(in, value);
    } else {
        is_good = expression_literal(in, value);
    }
    in->depth--;
    return is_good;
}

/* [in] sign: of the operation. */
static bool expression_divide(struct expression *in, const char *sign, double by, double *value)
{
    if (by == 0.0) {
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes, "it divides by zero");
        return false;
    }
    double quotient = *value / by;
    if (sign[0] == '%')
        *value -= floor(quotient) * by;
    else
        *value = sign[1] ? floor(quotient) : quotient;
    return true;
}

static bool expression_product(struct expression *in, double *value)
{
    static const char *const signs[] = {"*", "//", "/", "%"};
    double other = 0.0;

    if (!expression_atom(in, value))
        return false;
    for (;;) {
        size_t sign = 0;
        while (sign < 4 && !expression_take(in, signs[sign]))
            sign++;
        if (sign == 4)
            return true;
        if (!expression_atom(in, &other))
            return false;
        if (sign == 0)
            *value *= other;
        else if (!expression_divide(in, signs[sign], other, value))
            return false;
    }
}

static bool expression_sum(struct expression *in, double *value)
{
    double other = 0.0;

    if (!expression_product(in, value))
        return false;
    for (;;) {
        bool is_plus = expression_take(in, "+");
        if (!is_plus && !expression_take(in, "-"))
            return true;
        if (!expression_product(in, &other))
            return false;
        *value += is_plus ? other : -other;
    }
}

bool expression_number(const char *text, const struct expression_names *names, double *number,
                       char *why, size_t why_bytes)
{
    struct expression in = {.at = text, .names = names, .why = why, .why_bytes = why_bytes};
    double value = 0.0;

    if (strlen(text) >= CLI_EXPRESSION_BYTES) {
        (void)why_fail(FGPU_E_LIMIT, why, why_bytes, "an expression has at most %d letters",
                       CLI_EXPRESSION_BYTES - 1);
        return false;
    }
    if (!expression_sum(&in, &value))
        return false;
    expression_blank(&in);
    if (*in.at)
        return expression_fail(&in, "one of + - * / // %");
    if (!isfinite(value)) {
        (void)why_fail(FGPU_E_INVAL, why, why_bytes, "the result is too large");
        return false;
    }
    *number = value == 0.0 ? 0.0 : value; /* never -0, which would print so */
    return true;
}

/* The value of one {expression} as text: that of a name, or `digits` with the number in it. NULL
 * with the reason why there is none. */
static const char *expression_print(const char *text, const struct expression_names *names,
                                    char digits[64], char *why, size_t why_bytes)
{
    struct expression in = {.at = text, .names = names, .why = why, .why_bytes = why_bytes};
    struct expression_value value = {0};
    char name[CLI_EXPRESSION_BYTES];
    size_t length = strspn(text, EXPRESSION_LETTERS EXPRESSION_DIGITS ".");
    bool is_name = text[0] && strchr(EXPRESSION_LETTERS, text[0]) &&
                   (text[length] == '\0' || text[length] == '[');

    if (is_name) {
        if (!expression_take_name(&in, name) || !expression_refer(&in, name, &value))
            return NULL;
        expression_blank(&in);
    }
    if ((!is_name || *in.at) && !expression_number(text, names, &value.number, why, why_bytes))
        return NULL;
    if (is_name && !*in.at && value.text)
        return value.text;
    if (is_name && !*in.at && value.items) {
        (void)why_fail(FGPU_E_INVAL, why, why_bytes, "%.40s is a list: %.40s[0] is its first value",
                       name, name);
        return NULL;
    }
    if (value.number == floor(value.number) && fabs(value.number) < 1e15)
        (void)snprintf(digits, 64, "%.0f", value.number);
    else
        (void)snprintf(digits, 64, "%.10g", value.number);
    return digits;
}

/* The next piece of a text: a letter (in `digits`), or the value of an {expression}. Moves *text
 * behind it. NULL with the reason why there is none. */
static const char *expression_piece(const char **text, const struct expression_names *names,
                                    char digits[64], char *why, size_t why_bytes)
{
    const char *at = *text;
    char inner[CLI_EXPRESSION_BYTES];
    size_t length = strcspn(at + 1, "}");

    (void)snprintf(digits, 64, "%c", *at);
    *text = at + 1;
    if (at[0] == at[1] && (at[0] == '{' || at[0] == '}')) {
        *text = at + 2;
        return digits;
    }
    if (at[0] != '{')
        return digits;
    if (at[1 + length] != '}' || length >= sizeof inner) {
        (void)why_fail(FGPU_E_INVAL, why, why_bytes,
                       "{ is not closed by }; a brace itself is written {{");
        return NULL;
    }
    memcpy(inner, at + 1, length);
    inner[length] = '\0';
    *text = at + length + 2;
    return expression_print(inner, names, digits, why, why_bytes);
}

bool expression_expand(const char *text, const struct expression_names *names, char *out,
                       size_t out_bytes, char *why, size_t why_bytes)
{
    char digits[64];
    size_t used = 0;

    while (*text) {
        const char *value = expression_piece(&text, names, digits, why, why_bytes);
        if (!value)
            return false;
        size_t bytes = strlen(value);
        if (bytes >= out_bytes - used) {
            (void)why_fail(FGPU_E_LIMIT, why, why_bytes, "at most %zu letters are possible here",
                           out_bytes - 1);
            return false;
        }
        memcpy(out + used, value, bytes);
        used += bytes;
    }
    out[used] = '\0';
    return true;
}
