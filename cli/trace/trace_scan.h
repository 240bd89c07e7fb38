/* JSON that is walked over without making a tree, for files of many megabytes: strict (RFC 8259,
 * UTF-8, nesting of at most 32), one value at a time. Strings that are asked for are decoded in
 * place. Every function returns false after a mistake, with what is wrong at `at`. Pure.
 */
#ifndef FASTGPU_CLI_TRACE_TRACE_SCAN_H
#define FASTGPU_CLI_TRACE_TRACE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

struct trace_scan {
    char *at, *end; /* *end is a 0 */
    char *line_begin;
    size_t line;
    uint32_t depth;
    const char *wrong; /* NULL: nothing yet */
    fgpu_status status;
};

/* [in] text: closed by a 0 at text[size_bytes]. */
void trace_scan_init(struct trace_scan *scan, char *text, size_t size_bytes);

bool trace_scan_fail(struct trace_scan *scan, fgpu_status status, const char *wrong);

/* What a key of an object is. */
struct trace_scan_key {
    const char *text; /* escapes as they stand */
    size_t length;
};

bool trace_scan_is(const struct trace_scan_key *key, const char *word);

/* Called at each member (key NULL in a list); it must pass over the value. */
typedef bool (*trace_scan_fn)(struct trace_scan *scan, const struct trace_scan_key *key,
                              void *user);
bool trace_scan_object(struct trace_scan *scan, trace_scan_fn fn, void *user);
bool trace_scan_list(struct trace_scan *scan, trace_scan_fn fn, void *user);

/* Passes over any value. */
bool trace_scan_skip(struct trace_scan *scan);

/* A whole number from 0 on, and one that may be negative. */
bool trace_scan_count(struct trace_scan *scan, uint64_t *value);
bool trace_scan_integer(struct trace_scan *scan, int64_t *value);

/* A number of microseconds from 0 on, as nanoseconds. */
bool trace_scan_time(struct trace_scan *scan, uint64_t *ns);

bool trace_scan_bool(struct trace_scan *scan, bool *value);

/* Decoded, control characters become '?'. */
bool trace_scan_text(struct trace_scan *scan, const char **text);

/* At the end of the text. */
bool trace_scan_ended(struct trace_scan *scan);

#endif
