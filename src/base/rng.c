/* xoshiro256** and what is derived from it. Sources in base/rng.h. */
#include "base/rng.h"

#include <math.h>
#include "base/assert.h"
#include "base/map.h"

uint64_t rng_splitmix64(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return hash_u64(*state);
}

void rng_init(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = rng_splitmix64(&seed);
}

static uint64_t rng_rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rng_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rng_rotate(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    FGPU_ASSERT(n > 0);
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)rng_u64(rng) * n;
    if ((uint64_t)product < n) {
        /* 2^64 mod n low halves belong to incomplete intervals and are drawn again. */
        uint64_t reject_below = (0 - n) % n;
        while ((uint64_t)product < reject_below)
            product = (wide)rng_u64(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

double rng_normal(struct rng *rng)
{
    double x, y, square;
    do {
        x = 2.0 * rng_unit(rng) - 1.0;
        y = 2.0 * rng_unit(rng) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    return x * sqrt(-2.0 * log(square) / square);
}
