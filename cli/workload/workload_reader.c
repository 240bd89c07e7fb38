/* The workload reader's words: mistakes, memory, numbers, texts and names. See workload_reader.h.
 */
#include "cli/workload/workload_reader.h"

#include <math.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"
#include "cli/common/why.h"

#define READER_EXACT 9007199254740992.0 /* 2^53 */

/* A piece of memory that belongs to the workload. */
struct reader_piece {
    struct reader_piece *next;
    max_align_t bytes[];
};

struct reader_name {
    uint32_t number;
    char text[];
};

/* ---- mistakes */

bool reader_no_memory(struct workload_reader *reader)
{
    reader->is_out_of_memory = true;
    return false;
}

/* A value as JSON, cut to fit; lists and objects are only called so. */
static void reader_show(const cJSON *value, char *text, size_t bytes)
{
    char *json = NULL;

    text[0] = '\0';
    if (cJSON_IsObject(value))
        (void)snprintf(text, bytes, "an object");
    else if (cJSON_IsArray(value))
        (void)snprintf(text, bytes, "a list of %d", cJSON_GetArraySize(value));
    else if (value)
        json = cJSON_PrintUnformatted(value);
    if (!json)
        return;
    (void)why_fail(FGPU_OK, text, bytes, "%s", json);
    if (strlen(json) >= bytes) {
        size_t cut = bytes - 4;
        while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80) /* not inside a character */
            cut--;
        (void)snprintf(text + cut, bytes - cut, "...");
    }
    cJSON_free(json);
}

/* Which repetition it was. */
static void reader_add_where(const struct workload_reader *reader, char *text, size_t bytes)
{
    for (uint32_t i = reader->constant_count; i < reader->variable_count; i++) {
        const struct reader_variable *variable = &reader->variables[i];
        size_t used = strlen(text);
        const char *lead = i == reader->constant_count ? "; this is where" : " and";
        if (variable->value.text)
            (void)snprintf(text + used, bytes - used, "%s %s is \"%s\"", lead, variable->name,
                           variable->value.text);
        else
            (void)snprintf(text + used, bytes - used, "%s %s is %.10g", lead, variable->name,
                           variable->value.number);
    }
}

bool reader_fail(struct workload_reader *reader, const cJSON *value, const char *format, ...)
{
    struct workload *out = reader->out;
    va_list values;

    if (reader->is_out_of_memory || out->mistake_count == CLI_WORKLOAD_MISTAKES_LIMIT)
        return false;
    struct workload_mistake *table =
        reader_grow(reader, out->mistakes, out->mistake_count, sizeof *table);
    if (!table)
        return false;
    out->mistakes = table;
    struct workload_mistake *mistake = &table[out->mistake_count++];
    (void)snprintf(mistake->path, sizeof mistake->path, "%s", reader->path.text);
    reader_show(value, mistake->value, sizeof mistake->value);
    va_start(values, format);
    (void)vsnprintf(mistake->text, sizeof mistake->text, format, values);
    va_end(values);
    reader_add_where(reader, mistake->text, sizeof mistake->text);
    return false;
}

static void reader_try_nearest(const void *node, VISIT visit, void *user)
{
    const struct reader_name *name = *(const struct reader_name *const *)node;

    if (visit == preorder || visit == leaf)
        nearest_try(user, name->text);
}

bool reader_fail_unknown(struct workload_reader *reader, const cJSON *value, const char *what,
                         const struct reader_names *known)
{
    char name[READER_TEXT_BYTES];
    struct nearest nearest;

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    nearest_init(&nearest, name);
    twalk_r(known->root, reader_try_nearest, &nearest);
    if (nearest_found(&nearest))
        return reader_fail(reader, value, "there is no %s %.64s; the nearest is \"%s\"", what, name,
                           nearest_found(&nearest));
    return reader_fail(reader, value, "there is no %s %.64s", what, name);
}

/* ---- memory */

void *reader_keep(struct workload_reader *reader, const void *data, size_t size_bytes)
{
    struct reader_piece *piece = malloc(sizeof *piece + size_bytes);

    if (!piece) {
        reader->is_out_of_memory = true;
        return NULL;
    }
    piece->next = reader->out->kept;
    reader->out->kept = piece;
    if (!data)
        memset(piece->bytes, 0, size_bytes);
    else if (size_bytes > 0)
        memcpy(piece->bytes, data, size_bytes);
    return piece->bytes;
}

/* Tables grow at powers of two. */
void *reader_grow(struct workload_reader *reader, void *table, uint32_t count, size_t record_bytes)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return table;
    void *grown = reallocarray(table, count == 0 ? 1 : (size_t)count * 2, record_bytes);
    if (!grown)
        reader->is_out_of_memory = true;
    return grown;
}

