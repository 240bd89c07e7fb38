/* Formats a log line and hands it to the sink. See base/log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/limits.h"

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

void log_init(struct log *log, int level)
{
    *log = (struct log){.format = FGPU_LOG_TEXT, .file = stderr};
    lock_init(&log->lock);
    log_set_level(log, level);
}

void log_fini(struct log *log)
{
    if (log == NULL)
        return;
    log_set_level(log, FGPU_LOG_OFF);
    if (log->file != NULL)
        fflush(log->file);
    log->file = NULL;
    log->fn = NULL;
}

void log_set_callback(struct log *log, fgpu_log_fn fn, void *user)
{
    lock_acquire(&log->lock);
    log->fn = fn;
    log->user = user;
    log->file = stderr;
    log->format = FGPU_LOG_TEXT;
    lock_release(&log->lock);
}

void log_set_file(struct log *log, FILE *file, uint32_t format)
{
    lock_acquire(&log->lock);
    log->fn = NULL;
    log->file = file;
    log->format = format;
    lock_release(&log->lock);
}

const char *log_level_name(int level)
{
    if (level < FGPU_LOG_ERROR)
        return "off";
    return level_names[level > FGPU_LOG_TRACE ? FGPU_LOG_TRACE : level];
}

bool log_level_parse(const char *text, int *level)
{
    for (int i = FGPU_LOG_OFF; i <= FGPU_LOG_TRACE; i++) {
        if (strcmp(text, log_level_name(i)) == 0) {
            *level = i;
            return true;
        }
    }
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < FGPU_LOG_OFF || number > FGPU_LOG_TRACE)
        return false;
    *level = (int)number;
    return true;
}

/* Bytes of the well-formed UTF-8 character at `p`, 0 when it is none (table 3-7 of the Unicode
 * standard 15). */
static size_t log_utf8_length(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t need = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned low = 0x80, high = 0xbf;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return need;
}

/* Writes the escape of one character to `out` (at least 7 bytes), its length to *wrote; returns
 * bytes of p used. */
static size_t log_escape_one(const unsigned char *p, char *out, size_t *wrote)
{
    static const char short_from[] = "\"\\\n\r\t\b\f", short_to[] = "\"\\nrtbf";
    const char *found = strchr(short_from, *p);
    size_t length = log_utf8_length(p);
    if (found != NULL) {
        out[0] = '\\';
        out[1] = short_to[found - short_from];
        *wrote = 2;
        return 1;
    }
    if (length == 0 || *p < 0x20 || *p == 0x7f) {
        *wrote = (size_t)snprintf(out, 7, "\\u%04x", length == 0 ? 0xfffdu : (unsigned)*p);
        return 1;
    }
    memcpy(out, p, length);
    *wrote = length;
    return length;
}

size_t log_json_escape(char *out, size_t out_bytes, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;
    while (*p != '\0') {
        char piece[8];
        size_t piece_bytes;
        size_t step = log_escape_one(p, piece, &piece_bytes);
        if (piece_bytes > out_bytes - used)
            break;
        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        p += step;
    }
    return used;
}

static void log_write_json(FILE *file, int level, const char *area, const char *text)
{
    char safe_area[6 * LIMITS_NAME_BYTES], safe_text[6 * LIMITS_LOG_TEXT];
    size_t area_bytes = log_json_escape(safe_area, sizeof safe_area, area);
    size_t text_bytes = log_json_escape(safe_text, sizeof safe_text, text);
    fprintf(file,
            "{\"time_ns\":%" PRIu64 ",\"level\":\"%s\",\"area\":\"%.*s\",\"text\":\"%.*s\"}\n",
            clock_now_ns(), log_level_name(level), (int)area_bytes, safe_area, (int)text_bytes,
            safe_text);
}

void log_write(struct log *log, int level, const char *area, const char *fmt, ...)
{
    char line[LIMITS_LOG_TEXT];
    if (!log_enabled(log, level))
        return;
    int prefix = snprintf(line, sizeof line, "%.*s: ", LIMITS_NAME_BYTES, area);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + prefix, sizeof line - (size_t)prefix, fmt, args);
    va_end(args);
    lock_acquire(&log->lock);
    if (log->fn != NULL)
        log->fn(log->user, level, line);
    else if (log->file != NULL && log->format == FGPU_LOG_JSON)
        log_write_json(log->file, level, area, line + prefix);
    else if (log->file != NULL)
        fprintf(log->file, "fastgpu: %s: %s\n", log_level_name(level), line);
    if (log->fn == NULL && log->file != NULL)
        (void)fflush(log->file);
    lock_release(&log->lock);
}
