/* Arithmetic in texts: see expression.h. A recursive descent with a bounded depth. */
#include "expression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_limits.h"
#include "why.h"

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

static bool expression_name(struct expression *in, double *value)
{
    char name[CLI_EXPRESSION_BYTES];
    size_t length = strspn(in->at, EXPRESSION_LETTERS EXPRESSION_DIGITS ".");
    struct expression_value found = {0};

    if (length >= sizeof name)
        return expression_fail(in, "a shorter name");
    memcpy(name, in->at, length);
    name[length] = '\0';
    in->at += length;
    bool is_min = strcmp(name, "min") == 0;
    if ((is_min || strcmp(name, "max") == 0) && expression_take(in, "("))
        return expression_call(in, is_min, value);
    if (!in->names->find(in->names->user, name, &found, in->why, in->why_bytes))
        return false;
    if (found.text) {
        (void)why_fail(FGPU_E_INVAL, in->why, in->why_bytes, "%s is the text \"%.40s\", no number",
                       name, found.text);
        return false;
    }
    *value = found.number;
    return true;
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

/* The value of one {expression} as text. */
static bool expression_print(const char *text, const struct expression_names *names, char *out,
                             size_t out_bytes, char *why, size_t why_bytes)
{
    struct expression_value value = {0};

    if (text[0] && strchr(EXPRESSION_LETTERS, text[0]) &&
        text[strspn(text, EXPRESSION_LETTERS EXPRESSION_DIGITS ".")] == '\0') {
        if (!names->find(names->user, text, &value, why, why_bytes))
            return false;
    } else if (!expression_number(text, names, &value.number, why, why_bytes)) {
        return false;
    }
    if (value.text)
        (void)snprintf(out, out_bytes, "%s", value.text);
    else if (value.number == floor(value.number) && fabs(value.number) < 1e15)
        (void)snprintf(out, out_bytes, "%.0f", value.number);
    else
        (void)snprintf(out, out_bytes, "%.10g", value.number);
    return true;
}

bool expression_expand(const char *text, const struct expression_names *names, char *out,
                       size_t out_bytes, char *why, size_t why_bytes)
{
    char inner[CLI_EXPRESSION_BYTES], value[CLI_EXPRESSION_BYTES];
    size_t used = 0;

    while (*text) {
        size_t length = strcspn(text + 1, "}");
        (void)snprintf(value, sizeof value, "%c", *text);
        if (text[0] == text[1] && (text[0] == '{' || text[0] == '}')) {
            text += 2;
        } else if (text[0] == '{') {
            if (text[1 + length] != '}' || length >= sizeof inner) {
                (void)why_fail(FGPU_E_INVAL, why, why_bytes,
                               "{ is not closed by }; a brace itself is written {{");
                return false;
            }
            memcpy(inner, text + 1, length);
            inner[length] = '\0';
            if (!expression_print(inner, names, value, sizeof value, why, why_bytes))
                return false;
            text += length + 2;
        } else {
            text++;
        }
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
