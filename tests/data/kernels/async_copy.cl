// Copies between global and local memory that the language does.
// expect: staged in=READ out=READ_WRITE:writes_only
// class: staged rewrite GROUP_ID ASYNC_COPY LOCAL_MEMORY BARRIER
kernel void staged(global const float *in, global float *out, local float *tile)
{
    const size_t n = get_local_size(0), at = get_group_id(0) * n;
    event_t e = async_work_group_copy(tile, in + at, n, 0);
    prefetch(in + at + n, n);
    wait_group_events(1, &e);
    tile[get_local_id(0)] *= 2.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    e = async_work_group_copy(&out[at], tile, n, (event_t)0);
    wait_group_events(1, &e);
}
