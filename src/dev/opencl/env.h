/* The environment variables that change how OpenCL devices work; docs/env.md describes them.
 *
 * Read when a device is probed and when it and its queues open. A value that is not known counts as
 * none for the probe, and fails the opening: a misspelt one would silently measure something else.
 * Thread: any, as getenv(3).
 */
#ifndef FASTGPU_OPENCL_ENV_H
#define FASTGPU_OPENCL_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <fastgpu/status.h>

enum ocl_env_events { OCL_ENV_EVENTS_USUAL, OCL_ENV_EVENTS_ALL, OCL_ENV_EVENTS_FEW };

/* FASTGPU_OPENCL_MEMORY: true when devices shall not work in host memory. */
bool ocl_env_separate(void);

/* FASTGPU_OPENCL_EVENTS. */
enum ocl_env_events ocl_env_events(void);

/* FASTGPU_OPENCL_BESIDE: kernels that may run side by side on a CPU device, at most. */
uint32_t ocl_env_beside(void);

/* FGPU_E_INVAL, with variable, value and what is allowed, when one of them is not known. */
fgpu_status ocl_env_check(void);

#endif
