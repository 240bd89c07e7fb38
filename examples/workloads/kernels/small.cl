/* A recurrence for each element: work that no item shares with another. */
__kernel void settle(__global float *x, int steps)
{
    size_t i = get_global_id(0);
    float value = x[i];
    for (int k = 0; k < steps; k++)
        value = value * 0.9999f + 0.5f;
    x[i] = value;
}
