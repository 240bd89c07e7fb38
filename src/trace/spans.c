/* Pairs begins with ends; see spans.h. */
#include "trace/spans.h"
#include "base/assert.h"

#define SPANS_LATE_NS UINT64_C(10000000000) /* older measurements are of another clock */

/* While collecting: the begins that wait for their end, first come first served. */
struct spans_open {
    struct map first; /* key of the pair -> index of the oldest open begin */
    struct vec links; /* struct spans_link per event */
    struct map busy;  /* device and lane -> time until which the queue is taken */
};

struct spans_link {
    uint32_t next; /* open begin with the same key */
    uint32_t last; /* ... and the last of them; good in the first one only */
};

static bool spans_is_begin(uint32_t kind)
{
    return kind == TRACE_RUN_BEGIN || kind == TRACE_MOVE_BEGIN || kind == TRACE_BUILD_BEGIN;
}

static bool spans_is_end(uint32_t kind)
{
    return kind == TRACE_RUN_END || kind == TRACE_MOVE_END || kind == TRACE_BUILD_END;
}

/* Begin and end of one thing have the same key; `begin_kind` is that of the begin. */
static uint64_t spans_key(const struct trace_event *event, uint32_t begin_kind)
{
    if (begin_kind == TRACE_BUILD_BEGIN)
        return hash_u64((uint64_t)begin_kind << 48 | (uint64_t)event->device << 16 | event->name);
    uint64_t place = (uint64_t)begin_kind << 48 | (uint64_t)event->device << 16 | event->lane;
    return hash_u64(hash_u64(event->task) ^ place);
}

static struct spans_link *spans_link_of(const struct spans_open *open, uint64_t index)
{
    return vec_at(&open->links, index);
}

/* Queues the begin at `index` behind those with its key. */
static fgpu_status spans_push_begin(struct spans_open *open, uint64_t key, uint32_t index)
{
    uint64_t first = 0;
    if (!map_get(&open->first, key, &first)) {
        spans_link_of(open, index)->last = index;
        return map_put(&open->first, key, index);
    }
    struct spans_link *link = spans_link_of(open, first);
    spans_link_of(open, link->last)->next = index;
    link->last = index;
    return FGPU_OK;
}

/* Takes the oldest begin of the key; SPANS_NONE when there is none. */
static uint32_t spans_pop_begin(struct spans_open *open, uint64_t key)
{
    uint64_t *first = map_find(&open->first, key);
    if (first == NULL)
        return SPANS_NONE;
    uint32_t index = (uint32_t)*first;
    const struct spans_link *link = spans_link_of(open, index);
    if (link->next != SPANS_NONE) {
        spans_link_of(open, link->next)->last = link->last;
        *first = link->next;
    } else {
        map_del(&open->first, key);
    }
    return index;
}

/* What is known of the task, made when it is new; NULL without memory. */
static struct spans_task *spans_task_of(struct spans *spans, uint64_t task)
{
    uint64_t index = 0;
    if (map_get(&spans->task_index, task, &index))
        return vec_at(&spans->tasks, index);
    const struct spans_task fresh = {
        .task = task, .run = SPANS_NONE, .placed = SPANS_NONE, .edges = SPANS_NONE};
    index = spans->tasks.count;
    struct spans_task *made = vec_push(&spans->tasks, &fresh);
    return made != NULL && map_put(&spans->task_index, task, index) == FGPU_OK ? made : NULL;
}

/* Pushes a run or a copy behind what its queue did before. */
static fgpu_status spans_keep_order(struct spans_open *open, struct span *span)
{
    uint64_t key = (uint64_t)span->device << 16 | span->lane, busy_ns = 0;
    map_get(&open->busy, key, &busy_ns);
    if (span->start_ns < busy_ns)
        span->start_ns = busy_ns;
    if (span->end_ns < span->start_ns)
        span->end_ns = span->start_ns;
    return map_put(&open->busy, key, span->end_ns);
}

