/* Files: see file.h for the promise that this file keeps (a replaced file is whole or
 * absent).
 *
 * Method: temporary file in the same folder (a rename never crosses file systems), fsync of the
 * file, rename, fsync of the folder. The temporary name carries the process id and a number and is
 * created exclusively, so that two writers never share one. Its name is noted for file_abandon()
 * before it is created and until it is gone. Runs on the caller's thread; owns nothing between
 * calls.
 */
#include "cli/common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/stopping.h"
#include "cli/common/why.h"

/* What file_abandon() removes, while the flag is set: it may run on another thread. */
static char file_noted[PATH_MAX];
static int file_is_noted;

static void file_note(const char *temporary)
{
    (void)snprintf(file_noted, sizeof file_noted, "%s", temporary);
    __atomic_store_n(&file_is_noted, 1, __ATOMIC_RELEASE);
}

static void file_forget(void)
{
    __atomic_store_n(&file_is_noted, 0, __ATOMIC_SEQ_CST);
}

void file_abandon(void)
{
    if (__atomic_load_n(&file_is_noted, __ATOMIC_ACQUIRE))
        (void)unlink(file_noted);
}

bool file_bytes_append(struct file_bytes *bytes, const void *data, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2 - bytes->size_bytes)
        return false;
    size_t need = bytes->size_bytes + size_bytes;
    if (need > bytes->capacity_bytes) {
        size_t capacity = bytes->capacity_bytes ? bytes->capacity_bytes : 4096;
        while (capacity < need)
            capacity *= 2;
        uint8_t *grown = realloc(bytes->data, capacity);
        if (!grown)
            return false;
        bytes->data = grown;
        bytes->capacity_bytes = capacity;
    }
    if (size_bytes > 0)
        memcpy(bytes->data + bytes->size_bytes, data, size_bytes);
    bytes->size_bytes = need;
    return true;
}

void file_bytes_fini(struct file_bytes *bytes)
{
    if (!bytes)
        return;
    free(bytes->data);
    *bytes = (struct file_bytes){0};
}

/* Waits until something can be read. A pipe may keep one waiting for ever, and of all calls poll()
 * is the one that a signal always ends, also where handlers are installed with SA_RESTART. */
static bool file_wait(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    return poll(&ready, 1, -1) >= 0;
}

/* Why a call that reads has failed, by errno. */
static fgpu_status file_refuse_read(const char *path, char *why, size_t why_bytes)
{
    if (errno == EINTR)
        return why_fail(FGPU_E_CANCELLED, why, why_bytes, "%s: a signal came while it was read",
                        path);
    return why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be read: %s", path, strerror(errno));
}

/* O_NONBLOCK: a named pipe without a writer must not stop us here. Negative on failure. */
static int file_open(const char *path, char *why, size_t why_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        (void)why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be opened: %s", path,
                       strerror(errno));
    return fd;
}

/* Ends a read: bytes of a failed one are freed. */
static fgpu_status file_close(int fd, fgpu_status status, struct file_bytes *bytes)
{
    (void)close(fd);
    if (status != FGPU_OK)
        file_bytes_fini(bytes);
    return status;
}

/* Reads until the end; the size is not trusted from stat(), for the file may be a pipe or may grow.
 */
static fgpu_status file_read_all(int fd, const char *path, size_t limit_bytes,
                                 struct file_bytes *bytes, char *why, size_t why_bytes)
{
    uint8_t chunk[65536];

    for (;;) {
        if (stopping_is_wanted())
            return stopping_fail(path, why, why_bytes);
        ssize_t got = file_wait(fd) ? read(fd, chunk, sizeof chunk) : -1;
        if (got < 0 && errno == EAGAIN)
            continue;
        if (got < 0)
            return file_refuse_read(path, why, why_bytes);
        if (got == 0)
            return FGPU_OK;
        if ((size_t)got > limit_bytes - bytes->size_bytes)
            return why_fail(FGPU_E_LIMIT, why, why_bytes,
                            "%s: the file has more than %zu bytes, the most that is read", path,
                            limit_bytes);
        if (!file_bytes_append(bytes, chunk, (size_t)got))
            return why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory for the file's content",
                            path);
    }
}

