/* Whose threads of this process took the processor: the cpu device's, the pool's own, or those that
 * an OpenCL library runs kernels on.
 *
 * Threads are told apart by their names: the pool calls those of the cpu device "fgpu-cpu-N" and
 * its other ones "fgpu-..."; the main thread counts as the pool's, for it submits and waits. What
 * is left belongs to a library. Linux: /proc/self/task, and the CPU clock of each thread
 * (clock_gettime(2), CPUCLOCK_SCHED of a thread id). Costs some 20 us a thread.
 */
#ifndef FASTGPU_CLI_COMMON_THREAD_TIME_H
#define FASTGPU_CLI_COMMON_THREAD_TIME_H

#include <stdbool.h>
#include <stdint.h>

enum thread_owner { THREAD_CPU_DEVICE, THREAD_POOL, THREAD_LIBRARY, THREAD_OWNERS };

struct thread_times {
    bool is_known;
    uint64_t cpu_ns[THREAD_OWNERS]; /* of the threads that live */
};

/* CPU time of all threads, since each began. */
void thread_times_read(struct thread_times *times);

/* Who owns a thread of that name. Pure. */
enum thread_owner thread_owner_of(const char *name, bool is_main);

/* What was taken between two readings, in ns; threads that ended meanwhile count for nothing. */
uint64_t thread_times_between(const struct thread_times *before, const struct thread_times *after,
                              enum thread_owner owner);

#endif
