kernel void f(global const int *a, global int *b) { b[get_global_id(0)] = a[get_global_id(0)]; }
