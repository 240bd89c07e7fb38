// Digit counts of a radix sort, with a two-dimensional local array and a loop over digits.
// expect: count keys=READ counts=READ_WRITE:writes_only
// class: count rewrite GROUP_ID NUM_GROUPS BARRIER LOCAL_MEMORY
#define RADIX 4
#define DIGITS (1 << RADIX)
kernel __attribute__((reqd_work_group_size(8, 1, 1))) void count(global const uint *keys,
                                                                 global uint *counts, uint shift)
{
    local ushort seen[8][DIGITS];
    const uint l = get_local_id(0);
    for (int d = 0; d < DIGITS; d++)
        seen[l][d] = 0;
    ++seen[l][(keys[get_global_id(0)] >> (shift & 28)) & (DIGITS - 1)];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < DIGITS) {
        uint sum = 0;
        for (int i = 0; i < 8; i++)
            sum += seen[i][l];
        counts[l * get_num_groups(0) + get_group_id(0)] = sum;
    }
}
