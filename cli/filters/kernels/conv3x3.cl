/* Convolution of each channel with one 3 x 3 window of integers: emboss, edges, any small filter;
 * tiles as in grey.cl. A work item makes sixteen elements.
 *
 * weights: 9 integers, rows from above to below, not mirrored (a correlation, as image tools mean
 * it), then shift (0..16), then bias. The sum is divided by 2^shift (half rounds up), the bias is
 * added, the result is limited to 0..255; |weight| is at most 2^15. Beyond the border the nearest
 * sample counts. The source tile reaches one pixel further than the destination tile on each side,
 * or to the border. Integers only: every device gives the same bits.
 */

/* The sixteen samples that are `step` elements right of elements e to e + 15 (left where negative);
 * beyond the border the nearest of the same channel. `row` points at column first. */
int16 samples(global const uchar *row, int first, int e, int step, int4 shape)
{
    int begin = e + step;
    uchar taken[16];

    if (begin >= 0 && begin + 16 <= shape.x)
        return convert_int16(vload16(0, row + (begin - first)));
    for (int n = 0; n < 16; n++) {
        int channel = (e + n) % shape.z;
        taken[n] = row[clamp(begin + n, channel, shape.x - shape.z + channel) - first];
    }
    return convert_int16(vload16(0, taken));
}

kernel void conv3x3(global const uchar *src, global uchar *dst, global const int *weights,
                    int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    int height = shape.y, channels = shape.z;
    int shift = weights[9], bias = weights[10];
    int16 sum = (int16)((1 << shift) >> 1);

    if (e < shape.x)
        for (int k = 0; k < 9; k++) {
            size_t line = (size_t)(clamp(y + k / 3 - 1, 0, height - 1) - from.y);
            sum += weights[k] *
                   samples(src + line * from.z, from.x, e, (k % 3 - 1) * channels, shape);
        }
    sum = clamp((sum >> shift) + bias, 0, 255);
    sum = select((int16)(0), sum, lanes < (int16)(shape.x - e));
    vstore16(convert_uchar16(sum), 0, dst + ((size_t)j * to.z + i));
}
