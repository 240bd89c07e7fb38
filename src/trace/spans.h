/* Turns events into spans: which begin belongs to which end, and where a task ran.
 *
 * Works on a ring that has wrapped: an end whose begin is gone still makes a span when it says both
 * times itself. A span lies between the two events that tell of it. Runs and copies of one queue
 * never overlap in the result (a queue is in order; what a device measured is pushed behind what
 * ended before it). Pure. Thread: one. Owns its vectors.
 */
#ifndef FASTGPU_TRACE_SPANS_H
#define FASTGPU_TRACE_SPANS_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/map.h"
#include "base/vec.h"
#include "trace/trace.h"

#define SPANS_NONE UINT32_MAX

struct span {
    uint64_t start_ns, end_ns;
    uint64_t task;
    uint64_t a, b;   /* of the begin; 0 where it is gone */
    uint16_t kind;   /* TRACE_RUN_BEGIN, TRACE_MOVE_BEGIN or TRACE_BUILD_BEGIN */
    uint16_t device; /* these three as in the event */
    uint16_t lane;
    uint32_t name;
    bool has_begin;             /* a and b are known */
    bool measured;              /* by the device, on its clock, before it was settled */
    uint64_t begun_ns, told_ns; /* of the two events; begun_ns 0 where the begin is gone */
};

struct spans_task {
    uint64_t task;
    uint64_t submit_ns, ready_ns; /* 0: unknown */
    uint64_t done_ns;             /* when it first ended; 0: it has not */
    int32_t status;               /* it ended with */
    uint32_t name;
    uint32_t run;    /* the span of its last run; SPANS_NONE */
    uint32_t placed; /* the event of the last CANDIDATE that was chosen; SPANS_NONE */
    uint32_t edges;  /* the newest of what it waited for; SPANS_NONE */
};

/* A task waited for `from`. */
struct spans_edge {
    uint64_t from;
    uint32_t next; /* of the same task; SPANS_NONE */
};

struct spans {
    struct vec spans;      /* struct span, in the order of their ends */
    struct vec tasks;      /* struct spans_task */
    struct vec edges;      /* struct spans_edge */
    struct map task_index; /* task -> place in tasks */
    uint64_t origin_ns;    /* no time is before it */
};

/* Fills `spans` (uninitialised) from the trace; spans_fini it in any case. FGPU_E_NOMEM without a
 * text. */
fgpu_status spans_collect(struct spans *spans, const struct trace *trace);
void spans_fini(struct spans *spans);

static inline const struct span *spans_at(const struct spans *spans, uint32_t index)
{
    return (const struct span *)spans->spans.items + index;
}

/* The next candidate of the decision whose event `index` belongs to; SPANS_NONE behind the last. */
uint32_t spans_next_candidate(const struct trace *trace, uint32_t index);

/* What is known of a task, or NULL. */
const struct spans_task *spans_find_task(const struct spans *spans, uint64_t task);

#endif
