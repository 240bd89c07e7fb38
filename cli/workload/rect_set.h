/* Rectangles of whole numbers, each with the number of who put it there: which of them meet another
 * one, and what is left of them when it is cut out.
 *
 * A treap in Z-order of the first corners; every node knows the box around all that is below it, so
 * that a search leaves out what is elsewhere (with one row it is an interval tree). Priorities come
 * from a fixed sequence, so the shape repeats. Sources: R. Seidel, C. Aragon: Randomized search
 * trees, 1996; G. Morton, 1966 (the order); T. Chan: Closest-point problems simplified on the RAM,
 * 2002 (comparing in it). Pure.
 */
#ifndef FASTGPU_CLI_WORKLOAD_RECT_SET_H
#define FASTGPU_CLI_WORKLOAD_RECT_SET_H

#include <stdbool.h>
#include <stdint.h>

/* The cells row_begin <= row < row_end, column_begin <= column < column_end; neither is empty. */
struct rect {
    uint64_t row_begin, row_end;
    uint64_t column_begin, column_end;
};

struct rect_set {
    struct rect_node *nodes;
    uint32_t count, capacity; /* of nodes; 0 is nobody */
    uint32_t root, unused;    /* unused: first of a list */
    uint64_t random;
    uint32_t *hits; /* of the search that goes on */
    uint32_t hit_count, hit_capacity;
};

/* Nothing is taken until something is added. */
void rect_set_init(struct rect_set *set);
void rect_set_fini(struct rect_set *set);

/* All functions below return false without memory, and the set is good for rect_set_fini() only. */
bool rect_set_add(struct rect_set *set, const struct rect *rect, uint32_t owner);

/* Who met the rectangle: set->hits[0 .. hit_count - 1] are owners, in no order, some of them twice;
 * valid until the next call. */
bool rect_set_find(struct rect_set *set, const struct rect *rect);

/* The same, and all cells of the rectangle are nobody's from now on. */
bool rect_set_cut(struct rect_set *set, const struct rect *rect);

/* Removes everything; keeps the memory. */
void rect_set_clear(struct rect_set *set);

#endif
