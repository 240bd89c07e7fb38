/* Chunks of data as they are kept: a flag where all bytes are zero, compressed where a sample says
 * that it pays, else as they are.
 *
 * What is compressed (codec.h) are the bytes, or the bytes regrouped by their place in elements of
 * 4 or 8 bytes, which brings the signs and exponents of numbers together. LZ4 is used wherever it
 * saves an eighth: room in the folder, and in the system's cache of it, is short, too. Zstandard
 * instead where the time that it takes longer, there and back, is less than the folder takes to
 * write and read what it saves more. Pure but for the libraries and their clock. Thread: one for
 * each pack.
 */
#ifndef FASTGPU_DEV_SPILL_PACK_H
#define FASTGPU_DEV_SPILL_PACK_H

#include "dev/spill/codec.h"

#define PACK_CHUNK_BYTES 65536u

enum pack_form {
    PACK_RAW,
    PACK_ZERO,
    PACK_LZ4,
    PACK_LZ4_BY4,
    PACK_LZ4_BY8,
    PACK_ZSTD,
    PACK_ZSTD_BY4,
    PACK_ZSTD_BY8
};

/* What may be used; the values are those of fgpu_pool_spill_compress. */
enum pack_mode { PACK_AUTO, PACK_ONLY_LZ4, PACK_ONLY_ZSTD, PACK_NEVER };

struct pack {
    struct codec codec;
    enum pack_mode mode;
    double folder_ns; /* to write and read a byte there; 0: not known, as if it took no time */
    double zstd_ns;   /* that Zstandard took the last time for a byte, there and back, less some for
                         each sample that it was not asked since; 0: not known */
    unsigned char room[PACK_CHUNK_BYTES];  /* regrouped bytes */
    unsigned char trial[PACK_CHUNK_BYTES]; /* a sample, compressed */
};

/* Opens the libraries, once in a process. */
void pack_init(struct pack *pack, enum pack_mode mode);
void pack_fini(struct pack *pack);

/* The form that serves most of what a sample stands for: at most PACK_CHUNK_BYTES. Compressed only
 * where that saves an eighth or more. */
enum pack_form pack_choose(struct pack *pack, const void *sample, uint32_t bytes);

/* One chunk in that form, or in one that is kept as it is (PACK_RAW), or PACK_ZERO. [out] to:
 * PACK_CHUNK_BYTES; *stored: how many of them count; with PACK_RAW `to` is not written. */
enum pack_form pack_put(struct pack *pack, enum pack_form form, const void *from, uint32_t bytes,
                        void *to, uint32_t *stored);

/* The other way; `bytes` as it was. False: these are not the bytes that pack_put() gave. */
bool pack_get(struct pack *pack, enum pack_form form, const void *from, uint32_t stored, void *to,
              uint32_t bytes);

/* What a compressor made of a sample. */
struct pack_trial {
    enum pack_form form; /* PACK_RAW: it saves less than an eighth */
    uint32_t stored;
    double ns; /* there and back; 0 for PACK_RAW */
};

/* Which of the two serves better where the folder takes that long for a byte? Pure. */
const struct pack_trial *pack_better(const struct pack_trial *quick, const struct pack_trial *small,
                                     double folder_ns);

#endif
