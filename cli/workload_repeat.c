/* Variables: constants, those of a repetition, and the figures of buffers ("photo.width"). */
#include "workload_reader.h"

#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "why.h"

/* Value number `index` of a variable: an item of its list, or the index itself. */
struct repeat_axis {
    const cJSON *values; /* NULL: counted */
    const cJSON *item;   /* of the list, the current one */
    uint64_t count, index;
};

struct repeat_figure {
    const char *name;
    bool is_picture; /* pictures alone have it */
    uint32_t dims;   /* at least so many axes */
};

static const struct repeat_figure repeat_figures[] = {
    {"width", true, 3},    {"height", true, 3}, {"channels", true, 3}, {"rows", false, 1},
    {"columns", false, 2}, {"count", false, 1}, {"pitch", false, 1},   {"bytes", false, 1},
};

#define REPEAT_FIGURES (sizeof repeat_figures / sizeof repeat_figures[0])

static double repeat_figure(const struct workload_buffer *buffer, uint32_t figure)
{
    double count = 1.0;

    for (uint32_t i = 0; i < buffer->dims; i++)
        count *= (double)buffer->shape[i];
    const double values[REPEAT_FIGURES] = {
        (double)buffer->shape[1], (double)buffer->shape[0],   (double)buffer->shape[2],
        (double)buffer->shape[0], (double)buffer->shape[1],   count,
        (double)buffer->pitch,    (double)buffer->size_bytes,
    };
    return values[figure];
}

/* [in] dot: in `name`, between the buffer and its figure. */
static bool repeat_find_figure(struct workload_reader *reader, const char *name, const char *dot,
                               struct expression_value *value, char *why, size_t why_bytes)
{
    char buffer_name[CLI_EXPRESSION_BYTES];

    (void)snprintf(buffer_name, sizeof buffer_name, "%.*s", (int)(dot - name), name);
    uint32_t number = reader_find_name(&reader->buffer_names, buffer_name);
    if (number == READER_NONE) {
        (void)why_fail(FGPU_E_NOTFOUND, why, why_bytes, "there is no buffer %.64s before this",
                       buffer_name);
        return false;
    }
    const struct workload_buffer *buffer = &reader->out->buffers[number];
    for (uint32_t i = 0; i < REPEAT_FIGURES; i++) {
        const struct repeat_figure *figure = &repeat_figures[i];
        if (strcmp(figure->name, dot + 1) == 0 && figure->dims <= buffer->dims &&
            (!figure->is_picture || buffer->is_picture)) {
            value->number = repeat_figure(buffer, i);
            return true;
        }
    }
    (void)why_fail(FGPU_E_NOTFOUND, why, why_bytes,
                   "%.64s has no figure \"%.20s\"; it has %srows, columns (of two axes), count, "
                   "pitch and bytes",
                   buffer_name, dot + 1, buffer->is_picture ? "width, height, channels, " : "");
    return false;
}

/* What a name in an expression means. */
static bool repeat_find(void *user, const char *name, struct expression_value *value, char *why,
                        size_t why_bytes)
{
    struct workload_reader *reader = user;
    const char *dot = strchr(name, '.');
    struct nearest nearest;

    if (dot)
        return repeat_find_figure(reader, name, dot, value, why, why_bytes);
    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < reader->variable_count; i++) {
        if (strcmp(reader->variables[i].name, name) == 0) {
            *value = reader->variables[i].value;
            return true;
        }
        nearest_try(&nearest, reader->variables[i].name);
    }
    const char *found = nearest_found(&nearest);
    (void)why_fail(FGPU_E_NOTFOUND, why, why_bytes, "nothing is called \"%.40s\" here%s%s", name,
                   found ? "; the nearest is " : "", found ? found : "");
    return false;
}

static bool repeat_add_variable(struct workload_reader *reader, const cJSON *value,
                                const struct reader_variable *variable)
{
    if (!reader_check_name(reader, value, variable->name))
        return false;
    for (uint32_t i = 0; i < reader->variable_count; i++)
        if (strcmp(reader->variables[i].name, variable->name) == 0)
            return reader_fail(reader, value, "%s has a value already; use another name",
                               variable->name);
    reader->variables[reader->variable_count++] = *variable;
    return true;
}

void reader_read_constants(struct workload_reader *reader, const cJSON *constants)
{
    const cJSON *entry;

    reader->names = (struct expression_names){repeat_find, reader};
    cJSON_ArrayForEach(entry, constants)
    {
        struct reader_variable variable = {.name = entry->string};
        size_t level = json_path_enter_key(&reader->path, entry->string);
        bool is_good = true;
        if (reader->variable_count == CLI_WORKLOAD_CONSTANTS_LIMIT)
            is_good = reader_fail(reader, entry, "at most %d constants are possible",
                                  CLI_WORKLOAD_CONSTANTS_LIMIT);
        else if (cJSON_IsNumber(entry))
            is_good = reader_number(reader, entry, &variable.value.number);
        else
            is_good = (variable.value.text = reader_kept_text(reader, entry, false)) != NULL;
        is_good = is_good && repeat_add_variable(reader, entry, &variable);
        json_path_leave(&reader->path, level);
        reader->constant_count = reader->variable_count;
        if (!is_good)
            return;
    }
}

