/* One filter on one picture as a plan of tiles with random content, and its judgement by the
 * reference.
 *
 * A test makes a job, lets some executor run the job's tasks (native functions, an OpenCL driver, a
 * pool), and gives back what the destination buffer then holds.
 */
#ifndef FASTGPU_TESTS_LIB_FILTER_CASES_H
#define FASTGPU_TESTS_LIB_FILTER_CASES_H

#include "base/rng.h"
#include "lib/plan.h"

struct filter_case {
    const struct filter *filter;
    uint32_t width, height, channels;
    int32_t option; /* radius or amount */
    uint32_t bands; /* bands of rows */
    uint32_t
        columns; /* 1: whole rows; more: that many tiles a band, where the row is long enough */
    uint32_t align_bytes; /* where an argument may begin */
    bool is_exact;        /* weights whose sums are exact in float */
};

/* Buffers of a job's plan, in this order; those that the filter does not have are missing. */
struct filter_job {
    struct filter_case what;
    struct plan plan;
    uint32_t src[2], dst, weights; /* buffers */
    struct filter_picture pictures[3];
    unsigned char
        *memory[4]; /* by buffer: the content, and for dst what is expected before it is written */
    float scale;
    char why[256]; /* first difference that filter_job_check() found */
};

/* A random case of `filter`, which makes a picture, with sides up to `side_limit`; channels and
 * options that it allows. */
void filter_case_draw(struct filter_case *what, const struct filter *filter, uint32_t side_limit,
                      struct rng *rng);

/* Makes plan and content. Padding of sources is random: no filter may depend on it. Ends the
 * process when memory is exhausted. */
void filter_job_init(struct filter_job *job, const struct filter_case *what, struct rng *rng);

/* Whether the padded picture `dst` is what the reference says, its padding zero. */
bool filter_job_check(struct filter_job *job, const void *dst);

/* "sobel 31 x 7 x 3, 4 bands" for messages; static memory. */
const char *filter_case_text(const struct filter_case *what);

void filter_job_fini(struct filter_job *job);

#endif
