/* How much processor time the process's control groups grant it, in processors.
 *
 * For what the machine is (cpu_facts), off the walk of a task. A container of "2 CPUs" on a large
 * machine usually sees all of its cores, but may use two of them at a time: more threads than that
 * are stopped together, in the middle of a kernel, when the period's time is used up. Source: the
 * kernel's documents cgroup-v2 (cpu.max) and cgroup-v1 sched-bwc (cpu.cfs_quota_us,
 * cpu.cfs_period_us). The parsers are pure; the reader takes the root of the file system ("" or a
 * test's folder). Thread: any. Owns nothing.
 */
#ifndef FASTGPU_DEV_CPU_CPU_QUOTA_H
#define FASTGPU_DEV_CPU_CPU_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processor time per time, rounded up; 0: no limit. */
uint32_t cpu_quota_cpus(int64_t quota_us, int64_t period_us);

/* "QUOTA PERIOD", QUOTA may be "max": the contents of cpu.max. False for anything else. */
bool cpu_quota_parse_max(const char *text, uint32_t *cpus);

/* The process's group in /proc/self/cgroup: the line "0::PATH" with v1 false, the one whose
 * controllers include "cpu" with v1 true. False when there is none or it does not fit. */
bool cpu_quota_parse_group(const char *text, bool v1, char *path, size_t path_bytes);

/* The least that the process's group and those above it grant; 0: no limit, or none is known. */
uint32_t cpu_quota_read(const char *root);

#endif
