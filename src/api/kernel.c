/* Kernels: variants, arguments, builds. Thread: any; a kernel that is open for changes by one
 * thread at a time. */
#include <stdio.h>
#include <string.h>

#include "api/lookup.h"
#include "base/image.h"
#include "base/map.h"
#include "code/unit.h"

#define KERNEL_LOG_BYTES 300

static struct kernel *kernel_find(struct pool *pool, fgpu_kernel handle, const char *who, bool open,
                                  fgpu_status *status)
{
    uint32_t index;
    *status = lookup_kernel(pool, handle, who, &index);
    if (*status != FGPU_OK)
        return NULL;
    struct kernel *kernel = engine_kernel(&pool->driver->engine, index);
    if (open && atomic_load_acquire_u32(&kernel->sealed)) {
        *status = error_set(FGPU_E_BUSY, "%s: kernel '%s' is in use and can no longer change", who,
                            kernel->name);
        return NULL;
    }
    return kernel;
}

/* Groups count from the begin of the grid, also where only a part of it is launched. */
static const char kernel_prelude[] =
    "#define get_group_id(D) (get_group_id(D) + get_global_offset(D) / get_local_size(D))\n"
    "#line 1\n";

/* The kernel behind a handle; `open`: it must not have been used yet. Another thread may destroy it
 * at any time: only its name, limits and counts are looked at. */
static const struct kernel *kernel_get(fgpu_kernel handle, const char *who, bool open,
                                       struct pool **pool, fgpu_status *status)
{
    *pool = lookup_pool_of(handle.bits, HANDLE_KERNEL, who, status);
    return *pool != NULL ? kernel_find(*pool, handle, who, open, status) : NULL;
}

/* Pumping may fail at something and say so: the text of this call stays. */
static fgpu_status kernel_leave(struct pool *pool, fgpu_status status)
{
    char text[LIMITS_ERROR_TEXT];
    if (status != FGPU_OK)
        snprintf(text, sizeof text, "%s", error_text());
    driver_leave(pool->driver);
    return status == FGPU_OK ? status : error_set(status, "%s", text);
}

/* The same under the driver's lock, for what changes the kernel or looks at its builds: nobody
 * destroys it meanwhile. End with kernel_leave, unless it is NULL. */
static struct kernel *kernel_enter(struct pool *pool, fgpu_kernel handle, const char *who,
                                   bool open, fgpu_status *status)
{
    driver_enter(pool->driver);
    struct kernel *kernel = kernel_find(pool, handle, who, open, status);
    if (kernel == NULL)
        *status = kernel_leave(pool, *status);
    return kernel;
}

fgpu_status fgpu_kernel_create(fgpu_pool handle, const char *name, fgpu_kernel *out)
{
    static const char who[] = "fgpu_kernel_create";
    fgpu_status status;
    if (out == NULL)
        return error_set(FGPU_E_INVAL, "%s: kernel is NULL", who);
    out->bits = 0;
    LOOKUP_GUEST *pool = lookup_pool(handle, who, &status);
    if (pool == NULL)
        return status;
    size_t length = name != NULL ? strnlen(name, LIMITS_NAME_BYTES) : 0;
    if (length == 0 || length >= LIMITS_NAME_BYTES)
        return error_set(FGPU_E_INVAL, "%s: name must have 1 to %d bytes", who,
                         LIMITS_NAME_BYTES - 1);
    uint32_t index;
    driver_enter(pool->driver);
    status = engine_kernel_create(&pool->driver->engine, &index);
    if (status == FGPU_OK) {
        struct kernel *kernel = engine_kernel(&pool->driver->engine, index);
        memcpy(kernel->name, name, length + 1);
        kernel->key = hash_bytes(name, length, 0);
        out->bits =
            handle_make(HANDLE_KERNEL, pool->index, atomic_load_relaxed_u32(&kernel->live), index);
    }
    driver_leave(pool->driver);
    if (status == FGPU_E_LIMIT)
        return error_set(status, "%s: the pool has %u kernels, its limit", who, LIMITS_KERNELS);
    return status == FGPU_OK ? status : error_set(status, "%s: no memory for a kernel", who);
}

