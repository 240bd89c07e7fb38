global int *at(global int *p, int i) { return p + i; }
void sw(global int *x, global int *y) { global int *t = x; x = y; y = t; *x = 1; }
kernel void f(global int *a, global int *b, global int *c) { global int *p = a ? b : a, **q = &p; *at(c, 1) = *p; sw(a, b); global int *l[2] = {a, b}; size_t n = (size_t)c; p = (global int *)n; (*q)[n] += b - a; }
