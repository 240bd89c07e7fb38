/* `fastgpu bench preempt`: what its two halves share. bench_preempt.c reads the options and has the
 * simulations, bench_preempt_device.c the runs on a device. Plain data.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_PREEMPT_H
#define FASTGPU_CLI_BENCH_BENCH_PREEMPT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct preempt_options {
    char **files;
    uint32_t file_count;
    uint64_t seconds, units, launch_us, group_us, seed; /* group_us 0: as usual */
    bool is_sim, is_json;
    const char *device; /* from here on: on a device */
    uint64_t rounds, time_ms, groups, request_us, pause_ms, depth;
};

extern const char preempt_command[];

/* Exit code. */
int preempt_on_device(const struct preempt_options *options, const volatile sig_atomic_t *stop);

#endif
