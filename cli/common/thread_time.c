/* Threads and their clocks: see thread_time.h. */
#include "cli/common/thread_time.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define THREAD_CLOCK_SCHED 2u  /* the kernel's CPUCLOCK_SCHED, */
#define THREAD_CLOCK_THREAD 4u /* and CPUCLOCK_PERTHREAD_MASK */

enum thread_owner thread_owner_of(const char *name, bool is_main)
{
    if (strncmp(name, "fgpu-cpu-", 9) == 0)
        return THREAD_CPU_DEVICE;
    return is_main || strncmp(name, "fgpu-", 5) == 0 ? THREAD_POOL : THREAD_LIBRARY;
}

/* The name that the thread has in /proc; false where it has ended. */
static bool thread_read_name(const char *id, char *name, size_t name_bytes)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", id);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_read = fgets(name, (int)name_bytes, file) != NULL;
    (void)fclose(file);
    return is_read;
}

static bool thread_read_clock(long id, uint64_t *cpu_ns)
{
    clockid_t clock = (clockid_t)(~(unsigned)id << 3 | THREAD_CLOCK_THREAD | THREAD_CLOCK_SCHED);
    struct timespec time;

    if (clock_gettime(clock, &time) != 0)
        return false;
    *cpu_ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    return true;
}

void thread_times_read(struct thread_times *times)
{
    const struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");

    *times = (struct thread_times){0};
    if (!tasks)
        return;
    while ((entry = readdir(tasks)) != NULL) {
        char *end, name[32];
        long id = strtol(entry->d_name, &end, 10);
        uint64_t cpu_ns;
        if (*end != '\0' || id <= 0 || !thread_read_name(entry->d_name, name, sizeof name) ||
            !thread_read_clock(id, &cpu_ns))
            continue;
        times->is_known = true;
        times->cpu_ns[thread_owner_of(name, id == (long)getpid())] += cpu_ns;
    }
    (void)closedir(tasks);
}

uint64_t thread_times_between(const struct thread_times *before, const struct thread_times *after,
                              enum thread_owner owner)
{
    uint64_t from_ns = before->cpu_ns[owner], to_ns = after->cpu_ns[owner];

    return to_ns > from_ns ? to_ns - from_ns : 0;
}
