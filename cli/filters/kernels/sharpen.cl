/* Sharpen by unsharp mask: sample + amount (sample - blurred), limited to 0..255; tiles as in
 * grey.cl, the option in `shape` is the amount in 1/256 (half rounds up).
 *
 * The two sources and the destination have the same channels; both sources point at the same place
 * and have the same pitch. A work item makes sixteen elements. Integers only: every device gives
 * the same bits.
 */
kernel void sharpen(global const uchar *src, global const uchar *blurred, global uchar *dst,
                    int4 from, int4 to, int4 shape)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int i = 16 * (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    size_t place = (size_t)(to.y + j - from.y) * from.z + (e - from.x);
    int16 value = (int16)(0);

    if (e < shape.x) {
        int16 sample = convert_int16(vload16(0, src + place));
        int16 detail = sample - convert_int16(vload16(0, blurred + place));
        value = clamp(sample + ((shape.w * detail + 128) >> 8), 0, 255);
        value = select((int16)(0), value, lanes < (int16)(shape.x - e));
    }
    vstore16(convert_uchar16(value), 0, dst + ((size_t)j * to.z + i));
}
