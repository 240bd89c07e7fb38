/* Buffers: create, destroy, and the data operations as tasks and as blocking calls. Thread: any.
 *
 * A blocking read or write holds the range on the host like a mapping and copies on the calling
 * thread; fill and copy are commands of the device that has the data; the asynchronous read and
 * write are host tasks.
 */
#include <stdio.h>
#include <string.h>

#include "api/buffer.h"
#include "api/map.h"
#include "api/reduce.h"
#include "api/task.h"
#include "base/assert.h"

#define BUFFER_MAX_BYTES (UINT64_C(1) << 46)

static fgpu_status buffer_new(fgpu_pool handle, void *ptr, uint64_t size_bytes, const char *who,
                              fgpu_buffer *buffer)
{
    fgpu_status status;
    if (buffer == NULL)
        return error_set(FGPU_E_INVAL, "%s: buffer is NULL", who);
    buffer->bits = 0;
    LOOKUP_GUEST *pool = lookup_pool(handle, who, &status);
    if (pool == NULL)
        return status;
    if (size_bytes == 0 || size_bytes > BUFFER_MAX_BYTES)
        return error_set(FGPU_E_INVAL, "%s: size_bytes is %llu, it takes 1 to %llu", who,
                         (unsigned long long)size_bytes, (unsigned long long)BUFFER_MAX_BYTES);
    if (ptr != NULL && (uintptr_t)ptr > UINTPTR_MAX - size_bytes)
        return error_set(FGPU_E_INVAL, "%s: ptr %p with size_bytes %llu wraps around", who, ptr,
                         (unsigned long long)size_bytes);
    uint32_t index;
    driver_enter(pool->driver);
    status = engine_buffer_create(&pool->driver->engine, size_bytes, ptr, &index);
    if (status == FGPU_OK)
        *buffer = lookup_buffer_handle(pool, index);
    driver_leave(pool->driver);
    if (status == FGPU_E_LIMIT)
        return error_set(status, "%s: the pool has %u buffers, its limit", who, LIMITS_BUFFERS);
    return status == FGPU_OK ? status
                             : error_set(status, "%s: no memory for a buffer's record", who);
}

fgpu_status fgpu_buffer_create(fgpu_pool pool, uint64_t size_bytes, fgpu_buffer *buffer)
{
    return buffer_new(pool, NULL, size_bytes, "fgpu_buffer_create", buffer);
}

