/* What `fastgpu explain` finds out about one task: the record between explain_find.c, which looks
 * it up in a trace, and explain_print.c, which puts it into words or JSON. Main thread; borrows
 * from the trace.
 */
#ifndef FASTGPU_CLI_TRACE_EXPLAIN_H
#define FASTGPU_CLI_TRACE_EXPLAIN_H

#include "cli/trace/trace_in.h"

struct explain {
    const struct trace_in *trace;
    const struct trace_in_task *task;
    const struct trace_in_slice *run; /* its last one; NULL */
    uint64_t *after;                  /* numbers; owned */
    uint32_t after_count;
    const struct trace_in_task *last;      /* of `after`, the one that ended last; NULL unknown */
    struct trace_in_candidate *candidates; /* the chosen one first; owned */
    uint32_t candidate_count;
    const struct trace_in_slice **copies; /* made for it before it ran; owned */
    uint32_t copy_count;
    /* What its queue did between the decision and the start of the run. */
    const struct trace_in_slice *before; /* the last of it; NULL: nothing */
    uint32_t before_count;
    uint64_t before_ns; /* how long in all */
    /* Kernels that were compiled for its device between its being ready and its start. */
    const struct trace_in_build *build; /* the last of them; NULL: none */
    uint32_t build_count;
    uint64_t free_ns; /* when nothing held the task back any more but its queue */
};

/* [out] explain: to be finished with explain_fini() in any case. FGPU_OK, FGPU_E_NOMEM,
 * FGPU_E_INVAL. */
fgpu_status explain_find(const struct trace_in *trace, const struct trace_in_task *task,
                         struct explain *explain);
void explain_fini(struct explain *explain);

/* The task that a word names: its number, or its name ([out] namesakes: how many bear it; the first
 * is returned). NULL: there is none, and [out] nearest is the name nearest to it, or NULL. */
const struct trace_in_task *explain_named(const struct trace_in *trace, const char *word,
                                          uint32_t *namesakes, const char **nearest);

/* When its run ended, or it without one; TRACE_IN_UNKNOWN. */
uint64_t explain_end_ns(const struct trace_in *trace, const struct trace_in_task *task);

/* When the policy expects a task to end that it gives to this queue: data travels while the queue
 * still works. */
uint64_t explain_finish_ns(const struct trace_in_candidate *candidate);

void explain_print(const struct explain *explain);

/* False without memory. */
bool explain_print_json(const struct explain *explain);

/* The ten tasks that waited longest and the ten that ended last. */
void explain_print_hints(const struct trace_in *trace);
/* False without memory. */
bool explain_print_hints_json(const struct trace_in *trace);

#endif
