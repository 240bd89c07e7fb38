/* Clocks of the operating system, in nanoseconds. Used by drivers, devices and tools; core, models
 * and policies get time as a value. Thread: any. clock_now_ns costs about 20-40 ns (vDSO).
 */
#ifndef FASTGPU_BASE_CLOCK_H
#define FASTGPU_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: comparable within the machine since boot. */
uint64_t clock_now_ns(void);

/* CPU time that this process / this thread has used. */
uint64_t clock_cpu_process_ns(void);
uint64_t clock_cpu_thread_ns(void);

#endif
