/* Which of what is there goes when room is needed.
 *
 * Pure: told of uses, of what is there and of what is known of the future; names victims; moves
 * nothing. What is known to be used again goes last, the farthest use first (L. Belady: A study of
 * replacement algorithms for a virtual-storage computer, IBM Systems Journal 5(2), 1966), and with
 * a horizon that is LRU(l) of S. Albers (On the influence of lookahead in competitive paging
 * algorithms, Algorithmica 18, 1997) with the policy below in place of LRU. Of what is not known to
 * be used: several shadow caches (mem/shadow.h) see all uses, and the one with most hits of late is
 * followed: what it does not hold goes first. Thread: one. O(log keys) for each call, when no key
 * is held back.
 */
#ifndef FASTGPU_MEM_EVICT_H
#define FASTGPU_MEM_EVICT_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/map.h"
#include "base/vec.h"
#include "mem/shadow.h"

#define EVICT_SHADOWS 6
#define EVICT_UNKNOWN UINT64_MAX /* a next use: none that is known of */

struct evict_item {
    uint64_t key, bytes;
    uint64_t next;         /* when it will be used, EVICT_UNKNOWN */
    uint64_t last;         /* use, counted */
    uint32_t cost;         /* of letting it go: 1 clean, 2 must be written back */
    uint32_t newer, older; /* of those without a known use, by last use; `newer` links unused */
    uint32_t heap;         /* place among those with one */
};

struct evict {
    uint64_t capacity;
    struct shadow shadows[EVICT_SHADOWS];
    double hits[EVICT_SHADOWS]; /* of late */
    double fade;                /* of those, at each use */
    uint32_t followed;
    struct map map;    /* key -> item */
    struct vec items;  /* struct evict_item */
    struct vec heap;   /* uint32_t: items with a known use, farthest first */
    struct vec strays; /* uint64_t: keys that the followed shadow let go, from stray_first on */
    size_t stray_first;
    uint32_t unused, newest, oldest;
    uint64_t now; /* of next uses */
    uint64_t uses;
    uint64_t dirty; /* items that cost more than 1 */
    bool plain;     /* set by the caller: no shadows, the least recently used goes */
};

/* [in] capacity: bytes of what can be there, > 0. */
void evict_init(struct evict *evict, uint64_t capacity, const struct alloc_hooks *hooks);
void evict_fini(struct evict *evict);

/* A use, of what is there or is about to come. [in] now: on the clock of next uses. */
void evict_use(struct evict *evict, uint64_t key, uint64_t bytes, uint64_t now);

/* It is there from now on (once). FGPU_E_NOMEM leaves everything as it was. */
fgpu_status evict_add(struct evict *evict, uint64_t key, uint64_t bytes, uint32_t cost);
bool evict_has(const struct evict *evict, uint64_t key);
void evict_remove(struct evict *evict, uint64_t key);

/* What is known of something that is there (otherwise nothing happens). [in] next: EVICT_UNKNOWN:
 * nothing any more. FGPU_E_NOMEM: it stays unknown. */
fgpu_status evict_set_next(struct evict *evict, uint64_t key, uint64_t next);
uint64_t evict_get_next(const struct evict *evict, uint64_t key); /* as told, or EVICT_UNKNOWN */
void evict_set_cost(struct evict *evict, uint64_t key, uint32_t cost);

typedef bool (*evict_may_go_fn)(void *user, uint64_t key);

/* The one to let go; it stays until evict_remove(). [in] may_go: NULL: anyone. False: nobody. */
bool evict_choose(struct evict *evict, evict_may_go_fn may_go, void *user, uint64_t *key);

#endif
