// Sparse matrix times vector; the index buffers are only read although they are not const.
// expect: spmv row=READ col=READ val=READ x=READ y=READ_WRITE:writes_only
// class: spmv free
kernel void spmv(uint rows, global uint *row, global uint *col, global float *val, global float *x,
                 global float *y)
{
    uint r = get_global_id(0);
    if (r >= rows)
        return;
    float sum = 0;
    for (uint k = min(row[r], 8u), end = min(row[r + 1], 8u); k < end; ++k)
        sum += val[k] * x[col[k]];
    y[r] = sum;
}
