// half in memory only, float in between.
// expect: half_scale in=READ out=READ_WRITE:writes_only
// class: half_scale free
kernel void half_scale(global const half *in, global half *out, float by)
{
    size_t i = get_global_id(0);
    vstore_half(vload_half(i, in) * by, i, out);
    vstore_half4_rte(vload_half4(i, in + 256) * by, i, out + 256);
}
