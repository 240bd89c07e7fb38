// Functions of one name.
// expect: calls_overloads a=READ_WRITE b=READ
int __attribute__((overloadable)) touch(global int *p) { return ++*p; }
int __attribute__((overloadable)) touch(global const float *p, int i) { return (int)p[i]; }

kernel void calls_overloads(global int *a, global const float *b)
{
    touch(a + get_global_id(0));
    if (touch(b, 1) > 100)
        a[get_global_id(0)] = 0;
}
