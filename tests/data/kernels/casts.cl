// Casts: of the pointer, of the pointee, of constness, to a number and back.
// expect: as_bytes in=READ out=READ_WRITE:writes_only
// expect: const_away in=READ_WRITE:writes_only
// expect: to_number in=READ_WRITE:escapes
// expect: bits a=READ b=READ_WRITE:writes_only
// expect: punned a=READ b=READ_WRITE:writes_only
// expect: literal a=READ b=READ_WRITE:writes_only
// class: bits free
kernel void as_bytes(global const uint *in, global uint *out)
{
    const global uchar *p = (const global uchar *)(in + get_global_id(0));
    ((global uchar4 *)out)[get_global_id(0)] = (uchar4)(p[3], p[2], p[1], *p);
}

kernel void const_away(global const int *in)
{
    *(global int *)&in[get_global_id(0)] = 5;
}

kernel void to_number(global int *in)
{
    size_t address = (size_t)in;
    ((global int *)(address + 4 * get_global_id(0)))[0] = 1;
}

kernel void bits(global const float *a, global int *b)
{
    b[get_global_id(0)] = as_int(a[get_global_id(0)]) ^ (int)0x80000000u;
}

kernel void punned(global const float *a, global uint *b)
{
    union { float f; uint u; } both;
    both.f = a[get_global_id(0)];
    b[get_global_id(0)] = both.u;
}

kernel void literal(global const int *a, global int *b)
{
    int4 v = (int4){1, 2, 3, a[0]};
    struct { int x, y[2]; } s = {.x = 1, .y = {[1] = a[1]}};
    b[get_global_id(0)] = v.w + s.x + s.y[1] + ((int[]){4, 5})[get_global_id(0) & 1];
}
