/* The two compressors of spilled data: LZ4 (block format), which is quick, and Zstandard, which
 * packs more.
 *
 * Their libraries are opened at run time, once in a process (liblz4.so.1, libzstd.so.1; Debian
 * liblz4-1, libzstd1); one that is not there compresses nothing. Thread: one for each struct codec.
 */
#ifndef FASTGPU_DEV_SPILL_CODEC_H
#define FASTGPU_DEV_SPILL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec_kind { CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

struct codec {
    void *contexts[2]; /* of Zstandard, to compress and to decompress; made at the first use */
};

void codec_init(struct codec *codec);
void codec_fini(struct codec *codec);

bool codec_is_there(enum codec_kind kind);

/* At most `most` bytes to `to`. Returns how many; 0: it does not get so small. */
uint32_t codec_compress(struct codec *codec, enum codec_kind kind, const void *from, uint32_t bytes,
                        void *to, uint32_t most);

/* False: that is not what codec_compress() made of `bytes` bytes. */
bool codec_decompress(struct codec *codec, enum codec_kind kind, const void *from, uint32_t stored,
                      void *to, uint32_t bytes);

#endif
