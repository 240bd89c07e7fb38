/* Options of the log: see log_options.h. */
#include "cli/common/log_options.h"

#include <stddef.h>

const char *const log_options_levels[] = {"off", "error", "warn", "info", "debug", "trace", NULL};
const char *const log_options_formats[] = {"text", "json", NULL};

const struct log_options log_options_none = {.level = FGPU_LOG_WARN + 1};

void log_options_apply(const struct log_options *chosen, fgpu_pool_options *options)
{
    options->log_level = (int32_t)chosen->level - 1;
    options->log_format = chosen->format;
    options->log_file = chosen->file;
}
