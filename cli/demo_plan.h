/* From photographs to a plan: every step of a table, for every photograph, in tiles. */
#ifndef FASTGPU_CLI_DEMO_PLAN_H
#define FASTGPU_CLI_DEMO_PLAN_H

#include "demo_photos.h"
#include "plan.h"

/* The plan, and the memory that it points at: the padded photographs and the tables of weights. */
struct demo_plan {
    struct plan plan;
    uint32_t tile_count; /* of each step on each photograph, at most (a picture has a tile for each
                            row at most) */
    void **contents;     /* from fgpu_host_alloc() */
    uint32_t content_count;
};

/* Makes the plan. [in] align_bytes: where devices allow an argument to begin (a power of two).
 * tile_count 0: as many tiles as give enough tasks and tiles of moderate size. Returns FGPU_OK,
 * FGPU_E_LIMIT (a picture so narrow that its padded rows need too much memory), FGPU_E_NOMEM. */
fgpu_status demo_plan_init(const struct demo_photos *photos, uint32_t align_bytes,
                           uint32_t tile_count, struct demo_plan *plan, char *why,
                           size_t why_bytes);

/* No buffer may use the contents any more. */
void demo_plan_fini(struct demo_plan *plan);

#endif
