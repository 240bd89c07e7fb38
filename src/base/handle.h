/* How a handle's 64 bits are laid out: kind 4 | pool 10 | generation 26 | index 24, from the top.
 *
 * Pure bit packing for the API and the drivers; who checks a handle against what lives is the API
 * layer (api/lookup.h). The kind is never 0, so that the zero handle names nothing.
 */
#ifndef FASTGPU_BASE_HANDLE_H
#define FASTGPU_BASE_HANDLE_H

#include <stdint.h>

enum handle_kind {
    HANDLE_NONE = 0,
    HANDLE_POOL,
    HANDLE_DEVICE,
    HANDLE_BUFFER,
    HANDLE_KERNEL,
    HANDLE_TASK,
    HANDLE_GRAPH,
    HANDLE_EXEC,
    HANDLE_TENANT
};

#define HANDLE_INDEX_BITS 24u
#define HANDLE_GENERATION_BITS 26u
#define HANDLE_POOL_BITS 10u
#define HANDLE_GENERATION_MASK ((1u << HANDLE_GENERATION_BITS) - 1u)

static inline uint64_t handle_make(enum handle_kind kind, uint32_t pool, uint32_t generation,
                                   uint32_t index)
{
    return (uint64_t)kind << 60 | (uint64_t)pool << 50 |
           (uint64_t)(generation & HANDLE_GENERATION_MASK) << HANDLE_INDEX_BITS | index;
}

static inline enum handle_kind handle_kind(uint64_t bits)
{
    return (enum handle_kind)(bits >> 60);
}

static inline uint32_t handle_pool(uint64_t bits)
{
    return (uint32_t)(bits >> 50) & ((1u << HANDLE_POOL_BITS) - 1u);
}

static inline uint32_t handle_generation(uint64_t bits)
{
    return (uint32_t)(bits >> HANDLE_INDEX_BITS) & HANDLE_GENERATION_MASK;
}

static inline uint32_t handle_index(uint64_t bits)
{
    return (uint32_t)bits & ((1u << HANDLE_INDEX_BITS) - 1u);
}

#endif
