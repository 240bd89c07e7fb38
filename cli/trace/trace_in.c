/* Traces that are read: see trace_in.h. One event after another is read into a struct of what all
 * kinds may say, then kept as what it is. */
#include "cli/trace/trace_in.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/trace/trace_scan.h"
#include "cli/common/why.h"

/* An event of the file; what it does not say is TRACE_IN_UNKNOWN, NULL or 0. */
struct trace_in_event {
    char phase;
    uint32_t process, thread;
    uint64_t start_ns, length_ns, task, bytes, predicted_ns, id;
    uint64_t submitted_ns, ready_ns, placed_ns, ended_ns;
    int64_t status;
    uint64_t device;
    const char *name, *category, *placed, *what, *device_id;
    size_t after, candidates;
};

struct trace_in_reading {
    struct trace_in *trace;
    struct trace_in_event event;
};

/* ---- growing ---------------------------------------------------------------------------- */

/* The items, moved if need be, with room for one more; NULL without memory: they stay. */
static void *trace_in_grow(void *items, uint32_t count, uint32_t *room, size_t item_bytes)
{
    if (count < *room)
        return items;
    uint32_t more = *room ? 2 * *room : 256;
    void *grown = more > *room ? realloc(items, more * item_bytes) : NULL;
    if (grown)
        *room = more;
    return grown;
}

/* ---- one event -------------------------------------------------------------------------- */

static bool trace_in_u32(struct trace_scan *scan, uint32_t *value)
{
    uint64_t number;

    if (!trace_scan_count(scan, &number))
        return false;
    *value = (uint32_t)number;
    return number <= UINT32_MAX ||
           trace_scan_fail(scan, FGPU_E_INVAL, "a number below 2^32 is wanted");
}

/* Notes where a list stands and passes over it. */
static bool trace_in_list(struct trace_scan *scan, const struct trace_in *trace, size_t *place)
{
    *place = (size_t)(scan->at - (const char *)trace->text.data);
    if (*scan->at != '[')
        return trace_scan_fail(scan, FGPU_E_INVAL, "a list is wanted");
    return trace_scan_skip(scan);
}

