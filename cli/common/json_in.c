/* JSON that is read: see json_in.h. A recursive descent over the grammar of RFC 8259 that makes
 * nothing, then cJSON, then a look for keys that stand twice. */
#include "cli/common/json_in.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/json_out.h"
#include "cli/common/why.h"

struct json_scan {
    const char *text, *at, *end; /* *end is readable and 0 */
    const char *wrong;           /* what is wrong at `at` */
    uint32_t depth, values;
    bool is_limit;
};

void json_path_init(struct json_path *path)
{
    (void)snprintf(path->text, sizeof path->text, "$");
    path->length = 1;
}

static size_t json_path_added(struct json_path *path, int length)
{
    size_t level = path->length;
    size_t room = sizeof path->text - 1 - level;

    path->length += length > 0 ? ((size_t)length < room ? (size_t)length : room) : 0;
    return level;
}

size_t json_path_enter_key(struct json_path *path, const char *key)
{
    bool is_plain = key[0] != '\0';

    for (const char *letter = key; *letter; letter++)
        is_plain &= (*letter >= 'a' && *letter <= 'z') || (*letter >= 'A' && *letter <= 'Z') ||
                    (*letter >= '0' && *letter <= '9') || *letter == '_' || *letter == '-';
    return json_path_added(path,
                           snprintf(path->text + path->length, sizeof path->text - path->length,
                                    is_plain ? ".%.64s" : "[\"%.64s\"]", key));
}

size_t json_path_enter_item(struct json_path *path, size_t item)
{
    return json_path_added(
        path, snprintf(path->text + path->length, sizeof path->text - path->length, "[%zu]", item));
}

void json_path_leave(struct json_path *path, size_t level)
{
    path->length = level;
    path->text[level] = '\0';
}

static bool json_scan_fail(struct json_scan *scan, const char *wrong)
{
    scan->wrong = wrong;
    return false;
}

static void json_scan_blank(struct json_scan *scan)
{
    while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r')
        scan->at++;
}

static bool json_scan_escape(struct json_scan *scan)
{
    char letter = scan->at[1];

    if (letter == 'u') {
        if (strspn(scan->at + 2, "0123456789abcdefABCDEF") < 4)
            return json_scan_fail(scan, "\\u wants four hexadecimal digits");
        if (strncmp(scan->at + 2, "0000", 4) == 0)
            return json_scan_fail(scan, "\\u0000 is not allowed in a string");
        scan->at += 6;
        return true;
    }
    if (letter == '\0' || !strchr("\"\\/bfnrt", letter))
        return json_scan_fail(scan, "no such escape; \\\\ is a backslash");
    scan->at += 2;
    return true;
}

static bool json_scan_string(struct json_scan *scan)
{
    for (scan->at++; *scan->at != '"';) {
        size_t length = json_out_character(scan->at);
        if (scan->at >= scan->end)
            return json_scan_fail(scan, "the string is not closed by \"");
        if ((unsigned char)*scan->at < 0x20)
            return json_scan_fail(scan, "a string holds no line ends, tabs or control characters");
        if (length == 0)
            return json_scan_fail(scan, "this is not UTF-8");
        if (*scan->at != '\\')
            scan->at += length;
        else if (!json_scan_escape(scan))
            return false;
    }
    scan->at++;
    return true;
}

static bool json_scan_digits(struct json_scan *scan)
{
    size_t count = strspn(scan->at, "0123456789");

    scan->at += count;
    return count > 0 || json_scan_fail(scan, "a digit is wanted");
}

static bool json_scan_number(struct json_scan *scan)
{
    const char *begin = scan->at;

    scan->at += *scan->at == '-';
    if (scan->at[0] == '0' && scan->at[1] >= '0' && scan->at[1] <= '9')
        return json_scan_fail(scan, "a number does not begin with 0");
    if (!json_scan_digits(scan))
        return false;
    if (*scan->at == '.') {
        scan->at++;
        if (!json_scan_digits(scan))
            return false;
    }
    if (*scan->at == 'e' || *scan->at == 'E') {
        scan->at++;
        scan->at += *scan->at == '-' || *scan->at == '+';
        if (!json_scan_digits(scan))
            return false;
    }
    if (scan->at - begin > CLI_JSON_NUMBER_LIMIT)
        return json_scan_fail(scan, "this number has too many digits");
    return true;
}

static bool json_scan_word(struct json_scan *scan, const char *word)
{
    size_t length = strlen(word);

    if (scan->at == scan->end)
        return json_scan_fail(scan, scan->end == scan->text ? "the file is empty (0 bytes)"
                                                            : "it ends where a value is wanted");
    if (strncmp(scan->at, word, length) != 0)
        return json_scan_fail(scan, "a value is wanted: a string, a number, true, false, null, "
                                    "a list or an object");
    scan->at += length;
    return true;
}

static bool json_scan_value(struct json_scan *scan);

