/* What happened, the newest of it: a ring of 40-byte events, and the names they speak of.
 *
 * Beside the walk: every step leaves an event; nothing reads them before the trace is written
 * (trace/chrome.h). Off, an event costs one load and a branch. One writer at a time: the engine
 * lock is held by whoever emits, names or switches. To export without holding the lock: trace_copy,
 * then chrome_export from the copy. Times are values of the caller's, in nanoseconds. Allocates at
 * the first trace_enable and when a name is new.
 */
#ifndef FASTGPU_TRACE_TRACE_H
#define FASTGPU_TRACE_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"

#define TRACE_NAME_BYTES 64u /* with the NUL; longer ones are cut */
#define TRACE_NO_DEVICE UINT8_MAX

/* X(name, what a is, what b is). `task` is the task's number wherever there is one, 0 where not
 * (numbers start at 1). */
#define TRACE_KINDS(X)                                                                             \
    X(NONE, "", "")                                                                                \
    X(SUBMIT, "tasks in flight after it", "")                                                      \
    X(EDGE, "task it waits for", "task that waits")                                                \
    X(READY, "", "")                                                                               \
    X(CANDIDATE, "trace_candidate", "trace_candidate")                                             \
    X(MOVE_BEGIN, "bytes", "trace_nodes(from, to)")                                                \
    X(MOVE_END, "start, ns; 0: unknown", "end, ns")                                                \
    X(BUILD_BEGIN, "", "")                                                                         \
    X(BUILD_END, "1: from the cache", "status")                                                    \
    X(RUN_BEGIN, "predicted run, ns", "")                                                          \
    X(RUN_END, "start, ns; 0: unknown", "end, ns")                                                 \
    X(DONE, "tasks in flight after it", "")                                                        \
    X(FAILED, "tasks in flight after it", "status (negative, as int64)")                           \
    X(EVICT, "bytes", "node")                                                                      \
    X(MEMORY, "bytes used on the node now", "node")                                                \
    X(DEVICE_LOST, "", "")

/* A move's task is the one that it was ordered for; 0: none. SUBMIT and RUN_BEGIN carry the task's
 * name. Candidates of one decision follow each other, the chosen one first.
 *
 * Begin and end belong together by (kind, device, lane, task) in order; builds by (device, name).
 * The start and end of MOVE_END and RUN_END are what the device measured, on the clock of time_ns;
 * without them the times of the two events stand in. A task's moves may be several: the nth end
 * belongs to the nth begin. */
enum trace_kind {
#define TRACE_KIND_ENUM(name, a, b) TRACE_##name,
    TRACE_KINDS(TRACE_KIND_ENUM)
#undef TRACE_KIND_ENUM
        TRACE_KIND_COUNT
};

struct trace_event {
    uint64_t time_ns;
    uint64_t task;
    uint64_t a, b;
    uint8_t kind;   /* enum trace_kind */
    uint8_t device; /* TRACE_NO_DEVICE: of the pool */
    uint16_t lane;  /* queue of the device */
    uint32_t name;  /* trace_name(); 0: none */
};
_Static_assert(sizeof(struct trace_event) == 40, "10 MiB of events");
_Static_assert(LIMITS_DEVICES < TRACE_NO_DEVICE, "a device fits 8 bits");

/* What a CANDIDATE says in its a and b: a queue that the place step looked at. Times are cut at
 * TRACE_CANDIDATE_NS (18 minutes). */
struct trace_candidate {
    uint64_t wait_ns; /* predicted: until the queue is free */
    uint64_t copy_ns; /* predicted: until the data is there */
    uint64_t run_ns;  /* predicted, or a guess that is the same for all where it is not known */
    bool known;       /* run_ns comes from measurements */
    bool chosen;      /* the task was placed there */
    uint8_t how;      /* fgpu_trace_how */
};

#define TRACE_CANDIDATE_NS ((UINT64_C(1) << 40) - 1)

struct trace {
    bool on;
    struct trace_event *ring; /* NULL before the first enable */
    uint32_t capacity;        /* power of two */
    uint64_t count;           /* emitted ever; the newest `capacity` are there */
    struct vec names;         /* const char *, by id - 1 */
    struct map name_ids;      /* hash -> id */
    struct arena name_text;
    const struct alloc_hooks *hooks; /* [borrow] */
};

/* events: size of the ring, a power of two; 0: LIMITS_TRACE_EVENTS. Off, and nothing allocated. */
void trace_init(struct trace *trace, uint32_t events, const struct alloc_hooks *hooks);
void trace_fini(struct trace *trace);

/* On allocates the ring once; off keeps what is there. FGPU_E_NOMEM (stays off), without a text. */
fgpu_status trace_enable(struct trace *trace, bool on);

/* Forgets the events, keeps the names. */
void trace_clear(struct trace *trace);

static inline void trace_emit(struct trace *trace, struct trace_event event)
{
    if (__builtin_expect(!trace->on, 1))
        return;
    trace->ring[trace->count++ & (trace->capacity - 1)] = event;
}

/* Packs into the event's a and b, and back. */
void trace_candidate_put(struct trace_event *event, const struct trace_candidate *candidate);
struct trace_candidate trace_candidate_get(const struct trace_event *event);

/* `from` and `to` as the b of MOVE_BEGIN. */
static inline uint64_t trace_nodes(uint32_t from, uint32_t to)
{
    return (uint64_t)from << 32 | to;
}

/* Id of a name, the same for the same text, also while off; 0 for NULL, "", when the table is full
 * or without memory. About 30 ns for a known one: keep it with the kernel; name single tasks only
 * while on. Ids outlive trace_clear. */
uint32_t trace_name(struct trace *trace, const char *text);

/* Text of an id, "" for 0 and for unknown ones. */
const char *trace_name_text(const struct trace *trace, uint32_t id);

/* How many events are there, and the nth oldest of them. */
uint32_t trace_length(const struct trace *trace);
const struct trace_event *trace_at(const struct trace *trace, uint32_t index);

/* A copy of events and names into `copy` (uninitialised; trace_fini it). It is off. [in] hooks: of
 * the copy. FGPU_E_NOMEM: nothing to fini. */
fgpu_status trace_copy(const struct trace *trace, const struct alloc_hooks *hooks,
                       struct trace *copy);

/* "RUN_BEGIN"; "?" for a number that is no kind. */
const char *trace_kind_name(uint32_t kind);

/* What a (which 0) or b (which 1) means. */
const char *trace_kind_value(uint32_t kind, uint32_t which);

#endif
