/* Of a memory that is full, whose block goes: what is used last, by the plan in force or by the
 * order of the submitted graph (core/future.h); else the oldest.
 *
 * Chooses and tells why; memory.c lets it go. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_VICTIM_H
#define FASTGPU_CORE_VICTIM_H

#include "core/engine.h"

/* What victim.cost adds up. */
#define VICTIM_DIRTY 2u
#define VICTIM_WANTED 4u

/* Why there is none, or none better. */
#define VICTIM_HELD 1u    /* by tasks, for as long as they like */
#define VICTIM_TRAVELS 2u /* a copy from or to it is under way */

/* What the contents of a block say about letting it go. */
struct victim_look {
    bool preimage; /* a writer in flight on a device starts again from here, and from nowhere else,
                      if that device dies; writers on the host are not asked: a mapping lasts as
                      long as its holder likes */
    bool clean;    /* another node has all of it, too */
};

struct victim_look victim_look(const struct buffer *buffer, uint32_t node);

/* What may go, and how good it would be to let it go. */
struct victim {
    uint32_t buffer; /* TASK_NONE: nothing may */
    uint32_t cost;
    uint64_t next; /* use, by the clock of the view; 0: not known */
};

static inline bool victim_is_dirty(uint32_t cost)
{
    return (cost & VICTIM_DIRTY) != 0;
}

/* What is known of uses to come: start times of a plan, or positions in the order of the graph. */
struct victim_view {
    bool known, planned;
    uint64_t now;
};

struct victim_view victim_view(struct engine *engine);

/* Among the first few that may go. [in] task: keeps its own; NULL: nobody does. [out] held: bits
 * above, of what may not. */
struct victim victim_choose(struct engine *engine, const struct task *task, uint32_t node,
                            uint32_t *held);

/* What may go and is needed after `until` only, by the clock of the view. */
struct victim_stock {
    uint64_t clean_bytes; /* of what need not be copied first */
    struct victim dirty;  /* of the rest what is needed last; buffer TASK_NONE: nothing */
};

struct victim_stock victim_stock(struct engine *engine, uint32_t node,
                                 const struct victim_view *view, uint64_t until);

#endif
