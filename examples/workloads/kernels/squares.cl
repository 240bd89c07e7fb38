/* Adds the squares of every 256th number to each of 256 sums. The sums are reduced: what is there
 * already may be zeros of the pool's, and is never to be read for anything but adding to it. */
__kernel void squares(__global const int *numbers, __global long *sums, uint count)
{
    size_t lane = get_global_id(0);
    long sum = 0;

    for (uint i = (uint)lane; i < count; i += (uint)get_global_size(0))
        sum += (long)numbers[i] * numbers[i];
    sums[lane] += sum;
}
