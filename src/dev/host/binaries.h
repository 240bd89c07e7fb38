/* Built programs on disk: one file per program, device and driver.
 *
 * A file is a header (magic, format, key, size, hashes) and the driver's binary. What is not
 * exactly as it was written, is for another key or another format, counts as absent and is replaced
 * by the next store. Files appear whole: written under another name, synchronised, renamed (POSIX
 * rename is atomic), so that any number of processes may use a folder. Thread: any.
 */
#ifndef FASTGPU_DEV_HOST_BINARIES_H
#define FASTGPU_DEV_HOST_BINARIES_H

#include <stddef.h>
#include <fastgpu/status.h>
#include "base/map.h"

/* Bytes before the binary in a file. */
#define BINARIES_HEADER 64u

/* The file's path; FGPU_E_RANGE when it does not fit. */
fgpu_status binaries_path(const char *folder, struct hash128 key, char *path, size_t path_bytes);

/* [give] *bytes: malloc'ed. FGPU_E_NOTFOUND: no file, or none that is whole. FGPU_E_NOMEM. */
fgpu_status binaries_load(const char *folder, struct hash128 key, void **bytes, size_t *size_bytes);

/* FGPU_E_IO: the folder cannot be written to; FGPU_E_RANGE: larger than a cache file may be. */
fgpu_status binaries_store(const char *folder, struct hash128 key, const void *bytes,
                           size_t size_bytes);

#endif
