/* Variables: those of a repetition, and what names mean: variables, constants, and the figures of
 * buffers and lists ("photo.width", "photos.count"). */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <string.h>

#include "cli/common/nearest.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"

/* Value number `index` of a variable: an item of a list that stands there, one of a constant list,
 * the one that is calculated, or the index itself. */
struct repeat_axis {
    const cJSON *value;                   /* as it stands in the file */
    const cJSON *item;                    /* of the list that stands there, the current one */
    const struct expression_value *items; /* of the constant list */
    struct expression_value calculated;   /* what `items` leads to where there is one */
    uint64_t count, index;
};

/* A repetition; later axes may depend on the variables of earlier ones. */
struct repeat {
    struct repeat_axis axes[CLI_WORKLOAD_REPEAT_LIMIT];
    uint32_t count;
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

static const struct reader_variable *repeat_find_variable(const struct workload_reader *reader,
                                                          const char *name, size_t length)
{
    for (uint32_t i = 0; i < reader->variable_count; i++) {
        const struct reader_variable *variable = &reader->variables[i];
        if (strncmp(variable->name, name, length) == 0 && variable->name[length] == '\0')
            return variable;
    }
    return NULL;
}

/* "photos.count", where photos is a list. */
static bool repeat_find_count(const struct reader_variable *list, const char *dot,
                              struct expression_value *value, char *why, size_t why_bytes)
{
    value->number = list->value.count;
    if (strcmp(dot, ".count") == 0)
        return true;
    (void)why_fail(FGPU_E_NOTFOUND, why, why_bytes, "%.64s is a list, whose one figure is count",
                   list->name);
    return false;
}

/* What a name in an expression means. */
static bool repeat_find(void *user, const char *name, struct expression_value *value, char *why,
                        size_t why_bytes)
{
    struct workload_reader *reader = user;
    const char *dot = strchr(name, '.');
    struct nearest nearest;

    const struct reader_variable *variable =
        repeat_find_variable(reader, name, dot ? (size_t)(dot - name) : strlen(name));
    if (dot && variable && variable->value.items)
        return repeat_find_count(variable, dot, value, why, why_bytes);
    if (dot)
        return repeat_find_figure(reader, name, dot, value, why, why_bytes);
    if (variable) {
        *value = variable->value;
        return true;
    }
    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < reader->variable_count; i++)
        nearest_try(&nearest, reader->variables[i].name);
    const char *found = nearest_found(&nearest);
    (void)why_fail(FGPU_E_NOTFOUND, why, why_bytes, "nothing is called \"%.40s\" here%s%s", name,
                   found ? "; the nearest is " : "", found ? found : "");
    return false;
}

void reader_init_names(struct workload_reader *reader)
{
    reader->names = (struct expression_names){repeat_find, reader};
}

bool reader_add_variable(struct workload_reader *reader, const cJSON *value,
                         const struct reader_variable *variable)
{
    if (!reader_check_name(reader, value, variable->name))
        return false;
    if (repeat_find_variable(reader, variable->name, strlen(variable->name)))
        return reader_fail(reader, value, "%s has a value already; use another name",
                           variable->name);
    reader->variables[reader->variable_count++] = *variable;
    return true;
}