/* Makes a span of an end and its begin (NULL: gone). False when the times are not known. */
static bool spans_make(struct span *span, const struct trace_event *begin,
                       const struct trace_event *end)
{
    bool measured = end->kind != TRACE_BUILD_END && end->a != 0 && end->b >= end->a;
    bool ours = end->time_ns <= end->b || end->time_ns - end->b < SPANS_LATE_NS;
    if (begin == NULL && !(measured && ours))
        return false;
    const struct trace_event *named = begin != NULL && begin->name != 0 ? begin : end;
    *span = (struct span){.start_ns = measured ? end->a : begin->time_ns,
                          .end_ns = measured ? end->b : end->time_ns,
                          .task = end->task,
                          .a = begin != NULL ? begin->a : 0,
                          .b = begin != NULL ? begin->b : 0,
                          .kind = (uint16_t)(end->kind - 1),
                          .device = end->device,
                          .lane = end->lane,
                          .name = named->name,
                          .has_begin = begin != NULL,
                          .measured = measured,
                          .begun_ns = begin != NULL ? begin->time_ns : 0,
                          .told_ns = end->time_ns};
    if (span->end_ns < span->start_ns)
        span->end_ns = span->start_ns;
    return true;
}
_Static_assert(TRACE_RUN_END == TRACE_RUN_BEGIN + 1 && TRACE_MOVE_END == TRACE_MOVE_BEGIN + 1 &&
                   TRACE_BUILD_END == TRACE_BUILD_BEGIN + 1,
               "the end of a kind follows its begin");

static fgpu_status spans_take_end(struct spans *spans, struct spans_open *open,
                                  const struct trace *trace, const struct trace_event *end)
{
    struct span span;
    uint32_t index = spans_pop_begin(open, spans_key(end, end->kind - 1u));
    if (!spans_make(&span, index != SPANS_NONE ? trace_at(trace, index) : NULL, end))
        return FGPU_OK;
    if (span.kind == TRACE_RUN_BEGIN && span.task != 0) {
        struct spans_task *task = spans_task_of(spans, span.task);
        if (task == NULL)
            return FGPU_E_NOMEM;
        task->run = (uint32_t)spans->spans.count;
        if (task->name == 0)
            task->name = span.name;
    }
    return vec_push(&spans->spans, &span) != NULL ? FGPU_OK : FGPU_E_NOMEM;
}

static fgpu_status spans_take_edge(struct spans *spans, const struct trace_event *event)
{
    struct spans_task *task = spans_task_of(spans, event->b);
    if (task == NULL)
        return FGPU_E_NOMEM;
    const struct spans_edge edge = {event->a, task->edges};
    task->edges = (uint32_t)spans->edges.count;
    return vec_push(&spans->edges, &edge) != NULL ? FGPU_OK : FGPU_E_NOMEM;
}

static bool spans_is_step(uint32_t kind)
{
    return kind == TRACE_SUBMIT || kind == TRACE_READY || kind == TRACE_CANDIDATE ||
           kind == TRACE_DONE || kind == TRACE_FAILED;
}

/* What happened to a task and has no length. */
static fgpu_status spans_take_step(struct spans *spans, const struct trace_event *event,
                                   uint32_t index)
{
    if (event->kind == TRACE_EDGE)
        return spans_take_edge(spans, event);
    if (!spans_is_step(event->kind))
        return FGPU_OK;
    struct spans_task *task = spans_task_of(spans, event->task);
    if (task == NULL)
        return FGPU_E_NOMEM;
    if (event->name != 0)
        task->name = event->name;
    if (event->kind == TRACE_SUBMIT) {
        task->submit_ns = event->time_ns;
    } else if (event->kind == TRACE_READY) {
        task->ready_ns = event->time_ns;
    } else if (event->kind == TRACE_CANDIDATE) {
        if (trace_candidate_get(event).chosen)
            task->placed = index;
    } else if (task->done_ns == 0) {
        task->done_ns = event->time_ns;
        task->status = event->kind == TRACE_FAILED ? (int32_t)(int64_t)event->b : FGPU_OK;
    }
    return FGPU_OK;
}

static fgpu_status spans_take_event(struct spans *spans, struct spans_open *open,
                                    const struct trace *trace, uint32_t index)
{
    const struct trace_event *event = trace_at(trace, index);
    if (event->time_ns < spans->origin_ns)
        spans->origin_ns = event->time_ns;
    if (spans_is_begin(event->kind))
        return spans_push_begin(open, spans_key(event, event->kind), index);
    if (spans_is_end(event->kind))
        return spans_take_end(spans, open, trace, event);
    return spans_take_step(spans, event, index);
}

/* ---- times ------------------------------------------------------------------------------ */

/* What a device's clock lacks to ours: bounds from the spans that have both events. */
struct spans_clock {
    int64_t least, most;
};

/* What was measured lies between its being handed out and its being told of. A clock for which that
 * holds is ours; another is put as late as it can be: the span that was told of first was told of
 * at once (F. Cristian, "Probabilistic clock synchronization", Distributed Computing 3, 1989). */
static int64_t spans_clock_shift(const struct spans_clock *clock)
{
    return clock->least <= 0 && clock->most >= 0 ? 0 : clock->most;
}

