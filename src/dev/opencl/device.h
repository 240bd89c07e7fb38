/* One opened OpenCL device: what it can do, its memory budget, its context, why it was lost.
 *
 * Opened by the driver from what probe listed; mem, code, args, command and queue of this folder
 * work on it. Owns a reference to its context and a queue of its own for allocations. Constant
 * after open but for the atomics, the reason and the sample. Thread: as backend.h says.
 */
#ifndef FASTGPU_OPENCL_DEVICE_H
#define FASTGPU_OPENCL_DEVICE_H

#include <stdbool.h>
#include <fastgpu/backend.h>
#include "base/atomic.h"
#include "base/lock.h"
#include "base/map.h"
#include "dev/host/busy.h"
#include "dev/opencl/platform.h"

#define OCL_DEVICE_QUEUES 4u /* that a device may have */
#define OCL_DEVICE_COPIES 2u /* of them, for copies: one in, one out */
#define OCL_DEVICE_REASON 256u

struct ocl_device {
    struct ocl_unit unit;
    const struct ocl_api *api; /* the unit's */
    struct ocl_context *context;
    fgpu_doorbell bell;
    fgpu_device_caps caps;
    uint32_t align_bytes;          /* of sub-buffers, where memory is the device's own */
    cl_command_queue memory_queue; /* own memory only: makes allocations real */

    struct map sizes;                   /* host memory only: bytes by address */
    _Atomic uint64_t memory_used_bytes; /* given out by mem_alloc */
    _Atomic uint64_t serial;            /* of the last buffer or view made */
    _Atomic uint64_t launches;          /* numbers that launches took */
    _Atomic(void *) scatter;            /* the program of scatter.h; NULL: not there (yet) */
    bool scatter_tried;                 /* build thread */

    struct lock lock; /* the fields below */
    char reason[OCL_DEVICE_REASON];
    bool lost;             /* reason tells why */
    bool leaked;           /* a queue could not be closed */
    struct host_busy busy; /* CPUs only */
};

fgpu_status ocl_device_open(const fgpu_backend_options *options, uint32_t index,
                            const fgpu_doorbell *bell, void **device);
void ocl_device_close(void *device);
void ocl_device_caps(void *device, fgpu_device_caps *caps);
fgpu_status ocl_device_sample(void *device, fgpu_device_sample *sample);
void ocl_device_reason(void *device, char *text, size_t text_bytes);

/* Keeps the first text that is told with lost = true, else the newest. Never calls OpenCL. */
void ocl_device_note(struct ocl_device *device, bool lost, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Waits for an event without a blocking call, so that a dead device does not take us with it:
 * CL_COMPLETE, a negative error, or CL_SUBMITTED when the time was over. */
cl_int ocl_device_wait(const struct ocl_api *api, cl_event event, uint64_t limit_ns);

#endif
