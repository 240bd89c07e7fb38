/* Writes a trace in the Trace Event Format; see chrome.h. What belongs together was found by
 * trace/spans.h; here one function per kind of record writes its line.
 */
#include "trace/chrome.h"
#include <stdio.h>
#include <fastgpu/stats.h>
#include "trace/json.h"
#include "trace/spans.h"

#define CHROME_POOL 1u   /* process of the pool */
#define CHROME_DEVICE 2u /* process of device 0; the others follow */

struct chrome {
    const struct trace *trace;
    const struct chrome_options *options;
    struct spans spans;
    struct json json;
    uint64_t next_id; /* of flows and asynchronous spans */
    bool started;     /* a record has been written */
};

static uint32_t chrome_process(uint16_t device)
{
    return device == TRACE_NO_DEVICE ? CHROME_POOL : CHROME_DEVICE + device;
}

/* ---- pieces */

static void chrome_u64(struct chrome *chrome, const char *key, uint64_t value)
{
    json_raw(&chrome->json, key);
    json_u64(&chrome->json, value);
}

static void chrome_time(struct chrome *chrome, const char *key, uint64_t time_ns)
{
    json_raw(&chrome->json, key);
    json_us(&chrome->json, time_ns - chrome->spans.origin_ns);
}

/* Starts a record of phase `phase`; chrome_close ends it. */
static void chrome_open(struct chrome *chrome, const char *phase, uint32_t process, uint32_t thread)
{
    json_raw(&chrome->json, chrome->started ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    json_raw(&chrome->json, phase);
    chrome_u64(chrome, "\",\"pid\":", process);
    chrome_u64(chrome, ",\"tid\":", thread);
    chrome->started = true;
}

static void chrome_close(struct chrome *chrome)
{
    json_raw(&chrome->json, "}");
}

/* The name of an event's subject: its own, or "task N". */
static void chrome_name(struct chrome *chrome, const char *before, uint32_t name, uint64_t task)
{
    char text[TRACE_NAME_BYTES + 64];
    const char *known = trace_name_text(chrome->trace, name);
    if (known[0] != '\0')
        snprintf(text, sizeof text, "%s%s", before, known);
    else
        snprintf(text, sizeof text, "%stask %llu", before, (unsigned long long)task);
    json_raw(&chrome->json, ",\"name\":");
    json_string(&chrome->json, text);
}

/* Name of a memory node into `text`. */
static void chrome_node(const struct chrome *chrome, uint64_t node, char *text, size_t text_bytes)
{
    const struct chrome_options *options = chrome->options;
    if (options->node_names != NULL && node < options->node_count &&
        options->node_names[node] != NULL)
        snprintf(text, text_bytes, "%s", options->node_names[node]);
    else
        snprintf(text, text_bytes, "node %llu", (unsigned long long)node);
}

/* ---- names of processes and threads */

/* Leaves the arguments open. */
static void chrome_open_metadata(struct chrome *chrome, const char *what, uint32_t process,
                                 uint32_t thread, const char *text)
{
    chrome_open(chrome, "M", process, thread);
    json_raw(&chrome->json, ",\"name\":\"");
    json_raw(&chrome->json, what);
    json_raw(&chrome->json, "\",\"args\":{\"name\":");
    json_string(&chrome->json, text);
}

static void chrome_close_metadata(struct chrome *chrome)
{
    json_raw(&chrome->json, "}");
    chrome_close(chrome);
}

static void chrome_metadata(struct chrome *chrome, const char *what, uint32_t process,
                            uint32_t thread, const char *text)
{
    chrome_open_metadata(chrome, what, process, thread, text);
    chrome_close_metadata(chrome);
}

static void chrome_device_name(struct chrome *chrome, uint32_t device)
{
    char text[256];
    const struct chrome_options *options = chrome->options;
    if (device < options->device_count && options->device_names != NULL &&
        options->device_names[device] != NULL)
        snprintf(text, sizeof text, "device %u: %s", device, options->device_names[device]);
    else
        snprintf(text, sizeof text, "device %u", device);
    chrome_open_metadata(chrome, "process_name", CHROME_DEVICE + device, 0, text);
    chrome_u64(chrome, ",\"device\":", device);
    if (device < options->device_count && options->device_ids != NULL &&
        options->device_ids[device] != NULL) {
        json_raw(&chrome->json, ",\"id\":");
        json_string(&chrome->json, options->device_ids[device]);
    }
    chrome_close_metadata(chrome);
}

/* Names every device and queue that a span speaks of, once. */
static fgpu_status chrome_write_names(struct chrome *chrome)
{
    struct map seen;
    fgpu_status status = FGPU_OK;
    map_init(&seen, chrome->trace->hooks);
    chrome_metadata(chrome, "process_name", CHROME_POOL, 0, "pool");
    for (uint32_t i = 0; i < chrome->options->device_count; i++) {
        chrome_device_name(chrome, i);
        if (status == FGPU_OK)
            status = map_put(&seen, (uint64_t)i << 32 | UINT32_MAX, 1);
    }
    for (uint32_t i = 0; i < chrome->spans.spans.count && status == FGPU_OK; i++) {
        const struct span *span = spans_at(&chrome->spans, i);
        uint64_t device = (uint64_t)span->device << 32 | UINT32_MAX;
        uint64_t lane = (uint64_t)span->device << 32 | span->lane;
        if (span->device != TRACE_NO_DEVICE && !map_get(&seen, device, NULL)) {
            chrome_device_name(chrome, span->device);
            status = map_put(&seen, device, 1);
        }
        if (status == FGPU_OK && span->kind != TRACE_BUILD_BEGIN && !map_get(&seen, lane, NULL)) {
            char text[32];
            snprintf(text, sizeof text, "queue %u", span->lane);
            chrome_metadata(chrome, "thread_name", chrome_process(span->device), span->lane, text);
            status = map_put(&seen, lane, 1);
        }
    }
    map_fini(&seen);
    return status;
}

/* ---- spans */

/* What the task waited for: "after":[1,2]. */
static void chrome_write_after(struct chrome *chrome, const struct spans_task *task)
{
    uint64_t before = 0;
    if (task->edges == SPANS_NONE)
        return;
    json_raw(&chrome->json, ",\"after\":[");
    for (uint32_t at = task->edges; at != SPANS_NONE;) {
        const struct spans_edge *edge = vec_at(&chrome->spans.edges, at);
        if (edge->from != before) {
            json_raw(&chrome->json, before != 0 ? "," : "");
            json_u64(&chrome->json, edge->from);
        }
        before = edge->from;
        at = edge->next;
    }
    json_raw(&chrome->json, "]");
}

static const char *chrome_placed(uint32_t how)
{
    static const char *const words[] = {
        [FGPU_PLACED_POLICY] = "policy", [FGPU_PLACED_ONLY] = "only",
        [FGPU_PLACED_PINNED] = "pinned", [FGPU_PLACED_CHAINED] = "chained",
        [FGPU_PLACED_STOLEN] = "stolen", [FGPU_PLACED_PLANNED] = "planned",
        [FGPU_PLACED_PIECE] = "piece"};
    bool known = how < sizeof words / sizeof words[0] && words[how] != NULL;
    return known ? words[how] : "unknown";
}

/* The decision that put the task on its queue; the chosen candidate is the first. */
static void chrome_write_candidates(struct chrome *chrome, const struct spans_task *task)
{
    uint32_t at = task->placed;
    if (at == SPANS_NONE)
        return;
    const struct trace_event *event = trace_at(chrome->trace, at);
    json_raw(&chrome->json, ",\"placed\":\"");
    json_raw(&chrome->json, chrome_placed(trace_candidate_get(event).how));
    chrome_time(chrome, "\",\"placed_us\":", event->time_ns);
    json_raw(&chrome->json, ",\"candidates\":[");
    for (; at != SPANS_NONE; at = spans_next_candidate(chrome->trace, at)) {
        event = trace_at(chrome->trace, at);
        struct trace_candidate candidate = trace_candidate_get(event);
        chrome_u64(chrome, at != task->placed ? ",{\"device\":" : "{\"device\":", event->device);
        chrome_u64(chrome, ",\"queue\":", event->lane);
        chrome_u64(chrome, ",\"wait_ns\":", candidate.wait_ns);
        chrome_u64(chrome, ",\"copy_ns\":", candidate.copy_ns);
        chrome_u64(chrome, ",\"run_ns\":", candidate.run_ns);
        json_raw(&chrome->json, candidate.known ? ",\"known\":true}" : ",\"known\":false}");
    }
    json_raw(&chrome->json, "]");
}

/* What happened to the task before and after it ran: members of an object. */
static void chrome_write_life(struct chrome *chrome, const struct spans_task *task)
{
    if (task->submit_ns != 0)
        chrome_time(chrome, ",\"submitted_us\":", task->submit_ns);
    if (task->ready_ns != 0)
        chrome_time(chrome, ",\"ready_us\":", task->ready_ns);
    if (task->done_ns != 0)
        chrome_time(chrome, ",\"ended_us\":", task->done_ns);
    if (task->status != FGPU_OK) {
        json_raw(&chrome->json, ",\"status\":");
        json_i64(&chrome->json, task->status);
    }
    chrome_write_after(chrome, task);
    chrome_write_candidates(chrome, task);
}

/* A task that was run again tells of its life in its last run. */
static void chrome_write_run(struct chrome *chrome, const struct span *span)
{
    const struct spans_task *task = spans_find_task(&chrome->spans, span->task);
    uint32_t name = span->name == 0 && task != NULL ? task->name : span->name;
    chrome_name(chrome, "", name, span->task);
    json_raw(&chrome->json, ",\"cat\":\"run\"");
    chrome_u64(chrome, ",\"args\":{\"task\":", span->task);
    if (span->has_begin)
        chrome_u64(chrome, ",\"predicted_ns\":", span->a);
    if (task != NULL && task->run != SPANS_NONE && spans_at(&chrome->spans, task->run) == span)
        chrome_write_life(chrome, task);
    json_raw(&chrome->json, "}");
}

/* A task without a run: it has not begun, nothing was to be run, or it failed before. */
static void chrome_write_idle_task(struct chrome *chrome, const struct spans_task *task)
{
    chrome_open(chrome, "i", CHROME_POOL, 0);
    chrome_time(chrome, ",\"ts\":", task->submit_ns);
    json_raw(&chrome->json, ",\"s\":\"t\"");
    chrome_name(chrome, "", task->name, task->task);
    chrome_u64(chrome, ",\"cat\":\"task\",\"args\":{\"task\":", task->task);
    chrome_write_life(chrome, task);
    json_raw(&chrome->json, "}");
    chrome_close(chrome);
}

static void chrome_write_move(struct chrome *chrome, const struct span *span)
{
    char from[64], to[64], text[160] = "copy";
    if (span->has_begin) {
        chrome_node(chrome, span->b >> 32, from, sizeof from);
        chrome_node(chrome, span->b & UINT32_MAX, to, sizeof to);
        snprintf(text, sizeof text, "copy %s to %s", from, to);
    }
    json_raw(&chrome->json, ",\"name\":");
    json_string(&chrome->json, text);
    json_raw(&chrome->json, ",\"cat\":\"copy\"");
    chrome_u64(chrome, ",\"args\":{\"task\":", span->task);
    if (span->has_begin)
        chrome_u64(chrome, ",\"bytes\":", span->a);
    json_raw(&chrome->json, "}");
}

/* Builds of one device overlap, so they are asynchronous spans and not slices of a thread. */
static void chrome_write_build(struct chrome *chrome, const struct span *span)
{
    uint64_t id = chrome->next_id++;
    for (int end = 0; end < 2; end++) {
        chrome_open(chrome, end ? "e" : "b", chrome_process(span->device), 0);
        chrome_time(chrome, ",\"ts\":", end ? span->end_ns : span->start_ns);
        chrome_u64(chrome, ",\"cat\":\"build\",\"id\":", id);
        chrome_name(chrome, "build ", span->name, span->task);
        chrome_close(chrome);
    }
}

static void chrome_write_span(struct chrome *chrome, const struct span *span)
{
    if (span->kind == TRACE_BUILD_BEGIN) {
        chrome_write_build(chrome, span);
        return;
    }
    chrome_open(chrome, "X", chrome_process(span->device), span->lane);
    chrome_time(chrome, ",\"ts\":", span->start_ns);
    json_raw(&chrome->json, ",\"dur\":");
    json_us(&chrome->json, span->end_ns - span->start_ns);
    if (span->kind == TRACE_RUN_BEGIN)
        chrome_write_run(chrome, span);
    else
        chrome_write_move(chrome, span);
    chrome_close(chrome);
}

/* ---- single events */

/* An arrow from one slice to the beginning of another. It leaves inside the first, 1 ns before its
 * end, and comes after both slices in the file: viewers bind its ends to what is open then. */
static void chrome_write_flow(struct chrome *chrome, const struct span *from, const struct span *to,
                              const char *name)
{
    const struct span *ends[2] = {from, to};
    uint64_t leaves = ends[0]->end_ns > ends[0]->start_ns ? ends[0]->end_ns - 1 : ends[0]->end_ns;
    uint64_t times[2] = {leaves, ends[1]->start_ns};
    if (times[1] < ends[0]->start_ns)
        return; /* two clocks that disagree */
    if (times[0] > times[1])
        times[0] = times[1];
    uint64_t id = chrome->next_id++;
    for (int end = 0; end < 2; end++) {
        chrome_open(chrome, end ? "f" : "s", chrome_process(ends[end]->device), ends[end]->lane);
        chrome_time(chrome, ",\"ts\":", times[end]);
        json_raw(&chrome->json, ",\"cat\":\"dependency\",\"name\":\"");
        json_raw(&chrome->json, name);
        chrome_u64(chrome, "\",\"id\":", id);
        if (end)
            json_raw(&chrome->json, ",\"bp\":\"e\"");
        chrome_close(chrome);
    }
}

/* From the run of the producer to that of the consumer, where both are there. */
static void chrome_write_edge(struct chrome *chrome, const struct trace_event *event)
{
    const struct spans_task *from = spans_find_task(&chrome->spans, event->a);
    const struct spans_task *to = spans_find_task(&chrome->spans, event->b);
    if (from == NULL || to == NULL || from->run == SPANS_NONE || to->run == SPANS_NONE)
        return;
    chrome_write_flow(chrome, spans_at(&chrome->spans, from->run),
                      spans_at(&chrome->spans, to->run), "dependency");
}

/* From a copy to the run that it was made for. What is written back starts later: no arrow. */
static void chrome_write_copy_edge(struct chrome *chrome, const struct span *span)
{
    const struct spans_task *task = spans_find_task(&chrome->spans, span->task);
    if (span->kind == TRACE_MOVE_BEGIN && task != NULL && task->run != SPANS_NONE)
        chrome_write_flow(chrome, span, spans_at(&chrome->spans, task->run), "data");
}

static void chrome_write_instant(struct chrome *chrome, const struct trace_event *event)
{
    char node[64];
    chrome_open(chrome, "i", chrome_process(event->device), event->lane);
    chrome_time(chrome, ",\"ts\":", event->time_ns);
    json_raw(&chrome->json, ",\"s\":\"p\"");
    if (event->kind == TRACE_DEVICE_LOST) {
        json_raw(&chrome->json, ",\"name\":\"device lost\"");
    } else if (event->kind == TRACE_FAILED) {
        chrome_name(chrome, "failed: ", event->name, event->task);
        chrome_u64(chrome, ",\"args\":{\"task\":", event->task);
        json_raw(&chrome->json, ",\"status\":");
        json_i64(&chrome->json, (int64_t)event->b);
        json_raw(&chrome->json, "}");
    } else {
        chrome_node(chrome, event->b, node, sizeof node);
        json_raw(&chrome->json, ",\"name\":\"evict\",\"args\":{\"node\":");
        json_string(&chrome->json, node);
        chrome_u64(chrome, ",\"bytes\":", event->a);
        json_raw(&chrome->json, "}");
    }
    chrome_close(chrome);
}

static void chrome_write_counter(struct chrome *chrome, const struct trace_event *event)
{
    char node[64], text[96] = "tasks in flight";
    if (event->kind == TRACE_MEMORY) {
        chrome_node(chrome, event->b, node, sizeof node);
        snprintf(text, sizeof text, "memory used, %s", node);
    }
    chrome_open(chrome, "C", CHROME_POOL, 0);
    chrome_time(chrome, ",\"ts\":", event->time_ns);
    json_raw(&chrome->json, ",\"name\":");
    json_string(&chrome->json, text);
    chrome_u64(
        chrome,
        event->kind == TRACE_MEMORY ? ",\"args\":{\"bytes\":" : ",\"args\":{\"tasks\":", event->a);
    json_raw(&chrome->json, "}");
    chrome_close(chrome);
}

static void chrome_write_event(struct chrome *chrome, const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_EDGE:
        chrome_write_edge(chrome, event);
        break;
    case TRACE_FAILED:
        chrome_write_instant(chrome, event);
        chrome_write_counter(chrome, event);
        break;
    case TRACE_EVICT:
    case TRACE_DEVICE_LOST:
        chrome_write_instant(chrome, event);
        break;
    case TRACE_SUBMIT:
    case TRACE_DONE:
    case TRACE_MEMORY:
        chrome_write_counter(chrome, event);
        break;
    default: /* part of a span */
        break;
    }
}