/* ---- arguments -------------------------------------------------------------------------- */

static fgpu_status kernel_declare(struct kernel *kernel, uint32_t index,
                                  const struct kernel_arg *arg, const char *who)
{
    const struct kernel_arg *known = &kernel->args[index];
    bool has_source = kernel->variant_mask & (1u << FGPU_VARIANT_OPENCL);
    if (has_source && index >= kernel->arg_count)
        return error_set(FGPU_E_INVAL,
                         "%s: argument %u: the source of kernel '%s' has %u parameters", who, index,
                         kernel->name, kernel->arg_count);
    if (known->kind != 0 && !known->declared && known->kind != arg->kind)
        return error_set(FGPU_E_INVAL,
                         "%s: argument %u has another kind in the source of kernel '%s'", who,
                         index, kernel->name);
    kernel->args[index] = *arg;
    if (index >= kernel->arg_count)
        kernel->arg_count = index + 1;
    return FGPU_OK;
}

fgpu_status fgpu_kernel_set_arg(fgpu_kernel handle, uint32_t index, fgpu_arg_kind kind,
                                fgpu_access access, uint32_t size_bytes)
{
    static const char who[] = "fgpu_kernel_set_arg";
    LOOKUP_GUEST *pool = NULL;
    fgpu_status status;
    if (kernel_get(handle, who, true, &pool, &status) == NULL)
        return status;
    if (index >= LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_INVAL, "%s: index is %u, at most %d", who, index,
                         LIMITS_KERNEL_ARGS - 1);
    if (kind < FGPU_ARG_BUFFER || kind > FGPU_ARG_LOCAL)
        return error_set(FGPU_E_INVAL, "%s: argument %u: kind %d is none of buffer, scalar, local",
                         who, index, (int)kind);
    if (kind == FGPU_ARG_BUFFER && (access < FGPU_READ || access > FGPU_REDUCE))
        return error_set(FGPU_E_INVAL,
                         "%s: argument %u: access is %d; give FGPU_READ, FGPU_WRITE, "
                         "FGPU_READ_WRITE or FGPU_REDUCE",
                         who, index, (int)access);
    if (kind == FGPU_ARG_SCALAR && (size_bytes == 0 || size_bytes > LIMITS_SCALAR_BYTES))
        return error_set(FGPU_E_INVAL, "%s: argument %u: size_bytes is %u, it takes 1 to %d", who,
                         index, size_bytes, LIMITS_SCALAR_BYTES);
    struct kernel *kernel = kernel_enter(pool, handle, who, true, &status);
    if (kernel == NULL)
        return status;
    struct kernel_arg arg = {.kind = (uint8_t)kind,
                             .access = (uint8_t)(kind == FGPU_ARG_BUFFER ? access : 0),
                             .declared = 1,
                             .size_bytes = kind == FGPU_ARG_SCALAR ? size_bytes : 0};
    return kernel_leave(pool, kernel_declare(kernel, index, &arg, who));
}

static uint8_t kernel_param_kind(const struct code_param *param)
{
    switch (param->kind) {
    case CODE_PARAM_BUFFER:
        return FGPU_ARG_BUFFER;
    case CODE_PARAM_LOCAL:
        return FGPU_ARG_LOCAL;
    case CODE_PARAM_VALUE:
        return FGPU_ARG_SCALAR;
    default:
        return 0;
    }
}