/* One variable of "repeat". */
static bool repeat_read_axis(struct workload_reader *reader, const cJSON *value,
                             struct repeat_axis *axis)
{
    const cJSON *item;
    size_t index = 0;

    *axis = (struct repeat_axis){0};
    if (!cJSON_IsArray(value))
        return reader_whole(reader, value, 1, CLI_WORKLOAD_TASKS_LIMIT, &axis->count);
    axis->values = value;
    axis->item = value->child;
    axis->count = (uint64_t)cJSON_GetArraySize(value);
    if (axis->count == 0)
        return reader_fail(reader, value, "want at least one value");
    cJSON_ArrayForEach(item, value)
    {
        size_t level = json_path_enter_item(&reader->path, index++);
        bool is_good = cJSON_IsNumber(item) || cJSON_IsString(item) ||
                       reader_fail(reader, item, "a number or a text is wanted");
        json_path_leave(&reader->path, level);
        if (!is_good)
            return false;
    }
    return true;
}

static void repeat_set(struct workload_reader *reader, const struct repeat_axis *axes)
{
    for (uint32_t i = reader->constant_count; i < reader->variable_count; i++) {
        const struct repeat_axis *axis = &axes[i - reader->constant_count];
        struct expression_value *value = &reader->variables[i].value;
        value->text = axis->values ? cJSON_GetStringValue(axis->item) : NULL;
        value->number =
            axis->values && !value->text ? axis->item->valuedouble : (double)axis->index;
    }
}

/* The next combination; false after the last. */
static bool repeat_step(struct repeat_axis *axes, uint32_t count)
{
    while (count > 0) {
        struct repeat_axis *axis = &axes[--count];
        axis->index++;
        if (axis->values)
            axis->item = axis->item->next;
        if (axis->index < axis->count)
            return true;
        axis->index = 0;
        axis->item = axis->values ? axis->values->child : NULL;
    }
    return false;
}

/* Reads "repeat" into axes and variables. */
static bool repeat_read(struct workload_reader *reader, const cJSON *repeat,
                        struct repeat_axis *axes)
{
    const cJSON *value;
    uint64_t total = 1;
    uint32_t count = 0;
    bool is_good = true;

    if (!cJSON_IsObject(repeat) || !repeat->child ||
        cJSON_GetArraySize(repeat) > CLI_WORKLOAD_REPEAT_LIMIT)
        return reader_fail(reader, repeat,
                           "want an object of 1 to %d variables: {\"i\": [1, 2, 3]} or {\"i\": 3}",
                           CLI_WORKLOAD_REPEAT_LIMIT);
    cJSON_ArrayForEach(value, repeat)
    {
        size_t level = json_path_enter_key(&reader->path, value->string);
        is_good = is_good && repeat_read_axis(reader, value, &axes[count]);
        json_path_leave(&reader->path, level);
        if (!is_good)
            return false;
        total *= axes[count++].count; /* at most 2^20 each time: checked below before the next */
        if (total > CLI_WORKLOAD_TASKS_LIMIT)
            return reader_fail(reader, repeat, "it repeats %llu times; at most %u is possible",
                               (unsigned long long)total, CLI_WORKLOAD_TASKS_LIMIT);
    }
    cJSON_ArrayForEach(value, repeat)
    {
        const struct reader_variable variable = {.name = value->string};
        size_t level = json_path_enter_key(&reader->path, value->string);
        is_good = is_good && repeat_add_variable(reader, value, &variable);
        json_path_leave(&reader->path, level);
    }
    return is_good;
}

bool reader_repeat(struct workload_reader *reader, const cJSON *entry, const char *key,
                   reader_body body)
{
    struct repeat_axis axes[CLI_WORKLOAD_REPEAT_LIMIT];
    const cJSON *repeat = reader_get(entry, "repeat");
    bool is_good = true;

    if (repeat) {
        size_t level = json_path_enter_key(&reader->path, "repeat");
        is_good = repeat_read(reader, repeat, axes);
        json_path_leave(&reader->path, level);
    }
    if (is_good)
        do {
            if (repeat)
                repeat_set(reader, axes);
            is_good = body(reader, entry, key);
        } while (is_good && repeat &&
                 repeat_step(axes, reader->variable_count - reader->constant_count));
    reader->variable_count = reader->constant_count;
    return is_good;
}