fgpu_status file_read(const char *path, size_t limit_bytes, struct file_bytes *bytes, char *why,
                      size_t why_bytes)
{
    *bytes = (struct file_bytes){0};
    int fd = file_open(path, why, why_bytes);
    if (fd < 0)
        return FGPU_E_IO;
    return file_close(fd, file_read_all(fd, path, limit_bytes, bytes, why, why_bytes), bytes);
}

/* How many bytes the range has in a file of `file_bytes` bytes, to `size_bytes`. */
static fgpu_status file_fit_range(const char *path, const struct file_range *range,
                                  uint64_t file_bytes, size_t *size_bytes, char *why,
                                  size_t why_bytes)
{
    if (range->offset_bytes > file_bytes)
        return why_fail(FGPU_E_RANGE, why, why_bytes,
                        "%s: the part begins at byte %" PRIu64 ", and the file has %" PRIu64
                        " bytes",
                        path, range->offset_bytes, file_bytes);
    uint64_t follow_bytes = file_bytes - range->offset_bytes;
    bool to_end = range->size_bytes == FILE_TO_END;
    if (!to_end && range->size_bytes > follow_bytes)
        return why_fail(FGPU_E_RANGE, why, why_bytes,
                        "%s: %zu bytes from byte %" PRIu64 " on are asked for, and the file has "
                        "%" PRIu64 " bytes, so at most %" PRIu64 " there",
                        path, range->size_bytes, range->offset_bytes, file_bytes, follow_bytes);
    *size_bytes = to_end ? (size_t)follow_bytes : range->size_bytes;
    return FGPU_OK;
}

/* Reads exactly as many bytes as `bytes` has room for. */
static fgpu_status file_read_exactly(int fd, const char *path, uint64_t offset_bytes,
                                     struct file_bytes *bytes, char *why, size_t why_bytes)
{
    while (bytes->size_bytes < bytes->capacity_bytes) {
        size_t rest = bytes->capacity_bytes - bytes->size_bytes;
        if (stopping_is_wanted())
            return stopping_fail(path, why, why_bytes);
        ssize_t got = pread(fd, bytes->data + bytes->size_bytes,
                            rest < STOPPING_PIECE_BYTES ? rest : STOPPING_PIECE_BYTES,
                            (off_t)(offset_bytes + bytes->size_bytes));
        if (got < 0)
            return file_refuse_read(path, why, why_bytes);
        if (got == 0)
            return why_fail(FGPU_E_RANGE, why, why_bytes,
                            "%s: the file became shorter while it was read", path);
        bytes->size_bytes += (size_t)got;
    }
    return FGPU_OK;
}

static fgpu_status file_measure_range(int fd, const char *path, const struct file_range *range,
                                      size_t *size_bytes, char *why, size_t why_bytes)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return file_refuse_read(path, why, why_bytes);
    if (!S_ISREG(info.st_mode))
        return why_fail(FGPU_E_IO, why, why_bytes,
                        "%s: is not a plain file, so no part of it can be chosen", path);
    return file_fit_range(path, range, (uint64_t)info.st_size, size_bytes, why, why_bytes);
}

static fgpu_status file_make_room(const char *path, size_t size_bytes, size_t limit_bytes,
                                  struct file_bytes *bytes, char *why, size_t why_bytes)
{
    if (size_bytes > limit_bytes)
        return why_fail(FGPU_E_LIMIT, why, why_bytes,
                        "%s: the part has %zu bytes; the most that is read is %zu", path,
                        size_bytes, limit_bytes);
    bytes->data = malloc(size_bytes > 0 ? size_bytes : 1);
    if (!bytes->data)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory for %zu bytes of it", path,
                        size_bytes);
    bytes->capacity_bytes = size_bytes;
    return FGPU_OK;
}

fgpu_status file_read_range(const char *path, struct file_range range, size_t limit_bytes,
                            struct file_bytes *bytes, char *why, size_t why_bytes)
{
    size_t size_bytes = 0;

