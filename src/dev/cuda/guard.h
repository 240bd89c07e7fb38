/* Launches of some work groups, and of those that a guard lets run (fgpu_cmd_slice).
 *
 * Steps launch and complete of a task's walk, beside command.h. A guard is a flag in pinned host
 * memory that kernels read across the bus, a map on the card with a byte for each group, and a copy
 * of the map in pinned memory, brought up to date behind each launch. So a group costs one read
 * across the bus, and the host never waits for the map. code/preempt.h says what kernels do.
 * Threads: open and close as mem_*; stop and left from any; the others are the queue's.
 */
#ifndef FASTGPU_CUDA_GUARD_H
#define FASTGPU_CUDA_GUARD_H

#include "dev/cuda/code.h"
#include "dev/cuda/queue.h"

struct cuda_guard {
    uint64_t groups;
    _Atomic uint32_t *flag;
    uint8_t *seen;    /* the map as it was behind the newest launch that has ended */
    cuda_ptr flag_at; /* the flag, for the card */
    cuda_ptr done;    /* the map */
    bool fresh;       /* nobody has zeroed the map */
};

fgpu_status cuda_guard_open(void *device, uint64_t groups, fgpu_guard *guard);
/* The same without asking cuda_live_flag(). */
fgpu_status cuda_guard_make(struct cuda_device *device, uint64_t groups, fgpu_guard *guard);
void cuda_guard_close(void *device, fgpu_guard guard);
void cuda_guard_stop(void *device, fgpu_guard guard, uint32_t stop);
uint64_t cuda_guard_left(void *device, fgpu_guard guard, uint64_t first, uint64_t count);
fgpu_status cuda_guard_warm(void *device, const fgpu_cmd_launch *launch);

/* A slice as it is launched: one row of groups; `place` is what the kernel is told. */
struct cuda_slice {
    unsigned groups;
    unsigned block[3];
    uint32_t place[4]; /* first group, groups of the grid in x, y, z */
};

/* Checks a slice against its code and its guard, and shapes it. */
bool cuda_guard_shape(const fgpu_cmd_slice *slice, const struct cuda_code *code,
                      struct cuda_slice *shape);

/* Before and behind a launch with a guard. The context is current. */
cuda_result cuda_guard_before(struct cuda_queue *queue, struct cuda_guard *guard);
cuda_result cuda_guard_behind(struct cuda_queue *queue, const fgpu_cmd_slice *slice);

/* Does the device see what the host stores while a kernel runs? live.c */
fgpu_status cuda_live_flag(void *device, uint32_t *live);

/* Pinned memory that guards share, so that opening one does not wait for the card. The context is
 * current. NULL: no room. */
fgpu_status cuda_pinned_ready(struct cuda_device *device);
void *cuda_pinned_get(struct cuda_device *device, uint64_t bytes);
void cuda_pinned_put(struct cuda_device *device, void *memory, uint64_t bytes);
void cuda_pinned_fini(struct cuda_device *device);

static inline struct cuda_guard *cuda_guard_of(fgpu_guard guard)
{
    return (struct cuda_guard *)(uintptr_t)guard;
}

#endif
