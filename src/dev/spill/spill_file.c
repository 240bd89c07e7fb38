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

#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"

#define SPILL_PAGE_BYTES 4096u
#define SPILL_PACE_BYTES (UINT64_C(64) << 20)   /* older ones count half */
#define SPILL_PACE_LEAST (16u << 10)            /* what is shorter tells of calls, not of bytes */
#define SPILL_SAMPLED_BYTES (UINT64_C(1) << 20) /* of a piece, that one sample stands for */

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

fgpu_status spill_file_open(struct spill_file *file, const char *folder, enum pack_mode mode)
{
    memset(file, 0, sizeof *file);
    vec_init(&file->holes, sizeof(struct spill_hole), NULL);
    lock_init(&file->lock);
    file->fd = spill_make(folder);
    if (file->fd < 0)
        return error_set(FGPU_E_IO, "no file for spilled data in folder '%.200s': %s", folder,
                         strerror(errno));
    pack_init(&file->pack, mode);
    return FGPU_OK;
}

void spill_file_close(struct spill_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
    pack_fini(&file->pack);
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

static void spill_pace(struct spill_file *file, struct spill_pace *pace, uint64_t since_ns,
                       uint32_t bytes)
{
    if (bytes < SPILL_PACE_LEAST)
        return;
    pace->ns += clock_now_ns() - since_ns;
    pace->bytes += bytes;
    if (pace->bytes > SPILL_PACE_BYTES) {
        pace->ns /= 2;
        pace->bytes /= 2;
    }
    double out = file->writes.bytes > 0 ? (double)file->writes.ns / (double)file->writes.bytes : 0;
    double in = file->reads.bytes > 0 ? (double)file->reads.ns / (double)file->reads.bytes : out;
    file->pack.folder_ns = out + in;
}

/* Returns how many of them were written: less only where the disk takes no more. */
static uint32_t spill_pwrite(struct spill_file *file, const unsigned char *from, uint32_t bytes,
                             uint64_t offset)
{
    uint64_t since_ns = clock_now_ns();
    uint32_t written = 0;
    while (written < bytes) {
        ssize_t done = pwrite(file->fd, from + written, bytes - written, (off_t)(offset + written));
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            break;
        written += (uint32_t)done;
    }
    spill_pace(file, &file->writes, since_ns, written);
    return written;
}

static bool spill_pread(struct spill_file *file, unsigned char *to, uint32_t bytes, uint64_t offset)
{
    uint64_t since_ns = clock_now_ns();
    uint32_t read = 0;
    while (read < bytes) {
        ssize_t done = pread(file->fd, to + read, bytes - read, (off_t)(offset + read));
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        read += (uint32_t)done;
    }
    spill_pace(file, &file->reads, since_ns, bytes);
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
    if (!spill_pread(file, file->old, chunk->stored, spill_at(piece, index)) ||
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

/* Of a new version of the chunk so many bytes were written, and no more. What the caller writes is
 * lost then, and its place free for others; what he does not write must be as it was. */
static void spill_refused(struct spill_file *file, struct spill_piece *piece, uint64_t index,
                          const struct spill_part *part, uint32_t written)
{
    struct spill_chunk *chunk = &piece->chunks[index];
    uint32_t damaged = written < chunk->stored ? written : chunk->stored;
    uint32_t used = written > chunk->stored ? written : chunk->stored;
    if (damaged == 0 ||
        (part->keeps && spill_pwrite(file, file->old, damaged, spill_at(piece, index)) == damaged))
        return;
    uint32_t lost = part->keeps && chunk->length > chunk->lost ? chunk->length : chunk->lost;
    *chunk = (struct spill_chunk){.lost = lost};
    spill_shrink(file, piece, index, used, 0);
}

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
    next.lost = chunk->lost > next.length ? chunk->lost : 0;
    uint32_t written = spill_pwrite(file, stored, next.stored, spill_at(piece, index));
    if (written < next.stored) {
        spill_refused(file, piece, index, part, written);
        return false;
    }
    spill_shrink(file, piece, index, chunk->stored, next.stored);
    file->stored_bytes += next.stored;
    file->chunks_written++;
    file->zero_chunks += next.form == PACK_ZERO;
    file->packed_chunks += next.form >= PACK_LZ4;
    file->zstd_chunks += next.form >= PACK_ZSTD;
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
    if (part->first > chunk->length && chunk->lost > chunk->length)
        return false; /* those between them must not be readable */
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

/* Rows share a sample. One that does not pay says nothing of what follows. */
static enum pack_form spill_form(struct spill_file *file, struct spill_piece *piece,
                                 const void *from, uint64_t bytes)
{
    uint32_t sample = bytes < PACK_CHUNK_BYTES ? (uint32_t)bytes : PACK_CHUNK_BYTES;
    if (piece->sampled_bytes < bytes) {
        piece->form = pack_choose(&file->pack, from, sample);
        piece->sampled_bytes = piece->form != PACK_RAW ? SPILL_SAMPLED_BYTES : 0;
    }
    piece->sampled_bytes -= piece->sampled_bytes < bytes ? piece->sampled_bytes : bytes;
    return piece->form;
}

fgpu_status spill_file_write(struct spill_file *file, struct spill_piece *piece, uint64_t offset,
                             const void *from, uint64_t bytes)
{
    const unsigned char *at = from;
    enum pack_form form = spill_form(file, piece, from, bytes);
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
