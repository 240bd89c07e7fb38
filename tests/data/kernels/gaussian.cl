// Separable blur with weights in constant memory, both as an argument and in the file.
// expect: blur_x src=READ dst=READ_WRITE:writes_only weights=READ
// expect: blur_y src=READ dst=READ_WRITE:writes_only
// run: blur_x 8 8 8 1
// run: blur_y 8 8 8 1
// class: blur_x free
__constant float fixed_weights[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};

__kernel void blur_x(__global const float *src, __global float *dst, int w,
                     __constant float *weights, int radius)
{
    int x = get_global_id(0), y = get_global_id(1);
    float sum = 0.0f;
    for (int d = -radius; d <= radius; ++d)
        sum += weights[d + radius] * src[y * w + min(max(x + d, 0), w - 1)];
    dst[y * w + x] = sum;
}

__kernel void blur_y(__global const float *src, __global float *dst, int w, int h)
{
    int x = get_global_id(0), y = get_global_id(1);
    float sum = 0.0f;
    __constant float *k = fixed_weights;
    for (int d = -2; d <= 2; ++d)
        sum += *k++ * src[min(max(y + d, 0), h - 1) * w + x];
    dst[y * w + x] = sum;
}
