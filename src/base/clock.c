/* Reads the operating system's clocks. See base/clock.h. */
#include "base/clock.h"

#include <time.h>
#include "base/assert.h"

static uint64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);
    FGPU_ASSERT(!failed);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_cpu_process_ns(void)
{
    return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_cpu_thread_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}
