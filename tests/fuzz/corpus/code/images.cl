const sampler_t s = 1;
kernel void k(read_only image2d_t i, __write_only image3d_t o, sampler_t t, global float4 *a) { a[0] = read_imagef(i, t, (int2)(0, 0)); event_t e = async_work_group_copy((local float4 *)0, a, 1, 0); wait_group_events(1, &e); }
