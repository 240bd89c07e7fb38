/* Copies and fills of 2-D regions: see region.h. A fill writes its first block by doubling and
 * repeats it with memcpy, so that every pattern size runs at the speed of the C library.
 */
#include "dev/host/region.h"

#include <string.h>

#define REGION_FILL_BLOCK 4096u /* fits the first-level cache of every CPU; a multiple of 16 */

void region_copy(struct region dst, struct region src, uint64_t row_bytes, uint64_t rows)
{
    char *to = dst.base;
    const char *from = src.base;

    if (row_bytes == 0 || rows == 0)
        return;
    if (rows == 1 || (dst.pitch_bytes == row_bytes && src.pitch_bytes == row_bytes)) {
        memcpy(to, from, row_bytes * rows);
        return;
    }
    for (uint64_t row = 0; row < rows; row++) {
        memcpy(to, from, row_bytes);
        to += dst.pitch_bytes;
        from += src.pitch_bytes;
    }
}

static void region_fill_row(char *to, uint64_t bytes, const uint8_t *pattern,
                            uint32_t pattern_bytes)
{
    uint64_t block = bytes < REGION_FILL_BLOCK ? bytes : REGION_FILL_BLOCK;
    uint64_t done = pattern_bytes;

    if (pattern_bytes == 1) {
        memset(to, pattern[0], bytes);
        return;
    }
    memcpy(to, pattern, pattern_bytes);
    while (done < block) {
        uint64_t more = done < block - done ? done : block - done;
        memcpy(to + done, to, more);
        done += more;
    }
    while (done < bytes) {
        uint64_t more = block < bytes - done ? block : bytes - done;
        memcpy(to + done, to, more);
        done += more;
    }
}

void region_fill(struct region dst, const fgpu_cmd_fill *fill)
{
    char *to = dst.base;
    uint64_t row_bytes = fill->row_bytes;
    uint64_t rows = fill->rows;

    if (row_bytes == 0 || rows == 0)
        return;
    if (dst.pitch_bytes == row_bytes) {
        row_bytes *= rows;
        rows = 1;
    }
    for (uint64_t row = 0; row < rows; row++) {
        region_fill_row(to, row_bytes, fill->pattern, fill->pattern_bytes);
        to += dst.pitch_bytes;
    }
}

fgpu_status region_fill_status(const fgpu_cmd_fill *fill)
{
    uint32_t bytes = fill->pattern_bytes;

    if (bytes == 0 || bytes > 16 || (bytes & (bytes - 1)) != 0)
        return FGPU_E_INVAL;
    if (fill->row_bytes % bytes != 0)
        return FGPU_E_INVAL;
    return fill->rows > 1 && fill->pitch_bytes < fill->row_bytes ? FGPU_E_INVAL : FGPU_OK;
}

fgpu_status region_copy_status(const fgpu_cmd_copy *copy)
{
    if (copy->rows <= 1)
        return FGPU_OK;
    if (copy->src_pitch_bytes < copy->row_bytes || copy->dst_pitch_bytes < copy->row_bytes)
        return FGPU_E_INVAL;
    return FGPU_OK;
}

bool region_end(uint64_t offset_bytes, uint64_t pitch_bytes, uint64_t row_bytes, uint64_t rows,
                uint64_t *end_bytes)
{
    uint64_t last_row = 0;

    *end_bytes = offset_bytes;
    if (rows == 0 || row_bytes == 0)
        return true;
    if (__builtin_mul_overflow(rows - 1, pitch_bytes, &last_row))
        return false;
    if (__builtin_add_overflow(last_row, row_bytes, &last_row))
        return false;
    return !__builtin_add_overflow(offset_bytes, last_row, end_bytes);
}
