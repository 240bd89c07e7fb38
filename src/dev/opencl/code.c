/* Compiles kernels for one device, or takes them from the cache on disk: see code.h. */
#include "dev/opencl/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/limits.h"
#include "code/preempt.h"
#include "dev/host/binaries.h"
#include "dev/opencl/info.h"
#include "dev/opencl/scatter.h"
#include "dev/opencl/text.h"

#define CODE_KEY_FORMAT "fastgpu-opencl-1" /* changes when what is cached changes its meaning */
#define CODE_KEY_SEED 0x6f70656eu
#define CODE_KEY_PARTS 7u
#define CODE_TEXT 256u

/* ---- the key of the cache --------------------------------------------------------------- */

/* Hash of the parts, each with its length in front; false without memory. */
static bool code_hash(const char *const *parts, struct hash128 *key)
{
    size_t total = 0;
    char *bytes = NULL;
    char *to = NULL;

    for (uint32_t i = 0; i < CODE_KEY_PARTS; i++)
        total += sizeof(uint64_t) + strlen(parts[i]);
    bytes = malloc(total);
    if (bytes == NULL)
        return false;
    to = bytes;
    for (uint32_t i = 0; i < CODE_KEY_PARTS; i++) {
        uint64_t length = strlen(parts[i]);
        memcpy(to, &length, sizeof(length));
        memcpy(to + sizeof(length), parts[i], length);
        to += sizeof(length) + length;
    }
    *key = hash128(bytes, total, CODE_KEY_SEED);
    free(bytes);
    return true;
}

static bool code_key(const struct ocl_unit *unit, const fgpu_code_source *source,
                     struct hash128 *key)
{
    char name[CODE_TEXT];
    char vendor[CODE_TEXT];
    char driver[CODE_TEXT];
    char platform[CODE_TEXT] = "";
    const char *parts[CODE_KEY_PARTS] = {CODE_KEY_FORMAT, source->text, source->options, name,
                                         vendor,          driver,       platform};

    ocl_info_text(unit, CL_DEVICE_NAME, name, sizeof(name));
    ocl_info_text(unit, CL_DEVICE_VENDOR, vendor, sizeof(vendor));
    ocl_info_text(unit, CL_DRIVER_VERSION, driver, sizeof(driver));
    if (unit->api->clGetPlatformInfo(unit->platform, CL_PLATFORM_VERSION, sizeof(platform) - 1,
                                     platform, NULL) != CL_SUCCESS)
        platform[0] = '\0';
    platform[sizeof(platform) - 1] = '\0';
    return code_hash(parts, key);
}

/* ---- programs --------------------------------------------------------------------------- */

/* The build log, or NULL where it is empty. */
static char *code_log(const struct ocl_unit *unit, cl_program program)
{
    size_t bytes = 0;
    char *log = NULL;

    if (unit->api->clGetProgramBuildInfo(program, unit->id, CL_PROGRAM_BUILD_LOG, 0, NULL,
                                         &bytes) != CL_SUCCESS ||
        bytes <= 1)
        return NULL;
    log = calloc(1, bytes + 1);
    if (log == NULL)
        return NULL;
    if (unit->api->clGetProgramBuildInfo(program, unit->id, CL_PROGRAM_BUILD_LOG, bytes, log,
                                         NULL) == CL_SUCCESS &&
        log[strspn(log, " \t\r\n")] != '\0')
        return log;
    free(log);
    return NULL;
}

static cl_int code_from_source(struct ocl_code *code, const fgpu_code_source *source)
{
    const struct ocl_unit *unit = &code->device->unit;
    const char *text = source->text;
    cl_int error = CL_SUCCESS;

    code->program =
        unit->api->clCreateProgramWithSource(code->device->context->id, 1, &text, NULL, &error);
    if (error != CL_SUCCESS) {
        code->program = NULL;
        return error;
    }
    return unit->api->clBuildProgram(code->program, 1, &unit->id, source->options, NULL, NULL);
}

/* The kernel objects that the cache's bytes give; false when they give none, and then nothing is
 * left of the attempt. */
static bool code_from_cache(struct ocl_code *code, const fgpu_code_source *source,
                            struct hash128 key)
{
    const struct ocl_unit *unit = &code->device->unit;
    void *bytes = NULL;
    const unsigned char *binary = NULL;
    size_t size_bytes = 0;
    cl_int loaded = CL_SUCCESS;
    cl_int error = CL_SUCCESS;

    if (binaries_load(source->cache_dir, key, &bytes, &size_bytes) != FGPU_OK)
        return false;
    binary = bytes;
    code->program = unit->api->clCreateProgramWithBinary(code->device->context->id, 1, &unit->id,
                                                         &size_bytes, &binary, &loaded, &error);
    free(bytes);
    if (error != CL_SUCCESS) {
        code->program = NULL;
        return false;
    }
    if (loaded == CL_SUCCESS)
        error = unit->api->clBuildProgram(code->program, 1, &unit->id, source->options, NULL, NULL);
    if (loaded == CL_SUCCESS && error == CL_SUCCESS && ocl_code_args(code, 0, &error) != NULL)
        return true;
    (void)unit->api->clReleaseProgram(code->program);
    code->program = NULL;
    return false;
}

