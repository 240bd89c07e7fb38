/*
 * Programs of the fake OpenCL library: sources, binaries, builds.
 *
 * Runs in the caller's thread; the compiler runs without the lock. A binary is a header with a
 * checksum and the shared object, so that a truncated or changed one is refused. Each worker gets a
 * copy of the shared object of its own, since static local memory is in it.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static const char binary_magic[8] = "FAKECLB";

struct binary_header {
    char magic[8];
    uint64_t size_bytes, hash;
};

static cl_program new_program(cl_context context, cl_uint count, const cl_device_id *list)
{
    cl_program program = state_alloc(sizeof(*program));
    object_init(&program->object, OBJECT_PROGRAM);
    program->context = context;
    program->status = CL_BUILD_NONE;
    program->options = state_copy_text("");
    program->log = state_copy_text("");
    program->device_count = count;
    memcpy(program->devices, list, count * sizeof(list[0]));
    object_hold(&context->object);
    return program;
}

void program_destroy(struct object *object)
{
    cl_program program = (cl_program)(void *)object;
    for (unsigned i = 0; i < WORKER_COUNT; i++)
        compile_unload(program->modules[i]);
    compile_free_image(program->image);
    free(program->source);
    free(program->options);
    free(program->log);
    object_drop(&program->context->object);
}

static char *join(cl_uint count, const char *const *strings, const size_t *lengths)
{
    size_t size = 1, at = 0;
    for (cl_uint i = 0; i < count; i++)
        size += lengths != NULL && lengths[i] != 0 ? lengths[i] : strlen(strings[i]);
    char *text = state_alloc(size);
    for (cl_uint i = 0; i < count; i++) {
        size_t length = lengths != NULL && lengths[i] != 0 ? lengths[i] : strlen(strings[i]);
        memcpy(text + at, strings[i], length);
        at += length;
    }
    return text;
}

FAKECL_API cl_program CL_API_CALL clCreateProgramWithSource(cl_context context, cl_uint count,
                                                            const char **strings,
                                                            const size_t *lengths,
                                                            cl_int *errcode_ret)
{
    cl_program program = NULL;
    cl_int error = count == 0 || strings == NULL ? CL_INVALID_VALUE : CL_SUCCESS;
    for (cl_uint i = 0; error == CL_SUCCESS && i < count; i++)
        if (strings[i] == NULL)
            error = CL_INVALID_VALUE;
    state_lock();
    if (!object_check(context, OBJECT_CONTEXT))
        error = CL_INVALID_CONTEXT;
    if (error == CL_SUCCESS) {
        program = new_program(context, context->device_count, context->devices);
        program->source = join(count, strings, lengths);
    }
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return program;
}

static bool binary_ok(const unsigned char *bytes, size_t size)
{
    struct binary_header header;
    if (bytes == NULL || size < sizeof(header))
        return false;
    memcpy(&header, bytes, sizeof(header));
    return memcmp(header.magic, binary_magic, sizeof(binary_magic)) == 0 &&
           header.size_bytes == size - sizeof(header) &&
           header.hash == compile_hash(0, bytes + sizeof(header), size - sizeof(header));
}

static cl_int check_binaries(cl_context context, cl_uint count, const cl_device_id *list,
                             const size_t *sizes, const unsigned char **binaries,
                             cl_int *binary_status)
{
    cl_int error = CL_SUCCESS;
    if (!object_check(context, OBJECT_CONTEXT))
        return CL_INVALID_CONTEXT;
    if (count == 0 || list == NULL || sizes == NULL || binaries == NULL || count > WORKER_COUNT)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_check(list[i], OBJECT_DEVICE) || !context_has(context, list[i]))
            return CL_INVALID_DEVICE;
        cl_int status = CL_SUCCESS;
        if (binaries[i] == NULL || sizes[i] == 0)
            status = CL_INVALID_VALUE;
        else if (!binary_ok(binaries[i], sizes[i]))
            status = CL_INVALID_BINARY;
        if (binary_status != NULL)
            binary_status[i] = status;
        if (status != CL_SUCCESS)
            error = status;
    }
    return error;
}

FAKECL_API cl_program CL_API_CALL clCreateProgramWithBinary(
    cl_context context, cl_uint count, const cl_device_id *list, const size_t *sizes,
    const unsigned char **binaries, cl_int *binary_status, cl_int *errcode_ret)
{
    cl_program program = NULL;
    state_lock();
    cl_int error = check_binaries(context, count, list, sizes, binaries, binary_status);
    if (error == CL_SUCCESS) {
        size_t size = sizes[0] - sizeof(struct binary_header);
        unsigned char *bytes = state_alloc(size);
        memcpy(bytes, binaries[0] + sizeof(struct binary_header), size);
        struct image *image = compile_image(bytes, size);
        error = image == NULL ? CL_INVALID_BINARY : CL_SUCCESS;
        if (image != NULL) {
            program = new_program(context, count, list);
            program->image = image;
        }
    }
    state_unlock();
    if (errcode_ret != NULL)
        *errcode_ret = error;
    return program;
}

FAKECL_API cl_program CL_API_CALL clCreateProgramWithBuiltInKernels(cl_context context,
                                                                    cl_uint count,
                                                                    const cl_device_id *list,
                                                                    const char *names,
                                                                    cl_int *errcode_ret)
{
    (void)context;
    (void)count;
    (void)list;
    (void)names;
    if (errcode_ret != NULL)
        *errcode_ret = CL_INVALID_VALUE; /* there are none */
    return NULL;
}

