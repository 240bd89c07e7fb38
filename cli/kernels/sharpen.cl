/* Sharpen by unsharp mask: sample + amount (sample - blurred), limited to 0..255; tiles as in
 * grey.cl, the option in `shape` is the amount in 1/256 (half rounds up).
 *
 * The two sources and the destination have the same channels; both sources point at the same place
 * and have the same pitch. Integers only: every device gives the same bits.
 */
kernel void sharpen(global const uchar *src, global const uchar *blurred, global uchar *dst,
                    int4 from, int4 to, int4 shape)
{
    int i = (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    int amount = shape.w;
    size_t at = (size_t)j * to.z + i;

    if (e >= shape.x) {
        dst[at] = 0;
        return;
    }
    size_t place = (size_t)(to.y + j - from.y) * from.z + (e - from.x);
    int sample = src[place];
    int detail = (amount * (sample - blurred[place]) + 128) >> 8;
    dst[at] = (uchar)clamp(sample + detail, 0, 255);
}
