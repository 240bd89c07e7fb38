kernel void (global int *a) { } int 3; } ) ; kernel f; typedef; struct; enum {,}; void g(a, b) int a; { } kernel void h(global int *a) { a[; }
