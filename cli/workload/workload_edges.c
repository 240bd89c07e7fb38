/* Which tasks must wait for which: see workload_edges.h.
 *
 * A buffer is looked at as rows of one pitch, that of its region with the most rows, so that a
 * region is a few rectangles; regions of another pitch are taken row by row. For each buffer two
 * sets are kept: what was written, and by whom last; what was read since it was last written, and
 * by whom. A write takes what it covers out of both. So a byte's last writer and the readers since
 * are found, no others, and an edge is made only where a byte is shared. All regions of a buffer
 * are looked at together: buffer after buffer, in each the tasks in order. What tasks reduce is a
 * third set: they wait for nobody, and whoever reads or writes there waits for all of them.
 */
#include "cli/workload/workload_edges.h"

#include <stdlib.h>
#include <string.h>

#include "cli/workload/rect_set.h"

/* One argument that touches a buffer. */
struct edges_touch {
    uint32_t task, arg;
};

struct edges_maker {
    const struct workload *workload;
    struct workload_edge *items;
    uint32_t count, capacity;
    uint32_t *met;        /* by task: 1 + the later one that it was last put before */
    uint64_t pitch;       /* of the buffer that is looked at */
    uint64_t piece_count; /* rows that were taken singly */
    struct rect_set written, read, reduced;
    fgpu_status status;
};

static bool edges_fail(struct edges_maker *maker, fgpu_status status)
{
    maker->status = status;
    return false;
}

static bool edges_put(struct edges_maker *maker, uint32_t from, uint32_t to)
{
    if (from == to || maker->met[from] == to + 1)
        return true;
    maker->met[from] = to + 1;
    if (maker->count == maker->capacity) {
        uint32_t capacity = maker->capacity ? maker->capacity * 2 : 1024;
        if (maker->count >= WORKLOAD_EDGES_LIMIT)
            return edges_fail(maker, FGPU_E_LIMIT);
        struct workload_edge *grown = realloc(maker->items, capacity * sizeof *grown);
        if (!grown)
            return edges_fail(maker, FGPU_E_NOMEM);
        maker->items = grown;
        maker->capacity = capacity;
    }
    maker->items[maker->count++] = (struct workload_edge){from, to};
    return true;
}

static bool edges_put_hits(struct edges_maker *maker, const struct rect_set *set, uint32_t to)
{
    for (uint32_t i = 0; i < set->hit_count; i++)
        if (!edges_put(maker, set->hits[i], to))
            return false;
    return true;
}

/* ---- regions as rectangles */

fgpu_region workload_edges_region(const struct workload *workload, const struct workload_arg *arg)
{
    fgpu_region region = arg->region;

    if (region.row_bytes == 0)
        return fgpu_region_span(0, workload->buffers[arg->buffer].size_bytes);
    if (region.rows == 0)
        region.rows = 1;
    if (region.pitch_bytes == 0)
        region.pitch_bytes = region.row_bytes;
    if (region.rows == 1 || region.pitch_bytes == region.row_bytes)
        return fgpu_region_span(region.offset_bytes, region.row_bytes * region.rows);
    return region;
}

/* What is done with a rectangle of a task. */
typedef bool (*edges_fn)(struct edges_maker *maker, const struct rect *rect, uint32_t task);

/* `bytes` bytes without a gap: the end of a row, whole rows, the beginning of one. */
static bool edges_each_of_span(struct edges_maker *maker, uint64_t begin, uint64_t bytes,
                               uint32_t task, edges_fn fn)
{
    uint64_t pitch = maker->pitch, row = begin / pitch, column = begin % pitch;

    if (column > 0 || bytes < pitch) {
        uint64_t here = bytes < pitch - column ? bytes : pitch - column;
        if (!fn(maker, &(struct rect){row, row + 1, column, column + here}, task))
            return false;
        bytes -= here;
        row++;
    }
    if (bytes >= pitch && !fn(maker, &(struct rect){row, row + bytes / pitch, 0, pitch}, task))
        return false;
    row += bytes / pitch;
    bytes %= pitch;
    return bytes == 0 || fn(maker, &(struct rect){row, row + 1, 0, bytes}, task);
}

