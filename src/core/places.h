/* Planned places of blocks on a device, where memory is too small for everything side by side.
 *
 * The submitted tasks say when each buffer is first and last used on the node: from that the places
 * of all blocks to come are planned together (mem/offsets.h), around what lies there. A block then
 * goes to its place, if need be when what is still there has ended; what nobody will use and
 * another node has, too, makes way. Nothing is written back for a plan. Where things come out
 * otherwise, it goes the ordinary way: nothing is reserved, so a miss costs what it would have cost
 * without a plan. A plan whose sizes, lifetimes and surroundings are those of an earlier one is not
 * made again. Not in direct mode, not in the host's or the spill node's memory, not in pools with
 * terms, where tasks overtake each other. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_PLACES_H
#define FASTGPU_CORE_PLACES_H

#include "core/memory.h"

/* A block that lies on the node, or will. */
struct places_item {
    uint64_t bytes;       /* as the heap rounds them */
    uint64_t at;          /* its place, in all slabs one behind the other */
    uint64_t fixed;       /* where it lay when the plan was made; OFFSETS_FREE: nowhere */
    uint32_t buffer;      /* slot */
    uint32_t life;        /* which of the slot's buffers */
    uint32_t first, last; /* tasks that use it, counted in the order in which they will run */
    uint32_t uses;        /* of these tasks */
    uint32_t space;
    uint32_t range; /* of the heap, while it lies at its place; HEAP_NONE */
    uint8_t keeps;  /* its owner may want it after the last of them */
    uint8_t writes; /* only this node has it, or will */
    uint8_t beyond; /* tasks use it that the plan knows nothing of */
    uint8_t missed; /* it went the ordinary way */
};

/* A slab, or what is left for one more. */
struct places_space {
    uint64_t base, bytes; /* in the order of the plan */
    uint64_t mem;
    uint32_t slab; /* HEAP_NONE: it has not come */
    uint8_t empty;
};

/* A task of the order in which they will run. */
struct places_turn {
    uint64_t start_ns;
    uint32_t position; /* by the graph alone */
    uint32_t task;
};

#define PLACES_MEMOS 8u

/* What came of a plan, to be used again. */
struct places_memo {
    uint64_t sign;
    uint64_t used;      /* number of its last use; 0: never */
    struct vec offsets; /* uint64_t: of each item; empty: there is no plan */
};

struct places {
    bool known;           /* there is a plan */
    bool asked;           /* the last space is a slab to come */
    struct vec items;     /* struct places_item */
    struct vec item_of;   /* uint32_t: [buffer slot]; TASK_NONE */
    struct vec lying;     /* uint32_t: items at their places, from the lowest */
    struct vec spaces;    /* struct places_space */
    struct vec bases;     /* uint64_t: [slab] */
    struct vec order;     /* struct places_turn */
    struct vec owned;     /* uint8_t: [range] a buffer's; while a plan is made */
    struct vec blocks;    /* struct offsets_block, */
    struct vec fixed;     /* uint64_t, */
    struct vec offsets;   /* uint64_t: what is planned, items first */
    uint32_t looked;      /* engine->order then */
    uint32_t window;      /* tasks that were looked at */
    uint32_t vain, pause; /* looks to be left out after some in vain */
    uint64_t end;         /* of all spaces */
    uint64_t clock;
    struct places_memo memos[PLACES_MEMOS];
};

/* Can memory become short on the node at all, or is there a plan? */
static inline bool places_may(const struct engine *engine, uint32_t node)
{
    const struct engine_node *n = &engine->nodes[node];
    return node != 0 && __builtin_expect(engine->buffer_bytes > n->heap.ceiling_bytes ||
                                             (n->places != NULL && n->places->known),
                                         0);
}

/* For memory_get(), where the block is not there. True: *answer is its answer; false: the heap
 * decides. */
bool places_get(struct engine *engine, struct task *task, uint32_t buffer, uint32_t node,
                enum memory_answer *answer);

/* The same for memory_try(). [out] got: the block is there. */
bool places_try(struct engine *engine, const struct task *task, uint32_t buffer, uint32_t node,
                bool *got);

/* A block is about to go. */
void places_gone(struct engine *engine, const struct block *block);

/* A slab has come. */
void places_slab(struct engine *engine, uint32_t node, uint32_t slab);

/* Blocks have moved, or are lost: there is no plan any more. */
void places_forget(struct engine *engine, uint32_t node);

void places_fini(struct engine *engine, struct engine_node *node);
void places_check(const struct engine *engine, uint32_t node);

/* ---- places_make.c ---------------------------------------------------------------------- */

/* Plans for what the tasks to come need on the node. [out] grow_bytes: a slab that the heap has
 * been told of and that has to be asked for; 0: none. False: there is no plan. */
bool places_make(struct engine *engine, struct places *places, uint32_t node, uint64_t *grow_bytes);

/* The item stands at its place: into `lying`, which has room. */
void places_lie(struct places *places, uint32_t index);

static inline uint32_t places_life(const struct buffer *buffer)
{
    return (atomic_load_relaxed_u32(&buffer->live) + 1) >> 1; /* it is even once destroyed */
}

static inline struct places_item *places_item(const struct places *places, uint32_t index)
{
    return (struct places_item *)(void *)places->items.items + index;
}

static inline uint32_t *places_numbers(const struct vec *vec)
{
    return (uint32_t *)(void *)vec->items;
}

#endif
