/* $.constants, and the values that the user gives them from outside (NAME=VALUE). */
#include "cli/workload/workload_reader.h"

#include <stdio.h>
#include <string.h>

#include "cli/common/nearest.h"

/* Whether NAME=VALUE is for that constant. [out] value: behind the sign. */
static bool constant_is_set(const char *set, const char *name, const char **value)
{
    size_t length = strlen(name);

    *value = set + length + 1;
    return strncmp(set, name, length) == 0 && set[length] == '=';
}

/* The next NAME=VALUE of that constant from number *at on; NULL: none. */
static const char *constant_next_set(const struct workload_reader *reader, const char *name,
                                     uint32_t *at)
{
    const char *value;

    while (*at < reader->options->set_count)
        if (constant_is_set(reader->options->sets[(*at)++], name, &value))
            return value;
    return NULL;
}

/* Notes that a mistake is one of the words that were given, not of the file. Returns false. */
static bool constant_blame_set(struct workload_reader *reader)
{
    reader->out->is_set_wrong = true;
    return false;
}

/* A value that was given from outside, of the kind that stands in the file: a text as it is, or an
 * expression for a number. */
static bool constant_take(struct workload_reader *reader, const cJSON *entry, const char *name,
                          const char *given, struct expression_value *value)
{
    char why[160];

    if (!cJSON_IsNumber(entry)) {
        value->text = reader_keep(reader, given, strlen(given) + 1);
        return value->text != NULL;
    }
    if (expression_number(given, &reader->names, &value->number, why, sizeof why))
        return true;
    (void)reader_fail(reader, entry, "%.40s=%.60s: this is no expression for a number: %s", name,
                      given, why);
    return constant_blame_set(reader);
}

/* A number or a text as it stands in the file. */
static bool constant_read_one(struct workload_reader *reader, const cJSON *entry,
                              struct expression_value *value)
{
    if (cJSON_IsNumber(entry))
        return reader_number(reader, entry, &value->number);
    if (!cJSON_IsString(entry))
        return reader_fail(reader, entry, "a number, a text or a list of these is wanted");
    value->text = reader_kept_text(reader, entry, false);
    return value->text != NULL;
}

static bool constant_read_list(struct workload_reader *reader, const cJSON *entry,
                               struct expression_value *list)
{
    const cJSON *item;
    size_t index = 0;
    bool is_good = true;

    list->count = (uint32_t)cJSON_GetArraySize(entry);
    if (list->count == 0)
        return reader_fail(reader, entry, "want at least one value");
    struct expression_value *items = reader_keep(reader, NULL, list->count * sizeof *items);
    list->items = items;
    if (!items)
        return false;
    cJSON_ArrayForEach(item, entry)
    {
        size_t level = json_path_enter_item(&reader->path, index);
        is_good = is_good && constant_read_one(reader, item, &items[index]);
        json_path_leave(&reader->path, level);
        index++;
    }
    return is_good;
}

/* A list of what was given from outside; it is as long as that is. */
static bool constant_take_list(struct workload_reader *reader, const cJSON *entry, const char *name,
                               struct expression_value *list)
{
    const char *given;
    uint32_t at = 0, count = 0;

    for (list->count = 0; constant_next_set(reader, name, &at);)
        list->count++;
    struct expression_value *items = reader_keep(reader, NULL, list->count * sizeof *items);
    list->items = items;
    for (at = 0; items && (given = constant_next_set(reader, name, &at)) != NULL;)
        if (!constant_take(reader, entry->child, name, given, &items[count++]))
            return false;
    return items != NULL;
}

static bool constant_read(struct workload_reader *reader, const cJSON *entry,
                          struct expression_value *value)
{
    uint32_t at = 0;
    const char *given = constant_next_set(reader, entry->string, &at);

    if (cJSON_IsArray(entry))
        return constant_read_list(reader, entry, value) &&
               (!given || constant_take_list(reader, entry, entry->string, value));
    if (!constant_read_one(reader, entry, value))
        return false;
    if (!given)
        return true;
    if (constant_next_set(reader, entry->string, &at)) {
        (void)reader_fail(reader, entry, "%.40s is given twice; it is no list", entry->string);
        return constant_blame_set(reader);
    }
    return constant_take(reader, entry, entry->string, given, value);
}

/* What is given from outside must be a constant of the file. */
static void constant_check_sets(struct workload_reader *reader)
{
    for (uint32_t i = 0; i < reader->options->set_count; i++) {
        const char *set = reader->options->sets[i], *value;
        struct nearest nearest;
        char name[WORKLOAD_NAME_BYTES];
        bool is_known = false;
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(set, "="), set);
        nearest_init(&nearest, name);
        for (uint32_t n = 0; n < reader->constant_count; n++) {
            is_known |= constant_is_set(set, reader->variables[n].name, &value);
            nearest_try(&nearest, reader->variables[n].name);
        }
        const char *found = nearest_found(&nearest);
        if (!is_known)
            (void)constant_blame_set(reader);
        if (!is_known && !strchr(set, '='))
            (void)reader_fail(reader, NULL, "%.60s: want NAME=VALUE", set);
        else if (!is_known)
            (void)reader_fail(reader, NULL, "%.60s: there is no constant %s%s%s", set, name,
                              found ? "; the nearest is " : "", found ? found : "");
    }
}

void reader_read_constants(struct workload_reader *reader, const cJSON *constants)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, constants)
    {
        struct reader_variable variable = {.name = entry->string};
        size_t level = json_path_enter_key(&reader->path, entry->string);
        bool is_good = reader->variable_count < CLI_WORKLOAD_CONSTANTS_LIMIT ||
                       reader_fail(reader, entry, "at most %d constants are possible",
                                   CLI_WORKLOAD_CONSTANTS_LIMIT);
        is_good = is_good && constant_read(reader, entry, &variable.value) &&
                  reader_add_variable(reader, entry, &variable);
        json_path_leave(&reader->path, level);
        reader->constant_count = reader->variable_count;
        if (!is_good)
            return;
    }
    constant_check_sets(reader);
}
