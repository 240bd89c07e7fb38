/* Chunks of data as they are kept: a flag where all bytes are zero, compressed where a sample says
 * that it pays, else as they are.
 *
 * Compression is LZ4 (block format), of the bytes or of the bytes regrouped by their place in
 * elements of 4 or 8 bytes, which brings the signs and exponents of numbers together. The library
 * is opened at run time (liblz4.so.1, Debian liblz4-1); without it nothing is compressed. Pure but
 * for that. Thread: one for each pack.
 */
#ifndef FASTGPU_DEV_SPILL_PACK_H
#define FASTGPU_DEV_SPILL_PACK_H

#include <stdbool.h>
#include <stdint.h>

#define PACK_CHUNK_BYTES 65536u

enum pack_form { PACK_RAW, PACK_ZERO, PACK_LZ4, PACK_LZ4_BY4, PACK_LZ4_BY8 };

struct pack {
    int (*compress)(const char *from, char *to, int from_bytes, int to_bytes, int speed);
    int (*decompress)(const char *from, char *to, int from_bytes, int to_bytes);
    unsigned char room[PACK_CHUNK_BYTES]; /* regrouped bytes */
};

/* Opens the library, once in a process; false: there is none, nothing will be compressed. */
bool pack_init(struct pack *pack);

/* The form that serves most of what a sample stands for: at most PACK_CHUNK_BYTES. Compressed only
 * where that saves an eighth or more. [out] to: scratch of PACK_CHUNK_BYTES. */
enum pack_form pack_choose(struct pack *pack, const void *sample, uint32_t bytes, void *to);

/* One chunk in that form, or in one that is kept as it is (PACK_RAW), or PACK_ZERO. [out] to:
 * PACK_CHUNK_BYTES; *stored: how many of them count; with PACK_RAW `to` is not written. */
enum pack_form pack_put(struct pack *pack, enum pack_form form, const void *from, uint32_t bytes,
                        void *to, uint32_t *stored);

/* The other way; `bytes` as it was. False: these are not the bytes that pack_put() gave. */
bool pack_get(struct pack *pack, enum pack_form form, const void *from, uint32_t stored, void *to,
              uint32_t bytes);

#endif
