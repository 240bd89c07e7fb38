kernel void f(global int *a) { if (1) { a[0] = 1; }
