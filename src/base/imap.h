/* The interval map: cuts [0, size) bytes of a buffer into segments, each with a payload of the
 * caller's.
 *
 * Dependencies and replicas are kept per segment. Keeps true: the segments cover [0, size) without
 * gap or overlap, in order, at least one. With exactly one segment (nearly every buffer) a lookup
 * is one comparison. More of them hang in a treap (C. Aragon, R. Seidel: Randomized search trees,
 * 1989) with priorities from a counter, so that equal histories give equal trees, and in a list for
 * imap_next. Nodes are reused: no allocation after warm-up. Addresses of segments last until they
 * are merged away; splitting keeps the left part in place. Thread: one. Statuses without a text.
 */
#ifndef FASTGPU_BASE_IMAP_H
#define FASTGPU_BASE_IMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/alloc.h"

/* Bytes [begin, end); the payload follows, aligned to 16. */
struct imap_seg {
    uint64_t begin;
    uint64_t end;
};

/* Makes dst (uninitialised) a copy of src: the segment has been split. Cannot fail. */
typedef void (*imap_clone_fn)(void *user, void *dst, const void *src);
/* The payload goes away. */
typedef void (*imap_drop_fn)(void *user, void *payload);
/* May two neighbours become one segment? When it says so, `left` stands for both and may have been
 * changed to. */
typedef bool (*imap_equal_fn)(void *user, void *left, const void *right);

struct imap_node;
#define IMAP_SEG_OFFSET 48 /* of the segment in a node */

struct imap {
    imap_clone_fn clone;
    void *user;
    struct imap_node *spare; /* nodes for reuse */
    uint64_t seed;           /* of the next priority */
    const struct alloc_hooks *hooks;
    struct imap_node *root; /* from here on: what a lookup reads */
    uint64_t size_bytes;
    uint32_t seg_count;
    uint32_t payload_bytes;
};

/* One segment [0, size) with a zeroed payload. clone: NULL copies the bytes. FGPU_E_INVAL for size
 * 0, FGPU_E_NOMEM. */
fgpu_status imap_init(struct imap *map, uint64_t size_bytes, size_t payload_bytes,
                      imap_clone_fn clone, void *user, const struct alloc_hooks *hooks);

/* drop: called for every segment's payload; may be NULL. */
void imap_fini(struct imap *map, imap_drop_fn drop);

/* Makes `begin` and `end` borders of segments (begin < end <= size). FGPU_E_NOMEM leaves the map as
 * it was. */
fgpu_status imap_split(struct imap *map, uint64_t begin, uint64_t end);

struct imap_seg *imap_find(const struct imap *map, uint64_t offset);

/* Of a map with one segment. */
static inline struct imap_seg *imap_only(const struct imap *map)
{
    return (struct imap_seg *)(void *)((char *)map->root + IMAP_SEG_OFFSET);
}

/* The segment that contains `offset` < size. */
static inline struct imap_seg *imap_first(const struct imap *map, uint64_t offset)
{
    return map->seg_count == 1 ? imap_only(map) : imap_find(map, offset);
}

/* The neighbour to the right, NULL after the last; imap_prev to the left. */
struct imap_seg *imap_next(const struct imap *map, const struct imap_seg *seg);
struct imap_seg *imap_prev(const struct imap *map, const struct imap_seg *seg);

static inline void *imap_payload(struct imap_seg *seg)
{
    return seg + 1;
}

/* Joins equal neighbours among the segments that touch [begin, end], also across both borders. The
 * left one stays, the right one's payload is dropped (drop may be NULL). */
void imap_merge(struct imap *map, uint64_t begin, uint64_t end, imap_equal_fn equal,
                imap_drop_fn drop);

/* Asserts the invariants (development builds and tests). O(n). */
void imap_check(const struct imap *map);

/* Most nodes on a way from the root: what a lookup costs at worst. O(n). */
uint32_t imap_height(const struct imap *map);

#endif
