// Counts in local memory first, then with global atomics whose result nobody looks at.
// expect: histogram data=READ bins=READ_WRITE:atomic
// expect: histogram_private data=READ bins=READ_WRITE:writes_only
// class: histogram never GLOBAL_ATOMIC LOCAL_ATOMIC
// class: histogram_private free
#define BINS 64
__kernel void histogram(__global const uchar *data, uint n, __global uint *bins)
{
    __local uint mine[BINS];
    for (uint b = get_local_id(0); b < BINS; b += get_local_size(0))
        mine[b] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_global_id(0) < n)
        atomic_inc(&mine[data[get_global_id(0)] % BINS]);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint b = get_local_id(0); b < BINS; b += get_local_size(0))
        atomic_add(bins + b, mine[b]);
}

__kernel void histogram_private(__global const uchar *data, uint n, __global uint *bins)
{
    uint count[BINS];
    for (int b = 0; b < BINS; b++)
        count[b] = 0;
    for (uint i = 0; i < n; i++)
        count[data[i] & (BINS - 1)]++;
    for (int b = 0; b < BINS; b++)
        bins[get_global_id(0) * BINS + b] = count[b];
}