static bool json_scan_key(struct json_scan *scan)
{
    if (*scan->at != '"')
        return json_scan_fail(scan, "a key in double quotes is wanted");
    if (!json_scan_string(scan))
        return false;
    json_scan_blank(scan);
    if (*scan->at != ':')
        return json_scan_fail(scan, "a colon is wanted after the key");
    scan->at++;
    return true;
}

/* A list or an object, from its bracket on. */
static bool json_scan_group(struct json_scan *scan)
{
    bool is_object = *scan->at == '{';
    char close = is_object ? '}' : ']';

    if (++scan->depth > CLI_JSON_DEPTH_LIMIT) {
        scan->is_limit = true;
        return json_scan_fail(scan, "lists and objects are nested too deeply");
    }
    scan->at++;
    json_scan_blank(scan);
    if (*scan->at != close)
        for (;;) {
            if ((is_object && !json_scan_key(scan)) || !json_scan_value(scan))
                return false;
            if (*scan->at == close)
                break;
            if (*scan->at != ',')
                return json_scan_fail(scan, is_object ? "a comma or } is wanted"
                                                      : "a comma or ] is wanted");
            scan->at++;
            json_scan_blank(scan);
        }
    scan->at++;
    scan->depth--;
    return true;
}

static bool json_scan_value(struct json_scan *scan)
{
    bool is_good;

    json_scan_blank(scan);
    if (++scan->values > CLI_JSON_VALUES_LIMIT) {
        scan->is_limit = true;
        return json_scan_fail(scan, "there are too many values");
    }
    if (*scan->at == '{' || *scan->at == '[')
        is_good = json_scan_group(scan);
    else if (*scan->at == '"')
        is_good = json_scan_string(scan);
    else if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
        is_good = json_scan_number(scan);
    else if (*scan->at == 't')
        is_good = json_scan_word(scan, "true");
    else if (*scan->at == 'f')
        is_good = json_scan_word(scan, "false");
    else
        is_good = json_scan_word(scan, "null");
    if (is_good)
        json_scan_blank(scan);
    return is_good;
}

static fgpu_status json_scan_refuse(const struct json_scan *scan, char *why, size_t why_bytes)
{
    size_t line = 1, column = 1;

    for (const char *at = scan->text; at < scan->at; at++, column++)
        if (*at == '\n') {
            line++;
            column = 0;
        }
    return why_fail(scan->is_limit ? FGPU_E_LIMIT : FGPU_E_INVAL, why, why_bytes,
                    "line %zu, column %zu: %s", line, column, scan->wrong);
}

static int json_in_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Looks for a key that stands twice, here or below; the path stays where it is found. */
static fgpu_status json_in_unique(const cJSON *value, struct json_path *path, char *why,
                                  size_t why_bytes)
{
    fgpu_status status = FGPU_OK;
    size_t count = 0, item = 0;
    const cJSON *child;

    cJSON_ArrayForEach(child, value) count++;
    const char **keys = cJSON_IsObject(value) && count > 1 ? calloc(count, sizeof *keys) : NULL;
    if (cJSON_IsObject(value) && count > 1 && !keys)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    if (keys) {
        cJSON_ArrayForEach(child, value) keys[item++] = child->string;
        qsort(keys, count, sizeof *keys, json_in_compare);
        for (size_t i = 1; i < count && status == FGPU_OK; i++)
            if (strcmp(keys[i - 1], keys[i]) == 0) {
                (void)json_path_enter_key(path, keys[i]);
                status = why_fail(FGPU_E_INVAL, why, why_bytes,
                                  "this key stands twice in its object; once is right");
            }
    }
    free(keys);
    item = 0;
    for (child = value->child; child && status == FGPU_OK; child = child->next, item++) {
        size_t level = cJSON_IsObject(value) ? json_path_enter_key(path, child->string)
                                             : json_path_enter_item(path, item);
        status = json_in_unique(child, path, why, why_bytes);
        if (status == FGPU_OK)
            json_path_leave(path, level);
    }
    return status;
}

fgpu_status json_in_parse(const char *text, size_t size_bytes, cJSON **root, struct json_path *path,
                          char *why, size_t why_bytes)
{
    *root = NULL;
    json_path_init(path);
    char *copy = malloc(size_bytes + 1); /* closed by a 0, so that nothing is read beyond */
    if (!copy)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    if (size_bytes > 0)
        memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    struct json_scan scan = {.text = copy, .at = copy, .end = copy + size_bytes};
    if (!json_scan_value(&scan) ||
        (scan.at != scan.end && !json_scan_fail(&scan, "nothing may follow the value"))) {
        fgpu_status status = json_scan_refuse(&scan, why, why_bytes);
        free(copy);
        return status;
    }
    cJSON *tree = cJSON_ParseWithLength(copy, size_bytes + 1);
    free(copy);
    if (!tree) /* what the scan lets through and cJSON does not: halves of surrogate pairs */
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "a string has half of a surrogate pair, or there is no memory");
    fgpu_status status = json_in_unique(tree, path, why, why_bytes);
    if (status == FGPU_OK)
        *root = tree;
    else
        cJSON_Delete(tree);
    return status;
}