/* What the source says about one parameter, unless the caller has said it. */
static fgpu_status kernel_take_param(struct kernel *kernel, uint32_t i,
                                     const struct code_param *param, const char *who)
{
    struct kernel_arg *arg = &kernel->args[i];
    uint8_t kind = kernel_param_kind(param);
    if (kind == 0)
        return error_set(FGPU_E_UNSUPPORTED,
                         "%s: parameter %u '%s' of kernel '%s' (line %u) has the "
                         "unsupported type %s",
                         who, i, param->name, kernel->name, param->line, param->type_name);
    if (arg->kind != 0 && arg->kind != kind)
        return error_set(FGPU_E_INVAL,
                         "%s: parameter %u '%s' of kernel '%s' (line %u) is a %s, but was "
                         "declared otherwise",
                         who, i, param->name, kernel->name, param->line, param->type_name);
    bool size_known = kind == FGPU_ARG_SCALAR && param->size_known;
    if (arg->declared && size_known && arg->size_bytes != param->size_bytes)
        return error_set(FGPU_E_INVAL,
                         "%s: parameter %u '%s' of kernel '%s' (line %u) has %u bytes, %u "
                         "were declared",
                         who, i, param->name, kernel->name, param->line, param->size_bytes,
                         arg->size_bytes);
    if (arg->declared)
        return FGPU_OK;
    arg->kind = kind;
    arg->size_bytes = size_known ? param->size_bytes : 0;
    if (kind == FGPU_ARG_BUFFER)
        arg->access = param->access == CODE_ACCESS_READ ? FGPU_READ : FGPU_READ_WRITE;
    return FGPU_OK;
}

static fgpu_status kernel_no_entry(const struct code_unit *unit, const char *entry, const char *who)
{
    char names[256] = "";
    size_t used = 0;
    uint32_t count = code_unit_kernel_count(unit);
    for (uint32_t i = 0; i < count && used < sizeof names - 1; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 code_unit_kernel(unit, i)->name);
    return error_set(FGPU_E_NOTFOUND, "%s: the source has no kernel '%s'; it has: %s", who, entry,
                     count ? names : "none");
}

/* Which grids of the kernel may be run in pieces, as far as this text goes. */
static void kernel_divisible(struct kernel *kernel, const struct code_class *class)
{
    uint8_t whole = class->size_dims;
    if (class->slicing == CODE_SLICING_FREE)
        return;
    if (class->slicing == CODE_SLICING_NEVER || code_class_uses(class, CODE_USE_GLOBAL_OFFSET))
        whole = 7;
    if (whole != 0 && kernel->whole_dims == 0)
        snprintf(kernel->whole_why, sizeof kernel->whole_why, "%s",
                 class->reason != NULL ? class->reason : "");
    kernel->whole_dims |= whole;
}

static bool kernel_needs_prelude(const struct code_unit *unit, const char *entry)
{
    const struct code_kernel *found = unit != NULL ? code_unit_find(unit, entry) : NULL;
    return found != NULL && found->class.slicing == CODE_SLICING_REWRITE &&
           code_class_uses(&found->class, CODE_USE_GROUP_ID) &&
           !code_class_uses(&found->class, CODE_USE_GLOBAL_OFFSET);
}

static fgpu_status kernel_read_source(struct kernel *kernel, const struct code_unit *unit,
                                      const char *entry, const char *who)
{
    const struct code_kernel *found = code_unit_find(unit, entry);
    if (found == NULL)
        return kernel_no_entry(unit, entry, who);
    if (found->param_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_LIMIT, "%s: kernel '%s' has %u parameters, at most %d", who, entry,
                         found->param_count, LIMITS_KERNEL_ARGS);
    if (kernel->arg_count > found->param_count ||
        (kernel->variant_count > 0 && kernel->arg_count != found->param_count))
        return error_set(FGPU_E_INVAL,
                         "%s: kernel '%s' has %u parameters, but %u arguments were declared", who,
                         entry, found->param_count, kernel->arg_count);
    for (uint32_t i = 0; i < found->param_count; i++) {
        fgpu_status status = kernel_take_param(kernel, i, &found->params[i], who);
        if (status != FGPU_OK)
            return status;
    }
    kernel->arg_count = found->param_count;
    kernel_divisible(kernel, &found->class);
    if (found->has_required_group)
        memcpy(kernel->required_local, found->group, sizeof kernel->required_local);
    return FGPU_OK;
}

/* ---- variants --------------------------------------------------------------------------- */

static char *kernel_copy_text(struct pool *pool, const char *before, const char *text)
{
    size_t bytes = strlen(before) + strlen(text) + 1;
    char *copy = alloc_get(pool->driver->engine.hooks, bytes, 16);
    if (copy != NULL)
        snprintf(copy, bytes, "%s%s", before, text);
    return copy;
}