const char *reader_kept_place(struct workload_reader *reader)
{
    char text[JSON_PATH_BYTES + CLI_WHY_BYTES];

    (void)snprintf(text, sizeof text, "%s", reader->path.text);
    for (uint32_t i = reader->constant_count; i < reader->variable_count; i++) {
        const struct reader_variable *variable = &reader->variables[i];
        size_t used = strlen(text);
        if (variable->value.text)
            (void)snprintf(text + used, sizeof text - used, ", %s = \"%.64s\"", variable->name,
                           variable->value.text);
        else
            (void)snprintf(text + used, sizeof text - used, ", %s = %.10g", variable->name,
                           variable->value.number);
    }
    return reader_keep(reader, text, strlen(text) + 1);
}

void workload_fini(struct workload *workload)
{
    if (!workload)
        return;
    for (struct reader_piece *piece = workload->kept; piece;) {
        struct reader_piece *next = piece->next;
        free(piece);
        piece = next;
    }
    free(workload->buffers);
    free(workload->kernels);
    free(workload->tasks);
    free(workload->args);
    free(workload->after);
    free(workload->order);
    free(workload->outputs);
    free(workload->mistakes);
    *workload = (struct workload){0};
}

/* ---- members */

bool reader_keys(struct workload_reader *reader, const cJSON *object, const char *const *keys)
{
    const cJSON *member;

    if (!cJSON_IsObject(object))
        return reader_fail(reader, object, "an object is wanted: { ... }");
    cJSON_ArrayForEach(member, object)
    {
        struct nearest nearest;
        bool is_known = false;
        nearest_init(&nearest, member->string);
        for (uint32_t i = 0; keys[i]; i++) {
            is_known |= strcmp(keys[i], member->string) == 0;
            nearest_try(&nearest, keys[i]);
        }
        if (is_known)
            continue;
        size_t level = json_path_enter_key(&reader->path, member->string);
        const char *found = nearest_found(&nearest);
        (void)reader_fail(reader, member, "there is no such key here; %s \"%s\"",
                          found ? "the nearest is" : "the first of those there are is",
                          found ? found : keys[0]);
        json_path_leave(&reader->path, level);
        return false;
    }
    return true;
}

const cJSON *reader_get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const cJSON *reader_need(struct workload_reader *reader, const cJSON *object, const char *key,
                         const char *right)
{
    const cJSON *value = reader_get(object, key);

    if (!value)
        (void)reader_fail(reader, object, "the key \"%s\" is missing; want %s", key, right);
    return value;
}

/* ---- numbers */

bool reader_number(struct workload_reader *reader, const cJSON *value, double *number)
{
    char text[CLI_EXPRESSION_BYTES], why[160];

    if (cJSON_IsNumber(value)) {
        *number = value->valuedouble;
        return isfinite(*number) || reader_fail(reader, value, "this number is too large");
    }
    if (!cJSON_IsString(value))
        return reader_fail(reader, value, "a number is wanted, or an expression in quotes");
    if (!expression_expand(value->valuestring, &reader->names, text, sizeof text, why,
                           sizeof why) ||
        !expression_number(text, &reader->names, number, why, sizeof why))
        return reader_fail(reader, value, "this is no expression for a number: %s", why);
    return true;
}

bool reader_whole(struct workload_reader *reader, const cJSON *value, uint64_t low, uint64_t high,
                  uint64_t *number)
{
    double real = 0.0;

    if (!reader_number(reader, value, &real))
        return false;
    if (real != floor(real) || real < (double)low || real > (double)high || real > READER_EXACT)
        return reader_fail(reader, value, "that is %.17g; want a whole number from %llu to %llu",
                           real, (unsigned long long)low, (unsigned long long)high);
    *number = (uint64_t)real;
    return true;
}

bool reader_whole_of(struct workload_reader *reader, const cJSON *object, const char *key,
                     const uint64_t limits[2], uint64_t *number)
{
    const cJSON *value = reader_get(object, key);

    if (!value)
        return true;
    size_t level = json_path_enter_key(&reader->path, key);
    bool is_good = reader_whole(reader, value, limits[0], limits[1], number);
    json_path_leave(&reader->path, level);
    return is_good;
}

bool reader_wholes(struct workload_reader *reader, const cJSON *value, uint32_t most,
                   const uint64_t limits[2], uint64_t *numbers, uint32_t *count)
{
    const cJSON *item;
    bool is_good = true;

    *count = 1;
    if (!cJSON_IsArray(value))
        return reader_whole(reader, value, limits[0], limits[1], &numbers[0]);
    uint32_t items = (uint32_t)cJSON_GetArraySize(value);
    if (items < 1 || items > most)
        return reader_fail(reader, value, "want a list of 1 to %u whole numbers", most);
    *count = 0;
    cJSON_ArrayForEach(item, value)
    {
        size_t level = json_path_enter_item(&reader->path, *count);
        is_good = is_good && reader_whole(reader, item, limits[0], limits[1], &numbers[*count]);
        json_path_leave(&reader->path, level);
        (*count)++;
    }
    return is_good;
}

