// No input buffer at all.
// expect: mandelbrot out=READ_WRITE:writes_only
// run: mandelbrot 16 8 8 1
// class: mandelbrot rewrite GLOBAL_SIZE
kernel void mandelbrot(global uchar4 *out, float cx, float cy, float scale, unsigned short limit)
{
    const int w = get_global_size(0), h = get_global_size(1);
    const float2 c = (float2)(cx, cy) +
                     scale * (float2)((float)get_global_id(0) / w, (float)get_global_id(1) / h);
    float2 z = 0;
    unsigned n = 0;
    do {
        z = (float2)(z.x * z.x - z.y * z.y, 2 * z.x * z.y) + c;
    } while (++n < limit && dot(z, z) < 4.0f);
    out[get_global_id(1) * w + get_global_id(0)] =
        n == limit ? (uchar4)(0) : (uchar4)(n, n * 2, n * 4, 0xff);
}
