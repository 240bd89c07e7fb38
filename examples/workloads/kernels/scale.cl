/* Kernel of scale.json. */
kernel void scale(global const float *src, global float *dst, float factor)
{
    size_t i = get_global_id(0);

    dst[i] = src[i] * factor;
}
