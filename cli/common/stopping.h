/* Whether the user wants the command to end, for what is long and far below a command: reading
 * files, decoding pictures, filling buffers. They look between two pieces of work of some
 * milliseconds and then end with FGPU_E_CANCELLED.
 *
 * main() says whom to ask, before there are threads; without that nobody is asked. Thread: any.
 */
#ifndef FASTGPU_CLI_COMMON_STOPPING_H
#define FASTGPU_CLI_COMMON_STOPPING_H

#include <stdbool.h>
#include <stddef.h>

#include <fastgpu/status.h>

/* Bytes that are copied between two looks. */
#define STOPPING_PIECE_BYTES ((size_t)4 << 20)

/* [in] is_wanted: cheap, callable from any thread; NULL: nobody is asked. */
void stopping_ask(bool (*is_wanted)(void));

bool stopping_is_wanted(void);

/* FGPU_E_CANCELLED and the sentence "<name>: stopped while it was read". */
fgpu_status stopping_fail(const char *name, char *why, size_t why_bytes);

/* As memcpy(), in pieces. False where it was cut short. */
bool stopping_copy(void *to, const void *from, size_t size_bytes);

#endif
