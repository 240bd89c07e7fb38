int __attribute__((overloadable)) f(global int *p);
int __attribute__((overloadable)) f(global int *p, int n) { return f(p); }
int __attribute__((overloadable)) f(global int *p) { return *p = 1; }
kernel void k(global int *a) { f(a, 2); k(a); unknown(a); }
