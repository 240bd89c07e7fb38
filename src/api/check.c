/* Argument checks of tasks: a description becomes a request, or an error that names the argument,
 * the value and the limit.
 *
 * Runs on the submitting thread without the lock; reads only what does not change while a handle is
 * valid (sizes, a sealed kernel's arguments). Thread: any.
 */
#include <string.h>

#include "api/reduce.h"
#include "api/task.h"

fgpu_status task_check_region(const fgpu_region *region, uint64_t size_bytes, const char *who,
                              uint64_t *offset, struct task_rect *shape)
{
    if (region == NULL ||
        (region->row_bytes == 0 && region->offset_bytes == 0 && region->rows <= 1)) {
        *offset = 0;
        *shape = (struct task_rect){size_bytes, size_bytes, 1};
        return FGPU_OK;
    }
    uint64_t rows = region->rows == 0 ? 1 : region->rows;
    uint64_t pitch =
        region->pitch_bytes == 0 || rows == 1 ? region->row_bytes : region->pitch_bytes;
    if (region->row_bytes == 0)
        return error_set(FGPU_E_INVAL, "%s: region.row_bytes is 0 at offset %llu", who,
                         (unsigned long long)region->offset_bytes);
    if (pitch < region->row_bytes)
        return error_set(FGPU_E_INVAL, "%s: region.pitch_bytes %llu is less than row_bytes %llu",
                         who, (unsigned long long)pitch, (unsigned long long)region->row_bytes);
    uint64_t span;
    if (region->offset_bytes > size_bytes || __builtin_mul_overflow(pitch, rows - 1, &span) ||
        __builtin_add_overflow(span, region->row_bytes, &span) ||
        span > size_bytes - region->offset_bytes)
        return error_set(
            FGPU_E_RANGE,
            "%s: %llu rows of %llu bytes, pitch %llu, from offset %llu reach beyond the "
            "buffer's %llu bytes",
            who, (unsigned long long)rows, (unsigned long long)region->row_bytes,
            (unsigned long long)pitch, (unsigned long long)region->offset_bytes,
            (unsigned long long)size_bytes);
    *offset = region->offset_bytes;
    *shape = (struct task_rect){region->row_bytes, pitch, rows};
    if (rows > 1 && pitch == region->row_bytes)
        *shape = (struct task_rect){pitch * rows, pitch * rows, 1};
    return FGPU_OK;
}

/* ---- overlap ---------------------------------------------------------------------------- */

static uint64_t check_end(const struct submit_arg *arg)
{
    return arg->offset_bytes + arg->shape.pitch_bytes * (arg->shape.rows - 1) +
           arg->shape.row_bytes;
}

/* Does any row of `arg` touch [begin, end)? */
static bool check_touches(const struct submit_arg *arg, uint64_t begin, uint64_t end)
{
    if (end <= arg->offset_bytes || begin >= check_end(arg))
        return false;
    if (arg->shape.rows == 1)
        return true;
    uint64_t from =
        begin <= arg->offset_bytes ? 0 : (begin - arg->offset_bytes) / arg->shape.pitch_bytes;
    uint64_t row_begin = arg->offset_bytes + from * arg->shape.pitch_bytes;
    if (begin < row_begin + arg->shape.row_bytes)
        return end > row_begin;
    return from + 1 < arg->shape.rows && end > row_begin + arg->shape.pitch_bytes;
}

static bool check_overlap(const struct submit_arg *a, const struct submit_arg *b)
{
    if (a->offset_bytes >= check_end(b) || b->offset_bytes >= check_end(a))
        return false;
    for (uint64_t row = 0; row < a->shape.rows; row++) {
        uint64_t begin = a->offset_bytes + row * a->shape.pitch_bytes;
        if (check_touches(b, begin, begin + a->shape.row_bytes))
            return true;
    }
    return false;
}

fgpu_status task_check_overlap(const struct submit_arg *args, uint32_t count, const char *who)
{
    for (uint32_t i = 0; i < count; i++) {
        if (args[i].kind != FGPU_ARG_BUFFER)
            continue;
        for (uint32_t j = 0; j < i; j++) {
            if (args[j].kind != FGPU_ARG_BUFFER || args[j].buffer != args[i].buffer ||
                !((args[i].mode | args[j].mode) & (FGPU_WRITE | FGPU_REDUCE)) ||
                !check_overlap(&args[i], &args[j]))
                continue;
            return error_set(FGPU_E_OVERLAP,
                             "%s: arguments %u and %u touch the same bytes of one buffer, and one "
                             "writes them; pass the range once, as read-write",
                             who, j, i);
        }
    }
    return FGPU_OK;
}

/* ---- arguments -------------------------------------------------------------------------- */

