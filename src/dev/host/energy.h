/* What the machine has drawn, by the kernel's energy counters. Read, never set.
 *
 * Sources, below the root of sysfs ("/sys"; tests give a folder of their own):
 *   class/powercap/intel-rapl:N       processors ("package-...") and, below them, their memory
 *                                     ("dram"); also AMD's; "psys" has both again and is left out
 *   class/hwmon/hwmonN/energyM_input  processors ("amd_energy", sockets), where powercap has none;
 *                                     GPUs ("i915", "xe")
 * Counters wrap; each is right as long as it is read at least once in that time (half an hour and
 * more). A reading counts only if all counters that were found can be read: a sum that lacks one
 * would be an invented number. So would a difference over a time in which a counter went back
 * without having wrapped: `epoch` tells of that. Thread: the caller serialises.
 */
#ifndef FASTGPU_DEV_HOST_ENERGY_H
#define FASTGPU_DEV_HOST_ENERGY_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_ENERGY_COUNTERS 32u
#define HOST_ENERGY_PATH_BYTES 200u
#define HOST_ENERGY_WHY_BYTES 256u

struct host_energy_counter {
    char path[HOST_ENERGY_PATH_BYTES];
    char name[32];       /* "package-0", "xe" */
    uint64_t range_uj;   /* it wraps there; 0: unknown */
    uint64_t last_uj;    /* when it was read last */
    uint64_t counted_uj; /* since it was opened */
};

struct host_energy {
    struct host_energy_counter counters[HOST_ENERGY_COUNTERS];
    uint32_t count;
    uint32_t epoch;                  /* joules of two readings can be compared if it is equal */
    char why[HOST_ENERGY_WHY_BYTES]; /* of the last failure */
};

/* Looks for counters. Without any host_energy_read() says why. */
void host_energy_init(struct host_energy *energy, const char *sysfs);

/* [out] joule: of all counters, since host_energy_init(). False: energy->why says why not. */
bool host_energy_read(struct host_energy *energy, double *joule);

#endif
