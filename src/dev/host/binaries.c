/* Cache files: see binaries.h. Numbers are in the machine's byte order: a file from a machine with
 * another order has another magic, and another device name in its key.
 */
#include "dev/host/binaries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/limits.h"

#define CACHE_MAGIC UINT64_C(0x314e494243555046) /* "FPUCBIN1" */
#define CACHE_FORMAT 1u
#define CACHE_SEED 0x46504743u
#define CACHE_PATH 4096u

struct cache_header {
    uint64_t magic;
    uint32_t format;
    uint32_t header_bytes;
    struct hash128 key;
    uint64_t binary_bytes;
    struct hash128 binary_hash;
    uint64_t header_hash; /* of everything before */
};

_Static_assert(sizeof(struct cache_header) == BINARIES_HEADER, "the file format");

fgpu_status binaries_path(const char *folder, struct hash128 key, char *path, size_t path_bytes)
{
    int length = snprintf(path, path_bytes, "%s/kernel-%016llx%016llx.bin", folder,
                          (unsigned long long)key.high, (unsigned long long)key.low);

    return length > 0 && (size_t)length < path_bytes ? FGPU_OK : FGPU_E_RANGE;
}

static struct cache_header cache_make_header(struct hash128 key, const void *bytes,
                                             size_t size_bytes)
{
    struct cache_header header;

    memset(&header, 0, sizeof(header));
    header.magic = CACHE_MAGIC;
    header.format = CACHE_FORMAT;
    header.header_bytes = BINARIES_HEADER;
    header.key = key;
    header.binary_bytes = size_bytes;
    header.binary_hash = hash128(bytes, size_bytes, CACHE_SEED);
    header.header_hash =
        hash_bytes(&header, offsetof(struct cache_header, header_hash), CACHE_SEED);
    return header;
}

static bool cache_read_all(int file, void *bytes, size_t size_bytes)
{
    char *to = bytes;

    while (size_bytes > 0) {
        ssize_t got = read(file, to, size_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        size_bytes -= (size_t)got;
    }
    return true;
}

static bool cache_write_all(int file, const void *bytes, size_t size_bytes)
{
    const char *from = bytes;

    while (size_bytes > 0) {
        ssize_t put = write(file, from, size_bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        from += put;
        size_bytes -= (size_t)put;
    }
    return true;
}

/* The file must be exactly what would be written for what it holds. */
static fgpu_status cache_read(int file, struct hash128 key, void **bytes, size_t *size_bytes)
{
    struct cache_header header;
    struct cache_header wanted;
    struct stat found;
    void *binary = NULL;

    if (fstat(file, &found) != 0 || found.st_size <= (off_t)sizeof(header) ||
        found.st_size > (off_t)(sizeof(header) + LIMITS_BINARY_BYTES) ||
        !cache_read_all(file, &header, sizeof(header)) ||
        header.binary_bytes != (uint64_t)found.st_size - sizeof(header))
        return FGPU_E_NOTFOUND;
    binary = malloc(header.binary_bytes);
    if (binary == NULL)
        return FGPU_E_NOMEM;
    if (cache_read_all(file, binary, header.binary_bytes)) {
        wanted = cache_make_header(key, binary, header.binary_bytes);
        if (memcmp(&wanted, &header, sizeof(header)) == 0) {
            *bytes = binary;
            *size_bytes = header.binary_bytes;
            return FGPU_OK;
        }
    }
    free(binary);
    return FGPU_E_NOTFOUND;
}

fgpu_status binaries_load(const char *folder, struct hash128 key, void **bytes, size_t *size_bytes)
{
    char path[CACHE_PATH];
    fgpu_status status = binaries_path(folder, key, path, sizeof(path));
    int file = -1;

    if (status != FGPU_OK)
        return FGPU_E_NOTFOUND;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return FGPU_E_NOTFOUND;
    status = cache_read(file, key, bytes, size_bytes);
    (void)close(file);
    return status;
}

fgpu_status binaries_store(const char *folder, struct hash128 key, const void *bytes,
                           size_t size_bytes)
{
    char path[CACHE_PATH];
    char temporary[CACHE_PATH + 32];
    struct cache_header header;
    bool written = false;
    int file = -1;

    if (size_bytes == 0 || size_bytes > LIMITS_BINARY_BYTES ||
        binaries_path(folder, key, path, sizeof(path)) != FGPU_OK)
        return FGPU_E_RANGE;
    /* Drawn: containers that share a folder have the same process numbers. */
    (void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return FGPU_E_IO;
    header = cache_make_header(key, bytes, size_bytes);
    written = cache_write_all(file, &header, sizeof(header)) &&
              cache_write_all(file, bytes, size_bytes) && fsync(file) == 0;
    if (close(file) != 0)
        written = false;
    if (written && rename(temporary, path) == 0)
        return FGPU_OK;
    (void)unlink(temporary); /* what could not be written whole is not kept */
    return FGPU_E_IO;
}
