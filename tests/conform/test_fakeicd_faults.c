/*
 * Does the fake OpenCL library fail when it is told to, and notice misuse?
 *
 * Each switch of fakecl.h: refused enqueues, allocations and builds, full memory, a lost device;
 * the errors for wrong arguments; and each kind of misuse, which must be counted. A final test
 * turns all faults on at once under random use. FAKEICD_LIB names the library.
 */
#include "lib/fakeicd_rig.h"

enum { COUNT = 4096, BYTES = COUNT * 4 };

static const char count_source[] =
    "__kernel void count_up(__global uint *data, uint add, __local uint *own)\n"
    "{\n"
    "    own[get_local_id(0)] = data[get_global_id(0)];\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    data[get_global_id(0)] = own[get_local_id(0)] + add;\n"
    "}\n";

/* Exactly one misuse more, with this in its text. */
static void expect_misuse(uint64_t *seen, const char *text)
{
    struct fakecl_stats stats = stats_now();
    if (stats.misuses != *seen + 1 || strstr(stats.last_misuse, text) == NULL)
        fail_msg("%llu misuses, the last \"%s\"; expected one more than %llu, with \"%s\"",
                 (unsigned long long)stats.misuses, stats.last_misuse, (unsigned long long)*seen,
                 text);
    *seen = stats.misuses;
}

static void set_count_args(cl_kernel kernel, cl_mem mem)
{
    const cl_uint add = 1;
    ok(cl.clSetKernelArg(kernel, 0, sizeof(mem), &mem));
    ok(cl.clSetKernelArg(kernel, 1, sizeof(add), &add));
    ok(cl.clSetKernelArg(kernel, 2, 64 * 4, NULL));
}

static cl_int launch(cl_command_queue queue, cl_kernel kernel, size_t global, size_t local,
                     cl_event *event)
{
    return cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, event);
}

static void knows_its_settings(void **state)
{
    (void)state;
    set("FAKECL_SEED", -5);
    set("delay_us", 0);
    assert_int_equal(cl.fakecl_set("NONSENSE", 1), -1);
    assert_int_equal(cl.fakecl_set("DEVICES", 0), -1);
    assert_int_equal(cl.fakecl_set("FAIL_ALLOC", 1001), -1);
    assert_int_equal(cl.fakecl_set(NULL, 1), -1);
}

static void refuses_enqueues(void **state)
{
    struct cl_rig rig;
    uint32_t word = 5;
    int refused = 0;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_mem mem = cl_rig_buffer(&rig, 4, &word);
    set("FAIL_ENQUEUE", 300);
    for (int i = 0; i < 1000; i++) {
        cl_int error =
            cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &word, 0, NULL, NULL);
        assert_true(error == CL_SUCCESS || error == CL_OUT_OF_RESOURCES);
        refused += error != CL_SUCCESS;
    }
    ok(cl.clFinish(rig.queues[0]));
    assert_in_range(refused, 200, 400); /* 300 +- 7 standard deviations */
    assert_int_equal(stats_now().refused_enqueues, refused);
    assert_int_equal(stats_now().enqueued, 1000 - refused);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
}

