/* Copies out, ahead of time, what will have to leave a memory that is short.
 *
 * Where a block has had to go, and the next tasks, by the plan or by the order of the graph, need
 * more room than is free or held by clean data that they do not need, what is needed last is copied
 * out while the way there carries nothing: whoever needs the room then lets go of a block that is
 * clean instead of waiting for a copy. One at a time for each memory. From a device to the host,
 * and from the host to the spill folder. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_WRITEBACK_H
#define FASTGPU_CORE_WRITEBACK_H

#include "core/engine.h"

/* A block of that memory has gone because it was full, or a copy from or to it has ended. */
static inline void writeback_note(struct engine *engine, uint32_t node)
{
    if (bitset_has(&engine->tight, node))
        bitset_add(&engine->relief, node);
}

void writeback_look(struct engine *engine);

/* Once in a turn, when all that is needed has been ordered. */
static inline void writeback_turn(struct engine *engine)
{
    bool is_news = engine->tight_order != engine->order && !bitset_is_empty(&engine->tight);
    if (__builtin_expect(is_news || !bitset_is_empty(&engine->relief), 0))
        writeback_look(engine);
}

#endif
