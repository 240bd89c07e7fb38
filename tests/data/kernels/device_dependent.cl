// What a device's compiler defines decides what this says, so nothing can be promised.
// expect: maybe a=UNKNOWN b=UNKNOWN c=UNKNOWN
// class: maybe never DOUBT
__kernel void maybe(__global int *a, __global const int *b, __constant int *c)
{
#ifdef __A_STRANGE_DEVICE__
    a[get_global_id(0)] = b[0] + c[0];
#else
    a[get_global_id(0)] = b[1] + c[1];
#endif
}
