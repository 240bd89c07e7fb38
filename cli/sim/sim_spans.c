/* What a simulated run did, as lines of a timeline: see sim_spans.h. */
#include "cli/sim/sim_spans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls one of the library's two lists until its end. */
static fgpu_status spans_take(const fgpu_sim *sim,
                              fgpu_status (*at)(const fgpu_sim *, uint64_t, fgpu_sim_span *),
                              fgpu_sim_span **list, uint32_t *count)
{
    uint32_t room = 0;
    fgpu_sim_span span;

    for (; at(sim, *count, &span) == FGPU_OK; (*count)++) {
        if (*count == room) {
            room = room > 0 ? 2 * room : 1024;
            fgpu_sim_span *larger = realloc(*list, room * sizeof *larger);
            if (!larger)
                return FGPU_E_NOMEM;
            *list = larger;
        }
        (*list)[*count] = span;
    }
    return FGPU_OK;
}

/* The line that a slice would be on if nothing went on at once. */
static struct sim_row spans_line(const struct sim_spans *spans, const struct sim_slice *slice)
{
    bool is_copy = slice->row == 1;
    const fgpu_sim_span *span = is_copy ? &spans->copies[slice->item] : &spans->runs[slice->item];

    return (struct sim_row){.is_copy = is_copy,
                            .major = is_copy ? span->source : span->device,
                            .minor = is_copy ? span->device : 0};
}

static int spans_compare_lines(const struct sim_row *a, const struct sim_row *b)
{
    if (a->is_copy != b->is_copy)
        return a->is_copy ? 1 : -1;
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    return (a->minor > b->minor) - (a->minor < b->minor);
}

/* By line, then start. `row` is 0 for runs and 1 for copies here. */
static int spans_compare(const void *left, const void *right, void *user)
{
    const struct sim_slice *a = left, *b = right;
    const struct sim_row first = spans_line(user, a), second = spans_line(user, b);
    int order = spans_compare_lines(&first, &second);

    if (order != 0)
        return order;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

static int spans_compare_rows(const void *left, const void *right)
{
    const struct sim_slice *a = left, *b = right;

    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

/* Puts the slices from `first` to `end`, all of one line, on as many rows as they need. */
static bool spans_lay(struct sim_spans *spans, uint32_t first, uint32_t end, uint32_t *room)
{
    struct sim_row row = spans_line(spans, &spans->slices[first]);
    uint64_t busy_until[SIM_SPANS_LANES] = {0};
    uint32_t base = spans->row_count;

    for (uint32_t i = first; i < end; i++) {
        struct sim_slice *slice = &spans->slices[i];
        uint32_t lane = 0;
        while (lane + 1 < SIM_SPANS_LANES && busy_until[lane] > slice->start_ns)
            lane++;
        if (base + lane >= spans->row_count) {
            if (spans->row_count == *room) {
                *room = *room > 0 ? 2 * *room : 64;
                struct sim_row *larger = realloc(spans->rows, *room * sizeof *larger);
                if (!larger)
                    return false;
                spans->rows = larger;
            }
            row.lane = lane;
            spans->rows[spans->row_count++] = row;
        }
        slice->row = base + lane;
        spans->rows[slice->row].count++;
        if (slice->end_ns > busy_until[lane])
            busy_until[lane] = slice->end_ns;
    }
    return true;
}

static fgpu_status spans_rows(struct sim_spans *spans)
{
    uint32_t room = 0, first = 0;

    qsort_r(spans->slices, spans->slice_count, sizeof *spans->slices, spans_compare, spans);
    while (first < spans->slice_count) {
        const struct sim_row line = spans_line(spans, &spans->slices[first]);
        uint32_t end = first + 1;
        for (; end < spans->slice_count; end++) {
            const struct sim_row other = spans_line(spans, &spans->slices[end]);
            if (spans_compare_lines(&line, &other) != 0)
                break;
        }
        if (!spans_lay(spans, first, end, &room))
            return FGPU_E_NOMEM;
        first = end;
    }
    qsort(spans->slices, spans->slice_count, sizeof *spans->slices, spans_compare_rows);
    for (uint32_t i = 1; i < spans->row_count; i++)
        spans->rows[i].first = spans->rows[i - 1].first + spans->rows[i - 1].count;
    return FGPU_OK;
}

fgpu_status sim_spans_init(struct sim_spans *spans, const fgpu_sim *sim)
{
    *spans = (struct sim_spans){0};
    fgpu_status status = spans_take(sim, fgpu_sim_run_at, &spans->runs, &spans->run_count);
    if (status == FGPU_OK)
        status = spans_take(sim, fgpu_sim_copy_at, &spans->copies, &spans->copy_count);
    if (status != FGPU_OK)
        return status;
    uint32_t count = spans->run_count + spans->copy_count;
    spans->slices = calloc(count + (size_t)1, sizeof *spans->slices);
    if (!spans->slices)
        return FGPU_E_NOMEM;
    for (; spans->slice_count < count; spans->slice_count++) {
        uint32_t i = spans->slice_count;
        bool is_copy = i >= spans->run_count;
        uint32_t item = is_copy ? i - spans->run_count : i;
        const fgpu_sim_span *span = is_copy ? &spans->copies[item] : &spans->runs[item];
        spans->slices[i] = (struct sim_slice){span->start_ns, span->end_ns, is_copy, item};
    }
    return spans_rows(spans);
}

void sim_spans_fini(struct sim_spans *spans)
{
    free(spans->runs);
    free(spans->copies);
    free(spans->rows);
    free(spans->slices);
    *spans = (struct sim_spans){0};
}

/* The first device that works in a memory node; "host" for node 0. */
static const char *spans_node(const struct sim_work *work, uint32_t node)
{
    for (uint32_t i = 0; node > 0 && i < work->info.device_count; i++)
        if (work->devices[i].node == node)
            return work->devices[i].name;
    return "host";
}

void sim_spans_row_name(const struct sim_work *work, const struct sim_row *row,
                        char text[SIM_ROW_NAME])
{
    if (row->is_copy)
        (void)snprintf(text, SIM_ROW_NAME, "%s to %s", spans_node(work, row->major),
                       spans_node(work, row->minor));
    else
        (void)snprintf(text, SIM_ROW_NAME, "%s",
                       row->major < work->info.device_count ? work->devices[row->major].name
                                                            : "unknown device");
}
