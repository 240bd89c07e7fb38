/* References to blocks from JSON lines: see traces.h. A line is an object; its hash_ids are read,
 * the rest is not looked at.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/json_in.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"
#include "cli/memory/traces.h"

#define REFERENCES_KEY_LIMIT 9007199254740992.0 /* whole numbers of JSON up to 2^53 are exact */

struct references_reader {
    const char *name;
    uint64_t line; /* from 1 */
    struct traces_references *into;
    char *why;
    size_t why_bytes;
};

#define REFERENCES_FAIL(reader, status, format, ...)                                               \
    why_fail(status, (reader)->why, (reader)->why_bytes, "%s:%llu: " format, (reader)->name,       \
             (unsigned long long)(reader)->line, __VA_ARGS__)

static fgpu_status references_add(struct references_reader *reader, const cJSON *item,
                                  uint64_t number)
{
    struct traces_references *into = reader->into;
    double key = item->valuedouble;
    if (!cJSON_IsNumber(item))
        return REFERENCES_FAIL(reader, FGPU_E_INVAL, "hash_ids[%llu] is no number",
                               (unsigned long long)number);
    if (!(key >= 0) || key > REFERENCES_KEY_LIMIT || key != floor(key))
        return REFERENCES_FAIL(reader, FGPU_E_INVAL,
                               "hash_ids[%llu] is %.17g; it must be whole, from 0 to %.0f",
                               (unsigned long long)number, key, REFERENCES_KEY_LIMIT);
    if (into->count == CLI_MEMORY_REFERENCES_LIMIT)
        return REFERENCES_FAIL(reader, FGPU_E_LIMIT, "there are more than %u references, the limit",
                               CLI_MEMORY_REFERENCES_LIMIT);
    if (into->count == into->capacity) {
        uint64_t more = into->capacity == 0 ? 4096 : 2 * into->capacity;
        uint64_t *keys = realloc(into->keys, more * sizeof *keys);
        if (keys == NULL)
            return REFERENCES_FAIL(reader, FGPU_E_NOMEM, "no memory for %llu references",
                                   (unsigned long long)more);
        into->keys = keys;
        into->capacity = more;
    }
    into->keys[into->count++] = (uint64_t)key;
    return FGPU_OK;
}

static fgpu_status references_line(struct references_reader *reader, const char *text, size_t bytes)
{
    char inner[CLI_WHY_BYTES] = "";
    struct json_path path;
    cJSON *root = NULL;
    fgpu_status status = json_in_parse(text, bytes, &root, &path, inner, sizeof inner);
    if (status != FGPU_OK)
        return REFERENCES_FAIL(reader, status, "%s", inner);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "hash_ids"), *item;
    uint64_t number = 0;
    if (!cJSON_IsArray(list))
        status = REFERENCES_FAIL(reader, FGPU_E_INVAL, "%s",
                                 list == NULL ? "there is no \"hash_ids\""
                                              : "\"hash_ids\" is no list of numbers");
    else
        cJSON_ArrayForEach(item, list)
        {
            status = references_add(reader, item, number++);
            if (status != FGPU_OK)
                break;
        }
    cJSON_Delete(root);
    return status;
}

static bool references_is_blank(const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == bytes;
}

fgpu_status traces_read_references(const char *name, const char *text, size_t size_bytes,
                                   struct traces_references *references, char *why,
                                   size_t why_bytes)
{
    struct references_reader reader = {
        .name = name, .into = references, .why = why, .why_bytes = why_bytes};
    const char *at = text, *end = text + size_bytes;
    fgpu_status status = FGPU_OK;
    *references = (struct traces_references){0};
    while (status == FGPU_OK && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((stop != NULL ? stop : end) - at);
        reader.line++;
        if (!references_is_blank(at, bytes))
            status = references_line(&reader, at, bytes);
        at = stop != NULL ? stop + 1 : end;
        if (status == FGPU_OK && reader.line % 256 == 0 && stopping_is_wanted())
            status = stopping_fail(name, why, why_bytes);
    }
    if (status == FGPU_OK && references->count == 0)
        status = why_fail(FGPU_E_INVAL, why, why_bytes, "%s: there are no references in it", name);
    if (status != FGPU_OK)
        traces_references_fini(references);
    return status;
}

void traces_references_fini(struct traces_references *references)
{
    free(references->keys);
    *references = (struct traces_references){0};
}
