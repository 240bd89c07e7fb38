/* What both replays share: see replay.h. */
#include "cli/memory/replay.h"

#include <stdio.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/stopping.h"

int replay_read(const char *command, const char *path, struct file_bytes *bytes)
{
    char why[CLI_WHY_BYTES] = "";
    fgpu_status status = file_read(path, CLI_MEMORY_FILE_BYTES_LIMIT, bytes, why, sizeof why);
    if (status != FGPU_OK)
        return replay_fail_read(command, status, why);
    if (file_bytes_append(bytes, "", 1)) {
        bytes->size_bytes--;
        return COMMAND_OK;
    }
    fprintf(stderr, "%s: %s: no memory\n", command, path);
    return COMMAND_FAILED;
}

int replay_fail_read(const char *command, fgpu_status status, const char *why)
{
    fprintf(stderr, "%s: %s\n", command, why);
    return status == FGPU_E_CANCELLED ? COMMAND_INTERRUPTED
           : status == FGPU_E_NOMEM   ? COMMAND_FAILED
                                      : COMMAND_NO_INPUT;
}

int replay_progress(uint64_t done, uint64_t of, void *user)
{
    progress_show(user, WATCH_REPLAYING, (uint32_t)done, (uint32_t)of);
    return stopping_is_wanted();
}

int replay_fail(const char *command, const char *path, fgpu_status status)
{
    const char *text = fgpu_last_error(), *end = strstr(text, ": ");
    if (status == FGPU_E_CANCELLED) {
        fprintf(stderr, "%s: %s: stopped\n", command, path);
        return COMMAND_INTERRUPTED;
    }
    if (end != NULL && strncmp(text, "fgpu_", 5) == 0)
        text = end + 2;
    fprintf(stderr, "%s: %s: %s\n", command, path, text[0] ? text : fgpu_status_text(status));
    return COMMAND_FAILED;
}
