/* Numbers as text. See machine_number.h.
 *
 * Nothing but digits and an exponent is handed to the C library, and of what it prints nothing but
 * digits is used: the point of the locale never matters.
 */
#include "machine/machine_number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"

#define NUMBER_EXPONENT 400 /* beyond what a double reaches in either direction */
#define NUMBER_PLAIN 16     /* from 10^16 and below 10^-5 on with an exponent */

static bool number_is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* An exponent at text[at..length). */
static bool number_read_exponent(const char *text, size_t at, size_t length, int *exponent)
{
    bool is_negative = at < length && text[at] == '-';
    if (at < length && (text[at] == '-' || text[at] == '+'))
        at++;
    if (at == length || length - at > 4)
        return false;
    int value = 0;
    for (; at < length; at++) {
        if (!number_is_digit(text[at]))
            return false;
        value = value * 10 + (text[at] - '0');
    }
    *exponent = is_negative ? -value : value;
    return true;
}

bool machine_number_read(const char *text, size_t length, int shift, double *value)
{
    char digits[MACHINE_NUMBER_LETTERS + 16];
    size_t count = 0, at = 0;
    int exponent = 0, fraction = 0;
    bool is_fraction = false;
    if (length == 0 || length > MACHINE_NUMBER_LETTERS)
        return false;
    for (; at < length && text[at] != 'e' && text[at] != 'E'; at++) {
        if (number_is_digit(text[at])) {
            digits[count++] = text[at];
            fraction += is_fraction;
        } else if (text[at] == '.' && !is_fraction) {
            is_fraction = true;
        } else {
            return false;
        }
    }
    if (count == 0 || (is_fraction && fraction == 0) || !number_is_digit(text[0]))
        return false;
    if (at < length && !number_read_exponent(text, at + 1, length, &exponent))
        return false;
    exponent += shift - fraction;
    if (exponent > NUMBER_EXPONENT + (int)count || exponent < -NUMBER_EXPONENT - (int)count)
        exponent = exponent > 0 ? NUMBER_EXPONENT : -NUMBER_EXPONENT - (int)count;
    snprintf(digits + count, sizeof digits - count, "e%d", exponent);
    *value = strtod(digits, NULL);
    return isfinite(*value);
}

bool machine_number_read_whole(const char *text, size_t length, uint64_t most, uint64_t *value)
{
    uint64_t sum = 0;
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (!number_is_digit(text[i]) || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return sum <= most;
}

bool machine_number_read_bytes(const char *text, size_t length, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    unsigned shift = 0;
    const char *unit = length > 3 ? strchr(units, text[length - 3]) : NULL;
    if (unit != NULL && *unit != '\0' && text[length - 2] == 'i' && text[length - 1] == 'B') {
        shift = 10 * (unsigned)(unit - units + 1);
        length -= 3;
    }
    if (!machine_number_read_whole(text, length, UINT64_MAX >> 1 >> shift, bytes))
        return false;
    *bytes <<= shift;
    return true;
}

/* The digits of the nearest decimal with so many of them, without trailing zeros. Returns the
 * exponent of the first. */
static int number_digits(double value, int count, char digits[24])
{
    char text[MACHINE_NUMBER_BYTES];
    size_t used = 0;
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    const char *at = text;
    for (; *at != 'e'; at++)
        if (number_is_digit(*at))
            digits[used++] = *at;
    while (used > 1 && digits[used - 1] == '0')
        used--;
    digits[used] = '\0';
    return (int)strtol(at + 1, NULL, 10);
}

void machine_number_print(double value, char text[MACHINE_NUMBER_BYTES])
{
    char digits[24] = "0";
    int exponent = 0;
    FGPU_ASSERT(isfinite(value) && value >= 0.0);
    for (int count = 15; count <= 17 && value > 0.0; count++) {
        char whole[MACHINE_NUMBER_BYTES];
        exponent = number_digits(value, count, digits);
        snprintf(whole, sizeof whole, "%se%d", digits, exponent + 1 - (int)strlen(digits));
        if (strtod(whole, NULL) == value)
            break;
    }
    int count = (int)strlen(digits);
    if (exponent >= NUMBER_PLAIN || exponent < -5) {
        snprintf(text, MACHINE_NUMBER_BYTES, "%c%s%se%d", digits[0], count > 1 ? "." : "",
                 digits + 1, exponent);
    } else if (exponent < 0) {
        snprintf(text, MACHINE_NUMBER_BYTES, "0.%.*s%s", -1 - exponent, "00000", digits);
    } else if (count <= exponent + 1) {
        snprintf(text, MACHINE_NUMBER_BYTES, "%s%.*s", digits, exponent + 1 - count,
                 "0000000000000000");
    } else {
        snprintf(text, MACHINE_NUMBER_BYTES, "%.*s.%s", exponent + 1, digits,
                 digits + exponent + 1);
    }
}

void machine_number_print_bytes(uint64_t bytes, char text[MACHINE_NUMBER_BYTES])
{
    const char *unit = "";
    if (bytes != 0 && bytes % (1u << 30) == 0) {
        bytes >>= 30;
        unit = "GiB";
    } else if (bytes != 0 && bytes % (1u << 20) == 0) {
        bytes >>= 20;
        unit = "MiB";
    }
    snprintf(text, MACHINE_NUMBER_BYTES, "%" PRIu64 "%s", bytes, unit);
}
