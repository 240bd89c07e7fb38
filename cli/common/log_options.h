/* The options --log, --log-format and --log-file, which every command has that opens a pool: put
 * LOG_OPTIONS(name of a struct log_options) into its table, log_options_none before, and
 * log_options_apply() to the options of its pools. Main thread.
 */
#ifndef FASTGPU_CLI_COMMON_LOG_OPTIONS_H
#define FASTGPU_CLI_COMMON_LOG_OPTIONS_H

#include <fastgpu/pool.h>

#include "cli/common/options.h"

struct log_options {
    uint32_t level;   /* place in log_options_levels: enum fgpu_log_level + 1 */
    uint32_t format;  /* enum fgpu_log_format */
    const char *file; /* NULL: stderr */
};

extern const char *const log_options_levels[];
extern const char *const log_options_formats[];

/* Warnings and errors, as text, to stderr. */
extern const struct log_options log_options_none;

/* Entries of a table of options. */
#define LOG_OPTIONS(chosen)                                                                        \
    {"log",                                                                                        \
     0,                                                                                            \
     OPTION_CHOICE,                                                                                \
     &(chosen).level,                                                                              \
     "LEVEL",                                                                                      \
     "what the pool says: off, error, warn, info, debug\nor trace (default: warn)",                \
     0,                                                                                            \
     0,                                                                                            \
     log_options_levels},                                                                          \
        {"log-format",                                                                             \
         0,                                                                                        \
         OPTION_CHOICE,                                                                            \
         &(chosen).format,                                                                         \
         "FORMAT",                                                                                 \
         "text, or json: an object a line",                                                        \
         0,                                                                                        \
         0,                                                                                        \
         log_options_formats},                                                                     \
    {                                                                                              \
        "log-file", 0, OPTION_TEXT, &(chosen).file, "FILE", "append it there, not to stderr", 0,   \
            0, NULL                                                                                \
    }

void log_options_apply(const struct log_options *chosen, fgpu_pool_options *options);

#endif