    *bytes = (struct file_bytes){0};
    int fd = file_open(path, why, why_bytes);
    if (fd < 0)
        return FGPU_E_IO;
    fgpu_status status = file_measure_range(fd, path, &range, &size_bytes, why, why_bytes);
    if (status == FGPU_OK)
        status = file_make_room(path, size_bytes, limit_bytes, bytes, why, why_bytes);
    if (status == FGPU_OK)
        status = file_read_exactly(fd, path, range.offset_bytes, bytes, why, why_bytes);
    return file_close(fd, status, bytes);
}

static bool file_write_all(int fd, const uint8_t *data, size_t size_bytes)
{
    size_t done = 0;

    while (done < size_bytes) {
        ssize_t wrote = write(fd, data + done, size_bytes - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        done += (size_t)wrote;
    }
    return true;
}

/* Where the content goes: the end of a chain of links, or the path itself when there is nothing
 * yet. */
static fgpu_status file_target(const char *path, char *target, char *why, size_t why_bytes)
{
    struct stat info;

    if (lstat(path, &info) != 0) {
        if (errno != ENOENT)
            return why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be written: %s", path,
                            strerror(errno));
        if (strlen(path) >= PATH_MAX)
            return why_fail(FGPU_E_IO, why, why_bytes, "%.80s...: the name has more than %d bytes",
                            path, PATH_MAX - 1);
        (void)snprintf(target, PATH_MAX, "%s", path);
        return FGPU_OK;
    }
    if (!realpath(path, target) || stat(target, &info) != 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be written: %s", path,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return why_fail(FGPU_E_IO, why, why_bytes,
                        "%s: is not a plain file, so it is not replaced by one", path);
    return FGPU_OK;
}

/* Opens a fresh file in the folder of `target`; its name goes to `temporary`. Negative with errno
 * on failure. */
static int file_open_temporary(const char *target, char *temporary)
{
    const char *slash = strrchr(target, '/');
    int folder_length = slash ? (int)(slash - target + 1) : 0;

    for (int attempt = 0; attempt < 1000; attempt++) {
        int length = snprintf(temporary, PATH_MAX, "%.*s.fastgpu-%ld-%d.tmp", folder_length, target,
                              (long)getpid(), attempt);
        if (length < 0 || length >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        file_note(temporary);
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        file_forget();
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* Makes the rename durable. A folder that cannot be opened or synced (some network mounts) is no
 * failure: the rename itself has happened and is atomic. */
static void file_sync_folder(const char *target)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(target, '/');

    if (!slash)
        (void)snprintf(folder, sizeof folder, ".");
    else
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - target + 1), target);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

fgpu_status file_replace(const char *path, const void *data, size_t size_bytes, char *why,
                         size_t why_bytes)
{
    struct file_part part = {data, size_bytes};

    return file_replace_parts(path, &part, 1, why, why_bytes);
}

fgpu_status file_replace_parts(const char *path, const struct file_part *parts, size_t count,
                               char *why, size_t why_bytes)
{
    char target[PATH_MAX], temporary[PATH_MAX];
    size_t size_bytes = 0;
    bool wrote = true;

    fgpu_status status = file_target(path, target, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    int fd = file_open_temporary(target, temporary);
    if (fd < 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: no file can be created in its folder: %s",
                        path, strerror(errno));
    for (size_t i = 0; i < count; i++) {
        wrote = wrote && file_write_all(fd, parts[i].data, parts[i].size_bytes);
        size_bytes += parts[i].size_bytes;
    }
    wrote = wrote && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && wrote) {
        error = errno;
        wrote = false;
    }
    if (wrote && rename(temporary, target) != 0) {
        error = errno;
        wrote = false;
    }
    if (!wrote)
        (void)unlink(temporary);
    file_forget();
    if (!wrote)
        return why_fail(FGPU_E_IO, why, why_bytes, "%s: cannot be written (%zu bytes): %s", path,
                        size_bytes, strerror(error));
    file_sync_folder(target);
    return FGPU_OK;
}
