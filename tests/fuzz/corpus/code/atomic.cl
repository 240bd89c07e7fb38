kernel void f(volatile global int *a, local int *b) { int i = atomic_add(a, 1); atomic_inc(b); atom_xchg(&a[2], i); while (a[0] == 0); }
