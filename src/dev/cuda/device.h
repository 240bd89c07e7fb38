/* One opened CUDA device: what it can do, its primary context, its memory budget, why it was lost.
 *
 * Opened by the driver from what probe listed; everything else in this folder works on it. The
 * primary context is shared with whatever else in the process uses the card (the runtime API), and
 * pushed and popped around each use, so that the caller's thread keeps its own. Constant after open
 * but for the atomics and what the locks protect. Thread: as backend.h says.
 */
#ifndef FASTGPU_CUDA_DEVICE_H
#define FASTGPU_CUDA_DEVICE_H

#include <stdbool.h>
#include <fastgpu/backend.h>
#include "base/atomic.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/map.h"
#include "dev/cuda/loader.h"

#define CUDA_DEVICE_QUEUES 3u /* one computes, two copy: a card has an engine for each way */
#define CUDA_DEVICE_COPIES 2u
#define CUDA_DEVICE_REASON 256u

struct cuda_watch;
struct cuda_code;

struct cuda_device {
    const struct cuda_api *api;
    cuda_ordinal ordinal;
    uint32_t index;
    cuda_context context;
    fgpu_doorbell bell;
    fgpu_device_caps caps;
    uint64_t max_pitch;  /* of the driver's 2-D copies */
    uint32_t max_shared; /* bytes a launch may ask for */
    uint32_t arch;       /* 90: compute capability 9.0 */
    cuda_pool pool;      /* NULL: allocations are plain */
    cuda_stream memory;  /* order of the pool's allocations */
    struct cuda_watch *watch;
    const struct cuda_nvml *nvml; /* NULL: no readings */
    void *nvml_device;

    struct map sizes;                   /* bytes by address; mem.c */
    _Atomic uint64_t memory_used_bytes; /* given out by mem_alloc */

    struct lock lock; /* the fields below */
    char reason[CUDA_DEVICE_REASON];
    bool lost;                 /* reason tells why */
    bool leaked;               /* a queue could not be closed */
    struct cuda_code *retired; /* freed, to be unloaded (code.h) */
    void *pinned;              /* of guards (pinned.c), and which pages of it are in use */
    uint64_t pinned_pages[LIMITS_CUDA_PINNED_PAGES / 64];
};

fgpu_status cuda_device_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                              uint32_t capacity, uint32_t *count, char *why, size_t why_bytes);
fgpu_status cuda_device_open(const fgpu_backend_options *options, uint32_t index,
                             const fgpu_doorbell *bell, void **device);
void cuda_device_close(void *device);
void cuda_device_caps(void *device, fgpu_device_caps *caps);
fgpu_status cuda_device_sample(void *device, fgpu_device_sample *sample);
void cuda_device_reason(void *device, char *text, size_t text_bytes);

/* Makes the context this thread's; the error of the driver. Each success is followed by leave. */
cuda_result cuda_device_enter(const struct cuda_device *device);
void cuda_device_leave(const struct cuda_device *device);

/* Keeps the first text that is told with lost = true, else the newest. */
void cuda_device_note(struct cuda_device *device, bool lost, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Waits for a stream without a blocking call; CUDA_ERROR_NOT_READY when the time was over. */
cuda_result cuda_device_settle(const struct cuda_device *device, cuda_stream stream,
                               uint64_t limit_ns);

#endif
