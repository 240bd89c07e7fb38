/* Of several words the one that was probably meant: for messages about commands and options that do
 * not exist. Plain data; pure.
 */
#ifndef FASTGPU_CLI_COMMON_NEAREST_H
#define FASTGPU_CLI_COMMON_NEAREST_H

#include <stdint.h>

struct nearest {
    const char *word;  /* what was typed. [borrow] */
    const char *found; /* [borrow] */
    uint32_t distance; /* of `found` */
};

void nearest_init(struct nearest *nearest, const char *word);

/* One of the words that exist; of equally near ones the first counts. */
void nearest_try(struct nearest *nearest, const char *known);

/* The nearest, or NULL where none is near: more than a third of the letters would have to change.
 */
const char *nearest_found(const struct nearest *nearest);

#endif