/* Which of the program's binaries is ours: some drivers list the parent of a sub-device. */
static cl_uint code_place(const struct ocl_unit *unit, const cl_device_id *devices, cl_uint count)
{
    for (cl_uint i = 0; i < count; i++)
        if (devices[i] == unit->id)
            return i;
    for (cl_uint i = 0; i < count; i++)
        if (devices[i] == unit->root)
            return i;
    return 0;
}

/* Puts the program's binary into the cache. Whatever fails leaves the cache as it was: the program
 * works without it. */
static void code_to_cache(const struct ocl_code *code, const fgpu_code_source *source,
                          struct hash128 key)
{
    const struct ocl_unit *unit = &code->device->unit;
    cl_device_id devices[LIMITS_DEVICES];
    size_t sizes[LIMITS_DEVICES] = {0};
    unsigned char *binaries[LIMITS_DEVICES] = {NULL};
    cl_uint count = 0;
    cl_uint place = 0;

    if (unit->api->clGetProgramInfo(code->program, CL_PROGRAM_NUM_DEVICES, sizeof(count), &count,
                                    NULL) != CL_SUCCESS ||
        count == 0 || count > LIMITS_DEVICES ||
        unit->api->clGetProgramInfo(code->program, CL_PROGRAM_DEVICES, count * sizeof(devices[0]),
                                    devices, NULL) != CL_SUCCESS ||
        unit->api->clGetProgramInfo(code->program, CL_PROGRAM_BINARY_SIZES,
                                    count * sizeof(sizes[0]), sizes, NULL) != CL_SUCCESS)
        return;
    place = code_place(unit, devices, count);
    if (sizes[place] == 0 || sizes[place] > LIMITS_BINARY_BYTES)
        return;
    binaries[place] = malloc(sizes[place]);
    if (binaries[place] == NULL)
        return;
    if (unit->api->clGetProgramInfo(code->program, CL_PROGRAM_BINARIES, count * sizeof(binaries[0]),
                                    binaries, NULL) == CL_SUCCESS)
        (void)binaries_store(source->cache_dir, key, binaries[place], sizes[place]);
    free(binaries[place]);
}

/* ---- kernels ---------------------------------------------------------------------------- */

struct ocl_args *ocl_code_args(struct ocl_code *code, uint32_t queue_index, cl_int *error)
{
    struct ocl_args **args = &code->args[queue_index];

    *error = CL_SUCCESS;
    if (*args == NULL)
        *args =
            ocl_args_create(code->device->api, code->program, code->entry, code->arg_count, error);
    return *args;
}

/* Text for a failure that the compiler's log does not tell; joins the two. */
static void code_say(fgpu_code_built *built, const char *text)
{
    char *joined = NULL;
    const char *log = built->log != NULL ? built->log : "";

    if (asprintf(&joined, "%s%s%s", text, log[0] != '\0' ? "\n" : "", log) < 0)
        return;
    free(built->log);
    built->log = joined;
}

static fgpu_status code_fail(const struct ocl_code *code, const fgpu_code_source *source,
                             cl_int error, fgpu_code_built *built)
{
    char text[LIMITS_ERROR_TEXT];
    fgpu_status status = ocl_text_status(error);

    if (status == FGPU_E_INVAL)
        status = FGPU_E_BUILD;
    if (error == CL_INVALID_KERNEL_NAME)
        (void)snprintf(text, sizeof(text), "opencl:%u: the program has no kernel \"%s\"",
                       code->device->unit.root_index, source->entry);
    else
        (void)snprintf(text, sizeof(text), "opencl:%u: building \"%s\" failed: %s (%d)",
                       code->device->unit.root_index, source->entry, ocl_text_name(error),
                       (int)error);
    if (status == FGPU_E_BUILD)
        code_say(built, text);
    return error_set(status, "%s", text);
}

/* Arguments behind those that launches give. */
static uint32_t code_hidden(const struct ocl_code *code)
{
    if (code->form == FGPU_FORM_WHOLE)
        return 0;
    return CODE_PREEMPT_ARGS(code->form == FGPU_FORM_GUARDED ? CODE_PREEMPT_GUARDED
                                                             : CODE_PREEMPT_SLICED);
}

