typedef struct s { int a, b[3]; struct { float c; union { int d; float e; }; } f; struct s *n; } s_t;
enum e { P, Q = 3, R };
kernel void f(global s_t *x, s_t y, enum e z, global struct s *w) { s_t v = {.a = 1, .b = {[1] = 2}, .f.c = 1.0f}; x->f.c = y.b[Q] + v.a; x[1] = *w; struct s u = v; u.n = &v; }
