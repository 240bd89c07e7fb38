/* $.tasks: kernel, arguments, grid, priority, and what each comes after. */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <string.h>

#include "cli/common/nearest.h"

#define TASK_SCALARS_BYTES 4096u
#define TASK_LOCAL_BYTES ((uint64_t)1 << 24)
#define TASK_PRIORITY 1000.0
#define TASK_LANES 16

bool reader_add_arg(struct workload_reader *reader, struct workload_task *task,
                    const struct workload_arg *arg)
{
    struct workload *out = reader->out;

    if (out->arg_count == CLI_WORKLOAD_ARGS_TOTAL_LIMIT)
        return reader_fail(reader, NULL, "at most %u arguments of all tasks are possible",
                           CLI_WORKLOAD_ARGS_TOTAL_LIMIT);
    struct workload_arg *table = reader_grow(reader, out->args, out->arg_count, sizeof *table);
    if (!table)
        return false;
    out->args = table;
    table[out->arg_count++] = *arg;
    task->arg_count++;
    return true;
}

/* ---- regions */

/* Elements that one index of the second axis stands for. */
static uint64_t task_column(const struct workload_buffer *buffer)
{
    uint64_t column = 1;

    for (uint32_t i = 2; i < buffer->dims; i++)
        column *= buffer->shape[i];
    return column;
}

static bool task_read_span(struct workload_reader *reader, const cJSON *entry, const char *key,
                           uint64_t limit, uint64_t span[2])
{
    const cJSON *value = reader_get(entry, key);

    span[0] = 0;
    span[1] = limit;
    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, key);
    bool is_good = reader_span(reader, value, limit, span);
    json_path_leave(&reader->path, level);
    return is_good;
}

/* "range": elements of a buffer without gaps. */
static bool task_read_range(struct workload_reader *reader, const cJSON *entry,
                            const struct workload_buffer *buffer, fgpu_region *region)
{
    uint64_t element = elements[buffer->type].size_bytes, span[2];

    if (reader_get(entry, "rows") || reader_get(entry, "columns"))
        return reader_fail(reader, entry, "\"range\" excludes \"rows\" and \"columns\"");
    if (buffer->dims > 1 && buffer->pitch != buffer->shape[1] * task_column(buffer))
        return reader_fail(reader, entry,
                           "the rows of %s are set apart (pitch %llu): use \"rows\", "
                           "not \"range\"",
                           buffer->name, (unsigned long long)buffer->pitch);
    if (!task_read_span(reader, entry, "range", buffer->size_bytes / element, span))
        return false;
    *region = fgpu_region_span(span[0] * element, (span[1] - span[0]) * element);
    return true;
}

static bool task_read_region(struct workload_reader *reader, const cJSON *entry,
                             const struct workload_buffer *buffer, fgpu_region *region)
{
    uint64_t element = elements[buffer->type].size_bytes, rows[2], columns[2];
    uint64_t pitch = buffer->pitch * element, column = task_column(buffer) * element;
    bool has_columns = reader_get(entry, "columns") != NULL;

    *region = fgpu_region_whole();
    if (reader_get(entry, "range"))
        return task_read_range(reader, entry, buffer, region);
    if (!has_columns && !reader_get(entry, "rows"))
        return true;
    if (buffer->dims < 2)
        return reader_fail(reader, entry, "%s has one axis: use \"range\"", buffer->name);
    if (!task_read_span(reader, entry, "rows", buffer->shape[0], rows) ||
        !task_read_span(reader, entry, "columns", buffer->shape[1], columns))
        return false;
    *region = has_columns
                  ? fgpu_region_rect(rows[0] * pitch + columns[0] * column,
                                     (columns[1] - columns[0]) * column, pitch, rows[1] - rows[0])
                  : fgpu_region_span(rows[0] * pitch, (rows[1] - rows[0]) * pitch);
    return true;
}

/* ---- arguments */

static bool task_read_access(struct workload_reader *reader, const cJSON *value,
                             fgpu_access *access)
{
    static const char *const names[] = {"read", "write", "read-write", "reduce"};
    char text[WORKLOAD_NAME_BYTES];

    if (!reader_text(reader, value, text, sizeof text))
        return false;
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(names[i], text) == 0) {
            *access = (fgpu_access)(FGPU_READ + i);
            return true;
        }
    return reader_fail(reader, value, "want read, write, read-write or reduce");
}

