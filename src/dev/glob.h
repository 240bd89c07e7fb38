/* Case-insensitive glob matching, for the names of devices in a pattern (registry.h).
 *
 * Pure; thread: any.
 */
#ifndef FASTGPU_DEV_GLOB_H
#define FASTGPU_DEV_GLOB_H

#include <stdbool.h>

/* True when all of `text` matches `pattern`: '*' any bytes, '?' one byte, letters without regard to
 * ASCII case. Time at most |pattern| * |text|. */
bool glob_match(const char *pattern, const char *text);

/* True when the pattern has a '*' or '?'. */
bool glob_is_pattern(const char *text);

#endif
