/* The next level of a pyramid: half as wide and half as high, rounded up. Each pixel is the mean of
 * the 2 x 2 pixels that it stands for, rounded half up, for each channel by itself; beyond the
 * border the nearest sample counts. Tiles as in grey.cl, but the source is another size: from.w is
 * the number of elements in a row of src, to.w that of its rows, `shape` is that of dst. A work
 * item makes sixteen elements. Integers only: every device gives the same bits.
 */

/* Every second one of the 32 samples there. */
ushort16 evens(global const uchar *at)
{
    uchar16 left = vload16(0, at), right = vload16(1, at);

    return convert_ushort16((uchar16)(left.even, right.even));
}

/* Sums over 2 x 2 pixels: `above` and `below` point at the left one of channel 0 of element e. An
 * element of channel c has its left sample c elements before twice its distance. */
ushort16 sums(global const uchar *above, global const uchar *below, int channel, int channels)
{
    above -= channel;
    below -= channel;
    return evens(above) + evens(above + channels) + evens(below) + evens(below + channels);
}

/* Which channel each of sixteen elements is, the first of which is of channel `first`. */
short16 channels_of(int first, int channels)
{
    const short16 of_three = (short16)(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0);
    const short16 of_four = (short16)(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    short16 channel = channels == 3 ? of_three : channels == 4 ? of_four : (short16)(0);

    channel += (short)first;
    return select(channel, channel - (short)channels, channel >= (short)channels);
}

/* One sample, where the border is near. */
uint one_sum(global const uchar *above, global const uchar *below, int e, int first, int elements,
             int channels)
{
    int left = e / channels * 2 * channels + e % channels - first;
    int right = left + channels < elements - first ? left + channels : left;

    return (uint)above[left] + above[right] + below[left] + below[right];
}

kernel void halve(global const uchar *src, global uchar *dst, int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int y = 2 * (to.y + j);
    int channels = shape.z;
    global const uchar *above = src + (size_t)(y - from.y) * from.z;
    global const uchar *below = src + (size_t)(min(y + 1, to.w - 1) - from.y) * from.z;
    ushort16 sum = (ushort16)(0);

    if (e > 0 && e + 16 <= shape.x && 2 * e + 32 + channels <= from.w) {
        short16 channel = channels_of(e % channels, channels);
        int at = 2 * e - from.x;
        sum = sums(above + at, below + at, 0, channels);
        for (int c = 1; c < channels; c++)
            sum = select(sum, sums(above + at, below + at, c, channels), channel == (short)c);
    } else if (e < shape.x) {
        ushort taken[16];
        for (int n = 0; n < 16; n++)
            taken[n] = (ushort)(e + n < shape.x
                                    ? one_sum(above, below, e + n, from.x, from.w, channels)
                                    : 0);
        sum = vload16(0, taken);
        sum = select((ushort16)(0), sum, convert_short16(lanes) < (short16)(min(shape.x - e, 16)));
    }
    vstore16(convert_uchar16((sum + (ushort)2) >> (ushort)2), 0, dst + ((size_t)j * to.z + i));
}
