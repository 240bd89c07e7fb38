// Sum by tree in local memory, one result per group.
// expect: reduce in=READ out=READ_WRITE:writes_only
// expect: reduce_min in=READ out=READ_WRITE:atomic
// class: reduce rewrite GROUP_ID BARRIER LOCAL_MEMORY
// class: reduce_min never GLOBAL_ATOMIC BARRIER LOCAL_MEMORY
__kernel void reduce(__global const float *in, __global float *out, __local float *tmp, uint n)
{
    uint lid = get_local_id(0), gid = get_global_id(0);
    tmp[lid] = (gid < n) ? in[gid] : 0.f;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint s = get_local_size(0) / 2; s > 0; s >>= 1) {
        if (lid < s)
            tmp[lid] += tmp[lid + s];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (!lid)
        out[get_group_id(0)] = tmp[0];
}

__kernel void reduce_min(__global const int *in, __global int *out, uint n)
{
    __local int best;
    if (get_local_id(0) == 0)
        best = INT_MAX;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_global_id(0) < n)
        atomic_min(&best, in[get_global_id(0)]);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) == 0)
        atomic_min(out, best);
}
