// Double, in a parameter, a struct and a variable.
// expect: compensated in=READ out=READ_WRITE:writes_only
// expect: through_struct in=READ out=READ_WRITE:writes_only
// class: compensated free FP64
// class: through_struct free FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
struct sums { double high, low; };

kernel void compensated(global const float *in, global float *out, uint n)
{
    double sum = 0.0, c = 0.0;
    for (uint i = 0; i < n; i++) {
        const double y = in[i] - c, t = sum + y;
        c = (t - sum) - y;
        sum = t;
    }
    out[get_global_id(0)] = (float)sum;
}

kernel void through_struct(global const struct sums *in, global float *out)
{
    out[get_global_id(0)] = in[get_global_id(0)].high + in[get_global_id(0)].low;
}
