// What is an int in C: comparisons, choices between two narrow integers, constants of characters.
// expect: narrow in=READ out=READ_WRITE:writes_only
// expect: rounded in=READ out=READ_WRITE:writes_only
kernel void narrow(global const int *in, global int *out)
{
    int i = get_global_id(0), n = in[i];
    uchar a = n, b = n + 1;
    short c = n, d = 3;
    int r = clz(n > 2 ? a : b) + 100 * popcount(n > 3) + rotate(a < b, n) + clz(n > d ? c : d);
    r += add_sat(a < b, c > d) + mul_hi(n > 2, n > 3) + abs_diff(n > 2, 5) + max(n > 2, n) * 7;
    r += clz('a') + rotate('b', 3) + select(n, 9, n > 2) + as_int(n > 4) + clamp(n > 1, 0, n);
    r += rotate(n > 1 ? c : d, 17) + hadd(!n, n) + any(n > 1) + clz(n == 2) + min(3, !n);
    out[i] = r + rotate(n > 1 && n < 4, 8) + (int)sub_sat(n > 2 ? a : b, 300);
}

kernel void rounded(global const int *in, global int *out)
{
    int i = get_global_id(0), n = in[i];
    long v = ((long)n << 58) + 0x20000000000401L * n + 1 - 2 * (n & 1);
    ulong u = 0xf000000000000401UL + n;
    double d = convert_double_rtz(v) - convert_double_rtp(v) + convert_double_rtn(v);
    d += convert_double_rtp(u) - convert_double_rtn(u) + convert_double_rtz(-v);
    float f = convert_float_rtz(v) - convert_float_rtp(-v) + convert_float_rtn(u);
    float whole, nothing = fract(nan((uint)n), &whole);
    int other = as_int(convert_float_rtp(u)) ^ isnan(nothing);
    out[i] = as_int(f) ^ as_int2(d).x ^ as_int2(d).y ^ other;
}
