/* Tasks that run for far longer than predicted, perhaps for ever. See overdue.c.
 *
 * Runs under the engine's lock.
 */
#ifndef FASTGPU_CORE_OVERDUE_H
#define FASTGPU_CORE_OVERDUE_H

#include "core/engine.h"

#define OVERDUE_LOOK_NS 1000000000u /* lanes are looked at that often */

/* Looks at all lanes, and says when to look again (engine->overdue_look_ns). */
void overdue_look(struct engine *engine);
/* The lane has got on. */
void overdue_end(struct engine *engine, struct lane *lane);

#endif