bool reader_buffer_arg(struct workload_reader *reader, const cJSON *value, struct workload_arg *arg)
{
    static const char *const keys[] = {"buffer", "range", "rows", "columns", "access", NULL};
    char text[WORKLOAD_NAME_BYTES];
    const cJSON *name = value;
    bool is_object = cJSON_IsObject(value), is_good = true;

    if (!is_object && !cJSON_IsString(value))
        return reader_fail(reader, value, "want a buffer's name, or an object with \"buffer\"");
    if (is_object && (!reader_keys(reader, value, keys) ||
                      !(name = reader_need(reader, value, "buffer", "a buffer's name"))))
        return false;
    size_t level = reader->path.length;
    if (is_object)
        level = json_path_enter_key(&reader->path, "buffer");
    is_good = reader_text(reader, name, text, sizeof text);
    arg->buffer = is_good ? reader_find_name(&reader->buffer_names, text) : READER_NONE;
    if (is_good && arg->buffer == READER_NONE)
        is_good = reader_fail_unknown(reader, name, "buffer", &reader->buffer_names);
    json_path_leave(&reader->path, level);
    if (!is_good || !is_object)
        return is_good;
    const cJSON *access = reader_get(value, "access");
    if (access) {
        level = json_path_enter_key(&reader->path, "access");
        is_good = task_read_access(reader, access, &arg->access);
        if (is_good && arg->access == FGPU_REDUCE && !reader->out->buffers[arg->buffer].reduce)
            is_good = reader_fail(reader, access, "the buffer %s has no \"reduce\": by what?",
                                  reader->out->buffers[arg->buffer].name);
        json_path_leave(&reader->path, level);
    }
    return is_good &&
           task_read_region(reader, value, &reader->out->buffers[arg->buffer], &arg->region);
}

static bool task_read_scalar(struct workload_reader *reader, const cJSON *value,
                             const struct workload_param *param, struct workload_arg *arg)
{
    unsigned char bytes[TASK_LANES * sizeof(double)];
    uint32_t element = elements[param->type].size_bytes, lane = 0;
    bool is_good = true;

    if (cJSON_IsArray(value) ? (uint32_t)cJSON_GetArraySize(value) != param->lanes
                             : param->lanes != 1)
        return reader_fail(reader, value, "want %u of %s%s", param->lanes,
                           elements[param->type].name, param->lanes > 1 ? " in a list" : "");
    const cJSON *item = cJSON_IsArray(value) ? value->child : value;
    for (; lane < param->lanes && is_good; lane++, item = item->next) {
        double number = 0.0;
        size_t level =
            cJSON_IsArray(value) ? json_path_enter_item(&reader->path, lane) : reader->path.length;
        is_good = reader_number(reader, item, &number) &&
                  (element_fits(param->type, number) ||
                   reader_fail(reader, item, "%.10g is no %s", number, elements[param->type].name));
        if (is_good)
            element_store(param->type, number, bytes + (size_t)lane * element);
        json_path_leave(&reader->path, level);
    }
    arg->size_bytes = (uint64_t)element * param->lanes;
    arg->value = is_good ? reader_keep(reader, bytes, arg->size_bytes) : NULL;
    return arg->value != NULL;
}

static bool task_read_arg(struct workload_reader *reader, const cJSON *value,
                          const struct workload_param *param, struct workload_arg *arg)
{
    *arg = (struct workload_arg){.kind = param->kind, .access = param->access};
    if (param->kind == FGPU_ARG_BUFFER)
        return reader_buffer_arg(reader, value, arg);
    if (param->kind == FGPU_ARG_LOCAL)
        return reader_whole(reader, value, 1, TASK_LOCAL_BYTES, &arg->size_bytes);
    return task_read_scalar(reader, value, param, arg);
}

/* Whether two regions of one buffer have a byte in common; where that is not told easily (rows of
 * different pitch): no. */
static bool task_meet(const fgpu_region *a, const fgpu_region *b)
{
    if (a->row_bytes == 0 || b->row_bytes == 0)
        return true;
    uint64_t a_end = a->offset_bytes + (a->rows - 1) * a->pitch_bytes + a->row_bytes;
    uint64_t b_end = b->offset_bytes + (b->rows - 1) * b->pitch_bytes + b->row_bytes;
    if (a_end <= b->offset_bytes || b_end <= a->offset_bytes)
        return false;
    if (a->rows == 1 && b->rows == 1)
        return true;
    if (a->rows == 1 || b->rows == 1 || a->pitch_bytes != b->pitch_bytes)
        return false;
    uint64_t a_column = a->offset_bytes % a->pitch_bytes,
             b_column = b->offset_bytes % b->pitch_bytes;
    return a_column < b_column + b->row_bytes && b_column < a_column + a->row_bytes;
}

