/* Last-error text of each thread, and the public names of statuses and version. See base/error.h.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/limits.h"

static _Thread_local char last_text[LIMITS_ERROR_TEXT];

/* Length of `text` without an incomplete UTF-8 sequence at its end. */
static size_t error_whole_length(const char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 4) {
        unsigned char c = (unsigned char)text[--start];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return length - start < need ? start : length;
    }
    return length;
}

/* In parentheses, because the analyzer sees a macro of this name. */
fgpu_status(error_set)(fgpu_status status, const char *fmt, ...)
{
    char text[LIMITS_ERROR_TEXT];
    va_list args;
    va_start(args, fmt);
    int wrote = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t length = wrote < 0 ? 0 : (size_t)wrote;
    if (length >= sizeof text)
        length = error_whole_length(text, sizeof text - 1);
    memcpy(last_text, text, length);
    last_text[length] = '\0';
    return status;
}

const char *error_text(void)
{
    return last_text;
}

const char *fgpu_last_error(void)
{
    return last_text;
}

const char *fgpu_status_name(int status)
{
    switch (status) {
#define ERROR_NAME(name, number, text)                                                             \
    case number:                                                                                   \
        return "FGPU_" #name;
        FGPU_STATUS_LIST(ERROR_NAME)
#undef ERROR_NAME
    default:
        return "FGPU_E_UNKNOWN";
    }
}

const char *fgpu_status_text(int status)
{
    switch (status) {
#define ERROR_MEANING(name, number, text)                                                          \
    case number:                                                                                   \
        return text;
        FGPU_STATUS_LIST(ERROR_MEANING)
#undef ERROR_MEANING
    default:
        return "a number that is no status of FastGPU";
    }
}

unsigned fgpu_version(void)
{
    return FGPU_VERSION_MAJOR * 10000u + FGPU_VERSION_MINOR * 100u + FGPU_VERSION_PATCH;
}

const char *fgpu_version_text(void)
{
    return FGPU_VERSION_STRING;
}
