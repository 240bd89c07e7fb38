/* Chunks as they are kept, see pack.h. */
#include "dev/spill/pack.h"

#include <string.h>

#include "base/clock.h"

#define PACK_LEAST_BYTES 64u /* shorter ones are not worth a try */
#define PACK_FADE (1.0 / 64) /* of what Zstandard is known to cost, for each sample without it */

void pack_init(struct pack *pack, enum pack_mode mode)
{
    codec_init(&pack->codec);
    pack->mode = mode;
    pack->folder_ns = pack->zstd_ns = 0;
}

void pack_fini(struct pack *pack)
{
    codec_fini(&pack->codec);
}

static bool pack_is_zero(const unsigned char *bytes, uint32_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static uint32_t pack_width(enum pack_form form)
{
    static const uint32_t widths[] = {
        [PACK_LZ4_BY4] = 4, [PACK_ZSTD_BY4] = 4, [PACK_LZ4_BY8] = 8, [PACK_ZSTD_BY8] = 8};
    return widths[form] > 1 ? widths[form] : 1;
}

static enum codec_kind pack_codec(enum pack_form form)
{
    return form >= PACK_ZSTD ? CODEC_ZSTD : CODEC_LZ4;
}

static uint32_t pack_most(uint32_t bytes)
{
    return bytes - bytes / 8;
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
    return codec_compress(&pack->codec, pack_codec(form), from, bytes, to, most);
}

/* ---- choosing ----------------------------------------------------------------------------- */

/* How long the form takes for the sample, there and back. */
static double pack_time(struct pack *pack, enum pack_form form, const void *sample, uint32_t bytes)
{
    uint64_t since_ns = clock_now_ns();
    uint32_t stored = pack_try(pack, form, sample, bytes, pack->trial, pack_most(bytes));
    if (stored > 0)
        (void)codec_decompress(&pack->codec, pack_codec(form), pack->trial, stored, pack->room,
                               bytes);
    return (double)(clock_now_ns() - since_ns);
}

/* The best of the forms from `first` to `last`. */
static struct pack_trial pack_trial(struct pack *pack, enum pack_form first, enum pack_form last,
                                    const void *sample, uint32_t bytes)
{
    uint32_t most = pack_most(bytes);
    struct pack_trial best = {PACK_RAW, bytes, 0};
    for (int form = (int)first; form <= (int)last; form++) {
        uint32_t stored = pack_try(pack, (enum pack_form)form, sample, bytes, pack->trial, most);
        if (stored == 0 || stored >= most || stored >= best.stored)
            continue;
        best.stored = stored;
        best.form = (enum pack_form)form;
    }
    return best;
}

const struct pack_trial *pack_better(const struct pack_trial *quick, const struct pack_trial *small,
                                     double folder_ns)
{
    if (small->form == PACK_RAW || small->stored >= quick->stored)
        return quick;
    return (double)(quick->stored - small->stored) * folder_ns > small->ns - quick->ns ? small
                                                                                       : quick;
}

/* Could Zstandard pay at all, were what is left nothing? */
static bool pack_is_worth_asking(struct pack *pack, const struct pack_trial *quick, uint32_t bytes)
{
    if (pack->folder_ns <= 0)
        return false;
    if (quick->stored * pack->folder_ns > pack->zstd_ns * bytes)
        return true;
    pack->zstd_ns -= pack->zstd_ns * PACK_FADE; /* it may have been measured at a bad moment */
    return false;
}

/* Regrouped as serves LZ4 best; where that finds nothing, in each way. */
static enum pack_form pack_choose_auto(struct pack *pack, const void *sample, uint32_t bytes)
{
    struct pack_trial quick = pack_trial(pack, PACK_LZ4, PACK_LZ4_BY8, sample, bytes);
    enum pack_form first = PACK_ZSTD, last = PACK_ZSTD_BY8;
    if (!codec_is_there(CODEC_ZSTD) || !pack_is_worth_asking(pack, &quick, bytes))
        return quick.form;
    if (quick.form != PACK_RAW) {
        first = last = (enum pack_form)(quick.form + (PACK_ZSTD - PACK_LZ4));
        quick.ns = pack_time(pack, quick.form, sample, bytes);
    }
    struct pack_trial small = pack_trial(pack, first, last, sample, bytes);
    small.ns = pack_time(pack, small.form != PACK_RAW ? small.form : PACK_ZSTD, sample, bytes);
    pack->zstd_ns = small.ns / bytes;
    return pack_better(&quick, &small, pack->folder_ns)->form;
}

enum pack_form pack_choose(struct pack *pack, const void *sample, uint32_t bytes)
{
    if (pack->mode == PACK_NEVER || bytes < PACK_LEAST_BYTES || pack_is_zero(sample, bytes))
        return PACK_RAW;
    if (pack->mode == PACK_AUTO)
        return pack_choose_auto(pack, sample, bytes);
    return (pack->mode == PACK_ONLY_ZSTD ? pack_trial(pack, PACK_ZSTD, PACK_ZSTD_BY8, sample, bytes)
                                         : pack_trial(pack, PACK_LZ4, PACK_LZ4_BY8, sample, bytes))
        .form;
}

/* ---- there and back ----------------------------------------------------------------------- */

enum pack_form pack_put(struct pack *pack, enum pack_form form, const void *from, uint32_t bytes,
                        void *to, uint32_t *stored)
{
    *stored = 0;
    if (pack_is_zero(from, bytes))
        return PACK_ZERO;
    if (form >= PACK_LZ4 && bytes >= PACK_LEAST_BYTES)
        *stored = pack_try(pack, form, from, bytes, to, pack_most(bytes));
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
    if (!codec_decompress(&pack->codec, pack_codec(form), from, stored, width > 1 ? pack->room : to,
                          bytes))
        return false;
    if (width > 1)
        pack_ungroup(pack->room, to, bytes, width);
    return true;
}
