/*
 * Does the fake OpenCL library behave like the discrete, asynchronous driver it plays?
 *
 * Memory of its own, sub-buffers, rectangles, mapping, queues in and out of order, events. The
 * oracles are plain arrays; random cases print their seed. FAKEICD_LIB names the library.
 */
#include "lib/fakeicd_rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { COUNT = 4096 };

static const char step_source[] =
    "__kernel void step_word(__global uint *data, uint factor, uint add)\n"
    "{ size_t i = get_global_id(0); data[i] = data[i] * factor + add; }\n";

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* data = data * factor + add over all words of the buffer, after an event or none */
static cl_int step(cl_command_queue queue, cl_kernel kernel, cl_mem mem, const cl_uint numbers[2],
                   const cl_event *after, cl_event *event)
{
    size_t size = 0;
    cl.clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof(size), &size, NULL);
    size /= 4;
    ok(cl.clSetKernelArg(kernel, 0, sizeof(mem), &mem));
    ok(cl.clSetKernelArg(kernel, 1, sizeof(cl_uint), &numbers[0]));
    ok(cl.clSetKernelArg(kernel, 2, sizeof(cl_uint), &numbers[1]));
    return cl.clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &size, NULL, after != NULL, after,
                                     event);
}

static void describes_its_devices(void **state)
{
    static const cl_device_info names[] = {
        CL_DEVICE_TYPE,
        CL_DEVICE_NAME,
        CL_DEVICE_VENDOR,
        CL_DEVICE_VERSION,
        CL_DRIVER_VERSION,
        CL_DEVICE_EXTENSIONS,
        CL_DEVICE_PROFILE,
        CL_DEVICE_OPENCL_C_VERSION,
        CL_DEVICE_MAX_COMPUTE_UNITS,
        CL_DEVICE_MAX_CLOCK_FREQUENCY,
        CL_DEVICE_GLOBAL_MEM_SIZE,
        CL_DEVICE_MAX_MEM_ALLOC_SIZE,
        CL_DEVICE_LOCAL_MEM_SIZE,
        CL_DEVICE_MEM_BASE_ADDR_ALIGN,
        CL_DEVICE_HOST_UNIFIED_MEMORY,
        CL_DEVICE_MAX_WORK_GROUP_SIZE,
        CL_DEVICE_MAX_WORK_ITEM_SIZES,
        CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS,
        CL_DEVICE_PARTITION_PROPERTIES,
        CL_DEVICE_PARTITION_MAX_SUB_DEVICES,
        CL_DEVICE_PROFILING_TIMER_RESOLUTION,
        CL_DEVICE_AVAILABLE,
        CL_DEVICE_COMPILER_AVAILABLE,
        CL_DEVICE_ADDRESS_BITS,
        CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT,
        CL_DEVICE_NATIVE_VECTOR_WIDTH_CHAR,
        CL_DEVICE_GLOBAL_MEM_CACHE_SIZE,
        CL_DEVICE_MAX_PARAMETER_SIZE,
        CL_DEVICE_PLATFORM,
        CL_DEVICE_PARENT_DEVICE,
        CL_DEVICE_QUEUE_PROPERTIES,
        CL_DEVICE_SINGLE_FP_CONFIG,
    };
    cl_device_id devices[16];
    cl_uint count;
    char text[256];
    size_t size;
    cl_uint align;
    (void)state;
    set("DEVICES", 3);
    ok(cl.clGetDeviceIDs(NULL, CL_DEVICE_TYPE_GPU, 16, devices, &count));
    assert_int_equal(count, 3);
    assert_int_equal(cl.clGetDeviceIDs(NULL, CL_DEVICE_TYPE_CPU, 1, devices, NULL),
                     CL_DEVICE_NOT_FOUND);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ok(cl.clGetDeviceInfo(devices[2], names[i], 0, NULL, &size));
        ok(cl.clGetDeviceInfo(devices[2], names[i], sizeof(text), text, NULL));
        assert_true(size > 0);
        assert_int_equal(cl.clGetDeviceInfo(devices[2], names[i], size - 1, text, NULL),
                         CL_INVALID_VALUE);
    }
    assert_int_equal(cl.clGetDeviceInfo(devices[0], 0x9999, sizeof(text), text, NULL),
                     CL_INVALID_VALUE);
    ok(cl.clGetDeviceInfo(devices[2], CL_DEVICE_NAME, sizeof(text), text, NULL));
    assert_string_equal(text, "FakeCL GPU 2");
    ok(cl.clGetDeviceInfo(devices[2], CL_DEVICE_EXTENSIONS, sizeof(text), text, NULL));
    assert_non_null(strstr(text, "cl_khr_fp64"));
    assert_null(strstr(text, "subgroup"));
    set("ALIGN", 4096);
    ok(cl.clGetDeviceInfo(devices[0], CL_DEVICE_MEM_BASE_ADDR_ALIGN, 4, &align, NULL));
    assert_int_equal(align, 4096);
}