static fgpu_status kernel_check_text(const struct kernel *kernel, const char *source,
                                     const char *entry, const char *who)
{
    if (kernel->variant_count >= LIMITS_VARIANTS)
        return error_set(FGPU_E_LIMIT, "%s: kernel '%s' has %d variants, the limit", who,
                         kernel->name, LIMITS_VARIANTS);
    if (source == NULL || entry == NULL || entry[0] == '\0')
        return error_set(FGPU_E_INVAL, "%s: %s is missing", who,
                         source == NULL ? "source" : "entry");
    if (strnlen(source, LIMITS_SOURCE_BYTES + 1u) > LIMITS_SOURCE_BYTES)
        return error_set(FGPU_E_LIMIT, "%s: source is longer than %u bytes", who,
                         LIMITS_SOURCE_BYTES);
    return FGPU_OK;
}

static fgpu_status kernel_keep(struct pool *pool, struct kernel *kernel,
                               const struct variant *variant, const char *before, const char *who)
{
    if (kernel->variant_count >= LIMITS_VARIANTS)
        return error_set(FGPU_E_LIMIT, "%s: kernel '%s' has %d variants, the limit", who,
                         kernel->name, LIMITS_VARIANTS);
    struct variant *out = &kernel->variants[kernel->variant_count];
    *out = *variant;
    if (variant->text != NULL) {
        out->prelude = (uint32_t)strlen(before);
        out->text = kernel_copy_text(pool, before, variant->text);
        out->entry = kernel_copy_text(pool, "", variant->entry);
        out->options = kernel_copy_text(pool, "", variant->options);
        if (out->text == NULL || out->entry == NULL || out->options == NULL) {
            out->kind = 0; /* chosen by nobody; what was copied goes with the kernel */
            kernel->variant_count++;
            return error_set(FGPU_E_NOMEM, "%s: no memory for the source", who);
        }
        kernel->key = hash_bytes(out->text, strlen(out->text), kernel->key);
        kernel->key = hash_bytes(out->options, strlen(out->options), kernel->key);
    }
    kernel->variant_count++;
    kernel->variant_mask |= 1u << variant->kind;
    return FGPU_OK;
}

/* [in] unit: what was read from an OpenCL text; NULL for the other kinds. */
static fgpu_status kernel_add(struct pool *pool, fgpu_kernel handle, const struct variant *variant,
                              const struct code_unit *unit, const char *who)
{
    fgpu_status status;
    struct kernel *kernel = kernel_enter(pool, handle, who, true, &status);
    if (kernel == NULL)
        return status;
    struct kernel_arg saved[LIMITS_KERNEL_ARGS];
    uint32_t saved_count = kernel->arg_count;
    memcpy(saved, kernel->args, sizeof saved);
    if (unit != NULL)
        status = kernel_read_source(kernel, unit, variant->entry, who);
    if (status == FGPU_OK)
        status = kernel_keep(pool, kernel, variant,
                             kernel_needs_prelude(unit, variant->entry) ? kernel_prelude : "", who);
    if (status != FGPU_OK) {
        memcpy(kernel->args, saved, sizeof saved);
        kernel->arg_count = saved_count;
    }
    return kernel_leave(pool, status);
}

/* A variant of text; what OpenCL text says about the arguments is read from it. */
static fgpu_status kernel_add_text(fgpu_kernel handle, fgpu_variant_kind kind, const char *source,
                                   const char *entry, const char *options, const char *who)
{
    LOOKUP_GUEST *pool = NULL;
    fgpu_status status;
    const struct kernel *kernel = kernel_get(handle, who, true, &pool, &status);
    if (kernel == NULL)
        return status;
    status = kernel_check_text(kernel, source, entry, who);
    if (status != FGPU_OK)
        return status;
    struct code_unit *unit = NULL;
    status = driver_need_builder(pool->driver, kind);
    if (status == FGPU_OK && kind == FGPU_VARIANT_OPENCL)
        status = code_unit_create(source, strlen(source), options, NULL, &unit);
    if (status != FGPU_OK)
        return error_set(status, "%s: %s", who, error_text());
    struct variant variant = {.kind = (uint8_t)kind,
                              .text = (char *)(uintptr_t)source,
                              .entry = (char *)(uintptr_t)entry,
                              .options = (char *)(uintptr_t)(options != NULL ? options : "")};
    status = kernel_add(pool, handle, &variant, unit, who);
    code_unit_destroy(unit);
    return status;
}

