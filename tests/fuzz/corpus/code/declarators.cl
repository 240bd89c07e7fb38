typedef int (*fp)(int), arr[4], *ptr;
int (*f)(int, float);
const int *const *restrict g;
int (*h[3])(void);
int ((z));
int (*(*deep)(int))[4];
void k(int a[static 4], int (*b)[3], int c(int), arr d) { }
kernel void m(global int (*x)[4], global arr *y) { x[1][2] = (*y)[3]; }
