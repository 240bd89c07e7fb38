/* What the machine's processor is: name, cores that may be used, caches, memory.
 *
 * Taken when a pool opens (probe, open). Source: hwloc, the affinity mask of the process, so that a
 * process confined to some cores by taskset or a cpuset sees only those, and the processor time
 * that its control groups grant (cpu_quota), so that a container gets no more threads. Thread: any;
 * a call takes milliseconds. Owns nothing.
 */
#ifndef FASTGPU_DEV_CPU_CPU_FACTS_H
#define FASTGPU_DEV_CPU_CPU_FACTS_H

#include <fastgpu/device.h>
#include "base/limits.h"

struct cpu_facts {
    char name[96];                /* "" when unknown */
    char vendor[64];              /* "" when unknown */
    uint32_t core_count;          /* usable by this process at a time, at least 1 */
    bool confined;                /* the process may not use all that the machine offers */
    int cpus[LIMITS_CPU_WORKERS]; /* a processor of each core, as the system counts; -1: unknown */
    uint32_t clock_mhz;           /* highest; 0: unknown */
    uint64_t memory_bytes;        /* of the machine; 0: unknown */
    uint64_t cache_bytes;         /* second-level cache of one core; 0: unknown */
};

/* Always fills *facts; where hwloc fails, from the operating system alone. */
void cpu_facts_read(struct cpu_facts *facts);

/* The same with the control groups' files below a folder of the caller's. */
void cpu_facts_read_from(struct cpu_facts *facts, const char *root);

#endif
