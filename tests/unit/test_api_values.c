/* Values that are not allowed: NULL where something must be given, sizes, regions, arguments,
 * grids, options. The text names the argument, and what follows still works.
 *
 * On the cpu device; each test ends with a task that must give the right numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include "lib/api_rig.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t huge = UINT64_MAX;

/* ---- NULL -------------------------------------------------------------------------------- */

static void test_null(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_graph graph = rig_graph();
    fgpu_task task;
    fgpu_task_desc desc;
    char bytes[64] = {0};
    rig_refused(fgpu_pool_open(NULL, NULL), FGPU_E_INVAL, "pool is NULL");
    rig_refused(fgpu_pool_open_text(NULL, NULL), FGPU_E_INVAL, "pool is NULL");
    rig_refused(fgpu_buffer_create(rig_pool, 64, NULL), FGPU_E_INVAL, "buffer is NULL");
    rig_refused(fgpu_buffer_create_from(rig_pool, bytes, 64, NULL), FGPU_E_INVAL, "buffer is NULL");
    rig_refused(fgpu_buffer_create_from(rig_pool, NULL, 64, &buffer), FGPU_E_INVAL, "ptr is NULL");
    rig_refused(fgpu_buffer_size(buffer, NULL), FGPU_E_INVAL, "size_bytes is NULL");
    rig_refused(fgpu_buffer_read(buffer, NULL, NULL, 0), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_buffer_write(buffer, NULL, NULL, 0), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_buffer_read_async(buffer, NULL, NULL, 0, &task), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_buffer_write_async(buffer, NULL, NULL, 0, &task), FGPU_E_INVAL, "NULL");
    rig_refused(fgpu_buffer_fill(buffer, NULL, NULL, 4), FGPU_E_INVAL, "pattern is NULL");
    rig_refused(fgpu_buffer_map(buffer, 0, 64, FGPU_READ, NULL), FGPU_E_INVAL, "ptr is NULL");
    rig_need(fgpu_buffer_set_name(buffer, NULL));
    rig_refused(fgpu_kernel_create(rig_pool, "k", NULL), FGPU_E_INVAL, "kernel is NULL");
    rig_refused(fgpu_kernel_create(rig_pool, NULL, &kernel), FGPU_E_INVAL, "name");
    rig_refused(fgpu_kernel_add_opencl(kernel, NULL, "k", NULL), FGPU_E_HANDLE, "");
    kernel = rig_new_kernel();
    rig_refused(fgpu_kernel_add_opencl(kernel, NULL, "k", NULL), FGPU_E_INVAL, "source");
    rig_refused(fgpu_kernel_add_opencl(kernel, "", NULL, NULL), FGPU_E_INVAL, "entry");
    rig_refused(fgpu_kernel_add_cuda(kernel, NULL, "k", NULL), FGPU_E_INVAL, "source");
    rig_refused(fgpu_kernel_add_native(kernel, NULL, NULL), FGPU_E_INVAL, "fn is NULL");
    rig_refused(fgpu_task_submit(rig_pool, NULL, NULL), FGPU_E_INVAL, "desc is NULL");
    rig_refused(fgpu_graph_create(rig_pool, NULL), FGPU_E_INVAL, "graph is NULL");
    rig_refused(fgpu_graph_add(graph, NULL, NULL), FGPU_E_INVAL, "desc is NULL");
    rig_refused(fgpu_graph_instantiate(graph, NULL), FGPU_E_INVAL, "exec is NULL");
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    rig_refused(fgpu_task_get_state(task, NULL), FGPU_E_INVAL, "state is NULL");
    rig_refused(fgpu_task_get_error(task, NULL, NULL, NULL, 0), FGPU_E_INVAL, "status is NULL");
    fgpu_host_free(NULL);
    rig_works();
}

/* AddressSanitizer ends the program where the C library returns NULL. */
static bool stops_at_huge_allocations(void)
{
    const char *sanitizer = getenv("FASTGPU_SANITIZE");
    return sanitizer != NULL && sanitizer[0] != '\0';
}

/* ---- sizes ------------------------------------------------------------------------------- */

