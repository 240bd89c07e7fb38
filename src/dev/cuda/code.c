/* Loads compiled kernels and finds out what they need: see code.h. */
#include "dev/cuda/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "dev/cuda/compile.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/text.h"
#include "dev/cuda/translate.h"
#include "dev/cuda/watch.h"

#define CODE_LOG_BYTES 8192u
#define CODE_SHARED_USUAL 49152u /* bytes that a launch may use without being asked for */

static fgpu_status code_fail(const struct cuda_code *code, const fgpu_code_source *source,
                             cuda_result error, fgpu_code_built *built)
{
    char text[LIMITS_ERROR_TEXT];
    fgpu_status status = cuda_text_status(error);

    if (status == FGPU_E_INVAL)
        status = FGPU_E_BUILD;
    (void)snprintf(text, sizeof text, "cuda:%u: loading \"%.100s\" failed: %s (%d)",
                   code->device->index, source->entry, cuda_text_name(error), error);
    if (status == FGPU_E_BUILD)
        cuda_compile_say(built, text);
    return error_set(status, "%s", text);
}

static cuda_result code_load(struct cuda_code *code, const struct cuda_image *image,
                             fgpu_code_built *built)
{
    const struct cuda_api *api = code->device->api;
    char log[CODE_LOG_BYTES] = "";
    int options[] = {CUDA_JIT_ERROR_LOG, CUDA_JIT_ERROR_LOG_BYTES};
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    cuda_result error = api->module_load(&code->module, image->code, 2, options, values);

    log[sizeof log - 1] = '\0';
    if (error != CUDA_SUCCESS) {
        code->module = NULL;
        if (log[0] != '\0')
            cuda_compile_say(built, log);
        return error;
    }
    error = api->module_function(&code->function, code->module, image->name);
    /* Drivers load a function when it is first used, which may wait for all that runs: do it now.
     */
    if (error == CUDA_SUCCESS && api->function_load != NULL)
        error = api->function_load(code->function);
    return error;
}

/* Parameters, where the driver tells of them; false: not as many as are declared. */
static bool code_check(struct cuda_code *code, const fgpu_code_source *source,
                       fgpu_code_built *built)
{
    const struct cuda_api *api = code->device->api;
    char text[LIMITS_ERROR_TEXT];
    cuda_result error = CUDA_SUCCESS;
    uint32_t count = 0;

    if (api->function_param == NULL)
        return true;
    for (size_t offset = 0, bytes = 0; count <= LIMITS_KERNEL_ARGS + code->hidden; count++) {
        error = api->function_param(code->function, count, &offset, &bytes);
        if (error != CUDA_SUCCESS)
            break;
        if (count < LIMITS_KERNEL_ARGS)
            code->arg_bytes[count] = (uint32_t)bytes;
    }
    if (error != CUDA_SUCCESS && error != CUDA_ERROR_INVALID_VALUE) { /* it does not tell */
        memset(code->arg_bytes, 0, sizeof code->arg_bytes);
        return true;
    }
    if (count == source->arg_count)
        return true;
    (void)snprintf(text, sizeof text, "kernel \"%.100s\" takes %u arguments, %u are declared",
                   source->entry, count - code->hidden, code->arg_count);
    cuda_compile_say(built, text);
    (void)error_set(FGPU_E_BUILD, "cuda:%u: %s", code->device->index, text);
    return false;
}

static void code_describe(struct cuda_code *code, fgpu_code_built *built)
{
    const struct cuda_api *api = code->device->api;
    int items = 0, fixed = 0;

    code->max_items = code->device->caps.max_group_items;
    if (api->function_get(&items, CUDA_FUNCTION_MAX_THREADS, code->function) == CUDA_SUCCESS &&
        items > 0)
        code->max_items = (uint32_t)items;
    built->max_group_items = code->max_items;
    if (api->function_get(&fixed, CUDA_FUNCTION_SHARED_BYTES, code->function) != CUDA_SUCCESS ||
        fixed < 0)
        fixed = 0;
    code->max_dynamic =
        code->device->max_shared > (uint32_t)fixed ? code->device->max_shared - (uint32_t)fixed : 0;
    if (code->max_dynamic + (uint32_t)fixed <= CODE_SHARED_USUAL)
        return;
    if (api->function_set(code->function, CUDA_FUNCTION_DYNAMIC_SHARED, (int)code->max_dynamic) !=
        CUDA_SUCCESS)
        code->max_dynamic =
            (uint32_t)fixed < CODE_SHARED_USUAL ? CODE_SHARED_USUAL - (uint32_t)fixed : 0;
}

