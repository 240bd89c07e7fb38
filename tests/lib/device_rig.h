/* Drives any device through the table of backend.h: open, submit with retries, wait by the
 * doorbell, move bytes in and out whatever memory the device has. Failures are cmocka failures.
 *
 * Nothing here polls without having been rung for, except where said: a device that does not ring
 * makes the test fail. One thread per queue.
 */
#ifndef FASTGPU_TESTS_LIB_DEVICE_RIG_H
#define FASTGPU_TESTS_LIB_DEVICE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/doorbell.h"
#include "base/rng.h"
#include "dev/checked.h"

#define RIG_PATIENCE_NS UINT64_C(20000000000)
#define RIG_QUEUES 8u

/* What runs: a backend's device with its options, and the layers around it. */
struct rig_target {
    const char *name;
    const fgpu_backend *backend;
    fgpu_backend_options options;
    uint32_t index;
    const char *faults; /* NULL: none */
    bool validate;
    bool trace;
    bool executes;              /* false for null: nothing has an effect */
    const char *opencl_library; /* FASTGPU_OPENCL_LIBRARY; NULL: unset */
    const char *opencl_memory;  /* FASTGPU_OPENCL_MEMORY; NULL: unset */
    const char *cuda_library;   /* driver, NVRTC and NVML in one; NULL: the machine's */
};

struct rig {
    const struct rig_target *target;
    struct doorbell bell;
    fgpu_doorbell ringer;
    struct device device;
    struct device_queue queues[RIG_QUEUES];
    uint32_t queue_count;
    _Atomic uint64_t trace_events;
};

/* Makes the environment name that library as driver, NVRTC and NVML; NULL: the machine's. */
void rig_cuda_library(const char *library);

/* Opens the device and its queues (at most RIG_QUEUES). */
void rig_open(struct rig *rig, const struct rig_target *target);
void rig_close(struct rig *rig);

/* Submits all of them, waiting for room; returns the number of the last. */
uint64_t rig_submit(struct rig *rig, uint32_t queue, const fgpu_cmd *cmds, uint32_t count);

/* Waits until the number is reported. Fails the test on a queue error. */
void rig_wait(struct rig *rig, uint32_t queue, uint64_t number);

/* The same without failing: the queue's status when it stops before that. */
fgpu_status rig_await(struct rig *rig, uint32_t queue, uint64_t number);

/* Runs one command to its end and returns its status. */
fgpu_status rig_run(struct rig *rig, uint32_t queue, uint32_t kind, uint32_t flags, void *body);

/* The same past the checked calls, for commands that no pool would send. */
fgpu_status rig_run_raw(struct rig *rig, uint32_t queue, uint32_t kind, void *body);

fgpu_mem rig_alloc(struct rig *rig, uint64_t bytes);
void rig_free(struct rig *rig, fgpu_mem mem);
void rig_write(struct rig *rig, fgpu_mem mem, uint64_t offset, const void *from, uint64_t bytes);
void rig_read(struct rig *rig, fgpu_mem mem, uint64_t offset, void *to, uint64_t bytes);

/* Random bytes. */
void rig_noise(struct rng *rng, void *to, uint64_t bytes);

#endif