static void splits_devices(void **state)
{
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, 2, 0};
    const cl_device_partition_property counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, 1, 3,
                                                   CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    const cl_device_partition_property many[] = {CL_DEVICE_PARTITION_BY_COUNTS, 4, 3,
                                                 CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    struct cl_rig rig, parts;
    cl_device_id two[2], uneven[2], parent;
    cl_uint count, units, numbers[2] = {3, 1};
    uint32_t words[256] = {0}, out[256];
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    ok(cl.clCreateSubDevices(rig.devices[0], equally, 2, two, &count));
    assert_int_equal(count, 2);
    ok(cl.clCreateSubDevices(rig.devices[0], counts, 2, uneven, NULL));
    ok(cl.clGetDeviceInfo(uneven[1], CL_DEVICE_MAX_COMPUTE_UNITS, 4, &units, NULL));
    assert_int_equal(units, 3);
    ok(cl.clGetDeviceInfo(uneven[1], CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL));
    assert_ptr_equal(parent, rig.devices[0]);
    assert_int_equal(cl.clCreateSubDevices(rig.devices[0], many, 2, uneven, NULL),
                     CL_INVALID_DEVICE_PARTITION_COUNT);
    memset(&parts, 0, sizeof(parts));
    parts = (struct cl_rig){.api = &cl, .devices = {two[0], two[1]}, .device_count = 2};
    parts.context = cl.clCreateContext(NULL, 2, two, NULL, NULL, NULL);
    for (int i = 0; i < 2; i++)
        parts.queues[i] = cl.clCreateCommandQueue(parts.context, two[i], 0, NULL);
    cl_kernel kernel = cl_rig_kernel(&parts, step_source, "step_word");
    cl_mem mem = cl_rig_buffer(&parts, sizeof(words), words);
    cl_event first;
    ok(step(parts.queues[0], kernel, mem, numbers, NULL, &first));
    ok(cl.clFlush(parts.queues[0]));
    ok(step(parts.queues[1], kernel, mem, numbers, &first, NULL));
    ok(cl.clFinish(parts.queues[1]));
    ok(cl.clEnqueueReadBuffer(parts.queues[0], mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    for (int i = 0; i < 256; i++)
        assert_int_equal(out[i], 4);
    assert_int_equal(stats_now().migrations, 0); /* one memory */
    cl.clReleaseEvent(first);
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&parts);
    for (int i = 0; i < 2; i++) {
        ok(cl.clReleaseDevice(two[i]));
        ok(cl.clReleaseDevice(uneven[i]));
    }
    cl_rig_close(&rig);
}

static void keeps_memory_of_its_own(void **state)
{
    struct cl_rig rig;
    uint32_t words[COUNT], out[COUNT];
    cl_uint numbers[2] = {1, 5};
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++)
        words[i] = i;
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, step_source, "step_word");
    cl_mem mem = cl.clCreateBuffer(rig.context, CL_MEM_USE_HOST_PTR, sizeof(words), words, NULL);
    cl_mem fresh = cl_rig_buffer(&rig, 64, NULL);
    ok(step(rig.queues[0], kernel, mem, numbers, NULL, NULL));
    ok(cl.clFinish(rig.queues[0]));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(words[i], i); /* the host's memory is not the device's */
    assert_int_equal(stats_now().memory_used[0], sizeof(words));
    assert_int_equal(stats_now().memory_used[1], 0);
    ok(step(rig.queues[1], kernel, mem, numbers, NULL, NULL));
    ok(cl.clFinish(rig.queues[1]));
    assert_int_equal(stats_now().migrations, 1);
    assert_int_equal(stats_now().memory_used[1], sizeof(words));
    ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(out[i], i + 10);
    ok(cl.clEnqueueReadBuffer(rig.queues[0], fresh, CL_TRUE, 0, 64, out, 0, NULL, NULL));
    for (int i = 0; i < 16; i++) /* junk, neither zero nor a small number */
        assert_true(out[i] > 0xA0000000u);
    uint32_t *mapped = cl.clEnqueueMapBuffer(rig.queues[1], mem, CL_TRUE, CL_MAP_READ, 16, 400, 0,
                                             NULL, NULL, NULL);
    assert_ptr_equal(mapped, words + 4); /* OpenCL asks for this; the contents were copied */
    assert_int_equal(words[4], 14);
    assert_int_equal(words[3], 3);
    ok(cl.clEnqueueUnmapMemObject(rig.queues[1], mem, mapped, 0, NULL, NULL));
    cl.clReleaseMemObject(mem);
    cl.clReleaseMemObject(fresh);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

