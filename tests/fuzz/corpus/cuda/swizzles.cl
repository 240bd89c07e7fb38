__kernel void k(__global float4 *a, __global const float16 *b, int n)
{
    float4 v = (float4)(1.0f, b[0].s3, a[n].xy);
    v.zx = v.lo * 2; v.hi.x += v.s3; v.odd++;
    a[0] = (v > b[0].lo.hi ? v : -v) + (float4){1, 2, 3, 4} + (float4)(v).wzyx;
    a[1] = v == v ? a[2] : (float4)(n);
}
