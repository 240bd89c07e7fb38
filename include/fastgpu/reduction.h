/* Reductions: tasks that accumulate into the same buffer run side by side.
 *
 * A buffer gets a reduction: an operator over its elements. A task that names the buffer with
 * FGPU_REDUCE adds to what its range holds, as with FGPU_READ_WRITE: it reads an element, combines
 * it with something by that operator, and writes it back; what else it does with the old value is
 * its own mistake. Such tasks do not wait for each other: the pool gives them arrays of their own
 * that begin with the operator's identity, and combines these with the buffer, in a fixed order,
 * before any other access. Results are those of running the tasks one after another, up to the
 * rounding that another order of the same operations has; which array a task gets follows from the
 * order of submission alone. Every function may be called from any thread.
 */
#ifndef FASTGPU_REDUCTION_H
#define FASTGPU_REDUCTION_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fgpu_reduction_op {
    FGPU_OP_SUM = 1, /* integers wrap around */
    FGPU_OP_PRODUCT = 2,
    FGPU_OP_MIN = 3,
    FGPU_OP_MAX = 4,
    FGPU_OP_AND = 5, /* of bits: integers only, as the next two */
    FGPU_OP_OR = 6,
    FGPU_OP_XOR = 7,
    FGPU_OP_KERNEL = 8 /* the caller's: see fgpu_reduction.combine */
} fgpu_reduction_op;

typedef enum fgpu_element {
    FGPU_I32 = 1,
    FGPU_U32 = 2,
    FGPU_I64 = 3,
    FGPU_U64 = 4,
    FGPU_F32 = 5,
    FGPU_F64 = 6
} fgpu_element;

typedef struct fgpu_reduction {
    uint32_t struct_bytes;  /* set by fgpu_reduction_init() */
    uint32_t op;            /* fgpu_reduction_op */
    uint32_t element;       /* fgpu_element; KERNEL: 0 */
    uint32_t element_bytes; /* KERNEL: 1, 2, 4, 8 or 16; else 0 */
    fgpu_kernel combine;    /* KERNEL: (buffer into, read-write; buffer from, read), one work item
                               for each element: into[i] = into[i] op from[i]. The operator must be
                               associative and commutative */
    uint8_t identity[16];   /* KERNEL: the element e with x op e = x for each x */
} fgpu_reduction;

/* Fill with zeros and the struct's size. */
FGPU_API void fgpu_reduction_init(fgpu_reduction *reduction);

/* Give a buffer a reduction, another one, or none. Acts in the order of submission: what is
 * accumulated by then is combined by the reduction that it was accumulated with. [in] reduction:
 * copied; NULL: none. The kernel may be destroyed afterwards. Errors: FGPU_E_INVAL (operator,
 * element, a buffer that is no whole number of elements, a kernel with other arguments or a
 * required group size), FGPU_E_NOVARIANT (no device of the pool can combine), FGPU_E_VERSION
 * (struct_bytes), FGPU_E_NOMEM; at the task limit as fgpu_task_submit(), where something is
 * accumulated. */
FGPU_API fgpu_status fgpu_buffer_set_reduction(fgpu_buffer buffer, const fgpu_reduction *reduction);

/* Shorthand for an operator of the library. */
FGPU_API fgpu_status fgpu_buffer_reduce_by(fgpu_buffer buffer, fgpu_reduction_op op,
                                           fgpu_element element);

#ifdef __cplusplus
}
#endif

#endif
