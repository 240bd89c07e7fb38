/* A workload without the pool, as people write it for one device: what the pool is measured
 * against.
 *
 * BASELINE_BY_HAND: one task after another; copy in what it reads, launch, copy out what it writes,
 * wait. BASELINE_QUEUE: what an expert writes; buffers that device and host share where the device
 * can, everything in one in-order queue, one wait at the end. Both begin with the inputs in host
 * memory and end with the outputs in host memory. Constants (buffers with content that no task
 * writes and that are not pictures: tables of weights) are copied once, before the time is taken.
 *
 * An OpenCL device is driven through the vendor's library directly; the cpu device by a team of
 * threads that share the work groups of a task evenly and meet behind each task. Thread: one at a
 * time. Blocks.
 */
#ifndef FASTGPU_CLI_BASELINE_BASELINE_H
#define FASTGPU_CLI_BASELINE_BASELINE_H

#include <signal.h>

#include "cli/workload/workload_data.h"

enum baseline_way { BASELINE_BY_HAND, BASELINE_QUEUE };

struct baseline;

struct baseline_result {
    uint64_t wall_ns;
    uint64_t cpu_ns;       /* of the whole process meanwhile */
    uint64_t work_ns;      /* of that for computing and copying, not for waiting; 0: not known */
    uint64_t copied_bytes; /* in and out */
};

/* [in] info: the device as the pool describes it; the whole device is used, never a part. [borrow]
 * workload, data: until closed. Kernels are compiled here. On failure *baseline is NULL:
 * FGPU_E_UNSUPPORTED where a kernel has no variant for the device or its kind is not known here,
 * FGPU_E_BUILD with the beginning of the compiler's text, FGPU_E_NODEVICE, FGPU_E_DEVICE,
 * FGPU_E_NOMEM, FGPU_E_SYSTEM. */
fgpu_status baseline_open(const struct workload *workload, const struct workload_data *data,
                          const fgpu_device_info *info, struct baseline **baseline, char *why,
                          size_t why_bytes);

/* One run of all tasks. The first one of a way may take longer: memory is made for it before the
 * time is taken, but some drivers put work off until a kernel is first launched. [in] stop: looked
 * at between tasks; FGPU_E_CANCELLED. FGPU_E_TASK when a native function fails. */
fgpu_status baseline_run(struct baseline *baseline, enum baseline_way way,
                         const volatile sig_atomic_t *stop, struct baseline_result *result,
                         char *why, size_t why_bytes);

/* The bytes of a buffer after the last run, [borrow] until the next run or close; NULL for a buffer
 * that is no output. */
const unsigned char *baseline_buffer(struct baseline *baseline, uint32_t buffer);

void baseline_close(struct baseline *baseline);

#endif
