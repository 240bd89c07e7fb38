/* The fence with one cheap side. See base/barrier.h. */
#include "base/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

#define BARRIER_PAUSE_NS 2000000 /* far longer than a store stays in a core's buffer */

static bool barrier_call(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

bool barrier_open(void)
{
    return barrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

void barrier_heavy(void)
{
    atomic_fence_seqcst();
    /* A child of fork() may have to register again; a process may have forbidden itself the call
     * since: what a thread has stored becomes visible by itself, soon. */
    if (!barrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
        !(barrier_open() && barrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED)))
        (void)nanosleep(&(struct timespec){.tv_nsec = BARRIER_PAUSE_NS}, NULL);
    atomic_fence_seqcst();
}