static fgpu_status check_buffer_arg(struct pool *pool, const fgpu_arg *arg, uint32_t i,
                                    const char *who, struct submit_arg *out)
{
    fgpu_status status = lookup_buffer(pool, arg->buffer, who, &out->buffer);
    if (status != FGPU_OK)
        return error_set(status, "argument %u: %s", i, error_text());
    out->live = handle_generation(arg->buffer.bits);
    const struct buffer *buffer = engine_buffer(&pool->driver->engine, out->buffer);
    status = task_check_region(&arg->region, atomic_load_relaxed_u64(&buffer->size_bytes), who,
                               &out->offset_bytes, &out->shape);
    if (status != FGPU_OK)
        return error_set(status, "argument %u: %s", i, error_text());
    if (out->mode < FGPU_READ || out->mode > FGPU_REDUCE)
        return error_set(FGPU_E_INVAL,
                         "%s: argument %u: access is %u; give FGPU_READ, FGPU_WRITE, "
                         "FGPU_READ_WRITE or FGPU_REDUCE",
                         who, i, out->mode);
    return out->mode == FGPU_REDUCE ? reduce_check(pool, out, i, who) : FGPU_OK;
}

static fgpu_status check_arg(struct pool *pool, const fgpu_arg *arg, uint32_t i,
                             const struct kernel_arg *declared, const char *who,
                             struct submit_arg *out)
{
    out->kind = (uint8_t)arg->kind;
    out->size_bytes = arg->size_bytes;
    if (arg->kind < FGPU_ARG_BUFFER || arg->kind > FGPU_ARG_LOCAL)
        return error_set(FGPU_E_INVAL, "%s: argument %u: kind %u is none of buffer, scalar, local",
                         who, i, arg->kind);
    if (declared != NULL && declared->kind != 0 && declared->kind != arg->kind)
        return error_set(FGPU_E_INVAL, "%s: argument %u is a %s, the kernel takes a %s", who, i,
                         arg->kind == FGPU_ARG_BUFFER   ? "buffer"
                         : arg->kind == FGPU_ARG_SCALAR ? "scalar"
                                                        : "local size",
                         declared->kind == FGPU_ARG_BUFFER   ? "buffer"
                         : declared->kind == FGPU_ARG_SCALAR ? "scalar"
                                                             : "local size");
    if (arg->kind == FGPU_ARG_BUFFER) {
        uint32_t access =
            arg->access != FGPU_ACCESS_DEFAULT || declared == NULL ? arg->access : declared->access;
        out->mode = (uint8_t)(access < UINT8_MAX ? access : UINT8_MAX);
        return check_buffer_arg(pool, arg, i, who, out);
    }
    if (arg->size_bytes == 0 ||
        arg->size_bytes > (arg->kind == FGPU_ARG_SCALAR ? LIMITS_SCALAR_BYTES : (1u << 24)))
        return error_set(FGPU_E_INVAL, "%s: argument %u: size_bytes is %llu, it takes 1 to %u", who,
                         i, (unsigned long long)arg->size_bytes,
                         arg->kind == FGPU_ARG_SCALAR ? LIMITS_SCALAR_BYTES : (1u << 24));
    if (arg->kind == FGPU_ARG_LOCAL && declared != NULL)
        return FGPU_OK;
    if (arg->kind == FGPU_ARG_LOCAL)
        return error_set(FGPU_E_INVAL, "%s: argument %u is local memory, which only kernels take",
                         who, i);
    if (arg->value == NULL)
        return error_set(FGPU_E_INVAL, "%s: argument %u: value is NULL", who, i);
    if (declared != NULL && declared->size_bytes != 0 && declared->size_bytes != arg->size_bytes)
        return error_set(FGPU_E_INVAL, "%s: argument %u has %llu bytes, the kernel takes %u", who,
                         i, (unsigned long long)arg->size_bytes, declared->size_bytes);
    out->value = arg->value;
    return FGPU_OK;
}

