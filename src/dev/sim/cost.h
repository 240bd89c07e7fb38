/* How long a command would take on a machine that is only described: virtual nanoseconds.
 *
 * Used by the sim device to time its commands and by the simulator driver to move its clock. Pure:
 * the same machine, command and generator state give the same time on every computer. The model is
 * the usual one of overhead plus volume over rate: a launch runs in waves of as many groups as
 * there are units; a transfer is latency plus bytes over bandwidth (R. Hockney: The communication
 * challenge for MPP, Parallel Computing 20, 1994). Thread: any, one per generator.
 */
#ifndef FASTGPU_DEV_SIM_COST_H
#define FASTGPU_DEV_SIM_COST_H

#include <fastgpu/backend.h>
#include "base/rng.h"

/* One simulated device and its link to the host. All rates > 0. */
struct sim_machine {
    uint32_t units;               /* groups that run at the same time */
    double speed;                 /* 1: a group takes what the caller says; 2: half of it */
    uint64_t launch_ns;           /* overhead of any command that runs on the device */
    uint64_t memory_bytes_per_us; /* fills, and copies inside the device (read and write) */
    uint64_t link_bytes_per_us;   /* copies from and to the host */
    uint64_t link_latency_ns;
    double noise; /* standard deviation of the time, relative to it; 0: none */
};

/* A small discrete GPU: 16 units, 5 us a launch, 100 GB/s inside, 10 GB/s and 8 us to the host. */
extern const struct sim_machine sim_machine_default;

/* Duration of the command, at least 1. group_ps: what one group of a launch takes at speed 1, in
 * picoseconds; other kinds ignore it. rng NULL: no noise. */
uint64_t cost_ns(const struct sim_machine *machine, const fgpu_cmd *cmd, uint64_t group_ps,
                 struct rng *rng);

#endif