FAKECL_API cl_int CL_API_CALL clRetainProgram(cl_program program)
{
    return object_api_retain(program, OBJECT_PROGRAM, CL_INVALID_PROGRAM);
}

FAKECL_API cl_int CL_API_CALL clReleaseProgram(cl_program program)
{
    return object_api_release(program, OBJECT_PROGRAM, CL_INVALID_PROGRAM);
}

static bool program_has(cl_program program, cl_device_id device)
{
    for (cl_uint i = 0; i < program->device_count; i++)
        if (program->devices[i] == device)
            return true;
    return false;
}

static cl_int begin_build(cl_program program, cl_uint count, const cl_device_id *list,
                          const char *options)
{
    if (!object_check(program, OBJECT_PROGRAM))
        return CL_INVALID_PROGRAM;
    if ((count == 0) != (list == NULL))
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; i < count; i++)
        if (!object_check(list[i], OBJECT_DEVICE) || !program_has(program, list[i]))
            return CL_INVALID_DEVICE;
    if (program->kernel_refs > 0 || program->status == CL_BUILD_IN_PROGRESS)
        return CL_INVALID_OPERATION;
    if (!compile_options_ok(options))
        return CL_INVALID_BUILD_OPTIONS;
    free(program->options);
    program->options = state_copy_text(options);
    return CL_SUCCESS;
}

/* The lock is given up while the compiler runs; the program cannot go away meanwhile. */
static cl_int build_source(cl_program program)
{
    struct image *image = NULL;
    char *log = NULL;
    bool compiled = false;
    cl_int error;
    stats.builds++;
    program->status = CL_BUILD_IN_PROGRESS;
    object_hold(&program->object);
    if (state_chance(config.fail_build)) {
        error = CL_BUILD_PROGRAM_FAILURE;
        log = state_copy_text("the fake driver was told to fail this build\n");
    } else {
        state_unlock();
        error = compile_source(program->source, program->options, &image, &log, &compiled);
        state_lock();
    }
    stats.compiles += compiled;
    free(program->log);
    program->log = log != NULL ? log : state_copy_text("");
    program->status = error == CL_SUCCESS ? CL_BUILD_SUCCESS : CL_BUILD_ERROR;
    for (unsigned i = 0; i < WORKER_COUNT; i++) {
        compile_unload(program->modules[i]);
        program->modules[i] = NULL;
    }
    compile_free_image(program->image);
    program->image = image;
    object_drop(&program->object);
    return error;
}

FAKECL_API cl_int CL_API_CALL clBuildProgram(cl_program program, cl_uint count,
                                             const cl_device_id *list, const char *options,
                                             void(CL_CALLBACK *notify)(cl_program, void *),
                                             void *user)
{
    if (notify == NULL && user != NULL)
        return CL_INVALID_VALUE;
    state_lock();
    cl_int error = begin_build(program, count, list, options != NULL ? options : "");
    bool began = error == CL_SUCCESS;
    if (began && program->source != NULL)
        error = build_source(program);
    else if (began)
        program->status = CL_BUILD_SUCCESS;
    state_unlock();
    if (began && notify != NULL)
        notify(program, user);
    return error;
}

struct module *program_module(cl_program program, unsigned worker_index)
{
    if (program->modules[worker_index] == NULL && program->image != NULL)
        program->modules[worker_index] = compile_load(program->image);
    return program->modules[worker_index];
}