static fgpu_status check_args(struct pool *pool, const fgpu_task_desc *desc,
                              const struct kernel *kernel, const char *who, struct submit_arg *out)
{
    if (desc->arg_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_INVAL, "%s: arg_count is %u, at most %d", who, desc->arg_count,
                         LIMITS_KERNEL_ARGS);
    if (kernel != NULL && desc->arg_count != kernel->arg_count)
        return error_set(FGPU_E_INVAL, "%s: %u arguments, kernel '%s' takes %u", who,
                         desc->arg_count, kernel->name, kernel->arg_count);
    if (desc->arg_count > 0 && desc->args == NULL)
        return error_set(FGPU_E_INVAL, "%s: args is NULL with arg_count %u", who, desc->arg_count);
    uint32_t buffers = 0;
    uint64_t scalar_bytes = 0;
    bool writes = false;
    for (uint32_t i = 0; i < desc->arg_count; i++) {
        fgpu_status status = check_arg(pool, &desc->args[i], i,
                                       kernel != NULL ? &kernel->args[i] : NULL, who, &out[i]);
        if (status != FGPU_OK)
            return status;
        if (out[i].kind == FGPU_ARG_SCALAR) {
            scalar_bytes += out[i].size_bytes;
            if (scalar_bytes > LIMITS_SCALAR_BYTES)
                return error_set(FGPU_E_INVAL,
                                 "%s: argument %u: with it the scalars have %llu bytes together, a "
                                 "task takes %d; pass more in a buffer",
                                 who, i, (unsigned long long)scalar_bytes, LIMITS_SCALAR_BYTES);
        }
        if (out[i].kind != FGPU_ARG_BUFFER)
            continue;
        buffers++;
        writes |= out[i].mode & (FGPU_WRITE | FGPU_REDUCE);
    }
    return buffers > 1 && writes ? task_check_overlap(out, desc->arg_count, who) : FGPU_OK;
}

/* ---- grid ------------------------------------------------------------------------------- */

static fgpu_status check_local(const fgpu_task_desc *desc, const struct kernel *kernel,
                               const char *who, uint32_t i)
{
    if (desc->local[i] == 0)
        return error_set(FGPU_E_INVAL,
                         "%s: local[%u] is 0 beside sizes that are not; give all or none", who, i);
    bool native_only = kernel->variant_mask == 1u << FGPU_VARIANT_NATIVE;
    if (!native_only && desc->global[i] % desc->local[i] != 0)
        return error_set(FGPU_E_INVAL, "%s: local[%u] %u does not divide global[%u] %llu", who, i,
                         desc->local[i], i, (unsigned long long)desc->global[i]);
    if (kernel->required_local[0] != 0 && kernel->required_local[i] != desc->local[i])
        return error_set(FGPU_E_INVAL, "%s: local[%u] is %u, the kernel's source requires %u", who,
                         i, desc->local[i], kernel->required_local[i]);
    return FGPU_OK;
}

static fgpu_status check_grid(const fgpu_task_desc *desc, const struct kernel *kernel,
                              const char *who, struct submit_request *request)
{
    if (desc->dims < 1 || desc->dims > 3)
        return error_set(FGPU_E_INVAL, "%s: dims is %u, it takes 1 to 3", who, desc->dims);
    request->dims = desc->dims;
    uint64_t items = 1;
    bool local = desc->local[0] != 0 || desc->local[1] != 0 || desc->local[2] != 0;
    for (uint32_t i = 0; i < 3; i++) {
        request->global[i] = i < desc->dims ? desc->global[i] : 1;
        request->local[i] = i < desc->dims ? desc->local[i] : (local ? 1 : 0);
        if (request->global[i] == 0)
            return error_set(FGPU_E_INVAL, "%s: global[%u] is 0", who, i);
        if (__builtin_mul_overflow(items, request->global[i], &items) ||
            items > (UINT64_C(1) << 48))
            return error_set(FGPU_E_INVAL,
                             "%s: the grid has more than 2^48 work items at global[%u] = "
                             "%llu",
                             who, i, (unsigned long long)request->global[i]);
        if (local && i < desc->dims) {
            fgpu_status status = check_local(desc, kernel, who, i);
            if (status != FGPU_OK)
                return status;
        }
    }
    return FGPU_OK;
}

/* ---- the whole -------------------------------------------------------------------------- */

static fgpu_status check_kernel(const struct pool *pool, const fgpu_task_desc *desc,
                                const char *who, struct submit_request *request)
{
    fgpu_status status = lookup_kernel(pool, desc->kernel, who, &request->kernel);
    if (status != FGPU_OK)
        return status;
    request->kernel_live = handle_generation(desc->kernel.bits);
    struct kernel *kernel = engine_kernel(&pool->driver->engine, request->kernel);
    if (kernel->variant_count == 0)
        return error_set(FGPU_E_NOVARIANT, "%s: kernel '%s' has no variant", who, kernel->name);
    if (!atomic_load_acquire_u32(&kernel->sealed))
        atomic_store_release_u32(&kernel->sealed, 1);
    return check_grid(desc, kernel, who, request);
}

