struct __attribute__((packed)) p { char c; } __attribute__((aligned(4)));
typedef float f4 __attribute__((ext_vector_type(4)));
__kernel_exec(4, float4) void k(global f4 *a, global int *b __attribute__((unused))) __attribute__((work_group_size_hint(1, 2, 3 * (1 + 1)))) { __attribute__((opencl_unroll_hint(4))) for (;;) a->x = sizeof(struct p) + sizeof a[0] + vec_step(f4); }