fgpu_status fgpu_buffer_create_from(fgpu_pool pool, void *ptr, uint64_t size_bytes,
                                    fgpu_buffer *buffer)
{
    if (ptr == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_buffer_create_from: ptr is NULL");
    return buffer_new(pool, ptr, size_bytes, "fgpu_buffer_create_from", buffer);
}

/* Bring the caller's memory up to date before it is his again: a task that reads all of it on the
 * host and does nothing. */
static int buffer_nothing(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 0;
}

/* Orders that the caller's memory has the contents when all tasks have ended. Once per failure of
 * others: FGPU_E_AGAIN and so on as driver_submit. */
static fgpu_status buffer_bring_home(struct pool *pool, fgpu_buffer handle, uint64_t size_bytes)
{
    struct submit_arg arg = {.kind = FGPU_ARG_BUFFER,
                             .mode = FGPU_READ,
                             .buffer = handle_index(handle.bits),
                             .live = handle_generation(handle.bits),
                             .shape = {size_bytes, size_bytes, 1}};
    struct submit_request request = {.kind = TASK_HOST,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY,
                                     .host_fn = buffer_nothing};
    uint32_t task, generation;
    return reduce_submit(pool, &request, &task, &generation);
}

static fgpu_status buffer_drop(struct pool *pool, fgpu_buffer handle, const char *who)
{
    uint32_t index;
    struct engine *engine = &pool->driver->engine;
    driver_enter(pool->driver);
    fgpu_status status = lookup_buffer(pool, handle, who, &index);
    if (status == FGPU_OK && engine_buffer(engine, index)->adopted != NULL) {
        uint64_t size_bytes = atomic_load_relaxed_u64(&engine_buffer(engine, index)->size_bytes);
        driver_leave(pool->driver);
        status = buffer_bring_home(pool, handle, size_bytes);
        if (status != FGPU_OK)
            return status;
        driver_enter(pool->driver);
        status = lookup_buffer(pool, handle, who, &index); /* another thread may have been faster */
    }
    if (status == FGPU_OK)
        engine_buffer_destroy(engine, index);
    driver_leave(pool->driver);
    if (status == FGPU_OK)
        reduce_buffer_gone(pool);
    return status;
}

fgpu_status fgpu_buffer_destroy(fgpu_buffer handle)
{
    static const char who[] = "fgpu_buffer_destroy: buffer";
    if (handle.bits == 0)
        return FGPU_OK;
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    if (pool == NULL)
        return status;
    if (map_is_mapped(pool, handle))
        return error_set(FGPU_E_BUSY, "%s: it is mapped; unmap it first", who);
    return buffer_drop(pool, handle, who);
}

void buffer_return_adopted(struct pool *pool)
{
    struct engine *engine = &pool->driver->engine;
    for (uint32_t i = 0; i < table_high_water(&engine->buffers); i++) {
        const struct buffer *buffer = engine_buffer(engine, i);
        if ((atomic_load_relaxed_u32(&buffer->live) & 1) && buffer->adopted != NULL)
            (void)buffer_drop(pool, lookup_buffer_handle(pool, i), "fgpu_pool_close");
    }
}

fgpu_status fgpu_buffer_size(fgpu_buffer handle, uint64_t *size_bytes)
{
    static const char who[] = "fgpu_buffer_size: buffer";
    fgpu_status status;
    if (size_bytes == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_buffer_size: size_bytes is NULL");
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    uint32_t index;
    if (pool == NULL)
        return status;
    status = lookup_buffer(pool, handle, who, &index);
    if (status == FGPU_OK)
        *size_bytes =
            atomic_load_relaxed_u64(&engine_buffer(&pool->driver->engine, index)->size_bytes);
    return status;
}

fgpu_status fgpu_buffer_set_name(fgpu_buffer handle, const char *name)
{
    static const char who[] = "fgpu_buffer_set_name: buffer";
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    uint32_t index;
    if (pool == NULL)
        return status;
    status = lookup_buffer(pool, handle, who, &index);
    if (status != FGPU_OK)
        return status;
    driver_enter(pool->driver);
    struct buffer *buffer = engine_buffer(&pool->driver->engine, index);
    snprintf(buffer->name, sizeof buffer->name, "%s", name != NULL ? name : "");
    driver_leave(pool->driver);
    return FGPU_OK;
}

/* ---- operations ------------------------------------------------------------------------- */

/* What all of them check first. */
static fgpu_status buffer_range(fgpu_buffer handle, const fgpu_region *region, uint8_t mode,
                                const char *who, struct pool **pool, struct submit_arg *arg)
{
    fgpu_status status;
    *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, who, &status);
    FGPU_ASSERT(*pool != NULL || status != FGPU_OK);
    if (*pool == NULL)
        return status;
    memset(arg, 0, sizeof *arg);
    arg->kind = FGPU_ARG_BUFFER;
    arg->mode = mode;
    arg->live = handle_generation(handle.bits);
    status = lookup_buffer(*pool, handle, who, &arg->buffer);
    if (status != FGPU_OK)
        return status;
    uint64_t size =
        atomic_load_relaxed_u64(&engine_buffer(&(*pool)->driver->engine, arg->buffer)->size_bytes);
    return task_check_region(region, size, who, &arg->offset_bytes, &arg->shape);
}

/* The host side of a transfer: its pitch, and the region's own rows again where they lie apart
 * there but not in the buffer. */
static fgpu_status buffer_pitch(struct submit_arg *arg, const fgpu_region *region, const void *ptr,
                                uint64_t *pitch, const char *who)
{
    if (ptr == NULL)
        return error_set(FGPU_E_INVAL, "%s: the host pointer is NULL", who);
    if (*pitch != 0 && arg->shape.rows == 1 && region != NULL && region->rows > 1)
        arg->shape = (struct task_rect){region->row_bytes, region->row_bytes, region->rows};
    if (*pitch == 0)
        *pitch = arg->shape.row_bytes;
    if (*pitch < arg->shape.row_bytes && arg->shape.rows > 1)
        return error_set(FGPU_E_INVAL, "%s: the host pitch %llu is less than the row's %llu bytes",
                         who, (unsigned long long)*pitch, (unsigned long long)arg->shape.row_bytes);
    return FGPU_OK;
}

static void buffer_rows(char *dst, uint64_t dst_pitch, const char *src, uint64_t src_pitch,
                        uint64_t row_bytes, uint64_t rows)
{
    for (uint64_t row = 0; row < rows; row++)
        memcpy(dst + row * dst_pitch, src + row * src_pitch, (size_t)row_bytes);
}

/* Copies through a mapping. [in] host: only read from when `write`. */
static fgpu_status buffer_transfer_now(fgpu_buffer buffer, const fgpu_region *region, char *host,
                                       uint64_t pitch, bool write)
{
    const char *who = write ? "fgpu_buffer_write" : "fgpu_buffer_read";
    LOOKUP_GUEST *pool = NULL;
    struct submit_arg arg;
    fgpu_status status =
        buffer_range(buffer, region, write ? FGPU_WRITE : FGPU_READ, who, &pool, &arg);
    if (status == FGPU_OK)
        status = buffer_pitch(&arg, region, host, &pitch, who);
    if (status != FGPU_OK)
        return status;
    uint32_t task;
    char *mapped;
    status = map_hold(pool, &arg, who, &task, (void **)&mapped);
    if (status != FGPU_OK)
        return status;
    const struct task_rect *shape = &arg.shape;
    if (write)
        buffer_rows(mapped, shape->pitch_bytes, host, pitch, shape->row_bytes, shape->rows);
    else
        buffer_rows(host, pitch, mapped, shape->pitch_bytes, shape->row_bytes, shape->rows);
    map_let_go(pool, task);
    return status;
}

fgpu_status fgpu_buffer_read(fgpu_buffer buffer, const fgpu_region *region, void *dst,
                             uint64_t dst_pitch_bytes)
{
    return buffer_transfer_now(buffer, region, dst, dst_pitch_bytes, false);
}

fgpu_status fgpu_buffer_write(fgpu_buffer buffer, const fgpu_region *region, const void *src,
                              uint64_t src_pitch_bytes)
{
    return buffer_transfer_now(buffer, region, (char *)(uintptr_t)src, src_pitch_bytes, true);
}

static fgpu_status buffer_submit(struct pool *pool, struct submit_request *request, fgpu_task *task)
{
    uint32_t index, generation;
    request->kernel = TASK_NONE;
    request->pin = TASK_DEVICE_ANY;
    fgpu_status status = reduce_submit(pool, request, &index, &generation);
    if (status == FGPU_OK && task != NULL)
        *task = lookup_task_handle(pool, index, generation);
    return status;
}

/* The blocking form of an operation: nobody else has its handle, so that its failure is forgotten
 * when it was told. */
static fgpu_status buffer_finish(fgpu_status status, fgpu_task task)
{
    if (status != FGPU_OK)
        return status;
    status = fgpu_task_wait(task, FGPU_FOREVER);
    if (status != FGPU_OK) {
        char text[LIMITS_ERROR_TEXT];
        snprintf(text, sizeof text, "%s", error_text());
        (void)fgpu_task_forget(task);
        (void)error_set(status, "%s", text);
    }
    return status;
}

/* Scalar argument of the host tasks behind read_async and write_async. */
struct buffer_transfer {
    char *host;
    uint64_t host_pitch, pitch, row_bytes, rows;
};

static int buffer_read_task(void *const *args, void *user)
{
    struct buffer_transfer t;
    (void)user;
    memcpy(&t, args[1], sizeof t);
    buffer_rows(t.host, t.host_pitch, args[0], t.pitch, t.row_bytes, t.rows);
    return 0;
}

static int buffer_write_task(void *const *args, void *user)
{
    struct buffer_transfer t;
    (void)user;
    memcpy(&t, args[1], sizeof t);
    buffer_rows(args[0], t.pitch, t.host, t.host_pitch, t.row_bytes, t.rows);
    return 0;
}

static fgpu_status buffer_transfer(fgpu_buffer buffer, const fgpu_region *region, char *host,
                                   uint64_t pitch, bool write, fgpu_task *task)
{
    const char *who = write ? "fgpu_buffer_write_async" : "fgpu_buffer_read_async";
    LOOKUP_GUEST *pool = NULL;
    struct submit_arg args[2];
    fgpu_status status =
        buffer_range(buffer, region, write ? FGPU_WRITE : FGPU_READ, who, &pool, &args[0]);
    if (status == FGPU_OK)
        status = buffer_pitch(&args[0], region, host, &pitch, who);
    if (status != FGPU_OK)
        return status;
    const struct task_rect *shape = &args[0].shape;
    struct buffer_transfer t = {host, pitch, shape->pitch_bytes, shape->row_bytes, shape->rows};
    args[1] = (struct submit_arg){.kind = FGPU_ARG_SCALAR, .value = &t, .size_bytes = sizeof t};
    struct submit_request request = {.kind = TASK_HOST,
                                     .arg_count = 2,
                                     .args = args,
                                     .host_fn = write ? buffer_write_task : buffer_read_task,
                                     .name = write ? "write" : "read"};
    return buffer_submit(pool, &request, task);
}

fgpu_status fgpu_buffer_read_async(fgpu_buffer buffer, const fgpu_region *region, void *dst,
                                   uint64_t dst_pitch_bytes, fgpu_task *task)
{
    return buffer_transfer(buffer, region, dst, dst_pitch_bytes, false, task);
}

fgpu_status fgpu_buffer_write_async(fgpu_buffer buffer, const fgpu_region *region, const void *src,
                                    uint64_t src_pitch_bytes, fgpu_task *task)
{
    return buffer_transfer(buffer, region, (char *)(uintptr_t)src, src_pitch_bytes, true, task);
}

fgpu_status fgpu_buffer_fill_async(fgpu_buffer buffer, const fgpu_region *region,
                                   const void *pattern, uint32_t pattern_bytes, fgpu_task *task)
{
    static const char who[] = "fgpu_buffer_fill";
    LOOKUP_GUEST *pool = NULL;
    struct submit_arg arg;
    fgpu_status status = buffer_range(buffer, region, FGPU_WRITE, who, &pool, &arg);
    if (status != FGPU_OK)
        return status;
    if (pattern == NULL)
        return error_set(FGPU_E_INVAL, "%s: pattern is NULL", who);
    if (pattern_bytes == 0 || pattern_bytes > 16 || (pattern_bytes & (pattern_bytes - 1)) != 0)
        return error_set(FGPU_E_INVAL, "%s: pattern_bytes is %u, it takes 1, 2, 4, 8 or 16", who,
                         pattern_bytes);
    uint64_t row_bytes =
        region != NULL && region->row_bytes != 0 ? region->row_bytes : arg.shape.row_bytes;
    if (row_bytes % pattern_bytes != 0)
        return error_set(FGPU_E_INVAL, "%s: rows of %llu bytes are no multiple of pattern_bytes %u",
                         who, (unsigned long long)row_bytes, pattern_bytes);
    struct submit_request request = {.kind = TASK_FILL,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .pattern = pattern,
                                     .pattern_bytes = pattern_bytes,
                                     .name = "fill"};
    return buffer_submit(pool, &request, task);
}

fgpu_status fgpu_buffer_fill(fgpu_buffer buffer, const fgpu_region *region, const void *pattern,
                             uint32_t pattern_bytes)
{
    fgpu_task task;
    fgpu_status status = lookup_may_wait("fgpu_buffer_fill");
    if (status != FGPU_OK)
        return status;
    status = fgpu_buffer_fill_async(buffer, region, pattern, pattern_bytes, &task);
    return buffer_finish(status, task);
}

fgpu_status fgpu_buffer_copy_async(fgpu_buffer dst, const fgpu_region *dst_region, fgpu_buffer src,
                                   const fgpu_region *src_region, fgpu_task *task)
{
    static const char who[] = "fgpu_buffer_copy";
    LOOKUP_GUEST *pool = NULL;
    LOOKUP_GUEST *other = NULL;
    struct submit_arg args[2];
    fgpu_status status =
        buffer_range(dst, dst_region, FGPU_WRITE, "fgpu_buffer_copy: dst", &pool, &args[0]);
    if (status == FGPU_OK)
        status =
            buffer_range(src, src_region, FGPU_READ, "fgpu_buffer_copy: src", &other, &args[1]);
    if (status != FGPU_OK)
        return status;
    if (pool != other)
        return error_set(FGPU_E_FOREIGN, "%s: the buffers belong to different pools", who);
    struct task_rect *to = &args[0].shape, *from = &args[1].shape;
    /* A contiguous side takes the other's shape, so that a packed image copies into a rectangle. */
    if (to->rows != from->rows && to->rows == 1 && to->row_bytes == from->row_bytes * from->rows)
        *to = (struct task_rect){from->row_bytes, from->row_bytes, from->rows};
    else if (to->rows != from->rows && from->rows == 1 &&
             from->row_bytes == to->row_bytes * to->rows)
        *from = (struct task_rect){to->row_bytes, to->row_bytes, to->rows};
    if (to->rows != from->rows || to->row_bytes != from->row_bytes)
        return error_set(
            FGPU_E_INVAL,
            "%s: the shapes differ: %llu rows of %llu bytes from %llu rows of %llu bytes", who,
            (unsigned long long)to->rows, (unsigned long long)to->row_bytes,
            (unsigned long long)from->rows, (unsigned long long)from->row_bytes);
    status = task_check_overlap(args, 2, who);
    if (status != FGPU_OK)
        return status;
    struct submit_request request = {
        .kind = TASK_COPY, .arg_count = 2, .args = args, .name = "copy"};
    return buffer_submit(pool, &request, task);
}

fgpu_status fgpu_buffer_copy(fgpu_buffer dst, const fgpu_region *dst_region, fgpu_buffer src,
                             const fgpu_region *src_region)
{
    fgpu_task task;
    fgpu_status status = lookup_may_wait("fgpu_buffer_copy");
    if (status != FGPU_OK)
        return status;
    status = fgpu_buffer_copy_async(dst, dst_region, src, src_region, &task);
    return buffer_finish(status, task);
}
