// A function that is declared and never defined.
// expect: calls_out a=READ_WRITE:escapes b=READ c=READ
// class: calls_out never EXTERNAL
// nobuild
int elsewhere(global int *p, global const int *q);

kernel void calls_out(global int *a, global int *b, global int *c)
{
    int v = elsewhere(a, b) + c[0];
    if (v)
        return;
}
