/* The short way of submitting: checks and record in one.
 *
 * For one-dimensional kernels on a few whole buffers, without predecessors, name, callback, group
 * size or device of the caller's. All that task_check() would find wrong, and all that it would
 * find unusual, is left to it: here is only asked whether everything is as usual. Thread: any.
 */
#include "api/quick.h"

#include "api/reduce.h"

#define QUICK_GLOBAL_MOST (UINT64_C(1) << 48) /* as task_check() says it */

/* The handle names the object of this pool that lives there now. */
static bool quick_names(const struct pool *pool, uint64_t bits, enum handle_kind kind,
                        const _Atomic uint32_t *live)
{
    uint32_t generation = atomic_load_acquire_u32(live);
    return (generation & 1) != 0 &&
           bits == handle_make(kind, pool->index, generation, handle_index(bits));
}

static const struct kernel *quick_kernel(const struct pool *pool, const fgpu_task_desc *desc)
{
    struct engine *engine = &pool->driver->engine;
    uint32_t index = handle_index(desc->kernel.bits);
    if (index >= table_high_water(&engine->kernels))
        return NULL;
    struct kernel *kernel = engine_kernel(engine, index);
    if (!quick_names(pool, desc->kernel.bits, HANDLE_KERNEL, &kernel->live) ||
        desc->arg_count != kernel->arg_count ||
        (kernel->variant_mask & engine->devices[0].caps.variants) == 0)
        return NULL;
    if (!atomic_load_acquire_u32(&kernel->sealed))
        atomic_store_release_u32(&kernel->sealed, 1);
    return kernel;
}

static bool quick_arg(const struct pool *pool, const fgpu_arg *arg,
                      const struct kernel_arg *declared, struct submit_quick_arg *out)
{
    const struct engine *engine = &pool->driver->engine;
    const fgpu_region *region = &arg->region;
    uint32_t index = handle_index(arg->buffer.bits);
    if (arg->kind != FGPU_ARG_BUFFER || (declared->kind != 0 && declared->kind != arg->kind) ||
        region->row_bytes != 0 || region->offset_bytes != 0 || region->rows > 1 ||
        index >= table_high_water(&engine->buffers))
        return false;
    const struct buffer *buffer = engine_buffer(engine, index);
    uint32_t access = arg->access != FGPU_ACCESS_DEFAULT ? arg->access : declared->access;
    if (!quick_names(pool, arg->buffer.bits, HANDLE_BUFFER, &buffer->live) || access < FGPU_READ ||
        access > FGPU_READ_WRITE)
        return false;
    /* What linking will touch; by then it is there. */
    __builtin_prefetch(&buffer->home, 1);
    *out = (struct submit_quick_arg){.buffer = index,
                                     .live = handle_generation(arg->buffer.bits),
                                     .size_bytes = atomic_load_relaxed_u64(&buffer->size_bytes),
                                     .mode = (uint8_t)access};
    return true;
}

/* All arguments, no buffer twice. */
static bool quick_args(const struct pool *pool, const fgpu_task_desc *desc,
                       const struct kernel *kernel, struct submit_quick *quick)
{
    for (uint32_t i = 0; i < desc->arg_count; i++) {
        if (!quick_arg(pool, &desc->args[i], &kernel->args[i], &quick->args[i]))
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (quick->args[j].buffer == quick->args[i].buffer)
                return false;
    }
    return true;
}

static bool quick_is_usual(const fgpu_task_desc *desc)
{
    return desc != NULL && desc->struct_bytes == sizeof *desc && desc->kind == FGPU_TASK_KERNEL &&
           desc->arg_count <= TASK_BRIEF_ACCESSES && desc->args != NULL && desc->dims == 1 &&
           desc->after_count == 0 && desc->flags == 0 && desc->device.bits == 0 &&
           desc->cuts == NULL && desc->on_done == NULL && desc->name == NULL &&
           desc->terms == NULL && desc->priority >= -1000 && desc->priority <= 1000 &&
           desc->local[0] == 0 && desc->local[1] == 0 && desc->local[2] == 0 &&
           desc->global[0] - 1 < QUICK_GLOBAL_MOST;
}

bool quick_submit(struct pool *pool, const fgpu_task_desc *desc, fgpu_task *task)
{
    struct driver *driver = pool->driver;
    struct submit_quick quick;
    bool usual = quick_is_usual(desc) && !reduce_any(pool);
    const struct kernel *kernel = usual ? quick_kernel(pool, desc) : NULL;
    if (kernel == NULL || !quick_args(pool, desc, kernel, &quick))
        return false;
    quick.kernel = handle_index(desc->kernel.bits);
    quick.kernel_live = handle_generation(desc->kernel.bits);
    quick.global = desc->global[0];
    quick.priority = (int16_t)desc->priority;
    quick.arg_count = desc->arg_count;
    uint32_t index, generation;
    if (!submit_quick(&driver->engine, &quick, &index, &generation))
        return false;
    driver_push(driver, index, TASK_KERNEL);
    if (task != NULL)
        *task = lookup_task_handle(pool, index, generation);
    return true;
}
