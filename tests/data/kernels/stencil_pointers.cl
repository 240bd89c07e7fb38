// Stencils written with pointer arithmetic instead of indices.
// expect: heat in=READ out=READ_WRITE:writes_only
// expect: wave now=READ before=READ_WRITE
// class: heat free
kernel void heat(global const float *in, global float *out, const int nx, const int ny)
{
    const int x = get_global_id(0) + 1, y = get_global_id(1) + 1;
    global const float *row = in + y * nx;
    global const float *up = row - nx, *down = row + nx;
    const global float *centre;
    centre = &row[x];
    *(out + y * nx + x) = 0.25f * (up[x] + down[x] + centre[-1] + *(centre + 1));
}

kernel void wave(global float *now, global float *before, int nx, float c)
{
    global float *a = now, *b = before;
    int i = get_global_id(0) + nx;
    a += i;
    b = b + i;
    float lap = a[-1] + a[1] + a[-nx] + nx[a] - 4 * *a;
    b[0] = 2 * a[0] - *b + c * lap;
}