static void shares_memory_when_unified(void **state)
{
    struct cl_rig rig;
    static uint32_t words[COUNT];
    cl_uint numbers[2] = {1, 5};
    (void)state;
    set("UNIFIED", 1);
    memset(words, 0, sizeof(words));
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, step_source, "step_word");
    cl_mem mem = cl.clCreateBuffer(rig.context, CL_MEM_USE_HOST_PTR, sizeof(words), words, NULL);
    ok(step(rig.queues[0], kernel, mem, numbers, NULL, NULL));
    ok(cl.clFinish(rig.queues[0]));
    ok(step(rig.queues[1], kernel, mem, numbers, NULL, NULL));
    ok(cl.clFinish(rig.queues[1]));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(words[i], 10);
    assert_int_equal(stats_now().migrations, 0);
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

static void copies_between_devices_without_extra_memory(void **state)
{
    struct cl_rig rig;
    uint32_t words[COUNT], out[COUNT];
    cl_event event;
    uint64_t seed = 11;
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++)
        words[i] = next_random(&seed);
    set("MEMORY", sizeof(words));
    set("MAX_ALLOC", sizeof(words));
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_mem a = cl_rig_buffer(&rig, sizeof(words), NULL);
    cl_mem b = cl_rig_buffer(&rig, sizeof(words), NULL);
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], a, CL_TRUE, 0, sizeof(words), words, 0, NULL, NULL));
    ok(cl.clEnqueueCopyBuffer(rig.queues[1], a, b, 0, 0, sizeof(words), 0, NULL, &event));
    ok(cl.clWaitForEvents(1, &event));
    ok(cl.clEnqueueReadBuffer(rig.queues[1], b, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    assert_memory_equal(out, words, sizeof(out));
    assert_int_equal(stats_now().memory_peak[0], sizeof(words));
    assert_int_equal(stats_now().memory_peak[1], sizeof(words));
    cl.clReleaseEvent(event);
    cl.clReleaseMemObject(a);
    cl.clReleaseMemObject(b);
    cl_rig_close(&rig);
}

static void checks_sub_buffers(void **state)
{
    struct cl_rig rig;
    uint32_t words[COUNT] = {0}, out[COUNT];
    cl_uint numbers[2] = {0, 7};
    cl_int error;
    size_t offset = 0;
    cl_buffer_region region = {1024, 512};
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, step_source, "step_word");
    cl_mem mem = cl_rig_buffer(&rig, sizeof(words), words);
    cl_mem parts[2];
    for (size_t i = 0; i < 2; i++, region.origin += 512)
        parts[i] = cl.clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    ok(cl.clGetMemObjectInfo(parts[1], CL_MEM_OFFSET, sizeof(offset), &offset, NULL));
    assert_int_equal(offset, 1536);
    for (cl_uint i = 0; i < 2; i++) { /* apart from each other: both devices at once is legal */
        ok(step(rig.queues[i], kernel, parts[i], numbers, NULL, NULL));
        ok(cl.clFlush(rig.queues[i]));
    }
    ok(cl.clFinish(rig.queues[0]));
    ok(cl.clFinish(rig.queues[1]));
    ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(out[i], i >= 256 && i < 512 ? 7 : 0);
    region.origin = 64;
    assert_null(cl.clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error));
    assert_int_equal(error, CL_MISALIGNED_SUB_BUFFER_OFFSET);
    region.origin = sizeof(words) - 256;
    assert_null(cl.clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error));
    assert_int_equal(error, CL_INVALID_VALUE);
    region = (cl_buffer_region){0, 0};
    assert_null(cl.clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error));
    assert_int_equal(error, CL_INVALID_BUFFER_SIZE);
    region.size = 128;
    assert_null(cl.clCreateSubBuffer(parts[0], 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error));
    assert_int_equal(error, CL_INVALID_MEM_OBJECT);
    cl.clReleaseMemObject(mem); /* the parts keep it */
    for (cl_uint i = 0; i < 2; i++)
        cl.clReleaseMemObject(parts[i]);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

