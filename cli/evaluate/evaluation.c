/* The record of a run: see evaluation.h. Pure. */
#include "cli/evaluate/evaluation.h"

#include <stdlib.h>

uint32_t evaluation_best_side(const struct evaluation *evaluation, enum baseline_way way)
{
    uint32_t best = EVALUATION_NONE;

    for (uint32_t i = 0; i < evaluation->side_count; i++) {
        const struct evaluation_side *side = &evaluation->sides[i];
        if (side->way == way && side->median_ns > 0 &&
            (best == EVALUATION_NONE || side->median_ns < evaluation->sides[best].median_ns))
            best = i;
    }
    return best;
}

const struct evaluation_round *evaluation_shown(const struct evaluation *evaluation)
{
    return evaluation->shown == EVALUATION_NONE ? &evaluation->traced
                                                : &evaluation->rounds[evaluation->shown];
}

void evaluation_fini(struct evaluation *evaluation)
{
    if (!evaluation)
        return;
    free(evaluation->tasks);
    free(evaluation->copies);
    free(evaluation->builds);
    free(evaluation->samples);
    workload_edges_fini(&evaluation->edges);
    *evaluation = (struct evaluation){0};
}
