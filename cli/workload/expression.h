/* Arithmetic in texts: "photo.width / 2" where a number is wanted, "tile-{i + 1}" in names.
 *
 * Numbers, names, + - * / // % (the last two rounded down, as in Python), parentheses, min(a, b),
 * max(a, b), and list[index] with indices from 0. Calculates in double, which is exact for whole
 * numbers up to 2^53. What a name means is the caller's to say. Thread: any; pure.
 */
#ifndef FASTGPU_CLI_WORKLOAD_EXPRESSION_H
#define FASTGPU_CLI_WORKLOAD_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct expression_value {
    const char *text;                     /* NULL: it is no text. [borrow] */
    const struct expression_value *items; /* NULL: it is no list. [borrow] */
    uint32_t count;                       /* of items; none of them is a list */
    double number;                        /* where it is neither */
};

/* What a name (letters, digits, _ and dots) means; false, with why it means nothing. */
struct expression_names {
    bool (*find)(void *user, const char *name, struct expression_value *value, char *why,
                 size_t why_bytes);
    void *user;
};

/* The value of the whole text, a finite number. */
bool expression_number(const char *text, const struct expression_names *names, double *number,
                       char *why, size_t why_bytes);

/* Copies the text with every {expression} replaced by its value; {{ is {, and }} is }. */
bool expression_expand(const char *text, const struct expression_names *names, char *out,
                       size_t out_bytes, char *why, size_t why_bytes);

#endif
