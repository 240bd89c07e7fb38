/* The file of what was spilled, see spill_file.h.
 *
 * A chunk is written in its place from its start; where it got smaller the rest of its room is
 * given back to the file system.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "dev/spill/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/map.h"

#define SPILL_PAGE_BYTES 4096u

struct spill_hole {
    uint64_t offset, bytes;
};

static int spill_make(const char *folder)
{
    char path[4096];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    int length = snprintf(path, sizeof path, "%s/fastgpu-spill-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

fgpu_status spill_file_open(struct spill_file *file, const char *folder)
{
    memset(file, 0, sizeof *file);
    vec_init(&file->holes, sizeof(struct spill_hole), NULL);
    lock_init(&file->lock);
    file->fd = spill_make(folder);
    if (file->fd < 0)
        return error_set(FGPU_E_IO, "no file for spilled data in folder '%.200s': %s", folder,
                         strerror(errno));
    (void)pack_init(&file->pack);
    return FGPU_OK;
}

void spill_file_close(struct spill_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
    vec_fini(&file->holes);
}

/* ---- pieces ----------------------------------------------------------------------------- */

static uint64_t spill_place(struct spill_file *file, uint64_t bytes)
{
    for (size_t i = 0; i < file->holes.count; i++) {
        struct spill_hole *hole = vec_at(&file->holes, i);
        if (hole->bytes < bytes)
            continue;
        uint64_t offset = hole->offset;
        hole->offset += bytes;
        hole->bytes -= bytes;
        if (hole->bytes == 0) {
            *hole = *(struct spill_hole *)vec_at(&file->holes, file->holes.count - 1);
            file->holes.count--;
        }
        return offset;
    }
    uint64_t offset = file->end;
    file->end += bytes;
    return offset;
}

struct spill_piece *spill_file_take(struct spill_file *file, uint64_t bytes)
{
    uint64_t chunks = (bytes + PACK_CHUNK_BYTES - 1) / PACK_CHUNK_BYTES;
    struct spill_piece *piece =
        calloc(1, sizeof *piece + (size_t)chunks * sizeof(struct spill_chunk));
    if (piece == NULL)
        return NULL;
    piece->bytes = chunks * PACK_CHUNK_BYTES;
    lock_acquire(&file->lock);
    piece->offset = spill_place(file, piece->bytes);
    lock_release(&file->lock);
    return piece;
}

void spill_file_give(struct spill_file *file, struct spill_piece *piece)
{
    struct spill_hole hole = {piece->offset, piece->bytes};
    (void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)hole.offset,
                    (off_t)hole.bytes);
    lock_acquire(&file->lock);
    bool joined = false;
    for (size_t i = 0; i < file->holes.count && !joined; i++) {
        struct spill_hole *at = vec_at(&file->holes, i);
        joined = at->offset + at->bytes == hole.offset || hole.offset + hole.bytes == at->offset;
        if (joined) {
            at->offset = at->offset < hole.offset ? at->offset : hole.offset;
            at->bytes += hole.bytes;
        }
    }
    if (!joined) /* without memory: these offsets are not used again */
        (void)vec_push(&file->holes, &hole);
    lock_release(&file->lock);
    free(piece);
}

/* ---- bytes ------------------------------------------------------------------------------ */

