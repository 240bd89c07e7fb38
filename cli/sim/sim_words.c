/* Numbers in words: see sim_words.h. */
#include "cli/sim/sim_words.h"

#include <stdlib.h>
#include <string.h>

/* Digits, a point and an exponent: strtod() alone would take "nan" and "0x1p3" too. */
static const char *sim_words_scan(const char *text, double *number)
{
    size_t length = strspn(text, "0123456789.");
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9')
        return NULL;
    if (text[length] == 'e' || text[length] == 'E') {
        size_t sign = text[length + 1] == '-' || text[length + 1] == '+';
        size_t digits = strspn(text + length + 1 + sign, "0123456789");
        length += digits > 0 ? 1 + sign + digits : 0;
    }
    *number = strtod(text, &end);
    return end == text + length ? end : NULL;
}

bool sim_words_real(const char *text, double low, double high, double *number)
{
    const char *end = sim_words_scan(text, number);

    return end && !*end && *number >= low && *number <= high;
}

bool sim_words_bytes(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    double number = 0;
    const char *end = sim_words_scan(text, &number);

    for (size_t i = 0; end && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            double product = number * units[i].bytes;
            if (!(product <= 0x1p60) || product != (double)(uint64_t)product)
                return false;
            *bytes = (uint64_t)product;
            return true;
        }
    return false;
}
