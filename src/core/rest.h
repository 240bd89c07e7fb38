/* Lanes that rest: a plan that saves energy, or keeps under a power cap, leaves them idle.
 *
 * They take no tasks unless nobody else can, and steal none. Under the engine's lock.
 */
#ifndef FASTGPU_CORE_REST_H
#define FASTGPU_CORE_REST_H

#include "core/engine.h"

/* A plan has come into force: lanes that it has nothing for rest, where power counts. */
void rest_plan(struct engine *engine);

/* Nobody rests any more: a device has been lost. */
void rest_end(struct engine *engine);

#endif