static bool spill_pwrite(int fd, const unsigned char *from, uint32_t bytes, uint64_t offset)
{
    while (bytes > 0) {
        ssize_t done = pwrite(fd, from, bytes, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        bytes -= (uint32_t)done;
        offset += (uint64_t)done;
    }
    return true;
}

static bool spill_pread(int fd, unsigned char *to, uint32_t bytes, uint64_t offset)
{
    while (bytes > 0) {
        ssize_t done = pread(fd, to, bytes, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        to += done;
        bytes -= (uint32_t)done;
        offset += (uint64_t)done;
    }
    return true;
}

static uint64_t spill_at(const struct spill_piece *piece, uint64_t chunk)
{
    return piece->offset + chunk * PACK_CHUNK_BYTES;
}

/* The chunk as it was written, `length` bytes of it; the stored ones stay in file->old. */
static bool spill_get(struct spill_file *file, const struct spill_piece *piece, uint64_t index,
                      unsigned char *to)
{
    const struct spill_chunk *chunk = &piece->chunks[index];
    if (chunk->broken || !spill_pread(file->fd, file->old, chunk->stored, spill_at(piece, index)) ||
        hash_bytes(file->old, chunk->stored, 0) != chunk->sum)
        return false;
    return pack_get(&file->pack, (enum pack_form)chunk->form, file->old, chunk->stored, to,
                    chunk->length);
}

static void spill_shrink(const struct spill_file *file, const struct spill_piece *piece,
                         uint64_t index, uint32_t before, uint32_t after)
{
    uint32_t from = (after + SPILL_PAGE_BYTES - 1) / SPILL_PAGE_BYTES * SPILL_PAGE_BYTES;
    if (before > from)
        (void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)(spill_at(piece, index) + from), (off_t)(before - from));
}

/* Bytes [first, last) of one chunk. */
struct spill_part {
    uint32_t first, last;
    const unsigned char *from;
    enum pack_form form;
    bool keeps; /* the former stored bytes lie in file->old, and are needed if this fails */
};

/* From its first byte on. */
static bool spill_put(struct spill_file *file, struct spill_piece *piece, uint64_t index,
                      const struct spill_part *part)
{
    struct spill_chunk *chunk = &piece->chunks[index];
    struct spill_chunk next = {.length = part->last};
    next.form = (uint8_t)pack_put(&file->pack, part->form, part->from, part->last, file->coded,
                                  &next.stored);
    const unsigned char *stored = next.form == PACK_RAW ? part->from : file->coded;
    next.sum = hash_bytes(stored, next.stored, 0);
    if (!spill_pwrite(file->fd, stored, next.stored, spill_at(piece, index))) {
        bool whole =
            part->keeps && spill_pwrite(file->fd, file->old, chunk->stored, spill_at(piece, index));
        chunk->broken = !whole;
        return false;
    }
    spill_shrink(file, piece, index, chunk->stored, next.stored);
    file->stored_bytes += next.stored;
    file->chunks_written++;
    file->zero_chunks += next.form == PACK_ZERO;
    file->packed_chunks += next.form >= PACK_LZ4;
    *chunk = next;
    return true;
}

static bool spill_write_chunk(struct spill_file *file, struct spill_piece *piece, uint64_t index,
                              const struct spill_part *part)
{
    struct spill_chunk *chunk = &piece->chunks[index];
    if (part->first == 0 && part->last >= chunk->length)
        return spill_put(file, piece, index, part);
    if (chunk->length > 0 && !spill_get(file, piece, index, file->plain))
        return false;
    if (part->first > chunk->length)
        memset(file->plain + chunk->length, 0, part->first - chunk->length);
    memcpy(file->plain + part->first, part->from, part->last - part->first);
    const struct spill_part whole = {.last =
                                         part->last > chunk->length ? part->last : chunk->length,
                                     .from = file->plain,
                                     .form = part->form,
                                     .keeps = chunk->length > 0};
    return spill_put(file, piece, index, &whole);
}

fgpu_status spill_file_write(struct spill_file *file, struct spill_piece *piece, uint64_t offset,
                             const void *from, uint64_t bytes)
{
    const unsigned char *at = from;
    uint32_t sample = bytes < PACK_CHUNK_BYTES ? (uint32_t)bytes : PACK_CHUNK_BYTES;
    enum pack_form form = pack_choose(&file->pack, at, sample, file->coded);
    for (uint64_t end = offset + bytes; offset < end;) {
        uint64_t index = offset / PACK_CHUNK_BYTES, begin = index * PACK_CHUNK_BYTES;
        uint64_t last = end - begin < PACK_CHUNK_BYTES ? end - begin : PACK_CHUNK_BYTES;
        struct spill_part part = {
            .first = (uint32_t)(offset - begin), .last = (uint32_t)last, .from = at, .form = form};
        if (!spill_write_chunk(file, piece, index, &part))
            return FGPU_E_IO;
        at += last - part.first;
        offset = begin + last;
    }
    return FGPU_OK;
}

fgpu_status spill_file_read(struct spill_file *file, struct spill_piece *piece, uint64_t offset,
                            void *to, uint64_t bytes)
{
    unsigned char *at = to;
    for (uint64_t end = offset + bytes; offset < end;) {
        uint64_t index = offset / PACK_CHUNK_BYTES, begin = index * PACK_CHUNK_BYTES;
        uint64_t last = end - begin < PACK_CHUNK_BYTES ? end - begin : PACK_CHUNK_BYTES;
        uint64_t first = offset - begin;
        if (last > piece->chunks[index].length) /* never written */
            return FGPU_E_IO;
        if (!spill_get(file, piece, index, file->plain))
            return FGPU_E_IO;
        memcpy(at, file->plain + first, last - first);
        at += last - first;
        offset = begin + last;
    }
    return FGPU_OK;
}