static fgpu_status code_make(struct cuda_code *code, const fgpu_code_source *source,
                             fgpu_code_built *built)
{
    struct cuda_image image = {NULL, NULL, NULL};
    fgpu_status status = cuda_compile(code->device, source, built, &image);
    cuda_result error = CUDA_SUCCESS;

    if (status != FGPU_OK)
        return status;
    error = cuda_device_enter(code->device);
    if (error == CUDA_SUCCESS) {
        if (code->form == FGPU_FORM_GUARDED) /* now, because it may wait; else when it is needed */
            (void)cuda_pinned_ready(code->device);
        error = code_load(code, &image, built);
        if (error == CUDA_SUCCESS) {
            code_describe(code, built);
            status = code_check(code, source, built) ? FGPU_OK : FGPU_E_BUILD;
        }
        if ((error != CUDA_SUCCESS || status != FGPU_OK) && code->module != NULL)
            (void)code->device->api->module_unload(code->module);
        cuda_device_leave(code->device);
    }
    cuda_compile_free(&image);
    return error == CUDA_SUCCESS ? status : code_fail(code, source, error, built);
}

static fgpu_status code_make_translated(struct cuda_code *code, const fgpu_code_source *source,
                                        fgpu_code_built *built)
{
    struct cuda_translation translation;
    fgpu_status status = cuda_translate(source, built, &translation);

    if (status != FGPU_OK)
        return status;
    code->hidden = translation.hidden;
    memcpy(code->required_local, built->required_local, sizeof code->required_local);
    status = code_make(code, &translation.source, built);
    cuda_translation_fini(&translation);
    return status;
}

fgpu_status cuda_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built)
{
    struct cuda_code *code = NULL;
    fgpu_status status;

    *built = (fgpu_code_built){0};
    cuda_code_sweep(device, false);
    if (source->kind != FGPU_VARIANT_CUDA && source->kind != FGPU_VARIANT_OPENCL)
        return error_set(FGPU_E_UNSUPPORTED, "cuda: variant kind %u, CUDA C (3) or OpenCL C (1)",
                         source->kind);
    if (source->form > FGPU_FORM_GUARDED)
        return error_set(FGPU_E_UNSUPPORTED, "cuda: code of form %u", source->form);
    if (source->form != FGPU_FORM_WHOLE && source->kind == FGPU_VARIANT_CUDA)
        return error_set(FGPU_E_UNSUPPORTED, "cuda: CUDA C runs in whole grids only");
    if (source->arg_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_LIMIT, "cuda: %u arguments, at most %u", source->arg_count,
                         LIMITS_KERNEL_ARGS);
    code = calloc(1, sizeof *code);
    if (code == NULL)
        return FGPU_E_NOMEM;
    code->device = device;
    code->arg_count = source->arg_count;
    code->form = source->form;
    status = source->kind == FGPU_VARIANT_OPENCL ? code_make_translated(code, source, built)
                                                 : code_make(code, source, built);
    if (status == FGPU_OK)
        built->code = (fgpu_code)(uintptr_t)code;
    else
        free(code);
    return status;
}

void cuda_code_free(void *freed, fgpu_code name)
{
    struct cuda_device *device = freed;
    struct cuda_code *code = cuda_code_of(name);

    if (code == NULL)
        return;
    lock_acquire(&device->lock);
    code->next_retired = device->retired;
    device->retired = code;
    lock_release(&device->lock);
}

void cuda_code_sweep(struct cuda_device *device, bool force)
{
    struct cuda_code *code = NULL;
    bool entered = false;

    if (!force && !cuda_watch_idle(device->watch))
        return;
    lock_acquire(&device->lock);
    code = device->retired;
    device->retired = NULL;
    lock_release(&device->lock);
    if (code == NULL)
        return;
    /* What a queue that never ended may still run stays loaded. */
    entered = !device->leaked && cuda_device_enter(device) == CUDA_SUCCESS;
    while (code != NULL) {
        struct cuda_code *next = code->next_retired;
        if (entered)
            (void)device->api->module_unload(code->module);
        free(code);
        code = next;
    }
    if (entered)
        cuda_device_leave(device);
}
