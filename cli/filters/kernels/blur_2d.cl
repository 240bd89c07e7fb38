/* Blur with any square window: the sum over N x N pixels, N odd, each with its own weight; tiles as
 * in grey.cl, the option in `shape` is the radius N / 2. A work item makes sixteen elements.
 *
 * weights: N x N integers >= 0, rows from above to below, not mirrored, that sum to 16384, so that
 * a picture of one colour stays what it is. The sum is rounded half up. Beyond the border the
 * nearest sample counts. The source tile reaches `radius` pixels further than the destination tile
 * on each side, or to the border. All sums are integers that fit 31 bits: every device gives the
 * same bits. A window that is the product of a column and a row is made faster by blur.cl.
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

kernel void blur_2d(global const uchar *src, global uchar *dst, global const int *weights,
                    int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    int channels = shape.z, radius = shape.w, halo = radius * channels;
    uint16 sum = (uint16)(1 << 13);

    for (int dy = -radius; dy <= radius && e < shape.x; dy++) {
        global const uchar *row = src + (size_t)(clamp(y + dy, 0, shape.y - 1) - from.y) * from.z;
        if (e - halo >= 0 && e + halo + 16 <= shape.x) {
            global const uchar *at = row + (e - halo - from.x);
            for (int k = 0; k <= 2 * radius; k++, at += channels)
                sum += (uint)*weights++ * convert_uint16(vload16(0, at));
        } else {
            for (int k = -radius; k <= radius; k++)
                sum += (uint)*weights++ *
                       convert_uint16(samples(row, from.x, e, k * channels, shape));
        }
    }
    sum = min(sum >> 14, (uint16)(255));
    sum = select((uint16)(0), sum, lanes < (int16)(shape.x - e));
    vstore16(convert_uchar16(sum), 0, dst + ((size_t)j * to.z + i));
}
