__constant float4 table[2] = {(float4)(1), (float4)(2, 3, 4, 5)};
typedef enum { A, B = 4 } letter;
struct s { int x; struct s *next; union { float f; uint u; } n; } __attribute__((packed));
static float help(void) { return get_global_id(0); }
float two(float a, __local float *l);
float two(float a, __local float *l) { return a + l[0] + help(); }
__kernel __attribute__((reqd_work_group_size(8, 2, 1)))
void k(__global float *restrict a, __local float *l, __constant int *c, struct s s, uint3 u)
{
    __local int t[4], w; __local float *p = l; void *q = p; float *r = q;
    __constant int five = 5; enum letter2 { C } e = C; letter f = B;
    for (int i = 0; i < 4; i++) t[i] <<= i >> c[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    a[vec_step(u)] = two(as_float(u.x), l) + convert_int4_sat_rte(table[1]).s2 + s.n.f;
    goto end; end: ;
}
