/* What other API files need of tasks.
 *
 * Thread: any.
 */
#ifndef FASTGPU_API_TASK_H
#define FASTGPU_API_TASK_H

#include "api/lookup.h"

/* Under the driver's lock: sets the calling thread's error text for the failed task and returns its
 * status. */
fgpu_status task_error_text(const struct pool *pool, uint32_t index);

/* Checks a description against the pool's objects and fills a request whose arrays lie in `room`.
 */
struct task_room {
    struct submit_arg args[LIMITS_KERNEL_ARGS];
    uint32_t after[2 * LIMITS_DEPS];
    struct task_terms terms;
};
fgpu_status task_check(struct pool *pool, const fgpu_task_desc *desc, const char *who,
                       struct task_room *room, struct submit_request *request);

/* How the arguments of a divisible task are cut; sets request->cuts unless its kernel must not be
 * divided. */
fgpu_status task_check_cuts(const struct pool *pool, const fgpu_task_desc *desc,
                            const struct kernel *kernel, const char *who,
                            struct submit_request *request);

/* Terms (api/terms.c): sets request->terms, whose deadline is admitted then. The rest of the
 * request is complete. */
fgpu_status task_check_terms(struct pool *pool, const fgpu_terms *terms, const char *who,
                             struct task_room *room, struct submit_request *request);

/* A region of a buffer of that size, normalised. */
fgpu_status task_check_region(const fgpu_region *region, uint64_t size_bytes, const char *who,
                              uint64_t *offset, struct task_rect *shape);

/* Two written or one read and one written range of the same buffer must not touch: FGPU_E_OVERLAP.
 */
fgpu_status task_check_overlap(const struct submit_arg *args, uint32_t count, const char *who);

/* Waits for a task by name; as fgpu_task_wait. */
fgpu_status task_wait(struct pool *pool, uint32_t index, uint32_t generation, uint64_t timeout_ns);

#endif