fgpu_status fgpu_kernel_add_opencl(fgpu_kernel handle, const char *source, const char *entry,
                                   const char *options)
{
    return kernel_add_text(handle, FGPU_VARIANT_OPENCL, source, entry, options,
                           "fgpu_kernel_add_opencl");
}

fgpu_status fgpu_kernel_add_cuda(fgpu_kernel handle, const char *source, const char *entry,
                                 const char *options)
{
    return kernel_add_text(handle, FGPU_VARIANT_CUDA, source, entry, options,
                           "fgpu_kernel_add_cuda");
}

fgpu_status fgpu_kernel_add_native(fgpu_kernel handle, fgpu_native_fn fn, void *user)
{
    static const char who[] = "fgpu_kernel_add_native";
    LOOKUP_GUEST *pool = NULL;
    fgpu_status status;
    const struct kernel *kernel = kernel_get(handle, who, true, &pool, &status);
    if (kernel == NULL)
        return status;
    if (fn == NULL)
        return error_set(FGPU_E_INVAL, "%s: fn is NULL", who);
    struct variant variant = {.kind = FGPU_VARIANT_NATIVE,
                              .native = fn,
                              .native_user = user,
                              .image = image_id((uintptr_t)fn)};
    return kernel_add(pool, handle, &variant, NULL, who);
}

fgpu_status fgpu_kernel_create_opencl(fgpu_pool pool, const char *source, const char *entry,
                                      const char *options, fgpu_kernel *kernel)
{
    static const char who[] = "fgpu_kernel_create_opencl";
    char name[LIMITS_NAME_BYTES];
    if (kernel == NULL)
        return error_set(FGPU_E_INVAL, "%s: kernel is NULL", who);
    kernel->bits = 0;
    if (source == NULL || entry == NULL || entry[0] == '\0') /* else `name` would be blamed */
        return error_set(FGPU_E_INVAL, "%s: %s is missing", who,
                         source == NULL ? "source" : "entry");
    snprintf(name, sizeof name, "%s", entry);
    fgpu_status status = fgpu_kernel_create(pool, name, kernel);
    if (status != FGPU_OK)
        return status;
    status = fgpu_kernel_add_opencl(*kernel, source, entry, options);
    if (status != FGPU_OK) {
        char text[LIMITS_ERROR_TEXT];
        snprintf(text, sizeof text, "%s", error_text());
        (void)fgpu_kernel_destroy(*kernel);
        kernel->bits = 0;
        (void)error_set(status, "%s", text);
    }
    return status;
}

/* ---- builds ----------------------------------------------------------------------------- */

struct kernel_build {
    uint32_t kernel;
    uint32_t device_count;
};

static bool kernel_is_built(struct driver *driver, void *user)
{
    const struct kernel_build *build = user;
    bool built = true;
    lock_acquire(&driver->lock);
    const struct kernel *kernel = engine_kernel(&driver->engine, build->kernel);
    for (uint32_t d = 0; d < build->device_count; d++)
        built &= kernel->codes[d].state != CODE_BUILDING;
    lock_release(&driver->lock);
    return built;
}

