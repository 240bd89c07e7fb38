// Transposition through a padded tile.
// expect: transpose in=READ out=READ_WRITE:writes_only
// class: transpose rewrite GROUP_ID
// run: transpose 8 8 8 8
enum { TILE = 8, PAD = 1 };
__kernel __attribute__((reqd_work_group_size(8, 8, 1))) void
transpose(__global const float *restrict in, __global float *restrict out, int w, int h)
{
    __local float tile[TILE][TILE + PAD];
    int x = get_group_id(0) * TILE + get_local_id(0);
    int y = get_group_id(1) * TILE + get_local_id(1);
    if (x < w && y < h)
        tile[get_local_id(1)][get_local_id(0)] = in[y * w + x];
    barrier(CLK_LOCAL_MEM_FENCE);
    x = get_group_id(1) * TILE + get_local_id(0);
    y = get_group_id(0) * TILE + get_local_id(1);
    if (x < h && y < w)
        out[y * h + x] = tile[get_local_id(0)][get_local_id(1)];
}
