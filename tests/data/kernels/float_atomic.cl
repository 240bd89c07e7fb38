// Addition of floats by compare and exchange.
// expect: accumulate in=READ sum=READ_WRITE:atomic
// class: accumulate never GLOBAL_ATOMIC_RESULT
void add(volatile global float *target, const float value)
{
    union { uint u; float f; } seen, want;
    do {
        seen.f = *target;
        want.f = seen.f + value;
    } while (atomic_cmpxchg((volatile global uint *)target, seen.u, want.u) != seen.u);
}

kernel void accumulate(global const float *in, global float *sum)
{
    add(&sum[get_global_id(0) & 3], in[get_global_id(0)]);
}
