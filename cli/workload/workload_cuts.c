/* $.tasks[].divisible: how the arguments of a task go with the last axis of its grid, so that the
 * pool may run it in pieces. What the source of the kernel says against it is the library's to find
 * out. */
#include "cli/workload/workload_reader.h"

#include <string.h>

#define CUTS_STEP_BYTES (UINT64_C(1) << 46)

/* One entry: what it is for, and how many work items the last axis of the grid has. */
struct cuts_place {
    const struct workload_param *param;
    const struct workload_buffer *buffer;
    struct workload_arg *arg;
    uint64_t items;
};

/* The bytes of the argument, gaps between rows included. */
static uint64_t cuts_bytes(const struct cuts_place *place)
{
    const fgpu_region *region = &place->arg->region;

    return region->row_bytes == 0 ? place->buffer->size_bytes
                                  : region->pitch_bytes * (region->rows - 1) + region->row_bytes;
}

/* "elements" or "rows": what one step is. */
static bool cuts_read_step(struct workload_reader *reader, const cJSON *value,
                           const struct cuts_place *place, fgpu_cut *cut)
{
    const struct workload_buffer *buffer = place->buffer;
    uint64_t element = elements[buffer->type].size_bytes, row = buffer->pitch * element, count = 0;
    bool has_rows = reader_get(value, "rows") != NULL;
    const uint64_t limits[2] = {1, CUTS_STEP_BYTES / (has_rows ? row : element)};

    if (has_rows == (reader_get(value, "elements") != NULL))
        return reader_fail(reader, value,
                           "want \"elements\" or \"rows\": how many of them a step has");
    if (has_rows && buffer->dims < 2)
        return reader_fail(reader, value, "%s has one axis: use \"elements\"", buffer->name);
    if (!has_rows && place->arg->region.rows > 1)
        return reader_fail(reader, value, "the argument is several rows of %s: use \"rows\"",
                           buffer->name);
    if (!reader_whole_of(reader, value, has_rows ? "rows" : "elements", limits, &count))
        return false;
    cut->bytes = count * (has_rows ? row : element);
    return true;
}

static bool cuts_check(struct workload_reader *reader, const cJSON *value,
                       const struct cuts_place *place)
{
    const fgpu_cut *cut = &place->arg->cut;
    uint64_t steps = (place->items - 1) / cut->items + 1, bytes = cuts_bytes(place), reach;

    if ((place->arg->access & FGPU_WRITE) && (cut->before > 0 || cut->after > 0))
        return reader_fail(reader, value,
                           "%s is written, so that it has no halo: before is %u and after is %u, "
                           "want 0",
                           place->param->name, cut->before, cut->after);
    if (!__builtin_mul_overflow(steps, cut->bytes, &reach) && reach < bytes)
        return reader_fail(
            reader, value, "%llu steps of %llu bytes do not cover the argument's %llu",
            (unsigned long long)steps, (unsigned long long)cut->bytes, (unsigned long long)bytes);
    return true;
}

static bool cuts_read_entry(struct workload_reader *reader, const cJSON *value,
                            const struct cuts_place *place)
{
    static const char *const keys[] = {"elements", "rows", "items", "before", "after", NULL};
    static const uint64_t counts[2] = {1, UINT32_MAX}, steps[2] = {0, UINT32_MAX};
    uint64_t items = 1, before = 0, after = 0;
    fgpu_cut *cut = &place->arg->cut;

    if (place->param->kind != FGPU_ARG_BUFFER)
        return reader_fail(reader, value, "%s is no buffer: every piece gets it as it is",
                           place->param->name);
    if (!reader_keys(reader, value, keys) || !cuts_read_step(reader, value, place, cut) ||
        !reader_whole_of(reader, value, "items", counts, &items) ||
        !reader_whole_of(reader, value, "before", steps, &before) ||
        !reader_whole_of(reader, value, "after", steps, &after))
        return false;
    cut->kind = FGPU_CUT_ITEMS;
    cut->items = (uint32_t)items;
    cut->before = (uint32_t)before;
    cut->after = (uint32_t)after;
    return cuts_check(reader, value, place);
}

/* What no piece can have all of. */
static bool cuts_check_rest(struct workload_reader *reader, const cJSON *cuts,
                            const struct workload_param *param, const struct workload_arg *arg)
{
    if (arg->kind == FGPU_ARG_BUFFER && arg->access == FGPU_REDUCE)
        return reader_fail(reader, cuts, "%s is reduced into: such a task cannot be divided",
                           param->name);
    if (arg->kind == FGPU_ARG_BUFFER && (arg->access & FGPU_WRITE) &&
        arg->cut.kind == FGPU_CUT_WHOLE)
        return reader_fail(reader, cuts,
                           "%s is written: say how many of its \"elements\" or \"rows\" go with a "
                           "work item",
                           param->name);
    return true;
}

static bool cuts_read_all(struct workload_reader *reader, const cJSON *cuts,
                          const struct workload_task *task)
{
    const struct workload_kernel *kernel = &reader->out->kernels[task->kernel];
    struct workload_arg *args = reader->out->args + task->arg_first;
    const char *keys[CLI_WORKLOAD_ARGS_LIMIT + 1] = {0};
    bool is_good = true;

    if (kernel->filter)
        return reader_fail(reader, cuts,
                           "a filter's pictures are cut into bands: repeat the task with the "
                           "\"rows\" of each");
    if (kernel->param_count == 0)
        return reader_fail(reader, cuts, "the kernel takes no arguments that could be cut");
    for (uint32_t i = 0; i < kernel->param_count; i++)
        keys[i] = kernel->params[i].name;
    if (!reader_keys(reader, cuts, keys))
        return false;
    for (uint32_t i = 0; i < kernel->param_count && is_good; i++) {
        const cJSON *value = reader_get(cuts, keys[i]);
        struct cuts_place place = {
            .param = &kernel->params[i], .arg = &args[i], .items = task->global[task->dims - 1]};
        if (!value)
            continue;
        if (place.param->kind == FGPU_ARG_BUFFER)
            place.buffer = &reader->out->buffers[args[i].buffer];
        size_t level = json_path_enter_key(&reader->path, keys[i]);
        is_good = cuts_read_entry(reader, value, &place);
        json_path_leave(&reader->path, level);
    }
    for (uint32_t i = 0; i < kernel->param_count && is_good; i++)
        is_good = cuts_check_rest(reader, cuts, &kernel->params[i], &args[i]);
    return is_good;
}

bool reader_read_cuts(struct workload_reader *reader, const cJSON *entry,
                      struct workload_task *task)
{
    const cJSON *cuts = reader_get(entry, "divisible");

    if (!cuts)
        return true;
    size_t level = json_path_enter_key(&reader->path, "divisible");
    task->is_divisible = cuts_read_all(reader, cuts, task);
    json_path_leave(&reader->path, level);
    return task->is_divisible;
}
