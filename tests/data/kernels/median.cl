// 3x3 median; the window is passed to helpers by pointer to private memory.
// expect: median3 in=READ out=READ_WRITE:writes_only
// run: median3 16 8 8 1
// class: median3 free
#define SWAP(a, b) { const uchar t = min(a, b); b = max(a, b); a = t; }
static void sort3(uchar *v, int i, int j, int k)
{
    SWAP(v[i], v[j]);
    SWAP(v[j], v[k]);
    SWAP(v[i], v[j]);
}

static uchar middle(uchar v[9])
{
    for (int i = 0; i < 9; i += 3)
        sort3(v, i, i + 1, i + 2);
    for (int i = 0; i < 3; i++)
        sort3(v, i, i + 3, i + 6);
    sort3(v, 2, 4, 6);
    return v[4];
}

static void window(__global const uchar *in, int x, int y, int w, int h, uchar *out)
{
    for (int dy = -1, k = 0; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++, k++)
            out[k] = in[clamp(y + dy, 0, h - 1) * w + clamp(x + dx, 0, w - 1)];
}

kernel void median3(global const uchar *in, global uchar *out, int w, int h)
{
    uchar v[9];
    const int x = get_global_id(0), y = get_global_id(1);
    if (x < w && y < h) {
        window(in, x, y, w, h, v);
        out[y * w + x] = middle(v);
    }
}
