/* The sentence that says what went wrong: see why.h. Pure but for the caller's memory.
 *
 * Names of files may hold anything, also what a terminal obeys: control characters become '?'. */
#include "cli/common/why.h"

#include <stdarg.h>
#include <stdio.h>

fgpu_status why_fail(fgpu_status status, char *why, size_t why_bytes, const char *format, ...)
{
    va_list values;

    if (!why || why_bytes == 0)
        return status;
    va_start(values, format);
    (void)vsnprintf(why, why_bytes, format, values);
    va_end(values);
    for (char *at = why; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f)
            *at = '?';
    return status;
}
