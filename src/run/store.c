/* Files that are replaced as a whole, and the lock that goes with them; see store.h.
 *
 * The temporary file has a fixed name, so that a killed writer leaves at most one behind, which the
 * next one uses again. Writers take turns by flock(2) on it. Whoever waited may find that what it
 * has opened was renamed into place meanwhile: it then opens anew (the name is checked against the
 * descriptor before a byte is touched).
 */
#include "run/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/error.h"
#include "model/history.h"

#define STORE_LOCK_POLL_NS 2000000
#define STORE_SAVE_TIMEOUT_MS 2000u

/* ---- paths ------------------------------------------------------------------------------ */

/* `base` and `tail` in one, no longer than a path. */
static fgpu_status store_join(char *out, const char *base, const char *tail)
{
    int length = snprintf(out, STORE_PATH_BYTES, "%s%s", base, tail);
    if (length < 0 || (unsigned)length >= STORE_PATH_BYTES)
        return error_set(FGPU_E_LIMIT, "path %.60s...%s is longer than %u bytes", base, tail,
                         STORE_PATH_BYTES - 1);
    return FGPU_OK;
}

/* Makes a folder and those above it. */
static fgpu_status store_make_folders(char *path)
{
    for (size_t i = 1;; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char kept = path[i];
        path[i] = '\0';
        int made = mkdir(path, 0700);
        int reason = errno;
        struct stat info;
        bool there = made == 0 || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
        if (!there) {
            fgpu_status status =
                error_set(FGPU_E_IO, "cannot make the folder %s: %s", path, strerror(reason));
            path[i] = kept;
            return status;
        }
        path[i] = kept;
        if (kept == '\0')
            return FGPU_OK;
    }
}

/* The folder for caches; "" when there is none. Relative values do not count (XDG Base Directory
 * Specification 0.8). */
static fgpu_status store_folder(const char *cache_dir, char *path)
{
    path[0] = '\0';
    if (cache_dir != NULL)
        return store_join(path, cache_dir, "");
    const char *xdg = getenv("XDG_CACHE_HOME");
    if (xdg != NULL && xdg[0] == '/')
        return store_join(path, xdg, "/fastgpu");
    const char *home = getenv("HOME");
    if (home != NULL && home[0] == '/')
        return store_join(path, home, "/.cache/fastgpu");
    return FGPU_OK;
}

