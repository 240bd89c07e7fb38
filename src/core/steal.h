/* Work for idle lanes out of others' backlogs; see steal.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_STEAL_H
#define FASTGPU_CORE_STEAL_H

#include "core/engine.h"

#define STEAL_FEW_LANES 64u /* of more only some are looked at where all could be */

/* Is the lane one that may take others' work now? */
bool steal_may(const struct engine *engine, const struct lane *thief);

/* A task that was in another lane's backlog, now placed on this one (and in no list); NULL:
 * nothing has changed, and another lane of the device that steal_may() would get nothing either. */
struct task *steal_for(struct engine *engine, struct lane *thief);

#endif