static bool trace_in_arg(struct trace_scan *scan, const struct trace_scan_key *key, void *user)
{
    struct trace_in_reading *reading = user;
    struct trace_in_event *event = &reading->event;
    const struct {
        const char *key;
        uint64_t *into;
        bool is_time;
    } numbers[] = {
        {"task", &event->task, false},
        {"bytes", &event->bytes, false},
        {"device", &event->device, false},
        {"predicted_ns", &event->predicted_ns, false},
        {"submitted_us", &event->submitted_ns, true},
        {"ready_us", &event->ready_ns, true},
        {"placed_us", &event->placed_ns, true},
        {"ended_us", &event->ended_ns, true},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (trace_scan_is(key, numbers[i].key))
            return numbers[i].is_time ? trace_scan_time(scan, numbers[i].into)
                                      : trace_scan_count(scan, numbers[i].into);
    if (trace_scan_is(key, "status"))
        return trace_scan_integer(scan, &event->status);
    if (trace_scan_is(key, "placed"))
        return trace_scan_text(scan, &event->placed);
    if (trace_scan_is(key, "name"))
        return trace_scan_text(scan, &event->what);
    if (trace_scan_is(key, "id"))
        return trace_scan_text(scan, &event->device_id);
    if (trace_scan_is(key, "after"))
        return trace_in_list(scan, reading->trace, &event->after);
    if (trace_scan_is(key, "candidates"))
        return trace_in_list(scan, reading->trace, &event->candidates);
    return trace_scan_skip(scan);
}

static bool trace_in_phase(struct trace_scan *scan, struct trace_in_event *event)
{
    const char *text;

    if (!trace_scan_text(scan, &text))
        return false;
    event->phase = text[0] && !text[1] ? text[0] : '?';
    return true;
}

static bool trace_in_member(struct trace_scan *scan, const struct trace_scan_key *key, void *user)
{
    struct trace_in_reading *reading = user;
    struct trace_in_event *event = &reading->event;

    if (trace_scan_is(key, "ph"))
        return trace_in_phase(scan, event);
    if (trace_scan_is(key, "pid"))
        return trace_in_u32(scan, &event->process);
    if (trace_scan_is(key, "tid"))
        return trace_in_u32(scan, &event->thread);
    if (trace_scan_is(key, "ts"))
        return trace_scan_time(scan, &event->start_ns);
    if (trace_scan_is(key, "dur"))
        return trace_scan_time(scan, &event->length_ns);
    if (trace_scan_is(key, "id"))
        return trace_scan_count(scan, &event->id);
    if (trace_scan_is(key, "name"))
        return trace_scan_text(scan, &event->name);
    if (trace_scan_is(key, "cat"))
        return trace_scan_text(scan, &event->category);
    if (trace_scan_is(key, "args"))
        return trace_scan_object(scan, trace_in_arg, reading);
    return trace_scan_skip(scan);
}

/* ---- keeping it ------------------------------------------------------------------------- */

static bool trace_in_keep_slice(struct trace_in *trace, const struct trace_in_event *event,
                                bool is_copy)
{
    struct trace_in_slice *slices =
        trace_in_grow(trace->slices, trace->slice_count, &trace->slice_room, sizeof *slices);

    if (!slices)
        return false;
    trace->slices = slices;
    slices[trace->slice_count++] =
        (struct trace_in_slice){.task = event->task,
                                .start_ns = event->start_ns,
                                .end_ns = event->start_ns + event->length_ns,
                                .bytes = event->bytes,
                                .name = event->name,
                                .process = event->process,
                                .thread = event->thread,
                                .is_copy = is_copy};
    return true;
}

static bool trace_in_keep_task(struct trace_in *trace, const struct trace_in_event *event,
                               bool has_run)
{
    struct trace_in_task *tasks =
        trace_in_grow(trace->tasks, trace->task_count, &trace->task_room, sizeof *tasks);

    if (!tasks)
        return false;
    trace->tasks = tasks;
    tasks[trace->task_count++] =
        (struct trace_in_task){.number = event->task,
                               .name = event->name,
                               .submitted_ns = event->submitted_ns,
                               .ready_ns = event->ready_ns,
                               .placed_ns = event->placed_ns,
                               .ended_ns = event->ended_ns,
                               .predicted_ns = event->predicted_ns,
                               .status = event->status,
                               .run = has_run ? trace->slice_count - 1 : TRACE_IN_NONE,
                               .run_count = has_run,
                               .placed = event->placed,
                               .after = event->after,
                               .candidates = event->candidates};
    return true;
}

static bool trace_in_keep_process(struct trace_in *trace, const struct trace_in_event *event)
{
    struct trace_in_process *names =
        trace_in_grow(trace->names, trace->name_count, &trace->name_room, sizeof *names);

    if (!names)
        return false;
    trace->names = names;
    names[trace->name_count++] = (struct trace_in_process){
        .process = event->process,
        .device = event->device < TRACE_IN_NONE ? (uint32_t)event->device : TRACE_IN_NONE,
        .name = event->what,
        .id = event->device_id};
    return true;
}

/* The end of a build follows its begin. */
static bool trace_in_keep_build(struct trace_in *trace, const struct trace_in_event *event)
{
    if (event->phase == 'e') {
        for (uint32_t i = trace->build_count; i-- > 0;)
            if (trace->builds[i].id == event->id) {
                trace->builds[i].end_ns = event->start_ns;
                break;
            }
        return true;
    }
    struct trace_in_build *builds =
        trace_in_grow(trace->builds, trace->build_count, &trace->build_room, sizeof *builds);
    if (!builds)
        return false;
    trace->builds = builds;
    builds[trace->build_count++] = (struct trace_in_build){
        event->id, event->start_ns, TRACE_IN_UNKNOWN, event->name, event->process};
    return true;
}

static bool trace_in_keep(struct trace_in *trace, const struct trace_in_event *event)
{
    bool is_slice = event->phase == 'X' && event->start_ns != TRACE_IN_UNKNOWN;

    if (event->phase == 'M' && strcmp(event->name, "process_name") == 0)
        return trace_in_keep_process(trace, event);
    if ((event->phase == 'b' || event->phase == 'e') && strcmp(event->category, "build") == 0)
        return trace_in_keep_build(trace, event);
    if (is_slice && strcmp(event->category, "copy") == 0)
        return trace_in_keep_slice(trace, event, true);
    if (event->task == TRACE_IN_UNKNOWN)
        return true;
    if (is_slice && strcmp(event->category, "run") == 0)
        return trace_in_keep_slice(trace, event, false) && trace_in_keep_task(trace, event, true);
    if (event->phase == 'i' && strcmp(event->category, "task") == 0)
        return trace_in_keep_task(trace, event, false);
    return true;
}

static bool trace_in_read_event(struct trace_scan *scan, const struct trace_scan_key *key,
                                void *user)
{
    struct trace_in_reading *reading = user;
    const uint64_t none = TRACE_IN_UNKNOWN;

    (void)key;
    reading->event = (struct trace_in_event){.start_ns = none,
                                             .task = none,
                                             .bytes = none,
                                             .device = none,
                                             .predicted_ns = none,
                                             .submitted_ns = none,
                                             .ready_ns = none,
                                             .placed_ns = none,
                                             .ended_ns = none,
                                             .name = "",
                                             .category = "",
                                             .placed = "",
                                             .what = "",
                                             .device_id = ""};
    if (!trace_scan_object(scan, trace_in_member, reading))
        return false;
    return trace_in_keep(reading->trace, &reading->event) ||
           trace_scan_fail(scan, FGPU_E_NOMEM, "there is no memory");
}

/* ---- the whole -------------------------------------------------------------------------- */

static bool trace_in_other(struct trace_scan *scan, const struct trace_scan_key *key, void *user)
{
    struct trace_in *trace = ((struct trace_in_reading *)user)->trace;
    const char *writer;

    if (trace_scan_is(key, "overwritten"))
        return trace_scan_count(scan, &trace->overwritten);
    if (!trace_scan_is(key, "writer"))
        return trace_scan_skip(scan);
    if (!trace_scan_text(scan, &writer))
        return false;
    trace->is_ours = strcmp(writer, "FastGPU") == 0;
    return true;
}

static bool trace_in_root(struct trace_scan *scan, const struct trace_scan_key *key, void *user)
{
    struct trace_in *trace = ((struct trace_in_reading *)user)->trace;

    if (trace_scan_is(key, "otherData"))
        return trace_scan_object(scan, trace_in_other, user);
    if (!trace_scan_is(key, "traceEvents"))
        return trace_scan_skip(scan);
    trace->has_events = true;
    return trace_scan_list(scan, trace_in_read_event, user);
}

static int trace_in_compare_tasks(const void *left, const void *right)
{
    const struct trace_in_task *a = left, *b = right;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->run < b->run ? -1 : a->run > b->run; /* as in the file */
}

/* Of a task that ran several times the last run stays: it tells of the task's life. */
static void trace_in_merge(struct trace_in *trace)
{
    uint32_t kept = 0;

    if (trace->task_count > 1)
        qsort(trace->tasks, trace->task_count, sizeof *trace->tasks, trace_in_compare_tasks);
    for (uint32_t i = 0; i < trace->task_count; i++) {
        uint32_t runs = trace->tasks[i].run_count;
        if (kept > 0 && trace->tasks[kept - 1].number == trace->tasks[i].number)
            runs += trace->tasks[--kept].run_count;
        trace->tasks[kept] = trace->tasks[i];
        trace->tasks[kept++].run_count = runs;
    }
    trace->task_count = kept;
}

static fgpu_status trace_in_refuse(const struct trace_scan *scan, char *why, size_t why_bytes)
{
    return why_fail(scan->status, why, why_bytes, "line %zu, column %zu: %s", scan->line,
                    (size_t)(scan->at - scan->line_begin) + 1, scan->wrong);
}

fgpu_status trace_in_parse(struct file_bytes text, struct trace_in *trace, char *why,
                           size_t why_bytes)
{
    struct trace_in_reading reading = {.trace = trace};
    struct trace_scan scan;

    *trace = (struct trace_in){.text = text};
    if (text.size_bytes == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "the file is empty (0 bytes)");
    if (!file_bytes_append(&trace->text, "", 1))
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    trace_scan_init(&scan, (char *)trace->text.data, trace->text.size_bytes - 1);
    if (!trace_scan_object(&scan, trace_in_root, &reading) || !trace_scan_ended(&scan))
        return trace_in_refuse(&scan, why, why_bytes);
    if (!trace->has_events || !trace->is_ours)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "this is no trace that FastGPU wrote: %s",
                        trace->has_events ? "otherData.writer is not \"FastGPU\""
                                          : "it has no traceEvents");
    trace_in_merge(trace);
    return FGPU_OK;
}

