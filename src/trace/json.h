/* Writes JSON text piece by piece into a function of the caller's (RFC 8259).
 *
 * A failed write is remembered: everything after it does nothing, json_end gives its status.
 * Numbers do not depend on the locale. Thread: one. Owns nothing.
 */
#ifndef FASTGPU_TRACE_JSON_H
#define FASTGPU_TRACE_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>

struct json {
    fgpu_status (*write)(void *user, const char *text, size_t size_bytes);
    void *user;
    fgpu_status status;
    size_t used;
    char buffer[8192];
};

void json_begin(struct json *json, fgpu_status (*write)(void *user, const char *text, size_t bytes),
                void *user);

/* Writes out what is left. */
fgpu_status json_end(struct json *json);

/* As it is: brackets, commas, keys. */
void json_raw(struct json *json, const char *text);

/* In quotes, escaped; bytes that are no UTF-8 become U+FFFD. */
void json_string(struct json *json, const char *text);

void json_u64(struct json *json, uint64_t value);
void json_i64(struct json *json, int64_t value);

/* Nanoseconds as microseconds with three decimals. */
void json_us(struct json *json, uint64_t ns);

#endif
