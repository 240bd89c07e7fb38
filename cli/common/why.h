/* The sentence that says what went wrong, written into the caller's memory.
 *
 * Every fallible function of the CLI takes `char *why, size_t why_bytes` last: on failure it holds
 * a sentence that names the thing, its value and the limit; on success it is left alone. Both may
 * be NULL and 0.
 */
#ifndef FASTGPU_CLI_COMMON_WHY_H
#define FASTGPU_CLI_COMMON_WHY_H

#include <stddef.h>

#include <fastgpu/status.h>

/* Formats the sentence (cut to fit) and returns `status`, so that a failure is one statement.
 * Thread: any. */
__attribute__((format(printf, 4, 5))) fgpu_status
why_fail(fgpu_status status, char *why, size_t why_bytes, const char *format, ...);

#endif
