/* Texts that were cut to fit: what is left of a character of UTF-8 at their end goes too, so that
 * whoever shows them has whole characters. Pure. Thread: any.
 */
#ifndef FASTGPU_CLI_COMMON_TEXT_CUT_H
#define FASTGPU_CLI_COMMON_TEXT_CUT_H

#include <stdarg.h>
#include <stddef.h>

/* As snprintf() and vsnprintf(), without a piece of a character at the end. They return `room`. */
__attribute__((format(printf, 3, 4))) char *text_cut(char *room, size_t bytes, const char *format,
                                                     ...);
__attribute__((format(printf, 3, 0))) char *text_cut_list(char *room, size_t bytes,
                                                          const char *format, va_list values);

#endif
