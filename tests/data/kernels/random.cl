// Generators with state in memory, taken by pointer to global and by pointer to private.
// expect: uniform state=READ_WRITE out=READ_WRITE:writes_only
// expect: normal seeds=READ out=READ_WRITE:writes_only
// class: uniform free
typedef struct state { uint s[4]; } state;

uint next(__global state *g)
{
    const uint t = g->s[3] ^ (g->s[3] << 11);
    g->s[3] = g->s[2]; g->s[2] = g->s[1]; g->s[1] = g->s[0];
    return g->s[0] ^= (g->s[0] >> 19) ^ t ^ (t >> 8);
}

uint next_private(state *g)
{
    g->s[0] = g->s[0] * 1664525u + 1013904223u;
    return g->s[0];
}

kernel void uniform(global state *state, global float *out, uint n)
{
    global struct state *mine = &state[get_global_id(0)];
    for (uint i = 0; i < n; i++)
        out[get_global_id(0) * n + i] = next(mine) * 0x1p-32f;
}

kernel void normal(global const state *seeds, global float2 *out)
{
    state g = seeds[get_global_id(0)];
    const float u = fmax(next_private(&g) * 0x1p-32f, 1e-7f), v = next_private(&g) * 0x1p-32f;
    float c;
    const float s = sincos(2 * M_PI_F * v, &c);
    out[get_global_id(0)] = sqrt(-2 * log(u)) * (float2)(s, c);
}