static void test_sizes(void **state)
{
    (void)state;
    fgpu_buffer buffer = {7};
    char bytes[64];
    rig_refused(fgpu_buffer_create(rig_pool, 0, &buffer), FGPU_E_INVAL, "size_bytes is 0");
    assert_int_equal(buffer.bits, 0);
    rig_refused(fgpu_buffer_create(rig_pool, (UINT64_C(1) << 46) + 1, &buffer), FGPU_E_INVAL,
                "size_bytes");
    rig_refused(fgpu_buffer_create(rig_pool, huge, &buffer), FGPU_E_INVAL, "18446744073709551615");
    rig_refused(fgpu_buffer_create_from(rig_pool, bytes, 0, &buffer), FGPU_E_INVAL, "size_bytes");
    rig_refused(fgpu_buffer_create_from(rig_pool, (void *)(UINTPTR_MAX - 16), 64, &buffer),
                FGPU_E_INVAL, "wraps");
    assert_null(fgpu_host_alloc(0));
    assert_non_null(strstr(fgpu_last_error(), "bytes is 0"));
    assert_null(fgpu_host_alloc(SIZE_MAX));
    if (!stops_at_huge_allocations()) {
        assert_null(fgpu_host_alloc(SIZE_MAX / 2));
        assert_non_null(strstr(fgpu_last_error(), "no memory"));
    }
    rig_works();
}

/* A buffer that no machine has memory for: every use is an error, none hangs. */
static void test_more_memory_than_there_is(void **state)
{
    (void)state;
    fgpu_buffer buffer;
    if (stops_at_huge_allocations())
        skip();
    rig_need(fgpu_buffer_create(rig_pool, UINT64_C(1) << 46, &buffer));
    uint32_t word = 7;
    void *ptr = &word;
    fgpu_status status = fgpu_buffer_fill(buffer, NULL, &word, 4);
    assert_true(status == FGPU_E_NOMEM || status == FGPU_E_DEVMEM);
    assert_non_null(strstr(fgpu_last_error(), "memory"));
    status = fgpu_buffer_map(buffer, 0, 64, FGPU_WRITE, &ptr);
    assert_true(status != FGPU_OK);
    assert_null(ptr);
    rig_need(fgpu_buffer_destroy(buffer));
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_works();
}

/* ---- regions ----------------------------------------------------------------------------- */

struct region_case {
    fgpu_region region;
    fgpu_status status;
    const char *part;
};

static const struct region_case region_cases[] = {
    {{0, 1025, 0, 1}, FGPU_E_RANGE, "1024"},
    {{1024, 1, 0, 1}, FGPU_E_RANGE, "offset 1024"},
    {{1, 1024, 0, 1}, FGPU_E_RANGE, "offset 1"},
    {{UINT64_MAX, 1, 0, 1}, FGPU_E_RANGE, "18446744073709551615"},
    {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, FGPU_E_RANGE, "rows"},
    {{8, UINT64_MAX - 7, 0, 1}, FGPU_E_RANGE, "1024"},
    {{0, 64, UINT64_MAX, 2}, FGPU_E_RANGE, "pitch"},
    {{0, 64, UINT64_C(1) << 63, 3}, FGPU_E_RANGE, "pitch"},
    {{0, 1, 1, UINT64_MAX}, FGPU_E_RANGE, "rows"},
    {{0, 2, UINT64_C(1) << 33, UINT64_C(1) << 31}, FGPU_E_RANGE, "rows"},
    {{0, 64, 128, 9}, FGPU_E_RANGE, "9 rows"},
    {{64, 64, 128, 8}, FGPU_OK, ""},
    {{0, 64, 63, 2}, FGPU_E_INVAL, "pitch_bytes 63"},
    {{16, 0, 0, 1}, FGPU_E_INVAL, "row_bytes is 0"},
    {{0, 0, 0, 2}, FGPU_E_INVAL, "row_bytes is 0"},
    {{0, 0, 0, UINT64_MAX}, FGPU_E_INVAL, "row_bytes is 0"},
};

