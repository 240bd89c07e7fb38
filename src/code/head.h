/* Where functions are declared in a text: what transforms of kernels edit (preempt.h).
 *
 * Filled while the outer level is read (function.c), in the order of the text; kept by the unit.
 * Pure data.
 */
#ifndef FASTGPU_CODE_HEAD_H
#define FASTGPU_CODE_HEAD_H

#include <stdbool.h>
#include <stdint.h>

/* One declaration of a function, with or without a body. Tokens are those of the unit. */
struct code_head {
    uint32_t name;  /* number of its spelling (name.h) */
    uint32_t token; /* the token that names it; 0: not found */
    uint32_t parameter_count;
    uint32_t body; /* its `{`; 0: a prototype */
    uint32_t body_end;
    bool kernel;
};

#endif
