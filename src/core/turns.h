/* Which task the plan in force has next on a lane: whoever hands tasks to lanes that still work
 * asks. Made from the plan when it is asked first. Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_TURNS_H
#define FASTGPU_CORE_TURNS_H

#include <stdbool.h>
#include "base/vec.h"

struct engine;
struct lane;
struct task;

struct turns {
    struct vec items; /* struct turns_item: of each lane a heap, the one that starts first on top */
    struct vec lanes; /* struct turns_lane */
    bool known;       /* made from the plan in force */
};

void turns_init(struct turns *turns, const struct alloc_hooks *hooks);
void turns_fini(struct turns *turns);

/* There is another plan, of so many task slots; room for it is taken now, so that nothing has to be
 * found while tasks run. */
void turns_forget(struct turns *turns, uint32_t lanes, size_t slots);

/* Is the task, which is planned on the lane, the next one that the plan has there? Without memory:
 * no. */
bool turns_is_next(struct engine *engine, const struct task *task, const struct lane *lane);

#endif