bool reader_span(struct workload_reader *reader, const cJSON *value, uint64_t limit,
                 uint64_t span[2])
{
    uint32_t count = 0;

    if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2)
        return reader_fail(reader, value, "want [begin, end], the end exclusive");
    if (!reader_wholes(reader, value, 2, (const uint64_t[2]){0, limit}, span, &count))
        return false;
    return span[0] < span[1] ||
           reader_fail(reader, value, "it ends at %llu, before anything is in it",
                       (unsigned long long)span[1]);
}

/* ---- texts and names */

bool reader_text(struct workload_reader *reader, const cJSON *value, char *text, size_t bytes)
{
    char why[160];

    if (!cJSON_IsString(value))
        return reader_fail(reader, value, "a text in double quotes is wanted");
    if (!expression_expand(value->valuestring, &reader->names, text, bytes, why, sizeof why))
        return reader_fail(reader, value, "%s", why);
    return text[0] != '\0' || reader_fail(reader, value, "this text must not be empty");
}

const char *reader_kept_text(struct workload_reader *reader, const cJSON *value, bool is_path)
{
    char text[READER_TEXT_BYTES], whole[2 * READER_TEXT_BYTES];

    if (!reader_text(reader, value, text, sizeof text))
        return NULL;
    bool is_relative = is_path && text[0] != '/' && reader->folder[0];
    int length = snprintf(whole, sizeof whole, "%s%s%s", is_relative ? reader->folder : "",
                          is_relative ? "/" : "", text);
    if (length < 0 || (size_t)length >= sizeof whole) {
        (void)reader_fail(reader, value, "this path is too long");
        return NULL;
    }
    return reader_keep(reader, whole, (size_t)length + 1);
}

bool reader_check_name(struct workload_reader *reader, const cJSON *value, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "_0123456789";

    if (name[0] == '\0' || name[0] == '_' || (name[0] >= '0' && name[0] <= '9') ||
        strlen(name) >= WORKLOAD_NAME_BYTES || name[strspn(name, letters)] != '\0')
        return reader_fail(reader, value,
                           "the name %.64s is not possible: a name is a letter, then letters, "
                           "digits and _, at most %d of them",
                           name, WORKLOAD_NAME_BYTES - 1);
    return true;
}

bool reader_key_name(struct workload_reader *reader, const char *key, char *name)
{
    char why[160];

    if (!expression_expand(key, &reader->names, name, WORKLOAD_NAME_BYTES, why, sizeof why))
        return reader_fail(reader, NULL, "this name is not possible: %s", why);
    return reader_check_name(reader, NULL, name);
}

static int reader_compare_names(const void *a, const void *b)
{
    return strcmp(((const struct reader_name *)a)->text, ((const struct reader_name *)b)->text);
}

static struct reader_name *reader_new_name(const char *text, uint32_t number)
{
    size_t bytes = strlen(text) + 1;
    struct reader_name *name = malloc(sizeof *name + bytes);

    if (name) {
        name->number = number;
        memcpy(name->text, text, bytes);
    }
    return name;
}

uint32_t reader_find_name(const struct reader_names *names, const char *name)
{
    struct reader_name *key = reader_new_name(name, 0);
    struct reader_name *const *found = key ? tfind(key, &names->root, reader_compare_names) : NULL;
    uint32_t number = found ? (*found)->number : READER_NONE;

    free(key);
    return number;
}

bool reader_add_name(struct workload_reader *reader, struct reader_names *names, const char *name,
                     uint32_t number, const char *what)
{
    struct reader_name *added = reader_new_name(name, number);
    struct reader_name **found = added ? tsearch(added, &names->root, reader_compare_names) : NULL;

    if (found && *found == added)
        return true;
    free(added);
    if (!found)
        return reader_no_memory(reader);
    return reader_fail(reader, NULL,
                       "another %s is called \"%.64s\" already; names differ, with {...} in those "
                       "that are repeated",
                       what, name);
}

void reader_names_fini(struct reader_names *names)
{
    tdestroy(names->root, free);
    names->root = NULL;
}

bool reader_type(struct workload_reader *reader, const cJSON *value, enum element_type *type)
{
    char name[WORKLOAD_NAME_BYTES];
    struct nearest nearest;

    if (!reader_text(reader, value, name, sizeof name))
        return false;
    *type = element_find(name);
    if (*type != ELEMENT_TYPES)
        return true;
    nearest_init(&nearest, name);
    for (uint32_t i = 0; i < ELEMENT_TYPES; i++)
        nearest_try(&nearest, elements[i].name);
    const char *found = nearest_found(&nearest);
    return reader_fail(reader, value, "there is no such type; %s%s%s",
                       found ? "the nearest is \""
                             : "int8 to int64, uint8 to uint64, float32 and "
                               "float64 are possible",
                       found ? found : "", found ? "\"" : "");
}
