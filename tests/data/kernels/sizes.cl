// sizeof looks at nothing.
// expect: sizes a=READ:unused b=READ_WRITE:writes_only
// class: sizes free
kernel void sizes(global int *a, global ulong *b)
{
    b[get_global_id(0)] =
        sizeof(a[0] = 1) + sizeof a + sizeof *a + sizeof(global int *) + sizeof(float[4]);
}
