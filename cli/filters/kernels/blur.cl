/* Blur, separable: a horizontal pass into 16 bits (8 of them behind the point), then a vertical one
 * back to 8 bits; tiles as in grey.cl, the option in `shape` is the radius. A work item makes
 * sixteen elements.
 *
 * weights: 2 radius + 1 integers >= 0 that sum to 16384, so that a picture of one colour stays what
 * it is. Both passes round half up. Beyond the border the nearest sample counts. The source tile
 * reaches `radius` pixels (rows) further than the destination tile, or to the border. All sums are
 * integers that fit 31 bits: every device gives the same bits.
 */

/* The sixteen samples that are `step` elements right of elements e to e + 15 (left where negative);
 * beyond the border the nearest of the same channel. `row` points at column first. */
uchar16 samples(global const uchar *row, int first, int e, int step, int4 shape)
{
    int begin = e + step;
    uchar taken[16];

    if (begin >= 0 && begin + 16 <= shape.x)
        return vload16(0, row + (begin - first));
    for (int n = 0; n < 16; n++) {
        int channel = (e + n) % shape.z;
        taken[n] = row[clamp(begin + n, channel, shape.x - shape.z + channel) - first];
    }
    return vload16(0, taken);
}

/* Zero where the elements e to e + 15 are beyond the row's end. */
uint16 inside(uint16 values, int e, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    return select((uint16)(0), values, lanes < (int16)(shape.x - e));
}

kernel void blur_horizontal(global const uchar *src, global ushort *dst, global const int *weights,
                            int4 from, int4 to, int4 shape)
{
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int channels = shape.z, radius = shape.w;
    global const uchar *row = src + (size_t)(to.y + j - from.y) * from.z;
    uint16 sum = (uint16)(32);

    if (e < shape.x)
        for (int k = -radius; k <= radius; k++)
            sum += (uint)weights[k + radius] *
                   convert_uint16(samples(row, from.x, e, k * channels, shape));
    vstore16(convert_ushort16(inside(sum >> 6, e, shape)), 0, dst + ((size_t)j * to.z + i));
}

kernel void blur_vertical(global const ushort *src, global uchar *dst, global const int *weights,
                          int4 from, int4 to, int4 shape)
{
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    int height = shape.y, radius = shape.w;
    uint16 sum = (uint16)(1 << 21);

    if (e < shape.x)
        for (int k = -radius; k <= radius; k++) {
            size_t row = (size_t)(clamp(y + k, 0, height - 1) - from.y);
            sum += (uint)weights[k + radius] *
                   convert_uint16(vload16(0, src + (row * from.z + (e - from.x))));
        }
    vstore16(convert_uchar16(inside(sum >> 22, e, shape)), 0, dst + ((size_t)j * to.z + i));
}