/* The same regions through every call that takes one. */
static void test_regions(void **state)
{
    (void)state;
    static char host[4096];
    fgpu_buffer buffer = rig_buffer(1024), other = rig_buffer(1024);
    fgpu_kernel kernel = rig_new_kernel();
    for (size_t i = 0; i < COUNT_OF(region_cases); i++) {
        const struct region_case *c = &region_cases[i];
        const fgpu_region *region = &c->region;
        if (c->status == FGPU_OK) {
            rig_need(fgpu_buffer_write(buffer, region, host, 0));
            rig_need(fgpu_buffer_read(buffer, region, host, 0));
            continue;
        }
        rig_refused(fgpu_buffer_read(buffer, region, host, 0), c->status, c->part);
        rig_refused(fgpu_buffer_write(buffer, region, host, 0), c->status, c->part);
        rig_refused(fgpu_buffer_fill(buffer, region, host, 1), c->status, c->part);
        rig_refused(fgpu_buffer_copy(buffer, region, other, NULL), c->status, "dst");
        rig_refused(fgpu_buffer_copy(other, NULL, buffer, region), c->status, "src");
        rig_refused(fgpu_buffer_read_async(buffer, region, host, 0, NULL), c->status, c->part);
        rig_refused(fgpu_buffer_write_async(buffer, region, host, 0, NULL), c->status, c->part);
        fgpu_arg arg = fgpu_arg_region(buffer, FGPU_READ_WRITE, *region);
        rig_refused(fgpu_task_run(kernel, 1, &arg, 1, NULL), c->status, "argument 0");
        rig_refused(fgpu_task_run(kernel, 1, &arg, 1, NULL), c->status, c->part);
    }
    rig_works();
}

static void test_operations(void **state)
{
    (void)state;
    static char host[4096];
    void *ptr = host;
    fgpu_buffer buffer = rig_buffer(1024), other = rig_buffer(512);
    fgpu_region rect = fgpu_region_rect(0, 32, 64, 4), odd = fgpu_region_span(0, 6);
    fgpu_region first = fgpu_region_span(0, 64), second = fgpu_region_span(32, 64);
    rig_refused(fgpu_buffer_read(buffer, &rect, host, 31), FGPU_E_INVAL, "pitch 31");
    rig_refused(fgpu_buffer_write(buffer, &rect, host, 1), FGPU_E_INVAL, "pitch 1");
    for (uint32_t bytes = 0; bytes <= 33; bytes++) {
        bool good = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
        if (!good)
            rig_refused(fgpu_buffer_fill(buffer, NULL, host, bytes), FGPU_E_INVAL,
                        "pattern_bytes is");
    }
    rig_refused(fgpu_buffer_fill(buffer, NULL, host, UINT32_MAX), FGPU_E_INVAL, "pattern_bytes");
    rig_refused(fgpu_buffer_fill(buffer, &odd, host, 4), FGPU_E_INVAL, "rows of 6 bytes");
    fgpu_region close_rows = fgpu_region_rect(0, 6, 6, 4);
    rig_refused(fgpu_buffer_fill(buffer, &close_rows, host, 4), FGPU_E_INVAL, "rows of 6 bytes");
    rig_refused(fgpu_buffer_read(buffer, &close_rows, host, 5), FGPU_E_INVAL, "pitch 5");
    rig_refused(fgpu_buffer_copy(buffer, NULL, other, NULL), FGPU_E_INVAL, "shapes differ");
    rig_refused(fgpu_buffer_copy(buffer, &rect, other, &first), FGPU_E_INVAL, "shapes differ");
    rig_refused(fgpu_buffer_copy(buffer, &first, buffer, &second), FGPU_E_OVERLAP, "touch");
    rig_refused(fgpu_buffer_copy(buffer, NULL, buffer, NULL), FGPU_E_OVERLAP, "touch");
    rig_refused(fgpu_buffer_map(buffer, 0, 0, FGPU_READ, &ptr), FGPU_E_INVAL, "size_bytes is 0");
    assert_null(ptr);
    rig_refused(fgpu_buffer_map(buffer, 0, 1025, FGPU_READ, &ptr), FGPU_E_RANGE, "1024");
    rig_refused(fgpu_buffer_map(buffer, huge, huge, FGPU_READ, &ptr), FGPU_E_RANGE, "1024");
    rig_refused(fgpu_buffer_map(buffer, 0, 64, FGPU_ACCESS_DEFAULT, &ptr), FGPU_E_INVAL, "access");
    rig_refused(fgpu_buffer_map(buffer, 0, 64, FGPU_REDUCE, &ptr), FGPU_E_INVAL, "access");
    rig_refused(fgpu_buffer_map(buffer, 0, 64, (fgpu_access)257, &ptr), FGPU_E_INVAL, "access");
    rig_works();
}