static cl_int fill_binaries(cl_program program, size_t size, unsigned char **value, size_t *ret)
{
    size_t bytes = program->device_count * sizeof(unsigned char *);
    if (ret != NULL)
        *ret = bytes;
    if (value == NULL)
        return CL_SUCCESS;
    if (size < bytes)
        return CL_INVALID_VALUE;
    for (cl_uint i = 0; i < program->device_count && program->image != NULL; i++) {
        const struct image *image = program->image;
        struct binary_header header = {.size_bytes = image->size_bytes};
        if (value[i] == NULL)
            continue;
        memcpy(header.magic, binary_magic, sizeof(binary_magic));
        header.hash = compile_hash(0, image->bytes, image->size_bytes);
        memcpy(value[i], &header, sizeof(header));
        memcpy(value[i] + sizeof(header), image->bytes, image->size_bytes);
    }
    return CL_SUCCESS;
}

static cl_int kernel_names(cl_program program, size_t size, void *value, size_t *ret)
{
    if (program->image == NULL)
        return CL_INVALID_PROGRAM_EXECUTABLE;
    char *names = state_alloc(program->image->kernel_count * (size_t)NAME_BYTES + 1);
    for (cl_uint i = 0; i < program->image->kernel_count; i++) {
        strcat(names, i > 0 ? ";" : "");
        strcat(names, program->image->kernels[i].name);
    }
    cl_int error = state_info(names, strlen(names) + 1, size, value, ret);
    free(names);
    return error;
}

static cl_int program_info(cl_program program, cl_program_info name, size_t size, void *value,
                           size_t *ret)
{
    size_t sizes[WORKER_COUNT], count;
    const char *source;
    if (!object_check(program, OBJECT_PROGRAM))
        return CL_INVALID_PROGRAM;
    switch (name) {
    case CL_PROGRAM_REFERENCE_COUNT:
        return state_info(&program->object.api_refs, sizeof(cl_uint), size, value, ret);
    case CL_PROGRAM_CONTEXT:
        return state_info(&program->context, sizeof(cl_context), size, value, ret);
    case CL_PROGRAM_NUM_DEVICES:
        return state_info(&program->device_count, sizeof(cl_uint), size, value, ret);
    case CL_PROGRAM_DEVICES:
        return state_info(program->devices, program->device_count * sizeof(cl_device_id), size,
                          value, ret);
    case CL_PROGRAM_SOURCE:
        source = program->source != NULL ? program->source : "";
        return state_info(source, strlen(source) + 1, size, value, ret);
    case CL_PROGRAM_BINARY_SIZES:
        for (cl_uint i = 0; i < program->device_count; i++)
            sizes[i] = program->image == NULL
                           ? 0
                           : program->image->size_bytes + sizeof(struct binary_header);
        return state_info(sizes, program->device_count * sizeof(size_t), size, value, ret);
    case CL_PROGRAM_BINARIES:
        return fill_binaries(program, size, value, ret);
    case CL_PROGRAM_NUM_KERNELS:
        if (program->image == NULL)
            return CL_INVALID_PROGRAM_EXECUTABLE;
        count = program->image->kernel_count;
        return state_info(&count, sizeof(count), size, value, ret);
    case CL_PROGRAM_KERNEL_NAMES:
        return kernel_names(program, size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetProgramInfo(cl_program program, cl_program_info name,
                                               size_t size, void *value, size_t *ret)
{
    state_lock();
    cl_int error = program_info(program, name, size, value, ret);
    state_unlock();
    return error;
}

static cl_int build_info(cl_program program, cl_device_id device, cl_program_build_info name,
                         size_t size, void *value, size_t *ret)
{
    cl_program_binary_type type = CL_PROGRAM_BINARY_TYPE_NONE;
    if (!object_check(program, OBJECT_PROGRAM))
        return CL_INVALID_PROGRAM;
    if (!object_check(device, OBJECT_DEVICE) || !program_has(program, device))
        return CL_INVALID_DEVICE;
    switch (name) {
    case CL_PROGRAM_BUILD_STATUS:
        return state_info(&program->status, sizeof(program->status), size, value, ret);
    case CL_PROGRAM_BUILD_OPTIONS:
        return state_info(program->options, strlen(program->options) + 1, size, value, ret);
    case CL_PROGRAM_BUILD_LOG:
        return state_info(program->log, strlen(program->log) + 1, size, value, ret);
    case CL_PROGRAM_BINARY_TYPE:
        if (program->status == CL_BUILD_SUCCESS)
            type = CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
        return state_info(&type, sizeof(type), size, value, ret);
    default:
        return CL_INVALID_VALUE;
    }
}

FAKECL_API cl_int CL_API_CALL clGetProgramBuildInfo(cl_program program, cl_device_id device,
                                                    cl_program_build_info name, size_t size,
                                                    void *value, size_t *ret)
{
    state_lock();
    cl_int error = build_info(program, device, name, size, value, ret);
    state_unlock();
    return error;
}