static fgpu_status check_after(const struct pool *pool, const fgpu_task_desc *desc, const char *who,
                               struct task_room *room, struct submit_request *request)
{
    if (desc->after_count > LIMITS_DEPS)
        return error_set(FGPU_E_INVAL,
                         "%s: after_count is %u, at most %d; join some with an empty task", who,
                         desc->after_count, LIMITS_DEPS);
    if (desc->after_count > 0 && desc->after == NULL)
        return error_set(FGPU_E_INVAL, "%s: after is NULL with after_count %u", who,
                         desc->after_count);
    request->after = room->after;
    for (uint32_t i = 0; i < desc->after_count; i++) {
        uint32_t index, word;
        bool gone;
        fgpu_status status = lookup_task(pool, desc->after[i], who, &index, &word, &gone);
        if (status != FGPU_OK)
            return error_set(status, "after[%u]: %s", i, error_text());
        if (gone)
            continue;
        room->after[2 * request->after_count] = index;
        room->after[2 * request->after_count++ + 1] = word >> TASK_STATE_BITS;
    }
    return FGPU_OK;
}

static fgpu_status check_rest(const struct pool *pool, const fgpu_task_desc *desc, const char *who,
                              struct submit_request *request)
{
    if (desc->priority < -1000 || desc->priority > 1000)
        return error_set(FGPU_E_INVAL, "%s: priority is %d, it takes -1000 to 1000", who,
                         desc->priority);
    if (desc->flags != 0)
        return error_set(FGPU_E_INVAL, "%s: flags is 0x%x, no flag is defined", who, desc->flags);
    request->priority = (int16_t)desc->priority;
    request->pin = TASK_DEVICE_ANY;
    if (desc->device.bits != 0) {
        uint32_t device;
        fgpu_status status = lookup_device(pool, desc->device, who, &device);
        if (status != FGPU_OK)
            return status;
        request->pin = (uint16_t)device;
    }
    request->on_done = desc->on_done;
    request->on_done_user = desc->on_done_user;
    request->name = desc->name;
    return FGPU_OK;
}

/* Some device of the pool must be able to take it, or submit refuses at once. */
static fgpu_status check_variant(const struct pool *pool, const struct submit_request *request,
                                 const char *who)
{
    const struct engine *engine = &pool->driver->engine;
    const struct kernel *kernel = engine_kernel(engine, request->kernel);
    for (uint32_t d = 0; d < pool->driver->visible_count; d++)
        if ((request->pin == TASK_DEVICE_ANY || request->pin == d) &&
            (engine->devices[d].caps.variants & kernel->variant_mask))
            return FGPU_OK;
    return error_set(FGPU_E_NOVARIANT, "%s: no %s device takes a variant of kernel '%s'%s", who,
                     request->pin == TASK_DEVICE_ANY ? "chosen" : "such", kernel->name,
                     kernel->variant_mask == 1u << FGPU_VARIANT_NATIVE   ? " (it has native C only)"
                     : kernel->variant_mask == 1u << FGPU_VARIANT_OPENCL ? " (it has OpenCL C only)"
                                                                         : "");
}

fgpu_status task_check(struct pool *pool, const fgpu_task_desc *desc, const char *who,
                       struct task_room *room, struct submit_request *request)
{
    if (desc == NULL)
        return error_set(FGPU_E_INVAL, "%s: desc is NULL", who);
    if (desc->struct_bytes != sizeof *desc)
        return error_set(FGPU_E_VERSION,
                         "%s: desc.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_task_desc_init first",
                         who, desc->struct_bytes, sizeof *desc);
    memset(request, 0, sizeof *request);
    request->kind = (uint8_t)desc->kind;
    request->kernel = TASK_NONE;
    request->args = room->args;
    request->arg_count = (uint8_t)desc->arg_count;
    fgpu_status status = FGPU_OK;
    const struct kernel *kernel = NULL;
    if (desc->kind == FGPU_TASK_KERNEL) {
        status = check_kernel(pool, desc, who, request);
        if (status == FGPU_OK)
            kernel = engine_kernel(&pool->driver->engine, request->kernel);
    } else if (desc->kind == FGPU_TASK_HOST && desc->host_fn == NULL) {
        status = error_set(FGPU_E_INVAL, "%s: host_fn is NULL", who);
    } else if (desc->kind > FGPU_TASK_EMPTY) {
        status = error_set(FGPU_E_INVAL, "%s: kind is %u, it takes 0 to 2", who, desc->kind);
    }
    request->host_fn = desc->host_fn;
    request->host_user = desc->host_user;
    if (status == FGPU_OK)
        status = check_args(pool, desc, kernel, who, room->args);
    if (status == FGPU_OK)
        status = check_after(pool, desc, who, room, request);
    if (status == FGPU_OK)
        status = check_rest(pool, desc, who, request);
    if (status == FGPU_OK && kernel != NULL)
        status = check_variant(pool, request, who);
    if (status == FGPU_OK && desc->cuts != NULL)
        status = task_check_cuts(pool, desc, kernel, who, request);
    return status;
}
