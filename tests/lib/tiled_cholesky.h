/* The task graph of the tiled Cholesky factorisation, right-looking, lower half: what the published
 * schedules and bounds are about. */
#ifndef FASTGPU_TESTS_LIB_TILED_CHOLESKY_H
#define FASTGPU_TESTS_LIB_TILED_CHOLESKY_H

#include <stdint.h>

#define TILED_CHOLESKY_TYPES 4u

extern const char *const tiled_cholesky_kernels[TILED_CHOLESKY_TYPES];

struct tiled_cholesky {
    uint32_t tiles, task_count, edge_count;
    uint32_t *type_of;         /* [task] index of tiled_cholesky_kernels */
    uint32_t *first_successor; /* [task_count + 1] */
    uint32_t *successors;
    /* while it is made */
    uint32_t *from, *to; /* [edge] */
    uint32_t *writer;    /* [tile] the last task that wrote it */
};

void tiled_cholesky_make(struct tiled_cholesky *graph, uint32_t tiles);
void tiled_cholesky_free(struct tiled_cholesky *graph);

#endif