static void runs_out_of_memory_at_creation(void **state)
{
    struct cl_rig rig;
    cl_mem mems[5];
    (void)state;
    set("MEMORY", 4 * BYTES);
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    for (int i = 0; i < 4; i++)
        assert_non_null(mems[i] = cl_rig_buffer(&rig, BYTES, NULL));
    assert_null(cl_rig_buffer(&rig, 1, NULL));
    assert_int_equal(rig.error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    assert_null(cl_rig_buffer(&rig, BYTES + 1, NULL));
    assert_int_equal(rig.error, CL_INVALID_BUFFER_SIZE); /* above a quarter of the memory */
    cl.clReleaseMemObject(mems[0]);
    assert_non_null(mems[0] = cl_rig_buffer(&rig, BYTES, NULL));
    assert_int_equal(stats_now().memory_used[0], 4 * BYTES);
    for (int i = 0; i < 4; i++)
        cl.clReleaseMemObject(mems[i]);
    assert_int_equal(stats_now().memory_used[0], 0);
    cl_rig_close(&rig);
}

static void runs_out_of_memory_at_first_use(void **state)
{
    struct cl_rig rig;
    cl_mem mems[5];
    const uint32_t word = 1;
    (void)state;
    set("MEMORY", 4 * BYTES);
    set("LAZY", 1);
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    for (int i = 0; i < 5; i++)
        assert_non_null(mems[i] = cl_rig_buffer(&rig, BYTES, NULL));
    for (int i = 0; i < 5; i++) {
        cl_int error =
            cl.clEnqueueWriteBuffer(rig.queues[0], mems[i], CL_TRUE, 0, 4, &word, 0, NULL, NULL);
        assert_int_equal(error, i < 4 ? CL_SUCCESS : CL_MEM_OBJECT_ALLOCATION_FAILURE);
    }
    cl.clReleaseMemObject(mems[0]);
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], mems[4], CL_TRUE, 0, 4, &word, 0, NULL, NULL));
    for (int i = 1; i < 5; i++)
        cl.clReleaseMemObject(mems[i]);
    set("FAIL_ALLOC", 1000);
    cl_mem mem = cl_rig_buffer(&rig, 4, NULL);
    assert_int_equal(
        cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_TRUE, 0, 4, &word, 0, NULL, NULL),
        CL_MEM_OBJECT_ALLOCATION_FAILURE);
    cl.clReleaseMemObject(mem);
    set("LAZY", 0);
    assert_null(cl_rig_buffer(&rig, 4, NULL));
    assert_int_equal(rig.error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    cl_rig_close(&rig);
}

static void build_log(cl_program program, cl_device_id device, char log[4096])
{
    memset(log, 0, 4096);
    (void)cl.clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 4095, log, NULL);
}

static void reports_build_errors(void **state)
{
    struct cl_rig rig;
    char log[4096];
    cl_build_status status;
    cl_int error;
    const char *bad = "__kernel void f(__global int *a)\n{\n    a[0] = undeclared + 1;\n}\n";
    const char *loose =
        "int missing(int x);\n__kernel void f(__global int *a) { a[0] = missing(1); }\n";
    const char *image = "__kernel void f(read_only image2d_t i) { }\n";
    const char *good = "__kernel void f(__global int *a) { a[0] = N; }\n";
    const char *sources[] = {bad, loose, image};
    const char *texts[] = {"program:3:12: error", "missing", "images"};
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    for (int i = 0; i < 3; i++) {
        cl_program program = cl.clCreateProgramWithSource(rig.context, 1, &sources[i], NULL, NULL);
        assert_int_equal(cl.clBuildProgram(program, 0, NULL, NULL, NULL, NULL),
                         CL_BUILD_PROGRAM_FAILURE);
        build_log(program, rig.devices[0], log);
        if (strstr(log, texts[i]) == NULL)
            fail_msg("the log lacks \"%s\": %s", texts[i], log);
        ok(cl.clGetProgramBuildInfo(program, rig.devices[0], CL_PROGRAM_BUILD_STATUS,
                                    sizeof(status), &status, NULL));
        assert_int_equal(status, CL_BUILD_ERROR);
        assert_null(cl.clCreateKernel(program, "f", &error));
        assert_int_equal(error, CL_INVALID_PROGRAM_EXECUTABLE);
        cl.clReleaseProgram(program);
    }
    cl_program program = cl.clCreateProgramWithSource(rig.context, 1, &good, NULL, NULL);
    assert_int_equal(cl.clBuildProgram(program, 0, NULL, "-fancy", NULL, NULL),
                     CL_INVALID_BUILD_OPTIONS);
    set("FAIL_BUILD", 1000);
    assert_int_equal(cl.clBuildProgram(program, 0, NULL, "-DN=3", NULL, NULL),
                     CL_BUILD_PROGRAM_FAILURE);
    build_log(program, rig.devices[0], log);
    assert_non_null(strstr(log, "fail this build"));
    set("FAIL_BUILD", 0);
    ok(cl.clBuildProgram(program, 0, NULL, "-D N=3 -cl-mad-enable", NULL, NULL));
    assert_null(cl.clCreateKernel(program, "g", &error));
    assert_int_equal(error, CL_INVALID_KERNEL_NAME);
    cl_kernel kernel = cl.clCreateKernel(program, "f", NULL);
    assert_int_equal(cl.clBuildProgram(program, 0, NULL, "", NULL, NULL), CL_INVALID_OPERATION);
    cl.clReleaseKernel(kernel);
    cl.clReleaseProgram(program);
    cl_rig_close(&rig);
}