static void test_mappings(void **state)
{
    (void)state;
    void *ptr, *second;
    char bytes[4];
    fgpu_buffer buffer = rig_buffer(1024), other = rig_buffer(1024);
    rig_refused(fgpu_buffer_unmap(buffer, bytes), FGPU_E_INVAL, "no current mapping");
    rig_refused(fgpu_buffer_unmap(buffer, NULL), FGPU_E_INVAL, "no current mapping");
    rig_need(fgpu_buffer_map(buffer, 64, 64, FGPU_READ_WRITE, &ptr));
    memset(ptr, 9, 64);
    rig_refused(fgpu_buffer_destroy(buffer), FGPU_E_BUSY, "mapped");
    rig_refused(fgpu_buffer_unmap(other, ptr), FGPU_E_INVAL, "no current mapping");
    rig_refused(fgpu_buffer_unmap(buffer, (char *)ptr + 1), FGPU_E_INVAL, "no current mapping");
    rig_need(fgpu_buffer_map(buffer, 0, 64, FGPU_WRITE, &second));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER)); /* a mapping is nothing to wait for */
    rig_need(fgpu_buffer_unmap(buffer, ptr));
    rig_refused(fgpu_buffer_unmap(buffer, ptr), FGPU_E_INVAL, "no current mapping");
    rig_refused(fgpu_buffer_destroy(buffer), FGPU_E_BUSY, "mapped");
    rig_need(fgpu_buffer_unmap(buffer, second));
    rig_need(fgpu_buffer_destroy(buffer));
    rig_refused(fgpu_buffer_unmap(buffer, ptr), FGPU_E_STALE, "destroyed");
    rig_works();
    rig_need(fgpu_buffer_map(other, 0, 64, FGPU_WRITE, &ptr)); /* closing the pool ends it */
}

/* ---- kernels ----------------------------------------------------------------------------- */

static void test_kernels(void **state)
{
    (void)state;
    char name[80];
    fgpu_kernel kernel = {5};
    memset(name, 'n', sizeof name);
    name[64] = '\0';
    rig_refused(fgpu_kernel_create(rig_pool, name, &kernel), FGPU_E_INVAL, "name");
    assert_int_equal(kernel.bits, 0);
    rig_refused(fgpu_kernel_create(rig_pool, "", &kernel), FGPU_E_INVAL, "name");
    name[63] = '\0';
    rig_need(fgpu_kernel_create(rig_pool, name, &kernel));
    rig_refused(fgpu_kernel_set_arg(kernel, 64, FGPU_ARG_BUFFER, FGPU_READ, 0), FGPU_E_INVAL,
                "index is 64");
    rig_refused(fgpu_kernel_set_arg(kernel, UINT32_MAX, FGPU_ARG_BUFFER, FGPU_READ, 0),
                FGPU_E_INVAL, "index");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, (fgpu_arg_kind)0, FGPU_READ, 0), FGPU_E_INVAL,
                "kind 0");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, (fgpu_arg_kind)4, FGPU_READ, 0), FGPU_E_INVAL,
                "kind 4");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_ACCESS_DEFAULT, 0),
                FGPU_E_INVAL, "access");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, (fgpu_access)258, 0), FGPU_E_INVAL,
                "access is 258");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_SCALAR, FGPU_READ, 0), FGPU_E_INVAL,
                "size_bytes is 0");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_SCALAR, FGPU_READ, 4097), FGPU_E_INVAL,
                "4097");
    rig_refused(fgpu_kernel_build_log(kernel, (fgpu_device){0}, name, sizeof name, NULL),
                FGPU_E_NOTFOUND, "not built");
    assert_string_equal(name, "");
    rig_refused(fgpu_task_run(kernel, 1, NULL, 0, NULL), FGPU_E_NOVARIANT, "no variant");
    rig_refused(fgpu_kernel_build(kernel), FGPU_E_NOVARIANT, "variant");
    rig_works();
}

