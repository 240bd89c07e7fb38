// Blelloch's exclusive prefix sum of each group; block sums go to a second buffer.
// expect: scan_block in=READ out=READ_WRITE:writes_only sums=READ_WRITE:writes_only
// expect: scan_add out=READ_WRITE sums=READ
// class: scan_block rewrite GROUP_ID BARRIER LOCAL_MEMORY
__kernel void scan_block(__global const uint *in, __global uint *out, __global uint *sums,
                         __local uint *t)
{
    const uint l = get_local_id(0), n = get_local_size(0);
    uint offset = 1;
    t[l] = in[get_global_id(0)];
    for (uint d = n >> 1; d > 0; d >>= 1, offset <<= 1) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (l < d)
            t[offset * (2 * l + 2) - 1] += t[offset * (2 * l + 1) - 1];
    }
    if (l == 0) {
        sums[get_group_id(0)] = t[n - 1];
        t[n - 1] = 0;
    }
    for (uint d = 1; d < n; d *= 2) {
        offset >>= 1;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (l < d) {
            uint a = offset * (2 * l + 1) - 1, b = offset * (2 * l + 2) - 1, x = t[a];
            t[a] = t[b];
            t[b] += x;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    out[get_global_id(0)] = t[l];
}

__kernel void scan_add(__global uint *out, __global const uint *sums)
{
    out[get_global_id(0)] += sums[get_group_id(0)];
}