enum { BOX = 16, BOX_BYTES = BOX * BOX * BOX };

/* One random rectangle: into the buffer, from it, or inside it; the model does the same. */
static void one_rectangle(struct cl_rig *rig, cl_mem mem, uint8_t *model, uint64_t *seed)
{
    static uint8_t host[BOX_BYTES];
    size_t region[3], here[3], there[3], pitches[2] = {BOX, BOX * BOX};
    uint32_t kind = next_random(seed) % 3;
    for (int d = 0; d < 3; d++) {
        region[d] = 1 + next_random(seed) % (BOX / 2);
        here[d] = next_random(seed) % (BOX - region[d] + 1);
        there[d] = next_random(seed) % (BOX - region[d] + 1);
    }
    if (kind == 2 && here[0] / 8 == there[0] / 8) {
        region[0] = region[0] > 8 ? 8 : region[0]; /* keep the boxes apart */
        here[0] = 0;
        there[0] = BOX / 2;
    }
    if (kind == 2 && (here[0] > there[0] ? here[0] - there[0] : there[0] - here[0]) < region[0])
        return;
    for (int i = 0; i < BOX_BYTES; i++)
        host[i] = (uint8_t)next_random(seed);
    cl_command_queue queue = rig->queues[next_random(seed) % 2];
    if (kind == 0)
        ok(cl.clEnqueueWriteBufferRect(queue, mem, CL_TRUE, here, there, region, pitches[0],
                                       pitches[1], pitches[0], pitches[1], host, 0, NULL, NULL));
    else if (kind == 1)
        ok(cl.clEnqueueReadBufferRect(queue, mem, CL_TRUE, here, there, region, pitches[0],
                                      pitches[1], pitches[0], pitches[1], host, 0, NULL, NULL));
    else
        ok(cl.clEnqueueCopyBufferRect(queue, mem, mem, there, here, region, pitches[0], pitches[1],
                                      pitches[0], pitches[1], 0, NULL, NULL));
    ok(cl.clFinish(queue));
    for (size_t z = 0; z < region[2]; z++)
        for (size_t y = 0; y < region[1]; y++)
            for (size_t x = 0; x < region[0]; x++) {
                size_t at = ((here[2] + z) * BOX + here[1] + y) * BOX + here[0] + x;
                size_t other = ((there[2] + z) * BOX + there[1] + y) * BOX + there[0] + x;
                if (kind == 1)
                    assert_int_equal(host[other], model[at]);
                else
                    model[at] = kind == 0 ? host[other] : model[other];
            }
}

