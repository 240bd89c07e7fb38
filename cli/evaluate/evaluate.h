/* Runs a workload and fills in the record of it: once, which is the job, or in rounds, which is a
 * measurement, beside the same work without the pool where that is asked for.
 *
 * Once: kernels are compiled, all tasks run, traced where that is asked for. In rounds: some runs
 * to warm up (the pool learns how long tasks take), then `rounds` rounds of the pool and of each
 * side in turn, so that what disturbs the machine disturbs all; then one more of the pool that is
 * traced. The outputs are given away behind the first run. Thread: one at a time; blocks.
 */
#ifndef FASTGPU_CLI_EVALUATE_EVALUATE_H
#define FASTGPU_CLI_EVALUATE_EVALUATE_H

#include "cli/evaluate/evaluation.h"
#include "cli/common/log_options.h"
#include "cli/workload/workload_session.h"

struct evaluate_options {
    const char *devices;           /* pattern; NULL: all */
    const char *policy;            /* NULL: the library's */
    const char *pool;              /* options, for fgpu_pool_options_parse(); NULL: none */
    uint32_t rounds;               /* at most EVALUATION_ROUNDS_LIMIT; 0: it runs once */
    bool has_baseline;             /* in rounds: beside the same work without the pool */
    bool is_traced;                /* once: leave a trace for the record (rounds always do) */
    const char *trace_path;        /* write the trace there; NULL: no */
    const struct log_options *log; /* [borrow]; NULL: the library's own */
};

/* Takes one output. [borrow] memory: the buffer in its layout, until the call returns; NULL where
 * not every task that writes it ended well. An error ends the work; it says why. */
typedef fgpu_status (*evaluate_take_fn)(void *user, uint32_t output, const unsigned char *memory,
                                        char *why, size_t why_bytes);

struct evaluate_taker {
    evaluate_take_fn take; /* NULL: outputs are not asked for */
    void *user;
};

/* [borrow] workload, data, options' texts: as long as the record is used. [in] watch: not NULL.
 * [out] evaluation: always to be given to evaluation_fini(); `path` is the caller's to set
 * afterwards.
 *
 * FGPU_OK also when tasks failed or it was interrupted: the record says so in `error` and
 * `is_interrupted`. Else why nothing could be run; `step` tells what was tried, `error` is the
 * sentence. */
fgpu_status evaluate_workload(const struct workload *workload, const struct workload_data *data,
                              const struct evaluate_options *options,
                              const struct evaluate_taker *taker, const struct watch *watch,
                              struct evaluation *evaluation);

#endif