/* Sources that are none, and kernels that this pool's devices cannot run. */
static void test_sources(void **state)
{
    (void)state;
    static const char two[] = "__kernel void one(__global int *a) { a[0] = 1; }\n"
                              "__kernel void two(__global int *a, int b) { a[0] = b; }\n";
    fgpu_kernel kernel = {5};
    rig_refused(fgpu_kernel_create_opencl(rig_pool, two, "three", NULL, &kernel), FGPU_E_NOTFOUND,
                "one, two");
    assert_int_equal(kernel.bits, 0);
    rig_refused(fgpu_kernel_create_opencl(rig_pool, "", "k", NULL, &kernel), FGPU_E_NOTFOUND, "k");
    rig_refused(fgpu_kernel_create_opencl(rig_pool, two, "", NULL, &kernel), FGPU_E_INVAL,
                "fgpu_kernel_create_opencl: entry");
    rig_refused(fgpu_kernel_create_opencl(rig_pool, two, NULL, NULL, &kernel), FGPU_E_INVAL,
                "fgpu_kernel_create_opencl: entry");
    rig_refused(fgpu_kernel_create_opencl(rig_pool, NULL, "two", NULL, &kernel), FGPU_E_INVAL,
                "fgpu_kernel_create_opencl: source");
    rig_refused(fgpu_kernel_create_opencl(rig_pool, two, "two", NULL, NULL), FGPU_E_INVAL,
                "fgpu_kernel_create_opencl: kernel");
    char *large = malloc((16u << 20) + 2);
    assert_non_null(large);
    memset(large, ' ', (16u << 20) + 1);
    large[(16u << 20) + 1] = '\0';
    rig_refused(fgpu_kernel_create_opencl(rig_pool, large, "k", NULL, &kernel), FGPU_E_LIMIT,
                "16777216");
    free(large);
    rig_need(fgpu_kernel_create(rig_pool, "k", &kernel));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0));
    rig_refused(fgpu_kernel_add_opencl(kernel, two, "two", NULL), FGPU_E_INVAL, "'b'");
    rig_refused(fgpu_kernel_add_opencl(kernel, two, "one", NULL), FGPU_E_INVAL, "1 parameters");
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_SCALAR, 0, 8));
    rig_refused(fgpu_kernel_add_opencl(kernel, two, "two", NULL), FGPU_E_INVAL, "4 bytes");
    rig_need(fgpu_kernel_create_opencl(rig_pool, two, "two", NULL, &kernel));
    rig_refused(fgpu_kernel_set_arg(kernel, 2, FGPU_ARG_LOCAL, 0, 0), FGPU_E_INVAL, "2 parameters");
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_LOCAL, 0, 0), FGPU_E_INVAL, "another kind");
    int value = 3;
    fgpu_arg args[2] = {fgpu_arg_buffer(rig_buffer(64)), fgpu_arg_scalar(&value, sizeof value)};
    rig_refused(fgpu_task_run(kernel, 1, args, 2, NULL), FGPU_E_NOVARIANT, "OpenCL C only");
    rig_refused(fgpu_kernel_build(kernel), FGPU_E_NOVARIANT, "'two'");
    kernel = rig_new_kernel();
    for (uint32_t i = 1; i < 16; i++)
        rig_need(fgpu_kernel_add_cuda(kernel, "text", "entry", NULL));
    rig_refused(fgpu_kernel_add_cuda(kernel, "text", "entry", NULL), FGPU_E_LIMIT, "16");
    rig_refused(fgpu_kernel_add_native(kernel, rig_kernel_add_one, NULL), FGPU_E_LIMIT, "16");
    rig_need(fgpu_kernel_build(kernel));
    rig_refused(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ, 0), FGPU_E_BUSY,
                "in use");
    rig_refused(fgpu_kernel_add_opencl(kernel, two, "one", NULL), FGPU_E_BUSY, "in use");
    rig_works();
}

/* ---- tasks ------------------------------------------------------------------------------- */

