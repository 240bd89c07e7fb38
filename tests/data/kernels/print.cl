// Output from a kernel.
// expect: report a=READ
// class: report free PRINTF
// norun: report
kernel void report(global const int *a)
{
    if (get_global_id(0) == 0)
        printf("%d %s\n", a[0], "first"
                                " value");
}
