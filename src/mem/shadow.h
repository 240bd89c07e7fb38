/* Caches that hold names only: what a policy would keep, to be counted or followed.
 *
 * Pure: references in, hits and evictions out. Capacity and sizes are bytes (1 each: blocks).
 * LRU; FIFO; S3-FIFO (J. Yang, Y. Zhang, Z. Qiu, Y. Yue, R. Vinayak: FIFO queues are all you need
 * for cache eviction, SOSP 2023); and SCORE, in which every use of a key adds one to what is left
 * of its score, which halves with every `half` capacities of bytes that are referenced (LRFU: D.
 * Lee et al., IEEE Transactions on Computers 50(12), 2001). Scores outlive their keys' presence a
 * while. Thread: one. Allocates while it grows; a shadow without memory stays right but forgets.
 * O(1), SCORE O(log keys).
 */
#ifndef FASTGPU_MEM_SHADOW_H
#define FASTGPU_MEM_SHADOW_H

#include <stdbool.h>
#include <stdint.h>
#include "base/map.h"
#include "base/vec.h"

enum shadow_kind { SHADOW_LRU, SHADOW_FIFO, SHADOW_S3FIFO, SHADOW_SCORE };

struct shadow_list {
    uint32_t newest, oldest;
    uint64_t bytes;
};

struct shadow_node {
    uint64_t key, bytes;
    double score;
    uint32_t newer, older; /* of its list; `newer` links unused nodes */
    uint32_t heap;         /* place among those that are there, SCORE */
    uint8_t list;          /* enum shadow_where */
    uint8_t uses;          /* S3-FIFO: 0..3 since it came */
};

enum shadow_where { SHADOW_SMALL, SHADOW_MAIN, SHADOW_GHOST, SHADOW_LISTS };

struct shadow {
    enum shadow_kind kind;
    uint64_t capacity;
    double half_bytes;  /* SCORE */
    double clock_bytes; /* all references */
    struct map map;     /* key -> node */
    struct vec nodes;   /* struct shadow_node */
    struct vec heap;    /* uint32_t: nodes that are there, least score first */
    struct vec evicted; /* uint64_t: keys that went at the last use */
    uint32_t unused;
    struct shadow_list lists[SHADOW_LISTS];
};

/* [in] half: of SCORE, in capacities. */
void shadow_init(struct shadow *shadow, enum shadow_kind kind, uint64_t capacity, double half,
                 const struct alloc_hooks *hooks);
void shadow_fini(struct shadow *shadow);

/* A reference. True: it was there. Afterwards it is, unless it is larger than the capacity. A key
 * always has the size that it came with. */
bool shadow_use(struct shadow *shadow, uint64_t key, uint64_t bytes);

bool shadow_has(const struct shadow *shadow, uint64_t key);

#endif
