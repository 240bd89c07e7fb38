/* Spans, tasks and single events become records; see records.h. First a list of what there is and
 * when it ended, sorted; then each becomes a record as its turn comes.
 */
#include "trace/records.h"
#include <stdlib.h>
#include "base/handle.h"
#include "trace/spans.h"

enum records_source { RECORDS_EVENT, RECORDS_SPAN, RECORDS_TASK };

struct records_item {
    uint64_t end_ns; /* UINT64_MAX: not ended */
    uint32_t source; /* enum records_source */
    uint32_t index;
};

struct records {
    const struct trace *trace;
    struct spans spans;
    struct vec items; /* struct records_item */
    uint32_t pool;
};

/* ---- what there is ---------------------------------------------------------------------- */

static bool records_is_event(uint32_t kind)
{
    return kind == TRACE_EDGE || kind == TRACE_CANDIDATE || kind == TRACE_EVICT ||
           kind == TRACE_MEMORY || kind == TRACE_DEVICE_LOST;
}

static bool records_add(struct records *records, uint64_t end_ns, enum records_source source,
                        uint32_t index)
{
    const struct records_item item = {end_ns, source, index};
    return vec_push(&records->items, &item) != NULL;
}

static fgpu_status records_list(struct records *records)
{
    const struct spans *spans = &records->spans;
    bool good = true;
    for (uint32_t i = 0; i < trace_length(records->trace) && good; i++) {
        const struct trace_event *event = trace_at(records->trace, i);
        if (records_is_event(event->kind))
            good = records_add(records, event->time_ns, RECORDS_EVENT, i);
    }
    for (uint32_t i = 0; i < spans->spans.count && good; i++)
        good = records_add(records, spans_at(spans, i)->end_ns, RECORDS_SPAN, i);
    for (uint32_t i = 0; i < spans->tasks.count && good; i++) {
        const struct spans_task *task = vec_at(&spans->tasks, i);
        if (task->submit_ns != 0)
            good = records_add(records, task->done_ns != 0 ? task->done_ns : UINT64_MAX,
                               RECORDS_TASK, i);
    }
    return good ? FGPU_OK : FGPU_E_NOMEM;
}

/* Of equal ends the order of the list: events as they came, then what has a length, then tasks. */
static int records_compare(const void *left, const void *right)
{
    const struct records_item *a = left, *b = right;
    if (a->end_ns != b->end_ns)
        return a->end_ns < b->end_ns ? -1 : 1;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* ---- records ---------------------------------------------------------------------------- */

/* The handle that submit returned; the number is engine_trace_id()'s. */
static fgpu_task records_handle(const struct records *records, uint64_t task)
{
    fgpu_task handle = {0};
    if (task != 0)
        handle.bits = handle_make(HANDLE_TASK, records->pool, (uint32_t)((task - 1) >> 32),
                                  (uint32_t)(task - 1));
    return handle;
}

static void records_event(const struct records *records, uint32_t index, fgpu_trace_record *record)
{
    const struct trace_event *event = trace_at(records->trace, index);
    record->start_ns = record->end_ns = event->time_ns;
    record->task = records_handle(records, event->task);
    if (event->kind == TRACE_EDGE) {
        record->kind = FGPU_TRACE_EDGE;
        record->task = records_handle(records, event->a);
        record->other = records_handle(records, event->b);
    } else if (event->kind == TRACE_CANDIDATE) {
        struct trace_candidate candidate = trace_candidate_get(event);
        record->kind = FGPU_TRACE_CANDIDATE;
        record->device = event->device;
        record->queue = event->lane;
        record->predicted_ns = candidate.known ? candidate.run_ns : 0;
        record->predicted_wait_ns = candidate.wait_ns;
        record->predicted_copy_ns = candidate.copy_ns;
        record->chosen = candidate.chosen;
        record->placed = candidate.how;
    } else if (event->kind == TRACE_DEVICE_LOST) {
        record->kind = FGPU_TRACE_LOST;
        record->device = event->device;
    } else {
        record->kind = event->kind == TRACE_EVICT ? FGPU_TRACE_EVICT : FGPU_TRACE_MEMORY;
        record->bytes = event->a;
        record->node = (uint32_t)event->b;
    }
}

static void records_span(const struct records *records, uint32_t index, fgpu_trace_record *record)
{
    const struct span *span = spans_at(&records->spans, index);
    const struct spans_task *task = spans_find_task(&records->spans, span->task);
    record->start_ns = span->start_ns;
    record->end_ns = span->end_ns;
    record->task = records_handle(records, span->task);
    record->device = span->device;
    if (span->kind == TRACE_BUILD_BEGIN) {
        record->kind = FGPU_TRACE_BUILD;
        record->name = trace_name_text(records->trace, span->name);
        return;
    }
    record->queue = span->lane;
    if (span->kind == TRACE_RUN_BEGIN) {
        record->kind = FGPU_TRACE_RUN;
        record->name = trace_name_text(records->trace, task != NULL ? task->name : span->name);
        record->predicted_ns = span->a;
        return;
    }
    record->kind = FGPU_TRACE_COPY;
    record->bytes = span->a;
    record->node = (uint32_t)(span->b >> 32);
    record->node_to = (uint32_t)span->b;
}

static void records_task(const struct records *records, uint32_t index, fgpu_trace_record *record)
{
    const struct spans_task *task = vec_at(&records->spans.tasks, index);
    record->kind = FGPU_TRACE_TASK;
    record->task = records_handle(records, task->task);
    record->start_ns = task->submit_ns;
    record->end_ns = task->done_ns;
    record->ready_ns = task->ready_ns;
    record->status = task->status;
    record->name = trace_name_text(records->trace, task->name);
}

fgpu_status records_give(const struct trace *trace, uint32_t pool, fgpu_trace_fn fn, void *user)
{
    struct records records = {.trace = trace, .pool = pool};
    vec_init(&records.items, sizeof(struct records_item), trace->hooks);
    fgpu_status status = spans_collect(&records.spans, trace);
    if (status == FGPU_OK)
        status = records_list(&records);
    if (status == FGPU_OK && records.items.count > 1)
        qsort(records.items.items, records.items.count, sizeof(struct records_item),
              records_compare);
    for (size_t i = 0; i < records.items.count && status == FGPU_OK; i++) {
        const struct records_item *item = vec_at(&records.items, i);
        fgpu_trace_record record = {.struct_bytes = sizeof record, .name = ""};
        if (item->source == RECORDS_EVENT)
            records_event(&records, item->index, &record);
        else if (item->source == RECORDS_SPAN)
            records_span(&records, item->index, &record);
        else
            records_task(&records, item->index, &record);
        fn(user, &record);
    }
    vec_fini(&records.items);
    spans_fini(&records.spans);
    return status;
}