static void moves_rectangles(void **state)
{
    struct cl_rig rig;
    static uint8_t model[BOX_BYTES], out[BOX_BYTES];
    const size_t zero[3] = {0, 0, 0}, region[3] = {8, 2, 1};
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 2, 0));
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t draw = seed;
        memset(model, (int)seed, sizeof(model));
        print_message("seed %llu\n", (unsigned long long)seed);
        cl_mem mem = cl_rig_buffer(&rig, sizeof(model), model);
        for (int i = 0; i < 60; i++)
            one_rectangle(&rig, mem, model, &draw);
        ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
        assert_memory_equal(out, model, sizeof(out));
        assert_int_equal(cl.clEnqueueReadBufferRect(rig.queues[0], mem, CL_TRUE, zero, zero, region,
                                                    4, 0, 0, 0, out, 0, NULL, NULL),
                         CL_INVALID_VALUE);
        assert_int_equal(cl.clEnqueueReadBufferRect(rig.queues[0], mem, CL_TRUE, zero, zero, region,
                                                    BOX_BYTES, 0, 0, 0, out, 0, NULL, NULL),
                         CL_INVALID_VALUE);
        cl.clReleaseMemObject(mem);
    }
    cl_rig_close(&rig);
}

static void fills_and_refuses_overlap(void **state)
{
    struct cl_rig rig;
    uint16_t pattern = 0xBEEF, out[64];
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_command_queue queue = rig.queues[0];
    cl_mem mem = cl_rig_buffer(&rig, 128, NULL);
    ok(cl.clEnqueueFillBuffer(queue, mem, &pattern, 2, 0, 128, 0, NULL, NULL));
    pattern = 7;
    ok(cl.clEnqueueFillBuffer(queue, mem, &pattern, 2, 10, 20, 0, NULL, NULL));
    ok(cl.clEnqueueCopyBuffer(queue, mem, mem, 0, 64, 64, 0, NULL, NULL));
    ok(cl.clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, 128, out, 0, NULL, NULL));
    for (int i = 0; i < 64; i++)
        assert_int_equal(out[i], i % 32 >= 5 && i % 32 < 15 ? 7 : 0xBEEF);
    assert_int_equal(cl.clEnqueueCopyBuffer(queue, mem, mem, 0, 63, 64, 0, NULL, NULL),
                     CL_MEM_COPY_OVERLAP);
    assert_int_equal(cl.clEnqueueCopyBuffer(queue, mem, mem, 0, 100, 64, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    assert_int_equal(cl.clEnqueueFillBuffer(queue, mem, &pattern, 2, 1, 20, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    assert_int_equal(cl.clEnqueueFillBuffer(queue, mem, &pattern, 3, 0, 21, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    assert_int_equal(cl.clEnqueueReadBuffer(queue, mem, CL_TRUE, 120, 9, out, 0, NULL, NULL),
                     CL_INVALID_VALUE);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
}

static void maps_through_a_staging_area(void **state)
{
    struct cl_rig rig;
    uint32_t words[COUNT] = {0}, out[COUNT];
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_command_queue queue = rig.queues[0];
    cl_mem mem = cl_rig_buffer(&rig, sizeof(words), words);
    uint32_t *part =
        cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_WRITE, 400, 400, 0, NULL, NULL, NULL);
    uint32_t *view =
        cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ, 0, 200, 0, NULL, NULL, NULL);
    uint32_t *again =
        cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ, 0, 100, 0, NULL, NULL, NULL);
    uint32_t *whole = cl.clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION,
                                            800, 40, 0, NULL, NULL, NULL);
    assert_int_equal(part[0], 0);
    assert_int_not_equal(whole[0], 0); /* invalidated: nothing may be expected in it */
    for (uint32_t i = 0; i < 100; i++)
        part[i] = i + 1;
    for (uint32_t i = 0; i < 10; i++)
        whole[i] = 1000 + i;
    assert_ptr_not_equal(view, again);
    assert_int_equal(view[5] + again[5], 0);
    cl_uint maps = 0;
    ok(cl.clGetMemObjectInfo(mem, CL_MEM_MAP_COUNT, 4, &maps, NULL));
    assert_int_equal(maps, 4);
    ok(cl.clEnqueueUnmapMemObject(queue, mem, again, 0, NULL, NULL));
    ok(cl.clEnqueueUnmapMemObject(queue, mem, view, 0, NULL, NULL));
    ok(cl.clEnqueueUnmapMemObject(queue, mem, part, 0, NULL, NULL));
    ok(cl.clEnqueueUnmapMemObject(queue, mem, whole, 0, NULL, NULL));
    ok(cl.clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(out[i], i >= 200 && i < 210 ? 800 + i : i >= 100 && i < 200 ? i - 99 : 0);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
}

static void runs_nothing_before_the_flush(void **state)
{
    struct cl_rig rig;
    cl_event event, marker;
    uint32_t word = 1;
    (void)state;
    assert_true(cl_rig_open(&rig, &cl, 1, CL_QUEUE_PROFILING_ENABLE));
    cl_mem mem = cl_rig_buffer(&rig, 4, NULL);
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &word, 0, NULL, &event));
    ok(cl.clEnqueueMarkerWithWaitList(rig.queues[0], 0, NULL, &marker));
    cl_command_queue other = cl.clCreateCommandQueue(rig.context, rig.devices[0], 0, NULL);
    for (int i = 0; i < 10; i++) { /* the device works meanwhile */
        ok(cl.clEnqueueMarkerWithWaitList(other, 0, NULL, NULL));
        ok(cl.clFinish(other));
    }
    cl.clReleaseCommandQueue(other);
    assert_int_equal(cl_rig_status(&rig, event), CL_QUEUED);
    cl_ulong times[4];
    assert_int_equal(cl.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 8, times, NULL),
                     CL_PROFILING_INFO_NOT_AVAILABLE);
    ok(cl.clFlush(rig.queues[0]));
    ok(cl.clWaitForEvents(1, &marker));
    assert_int_equal(cl_rig_status(&rig, event), CL_COMPLETE);
    for (cl_uint i = 0; i < 4; i++)
        ok(cl.clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_QUEUED + i, 8, &times[i], NULL));
    assert_true(times[0] <= times[1] && times[1] <= times[2] && times[2] <= times[3]);
    cl.clReleaseEvent(event);
    cl.clReleaseEvent(marker);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
}