static bool edges_each(struct edges_maker *maker, const fgpu_region *region, uint32_t task,
                       edges_fn fn)
{
    uint64_t pitch = maker->pitch, row = region->offset_bytes / pitch,
             begin = region->offset_bytes % pitch, end = begin + region->row_bytes;

    if (region->rows == 1)
        return edges_each_of_span(maker, region->offset_bytes, region->row_bytes, task, fn);
    if (region->pitch_bytes == pitch && end <= pitch)
        return fn(maker, &(struct rect){row, row + region->rows, begin, end}, task);
    if (region->pitch_bytes == pitch)
        return fn(maker, &(struct rect){row, row + region->rows, begin, pitch}, task) &&
               fn(maker, &(struct rect){row + 1, row + 1 + region->rows, 0, end - pitch}, task);
    if (region->rows > WORKLOAD_EDGES_LIMIT - maker->piece_count)
        return edges_fail(maker, FGPU_E_LIMIT);
    maker->piece_count += region->rows;
    for (uint64_t i = 0; i < region->rows; i++)
        if (!edges_each_of_span(maker, region->offset_bytes + i * region->pitch_bytes,
                                region->row_bytes, task, fn))
            return false;
    return true;
}

/* ---- one buffer */

static bool edges_find_writers(struct edges_maker *maker, const struct rect *rect, uint32_t task)
{
    if (!rect_set_find(&maker->written, rect) || !rect_set_find(&maker->reduced, rect))
        return edges_fail(maker, FGPU_E_NOMEM);
    return edges_put_hits(maker, &maker->written, task) &&
           edges_put_hits(maker, &maker->reduced, task);
}

static bool edges_add_reducer(struct edges_maker *maker, const struct rect *rect, uint32_t task)
{
    return rect_set_add(&maker->reduced, rect, task) || edges_fail(maker, FGPU_E_NOMEM);
}

static bool edges_add_reader(struct edges_maker *maker, const struct rect *rect, uint32_t task)
{
    return rect_set_add(&maker->read, rect, task) || edges_fail(maker, FGPU_E_NOMEM);
}

static bool edges_write(struct edges_maker *maker, const struct rect *rect, uint32_t task)
{
    if (!rect_set_cut(&maker->read, rect) || !rect_set_cut(&maker->written, rect) ||
        !rect_set_cut(&maker->reduced, rect) || !rect_set_add(&maker->written, rect, task))
        return edges_fail(maker, FGPU_E_NOMEM);
    return edges_put_hits(maker, &maker->read, task) &&
           edges_put_hits(maker, &maker->reduced, task) &&
           edges_put_hits(maker, &maker->written, task);
}

/* The regions of one task: all that it reads before anything that it writes, or it would seem to
 * read what it writes itself. */
static bool edges_of_task(struct edges_maker *maker, const struct edges_touch *touches,
                          uint32_t count)
{
    static const edges_fn steps[4] = {edges_find_writers, edges_write, edges_add_reader,
                                      edges_add_reducer};
    const struct workload *workload = maker->workload;

    for (int step = 0; step < 4; step++)
        for (uint32_t i = 0; i < count; i++) {
            const struct workload_arg *arg = &workload->args[touches[i].arg];
            fgpu_region region = workload_edges_region(workload, arg);
            bool is_due = arg->access == FGPU_REDUCE ? step == 3
                          : arg->access == FGPU_READ ? step == 0 || step == 2
                                                     : step == 1;
            if (is_due && !edges_each(maker, &region, touches[i].task, steps[step]))
                return false;
        }
    return true;
}

/* [in] touches: in the order of tasks. */
static bool edges_of_buffer(struct edges_maker *maker, const struct edges_touch *touches,
                            uint32_t count)
{
    const struct workload *workload = maker->workload;
    uint64_t most = 0;
    bool is_written = false;

    maker->pitch = UINT64_MAX; /* one row */
    for (uint32_t i = 0; i < count; i++) {
        const struct workload_arg *arg = &workload->args[touches[i].arg];
        fgpu_region region = workload_edges_region(workload, arg);
        is_written |= arg->access != FGPU_READ;
        if (region.rows > 1 && region.rows > most) {
            most = region.rows;
            maker->pitch = region.pitch_bytes;
        }
    }
    if (!is_written)
        return true;
    rect_set_clear(&maker->written);
    rect_set_clear(&maker->read);
    rect_set_clear(&maker->reduced);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && touches[end].task == touches[i].task;)
            end++;
        if (!edges_of_task(maker, &touches[i], end - i))
            return false;
    }
    return true;
}

/* ---- all of them */

/* Lists the buffer arguments by buffer, and for each in the order of tasks; ends[b] is the end of
 * buffer b's part. */
