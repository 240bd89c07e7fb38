/* What src/code reads from the kernel corpus, against what an OpenCL driver says and does.
 *
 * Says: names, types, address spaces and qualifiers of clGetKernelArgInfo, required work-group
 * sizes, sizes of values (a driver refuses wrong ones). Does: every kernel runs twice, with other
 * contents in the buffers that it is said not to read. Then a buffer that is said to be only read
 * must be as it was, and nothing may depend on the contents of one that is said not to be read.
 * Exits 77 where there is no OpenCL device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/atomic.h"
#include "base/error.h"
#include "code/unit.h"
#include "conform/code_opencl.h"
#include "lib/kernel_corpus.h"

enum {
    BUFFER_BYTES = 65536, /* more than any kernel of the corpus touches */
    LOCAL_BYTES = 4096,
    MAX_PARAMS = 32,
    RUNS = 2,
    LEAST_KERNELS = 70, /* fewer compared or run, and the corpus has been lost */
    LEAST_RUNS = 60,
    LEAST_REFUSED = 50
};

static struct code_opencl cl;
static unsigned failures;
static unsigned compared_count;
static unsigned run_count;
static unsigned refused_count; /* wrong sizes */

struct launch {
    const struct corpus_file *file;
    const struct code_kernel *kernel;
    cl_kernel handle;
    cl_mem buffers[MAX_PARAMS];
    uint32_t *before[RUNS][MAX_PARAMS];
    uint32_t *after[RUNS][MAX_PARAMS];
};

static void complain(const struct corpus_file *file, const char *kernel, const char *what,
                     const char *wanted, const char *found)
{
    fprintf(stderr, "%s: %s: %s: the driver says %s, the source reader %s\n", file->name, kernel,
            what, wanted, found);
    failures++;
}

/* ---- what the driver says ---- */

static void compare_flag(const struct launch *launch, const struct code_param *param,
                         const char *what, bool wanted, bool found)
{
    char text[160];
    snprintf(text, sizeof text, "%s: %s", param->name, what);
    if (wanted != found)
        complain(launch->file, launch->kernel->name, text, wanted ? "yes" : "no",
                 found ? "yes" : "no");
}

static void compare_param(const struct launch *launch, cl_uint index)
{
    static const cl_kernel_arg_address_qualifier spaces[] = {
        [CODE_SPACE_PRIVATE] = CL_KERNEL_ARG_ADDRESS_PRIVATE,
        [CODE_SPACE_GLOBAL] = CL_KERNEL_ARG_ADDRESS_GLOBAL,
        [CODE_SPACE_LOCAL] = CL_KERNEL_ARG_ADDRESS_LOCAL,
        [CODE_SPACE_CONSTANT] = CL_KERNEL_ARG_ADDRESS_CONSTANT,
    };
    const struct code_param *param = &launch->kernel->params[index];
    char name[128] = "";
    char type[128] = "";
    cl_kernel_arg_address_qualifier space = 0;
    cl_kernel_arg_type_qualifier quals = 0;
    cl.clGetKernelArgInfo(launch->handle, index, CL_KERNEL_ARG_NAME, sizeof name, name, NULL);
    cl.clGetKernelArgInfo(launch->handle, index, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL);
    cl.clGetKernelArgInfo(launch->handle, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof space,
                          &space, NULL);
    cl.clGetKernelArgInfo(launch->handle, index, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof quals, &quals,
                          NULL);
    if (strcmp(name, param->name) != 0)
        complain(launch->file, launch->kernel->name, "name", name, param->name);
    if (strcmp(type, param->type_name) != 0)
        complain(launch->file, launch->kernel->name, param->name, type, param->type_name);
    bool image = strstr(type, "image") != NULL; /* an address space of their own, which is none */
    compare_flag(launch, param, "space", true, image || space == spaces[param->space]);
    compare_flag(launch, param, "const", (quals & CL_KERNEL_ARG_TYPE_CONST) != 0, param->is_const);
    compare_flag(launch, param, "restrict", (quals & CL_KERNEL_ARG_TYPE_RESTRICT) != 0,
                 param->is_restrict);
    compare_flag(launch, param, "volatile", (quals & CL_KERNEL_ARG_TYPE_VOLATILE) != 0,
                 param->is_volatile);
}