/* x = x * 3 + 1, x = x * 5 + 2 ... on an out-of-order queue: is the order kept? */
static bool order_is_kept(uint32_t seed, bool with_waits, bool with_barriers)
{
    static const cl_uint numbers[6][2] = {{3, 1}, {5, 2}, {7, 3}, {11, 4}, {13, 5}, {17, 6}};
    struct cl_rig rig;
    uint32_t word = 9, expected = 9;
    cl_event events[6];
    set("SEED", (long)seed);
    assert_true(cl_rig_open(&rig, &cl, 1, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE));
    cl_kernel kernel = cl_rig_kernel(&rig, step_source, "step_word");
    cl_mem mem = cl_rig_buffer(&rig, 4, &word);
    for (int i = 0; i < 6; i++) {
        bool wait = with_waits && i > 0;
        ok(step(rig.queues[0], kernel, mem, numbers[i], wait ? &events[i - 1] : NULL, &events[i]));
        if (with_barriers)
            ok(cl.clEnqueueBarrierWithWaitList(rig.queues[0], 0, NULL, NULL));
        expected = expected * numbers[i][0] + numbers[i][1];
    }
    ok(cl.clFinish(rig.queues[0]));
    ok(cl.clEnqueueReadBuffer(rig.queues[0], mem, CL_TRUE, 0, 4, &word, 0, NULL, NULL));
    for (int i = 0; i < 6; i++)
        cl.clReleaseEvent(events[i]);
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
    return word == expected;
}