static fgpu_kernel kernel_of_three(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "three", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, rig_kernel_add_one, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_SCALAR, 0, 4));
    rig_need(fgpu_kernel_set_arg(kernel, 2, FGPU_ARG_LOCAL, 0, 0));
    return kernel;
}

static void test_arguments(void **state)
{
    (void)state;
    fgpu_kernel kernel = kernel_of_three();
    fgpu_buffer buffer = rig_buffer(256);
    uint32_t word = 1;
    const fgpu_arg good[3] = {fgpu_arg_buffer(buffer), fgpu_arg_scalar(&word, 4),
                              fgpu_arg_local(64)};
    fgpu_arg args[65];
    memcpy(args, good, sizeof good);
    rig_need(fgpu_task_run(kernel, 1, args, 3, NULL));
    rig_refused(fgpu_task_run(kernel, 1, args, 2, NULL), FGPU_E_INVAL, "2 arguments");
    rig_refused(fgpu_task_run(kernel, 1, args, 4, NULL), FGPU_E_INVAL, "takes 3");
    rig_refused(fgpu_task_run(kernel, 1, args, 0, NULL), FGPU_E_INVAL, "'three'");
    rig_refused(fgpu_task_run(kernel, 1, args, 259, NULL), FGPU_E_INVAL, "arg_count is 259");
    rig_refused(fgpu_task_run(kernel, 1, NULL, 3, NULL), FGPU_E_INVAL, "args is NULL");
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t with = 0; with < 3; with++) {
            memcpy(args, good, sizeof good);
            args[i] = good[with];
            char part[32];
            snprintf(part, sizeof part, "argument %u", i);
            if (with != i)
                rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, part);
        }
        memcpy(args, good, sizeof good);
        args[i].kind = 0;
        rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "kind 0");
        args[i].kind = 257;
        rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "kind 257");
    }
    memcpy(args, good, sizeof good);
    args[1] = fgpu_arg_scalar(&word, 8);
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "8 bytes");
    args[1] = fgpu_arg_scalar(&word, huge);
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "argument 1");
    args[1] = fgpu_arg_scalar(NULL, 4);
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "value is NULL");
    args[1] = good[1];
    args[2] = fgpu_arg_local(0);
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "argument 2");
    args[2] = fgpu_arg_local(huge);
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "argument 2");
    args[2] = good[2];
    args[0].access = FGPU_REDUCE;
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "no reduction");
    args[0].access = 257;
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "access");
    args[0].access = 5;
    rig_refused(fgpu_task_run(kernel, 1, args, 3, NULL), FGPU_E_INVAL, "access is 5");
    rig_works();
}

static int host_sum(void *const *args, void *user)
{
    const unsigned char *last = args[1];
    *(uint32_t *)user = last[4096 - 64 - 1];
    return 0;
}

/* All scalars of a task together: exactly the limit goes, with as many predecessors as there may
 * be, and a byte more is refused with the argument that is too much. */
static void test_scalars_together(void **state)
{
    (void)state;
    static unsigned char bytes[4096];
    static fgpu_task after[4096];
    fgpu_arg args[64];
    uint32_t seen = 0;
    memset(bytes, 77, sizeof bytes);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    for (uint32_t i = 0; i < 4096; i++)
        rig_need(fgpu_task_submit(rig_pool, &desc, &after[i]));
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = host_sum;
    desc.host_user = &seen;
    desc.args = args;
    desc.arg_count = 2;
    desc.after = after;
    desc.after_count = 4096;
    desc.name = "as large as a task can be";
    args[0] = fgpu_arg_scalar(bytes, 64);
    args[1] = fgpu_arg_scalar(bytes, 4096 - 64);
    fgpu_task task;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    assert_int_equal(seen, 77);
    args[1] = fgpu_arg_scalar(bytes, 4096 - 63);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL,
                "argument 1: with it the scalars have 4097 bytes together, a task takes 4096");
    desc.arg_count = 64;
    for (uint32_t i = 0; i < 64; i++)
        args[i] = fgpu_arg_scalar(bytes, 4096);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL,
                "argument 1: with it the scalars have 8192 bytes");
    rig_works();
}

