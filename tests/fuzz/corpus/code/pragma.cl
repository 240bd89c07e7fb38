_Pragma("unroll") kernel void f(global int *a) { _Pragma("x") a[0] = 1; }
#pragma push_macro("A")