static void shows_missing_wait_lists(void **state)
{
    int kept = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        assert_true(order_is_kept(seed, true, false));
        assert_true(order_is_kept(seed, false, true));
        kept += order_is_kept(seed, false, false);
    }
    assert_true(kept < 10); /* 720 orders: a right one is rare */
}

/* Two in-order queues of one device, nothing between them: does the second ever go first? */
static void interleaves_queues(void **state)
{
    int swapped = 0;
    (void)state;
    for (long seed = 1; seed <= 20; seed++) {
        struct cl_rig rig;
        uint32_t word = 0, out = 0;
        cl_event opened;
        set("SEED", seed);
        assert_true(cl_rig_open(&rig, &cl, 1, 0));
        cl_command_queue other = cl.clCreateCommandQueue(rig.context, rig.devices[0], 0, NULL);
        cl_event gate = cl.clCreateUserEvent(rig.context, NULL);
        cl_mem mem = cl_rig_buffer(&rig, 4, &word);
        const uint32_t one = 1, two = 2;
        ok(cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &one, 1, &gate, &opened));
        ok(cl.clEnqueueWriteBuffer(other, mem, CL_FALSE, 0, 4, &two, 1, &gate, NULL));
        ok(cl.clFlush(rig.queues[0]));
        ok(cl.clFlush(other));
        pause_ms(1);
        assert_int_equal(cl_rig_status(&rig, opened), CL_SUBMITTED);
        ok(cl.clSetUserEventStatus(gate, CL_COMPLETE));
        ok(cl.clFinish(rig.queues[0]));
        ok(cl.clFinish(other));
        ok(cl.clEnqueueReadBuffer(other, mem, CL_TRUE, 0, 4, &out, 0, NULL, NULL));
        swapped += out == 1;
        cl.clReleaseEvent(gate);
        cl.clReleaseEvent(opened);
        cl.clReleaseMemObject(mem);
        cl.clReleaseCommandQueue(other);
        cl_rig_close(&rig);
    }
    assert_true(swapped > 0 && swapped < 20);
}

static void CL_CALLBACK count_call(cl_event event, cl_int status, void *user)
{
    (void)event;
    atomic_fetch_add((atomic_int *)user, status == CL_COMPLETE ? 1 : status < 0 ? 100 : 10000);
}

static void CL_CALLBACK count_free(cl_mem mem, void *user)
{
    (void)mem;
    atomic_fetch_add((atomic_int *)user, 1);
}

