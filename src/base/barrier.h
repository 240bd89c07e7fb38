/* A fence with one cheap side: for flags that are set all the time and asked for almost never.
 *
 * Two threads that each set a flag and then read the other's need a full fence between the two, or
 * both may miss what the other has set. Where one of them does that in every call and the other
 * once in its life, all of the cost can be the latter's: barrier_light() only keeps the compiler
 * from reordering, barrier_heavy() makes every thread of the process go through a fence of its own
 * (membarrier(2), private expedited). Linux only; where the kernel refuses, barrier_open() says so
 * and the caller uses atomic operations instead. Thread: any.
 */
#ifndef FASTGPU_BASE_BARRIER_H
#define FASTGPU_BASE_BARRIER_H

#include <stdbool.h>

/* Before the first barrier_light(). False: there is none of this here. */
bool barrier_open(void);

static inline void barrier_light(void)
{
    __asm__ volatile("" ::: "memory");
}

void barrier_heavy(void);

#endif
