/* One logger per pool: level check inline, then one line to a callback, to stderr as text, or as
 * JSON lines.
 *
 * A disabled line costs one relaxed load and a branch; its arguments are not evaluated with the
 * LOG_... macros. Lines are written under a lock, so that they never mix, and flushed. Time of a
 * JSON line is CLOCK_MONOTONIC. Bytes that are not UTF-8 come out as U+FFFD in JSON (RFC 8259).
 * Thread: any.
 */
#ifndef FASTGPU_BASE_LOG_H
#define FASTGPU_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>
#include <fastgpu/log.h>
#include "base/atomic.h"
#include "base/lock.h"

struct log {
    _Atomic int32_t level; /* enum fgpu_log_level */
    uint32_t format;       /* enum fgpu_log_format */
    struct lock lock;
    fgpu_log_fn fn; /* when set, `file` is not used */
    void *user;
    FILE *file; /* [borrow] */
};

/* Text to stderr. A NULL logger is allowed in log_write and the macros and drops everything. */
void log_init(struct log *log, int level);
void log_fini(struct log *log);

/* Lines go to `fn` from now on; NULL returns to stderr as text. */
void log_set_callback(struct log *log, fgpu_log_fn fn, void *user);

/* [borrow] file: open until log_fini or the next log_set_.... */
void log_set_file(struct log *log, FILE *file, uint32_t format);

static inline void log_set_level(struct log *log, int level)
{
    atomic_store_relaxed_i32(&log->level, level);
}

static inline bool log_enabled(const struct log *log, int level)
{
    return log != NULL && level <= atomic_load_relaxed_i32(&log->level);
}

void log_write(struct log *log, int level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Name of a level ("error" ... "trace"), "off" below, "trace" above. */
const char *log_level_name(int level);

/* Reads a level from its name or number; false leaves *level alone. */
bool log_level_parse(const char *text, int *level);

/* Writes `text` as the inside of a JSON string; returns bytes written, without a NUL. `out_bytes`
 * >= 6 * strlen is always enough; what does not fit is left out at a character border. */
size_t log_json_escape(char *out, size_t out_bytes, const char *text);

#define LOG_AT(log, level, area, ...)                                                              \
    do {                                                                                           \
        if (__builtin_expect(log_enabled((log), (level)), 0))                                      \
            log_write((log), (level), (area), __VA_ARGS__);                                        \
    } while (0)
#define LOG_ERROR(log, area, ...) LOG_AT(log, FGPU_LOG_ERROR, area, __VA_ARGS__)
#define LOG_WARN(log, area, ...) LOG_AT(log, FGPU_LOG_WARN, area, __VA_ARGS__)
#define LOG_INFO(log, area, ...) LOG_AT(log, FGPU_LOG_INFO, area, __VA_ARGS__)
#define LOG_DEBUG(log, area, ...) LOG_AT(log, FGPU_LOG_DEBUG, area, __VA_ARGS__)
#define LOG_TRACE(log, area, ...) LOG_AT(log, FGPU_LOG_TRACE, area, __VA_ARGS__)

#endif