static void edges_list_touches(const struct workload *workload, struct edges_touch *touches,
                               uint32_t *ends)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < workload->arg_count; i++)
        if (workload->args[i].kind == FGPU_ARG_BUFFER)
            ends[workload->args[i].buffer]++;
    for (uint32_t b = 0; b < workload->buffer_count; b++) {
        uint32_t count = ends[b];
        ends[b] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct workload_task *task = &workload->tasks[workload->order[i]];
        for (uint32_t a = 0; a < task->arg_count; a++) {
            const struct workload_arg *arg = &workload->args[task->arg_first + a];
            if (arg->kind == FGPU_ARG_BUFFER)
                touches[ends[arg->buffer]++] =
                    (struct edges_touch){workload->order[i], task->arg_first + a};
        }
    }
}

static bool edges_of_data(struct edges_maker *maker)
{
    const struct workload *workload = maker->workload;
    struct edges_touch *touches = calloc((size_t)workload->arg_count + 1, sizeof *touches);
    uint32_t *ends = calloc((size_t)workload->buffer_count + 1, sizeof *ends);
    bool is_good = (touches && ends) || edges_fail(maker, FGPU_E_NOMEM);

    if (is_good)
        edges_list_touches(workload, touches, ends);
    for (uint32_t b = 0, begin = 0; is_good && b < workload->buffer_count; b++) {
        /* `met` may hold a task of the buffer before: an edge is then there already. */
        is_good = edges_of_buffer(maker, &touches[begin], ends[b] - begin);
        begin = ends[b];
    }
    free(touches);
    free(ends);
    return is_good;
}

static bool edges_of_after(struct edges_maker *maker)
{
    const struct workload *workload = maker->workload;

    for (uint32_t i = 0; i < workload->task_count; i++)
        for (uint32_t a = 0; a < workload->tasks[i].after_count; a++)
            if (!edges_put(maker, workload->after[workload->tasks[i].after_first + a], i))
                return false;
    return true;
}

static int edges_compare(const void *left, const void *right)
{
    const struct workload_edge *a = left, *b = right;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return 0;
}

/* Sorts by `to` (counting), then by `from`, and drops what is there twice. */
static bool edges_sort(struct edges_maker *maker)
{
    uint32_t task_count = maker->workload->task_count, count = 0;
    uint32_t *ends = calloc((size_t)task_count + 1, sizeof *ends);
    struct workload_edge *sorted = malloc(((size_t)maker->count + 1) * sizeof *sorted);

    if (!ends || !sorted) {
        free(ends);
        free(sorted);
        return edges_fail(maker, FGPU_E_NOMEM);
    }
    for (uint32_t i = 0; i < maker->count; i++)
        ends[maker->items[i].to + 1]++;
    for (uint32_t t = 0; t < task_count; t++)
        ends[t + 1] += ends[t]; /* where the next task's edges begin */
    for (uint32_t i = 0; i < maker->count; i++)
        sorted[ends[maker->items[i].to]++] = maker->items[i]; /* from now on where its own end */
    for (uint32_t t = 0, begin = 0; t < task_count; t++) {
        if (ends[t] - begin > 1)
            qsort(&sorted[begin], ends[t] - begin, sizeof *sorted, edges_compare);
        begin = ends[t];
    }
    for (uint32_t i = 0; i < maker->count; i++)
        if (i == 0 || memcmp(&sorted[i], &sorted[count - 1], sizeof *sorted) != 0)
            sorted[count++] = sorted[i];
    free(maker->items);
    free(ends);
    maker->items = sorted;
    maker->count = count;
    return true;
}

fgpu_status workload_edges_init(struct workload_edges *edges, const struct workload *workload)
{
    struct edges_maker maker = {.workload = workload};

    *edges = (struct workload_edges){0};
    rect_set_init(&maker.written);
    rect_set_init(&maker.read);
    rect_set_init(&maker.reduced);
    maker.met = calloc((size_t)workload->task_count + 1, sizeof *maker.met);
    if (!maker.met)
        maker.status = FGPU_E_NOMEM;
    if (maker.met && edges_of_data(&maker) && edges_of_after(&maker) && edges_sort(&maker))
        *edges = (struct workload_edges){maker.items, maker.count};
    else
        free(maker.items);
    free(maker.met);
    rect_set_fini(&maker.written);
    rect_set_fini(&maker.read);
    rect_set_fini(&maker.reduced);
    return maker.status;
}

void workload_edges_fini(struct workload_edges *edges)
{
    if (!edges)
        return;
    free(edges->items);
    *edges = (struct workload_edges){0};
}
