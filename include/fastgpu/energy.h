/* What the machine has drawn, by its own energy counters, where it has some that may be read. */
#ifndef FASTGPU_ENERGY_H
#define FASTGPU_ENERGY_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Joules of everything that is counted, whoever used it, and idle ones too. */
typedef struct fgpu_energy {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t counters;     /* that were added up */
    uint32_t epoch;        /* two readings can be compared if it is the same in both */
    uint32_t reserved;
    uint64_t time_ns;  /* CLOCK_MONOTONIC */
    double joule;      /* since the first reading of the process: differences count */
    char sources[128]; /* names of the counters: "package-0, dram"; cut to fit */
} fgpu_energy;

/* Reads the counters of the processors and their memory (Linux powercap; hwmon's amd_energy) and of
 * GPUs whose driver has one (hwmon's i915, xe). Nothing is ever set. [in,out] energy: struct_bytes
 * set by the caller, else FGPU_E_VERSION; unchanged on failure. Errors: FGPU_E_NODEVICE where there
 * are none, or where one of them cannot be read: fgpu_last_error() says which, and why. Counters
 * wrap: who wants a difference over more than some minutes reads meanwhile. Any thread; may take
 * a millisecond. */
FGPU_API fgpu_status fgpu_energy_read(fgpu_energy *energy);

#ifdef __cplusplus
}
#endif

#endif
