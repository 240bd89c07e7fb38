/* Five kernels of five fields, for `fastgpu bench mix` and examples/workloads/mix.json: a
 * convolution, a matrix product, the forces between atoms, pairs of letters in a text, a step of a
 * flow. Products and sums stay apart, so that every device gives the same bits.
 */
#pragma OPENCL FP_CONTRACT OFF

/* A window of 7 x 7 over a picture of floats; beyond the border the nearest sample counts. */
kernel void mix_convolve(global const float *src, global const float *window, global float *dst,
                         int width, int height)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1);
    float sum = 0.0f;

    for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++)
            sum += window[(j + 3) * 7 + i + 3] *
                   src[clamp(y + j, 0, height - 1) * width + clamp(x + i, 0, width - 1)];
    dst[y * width + x] = sum;
}

/* c = a b, each size x size. */
kernel void mix_multiply(global const float *a, global const float *b, global float *c, int size)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1);
    float sum = 0.0f;

    for (int k = 0; k < size; k++)
        sum += a[y * size + k] * b[k * size + x];
    c[y * size + x] = sum;
}

/* The Lennard-Jones forces of `count` atoms on each other, softened when near: one molecule, one
 * group, whose places everybody needs. */
kernel void mix_forces(global const float *place, global float *force, int count,
                       local float *near)
{
    int i = (int)get_global_id(0);
    float fx = 0.0f, fy = 0.0f, fz = 0.0f;

    for (int k = 0; k < 3; k++)
        near[3 * i + k] = place[3 * i + k];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < count; k++) {
        float dx = near[3 * i] - near[3 * k];
        float dy = near[3 * i + 1] - near[3 * k + 1];
        float dz = near[3 * i + 2] - near[3 * k + 2];
        float square = dx * dx + dy * dy + dz * dz + 0.5f;
        float inverse = 1.0f / square;
        float sixth = inverse * inverse * inverse;
        float size = (24.0f * sixth * (2.0f * sixth - 1.0f)) * inverse;
        fx += size * dx;
        fy += size * dy;
        fz += size * dz;
    }
    force[3 * i] = fx;
    force[3 * i + 1] = fy;
    force[3 * i + 2] = fz;
}

/* Pairs of neighbouring letters in a text, counted in 1024 bins by one group. */
kernel void mix_count(global const uchar *text, global uint *counts, int bytes, local uint *bins)
{
    int i = (int)get_local_id(0), items = (int)get_local_size(0);
    int begin = (int)((long)(bytes - 1) * i / items);
    int end = (int)((long)(bytes - 1) * (i + 1) / items);

    for (int k = i; k < 1024; k += items)
        bins[k] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = begin; k < end; k++)
        atomic_inc(&bins[(text[k] & 31) * 32 + (text[k + 1] & 31)]);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = i; k < 1024; k += items)
        counts[k] = bins[k];
}

/* One step of a flow: each cell goes a fifth of the way to its neighbours; the border stays. */
kernel void mix_flow(global const float *from, global float *to, int width, int height)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1), at = y * width + x;
    float here = from[at];

    if (x > 0 && y > 0 && x < width - 1 && y < height - 1)
        here += 0.2f * (from[at - 1] + from[at + 1] + from[at - width] + from[at + width] -
                        4.0f * here);
    to[at] = here;
}