fgpu_status store_path(const char *cache_dir, const char *name, char *path)
{
    char folder[STORE_PATH_BYTES];
    path[0] = '\0';
    fgpu_status status = store_folder(cache_dir, folder);
    if (status != FGPU_OK || folder[0] == '\0')
        return status;
    status = store_make_folders(folder);
    if (status == FGPU_OK)
        status = store_join(path, folder, name != NULL && name[0] != '\0' ? "/" : "");
    if (status == FGPU_OK && name != NULL) {
        char start[STORE_PATH_BYTES];
        memcpy(start, path, STORE_PATH_BYTES);
        status = store_join(path, start, name);
    }
    if (status != FGPU_OK)
        path[0] = '\0';
    return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

static fgpu_status store_read_fd(int fd, const char *path, size_t max_bytes, struct vec *out)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set(FGPU_E_IO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(FGPU_E_IO, "%s is no regular file", path);
    if ((uint64_t)info.st_size > max_bytes)
        return error_set(FGPU_E_LIMIT, "%s has %lld bytes, at most %zu are read", path,
                         (long long)info.st_size, max_bytes);
    size_t want = (size_t)info.st_size;
    if (!vec_reserve(out, out->count + want))
        return error_set(FGPU_E_NOMEM, "no memory for the %zu bytes of %s", want, path);
    size_t got = 0;
    while (got < want) {
        ssize_t n = read(fd, out->items + out->count + got, want - got);
        if (n < 0 && errno != EINTR)
            return error_set(FGPU_E_IO, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            break; /* became shorter: what is there is the file */
        got += n > 0 ? (size_t)n : 0;
    }
    out->count += got;
    return FGPU_OK;
}

fgpu_status store_read(const char *path, size_t max_bytes, struct vec *out)
{
    FGPU_ASSERT(out->item_bytes == 1);
    /* O_NONBLOCK: a fifo in that place must not stop us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return FGPU_E_NOTFOUND;
    if (fd < 0)
        return error_set(FGPU_E_IO, "cannot open %s: %s", path, strerror(errno));
    fgpu_status status = store_read_fd(fd, path, max_bytes, out);
    close(fd);
    return status;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Is `path` still the name of what `fd` has open? */
static bool store_is_same(int fd, const char *path)
{
    struct stat by_fd, by_path;
    return fstat(fd, &by_fd) == 0 && lstat(path, &by_path) == 0 && by_fd.st_ino == by_path.st_ino &&
           by_fd.st_dev == by_path.st_dev;
}

/* Opens and locks the temporary file; -1 with errno. */
static int store_open_temp(const char *temp, unsigned mode)
{
    for (;;) {
        int fd = open(temp, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
        if (fd < 0)
            return -1;
        int locked;
        do
            locked = flock(fd, LOCK_EX);
        while (locked != 0 && errno == EINTR);
        if (locked == 0 && store_is_same(fd, temp)) {
            if (ftruncate(fd, 0) == 0)
                return fd;
            locked = -1;
        }
        int reason = errno;
        close(fd);
        if (locked != 0) {
            errno = reason;
            return -1;
        }
    }
}

fgpu_status store_begin(struct store_file *file, const char *path, unsigned mode)
{
    char temp[STORE_PATH_BYTES];
    file->fd = -1;
    file->used = 0;
    file->status = store_join(temp, path, ".tmp");
    if (file->status != FGPU_OK)
        return file->status;
    memcpy(file->path, path, strlen(path) + 1);
    file->fd = store_open_temp(temp, mode);
    if (file->fd < 0)
        file->status = error_set(FGPU_E_IO, "cannot write %s: %s", temp, strerror(errno));
    return file->status;
}

static void store_write_out(struct store_file *file, const char *data, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes && file->status == FGPU_OK) {
        ssize_t n = write(file->fd, data + done, size_bytes - done);
        if (n < 0 && errno != EINTR)
            file->status =
                error_set(FGPU_E_IO, "cannot write %s.tmp: %s", file->path, strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
}

fgpu_status store_append(struct store_file *file, const void *data, size_t size_bytes)
{
    if (size_bytes > sizeof file->buffer - file->used) {
        store_write_out(file, file->buffer, file->used);
        file->used = 0;
    }
    if (size_bytes > sizeof file->buffer) {
        store_write_out(file, data, size_bytes);
    } else if (size_bytes > 0) {
        memcpy(file->buffer + file->used, data, size_bytes);
        file->used += size_bytes;
    }
    return file->status;
}

/* Makes the rename itself last through a power cut. Failure is not worth a word: the file is whole
 * either way. */
static void store_flush_folder(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        slash[slash == path ? 1 : 0] = '\0';
    int fd = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

fgpu_status store_commit(struct store_file *file)
{
    char temp[STORE_PATH_BYTES];
    if (file->fd < 0)
        return file->status;
    store_write_out(file, file->buffer, file->used);
    if (file->status == FGPU_OK)
        file->status = store_join(temp, file->path, ".tmp");
    if (file->status == FGPU_OK && fsync(file->fd) != 0)
        file->status = error_set(FGPU_E_IO, "cannot flush %s: %s", temp, strerror(errno));
    if (file->status == FGPU_OK && rename(temp, file->path) != 0)
        file->status = error_set(FGPU_E_IO, "cannot replace %s: %s", file->path, strerror(errno));
    fgpu_status status = file->status;
    if (status != FGPU_OK) {
        store_abort(file);
        return status;
    }
    close(file->fd);
    file->fd = -1;
    store_flush_folder(file->path);
    return FGPU_OK;
}

void store_abort(struct store_file *file)
{
    if (file == NULL || file->fd < 0)
        return;
    char temp[STORE_PATH_BYTES];
    /* Still ours: the lock is held. A text that was set before stays. */
    if (snprintf(temp, sizeof temp, "%s.tmp", file->path) > 0)
        unlink(temp);
    close(file->fd);
    file->fd = -1;
}

fgpu_status store_write_whole(const char *path, const void *data, size_t size_bytes)
{
    struct store_file file;
    fgpu_status status = store_begin(&file, path, 0600);
    if (status != FGPU_OK)
        return status;
    store_append(&file, data, size_bytes);
    return store_commit(&file);
}

/* ---- the lock --------------------------------------------------------------------------- */

fgpu_status store_lock(const char *path, unsigned timeout_ms, int *fd)
{
    char name[STORE_PATH_BYTES];
    fgpu_status status = store_join(name, path, ".lock");
    if (status != FGPU_OK)
        return status;
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return error_set(FGPU_E_IO, "cannot open %s: %s", name, strerror(errno));
    uint64_t end_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
    while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            status = error_set(FGPU_E_IO, "cannot lock %s: %s", name, strerror(errno));
        else if (clock_now_ns() >= end_ns)
            status = error_set(FGPU_E_TIMEOUT, "%s was held for more than %u ms", name, timeout_ms);
        if (status != FGPU_OK) {
            close(*fd);
            *fd = -1;
            return status;
        }
        nanosleep(&(struct timespec){.tv_nsec = STORE_LOCK_POLL_NS}, NULL);
    }
    return FGPU_OK;
}

void store_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* ---- the performance model -------------------------------------------------------------- */

fgpu_status store_load_history(const char *path, struct history *history)
{
    struct vec blob;
    vec_init(&blob, 1, NULL);
    fgpu_status status = store_read(path, HISTORY_BLOB_MAX_BYTES, &blob);
    if (status == FGPU_OK)
        status = history_load(history, blob.items, blob.count);
    vec_fini(&blob);
    if (status == FGPU_E_NOMEM)
        return error_set(status, "no memory for the performance model in %s", path);
    return status == FGPU_E_IO ? status : FGPU_OK;
}

fgpu_status store_save_history(const char *path, struct history *history)
{
    struct vec blob;
    int lock = -1;
    if (!history->changed)
        return FGPU_OK;
    fgpu_status status = store_lock(path, STORE_SAVE_TIMEOUT_MS, &lock);
    if (status != FGPU_OK)
        return status;
    vec_init(&blob, 1, NULL);
    status = store_load_history(path, history);
    if (status == FGPU_OK && history_save(history, &blob) != FGPU_OK)
        status = error_set(FGPU_E_NOMEM, "no memory to write the performance model");
    if (status == FGPU_OK)
        status = store_write_whole(path, blob.items, blob.count);
    if (status != FGPU_OK)
        history->changed = true;
    vec_fini(&blob);
    store_unlock(lock);
    return status;
}
