// Groups that wait for each other: none of these may be cut into pieces.
// expect: spin flag=READ_WRITE data=READ_WRITE
// expect: spin_plain flag=READ out=READ_WRITE:writes_only
// expect: spin_do flag=READ
// class: spin never VOLATILE_GLOBAL
// class: spin_plain never SPIN
// class: spin_do never SPIN
// norun: spin
// norun: spin_plain
// norun: spin_do
kernel void spin(volatile global int *flag, global int *data)
{
    if (get_global_id(0) == 0) {
        data[0] = 1;
        write_mem_fence(CLK_GLOBAL_MEM_FENCE);
        flag[0] = 1;
    } else {
        while (flag[0] == 0)
            ;
        data[get_global_id(0)] = data[0];
    }
}

kernel void spin_plain(global const int *flag, global int *out)
{
    while (!*flag) {}
    out[0] = 1;
}

kernel void spin_do(global int *flag)
{
    do ; while (flag[get_global_id(0)] != 3);
}
