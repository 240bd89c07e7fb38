/* The CUDA backend: NVIDIA's GPUs by the driver API, opened at run time.
 *
 * Stands below the drivers on the walk of a task (launch and complete). The rooms, in reading
 * order: driver (what is used of NVIDIA's libraries), loader (opens them), text (errors), device
 * (what exists; a context), sensors (live readings), mem, code (CUDA C by NVRTC), stage (memory
 * that is not pinned), command (one record to driver calls), watch (a thread that sees what has
 * finished), queue (numbers, completion). docs/decisions/034 says why it is as it is; docs/gpu.md
 * what no GPU has confirmed yet. Names in here begin with cuda_, nvrtc_ and nvml_.
 */
#ifndef FASTGPU_CUDA_CUDA_H
#define FASTGPU_CUDA_CUDA_H

#include <fastgpu/backend.h>

extern const fgpu_backend cuda_backend;

#endif
