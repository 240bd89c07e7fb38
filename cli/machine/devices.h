/* What `fastgpu devices` knows of one device: the records between devices.c (options, words) and
 * devices_measure.c (runs). Plain data; what was not measured has no bit in `known`.
 */
#ifndef FASTGPU_CLI_MACHINE_DEVICES_H
#define FASTGPU_CLI_MACHINE_DEVICES_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/log_options.h"

enum devices_known { DEVICES_LAUNCH = 1, DEVICES_COPY = 2, DEVICES_PREEMPT = 4 };

struct devices_row {
    fgpu_device handle;
    fgpu_device_info info;
    fgpu_device_sample sample;
    uint32_t known;   /* enum devices_known */
    uint32_t preempt; /* enum fgpu_preempt */
    double launch_p50_ns;
    double copy_bytes_per_s; /* from host memory to where the device works */
    bool is_copy_shared;     /* it works in host memory: nothing is copied for it, and the figure is
                                that of a copy within host memory */
    bool is_lost;
};

/* A pool to look at devices with: nothing is taken from or left in the cache. Returns COMMAND_OK,
 * or the exit code after saying why. */
int devices_open(const char *command, const char *pattern, uint64_t subdevices,
                 const struct log_options *log, fgpu_pool *pool);

/* Lists the devices of the pool. [out] rows: *count of them, freed by the caller. */
fgpu_status devices_list(fgpu_pool pool, struct devices_row **rows, uint32_t *count);

/* Samples and measures; what cannot be measured stays unknown, with a line on stderr that says why.
 * Takes about a second. False when `stop` ended it, or a device has hung (then the pool cannot be
 * closed). */
bool devices_measure(fgpu_pool pool, struct devices_row *rows, uint32_t count,
                     const volatile sig_atomic_t *stop);

#endif