/* What OpenCL knows of the kernel; checks the declared number of arguments. */
static fgpu_status code_describe(struct ocl_code *code, const fgpu_code_source *source,
                                 fgpu_code_built *built)
{
    const struct ocl_unit *unit = &code->device->unit;
    cl_kernel kernel = code->args[0]->kernel;
    size_t local[3] = {0, 0, 0};
    size_t items = 0;
    cl_uint count = 0;
    char text[LIMITS_ERROR_TEXT];

    if (unit->api->clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL) ==
            CL_SUCCESS &&
        count != source->arg_count + code_hidden(code)) {
        (void)snprintf(text, sizeof(text), "kernel \"%s\" takes %u arguments, %u are declared",
                       source->entry, (unsigned)(count - code_hidden(code)), source->arg_count);
        code_say(built, text);
        return error_set(FGPU_E_BUILD, "opencl:%u: %s", unit->root_index, text);
    }
    if (unit->api->clGetKernelWorkGroupInfo(kernel, unit->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                            sizeof(local), local, NULL) == CL_SUCCESS)
        for (uint32_t i = 0; i < 3; i++)
            built->required_local[i] = code->required_local[i] = (uint32_t)local[i];
    if (unit->api->clGetKernelWorkGroupInfo(kernel, unit->id, CL_KERNEL_WORK_GROUP_SIZE,
                                            sizeof(items), &items, NULL) == CL_SUCCESS)
        built->max_group_items = (uint32_t)items;
    return FGPU_OK;
}

static fgpu_status code_make(struct ocl_code *code, const fgpu_code_source *source,
                             fgpu_code_built *built)
{
    struct hash128 key = {0, 0};
    bool keyed = source->cache_dir != NULL && code_key(&code->device->unit, source, &key);
    cl_int error = CL_SUCCESS;

    if (keyed && code_from_cache(code, source, key)) {
        built->cached = 1;
        return code_describe(code, source, built);
    }
    error = code_from_source(code, source);
    if (code->program != NULL)
        built->log = code_log(&code->device->unit, code->program);
    if (error == CL_SUCCESS)
        (void)ocl_code_args(code, 0, &error);
    if (error != CL_SUCCESS)
        return code_fail(code, source, error, built);
    if (keyed)
        code_to_cache(code, source, key);
    return code_describe(code, source, built);
}

/* Builds the text for slices: the same, changed (code/preempt.h). */
static fgpu_status code_make_form(struct ocl_code *code, const fgpu_code_source *source,
                                  fgpu_code_built *built)
{
    enum code_preempt form =
        code->form == FGPU_FORM_GUARDED ? CODE_PREEMPT_GUARDED : CODE_PREEMPT_SLICED;
    struct code_preempt_source text = {
        .text = source->text, .length = strlen(source->text), .options = source->options};
    struct code_unit *unit = NULL;
    struct code_text changed = {NULL, 0};
    const struct code_kernel *kernel = NULL;
    fgpu_code_source other = *source;
    fgpu_status status = code_unit_create(text.text, text.length, text.options, NULL, &unit);

    if (status != FGPU_OK)
        return status;
    kernel = code_unit_find(unit, source->entry);
    text.unit = unit;
    if (kernel == NULL)
        status = error_set(FGPU_E_UNSUPPORTED, "the source has no kernel '%s' that could be sliced",
                           source->entry);
    else
        status = code_preempt_make(&text, kernel, form, &changed);
    code_unit_destroy(unit);
    if (status != FGPU_OK)
        return status;
    other.text = changed.text;
    status = code_make(code, &other, built);
    alloc_put(NULL, changed.text, changed.length + 1);
    return status;
}

fgpu_status ocl_code_build(void *device, const fgpu_code_source *source, fgpu_code_built *built)
{
    struct ocl_code *code = NULL;
    fgpu_status status = FGPU_OK;

    *built = (fgpu_code_built){0};
    if (source->kind != FGPU_VARIANT_OPENCL)
        return error_set(FGPU_E_UNSUPPORTED, "opencl: variant kind %u, OpenCL C (1) only",
                         source->kind);
    if (source->form > FGPU_FORM_GUARDED)
        return error_set(FGPU_E_UNSUPPORTED, "opencl: code of form %u", source->form);
    if (source->arg_count > LIMITS_KERNEL_ARGS)
        return error_set(FGPU_E_LIMIT, "opencl: %u arguments, at most %u", source->arg_count,
                         LIMITS_KERNEL_ARGS);
    code = calloc(1, sizeof(*code));
    if (code == NULL)
        return FGPU_E_NOMEM;
    code->device = device;
    code->form = source->form;
    code->arg_count = source->arg_count;
    code->entry = strdup(source->entry);
    if (code->entry == NULL)
        status = FGPU_E_NOMEM;
    else
        status = code->form == FGPU_FORM_WHOLE ? code_make(code, source, built)
                                               : code_make_form(code, source, built);
    if (status == FGPU_OK)
        ocl_scatter_prepare(device);
    if (status == FGPU_OK)
        built->code = (fgpu_code)(uintptr_t)code;
    else
        ocl_code_free(device, (fgpu_code)(uintptr_t)code);
    return status;
}

void ocl_code_free(void *opened, fgpu_code freed)
{
    struct ocl_device *device = opened;
    struct ocl_code *code = ocl_code_of(freed);

    if (code == NULL)
        return;
    for (uint32_t i = 0; i <= OCL_CODE_WARM; i++)
        ocl_args_destroy(device->api, code->args[i]);
    if (code->program != NULL)
        (void)device->api->clReleaseProgram(code->program);
    free(code->entry);
    free(code);
}
