/* The backend for the cores of this machine: it runs native C kernels on worker threads.
 *
 * The rooms, in reading order: cpu_facts (what the machine is), cpu_quota (what of it the process
 * is granted), cpu_device (the table), cpu_worker (one thread and its queue), cpu_run (one
 * command), cpu_share (one launch on several workers), cpu_sensors (live readings).
 */
#ifndef FASTGPU_DEV_CPU_CPU_H
#define FASTGPU_DEV_CPU_CPU_H

#include <fastgpu/backend.h>

extern const fgpu_backend cpu_backend;

#endif
