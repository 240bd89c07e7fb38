// Images are listed, and not supported.
// expect: from_image out=READ_WRITE:writes_only
// class: from_image never IMAGE
// norun: from_image
const sampler_t nearest = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP | CLK_FILTER_NEAREST;
kernel void from_image(read_only image2d_t in, global float4 *out, __write_only image2d_t copy)
{
    const int2 at = (int2)(get_global_id(0), get_global_id(1));
    const float4 v = read_imagef(in, nearest, at);
    out[at.y * get_image_width(in) + at.x] = v;
    write_imagef(copy, at, v);
}
