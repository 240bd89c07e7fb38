/* Types of numbers in buffers and arguments, under their NumPy names ("float32"). Plain data; pure.
 */
#ifndef FASTGPU_CLI_COMMON_ELEMENT_H
#define FASTGPU_CLI_COMMON_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

enum element_type {
    ELEMENT_INT8,
    ELEMENT_UINT8,
    ELEMENT_INT16,
    ELEMENT_UINT16,
    ELEMENT_INT32,
    ELEMENT_UINT32,
    ELEMENT_INT64,
    ELEMENT_UINT64,
    ELEMENT_FLOAT32,
    ELEMENT_FLOAT64,
    ELEMENT_TYPES
};

struct element {
    const char *name;
    uint32_t size_bytes;
    bool is_real;
    double low, high; /* of whole numbers; of 64 bits those that a double holds exactly */
};

/* By enum element_type. */
extern const struct element elements[ELEMENT_TYPES];

/* The type of that name; ELEMENT_TYPES where there is none. */
enum element_type element_find(const char *name);

/* Whether the number can be such an element: whole and in range; any finite one for real types that
 * does not become infinite. */
bool element_fits(enum element_type type, double number);

/* Writes elements[type].size_bytes bytes. [in] number: one that fits. */
void element_store(enum element_type type, double number, void *to);

#endif
