/* How busy the processors are that this process may use, whoever uses them.
 *
 * For samples of the devices that compute on the host's cores. Takes the path of the kernel's table
 * (/proc/stat; tests give a file of their own), gives the share of busy time between two calls, in
 * ticks of mostly 10 ms. Source: proc_stat(5); waiting for a disk counts as idle, time taken by the
 * hypervisor as busy. Thread: the caller serialises.
 */
#ifndef FASTGPU_DEV_HOST_BUSY_H
#define FASTGPU_DEV_HOST_BUSY_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct host_busy {
    const char *path; /* [borrow] */
    cpu_set_t cpus;
    uint64_t busy, idle; /* ticks until the last call that told something */
};

/* Takes the processors of the calling thread's affinity mask, and a first reading. */
void host_busy_init(struct host_busy *host, const char *path);

/* The share since the last call that told one, 0 to 1. False: it is unknown, or no tick has passed
 * since. */
bool host_busy_share(struct host_busy *host, double *share);

#endif
