/* Kernels of chain.json. None is called step: OpenCL C has a function of that name. */
kernel void advance(global float *x, float factor)
{
    size_t i = get_global_id(0);

    x[i] = x[i] * factor + 0.5f;
}

kernel void fold(global const float *x, global float *sum, int count)
{
    size_t i = get_global_id(0), size = get_global_size(0);
    float total = 0.0f;

    for (int part = 0; part < count; part++)
        total += x[part * size + i];
    sum[i] = total;
}
