// Vectors in initialisers: literals, braces, what is left out, at the file's level too.
// expect: initialise out=READ_WRITE:writes_only
// class: initialise free
__constant float4 literal = (float4)(1.0f, 2.0f, 3.0f, 4.0f);
__constant float4 braces[3] = {(float4)(1.0f, 2.0f, 3.0f, 4.0f), {5.0f, 6.0f}, {7.0f}};
__constant int2 pairs[2] = {{1, 2}, (int2)(3)};
struct both {
    float4 v;
    int n;
};

__kernel void initialise(__global float4 *out)
{
    size_t i = get_global_id(0);
    float4 some = {1.0f, (float)i};
    float4 one = {9.0f};
    float4 halves = {some.yx, 3.0f, 4.0f};
    float4 list[2] = {{1.0f, 2.0f, 3.0f, 4.0f}, {some.x}};
    struct both s = {{1.0f, 2.0f, 3.0f, 4.0f}, 5};
    out[8 * i] = literal + some;
    out[8 * i + 1] = braces[0] + one;
    out[8 * i + 2] = braces[1] + halves;
    out[8 * i + 3] = braces[2];
    out[8 * i + 4] = list[0] + list[1];
    out[8 * i + 5] = convert_float4((int4)(pairs[0], pairs[1]));
    out[8 * i + 6] = s.v * s.n;
    out[8 * i + 7] = literal.wzyx;
}
