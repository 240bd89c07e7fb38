/* What fork(2) leaves of the library: the child has one thread, and whatever the others held.
 *
 * Locks of the whole process that are guarded are free in the child, and what they protect is
 * whole: the forking thread holds them during the fork. Only for locks that are held for a moment,
 * by nobody who may fork meanwhile. Thread: any.
 */
#ifndef FASTGPU_BASE_FORK_H
#define FASTGPU_BASE_FORK_H

#include <stdint.h>
#include "base/lock.h"

#define FORK_GUARDS 4

/* How often this process and its ancestors have forked since the first guard: another number than
 * before means that this is a child. Never waits. */
uint32_t fork_count(void);

/* Guards a lock from now on; at most FORK_GUARDS of them, each once. [borrow] lock for ever. */
void fork_guard(struct lock *lock);

#endif