/* A program from a binary works; one that is cut short or changed anywhere is refused. */
static void checks_binaries(void **state)
{
    struct cl_rig rig;
    const char *source = count_source;
    size_t size = 0;
    unsigned char *binary;
    cl_int error, status;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_program program = cl.clCreateProgramWithSource(rig.context, 1, &source, NULL, NULL);
    ok(cl.clBuildProgram(program, 0, NULL, "", NULL, NULL));
    ok(cl.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL));
    binary = malloc(size);
    ok(cl.clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL));
    cl.clReleaseProgram(program);
    const unsigned char *given = binary;
    for (size_t cut = 1; cut < size; cut = cut * 3 + 1) {
        size_t less = size - cut;
        assert_null(cl.clCreateProgramWithBinary(rig.context, 1, rig.devices, &less, &given,
                                                 &status, &error));
        assert_int_equal(error, CL_INVALID_BINARY);
        binary[cut] ^= 1;
        assert_null(cl.clCreateProgramWithBinary(rig.context, 1, rig.devices, &size, &given,
                                                 &status, &error));
        assert_int_equal(status, CL_INVALID_BINARY);
        binary[cut] ^= 1;
    }
    program =
        cl.clCreateProgramWithBinary(rig.context, 1, rig.devices, &size, &given, &status, &error);
    ok(error);
    ok(cl.clBuildProgram(program, 0, NULL, "", NULL, NULL));
    cl_kernel kernel = cl.clCreateKernel(program, "count_up", &error);
    uint32_t words[64] = {0};
    cl_mem mem = cl_rig_buffer(&rig, sizeof(words), words);
    set_count_args(kernel, mem);
    ok(launch(rig.queues[0], kernel, 64, 32, NULL));
    ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, sizeof(words), words, 0, NULL, NULL));
    for (int i = 0; i < 64; i++)
        assert_int_equal(words[i], 1);
    free(binary);
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl.clReleaseProgram(program);
    cl_rig_close(&rig);
}

