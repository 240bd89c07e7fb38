/* What `fastgpu replay-alloc` and `replay-cache` share. Main thread. */
#ifndef FASTGPU_CLI_MEMORY_REPLAY_H
#define FASTGPU_CLI_MEMORY_REPLAY_H

#include "cli/common/file.h"
#include "cli/workload/progress.h"

/* Reads the one file that was given, with a 0 behind it. The exit code after saying what is wrong.
 */
int replay_read(const char *command, const char *path, struct file_bytes *bytes);

/* The exit code of a trace that cannot be taken, after saying why. */
int replay_fail_read(const char *command, fgpu_status status, const char *why);

/* As fgpu_replay_progress_fn; `user` is a struct progress. */
int replay_progress(uint64_t done, uint64_t of, void *user);

/* The exit code of a replay that failed. */
int replay_fail(const char *command, const char *path, fgpu_status status);

#endif
