/* Median of the 3 x 3 pixels around each, for each channel by itself; tiles as in grey.cl. A work
 * item makes sixteen elements.
 *
 * Each column of three is put in order; the median of all nine is the median of the largest low,
 * the middle middle and the smallest high one. Beyond the border the nearest sample counts. The
 * source tile reaches one pixel further than the destination tile on each side, or to the border.
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

uchar16 middle(uchar16 a, uchar16 b, uchar16 c)
{
    return max(min(a, b), min(max(a, b), c));
}

kernel void median3x3(global const uchar *src, global uchar *dst, int4 from, int4 to, int4 shape)
{
    const char16 lanes = (char16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = to.y + j;
    global const uchar *above = src + (size_t)(max(y - 1, 0) - from.y) * from.z;
    global const uchar *here = src + (size_t)(y - from.y) * from.z;
    global const uchar *below = src + (size_t)(min(y + 1, shape.y - 1) - from.y) * from.z;
    uchar16 low = (uchar16)(0), high = (uchar16)(255), middles[3], value = (uchar16)(0);

    if (e < shape.x) {
        for (int k = 0; k < 3; k++) {
            uchar16 a = samples(above, from.x, e, (k - 1) * shape.z, shape);
            uchar16 b = samples(here, from.x, e, (k - 1) * shape.z, shape);
            uchar16 c = samples(below, from.x, e, (k - 1) * shape.z, shape);
            low = max(low, min(min(a, b), c));
            high = min(high, max(max(a, b), c));
            middles[k] = middle(a, b, c);
        }
        value = middle(low, middle(middles[0], middles[1], middles[2]), high);
        value = select((uchar16)(0), value, lanes < (char16)(min(shape.x - e, 16)));
    }
    vstore16(value, 0, dst + ((size_t)j * to.z + i));
}
