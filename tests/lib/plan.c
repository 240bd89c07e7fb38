/* A plan: work for the pool as plain data. See plan.h; the tables double when they are full. */
#include "lib/plan.h"

#include <stdlib.h>

/* Makes room for one more record in a table of `count`; tables grow at powers of two. NULL: no
 * memory. */
static void *plan_grow(void *table, uint32_t count, size_t record_bytes)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return table;
    if (count > UINT32_MAX / 2)
        return NULL;
    return reallocarray(table, count == 0 ? 1 : (size_t)count * 2, record_bytes);
}

fgpu_status plan_add_kernel(struct plan *plan, const struct filter_kernel *kernel, uint32_t *number)
{
    struct filter_kernel *table = plan_grow(plan->kernels, plan->kernel_count, sizeof *kernel);

    if (!table)
        return FGPU_E_NOMEM;
    plan->kernels = table;
    *number = plan->kernel_count++;
    table[*number] = *kernel;
    return FGPU_OK;
}

fgpu_status plan_add_buffer(struct plan *plan, const struct plan_buffer *buffer, uint32_t *number)
{
    struct plan_buffer *table = plan_grow(plan->buffers, plan->buffer_count, sizeof *buffer);

    if (!table)
        return FGPU_E_NOMEM;
    plan->buffers = table;
    *number = plan->buffer_count++;
    table[*number] = *buffer;
    return FGPU_OK;
}

fgpu_status plan_add_task(struct plan *plan, const struct plan_task *task, uint32_t *number)
{
    struct plan_task *table = plan_grow(plan->tasks, plan->task_count, sizeof *task);

    if (!table)
        return FGPU_E_NOMEM;
    plan->tasks = table;
    *number = plan->task_count++;
    table[*number] = *task;
    return FGPU_OK;
}

void plan_fini(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->kernels);
    free(plan->buffers);
    free(plan->tasks);
    *plan = (struct plan){0};
}
