/* What the readers of task graphs share: see sim_reader.h. */
#include "cli/sim/sim_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"
#include "cli/common/why.h"

/* A value as JSON, cut to fit; lists and objects are only called so. */
static void sim_reader_show(const cJSON *value, char *text, size_t bytes)
{
    char *json = NULL;

    text[0] = '\0';
    if (cJSON_IsObject(value))
        (void)snprintf(text, bytes, "an object: ");
    else if (cJSON_IsArray(value))
        (void)snprintf(text, bytes, "a list of %d: ", cJSON_GetArraySize(value));
    else if (value)
        json = cJSON_PrintUnformatted(value);
    if (json && strlen(json) + 3 > bytes)
        (void)snprintf(text, bytes, "%.*s...: ", (int)bytes - 6, json);
    else if (json)
        (void)snprintf(text, bytes, "%s: ", json);
    cJSON_free(json);
}

bool sim_reader_fail(struct sim_reader *reader, const cJSON *value, const char *format, ...)
{
    char text[256], shown[80];
    va_list values;

    if (reader->status != FGPU_OK)
        return false;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    sim_reader_show(value, shown, sizeof shown);
    reader->status = why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes, "%s: %s: %s%s",
                              reader->file, reader->path.text, shown, text);
    return false;
}

bool sim_reader_no_memory(struct sim_reader *reader)
{
    if (reader->status == FGPU_OK)
        reader->status =
            why_fail(FGPU_E_NOMEM, reader->why, reader->why_bytes, "%s: no memory", reader->file);
    return false;
}

const cJSON *sim_reader_get(const cJSON *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

bool sim_reader_keys(struct sim_reader *reader, const cJSON *object, const char *const *keys)
{
    const cJSON *child;

    if (!cJSON_IsObject(object))
        return sim_reader_fail(reader, object, "want an object");
    cJSON_ArrayForEach(child, object)
    {
        struct nearest nearest;
        uint32_t i = 0;
        nearest_init(&nearest, child->string);
        for (; keys[i] && strcmp(keys[i], child->string) != 0; i++)
            nearest_try(&nearest, keys[i]);
        if (keys[i])
            continue;
        (void)json_path_enter_key(&reader->path, child->string);
        const char *found = nearest_found(&nearest);
        return sim_reader_fail(reader, NULL, "there is no such key%s%s",
                               found ? "; the nearest is " : "", found ? found : "");
    }
    return true;
}

bool sim_reader_real(struct sim_reader *reader, const cJSON *value, double low, double high,
                     double *number)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= low && value->valuedouble <= high))
        return sim_reader_fail(reader, value, "want a number from %.15g to %.15g", low, high);
    *number = value->valuedouble;
    return true;
}

bool sim_reader_whole(struct sim_reader *reader, const cJSON *value, uint64_t low, uint64_t high,
                      uint64_t *number)
{
    if (!cJSON_IsNumber(value) || value->valuedouble != floor(value->valuedouble) ||
        !(value->valuedouble >= (double)low && value->valuedouble <= (double)high))
        return sim_reader_fail(reader, value, "want a whole number from %llu to %llu",
                               (unsigned long long)low, (unsigned long long)high);
    *number = (uint64_t)value->valuedouble;
    return true;
}

bool sim_reader_real_of(struct sim_reader *reader, const cJSON *object, const char *key,
                        double high, double *number)
{
    const cJSON *value = sim_reader_get(object, key);
    size_t level = json_path_enter_key(&reader->path, key);

    if (value && !sim_reader_real(reader, value, 0, high, number))
        return false;
    json_path_leave(&reader->path, level);
    return true;
}

bool sim_reader_whole_of(struct sim_reader *reader, const cJSON *object, const char *key,
                         const uint64_t limits[2], uint64_t *number)
{
    const cJSON *value = sim_reader_get(object, key);
    size_t level = json_path_enter_key(&reader->path, key);

    if (value && !sim_reader_whole(reader, value, limits[0], limits[1], number))
        return false;
    json_path_leave(&reader->path, level);
    return true;
}

const char *sim_reader_text(struct sim_reader *reader, const cJSON *value)
{
    if (cJSON_IsString(value) && value->valuestring[0] &&
        strlen(value->valuestring) < SIM_NAME_BYTES)
        return value->valuestring;
    (void)sim_reader_fail(reader, value, "want a text of 1 to %d bytes", SIM_NAME_BYTES - 1);
    return NULL;
}

/* The known name that was probably meant; NULL. */
static const char *sim_reader_nearest(const struct sim_names *names, const char *name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < names->room; i++)
        if (names->entries[i].name)
            nearest_try(&nearest, names->entries[i].name);
    return nearest_found(&nearest);
}

bool sim_reader_ref(struct sim_reader *reader, const cJSON *value, const struct sim_names *names,
                    uint32_t count, const char *what, uint32_t *number)
{
    if (cJSON_IsString(value)) {
        *number = sim_names_find(names, value->valuestring);
        if (*number != SIM_NAMES_NONE)
            return true;
        const char *near = sim_reader_nearest(names, value->valuestring);
        return sim_reader_fail(reader, value, "there is no %s of this name%s%s%s", what,
                               near ? "; the nearest is \"" : "", near ? near : "",
                               near ? "\"" : "");
    }
    if (!cJSON_IsNumber(value) || value->valuedouble != floor(value->valuedouble) ||
        !(value->valuedouble >= 0 && value->valuedouble < count))
        return sim_reader_fail(reader, value, "want the name of a %s, or its number below %u", what,
                               count);
    *number = (uint32_t)value->valuedouble;
    return true;
}
