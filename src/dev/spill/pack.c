/* Chunks as they are kept, see pack.h. */
#include "dev/spill/pack.h"

#include <dlfcn.h>
#include <string.h>

#include "base/lock.h"

#define PACK_LIBRARY "liblz4.so.1"
#define PACK_SPEED 1 /* the usual one of the library */

static struct lock pack_lock;
static bool pack_asked;
static void *pack_symbols[2]; /* never closed */

bool pack_init(struct pack *pack)
{
    lock_acquire(&pack_lock);
    if (!pack_asked) {
        void *library = dlopen(PACK_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        pack_asked = true;
        if (library != NULL) {
            pack_symbols[0] = dlsym(library, "LZ4_compress_fast");
            pack_symbols[1] = dlsym(library, "LZ4_decompress_safe");
        }
    }
    bool found = pack_symbols[0] != NULL && pack_symbols[1] != NULL;
    lock_release(&pack_lock);
    pack->compress = NULL;
    pack->decompress = NULL;
    if (found) { /* POSIX says that a data pointer holds a function pointer */
        memcpy(&pack->compress, &pack_symbols[0], sizeof pack->compress);
        memcpy(&pack->decompress, &pack_symbols[1], sizeof pack->decompress);
    }
    return found;
}

static bool pack_is_zero(const unsigned char *bytes, uint32_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static uint32_t pack_width(enum pack_form form)
{
    return form == PACK_LZ4_BY4 ? 4 : form == PACK_LZ4_BY8 ? 8 : 1;
}

/* Byte k of every element, for each k; what is left at the end stays. */
static void pack_regroup(const unsigned char *from, unsigned char *to, uint32_t bytes,
                         uint32_t width)
{
    uint32_t count = bytes / width;
    for (uint32_t k = 0; k < width; k++)
        for (uint32_t i = 0; i < count; i++)
            to[k * count + i] = from[i * width + k];
    memcpy(to + count * width, from + count * width, bytes - count * width);
}

static void pack_ungroup(const unsigned char *from, unsigned char *to, uint32_t bytes,
                         uint32_t width)
{
    uint32_t count = bytes / width;
    for (uint32_t k = 0; k < width; k++)
        for (uint32_t i = 0; i < count; i++)
            to[i * width + k] = from[k * count + i];
    memcpy(to + count * width, from + count * width, bytes - count * width);
}

/* 0: it does not get smaller than `most`. */
static uint32_t pack_try(struct pack *pack, enum pack_form form, const void *from, uint32_t bytes,
                         void *to, uint32_t most)
{
    uint32_t width = pack_width(form);
    if (width > 1) {
        pack_regroup(from, pack->room, bytes, width);
        from = pack->room;
    }
    int stored = pack->compress(from, to, (int)bytes, (int)most, PACK_SPEED);
    return stored > 0 ? (uint32_t)stored : 0;
}

enum pack_form pack_choose(struct pack *pack, const void *sample, uint32_t bytes, void *to)
{
    enum pack_form best = PACK_RAW;
    uint32_t least = bytes - bytes / 8;
    if (pack->compress == NULL || bytes < 64 || pack_is_zero(sample, bytes))
        return PACK_RAW;
    for (int form = PACK_LZ4; form <= PACK_LZ4_BY8; form++) {
        uint32_t stored = pack_try(pack, (enum pack_form)form, sample, bytes, to, least);
        if (stored == 0 || stored >= least)
            continue;
        least = stored;
        best = (enum pack_form)form;
    }
    return best;
}

enum pack_form pack_put(struct pack *pack, enum pack_form form, const void *from, uint32_t bytes,
                        void *to, uint32_t *stored)
{
    *stored = 0;
    if (pack_is_zero(from, bytes))
        return PACK_ZERO;
    if (form >= PACK_LZ4 && bytes >= 64 && pack->compress != NULL)
        *stored = pack_try(pack, form, from, bytes, to, bytes - bytes / 8);
    if (*stored > 0)
        return form;
    *stored = bytes;
    return PACK_RAW;
}

bool pack_get(struct pack *pack, enum pack_form form, const void *from, uint32_t stored, void *to,
              uint32_t bytes)
{
    uint32_t width = pack_width(form);
    if (form == PACK_ZERO) {
        memset(to, 0, bytes);
        return true;
    }
    if (form == PACK_RAW) {
        memcpy(to, from, bytes);
        return stored == bytes;
    }
    if (pack->decompress == NULL)
        return false;
    void *into = width > 1 ? pack->room : to;
    if (pack->decompress(from, into, (int)stored, (int)bytes) != (int)bytes)
        return false;
    if (width > 1)
        pack_ungroup(pack->room, to, bytes, width);
    return true;
}
