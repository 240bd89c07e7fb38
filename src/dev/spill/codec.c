/* Compressors whose libraries are opened at run time, see codec.h. */
#include "dev/spill/codec.h"

#include <dlfcn.h>
#include <string.h>

#include "base/lock.h"

#define CODEC_LZ4_SPEED 1  /* the usual one of the library */
#define CODEC_ZSTD_LEVEL 1 /* the quickest of its usual ones: data are spilled once, in a hurry */

struct codec_lz4 {
    int (*compress)(const char *from, char *to, int from_bytes, int to_bytes, int speed);
    int (*decompress)(const char *from, char *to, int from_bytes, int to_bytes);
};

struct codec_zstd {
    void *(*make[2])(void);    /* contexts: to compress, to decompress */
    size_t (*drop[2])(void *); /* takes NULL */
    size_t (*compress)(void *context, void *to, size_t to_bytes, const void *from,
                       size_t from_bytes, int level);
    size_t (*decompress)(void *context, void *to, size_t to_bytes, const void *from,
                         size_t from_bytes);
    unsigned (*is_error)(size_t code);
};

static struct lock codec_lock;
static bool codec_asked; /* under the lock; what follows is never changed after that */
static bool codec_there[CODEC_COUNT];
static struct codec_lz4 codec_lz4;
static struct codec_zstd codec_zstd;

/* POSIX says that a data pointer holds a function pointer. */
static bool codec_find(void *library, const char *name, void *function, size_t bytes)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, bytes);
    return symbol != NULL;
}

static bool codec_load_lz4(void)
{
    struct codec_lz4 *lz4 = &codec_lz4;
    void *library = dlopen("liblz4.so.1", RTLD_NOW | RTLD_LOCAL); /* never closed */
    return library != NULL &&
           codec_find(library, "LZ4_compress_fast", &lz4->compress, sizeof lz4->compress) &&
           codec_find(library, "LZ4_decompress_safe", &lz4->decompress, sizeof lz4->decompress);
}

static bool codec_load_zstd(void)
{
    struct codec_zstd *zstd = &codec_zstd;
    void *library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    return library != NULL &&
           codec_find(library, "ZSTD_createCCtx", &zstd->make[0], sizeof zstd->make[0]) &&
           codec_find(library, "ZSTD_createDCtx", &zstd->make[1], sizeof zstd->make[1]) &&
           codec_find(library, "ZSTD_freeCCtx", &zstd->drop[0], sizeof zstd->drop[0]) &&
           codec_find(library, "ZSTD_freeDCtx", &zstd->drop[1], sizeof zstd->drop[1]) &&
           codec_find(library, "ZSTD_compressCCtx", &zstd->compress, sizeof zstd->compress) &&
           codec_find(library, "ZSTD_decompressDCtx", &zstd->decompress, sizeof zstd->decompress) &&
           codec_find(library, "ZSTD_isError", &zstd->is_error, sizeof zstd->is_error);
}

void codec_init(struct codec *codec)
{
    lock_acquire(&codec_lock);
    if (!codec_asked) {
        codec_there[CODEC_LZ4] = codec_load_lz4();
        codec_there[CODEC_ZSTD] = codec_load_zstd();
    }
    codec_asked = true;
    lock_release(&codec_lock);
    *codec = (struct codec){{NULL, NULL}};
}

void codec_fini(struct codec *codec)
{
    for (int i = 0; i < 2; i++)
        if (codec->contexts[i] != NULL)
            (void)codec_zstd.drop[i](codec->contexts[i]);
    *codec = (struct codec){{NULL, NULL}};
}

bool codec_is_there(enum codec_kind kind)
{
    return codec_there[kind];
}

/* NULL without memory. */
static void *codec_context(struct codec *codec, int which)
{
    if (codec->contexts[which] == NULL)
        codec->contexts[which] = codec_zstd.make[which]();
    return codec->contexts[which];
}

uint32_t codec_compress(struct codec *codec, enum codec_kind kind, const void *from, uint32_t bytes,
                        void *to, uint32_t most)
{
    if (!codec_there[kind])
        return 0;
    if (kind == CODEC_LZ4) {
        int stored = codec_lz4.compress(from, to, (int)bytes, (int)most, CODEC_LZ4_SPEED);
        return stored > 0 ? (uint32_t)stored : 0;
    }
    void *context = codec_context(codec, 0);
    if (context == NULL)
        return 0;
    size_t stored = codec_zstd.compress(context, to, most, from, bytes, CODEC_ZSTD_LEVEL);
    return codec_zstd.is_error(stored) ? 0 : (uint32_t)stored;
}

bool codec_decompress(struct codec *codec, enum codec_kind kind, const void *from, uint32_t stored,
                      void *to, uint32_t bytes)
{
    if (!codec_there[kind])
        return false;
    if (kind == CODEC_LZ4)
        return codec_lz4.decompress(from, to, (int)stored, (int)bytes) == (int)bytes;
    void *context = codec_context(codec, 1);
    return context != NULL && codec_zstd.decompress(context, to, bytes, from, stored) == bytes;
}