/* A range that a task writes must not be accessed by it elsewhere. */
static bool task_check_overlap(struct workload_reader *reader, const struct workload_kernel *kernel,
                               const struct workload_arg *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (args[i].kind == FGPU_ARG_BUFFER && args[j].kind == FGPU_ARG_BUFFER &&
                args[i].buffer == args[j].buffer &&
                ((args[i].access | args[j].access) & (FGPU_WRITE | FGPU_REDUCE)) &&
                task_meet(&args[i].region, &args[j].region))
                return reader_fail(reader, NULL,
                                   "%s and %s overlap in the buffer %s, and one of them is written",
                                   kernel->params[j].name, kernel->params[i].name,
                                   reader->out->buffers[args[i].buffer].name);
    return true;
}

static bool task_read_args(struct workload_reader *reader, const cJSON *args,
                           const struct workload_kernel *kernel, struct workload_task *task)
{
    const char *keys[CLI_WORKLOAD_ARGS_LIMIT + 1] = {0};
    struct workload_arg list[CLI_WORKLOAD_ARGS_LIMIT];
    uint64_t scalars = 0;

    for (uint32_t i = 0; i < kernel->param_count; i++)
        keys[i] = kernel->params[i].name;
    if (kernel->param_count == 0)
        return cJSON_IsObject(args) && !args->child
                   ? true
                   : reader_fail(reader, args, "the kernel takes no arguments: want {}");
    if (!reader_keys(reader, args, keys))
        return false;
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const cJSON *value = reader_need(reader, args, keys[i], "an argument for it");
        if (!value)
            return false;
        size_t level = json_path_enter_key(&reader->path, keys[i]);
        bool is_good = task_read_arg(reader, value, &kernel->params[i], &list[i]);
        json_path_leave(&reader->path, level);
        if (!is_good)
            return false;
        scalars += list[i].kind == FGPU_ARG_SCALAR ? list[i].size_bytes : 0;
    }
    if (scalars > TASK_SCALARS_BYTES)
        return reader_fail(reader, args, "its scalars have %llu bytes; %u are possible",
                           (unsigned long long)scalars, TASK_SCALARS_BYTES);
    if (!task_check_overlap(reader, kernel, list, kernel->param_count))
        return false;
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (!reader_add_arg(reader, task, &list[i]))
            return false;
    return true;
}

/* ---- grid, priority, after */

static bool task_read_grid(struct workload_reader *reader, const cJSON *entry,
                           struct workload_task *task)
{
    static const uint64_t limits[2] = {1, UINT64_C(1) << 40}, groups[2] = {1, UINT64_C(1) << 20};
    const cJSON *grid = reader_need(reader, entry, "grid", "the number of work items: N or [X, Y]");
    const cJSON *local = reader_get(entry, "local");
    uint64_t total = 1, group[3] = {0, 0, 0};
    uint32_t dims = 0;

    if (!grid)
        return false;
    size_t level = json_path_enter_key(&reader->path, "grid");
    bool is_good = reader_wholes(reader, grid, 3, limits, task->global, &task->dims);
    for (uint32_t i = 0; i < task->dims && is_good; i++)
        if (__builtin_mul_overflow(total, task->global[i], &total))
            is_good = reader_fail(reader, grid, "that is 2^64 work items or more");
    json_path_leave(&reader->path, level);
    if (!is_good || !local)
        return is_good;
    level = json_path_enter_key(&reader->path, "local");
    is_good = reader_wholes(reader, local, 3, groups, group, &dims) &&
              (dims == task->dims ||
               reader_fail(reader, local, "it has %u axes, \"grid\" has %u", dims, task->dims));
    for (uint32_t i = 0; i < dims && is_good; i++) {
        task->local[i] = (uint32_t)group[i];
        if (task->global[i] % group[i] != 0)
            is_good =
                reader_fail(reader, local, "%llu does not divide the grid's %llu",
                            (unsigned long long)group[i], (unsigned long long)task->global[i]);
    }
    json_path_leave(&reader->path, level);
    return is_good;
}

static bool task_read_priority(struct workload_reader *reader, const cJSON *entry,
                               struct workload_task *task)
{
    const cJSON *value = reader_get(entry, "priority");
    double number = 0.0;

    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, "priority");
    bool is_good = reader_number(reader, value, &number) &&
                   ((element_fits(ELEMENT_INT16, number) && number >= -TASK_PRIORITY &&
                     number <= TASK_PRIORITY) ||
                    reader_fail(reader, value, "want a whole number from -1000 to 1000"));
    task->priority = is_good ? (int32_t)number : 0;
    json_path_leave(&reader->path, level);
    return is_good;
}