static void compare_kernel(const struct launch *launch)
{
    const struct code_kernel *kernel = launch->kernel;
    cl_uint count = 0;
    size_t group[3] = {0, 0, 0};
    cl.clGetKernelInfo(launch->handle, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    if (count != kernel->param_count) {
        complain(launch->file, kernel->name, "parameters", "another number", "so many");
        return;
    }
    for (cl_uint i = 0; i < count; i++)
        compare_param(launch, i);
    cl.clGetKernelWorkGroupInfo(launch->handle, cl.device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                sizeof group, group, NULL);
    for (int d = 0; d < 3; d++)
        if (group[d] != (kernel->has_required_group ? kernel->group[d] : 0))
            complain(launch->file, kernel->name, "work-group size", "one", "another");
    compared_count++;
}

/* ---- what the driver does ---- */

/* Small numbers, so that kernels may use them as indices; floats are normal ones, since drivers may
 * or may not flush others to zero. Another `round`, other numbers. */
static void fill(uint32_t *words, bool floats, unsigned round)
{
    for (uint32_t i = 0; i < BUFFER_BYTES / 4; i++) {
        float number = 0.25f * (float)((i + round) % 7) + 0.5f;
        words[i] = (i + round) % 7;
        if (floats)
            memcpy(&words[i], &number, sizeof number);
    }
}

static bool set_buffer(struct launch *launch, cl_uint index, unsigned run)
{
    const struct code_param *param = &launch->kernel->params[index];
    bool other = run > 0 && (param->writes_only || param->unused);
    cl_mem *buffer = &launch->buffers[index];
    uint32_t *words = malloc(BUFFER_BYTES);
    cl_int code;
    launch->before[run][index] = words;
    launch->after[run][index] = malloc(BUFFER_BYTES);
    fill(words, param->scalar == CODE_SCALAR_FLOAT, other ? 3 : 0);
    if (*buffer == NULL)
        *buffer = cl.clCreateBuffer(cl.context, CL_MEM_READ_WRITE, BUFFER_BYTES, NULL, &code);
    return cl.clEnqueueWriteBuffer(cl.queue, *buffer, CL_TRUE, 0, BUFFER_BYTES, words, 0, NULL,
                                   NULL) == CL_SUCCESS &&
           cl.clSetKernelArg(launch->handle, index, sizeof *buffer, buffer) == CL_SUCCESS;
}

/* 8 or 1.0 in every component, in the size that was read; a driver refuses one byte more, unless a
 * typedef hides the type from it. Of a struct the largest size that it takes, lest it reads beyond
 * what it was given. */
static bool set_value(const struct launch *launch, cl_uint index)
{
    const struct code_param *param = &launch->kernel->params[index];
    unsigned char bytes[256] = {0};
    size_t width = param->vector_width > 0 ? param->vector_width : 1;
    size_t each = param->size_bytes / (width == 3 ? 4 : width);
    const float one = 1.0f;
    const double one_double = 1.0;
    for (size_t i = 0; param->size_known && i < width; i++) {
        bytes[i * each] = 8;
        if (param->scalar == CODE_SCALAR_FLOAT)
            memcpy(bytes + i * each, &one, sizeof one);
        if (param->scalar == CODE_SCALAR_DOUBLE)
            memcpy(bytes + i * each, &one_double, sizeof one_double);
    }
    if (param->size_known) {
        refused_count +=
            cl.clSetKernelArg(launch->handle, index, param->size_bytes + 1, bytes) != CL_SUCCESS;
        return cl.clSetKernelArg(launch->handle, index, param->size_bytes, bytes) == CL_SUCCESS;
    }
    for (size_t size = sizeof bytes; size > 0; size--)
        if (cl.clSetKernelArg(launch->handle, index, size, bytes) == CL_SUCCESS)
            return true;
    return false;
}

static bool set_args(struct launch *launch, unsigned run)
{
    for (cl_uint i = 0; i < launch->kernel->param_count; i++) {
        bool set = false;
        switch (launch->kernel->params[i].kind) {
        case CODE_PARAM_BUFFER:
            set = set_buffer(launch, i, run);
            break;
        case CODE_PARAM_LOCAL:
            set = cl.clSetKernelArg(launch->handle, i, LOCAL_BYTES, NULL) == CL_SUCCESS;
            break;
        case CODE_PARAM_VALUE:
            set = set_value(launch, i);
            break;
        default:
            break;
        }
        if (!set) {
            complain(launch->file, launch->kernel->name, launch->kernel->params[i].name,
                     "that it cannot be set", "that it can");
            return false;
        }
    }
    return true;
}

static bool run_once(struct launch *launch, unsigned run)
{
    size_t global[2] = {16, 1};
    size_t local[2] = {8, 1};
    char line[256];
    if (corpus_line_of(launch->file, "// run: ", launch->kernel->name, line, sizeof line))
        sscanf(line, "%zu %zu %zu %zu", &global[0], &global[1], &local[0], &local[1]);
    else if (launch->kernel->has_required_group)
        for (int d = 0; d < 2; d++)
            local[d] = launch->kernel->group[d];
    if (!set_args(launch, run))
        return false;
    cl_int code =
        cl.clEnqueueNDRangeKernel(cl.queue, launch->handle, 2, NULL, global, local, 0, NULL, NULL);
    for (cl_uint i = 0; i < launch->kernel->param_count; i++)
        if (launch->buffers[i] != NULL && code == CL_SUCCESS)
            code = cl.clEnqueueReadBuffer(cl.queue, launch->buffers[i], CL_FALSE, 0, BUFFER_BYTES,
                                          launch->after[run][i], 0, NULL, NULL);
    cl_int finished = cl.clFinish(cl.queue);
    if (code != CL_SUCCESS || finished != CL_SUCCESS)
        complain(launch->file, launch->kernel->name, "launch", "an error", "nothing");
    return code == CL_SUCCESS && finished == CL_SUCCESS;
}

static void judge_buffer(const struct launch *launch, uint32_t index)
{
    const struct code_param *param = &launch->kernel->params[index];
    const size_t words = BUFFER_BYTES / 4;
    const char *name = launch->kernel->name;
    bool changed = false;
    bool depends = false;
    for (size_t w = 0; w < words; w++) {
        uint32_t first = launch->after[0][index][w];
        uint32_t second = launch->after[1][index][w];
        bool kept = first == launch->before[0][index][w] && second == launch->before[1][index][w];
        changed |= !kept;
        depends |= !kept && first != second;
    }
    if (param->access == CODE_ACCESS_READ && changed)
        complain(launch->file, name, param->name, "it is written", "it is only read");
    if (depends)
        complain(launch->file, name, param->name, "it depends on something that is read",
                 "that this is not");
}

static void run_kernel(struct launch *launch)
{
    char line[64];
    if (launch->kernel->param_count > MAX_PARAMS ||
        corpus_line_of(launch->file, "// norun: ", launch->kernel->name, line, sizeof line))
        return;
    bool done = run_once(launch, 0) && run_once(launch, 1);
    for (uint32_t i = 0; i < launch->kernel->param_count; i++) {
        if (launch->buffers[i] == NULL)
            continue;
        if (done)
            judge_buffer(launch, i);
        cl.clReleaseMemObject(launch->buffers[i]);
        for (unsigned run = 0; run < RUNS; run++) {
            free(launch->before[run][i]);
            free(launch->after[run][i]);
        }
    }
    run_count += done;
}

/* ---- all of it ---- */

static cl_program build(const struct corpus_file *file)
{
    char options[300];
    cl_int code;
    snprintf(options, sizeof options, "-cl-kernel-arg-info %s", file->options);
    cl_program program =
        cl.clCreateProgramWithSource(cl.context, 1, &(const char *){file->text}, NULL, &code);
    if (program != NULL &&
        cl.clBuildProgram(program, 1, &cl.device, options, NULL, NULL) == CL_SUCCESS)
        return program;
    char log[4096] = "";
    if (program != NULL) {
        cl.clGetProgramBuildInfo(program, cl.device, CL_PROGRAM_BUILD_LOG, sizeof log, log, NULL);
        cl.clReleaseProgram(program);
    }
    complain(file, "all", "source", log, "it is fine");
    return NULL;
}

static void check_program(const struct corpus_file *file, const struct code_unit *unit,
                          cl_program program)
{
    cl_kernel handles[64];
    cl_uint count = 0;
    cl.clCreateKernelsInProgram(program, 64, handles, &count);
    if (count != code_unit_kernel_count(unit))
        complain(file, "all", "kernels", "another number", "so many");
    for (cl_uint k = 0; k < count && k < 64; k++) {
        char name[128] = "";
        cl.clGetKernelInfo(handles[k], CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
        struct launch launch = {file, code_unit_find(unit, name), handles[k], {0}, {{0}}, {{0}}};
        if (launch.kernel == NULL) {
            complain(file, name, "kernel", "it is there", "nothing of it");
        } else {
            compare_kernel(&launch);
            run_kernel(&launch);
        }
        cl.clReleaseKernel(handles[k]);
    }
}

static void check_file(const struct corpus_file *file, void *unused)
{
    struct code_unit *unit;
    (void)unused;
    if (!file->builds)
        return;
    if (code_unit_create(file->text, file->length, file->options, NULL, &unit) != FGPU_OK) {
        complain(file, "all", "source", "it is fine", error_text());
        return;
    }
    cl_program program = build(file);
    if (program != NULL) {
        check_program(file, unit, program);
        cl.clReleaseProgram(program);
    }
    code_unit_destroy(unit);
}

static void test_corpus(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_file, NULL) > 0);
    printf("%u kernels compared, %u run twice, %u wrong sizes refused\n", compared_count, run_count,
           refused_count);
    assert_int_equal(failures, 0);
    assert_true(compared_count >= LEAST_KERNELS);
    assert_true(run_count >= LEAST_RUNS);
    assert_true(refused_count >= LEAST_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    if (ATOMIC_TSAN != 0) {
        fprintf(stderr, "skipped: OpenCL drivers are not instrumented for ThreadSanitizer\n");
        return 77;
    }
    /* What other builds have left in a shared cache may differ in the last bit of a sum. */
    const char *own = getenv("XDG_CACHE_HOME");
    if (own != NULL)
        (void)setenv("POCL_CACHE_DIR", own, 1);
    if (!code_opencl_open(&cl))
        return 77;
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    code_opencl_close(&cl);
    return result;
}
