/* Conversion between bytes and floats, sample by sample; tiles as in grey.cl.
 *
 * to_float: sample * scale (one rounding). from_float: value * scale, limited to 0..255 (not a
 * number becomes 0), plus one half, cut. Contraction is off: every device gives the same bits.
 */
#pragma OPENCL FP_CONTRACT OFF

kernel void to_float(global const uchar *src, global float *dst, int4 from, int4 to, int4 shape,
                     float scale)
{
    int i = (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    size_t at = (size_t)j * to.z + i;

    if (e >= shape.x) {
        dst[at] = 0.0f;
        return;
    }
    dst[at] = (float)src[(size_t)(to.y + j - from.y) * from.z + (e - from.x)] * scale;
}

kernel void from_float(global const float *src, global uchar *dst, int4 from, int4 to, int4 shape,
                       float scale)
{
    int i = (int)get_global_id(0);
    int j = (int)get_global_id(1);
    int e = to.x + i;
    size_t at = (size_t)j * to.z + i;

    if (e >= shape.x) {
        dst[at] = 0;
        return;
    }
    float value = src[(size_t)(to.y + j - from.y) * from.z + (e - from.x)] * scale;
    value = value > 0.0f ? value : 0.0f;
    value = value < 255.0f ? value : 255.0f;
    dst[at] = (uchar)(int)(value + 0.5f);
}