static void spans_read_clocks(const struct spans *spans, struct spans_clock clocks[UINT8_MAX + 1])
{
    for (uint32_t i = 0; i <= UINT8_MAX; i++)
        clocks[i] = (struct spans_clock){INT64_MIN, INT64_MAX};
    for (uint32_t i = 0; i < spans->spans.count; i++) {
        const struct span *span = spans_at(spans, i);
        struct spans_clock *clock = &clocks[span->device & UINT8_MAX];
        if (!span->measured || !span->has_begin)
            continue;
        int64_t least = (int64_t)(span->begun_ns - span->start_ns);
        int64_t most = (int64_t)(span->told_ns - span->end_ns);
        clock->least = least > clock->least ? least : clock->least;
        clock->most = most < clock->most ? most : clock->most;
    }
    for (uint32_t i = 0; i <= UINT8_MAX; i++)
        if (clocks[i].least == INT64_MIN)
            clocks[i] = (struct spans_clock){0, 0};
}

/* Cuts it to where it can have been; of one that lies elsewhere still (a clock that runs at another
 * pace, like the virtual one of sim) the length counts. */
static void spans_fit(struct span *span, int64_t shift_ns)
{
    uint64_t length_ns = span->end_ns - span->start_ns;
    span->start_ns += (uint64_t)shift_ns;
    span->end_ns += (uint64_t)shift_ns;
    if (!span->has_begin || span->told_ns < span->begun_ns)
        return;
    if (span->start_ns > span->told_ns || span->end_ns < span->begun_ns) {
        uint64_t room_ns = span->told_ns - span->begun_ns;
        span->end_ns = span->told_ns;
        span->start_ns = span->told_ns - (length_ns < room_ns ? length_ns : room_ns);
        return;
    }
    if (span->start_ns < span->begun_ns)
        span->start_ns = span->begun_ns;
    if (span->end_ns > span->told_ns)
        span->end_ns = span->told_ns;
}

static fgpu_status spans_settle(struct spans *spans, struct spans_open *open)
{
    struct spans_clock clocks[UINT8_MAX + 1];
    spans_read_clocks(spans, clocks);
    for (uint32_t i = 0; i < spans->spans.count; i++) {
        struct span *span = vec_at(&spans->spans, i);
        if (span->measured)
            spans_fit(span, spans_clock_shift(&clocks[span->device & UINT8_MAX]));
        if (span->kind != TRACE_BUILD_BEGIN && spans_keep_order(open, span) != FGPU_OK)
            return FGPU_E_NOMEM;
        if (span->start_ns < spans->origin_ns)
            spans->origin_ns = span->start_ns;
    }
    return FGPU_OK;
}

fgpu_status spans_collect(struct spans *spans, const struct trace *trace)
{
    struct spans_open open;
    uint32_t length = trace_length(trace);
    *spans = (struct spans){.origin_ns = length > 0 ? UINT64_MAX : 0};
    vec_init(&spans->spans, sizeof(struct span), trace->hooks);
    vec_init(&spans->tasks, sizeof(struct spans_task), trace->hooks);
    vec_init(&spans->edges, sizeof(struct spans_edge), trace->hooks);
    map_init(&spans->task_index, trace->hooks);
    map_init(&open.first, trace->hooks);
    map_init(&open.busy, trace->hooks);
    vec_init(&open.links, sizeof(struct spans_link), trace->hooks);
    fgpu_status status = vec_reserve(&open.links, length) ? FGPU_OK : FGPU_E_NOMEM;
    for (uint32_t i = 0; i < length && status == FGPU_OK; i++)
        vec_push(&open.links, &(struct spans_link){SPANS_NONE, SPANS_NONE});
    for (uint32_t i = 0; i < length && status == FGPU_OK; i++)
        status = spans_take_event(spans, &open, trace, i);
    if (status == FGPU_OK)
        status = spans_settle(spans, &open);
    map_fini(&open.first);
    map_fini(&open.busy);
    vec_fini(&open.links);
    return status;
}

void spans_fini(struct spans *spans)
{
    if (spans == NULL)
        return;
    vec_fini(&spans->spans);
    vec_fini(&spans->tasks);
    vec_fini(&spans->edges);
    map_fini(&spans->task_index);
}

uint32_t spans_next_candidate(const struct trace *trace, uint32_t index)
{
    if (index + 1 >= trace_length(trace))
        return SPANS_NONE;
    const struct trace_event *event = trace_at(trace, index), *next = trace_at(trace, index + 1);
    bool same = next->kind == TRACE_CANDIDATE && next->task == event->task &&
                !trace_candidate_get(next).chosen;
    return same ? index + 1 : SPANS_NONE;
}

const struct spans_task *spans_find_task(const struct spans *spans, uint64_t task)
{
    uint64_t index = 0;
    return map_get(&spans->task_index, task, &index) ? vec_at(&spans->tasks, index) : NULL;
}
