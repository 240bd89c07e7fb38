/* XXH64, written from its specification (see base/map.h). Reads bytes as little-endian words on any
 * machine. */
#include "base/map.h"

#include <endian.h>
#include <string.h>

#define HASH_P1 UINT64_C(0x9e3779b185ebca87)
#define HASH_P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define HASH_P3 UINT64_C(0x165667b19e3779f9)
#define HASH_P4 UINT64_C(0x85ebca77c2b2ae63)
#define HASH_P5 UINT64_C(0x27d4eb2f165667c5)

static uint64_t hash_rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static uint64_t hash_read64(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

static uint32_t hash_read32(const unsigned char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return le32toh(word);
}

static uint64_t hash_round(uint64_t lane, uint64_t word)
{
    return hash_rotate(lane + word * HASH_P2, 31) * HASH_P1;
}

/* Consumes stripes of 32 bytes in four lanes and folds the lanes. */
static uint64_t hash_stripes(const unsigned char *p, size_t stripe_count, uint64_t seed)
{
    uint64_t lanes[4] = {seed + HASH_P1 + HASH_P2, seed + HASH_P2, seed, seed - HASH_P1};
    for (size_t i = 0; i < stripe_count; i++) {
        for (size_t lane = 0; lane < 4; lane++)
            lanes[lane] = hash_round(lanes[lane], hash_read64(p + 32 * i + 8 * lane));
    }
    uint64_t hash = hash_rotate(lanes[0], 1) + hash_rotate(lanes[1], 7) +
                    hash_rotate(lanes[2], 12) + hash_rotate(lanes[3], 18);
    for (int lane = 0; lane < 4; lane++)
        hash = (hash ^ hash_round(0, lanes[lane])) * HASH_P1 + HASH_P4;
    return hash;
}

uint64_t hash_bytes(const void *bytes, size_t size_bytes, uint64_t seed)
{
    const unsigned char *p = bytes;
    size_t stripe_count = size_bytes / 32, left = size_bytes % 32;
    uint64_t hash = stripe_count > 0 ? hash_stripes(p, stripe_count, seed) : seed + HASH_P5;
    hash += size_bytes;
    if (size_bytes > 0)
        p += 32 * stripe_count;
    for (; left >= 8; left -= 8, p += 8)
        hash = hash_rotate(hash ^ hash_round(0, hash_read64(p)), 27) * HASH_P1 + HASH_P4;
    for (; left >= 4; left -= 4, p += 4)
        hash = hash_rotate(hash ^ hash_read32(p) * HASH_P1, 23) * HASH_P2 + HASH_P3;
    for (; left > 0; left--, p++)
        hash = hash_rotate(hash ^ *p * HASH_P5, 11) * HASH_P1;
    hash = (hash ^ (hash >> 33)) * HASH_P2;
    hash = (hash ^ (hash >> 29)) * HASH_P3;
    return hash ^ (hash >> 32);
}

struct hash128 hash128(const void *bytes, size_t size_bytes, uint64_t seed)
{
    return (struct hash128){
        .low = hash_bytes(bytes, size_bytes, seed),
        .high = hash_bytes(bytes, size_bytes, seed ^ UINT64_C(0x6a09e667f3bcc909)),
    };
}
