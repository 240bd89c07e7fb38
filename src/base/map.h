/* A hash map from 64-bit keys to 64-bit values, and hashes of byte strings.
 *
 * Open addressing with linear probing; deletion moves later entries back instead of leaving
 * tombstones (D. Knuth, The Art of Computer Programming 3, 6.4, algorithm R). At most 3/4 full,
 * doubles. Every key is allowed. The order of map_next depends only on the history of calls.
 * Thread: one; the hashes: any.
 */
#ifndef FASTGPU_BASE_MAP_H
#define FASTGPU_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/alloc.h"

struct map_entry {
    uint64_t key;
    uint64_t value;
};

struct map {
    struct map_entry *entries;
    uint8_t *used; /* one byte per entry */
    size_t count;
    size_t capacity; /* 0 or a power of two */
    const struct alloc_hooks *hooks;
};

void map_init(struct map *map, const struct alloc_hooks *hooks);
void map_fini(struct map *map);

/* Place of the value, or NULL; lasts until the next put or del. */
uint64_t *map_find(const struct map *map, uint64_t key);

/* False when the key is absent; then *value is left alone. `value` may be NULL. */
bool map_get(const struct map *map, uint64_t key, uint64_t *value);

/* Inserts or overwrites. FGPU_E_NOMEM leaves the map as it was, without a text. */
fgpu_status map_put(struct map *map, uint64_t key, uint64_t value);

/* False when the key was absent. */
bool map_del(struct map *map, uint64_t key);

/* Forgets the entries, keeps the memory. */
void map_clear(struct map *map);

/* Walks all entries: start with *cursor = 0; false at the end. No put or del meanwhile. */
bool map_next(const struct map *map, size_t *cursor, struct map_entry *entry);

/* Mixes one word (finalizer of SplitMix64; see base/rng.h). A bijection. */
static inline uint64_t hash_u64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* XXH64 (Y. Collet, xxHash fast digest algorithm specification 0.1.1), the same on all machines. */
uint64_t hash_bytes(const void *bytes, size_t size_bytes, uint64_t seed);

struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* Two XXH64 under different seeds: names of cache files. Against accident, not against an attacker.
 */
struct hash128 hash128(const void *bytes, size_t size_bytes, uint64_t seed);

#endif
