/* Tiles of matrices of floats, size x size, row after row, for `fastgpu bench tiles`: the matrix
 * product and the Cholesky factorisation by tiles; size is a multiple of 8. Sums of the
 * factorisation go along rows of both sources, eight at a time.
 */
float dot_rows(global const float *a, global const float *b, int count)
{
    float8 sums = (float8)(0.0f);
    int k = 0;

    for (; k + 8 <= count; k += 8)
        sums += vload8(0, a + k) * vload8(0, b + k);
    float4 four = sums.lo + sums.hi;
    float2 two = four.lo + four.hi;
    float sum = two.x + two.y;
    for (; k < count; k++)
        sum += a[k] * b[k];
    return sum;
}

/* c += a b, eight elements of four rows a work item. */
kernel void tile_multiply(global const float *a, global const float *b, global float *c, int size)
{
    int x = 8 * (int)get_global_id(0), y = 4 * (int)get_global_id(1);
    global float *to = c + y * size + x;
    float8 sums[4];

    for (int i = 0; i < 4; i++)
        sums[i] = vload8(0, to + i * size);
    for (int k = 0; k < size; k++) {
        float8 line = vload8(0, b + k * size + x);
        for (int i = 0; i < 4; i++)
            sums[i] += a[(y + i) * size + k] * line;
    }
    for (int i = 0; i < 4; i++)
        vstore8(sums[i], 0, to + i * size);
}

/* c -= a b', where b' is b mirrored at its diagonal. */
kernel void tile_update(global const float *a, global const float *b, global float *c, int size)
{
    int x = (int)get_global_id(0), y = (int)get_global_id(1);

    c[y * size + x] -= dot_rows(a + y * size, b + x * size, size);
}

/* The tile on the diagonal, which becomes its lower factor; above the diagonal it becomes 0. */
kernel void tile_factor(global float *a, int size)
{
    for (int y = 0; y < size; y++) {
        global float *row = a + y * size;
        for (int x = 0; x < y; x++)
            row[x] = (row[x] - dot_rows(row, a + x * size, x)) / a[x * size + x];
        row[y] = sqrt(row[y] - dot_rows(row, row, y));
        for (int x = y + 1; x < size; x++)
            row[x] = 0.0f;
    }
}

/* Solves x l' = a, row by row; a becomes x. */
kernel void tile_solve(global const float *l, global float *a, int size)
{
    global float *row = a + get_global_id(0) * size;

    for (int x = 0; x < size; x++)
        row[x] = (row[x] - dot_rows(row, l + x * size, x)) / l[x * size + x];
}
