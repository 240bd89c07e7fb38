/* The search of `fastgpu optimize`: which combination of choices to measure next, and which is the
 * best so far.
 *
 * A point takes one value in each dimension; the first point (all 0) is the workload as it stands.
 * Coordinate descent: one dimension after another, all its values run a contest against the best
 * point so far. A contest is successive halving: everybody is measured the same number of times, in
 * turn, so that what disturbs the machine disturbs all; the slower half goes; the one that is left
 * must be faster in most turns, and clearly in the median, to become the best point. When a sweep
 * over all dimensions has changed nothing, pairs of dimensions are changed together, at random.
 *
 * Ask and tell: tune_search_next() names a point, the caller measures it and tells. Pure: no clock,
 * no measurement, and the same answers and seed give the same questions. Thread: one at a time.
 */
#ifndef FASTGPU_CLI_OPTIMIZE_TUNE_SEARCH_H
#define FASTGPU_CLI_OPTIMIZE_TUNE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define TUNE_DIMS_LIMIT 64
#define TUNE_VALUES_LIMIT 12

/* Measurements of each in one stage of a contest, and in a whole one before a winner counts. */
#define TUNE_STAGE_SAMPLES 2
#define TUNE_LEAST_SAMPLES 6
#define TUNE_SAMPLES_LIMIT 16

/* A winner is at least this share faster in the median, and faster in so many of its turns. */
#define TUNE_LEAST_GAIN 0.01
#define TUNE_LEAST_WINS 0.75

struct tune_point {
    uint8_t at[TUNE_DIMS_LIMIT];
};

/* One in a contest; the first is the best point so far. */
struct tune_rival {
    struct tune_point point;
    double times[TUNE_SAMPLES_LIMIT];
    uint32_t count;
    bool is_out;
};

struct tune_search {
    uint32_t dims;
    uint8_t counts[TUNE_DIMS_LIMIT]; /* values of each dimension */
    uint8_t order[TUNE_DIMS_LIMIT];  /* of the sweep */
    bool is_refused[TUNE_DIMS_LIMIT][TUNE_VALUES_LIMIT];
    uint64_t random;
    struct tune_point best;
    struct tune_rival rivals[TUNE_VALUES_LIMIT];
    uint32_t rival_count;  /* 0: no contest */
    uint32_t turn;         /* the rival to be measured */
    uint32_t target;       /* measurements of each when the stage ends */
    uint32_t place;        /* in `order`, of the next contest */
    uint32_t pairs_left;   /* contests of two dimensions to come */
    bool has_changed;      /* the sweep found something */
    bool is_over;          /* nothing is left to try */
    uint32_t told_count;   /* measurements */
    uint32_t change_count; /* times that the best point changed */
};

/* [in] counts: values of each of `dims` dimensions, 1 .. TUNE_VALUES_LIMIT each. */
void tune_search_init(struct tune_search *search, const uint32_t *counts, uint32_t dims,
                      uint64_t seed);

/* The point to be measured now. False: the search is over. To be followed by one of the two below.
 */
bool tune_search_next(struct tune_search *search, struct tune_point *point);

/* How long the point took (> 0), or that it must not be taken: it gives other results, or cannot
 * run. The best point so far cannot be refused: that ends the search. */
void tune_search_tell(struct tune_search *search, double time);
void tune_search_refuse(struct tune_search *search);

/* Whether `after` is faster than `before`, both measured in turn: more than TUNE_LEAST_GAIN in the
 * median of the pairs' ratios, and the interval that holds the true median of them with at least
 * 95 % certainty (order statistics) is below 1. [out] low, high: of that interval of
 * before / after; both may be NULL. */
bool tune_is_faster(const double *before, const double *after, uint32_t count, double *low,
                    double *high);

#endif