static bool repeat_check_items(struct workload_reader *reader, const cJSON *list)
{
    const cJSON *item;
    size_t index = 0;

    if (!list->child)
        return reader_fail(reader, list, "want at least one value");
    cJSON_ArrayForEach(item, list)
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

/* {"is": a number}: one value. */
static bool repeat_calculate(struct workload_reader *reader, const cJSON *value,
                             struct repeat_axis *axis)
{
    static const char *const keys[] = {"is", NULL};
    const cJSON *number;

    if (!reader_keys(reader, value, keys) ||
        !(number = reader_need(reader, value, "is", "a number")))
        return false;
    size_t level = json_path_enter_key(&reader->path, "is");
    bool is_good = reader_number(reader, number, &axis->calculated.number);
    json_path_leave(&reader->path, level);
    axis->items = &axis->calculated;
    axis->count = 1;
    return is_good;
}

/* One variable of "repeat": a list, the name of a constant list, a number, or {"is": a number}. */
static bool repeat_read_axis(struct workload_reader *reader, const cJSON *value,
                             struct repeat_axis *axis)
{
    const char *name = cJSON_GetStringValue(value);
    const struct reader_variable *list =
        name ? repeat_find_variable(reader, name, strlen(name)) : NULL;

    *axis = (struct repeat_axis){.value = value};
    if (list && list->value.items) {
        axis->items = list->value.items;
        axis->count = list->value.count;
        return true;
    }
    if (cJSON_IsObject(value))
        return repeat_calculate(reader, value, axis);
    if (!cJSON_IsArray(value))
        return reader_whole(reader, value, 1, CLI_WORKLOAD_TASKS_LIMIT, &axis->count);
    axis->item = value->child;
    axis->count = (uint64_t)cJSON_GetArraySize(value);
    return repeat_check_items(reader, value);
}

/* Gives variable number `index` of the repetition the axis' current value. */
static void repeat_set(struct workload_reader *reader, const struct repeat *repeat, uint32_t index)
{
    const struct repeat_axis *axis = &repeat->axes[index];
    struct expression_value *value = &reader->variables[reader->constant_count + index].value;

    if (axis->items) {
        *value = axis->items[axis->index];
        return;
    }
    *value = (struct expression_value){.number = (double)axis->index};
    if (axis->item)
        *value = (struct expression_value){.text = cJSON_GetStringValue(axis->item),
                                           .number = axis->item->valuedouble};
}

/* Reads axes `first` and behind at the current values of those before, from their first value on.
 */
static bool repeat_open(struct workload_reader *reader, struct repeat *repeat, uint32_t first)
{
    bool is_good = true;

    reader->variable_count = reader->constant_count + first;
    for (uint32_t i = first; i < repeat->count && is_good; i++) {
        const cJSON *value = repeat->axes[i].value;
        const struct reader_variable variable = {.name = value->string};
        size_t level = json_path_enter_key(&reader->path, value->string);
        is_good = repeat_read_axis(reader, value, &repeat->axes[i]) &&
                  reader_add_variable(reader, value, &variable);
        json_path_leave(&reader->path, level);
        if (is_good)
            repeat_set(reader, repeat, i);
    }
    return is_good;
}

/* Goes to the next combination. [out] is_over: there is none. */
static bool repeat_step(struct workload_reader *reader, struct repeat *repeat, bool *is_over)
{
    uint32_t at = repeat->count;

    *is_over = false;
    while (at > 0) {
        struct repeat_axis *axis = &repeat->axes[--at];
        if (axis->item)
            axis->item = axis->item->next;
        if (++axis->index < axis->count) {
            repeat_set(reader, repeat, at);
            return repeat_open(reader, repeat, at + 1);
        }
    }
    *is_over = true;
    return true;
}

/* Reads "repeat". */
static bool repeat_read(struct workload_reader *reader, const cJSON *object, struct repeat *repeat)
{
    const cJSON *value;
    uint64_t total = 1;

    repeat->count = 0;
    if (!cJSON_IsObject(object) || !object->child ||
        cJSON_GetArraySize(object) > CLI_WORKLOAD_REPEAT_LIMIT)
        return reader_fail(reader, object,
                           "want an object of 1 to %d variables: {\"i\": [1, 2, 3]} or {\"i\": 3}",
                           CLI_WORKLOAD_REPEAT_LIMIT);
    cJSON_ArrayForEach(value, object)
    {
        repeat->axes[repeat->count++].value = value;
    }
    if (!repeat_open(reader, repeat, 0))
        return false;
    for (uint32_t i = 0; i < repeat->count; i++) {
        total *= repeat->axes[i].count; /* at most 2^20 each time */
        if (total > CLI_WORKLOAD_TASKS_LIMIT) {
            reader->variable_count = reader->constant_count;
            return reader_fail(reader, object, "it repeats %llu times; at most %u is possible",
                               (unsigned long long)total, CLI_WORKLOAD_TASKS_LIMIT);
        }
    }
    return true;
}

static bool repeat_read_one(struct workload_reader *reader, const cJSON *entry, const char *key,
                            reader_body body)
{
    if (stopping_is_wanted())
        return reader_fail(reader, NULL, "stopped while it was read");
    return body(reader, entry, key);
}

/* Calls `body` for all combinations. */
static bool repeat_run(struct workload_reader *reader, struct repeat *repeat, const cJSON *entry,
                       const char *key, reader_body body)
{
    bool is_over = false, is_good = true;

    for (uint32_t total = 1; is_good && !is_over; total++) {
        is_good = repeat_read_one(reader, entry, key, body);
        size_t level = json_path_enter_key(&reader->path, "repeat");
        if (is_good && total > CLI_WORKLOAD_TASKS_LIMIT)
            is_good = reader_fail(reader, reader_get(entry, "repeat"),
                                  "it repeats more than %u times", CLI_WORKLOAD_TASKS_LIMIT);
        is_good = is_good && repeat_step(reader, repeat, &is_over);
        json_path_leave(&reader->path, level);
    }
    return is_good;
}

bool reader_repeat(struct workload_reader *reader, const cJSON *entry, const char *key,
                   reader_body body)
{
    const cJSON *object = reader_get(entry, "repeat");
    struct repeat repeat;

    if (!object)
        return repeat_read_one(reader, entry, key, body);
    size_t level = json_path_enter_key(&reader->path, "repeat");
    bool is_good = repeat_read(reader, object, &repeat);
    json_path_leave(&reader->path, level);
    is_good = is_good && repeat_run(reader, &repeat, entry, key, body);
    reader->variable_count = reader->constant_count;
    return is_good;
}
