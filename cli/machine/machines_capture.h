/* What `fastgpu machine capture` measures of one device: the record between machines_capture.c
 * (options, text) and machines_measure.c (runs). Plain data.
 */
#ifndef FASTGPU_CLI_MACHINE_MACHINES_CAPTURE_H
#define FASTGPU_CLI_MACHINE_MACHINES_CAPTURE_H

#include <signal.h>
#include <stdbool.h>

#include <fastgpu/fastgpu.h>

/* Median of several runs each; below 0: not known. */
struct machines_figures {
    double launch_ns; /* from the end of a kernel to the start of the next, which waits for it */
    double trip_ns;   /* from the submission of an empty kernel to the end of waiting for it */
    double flops_per_ns;
    double inside_bytes_per_ns; /* read and written */
    double idle_watt, busy_watt;
    double to_bytes_per_ns, to_latency_ns; /* from the host's memory into its own */
    double from_bytes_per_ns, from_latency_ns;
};

struct machines_device {
    fgpu_device handle;
    fgpu_device_info info;
    bool is_cores; /* each of its queues is a core, and is measured as one */
    struct machines_figures figures;
};

/* What the measurements share. */
struct machines_bench;

/* NULL with fgpu_last_error(). */
struct machines_bench *machines_bench_create(fgpu_pool pool, const struct machines_device *devices,
                                             uint32_t count, const volatile sig_atomic_t *stop);
void machines_bench_destroy(struct machines_bench *bench);

/* Measures everything of one device; takes about a second. What cannot be measured stays unknown,
 * with a line on stderr that says why. FGPU_E_TIMEOUT: it hangs, or `stop` came. */
fgpu_status machines_measure(struct machines_bench *bench, struct machines_device *device);

#endif