static void calls_back(void **state)
{
    struct cl_rig rig;
    atomic_int calls = 0, freed = 0;
    uint32_t word = 3;
    cl_event write, dependent;
    (void)state;
    set("DELAY_US", 300);
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_mem mem = cl_rig_buffer(&rig, 4, NULL);
    ok(cl.clSetMemObjectDestructorCallback(mem, count_free, &freed));
    cl_event gate = cl.clCreateUserEvent(rig.context, NULL);
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &word, 0, NULL, &write));
    ok(cl.clEnqueueWriteBuffer(rig.queues[0], mem, CL_FALSE, 0, 4, &word, 1, &gate, &dependent));
    ok(cl.clSetEventCallback(write, CL_COMPLETE, count_call, &calls));
    ok(cl.clSetEventCallback(dependent, CL_COMPLETE, count_call, &calls));
    ok(cl.clWaitForEvents(1, &write));
    ok(cl.clSetUserEventStatus(gate, -7));
    assert_int_equal(cl.clWaitForEvents(1, &dependent),
                     CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    assert_int_equal(cl_rig_status(&rig, dependent), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    ok(cl.clSetEventCallback(write, CL_COMPLETE, count_call, &calls)); /* at once */
    cl.clReleaseEvent(write);
    cl.clReleaseEvent(dependent);
    cl.clReleaseEvent(gate);
    cl.clReleaseMemObject(mem);
    cl_rig_close(&rig);
    for (int i = 0; i < 2000 && (atomic_load(&calls) != 102 || atomic_load(&freed) != 1); i++)
        pause_ms(1);
    assert_int_equal(atomic_load(&calls), 102);
    assert_int_equal(atomic_load(&freed), 1);
}

enum { THREADS = 4, STEPS = 60 };

struct user {
    struct cl_rig *rig;
    uint64_t seed;
    bool right;
};

/* One of several threads that use the same queues, each on a buffer of its own. */
static void *use_queues(void *argument)
{
    struct user *user = argument;
    struct cl_rig own = *user->rig, *rig = &own;
    uint32_t words[64] = {0}, model = 0;
    cl_event last = NULL;
    cl_kernel kernel = cl_rig_kernel(rig, step_source, "step_word");
    cl_mem mem = cl.clCreateBuffer(rig->context, CL_MEM_COPY_HOST_PTR, sizeof(words), words, NULL);
    for (int i = 0; i < STEPS; i++) {
        cl_uint numbers[2] = {next_random(&user->seed), next_random(&user->seed)};
        cl_command_queue queue = rig->queues[next_random(&user->seed) % 2];
        cl_event event;
        ok(step(queue, kernel, mem, numbers, last != NULL ? &last : NULL, &event));
        ok(cl.clFlush(queue));
        if (last != NULL)
            cl.clReleaseEvent(last);
        last = event;
        model = model * numbers[0] + numbers[1];
    }
    ok(cl.clEnqueueReadBuffer(rig->queues[0], mem, CL_TRUE, 0, sizeof(words), words, 1, &last,
                              NULL));
    user->right = true;
    for (int i = 0; i < 64; i++)
        user->right = user->right && words[i] == model;
    cl.clReleaseEvent(last);
    cl.clReleaseMemObject(mem);
    cl.clReleaseKernel(kernel);
    return NULL;
}

static void serves_many_threads(void **state)
{
    struct cl_rig rig;
    struct user users[THREADS];
    pthread_t threads[THREADS];
    (void)state;
    set("DELAY_US", 50);
    assert_true(cl_rig_open(&rig, &cl, 2, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE));
    for (int i = 0; i < THREADS; i++) {
        users[i] = (struct user){&rig, (uint64_t)i + 1, false};
        assert_int_equal(pthread_create(&threads[i], NULL, use_queues, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(users[i].right);
    }
    assert_true(stats_now().migrations > 0);
    cl_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(describes_its_devices, clean_after),
        cmocka_unit_test_teardown(splits_devices, clean_after),
        cmocka_unit_test_teardown(keeps_memory_of_its_own, clean_after),
        cmocka_unit_test_teardown(shares_memory_when_unified, clean_after),
        cmocka_unit_test_teardown(copies_between_devices_without_extra_memory, clean_after),
        cmocka_unit_test_teardown(checks_sub_buffers, clean_after),
        cmocka_unit_test_teardown(moves_rectangles, clean_after),
        cmocka_unit_test_teardown(fills_and_refuses_overlap, clean_after),
        cmocka_unit_test_teardown(maps_through_a_staging_area, clean_after),
        cmocka_unit_test_teardown(runs_nothing_before_the_flush, clean_after),
        cmocka_unit_test_teardown(shows_missing_wait_lists, clean_after),
        cmocka_unit_test_teardown(interleaves_queues, clean_after),
        cmocka_unit_test_teardown(calls_back, clean_after),
        cmocka_unit_test_teardown(serves_many_threads, clean_after),
    };
    if (!fakeicd_open())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