static void test_grid(void **state)
{
    (void)state;
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_arg arg = fgpu_arg_buffer(rig_buffer(256));
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.args = &arg;
    desc.arg_count = 1;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "dims is 0");
    desc.dims = 4;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "dims is 4");
    desc.dims = 3;
    desc.global[0] = desc.global[1] = 4;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "global[2] is 0");
    desc.global[2] = huge;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "global[2]");
    desc.global[0] = desc.global[1] = desc.global[2] = UINT64_C(1) << 32;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "global[1]");
    desc.global[0] = desc.global[1] = desc.global[2] = 4;
    desc.local[0] = 2;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "local[1] is 0");
    desc.local[0] = desc.local[1] = desc.local[2] = UINT32_MAX;
    fgpu_status status = fgpu_task_submit(rig_pool, &desc, NULL);
    assert_true(status == FGPU_OK || status == FGPU_E_INVAL);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_refused(fgpu_task_run(kernel, 0, &arg, 1, NULL), FGPU_E_INVAL, "global[0] is 0");
    rig_refused(fgpu_task_run(kernel, huge, &arg, 1, NULL), FGPU_E_INVAL, "2^48");
    rig_works();
}

static void test_descriptions(void **state)
{
    (void)state;
    static fgpu_task after[4097];
    fgpu_arg args[65];
    uint32_t words[65] = {0};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.struct_bytes -= 8;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_VERSION, "struct_bytes");
    fgpu_task_desc_init(&desc);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_HANDLE, "kernel handle is zero");
    desc.kind = 3;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "kind is 3");
    desc.kind = UINT32_MAX;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "kind is");
    desc.kind = 256;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "kind is 256");
    desc.kind = FGPU_TASK_HOST;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "host_fn is NULL");
    desc.kind = FGPU_TASK_EMPTY;
    desc.priority = 1001;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "priority is 1001");
    desc.priority = INT32_MIN;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "priority is");
    desc.priority = 0;
    desc.flags = 1;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "flags is 0x1");
    desc.flags = 0;
    desc.after_count = 1;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "after is NULL");
    desc.after = after;
    desc.after_count = 4097;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "after_count is 4097");
    desc.after_count = 0;
    for (uint32_t i = 0; i < 4096; i++)
        rig_need(fgpu_task_submit(rig_pool, &desc, &after[i]));
    desc.after_count = 4096;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    desc.after_count = 0;
    _Atomic uint32_t calls = 0;
    for (uint32_t i = 0; i < 65; i++)
        args[i] = fgpu_arg_scalar(&words[i], 4);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    desc.host_user = &calls;
    desc.args = args;
    desc.arg_count = 65;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "arg_count is 65");
    desc.arg_count = 64;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    args[3] = fgpu_arg_local(16);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_INVAL, "argument 3");
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), 1);
    rig_works();
}

/* Two ranges of one buffer in one task, all ways to touch. */
static void test_overlap(void **state)
{
    (void)state;
    fgpu_buffer buffer = rig_buffer(4096);
    _Atomic uint32_t calls = 0;
    fgpu_arg args[2];
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    desc.host_user = &calls;
    desc.args = args;
    desc.arg_count = 2;
    uint32_t expected = 0;
    for (uint64_t offset = 0; offset < 256; offset += 4) {
        for (uint32_t modes = 0; modes < 9; modes++) {
            /* Rows [0,16), [64,80), [128,144) against 32 bytes anywhere. */
            fgpu_access first = (fgpu_access)(1 + modes / 3), second = (fgpu_access)(1 + modes % 3);
            args[0] = fgpu_arg_region(buffer, first, fgpu_region_rect(0, 16, 64, 3));
            args[1] = fgpu_arg_span(buffer, second, offset, 32);
            bool touches = false;
            for (uint64_t byte = offset; byte < offset + 32; byte++)
                touches |= byte % 64 < 16 && byte / 64 < 3;
            bool refused = touches && (first != FGPU_READ || second != FGPU_READ);
            fgpu_status status = fgpu_task_submit(rig_pool, &desc, NULL);
            if (refused)
                rig_refused(status, FGPU_E_OVERLAP, "arguments 0 and 1");
            else
                rig_need(status);
            expected += !refused;
        }
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&calls), expected);
    rig_works();
}