static void loses_a_device(void **state)
{
    struct cl_rig rig;
    static uint32_t words[COUNT], out[COUNT];
    cl_event events[12];
    cl_bool available = CL_TRUE;
    int counts[3] = {0, 0, 0};
    (void)state;
    set("LOSE_AFTER", 8);
    set("LOSE_DEVICE", 1);
    set("SEED", 3);
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
    cl_mem mem = cl_rig_buffer(&rig, BYTES, words);
    cl_mem other = cl_rig_buffer(&rig, BYTES, words);
    set_count_args(kernel, mem);
    for (int i = 0; i < 12; i++)
        ok(launch(rig.queues[1], kernel, COUNT, 64, &events[i]));
    assert_int_equal(cl.clFinish(rig.queues[1]), CL_OUT_OF_RESOURCES);
    for (int i = 0; i < 12; i++)
        assert_int_equal(cl_rig_status(&rig, events[i]), i < 8 ? CL_COMPLETE : CL_OUT_OF_RESOURCES);
    assert_int_equal(cl.clWaitForEvents(1, &events[10]),
                     CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    assert_int_equal(launch(rig.queues[1], kernel, COUNT, 64, NULL), CL_OUT_OF_RESOURCES);
    assert_int_equal(cl.clFlush(rig.queues[1]), CL_OUT_OF_RESOURCES);
    ok(cl.clGetDeviceInfo(rig.devices[1], CL_DEVICE_AVAILABLE, 4, &available, NULL));
    assert_false(available);
    assert_int_equal(stats_now().lost_devices, 1);
    /* the other device works on; the ninth launch is torn: some groups ran, some did not */
    ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, BYTES, out, 0, NULL, NULL));
    for (int i = 0; i < COUNT; i++)
        counts[out[i] == 8 ? 0 : out[i] == 9 ? 1 : 2]++;
    assert_true(counts[0] > 0 && counts[1] > 0 && counts[2] == 0);
    set_count_args(kernel, other);
    ok(launch(rig.queues[0], kernel, COUNT, 64, NULL));
    ok(cl.clFinish(rig.queues[0]));
    for (int i = 0; i < 12; i++)
        cl.clReleaseEvent(events[i]);
    cl.clReleaseMemObject(mem);
    cl.clReleaseMemObject(other);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

static void checks_kernel_arguments(void **state)
{
    struct cl_rig rig;
    cl_uint add = 1;
    const size_t offset = SIZE_MAX, size = 64, zero = 0, sizes[3] = {1, 1, 128};
    const char *required =
        "__attribute__((reqd_work_group_size(8, 1, 1))) __kernel void f(__global int *a)"
        "{ a[get_global_id(0)] = 1; }\n";
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_command_queue queue = rig.queues[0];
    cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
    cl_mem mem = cl_rig_buffer(&rig, BYTES, NULL);
    assert_int_equal(launch(queue, kernel, 64, 64, NULL), CL_INVALID_KERNEL_ARGS);
    assert_int_equal(cl.clSetKernelArg(kernel, 0, 4, &mem), CL_INVALID_ARG_SIZE);
    assert_int_equal(cl.clSetKernelArg(kernel, 1, 8, &add), CL_INVALID_ARG_SIZE);
    assert_int_equal(cl.clSetKernelArg(kernel, 1, 4, NULL), CL_INVALID_ARG_VALUE);
    assert_int_equal(cl.clSetKernelArg(kernel, 2, 0, NULL), CL_INVALID_ARG_SIZE);
    assert_int_equal(cl.clSetKernelArg(kernel, 2, 64, &add), CL_INVALID_ARG_VALUE);
    assert_int_equal(cl.clSetKernelArg(kernel, 3, 4, &add), CL_INVALID_ARG_INDEX);
    set_count_args(kernel, mem);
    assert_int_equal(launch(queue, kernel, 64, 48, NULL), CL_INVALID_WORK_GROUP_SIZE);
    assert_int_equal(launch(queue, kernel, 512, 512, NULL), CL_INVALID_WORK_ITEM_SIZE);
    assert_int_equal(launch(queue, kernel, 0, 1, NULL), CL_INVALID_GLOBAL_WORK_SIZE);
    assert_int_equal(cl.clEnqueueNDRangeKernel(queue, kernel, 4, NULL, sizes, NULL, 0, NULL, NULL),
                     CL_INVALID_WORK_DIMENSION);
    assert_int_equal(cl.clEnqueueNDRangeKernel(queue, kernel, 3, NULL, sizes, sizes, 0, NULL, NULL),
                     CL_INVALID_WORK_ITEM_SIZE);
    assert_int_equal(
        cl.clEnqueueNDRangeKernel(queue, kernel, 1, &offset, &size, NULL, 0, NULL, NULL),
        CL_INVALID_GLOBAL_OFFSET);
    assert_int_equal(cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &size, &zero, 0, NULL, NULL),
                     CL_INVALID_WORK_GROUP_SIZE);
    ok(cl.clSetKernelArg(kernel, 2, 1 << 20, NULL));
    assert_int_equal(launch(queue, kernel, 64, 64, NULL), CL_OUT_OF_RESOURCES);
    cl.clReleaseKernel(kernel);
    kernel = cl_rig_kernel(&rig, required, "f");
    ok(cl.clSetKernelArg(kernel, 0, sizeof(mem), &mem));
    assert_int_equal(launch(queue, kernel, 64, 16, NULL), CL_INVALID_WORK_GROUP_SIZE);
    ok(launch(queue, kernel, 64, 8, NULL));
    cl.clReleaseKernel(kernel);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
}

