/* When the plan in force uses a buffer on a node next: whoever makes room there asks.
 *
 * Made with the plan, where memory is limited; uses of tasks that have ended are passed over. Runs
 * under the engine's lock.
 */
#ifndef FASTGPU_CORE_USES_H
#define FASTGPU_CORE_USES_H

#include "base/map.h"
#include "base/vec.h"

struct engine;

#define USES_NEVER UINT64_MAX

struct uses {
    struct vec all;   /* struct uses_item */
    struct vec order; /* struct uses_start: tasks by their start, the next one last */
    struct map first; /* buffer and node -> the first that may be to come */
    bool known;       /* the plan in force has uses */
};

void uses_init(struct uses *uses, const struct alloc_hooks *hooks);
void uses_fini(struct uses *uses);

/* From the plan that was adopted: engine->planner. Without memory nothing is known. */
void uses_make(struct engine *engine);
void uses_forget(struct uses *uses);

/* Start of the next planned task that has not begun, USES_NEVER: there is none. Asked only where
 * `known`. */
uint64_t uses_next_ns(struct engine *engine, uint32_t buffer, uint32_t node);

/* Bytes that the tasks planned next need on the node and that have no room there, until there are
 * most_bytes of them. [out] until: when the last of those tasks starts. Asked only where `known`.
 */
uint64_t uses_missing(struct engine *engine, uint32_t node, uint64_t most_bytes, uint64_t *until);

#endif
