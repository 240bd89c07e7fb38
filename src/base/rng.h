/* Seeded random numbers for simulation, fault injection and tests; nothing secret depends on them.
 *
 * xoshiro256** 1.0, seeded through SplitMix64 (D. Blackman, S. Vigna: Scrambled linear pseudorandom
 * number generators, ACM TOMS 47(4), 2021; G. Steele, D. Lea, C. Flood: Fast splittable
 * pseudorandom number generators, OOPSLA 2014). The same seed gives the same sequence on every
 * machine. Thread: one per struct.
 */
#ifndef FASTGPU_BASE_RNG_H
#define FASTGPU_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_u64(struct rng *rng);

/* Uniform in [0, n), without bias (D. Lemire: Fast random integer generation in an interval, TOMACS
 * 2019). n > 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);

/* Uniform in [0, 1): 53 random bits. */
double rng_unit(struct rng *rng);

/* Standard normal (G. Marsaglia's polar method, 1964). */
double rng_normal(struct rng *rng);

/* One step of SplitMix64: advances *state and returns a mixed word. */
uint64_t rng_splitmix64(uint64_t *state);

#endif
