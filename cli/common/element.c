/* Types of numbers: see element.h. */
#include "cli/common/element.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define ELEMENT_EXACT 9007199254740992.0 /* 2^53 */

const struct element elements[ELEMENT_TYPES] = {
    [ELEMENT_INT8] = {"int8", 1, false, -128.0, 127.0},
    [ELEMENT_UINT8] = {"uint8", 1, false, 0.0, 255.0},
    [ELEMENT_INT16] = {"int16", 2, false, -32768.0, 32767.0},
    [ELEMENT_UINT16] = {"uint16", 2, false, 0.0, 65535.0},
    [ELEMENT_INT32] = {"int32", 4, false, -2147483648.0, 2147483647.0},
    [ELEMENT_UINT32] = {"uint32", 4, false, 0.0, 4294967295.0},
    [ELEMENT_INT64] = {"int64", 8, false, -ELEMENT_EXACT, ELEMENT_EXACT},
    [ELEMENT_UINT64] = {"uint64", 8, false, 0.0, ELEMENT_EXACT},
    [ELEMENT_FLOAT32] = {"float32", 4, true, -(double)FLT_MAX, (double)FLT_MAX},
    [ELEMENT_FLOAT64] = {"float64", 8, true, -DBL_MAX, DBL_MAX},
};

enum element_type element_find(const char *name)
{
    uint32_t type = 0;

    while (type < ELEMENT_TYPES && strcmp(elements[type].name, name) != 0)
        type++;
    return (enum element_type)type;
}

bool element_fits(enum element_type type, double number)
{
    const struct element *element = &elements[type];

    return number >= element->low && number <= element->high &&
           (element->is_real || number == floor(number));
}

void element_store(enum element_type type, double number, void *to)
{
    float single = (float)number;
    int64_t whole = elements[type].is_real ? 0 : (int64_t)number;

    if (type == ELEMENT_FLOAT32) {
        memcpy(to, &single, sizeof single);
        return;
    }
    if (type == ELEMENT_FLOAT64) {
        memcpy(to, &number, sizeof number);
        return;
    }
    const int8_t byte = (int8_t)whole; /* two's complement: signed and unsigned share their bits */
    const int16_t half = (int16_t)whole;
    const int32_t word = (int32_t)whole;
    const void *from[] = {[1] = &byte, [2] = &half, [4] = &word, [8] = &whole};
    memcpy(to, from[elements[type].size_bytes], elements[type].size_bytes);
}
