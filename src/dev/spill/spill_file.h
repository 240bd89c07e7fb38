/* A file without a name that keeps ranges of data in chunks (pack.h), with a checksum of each.
 *
 * A piece is what the pool gets as an allocation: a range of the file's offsets, of which only what
 * is stored takes room. Keeps true: what was written and not overwritten is read back as it was, or
 * the read fails; a write that fails (the disk is full) leaves all bytes outside of its range as
 * they were. Thread: one at a time for reads and writes; pieces may be made and dropped at the same
 * time by another.
 */
#ifndef FASTGPU_DEV_SPILL_SPILL_FILE_H
#define FASTGPU_DEV_SPILL_SPILL_FILE_H

#include <fastgpu/status.h>

#include "base/lock.h"
#include "base/vec.h"
#include "dev/spill/pack.h"

struct spill_chunk {
    uint64_t sum;    /* of the stored bytes */
    uint32_t stored; /* bytes in the file */
    uint32_t length; /* bytes from its start that have been written to it */
    uint32_t lost;   /* bytes from `length` to there went with a write that failed half way, though
                        nobody wrote them anew; 0: none did */
    uint8_t form;    /* enum pack_form */
};

struct spill_piece {
    uint64_t offset, bytes; /* in the file; multiples of the chunk */
    uint64_t sampled_bytes; /* may still be written in `form` without another sample */
    enum pack_form form;
    struct spill_chunk chunks[];
};

/* How quickly bytes come and go, of late. */
struct spill_pace {
    uint64_t ns, bytes;
};

struct spill_file {
    int fd;
    struct lock lock; /* of what follows */
    uint64_t end;     /* offsets from here on have never been given away */
    struct vec holes; /* struct spill_hole: given back */
    struct pack pack;
    struct spill_pace writes, reads;
    uint64_t stored_bytes, zero_chunks, packed_chunks, zstd_chunks, chunks_written;
    unsigned char plain[PACK_CHUNK_BYTES], coded[PACK_CHUNK_BYTES], old[PACK_CHUNK_BYTES];
};

/* Makes the file in the folder. FGPU_E_IO with a text. */
fgpu_status spill_file_open(struct spill_file *file, const char *folder, enum pack_mode mode);
void spill_file_close(struct spill_file *file);

/* NULL without memory. */
struct spill_piece *spill_file_take(struct spill_file *file, uint64_t bytes);
void spill_file_give(struct spill_file *file, struct spill_piece *piece);

/* FGPU_E_IO: the disk is full or broken; or, of reads, it is not what was written. Without a text.
 */
fgpu_status spill_file_write(struct spill_file *file, struct spill_piece *piece, uint64_t offset,
                             const void *from, uint64_t bytes);
fgpu_status spill_file_read(struct spill_file *file, struct spill_piece *piece, uint64_t offset,
                            void *to, uint64_t bytes);

#endif
