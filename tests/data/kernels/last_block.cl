// The last group to finish adds up what the others left: communicates across groups.
// expect: sum_last in=READ partial=READ_WRITE counter=READ_WRITE:atomic out=READ_WRITE:writes_only
// class: sum_last never GLOBAL_ATOMIC_RESULT
__kernel void sum_last(__global const int *in, __global int *partial, __global uint *counter,
                       __global int *out)
{
    __local uint ticket;
    __local int sum;
    if (get_local_id(0) == 0)
        sum = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    atomic_add(&sum, in[get_global_id(0)]);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) == 0) {
        partial[get_group_id(0)] = sum;
        mem_fence(CLK_GLOBAL_MEM_FENCE);
        ticket = atomic_inc(counter);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (ticket == get_num_groups(0) - 1 && get_local_id(0) == 0) {
        int all = 0;
        for (uint g = 0; g < get_num_groups(0); g++)
            all += partial[g];
        *out = all;
    }
}
