// One pass of a Stockham transform, and one in place.
// expect: fft_pass in=READ out=READ_WRITE:writes_only
// expect: fft_in_place data=READ_WRITE
// class: fft_pass rewrite GLOBAL_SIZE
#define TWIDDLE(k, n) ((float2)(cos(-2.0f * M_PI_F * (k) / (n)), sin(-2.0f * M_PI_F * (k) / (n))))
float2 mul(float2 a, float2 b)
{
    return (float2)(a.x * b.x - a.y * b.y, mad(a.x, b.y, a.y * b.x));
}

__kernel void fft_pass(__global const float2 *in, __global float2 *out, const int p)
{
    const int i = get_global_id(0), t = get_global_size(0);
    const int k = i & (p - 1);
    float2 u0 = in[i], u1 = mul(TWIDDLE(k, 2 * p), in[i + t]);
    const int j = (i << 1) - k;
    float2 sum = u0 + u1;
    u1 = u0 - u1;
    out[j] = sum;
    out[j + p] = u1;
}

__kernel void fft_in_place(__global float2 *data, int half_n)
{
    __global float2 *a = data + get_global_id(0), *b = a + half_n;
    const float2 s = *a + *b;
    *b = *a - *b;
    *a = s;
}
