/* Blocks of several holes, where the device gives these one address range (caps.stitch_bytes): room
 * for a block that does not fit, without a copy.
 *
 * The heap's holes are taken as blocks of nobody; the block itself has no slab (HEAP_NONE), and the
 * name that mem_stitch gave. It does not move, and is in no plan of places. When it goes its name
 * goes back to the device and the holes to the heap. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_STITCH_H
#define FASTGPU_CORE_STITCH_H

#include "core/engine.h"

enum stitch_state { STITCH_FREE, STITCH_ASKED, STITCH_READY, STITCH_USED };

struct stitch {
    struct vec blocks; /* struct heap_block: the holes */
    struct vec pieces; /* fgpu_mem_piece: the same for the device */
    fgpu_mem mem;
    uint64_t bytes;
    uint32_t state; /* enum stitch_state */
};

struct stitches {
    struct vec all;   /* struct stitch */
    uint32_t waiting; /* that are asked for, or there and not used */
    uint64_t refused; /* the task for which the device would not do it */
};

/* Room for a block of `bytes` that the task needs. True: it is on its way; ask again when
 * memory_waiters of the node are woken. */
bool stitch_start(struct engine *engine, const struct task *task, uint32_t node, uint64_t bytes);

/* Gives the block what has come for one of its size. */
bool stitch_take(struct engine *engine, struct block *block, uint64_t bytes);

/* What has come and nobody has taken goes. True: there was such. */
bool stitch_drop(struct engine *engine, uint32_t node);

/* The block is one of these, and goes. */
void stitch_free(struct engine *engine, const struct block *block);

/* At the end: names that the device still knows go back. */
void stitch_clear(struct engine *engine, uint32_t node);
void stitch_fini(struct engine *engine, struct engine_node *node);

#endif
