/* The short way of submitting: a task that has nothing unusual. See quick.c.
 *
 * Thread: any.
 */
#ifndef FASTGPU_API_QUICK_H
#define FASTGPU_API_QUICK_H

#include "api/lookup.h"

/* Submits a task that has nothing unusual. False: nothing was done, and the long way, which knows
 * everything and says what is wrong, is to be gone. [out] task: may be NULL. */
bool quick_submit(struct pool *pool, const fgpu_task_desc *desc, fgpu_task *task);

#endif
