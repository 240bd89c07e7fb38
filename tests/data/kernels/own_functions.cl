// Functions of the text's own whose names a device's compiler may use for itself.
// expect: called in=READ out=READ_WRITE:writes_only
float link(float x) { return x + 1; }
float choose(float a, float b) { return a < b ? a : b; }
float shift(float a, float b, int left) { return left ? a - b : a + b; }
float root(float x, float n) { return x / n; }
float braces(float x) { return x * 3; }
void put(float *to, float value) { *to = value; }
float make(float x, float y) { return x * y; }
float smooth(float a, float b, float c) { return a + b - c; }
float steps_of(float x) { return x + 5; }
float assert(float x) { return x * 2; }
float2 pointer(float2 x) { return x + 7; }

kernel void called(global const int *in, global float *out)
{
    int i = get_global_id(0), n = in[i];
    float last;
    put(&last, n);
    out[i] = link(n) + choose(n, 2) + shift(n, 1, n) + root(n, 2) + braces(n) + last +
             make(n, 3) + smooth(1, n, 2) + steps_of(n) + assert(n) + pointer((float2)(n)).y;
}
