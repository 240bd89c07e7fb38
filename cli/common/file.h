/* Files: read into memory, whole or in part, and replaced so that the new content is there entirely
 * or not at all.
 *
 * Used for every input and output of the CLI. A replaced file is written beside its place under a
 * temporary name, synced, then renamed: whoever looks (also after kill -9 or on a full disk) sees
 * the old file or the whole new one. Thread: any, but one file at a time is replaced; blocks on the
 * disk. The caller owns the bytes and
 * frees them with file_bytes_fini().
 */
#ifndef FASTGPU_CLI_COMMON_FILE_H
#define FASTGPU_CLI_COMMON_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

/* Growing bytes. All zero is the empty value. */
struct file_bytes {
    uint8_t *data;
    size_t size_bytes;
    size_t capacity_bytes;
};

/* Appends a copy of `size_bytes` bytes; false when memory is exhausted (the content stays as it
 * was). */
bool file_bytes_append(struct file_bytes *bytes, const void *data, size_t size_bytes);

/* Frees the memory and makes the value empty again; NULL is allowed. */
void file_bytes_fini(struct file_bytes *bytes);

/* Reads a whole file of at most `limit_bytes`; of a pipe, what is written until its end.
 * [out] bytes: empty before; filled on success, empty on failure.
 * Returns FGPU_OK, FGPU_E_IO, FGPU_E_LIMIT, FGPU_E_NOMEM, or FGPU_E_CANCELLED when a signal came
 * while it waited, with a sentence in `why`. */
fgpu_status file_read(const char *path, size_t limit_bytes, struct file_bytes *bytes, char *why,
                      size_t why_bytes);

/* A part of a plain file. */
struct file_range {
    uint64_t offset_bytes;
    size_t size_bytes; /* or FILE_TO_END: all that follows */
};

#define FILE_TO_END SIZE_MAX

/* Reads a part of a plain file (of a pipe or a device no part can be chosen), exactly as many bytes
 * as asked for and at most `limit_bytes`.
 * [out] bytes: filled on success, empty on failure.
 * Returns FGPU_OK; FGPU_E_RANGE where the file ends before the part does, with the sizes of both in
 * `why`; FGPU_E_LIMIT, FGPU_E_IO, FGPU_E_NOMEM, FGPU_E_CANCELLED. */
fgpu_status file_read_range(const char *path, struct file_range range, size_t limit_bytes,
                            struct file_bytes *bytes, char *why, size_t why_bytes);

/* Replaces or creates the file `path` with `size_bytes` bytes. A symbolic link is followed;
 * something that is no plain file (a device, a folder) is refused, for a rename would destroy it.
 * Returns FGPU_OK or FGPU_E_IO, FGPU_E_NOMEM. */
fgpu_status file_replace(const char *path, const void *data, size_t size_bytes, char *why,
                         size_t why_bytes);

/* What a file is put together from. [borrow] data. */
struct file_part {
    const void *data;
    size_t size_bytes;
};

/* The same with the bytes of several parts, one after another. */
fgpu_status file_replace_parts(const char *path, const struct file_part *parts, size_t count,
                               char *why, size_t why_bytes);

/* Removes the temporary file of a file_replace() that is under way, for a caller that ends the
 * process next. Thread: any, also while another one writes. */
void file_abandon(void);

#endif
