/* Copies that share links go one after another, the most urgent first.
 *
 * Copies that run at the same time on a link all end late; one after another they move as many
 * bytes, and the first is there early. A copy lane's command is handed out only when no link on its
 * way carries another; until then it waits here, in the order of the plan's ranks and then of the
 * ordering. Only where the driver says which links a copy crosses (engine_config.paths). Runs under
 * the engine's lock.
 */
#ifndef FASTGPU_CORE_TRAFFIC_H
#define FASTGPU_CORE_TRAFFIC_H

#include "core/engine.h"

bool traffic_init(struct engine *engine);
void traffic_fini(struct engine *engine);

/* Does the lane's command wait for its links? Else it goes out at once. */
static inline bool traffic_governs(const struct engine *engine, const struct lane *lane)
{
    return engine->traffic != NULL && lane->copies;
}

/* Hands the copy out now, or when its links are free. False without memory. [in] rank: of its task
 * in the plan; INT64_MIN: none. early: its task is not ready yet: after all others. */
bool traffic_order(struct engine *engine, uint32_t op, int64_t rank, bool early);

/* A copy that waits is needed by a task of that rank, which is ready. */
void traffic_urge(struct engine *engine, uint32_t op, int64_t rank);

/* Would a copy that way go out at once, and in nobody's way? */
bool traffic_is_free(struct engine *engine, uint32_t src_node, uint32_t dst_node);

/* The copy has ended, or will never be handed out: others may go. */
void traffic_done(struct engine *engine, uint32_t op);

/* A copy of that lane that still waits, taken out; OP_NONE. */
uint32_t traffic_take(struct engine *engine, const struct lane *lane);

/* A copy that waits will never be handed out: it is taken out. False when it does not wait. */
bool traffic_drop(struct engine *engine, uint32_t op);

#endif