/* ---- options ----------------------------------------------------------------------------- */

static void refuse_options(const fgpu_pool_options *options, fgpu_status expected, const char *part)
{
    fgpu_pool pool = {3};
    rig_refused(fgpu_pool_open(options, &pool), expected, part);
    assert_int_equal(pool.bits, 0);
}

#define WITH(field, value, expected, part)                                                         \
    do {                                                                                           \
        fgpu_pool_options options;                                                                 \
        fgpu_pool_options_init(&options);                                                          \
        options.cache_dir = "";                                                                    \
        options.devices = "cpu";                                                                   \
        options.field = value;                                                                     \
        refuse_options(&options, expected, part);                                                  \
    } while (0)

static void test_options(void **state)
{
    (void)state;
    static const fgpu_alloc_hooks none = {0};
    WITH(struct_bytes, 8, FGPU_E_VERSION, "struct_bytes is 8");
    WITH(policy, "fastest", FGPU_E_INVAL, "'fastest'");
    WITH(policy, "", FGPU_E_INVAL, "policy");
    WITH(devices, "nonsense", FGPU_E_NODEVICE, "nonsense");
    WITH(devices, "cpu,-cpu", FGPU_E_NODEVICE, "");
    WITH(devices, "opencl:99", FGPU_E_NODEVICE, "opencl:99");
    WITH(task_limit, UINT32_MAX, FGPU_E_INVAL, "task_limit");
    WITH(cpu_workers, UINT32_MAX, FGPU_E_INVAL, "cpu_workers");
    WITH(cpu_workers, 1024, FGPU_E_INVAL, "cpu_workers is 1024, at most 256");
    WITH(cpu_workers, 257, FGPU_E_INVAL, "cpu_workers is 257, at most 256");
    WITH(subdevices, UINT32_MAX, FGPU_E_INVAL, "subdevices");
    WITH(alloc, &none, FGPU_E_INVAL, "alloc");
    WITH(flags, 128, FGPU_E_INVAL, "0x80");
    WITH(faults, "nonsense=1", FGPU_E_INVAL, "nonsense");
    fgpu_pool pool;
    rig_refused(fgpu_pool_open_text("nonsense", &pool), FGPU_E_INVAL, "nonsense");
    rig_works();
}

/* As many pools as a process may have, and one more. */
/* A thousand pools take long where each access is checked, and say nothing more there. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOME_POOLS 1
#endif
#endif

static void test_pool_limit(void **state)
{
    (void)state;
#ifdef SOME_POOLS
    skip();
#endif
    static fgpu_pool pools[1024];
    fgpu_pool one_more;
    uint32_t count = 0;
    while (count < 1023) {
        fgpu_status status =
            fgpu_pool_open_text("devices=null;tasks=8;cache=;log=off", &pools[count]);
        if (status != FGPU_OK)
            fail_msg("pool %u: %s", count, fgpu_last_error());
        count++;
    }
    for (uint32_t i = 0; i < 3; i++)
        rig_refused(fgpu_pool_open_text("devices=cpu;workers=1;cache=", &one_more), FGPU_E_LIMIT,
                    "1024");
    rig_works();
    for (uint32_t i = 0; i < count; i++)
        rig_need(fgpu_pool_close(pools[i]));
    rig_need(fgpu_pool_open_text("devices=cpu;workers=1;cache=", &one_more));
    rig_need(fgpu_pool_close(one_more));
    rig_works();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_null),
        RIG_ON(cpu, test_sizes),
        RIG_ON(cpu, test_more_memory_than_there_is),
        RIG_ON(cpu, test_regions),
        RIG_ON(cpu, test_operations),
        RIG_ON(cpu, test_mappings),
        RIG_ON(cpu, test_kernels),
        RIG_ON(cpu, test_sources),
        RIG_ON(cpu, test_arguments),
        RIG_ON(cpu, test_scalars_together),
        RIG_ON(cpu, test_grid),
        RIG_ON(cpu, test_descriptions),
        RIG_ON(cpu, test_overlap),
        RIG_ON(cpu, test_options),
        RIG_ON(cpu, test_pool_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
