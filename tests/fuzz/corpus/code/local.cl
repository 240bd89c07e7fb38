__kernel __attribute__((reqd_work_group_size(8,8,1))) void f(__global float *a, __local float *t) { __local int x[4][4]; barrier(CLK_LOCAL_MEM_FENCE); a[get_group_id(0)] = t[0] + x[1][2]; }
