/* A workload from its description to its outputs, as `fastgpu run` and `fastgpu demo` do it: read,
 * check where the outputs go, fill buffers, run (evaluate.h), write, say how it went (run_print.h).
 * Main thread; blocks.
 */
#ifndef FASTGPU_CLI_RUN_RUN_H
#define FASTGPU_CLI_RUN_RUN_H

#include <signal.h>

#include "cli/common/log_options.h"
#include "cli/workload/workload.h"

struct run_options {
    const char *command; /* as typed: "fastgpu run" */
    const char *path;    /* of the workload; of one that is no file what it is called */
    const char *text;    /* the workload itself, or NULL: it is read */
    struct workload_options constants;
    const char *wrong; /* text: becomes a sentence for the user where the workload is not good;
                          NULL: its mistakes are listed */
    /* NULL: not given */
    const char *devices, *policy, *report, *trace, *output_dir, *profile, *pool;
    uint64_t rounds; /* 0: once */
    bool has_baseline, is_json, is_quiet, has_no_profile;
    struct log_options log;
};

/* Returns the exit code; what went wrong has been said on stderr. [in] stop: may be NULL. */
int run_start(const struct run_options *options, const volatile sig_atomic_t *stop);

#endif
