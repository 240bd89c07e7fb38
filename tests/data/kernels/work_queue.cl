// Groups fetch work from a shared counter.
// expect: persistent head=READ_WRITE:atomic items=READ out=READ_WRITE:writes_only
// class: persistent never GLOBAL_ATOMIC_RESULT
kernel void persistent(volatile global int *head, const global int *items, global int *out, int n)
{
    int at;
    while ((at = atomic_add(head, 1)) < n)
        out[at] = items[at] * 2;
}
