// All pairs, positions staged through local memory that the kernel declares.
// expect: advance pos=READ vel=READ_WRITE next=READ_WRITE:writes_only
// class: advance rewrite NUM_GROUPS BARRIER LOCAL_MEMORY
typedef struct {
    float eps2;
    float dt;
} params_t;

static float4 interact(float4 me, float4 other, float4 acc, float eps2)
{
    float4 r = other - me;
    r.w = 0.f;
    float inv = rsqrt(dot(r.xyz, r.xyz) + eps2);
    acc.xyz += r.xyz * (other.w * inv * inv * inv);
    return acc;
}

__kernel void advance(__global const float4 *pos, __global float4 *vel, __global float4 *next,
                   const params_t p)
{
    __local float4 tile[8];
    const uint i = get_global_id(0);
    const float4 me = pos[i];
    float4 acc = (float4)0.0f;
    for (uint g = 0; g < get_num_groups(0); g++) {
        tile[get_local_id(0)] = pos[g * get_local_size(0) + get_local_id(0)];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint k = 0; k < get_local_size(0); k++)
            acc = interact(me, tile[k], acc, p.eps2);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    float4 v = vel[i] + acc * p.dt;
    vel[i] = v;
    next[i] = me + v * p.dt;
}
