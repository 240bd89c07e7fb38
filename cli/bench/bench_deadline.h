/* `fastgpu bench deadline`: what its two halves share. bench_deadline.c reads the options and has
 * the simulations, bench_deadline_device.c the runs on a device.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_DEADLINE_H
#define FASTGPU_CLI_BENCH_BENCH_DEADLINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/bench/bench_virtual.h"

struct deadline_options {
    uint64_t count, load, over, slice_us, noise, seed;
    bool is_sim, is_json;
    const char *device; /* where it is not in virtual time */
};

extern const char deadline_command[];

/* The most of the tasks that can end in time when all are there at once (Moore, Hodgson). 0 without
 * memory. Pure. */
uint32_t deadline_best(const struct virtual_plan *plan);

/* Exit code. */
int deadline_on_device(const struct deadline_options *options, const volatile sig_atomic_t *stop);

#endif
