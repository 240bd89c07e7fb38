// One comparison step of a bitonic sort, in place.
// expect: bitonic keys=READ_WRITE values=READ_WRITE
// class: bitonic free
__kernel void bitonic(__global uint *keys, __global uint *values, const uint stage, const uint pass)
{
    const uint i = get_global_id(0);
    const uint distance = 1u << (stage & 1), left = (i / distance) * distance + i % distance;
    const uint right = left + distance;
    const bool up = ((i >> stage) & 1) == 0;
    uint ka = keys[left], kb = keys[right];
    if ((ka > kb) == up) {
        keys[left] = kb, keys[right] = ka;
        const uint va = values[left];
        values[left] = values[right];
        values[right] = va;
    }
}
