/* What explain_print.c and explain_json.c share: times for people, reasons, and which tasks are
 * worth a look. Main thread.
 */
#ifndef FASTGPU_CLI_TRACE_EXPLAIN_WORDS_H
#define FASTGPU_CLI_TRACE_EXPLAIN_WORDS_H

#include "cli/trace/explain.h"

#define EXPLAIN_HINTS 10u

struct explain_time {
    char text[32];
};

/* "12.3 us", "?" where it is unknown. */
struct explain_time explain_time(uint64_t ns);

struct explain_device {
    char text[80];
};

/* "opencl:0", as the user knows it; "device 0" where the trace does not say. */
struct explain_device explain_device(const struct trace_in *trace, uint32_t device);

/* Why the first candidate was chosen, as a sentence. */
const char *explain_reason(const struct explain *explain);

struct explain_hints {
    const struct trace_in_task *tasks[EXPLAIN_HINTS];
    uint32_t count;
};

/* From the submission to the start of the run; 0 where one of them is unknown. */
uint64_t explain_wait_ns(const struct trace_in *trace, const struct trace_in_task *task);

/* How many tasks of the trace ran on a queue. */
uint32_t explain_ran_count(const struct trace_in *trace);

/* Of the tasks that ran, those that waited longest, or those that ended last. */
void explain_hints_find(const struct trace_in *trace, bool is_latest, struct explain_hints *hints);

#endif
