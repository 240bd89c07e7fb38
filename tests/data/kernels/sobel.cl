// Edge filter on a buffer of pixels.
// expect: sobel src=READ dst=READ_WRITE:writes_only
// run: sobel 16 8 8 1
// class: sobel free
inline float luminance(uchar4 p)
{
    return dot(convert_float4(p).xyz, (float3)(0.299f, 0.587f, 0.114f));
}

inline float at(__global const uchar4 *img, int x, int y, int w, int h)
{
    x = clamp(x, 0, w - 1);
    y = clamp(y, 0, h - 1);
    return luminance(img[y * w + x]);
}

__kernel void sobel(__global const uchar4 *src, __global uchar4 *dst, int w, int h)
{
    const int x = get_global_id(0), y = get_global_id(1);
    if (x >= w || y >= h)
        return;
    float gx = 0, gy = 0;
    for (int d = -1; d <= 1; d++) {
        const float k = d == 0 ? 2.0f : 1.0f;
        gx += k * (at(src, x + 1, y + d, w, h) - at(src, x - 1, y + d, w, h));
        gy += k * (at(src, x + d, y + 1, w, h) - at(src, x + d, y - 1, w, h));
    }
    const uchar v = convert_uchar_sat(native_sqrt(gx * gx + gy * gy));
    dst[mad24(y, w, x)] = (uchar4)(v, v, v, 255);
}