static void notices_dead_handles(void **state)
{
    struct cl_rig rig;
    uint64_t seen = 0;
    uint32_t word = 0;
    cl_event event;
    size_t size;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
    cl_mem mem = cl_rig_buffer(&rig, BYTES, NULL);
    set_count_args(kernel, mem);
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &word, 0, NULL, &event));
    ok(cl.clReleaseMemObject(mem)); /* its command keeps it, but the handle is gone */
    assert_int_equal(cl.clReleaseMemObject(mem), CL_INVALID_MEM_OBJECT);
    expect_misuse(&seen, "buffer handle");
    ok(cl.clFinish(rig.queues[0]));
    assert_int_equal(cl.clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof(size), &size, NULL),
                     CL_INVALID_MEM_OBJECT);
    expect_misuse(&seen, "after its last release");
    assert_int_equal(launch(rig.queues[0], kernel, 64, 64, NULL), CL_INVALID_KERNEL_ARGS);
    expect_misuse(&seen, "buffer handle");
    ok(cl.clReleaseEvent(event));
    assert_int_equal(cl.clWaitForEvents(1, &event), CL_INVALID_EVENT);
    expect_misuse(&seen, "event handle");
    assert_int_equal(cl.clEnqueueMarkerWithWaitList(rig.queues[0], 1, &event, NULL),
                     CL_INVALID_EVENT_WAIT_LIST);
    expect_misuse(&seen, "event handle");
    assert_int_equal(cl.clFinish((cl_command_queue)(void *)kernel), CL_INVALID_COMMAND_QUEUE);
    expect_misuse(&seen, "is a kernel");
    assert_int_equal(cl.clReleaseKernel((cl_kernel)(void *)&word), CL_INVALID_KERNEL);
    expect_misuse(&seen, "no such object");
    ok(cl.clReleaseKernel(kernel));
    assert_int_equal(cl.clReleaseKernel(kernel), CL_INVALID_KERNEL);
    expect_misuse(&seen, "kernel handle");
    cl_rig_close(&rig);
    assert_int_equal(cl.clReleaseCommandQueue(rig.queues[0]), CL_INVALID_COMMAND_QUEUE);
    expect_misuse(&seen, "queue handle");
    assert_int_equal(cl.clReleaseContext(rig.context), CL_INVALID_CONTEXT);
    expect_misuse(&seen, "context handle");
    assert_int_equal(cl.clReleaseContext(NULL), CL_INVALID_CONTEXT);
    assert_int_equal(stats_now().misuses, seen);
}

static cl_command_queue queue_of_callback;
static cl_int finish_in_callback;

static void CL_CALLBACK block_in_callback(cl_event event, cl_int status, void *user)
{
    (void)event;
    (void)status;
    (void)user;
    finish_in_callback = cl.clFinish(queue_of_callback);
}

