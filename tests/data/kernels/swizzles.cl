// Components of vectors as targets and sources.
// expect: colours in=READ out=READ_WRITE:writes_only
// expect: components v=READ_WRITE
// class: colours free
kernel void colours(global const float4 *in, global float4 *out)
{
    size_t i = get_global_id(0);
    out[i].xyz = in[i].zyx;
    out[i].w = in[i].s3;
    float8 wide = (float8)(in[i], in[i].hi, (float2)(1.0f));
    wide.even = wide.odd;
    wide.lo.xy += 1.0f;
    out[i + 1] = shuffle(wide.lo, (uint4)(3, 2, 1, 0));
}

kernel void components(global int4 *v)
{
    v[get_global_id(0)].x++;
    v[get_global_id(0)].yz -= v->xw;
    (&v[get_global_id(0)])->w = any(v[0] > 1) ? 1 : vec_step(int4);
}
