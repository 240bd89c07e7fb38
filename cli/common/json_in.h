/* JSON that is read: strict (RFC 8259) and bounded, so that hostile text costs little.
 *
 * Text is checked before cJSON makes a tree of it: one value and nothing behind it, UTF-8, numbers
 * as the standard has them, no comments, no NUL in strings, at most CLI_JSON_DEPTH_LIMIT levels and
 * CLI_JSON_VALUES_LIMIT values. A key that stands twice in an object is refused with its place.
 * Thread: any; pure.
 */
#ifndef FASTGPU_CLI_COMMON_JSON_IN_H
#define FASTGPU_CLI_COMMON_JSON_IN_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include <fastgpu/status.h>

/* Where in a document a value is, as people write it: $.tasks[3].args.src. */
#define JSON_PATH_BYTES 256

struct json_path {
    char text[JSON_PATH_BYTES];
    size_t length;
};

/* The root: "$". */
void json_path_init(struct json_path *path);

/* Each goes one level down and returns what json_path_leave() takes to come back. What does not fit
 * is cut. */
size_t json_path_enter_key(struct json_path *path, const char *key);
size_t json_path_enter_item(struct json_path *path, size_t item);
void json_path_leave(struct json_path *path, size_t level);

/* Reads text of so many bytes. [out] root: freed with cJSON_Delete(); NULL on failure. [out] path:
 * of the value that is wrong, "$" where the text is no JSON at all. Returns FGPU_OK, FGPU_E_INVAL,
 * FGPU_E_LIMIT or FGPU_E_NOMEM, with what is wrong, and line and column where it is no JSON, in
 * `why`. */
fgpu_status json_in_parse(const char *text, size_t size_bytes, cJSON **root, struct json_path *path,
                          char *why, size_t why_bytes);

#endif