static void notices_misused_memory(void **state)
{
    struct cl_rig rig;
    uint64_t seen = 0;
    static uint32_t words[COUNT];
    cl_event event;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_command_queue queue = rig.queues[0];
    cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
    cl_mem mem = cl_rig_buffer(&rig, BYTES, words);
    uint32_t *mapped =
        cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_WRITE, 0, 64, 0, NULL, NULL, NULL);
    ok(cl.clEnqueueReadBuffer(queue, mem, CL_TRUE, 64, 64, words, 0, NULL, NULL)); /* beside it */
    set_count_args(kernel, mem);
    ok(launch(queue, kernel, 64, 64, NULL));
    ok(cl.clFinish(queue));
    expect_misuse(&seen, "has it mapped");
    assert_int_equal(cl.clEnqueueUnmapMemObject(queue, mem, mapped + 1, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    expect_misuse(&seen, "has not mapped");
    ok(cl.clEnqueueUnmapMemObject(queue, mem, mapped, 0, NULL, NULL));
    assert_int_equal(cl.clEnqueueUnmapMemObject(queue, mem, mapped, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    expect_misuse(&seen, "has not mapped");
    ok(cl.clFinish(queue));
    /* a group more than the buffer has room for */
    cl_mem small = cl_rig_buffer(&rig, 64 * 4, NULL);
    set_count_args(kernel, small);
    ok(launch(queue, kernel, 80, 16, NULL));
    ok(cl.clFinish(queue));
    expect_misuse(&seen, "outside a buffer");
    (void)cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, NULL);
    ok(cl.clReleaseMemObject(mem));
    expect_misuse(&seen, "while it is mapped");
    queue_of_callback = queue;
    ok(cl.clEnqueueMarkerWithWaitList(queue, 0, NULL, &event));
    ok(cl.clSetEventCallback(event, CL_COMPLETE, block_in_callback, NULL));
    ok(cl.clReleaseEvent(event));
    ok(cl.clFlush(queue));
    while (stats_now().live_events > 0)
        continue;
    assert_int_equal(finish_in_callback, CL_INVALID_OPERATION);
    expect_misuse(&seen, "inside a callback");
    cl.clReleaseMemObject(small);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

static void notices_barriers_in_branches(void **state)
{
    static const char source[] =
        "__kernel void f(__global int *a)\n"
        "{ if (get_local_id(0) > 3) barrier(CLK_LOCAL_MEM_FENCE); a[get_global_id(0)] = 1; }\n";
    struct cl_rig rig;
    uint64_t seen = 0;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, source, "f");
    cl_mem mem = cl_rig_buffer(&rig, BYTES, NULL);
    ok(cl.clSetKernelArg(kernel, 0, sizeof(mem), &mem));
    ok(launch(rig.queues[0], kernel, 64, 16, NULL));
    ok(cl.clFinish(rig.queues[0]));
    expect_misuse(&seen, "same barrier");
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

/* Without an event between them, two devices may write one buffer at the same time. */
static void notices_devices_in_each_others_way(void **state)
{
    struct cl_rig rig;
    static uint32_t words[16 * COUNT];
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
    cl_mem mem = cl_rig_buffer(&rig, sizeof(words), words);
    set_count_args(kernel, mem);
    for (int i = 0; i < 6; i++) {
        ok(launch(rig.queues[i % 2], kernel, sizeof(words) / 4, 64, NULL));
        ok(cl.clFlush(rig.queues[i % 2]));
    }
    ok(cl.clFinish(rig.queues[0]));
    ok(cl.clFinish(rig.queues[1]));
    assert_true(stats_now().misuses > 0);
    assert_non_null(strstr(stats_now().last_misuse, "two devices"));
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

/* A wait across queues without a flush would hang for ever on some drivers: said, then cured. */
static void notices_a_missing_flush(void **state)
{
    struct cl_rig rig;
    uint64_t seen = 0;
    cl_event event;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    ok(cl.clEnqueueMarkerWithWaitList(rig.queues[0], 0, NULL, &event));
    ok(cl.clEnqueueMarkerWithWaitList(rig.queues[1], 1, &event, NULL));
    ok(cl.clFinish(rig.queues[1]));
    expect_misuse(&seen, "nobody flushed");
    cl.clReleaseEvent(event);
    cl_rig_close(&rig);
}

/* One random call with whatever fault; errors are fine, wrong ones and hangs are not. */
static void random_call(struct cl_rig *rig, cl_kernel kernel, cl_mem *mems, uint64_t *seed)
{
    static uint32_t host[COUNT];
    uint32_t index = next_random(seed) % 4;
    cl_command_queue queue = rig->queues[index % 2]; /* a buffer stays on its device */
    cl_mem *mem = &mems[index];
    cl_int error = CL_SUCCESS;
    if (*mem == NULL)
        *mem = cl_rig_buffer(rig, BYTES, NULL);
    if (*mem == NULL)
        return;
    switch (next_random(seed) % 6) {
    case 0:
        error = cl.clEnqueueReadBuffer(queue, *mem, CL_TRUE, 0, BYTES, host, 0, NULL, NULL);
        break;
    case 1:
        error = cl.clEnqueueFillBuffer(queue, *mem, &host[5], 4, 0, BYTES, 0, NULL, NULL);
        break;
    case 2:
        error = cl.clFlush(queue);
        break;
    case 3:
        cl.clReleaseMemObject(*mem);
        *mem = NULL;
        break;
    default:
        set_count_args(kernel, *mem);
        error = launch(queue, kernel, 256, 64, NULL);
        break;
    }
    assert_true(error == CL_SUCCESS || error == CL_OUT_OF_RESOURCES ||
                error == CL_MEM_OBJECT_ALLOCATION_FAILURE);
}

static void survives_all_faults_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cl_rig rig;
        cl_mem mems[4] = {NULL};
        uint64_t draw = seed;
        print_message("seed %llu\n", (unsigned long long)seed);
        cl.fakecl_reset();
        assert_true(cl_rig_open(&rig, &cl, 2, 0));
        cl_kernel kernel = cl_rig_kernel(&rig, count_source, "count_up");
        set("SEED", (long)seed);
        set("MEMORY", 3 * BYTES + 100);
        set("MAX_ALLOC", BYTES);
        set("LAZY", (long)(seed & 1));
        set("DELAY_US", 30);
        set("FAIL_ENQUEUE", 50);
        set("FAIL_ALLOC", 50);
        set("LOSE_AFTER", 60);
        for (int i = 0; i < 120; i++)
            random_call(&rig, kernel, mems, &draw);
        (void)cl.clFinish(rig.queues[0]);
        (void)cl.clFinish(rig.queues[1]);
        for (int i = 0; i < 4; i++)
            if (mems[i] != NULL)
                cl.clReleaseMemObject(mems[i]);
        cl.clReleaseKernel(kernel);
        cl_rig_close(&rig);
        struct fakecl_stats stats = stats_now();
        assert_int_equal(stats.memory_used[0] + stats.memory_used[1], 0);
        assert_int_equal(stats.misuses, 0);
        assert_int_equal(stats.live_objects, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(knows_its_settings, reset_after),
        cmocka_unit_test_teardown(refuses_enqueues, reset_after),
        cmocka_unit_test_teardown(runs_out_of_memory_at_creation, reset_after),
        cmocka_unit_test_teardown(runs_out_of_memory_at_first_use, reset_after),
        cmocka_unit_test_teardown(reports_build_errors, reset_after),
        cmocka_unit_test_teardown(checks_binaries, reset_after),
        cmocka_unit_test_teardown(loses_a_device, reset_after),
        cmocka_unit_test_teardown(checks_kernel_arguments, reset_after),
        cmocka_unit_test_teardown(notices_dead_handles, reset_after),
        cmocka_unit_test_teardown(notices_misused_memory, reset_after),
        cmocka_unit_test_teardown(notices_barriers_in_branches, reset_after),
        cmocka_unit_test_teardown(notices_devices_in_each_others_way, reset_after),
        cmocka_unit_test_teardown(notices_a_missing_flush, reset_after),
        cmocka_unit_test_teardown(survives_all_faults_at_once, reset_after),
    };
    if (!fakeicd_open())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
