// vload and vstore, with the buffers behind them.
// expect: black_scholes price=READ strike=READ years=READ call=READ_WRITE:writes_only
// expect: black_scholes put=READ_WRITE:writes_only
// class: black_scholes free
float4 cnd(float4 d)
{
    const float4 k = native_recip(1.0f + 0.2316419f * fabs(d));
    const float4 tail = 0.39894228f * exp(-0.5f * d * d) * k *
                        (0.31938153f + k * (-0.356563782f + k * 1.781477937f));
    return select(tail, 1.0f - tail, d > 0.0f);
}

__kernel void black_scholes(__global const float *price, __global const float *strike,
                            __global float *years, __global float *call, __global float *put,
                            float rate, float sigma)
{
    const size_t i = get_global_id(0);
    const float4 s = vload4(i, price), x = vload4(i, strike), t = vload4(i, years) + 1.0f;
    const float4 root = sqrt(t),
                 d1 = (log((s + 1) / (x + 1)) + (rate + 0.5f * sigma * sigma) * t) / (sigma * root);
    const float4 d2 = d1 - sigma * root, discount = exp(-rate * t);
    const float4 value = s * cnd(d1) - x * discount * cnd(d2);
    vstore4(value, i, call);
    vstore4(value - s + x * discount, i, put);
}
