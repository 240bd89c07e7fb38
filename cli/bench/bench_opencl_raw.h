/* An OpenCL queue driven by hand, to compare the pool with: one device, an in-order queue, an empty
 * kernel with one buffer argument, and the calls that a programmer would write.
 *
 * The loader is opened at run time (FASTGPU_OPENCL_LIBRARY, else libOpenCL.so.1), as the pool does.
 * Owns all of it until close. Main thread; failures are status and a sentence in `why`.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_OPENCL_RAW_H
#define FASTGPU_CLI_BENCH_BENCH_OPENCL_RAW_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

struct bench_raw;

/* The kernel on both sides. */
extern const char bench_raw_source[];
extern const char bench_raw_entry[];

/* [in] index: place of the device among all of all platforms; name: what it must be called.
 * [give] *raw. FGPU_E_NODEVICE without a loader or such a device. */
fgpu_status bench_raw_open(uint32_t index, const char *name, struct bench_raw **raw, char *why,
                           size_t why_bytes);
void bench_raw_close(struct bench_raw *raw);

/* Enqueues `count` kernels and waits for the last (clFinish). [in] flush_every: clFlush after that
 * many; 0: never. */
fgpu_status bench_raw_many(struct bench_raw *raw, uint64_t count, uint64_t flush_every);

/* Enqueues one kernel and waits for it: with clFinish, or with clWaitForEvents on its event. */
fgpu_status bench_raw_one_finish(struct bench_raw *raw);
fgpu_status bench_raw_one_event(struct bench_raw *raw);

#endif
