/* Holes of a heap that together hold a block, for devices that can give them one address range.
 *
 * Pure. Each hole is taken as a block of its own, cut to whole pieces of the device's; what is left
 * of it stays a hole. Thread: one at a time, as the heap.
 */
#ifndef FASTGPU_MEM_HEAP_STITCH_H
#define FASTGPU_MEM_HEAP_STITCH_H

#include "mem/heap.h"

/* Takes holes, the largest first, until they hold `bytes` together. `piece_bytes`: what the device
 * puts together, a power of two above CELLS_MAX_BYTES. [in,out] blocks: struct heap_block, filled;
 * give them back with heap_free. False: there is not as much, or no memory; nothing has changed. */
bool heap_stitch(struct heap *heap, uint64_t bytes, uint64_t piece_bytes, struct vec *blocks);

#endif