fgpu_status trace_in_load(const char *path, struct trace_in *trace, char *why, size_t why_bytes)
{
    struct file_bytes text = {0};

    *trace = (struct trace_in){0};
    fgpu_status status = file_read(path, CLI_TRACE_FILE_BYTES_LIMIT, &text, why, why_bytes);
    return status == FGPU_OK ? trace_in_parse(text, trace, why, why_bytes) : status;
}

void trace_in_fini(struct trace_in *trace)
{
    if (!trace)
        return;
    file_bytes_fini(&trace->text);
    free(trace->slices);
    free(trace->tasks);
    free(trace->names);
    free(trace->builds);
    *trace = (struct trace_in){0};
}

const struct trace_in_task *trace_in_find(const struct trace_in *trace, uint64_t number)
{
    uint32_t low = 0, high = trace->task_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trace->tasks[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < trace->task_count && trace->tasks[low].number == number ? &trace->tasks[low]
                                                                         : NULL;
}

const struct trace_in_process *trace_in_process(const struct trace_in *trace, uint32_t process)
{
    static const struct trace_in_process unknown = {.device = TRACE_IN_NONE, .name = "", .id = ""};

    for (uint32_t i = 0; i < trace->name_count; i++)
        if (trace->names[i].process == process)
            return &trace->names[i];
    return &unknown;
}

const char *trace_in_device_id(const struct trace_in *trace, uint32_t device)
{
    for (uint32_t i = 0; i < trace->name_count; i++)
        if (trace->names[i].device == device && device != TRACE_IN_NONE)
            return trace->names[i].id;
    return "";
}

/* ---- lists of one task ------------------------------------------------------------------ */

struct trace_in_list {
    void *items;
    uint32_t count, room;
};

static bool trace_in_list_number(struct trace_scan *scan, const struct trace_scan_key *key,
                                 void *user)
{
    struct trace_in_list *list = user;
    uint64_t number;

    (void)key;
    if (!trace_scan_count(scan, &number))
        return false;
    uint64_t *numbers = trace_in_grow(list->items, list->count, &list->room, sizeof number);
    if (!numbers)
        return trace_scan_fail(scan, FGPU_E_NOMEM, "there is no memory");
    list->items = numbers;
    numbers[list->count++] = number;
    return true;
}

static bool trace_in_candidate_member(struct trace_scan *scan, const struct trace_scan_key *key,
                                      void *user)
{
    struct trace_in_candidate *candidate = user;

    if (trace_scan_is(key, "device"))
        return trace_in_u32(scan, &candidate->device);
    if (trace_scan_is(key, "queue"))
        return trace_in_u32(scan, &candidate->queue);
    if (trace_scan_is(key, "wait_ns"))
        return trace_scan_count(scan, &candidate->wait_ns);
    if (trace_scan_is(key, "copy_ns"))
        return trace_scan_count(scan, &candidate->copy_ns);
    if (trace_scan_is(key, "run_ns"))
        return trace_scan_count(scan, &candidate->run_ns);
    if (trace_scan_is(key, "known"))
        return trace_scan_bool(scan, &candidate->is_known);
    return trace_scan_skip(scan);
}

static bool trace_in_list_candidate(struct trace_scan *scan, const struct trace_scan_key *key,
                                    void *user)
{
    struct trace_in_list *list = user;
    struct trace_in_candidate candidate = {0};

    (void)key;
    if (!trace_scan_object(scan, trace_in_candidate_member, &candidate))
        return false;
    struct trace_in_candidate *candidates =
        trace_in_grow(list->items, list->count, &list->room, sizeof candidate);
    if (!candidates)
        return trace_scan_fail(scan, FGPU_E_NOMEM, "there is no memory");
    list->items = candidates;
    candidates[list->count++] = candidate;
    return true;
}

static fgpu_status trace_in_read_list(const struct trace_in *trace, size_t place, trace_scan_fn fn,
                                      struct trace_in_list *list)
{
    struct trace_scan scan;

    *list = (struct trace_in_list){0};
    if (place == 0)
        return FGPU_OK;
    trace_scan_init(&scan, (char *)trace->text.data + place, trace->text.size_bytes - 1 - place);
    if (trace_scan_list(&scan, fn, list))
        return FGPU_OK;
    free(list->items);
    *list = (struct trace_in_list){0};
    return scan.status;
}

static int trace_in_compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

fgpu_status trace_in_after(const struct trace_in *trace, const struct trace_in_task *task,
                           uint64_t **list, uint32_t *count)
{
    struct trace_in_list read;

    fgpu_status status = trace_in_read_list(trace, task->after, trace_in_list_number, &read);
    uint64_t *numbers = read.items;
    *list = numbers;
    *count = 0;
    if (read.count > 1)
        qsort(numbers, read.count, sizeof *numbers, trace_in_compare_numbers);
    for (uint32_t i = 0; i < read.count; i++)
        if (i == 0 || numbers[i] != numbers[*count - 1])
            numbers[(*count)++] = numbers[i];
    return status;
}

fgpu_status trace_in_candidates(const struct trace_in *trace, const struct trace_in_task *task,
                                struct trace_in_candidate **list, uint32_t *count)
{
    struct trace_in_list read;

    fgpu_status status =
        trace_in_read_list(trace, task->candidates, trace_in_list_candidate, &read);
    *list = read.items;
    *count = read.count;
    return status;
}
