/* Kernels of divide.json: a work item makes one number of row get_global_id(1). A piece of a task
 * has some of the rows, under their own numbers. */
kernel void product(global const float *a, global const float *b, global float *c, int n)
{
    int column = get_global_id(0), row = get_global_id(1);
    float sum = 0.0f;

    for (int i = 0; i < n; i++)
        sum += a[row * n + i] * b[i * n + column];
    c[row * n + column] = sum;
}

kernel void smooth(global const float *src, global float *dst, int n)
{
    int column = get_global_id(0), row = get_global_id(1);
    int above = row > 0 ? row - 1 : row, below = row < n - 1 ? row + 1 : row;

    dst[row * n + column] =
        (src[above * n + column] + 2 * src[row * n + column] + src[below * n + column]) / 4;
}