static fgpu_status kernel_build_result(struct pool *pool, const struct kernel *kernel,
                                       const char *who)
{
    uint32_t ready = 0;
    fgpu_status status = FGPU_OK;
    for (uint32_t d = 0; d < pool->driver->visible_count; d++) {
        const struct code *code = &kernel->codes[d];
        ready += code->state == CODE_READY;
        if (code->state == CODE_FAILED && status == FGPU_OK)
            status = error_set(code->status, "%s: kernel '%s' does not build for %s: %.*s", who,
                               kernel->name, pool->driver->devices[d].info.id, KERNEL_LOG_BYTES,
                               code->log != NULL ? code->log : fgpu_status_text(code->status));
    }
    if (status == FGPU_OK && ready == 0)
        status = error_set(FGPU_E_NOVARIANT, "%s: no chosen device takes a variant of kernel '%s'",
                           who, kernel->name);
    return status;
}

fgpu_status fgpu_kernel_build(fgpu_kernel handle)
{
    static const char who[] = "fgpu_kernel_build";
    LOOKUP_GUEST *pool = NULL;
    fgpu_status status = lookup_may_wait(who);
    if (status != FGPU_OK)
        return status;
    if (kernel_get(handle, who, false, &pool, &status) == NULL)
        return status;
    struct kernel *kernel = kernel_enter(pool, handle, who, false, &status);
    if (kernel == NULL)
        return status;
    struct engine *engine = &pool->driver->engine;
    atomic_store_release_u32(&kernel->sealed, 1);
    kernel->users++; /* it stays until its builds have ended, whoever destroys it */
    for (uint32_t d = 0; d < pool->driver->visible_count; d++)
        if (!engine->devices[d].lost && (engine->devices[d].caps.variants & kernel->variant_mask))
            engine_kernel_prepare(engine, kernel->self, d);
    driver_leave(pool->driver);
    struct kernel_build build = {kernel->self, pool->driver->visible_count};
    (void)driver_wait(pool->driver, kernel_is_built, &build, UINT64_MAX);
    driver_enter(pool->driver);
    status = kernel_build_result(pool, kernel, who);
    if (--kernel->users == 0 && kernel->destroyed)
        engine_kernel_gone(engine, kernel->self);
    return kernel_leave(pool, status);
}

fgpu_status fgpu_kernel_build_log(fgpu_kernel handle, fgpu_device device, char *text,
                                  size_t text_bytes, size_t *needed_bytes)
{
    static const char who[] = "fgpu_kernel_build_log";
    LOOKUP_GUEST *pool = NULL;
    fgpu_status status;
    if (text != NULL && text_bytes > 0)
        text[0] = '\0';
    if (kernel_get(handle, who, false, &pool, &status) == NULL)
        return status;
    uint32_t first = 0, last = pool->driver->visible_count;
    if (device.bits != 0) {
        status = lookup_device(pool, device, who, &first);
        if (status != FGPU_OK)
            return status;
        last = first + 1;
    }
    const struct kernel *kernel = kernel_enter(pool, handle, who, false, &status);
    if (kernel == NULL)
        return status;
    status = FGPU_E_NOTFOUND;
    for (uint32_t d = first; d < last && status != FGPU_OK; d++) {
        const struct code *code = &kernel->codes[d];
        if (code->state != CODE_READY && code->state != CODE_FAILED)
            continue;
        const char *log = code->log != NULL ? code->log : "";
        if (log[0] == '\0' && device.bits == 0 && d + 1 < last)
            continue;
        if (text != NULL && text_bytes > 0)
            snprintf(text, text_bytes, "%s", log);
        if (needed_bytes != NULL)
            *needed_bytes = strlen(log) + 1;
        status = FGPU_OK;
    }
    if (status != FGPU_OK)
        (void)error_set(status, "%s: kernel '%s' was not built", who, kernel->name);
    return kernel_leave(pool, status);
}

fgpu_status fgpu_kernel_destroy(fgpu_kernel handle)
{
    static const char who[] = "fgpu_kernel_destroy: kernel";
    if (handle.bits == 0)
        return FGPU_OK;
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_KERNEL, who, &status);
    if (pool == NULL)
        return status;
    uint32_t index;
    driver_enter(pool->driver);
    status = lookup_kernel(pool, handle, who, &index);
    if (status == FGPU_OK)
        engine_kernel_destroy(&pool->driver->engine, index);
    driver_leave(pool->driver);
    return status;
}
