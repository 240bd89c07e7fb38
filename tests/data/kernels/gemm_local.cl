// Tiled matrix product with a required work-group size.
// expect: gemm a=READ b=READ c=READ_WRITE
// class: gemm free BARRIER LOCAL_MEMORY
// run: gemm 8 8 8 8
#define TS 8
__kernel __attribute__((reqd_work_group_size(TS, TS, 1)))
void gemm(const int m, const int n, const int k, const __global float *restrict a,
          const __global float *restrict b, __global float *restrict c, float alpha, float beta)
{
    __local float at[TS][TS];
    __local float bt[TS][TS + 1];
    const int row = get_local_id(1), col = get_local_id(0);
    const int gr = get_global_id(1), gc = get_global_id(0);
    float acc = 0.0f;
    for (int t = 0; t < k; t += TS) {
        at[row][col] = a[gr * k + t + col];
        bt[row][col] = b[(t + row) * n + gc];
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < TS; ++i)
            acc = mad(at[row][i], bt[i][col], acc);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (gr < m && gc < n)
        c[gr * n + gc] = alpha * acc + beta * c[gr * n + gc];
}
