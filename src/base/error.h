/* The calling thread's last-error sentence, and the status names.
 *
 * Raised once, where the failure is noticed: `return error_set(FGPU_E_RANGE, "copy: offset %zu
 * ...", ...)`; passed on unchanged above. Containers of base/ return statuses without a text: their
 * caller knows what the items are. Owns one text per thread. Thread: any, each sees its own text
 * only. Never allocates.
 */
#ifndef FASTGPU_BASE_ERROR_H
#define FASTGPU_BASE_ERROR_H

#include <fastgpu/status.h>

/* Sets the text (cut at LIMITS_ERROR_TEXT, on a UTF-8 border) and returns `status`.
 * Arguments may include error_text(), to put something in front of it. */
fgpu_status error_set(fgpu_status status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));

#ifdef __clang_analyzer__ /* it does not look into error.c, and would take any status for FGPU_OK  \
                           */
#define error_set(status, ...) ((void)error_set(status, __VA_ARGS__), (status))
#endif

/* The last text of this thread, "" when there was none. */
const char *error_text(void);

#endif
