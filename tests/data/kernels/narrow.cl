// What is an int in C: comparisons, choices between two narrow integers, constants of characters.
// expect: narrow in=READ out=READ_WRITE:writes_only
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
