/* Small files that outlive the process: performance models, built kernels, traces.
 *
 * A file is always a whole old or a whole new version, whatever is killed when: written beside its
 * place (NAME.tmp, one writer at a time), flushed, renamed (rename(2)). Processes that change the
 * same file take its lock (NAME.lock beside it) and merge with what is there. Nothing here is
 * vital: callers log a failure and go on. Statuses come with a text unless it says otherwise.
 * Thread: any. Blocks on the disk: never called under the engine lock. Owns descriptors only.
 */
#ifndef FASTGPU_RUN_STORE_H
#define FASTGPU_RUN_STORE_H

#include <stddef.h>
#include <fastgpu/status.h>
#include "base/vec.h"

struct history;

#define STORE_PATH_BYTES 4096u

/* Where the file `name` of the cache lives. [in] cache_dir: NULL for $XDG_CACHE_HOME/fastgpu, or
 * ~/.cache/fastgpu without it; "" for none. [in] name: NULL for the folder itself. Makes the folder
 * (mode 0700). [out] path: STORE_PATH_BYTES bytes; "" when there is no place (told so, or neither
 * variable is set). FGPU_E_IO, FGPU_E_LIMIT (too long). */
fgpu_status store_path(const char *cache_dir, const char *name, char *path);

/* Appends a file's bytes to `out` (a vec of 1-byte items). FGPU_E_NOTFOUND without a text when
 * there is none, FGPU_E_LIMIT above max_bytes, FGPU_E_IO (also for what is no regular file),
 * FGPU_E_NOMEM; then `out` is as it was. */
fgpu_status store_read(const char *path, size_t max_bytes, struct vec *out);

/* Replaces a file as a whole; mode 0600. FGPU_E_IO, FGPU_E_LIMIT. */
fgpu_status store_write_whole(const char *path, const void *data, size_t size_bytes);

/* The same in pieces. After store_begin: exactly one store_commit or store_abort. `mode` as for
 * open(2), the umask applies. A failed append is remembered: the commit reports it and leaves the
 * old file. */
struct store_file {
    int fd;
    fgpu_status status;
    size_t used;
    char path[STORE_PATH_BYTES];
    char buffer[65536 - STORE_PATH_BYTES];
};
fgpu_status store_begin(struct store_file *file, const char *path, unsigned mode);
fgpu_status store_append(struct store_file *file, const void *data, size_t size_bytes);
fgpu_status store_commit(struct store_file *file);
void store_abort(struct store_file *file);

/* Takes the lock of a file, against other processes and threads; waits at most timeout_ms, then
 * FGPU_E_TIMEOUT. [out] fd: for store_unlock. A killed holder releases it. FGPU_E_IO, FGPU_E_LIMIT.
 */
fgpu_status store_lock(const char *path, unsigned timeout_ms, int *fd);
void store_unlock(int fd);

/* Adds a performance model file to `history`. No file, another version or a damaged file: FGPU_OK,
 * nothing added. */
fgpu_status store_load_history(const char *path, struct history *history);

/* Merges the file into `history` (what this process measured wins) and writes the sum back, under
 * the file's lock. Does nothing when nothing was learned since the last save. Nobody else may use
 * `history` meanwhile. */
fgpu_status store_save_history(const char *path, struct history *history);

#endif