/* [in] item: which of the list. */
static bool task_add_after(struct workload_reader *reader, const cJSON *value, uint32_t entry,
                           uint32_t item)
{
    struct reader_after *table =
        reader_grow(reader, reader->after, reader->after_count, sizeof *table);
    char name[WORKLOAD_NAME_BYTES];

    if (!table)
        return false;
    reader->after = table;
    if (reader->after_count == CLI_WORKLOAD_ARGS_TOTAL_LIMIT)
        return reader_fail(reader, value, "at most %u of these in all tasks are possible",
                           CLI_WORKLOAD_ARGS_TOTAL_LIMIT);
    if (!reader_text(reader, value, name, sizeof name))
        return false;
    const char *kept = reader_keep(reader, name, strlen(name) + 1);
    table[reader->after_count++] =
        (struct reader_after){reader->out->task_count, entry, item, kept};
    return kept != NULL;
}

static bool task_read_after(struct workload_reader *reader, const cJSON *entry, uint32_t index)
{
    const cJSON *value = reader_get(entry, "after"), *item;
    uint32_t count = 0;
    bool is_good = true;

    if (!value)
        return true;
    size_t outer = json_path_enter_key(&reader->path, "after");
    if (!cJSON_IsArray(value))
        is_good = task_add_after(reader, value, index, READER_NONE);
    else if (cJSON_GetArraySize(value) > CLI_WORKLOAD_AFTER_LIMIT)
        is_good = reader_fail(reader, value, "a task comes after at most %d others",
                              CLI_WORKLOAD_AFTER_LIMIT);
    else
        cJSON_ArrayForEach(item, value)
        {
            size_t level = json_path_enter_item(&reader->path, count);
            is_good = is_good && task_add_after(reader, item, index, count);
            json_path_leave(&reader->path, level);
            count++;
        }
    json_path_leave(&reader->path, outer);
    return is_good;
}

static bool task_read_name(struct workload_reader *reader, const cJSON *entry,
                           struct workload_task *task)
{
    const cJSON *value = reader_get(entry, "name");

    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, "name");
    bool is_good =
        reader_text(reader, value, task->name, sizeof task->name) &&
        reader_add_name(reader, &reader->task_names, task->name, reader->out->task_count, "task");
    json_path_leave(&reader->path, level);
    return is_good;
}

static bool task_read_kernel(struct workload_reader *reader, const cJSON *entry,
                             struct workload_task *task)
{
    const cJSON *value = reader_need(reader, entry, "kernel", "a kernel's name");
    char name[WORKLOAD_NAME_BYTES];

    if (!value)
        return false;
    size_t level = json_path_enter_key(&reader->path, "kernel");
    bool is_good = reader_text(reader, value, name, sizeof name);
    task->kernel = is_good ? reader_find_name(&reader->kernel_names, name) : READER_NONE;
    if (is_good && task->kernel == READER_NONE)
        is_good = reader_fail_unknown(reader, value, "kernel", &reader->kernel_names);
    json_path_leave(&reader->path, level);
    return is_good;
}

static bool task_read_launch(struct workload_reader *reader, const cJSON *entry,
                             struct workload_task *task)
{
    const struct workload_kernel *kernel = &reader->out->kernels[task->kernel];

    if (kernel->filter)
        return reader_read_filter_task(reader, entry, task);
    const cJSON *args = reader_need(reader, entry, "args", "an argument for each parameter");
    if (!args || !task_read_grid(reader, entry, task))
        return false;
    size_t level = json_path_enter_key(&reader->path, "args");
    bool is_good = task_read_args(reader, args, kernel, task);
    json_path_leave(&reader->path, level);
    return is_good;
}

bool reader_read_task(struct workload_reader *reader, const cJSON *entry, const char *key)
{
    static const char *const keys[] = {"name",     "kernel", "args",   "grid",      "local",
                                       "priority", "after",  "repeat", "divisible", NULL};
    struct workload *out = reader->out;
    struct workload_task task = {.arg_first = out->arg_count};
    uint32_t index = 0;

    for (; *key; key++) /* the entry's place in the list */
        index = index * 10 + (uint32_t)(*key - '0');
    if (out->task_count == CLI_WORKLOAD_TASKS_LIMIT)
        return reader_fail(reader, entry, "at most %u tasks are possible",
                           CLI_WORKLOAD_TASKS_LIMIT);
    if (!reader_keys(reader, entry, keys) || !task_read_kernel(reader, entry, &task) ||
        !task_read_name(reader, entry, &task) || !task_read_launch(reader, entry, &task) ||
        !reader_read_cuts(reader, entry, &task) || !task_read_priority(reader, entry, &task) ||
        !task_read_after(reader, entry, index))
        return false;
    task.place = reader_kept_place(reader);
    struct workload_task *table =
        task.place ? reader_grow(reader, out->tasks, out->task_count, sizeof *table) : NULL;
    if (!table)
        return false;
    out->tasks = table;
    table[out->task_count++] = task;
    return true;
}