static fgpu_status chrome_write_all(struct chrome *chrome)
{
    uint32_t length = trace_length(chrome->trace);
    json_raw(&chrome->json, "{\"displayTimeUnit\":\"ns\"");
    chrome_u64(chrome, ",\"otherData\":{\"writer\":\"FastGPU\",\"events\":", length);
    chrome_u64(chrome, ",\"overwritten\":", chrome->trace->count - length);
    chrome_u64(chrome, ",\"origin_ns\":", chrome->spans.origin_ns);
    json_raw(&chrome->json, "},\"traceEvents\":[");
    fgpu_status status = chrome_write_names(chrome);
    for (uint32_t i = 0; i < chrome->spans.spans.count && status == FGPU_OK; i++) {
        chrome_write_span(chrome, spans_at(&chrome->spans, i));
        status = chrome->json.status;
    }
    for (uint32_t i = 0; i < chrome->spans.tasks.count && status == FGPU_OK; i++) {
        const struct spans_task *task = vec_at(&chrome->spans.tasks, i);
        if (task->submit_ns != 0 && task->run == SPANS_NONE)
            chrome_write_idle_task(chrome, task);
        status = chrome->json.status;
    }
    for (uint32_t i = 0; i < chrome->spans.spans.count && status == FGPU_OK; i++) {
        chrome_write_copy_edge(chrome, spans_at(&chrome->spans, i));
        status = chrome->json.status;
    }
    for (uint32_t i = 0; i < length && status == FGPU_OK; i++) {
        chrome_write_event(chrome, trace_at(chrome->trace, i));
        status = chrome->json.status;
    }
    json_raw(&chrome->json, "\n]}\n");
    fgpu_status written = json_end(&chrome->json);
    return status != FGPU_OK ? status : written;
}

fgpu_status chrome_export(const struct trace *trace, const struct chrome_options *options,
                          chrome_write_fn write, void *user)
{
    static const struct chrome_options none = {0};
    struct chrome chrome = {.trace = trace, .options = options != NULL ? options : &none};
    json_begin(&chrome.json, write, user);
    fgpu_status status = spans_collect(&chrome.spans, trace);
    if (status == FGPU_OK)
        status = chrome_write_all(&chrome);
    spans_fini(&chrome.spans);
    return status;
}
