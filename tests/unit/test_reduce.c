/* Reduce arguments: rounds, ranges, failures, graphs, threads, and what is refused.
 *
 * Expected values are computed here one task after another. On the cpu device, unless a test says
 * otherwise. The random net is tests/prop/test_random_reduce.c.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/lock.h"
#include "base/rng.h"
#include "lib/api_rig.h"
#include "lib/poor_alloc.h"

#define WORDS 64u

/* Adds its scalar to each word. */
static int reduce_add(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *words = args[0], value;
    memcpy(&value, args[1], sizeof value);
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        for (uint64_t i = g * range->local[0];
             i < (g + 1) * range->local[0] && i < range->global[0]; i++)
            words[i] += value;
    return 0;
}

static const char add_text[] = "__kernel void add(__global uint *words, uint value)"
                               "{ words[get_global_id(0)] += value; }";

static fgpu_kernel reduce_kernel_add(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "add", &kernel));
    rig_need(fgpu_kernel_add_opencl(kernel, add_text, "add", NULL));
    rig_need(fgpu_kernel_add_native(kernel, reduce_add, NULL));
    return kernel;
}

static fgpu_buffer reduce_buffer(uint32_t first)
{
    fgpu_buffer buffer = rig_buffer(WORDS * 4);
    rig_need(fgpu_buffer_reduce_by(buffer, FGPU_OP_SUM, FGPU_U32));
    rig_need(fgpu_buffer_fill(buffer, NULL, &first, 4));
    return buffer;
}

static fgpu_status reduce_run(fgpu_kernel kernel, fgpu_buffer buffer, fgpu_region region,
                              uint32_t value, fgpu_task *task)
{
    fgpu_arg args[2] = {fgpu_arg_region(buffer, FGPU_REDUCE, region),
                        fgpu_arg_scalar(&value, sizeof value)};
    uint64_t words = region.row_bytes != 0 ? region.row_bytes / 4 : WORDS;
    return fgpu_task_run(kernel, words, args, 2, task);
}

static void reduce_expect(fgpu_buffer buffer, uint32_t value)
{
    uint32_t words[WORDS];
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    for (uint32_t i = 0; i < WORDS; i++)
        assert_int_equal(words[i], value);
}

/* ---- rounds ------------------------------------------------------------------------------ */

static void test_rounds(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(7), copy = rig_buffer(WORDS * 4);
    uint32_t expected = 7;
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < 1 + 7 * round; i++, expected += i)
            rig_need(reduce_run(add, sum, fgpu_region_whole(), i + 1, NULL));
        reduce_expect(sum, expected);
    }
    /* Each way to look at it. */
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 5, NULL));
    rig_need(fgpu_buffer_copy(copy, NULL, sum, NULL));
    reduce_expect(copy, expected + 5);
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 5, NULL));
    uint32_t *mapped;
    rig_need(fgpu_buffer_map(sum, 0, WORDS * 4, FGPU_READ_WRITE, (void **)&mapped));
    assert_int_equal(mapped[3], expected + 10);
    /* What reduces does not wait for who has it mapped; what it adds comes later. */
    fgpu_task task;
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 1, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    assert_int_equal(mapped[3], expected + 10);
    mapped[3] = 100;
    rig_need(fgpu_buffer_unmap(sum, mapped));
    uint32_t words[WORDS];
    rig_need(fgpu_buffer_read(sum, NULL, words, 0));
    assert_int_equal(words[3], 101);
    assert_int_equal(words[4], expected + 11);
    /* A write in between is not added to what came before. */
    uint32_t two = 2;
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 1000, NULL));
    rig_need(fgpu_buffer_fill(sum, NULL, &two, 4));
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 3, NULL));
    reduce_expect(sum, 5);
    rig_works();
}

static void test_ranges(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(0);
    uint32_t expected[WORDS] = {0}, words[WORDS];
    struct rng rng;
    rng_init(&rng, 5);
    for (uint32_t n = 0; n < 200; n++) {
        uint32_t from = (uint32_t)rng_below(&rng, WORDS);
        uint32_t count = 1 + (uint32_t)rng_below(&rng, WORDS - from);
        rig_need(reduce_run(add, sum, fgpu_region_span(from * 4, count * 4), n, NULL));
        for (uint32_t i = from; i < from + count; i++)
            expected[i] += n;
        if (n % 31 == 0) {
            rig_need(fgpu_buffer_read(sum, &(fgpu_region){16, 32, 32, 1}, words, 0));
            assert_memory_equal(words, expected + 4, 32);
        }
    }
    rig_need(fgpu_buffer_read(sum, NULL, words, 0));
    assert_memory_equal(words, expected, sizeof words);
    /* Who touches other bytes does not combine, and sees what is there. */
    rig_need(reduce_run(add, sum, fgpu_region_span(0, 16), 1, NULL));
    rig_need(fgpu_buffer_read(sum, &(fgpu_region){16, 16, 16, 1}, words, 0));
    assert_memory_equal(words, expected + 4, 16);
    /* One task may read what it does not reduce into. */
    fgpu_arg args[2] = {fgpu_arg_span(sum, FGPU_REDUCE, 0, 16),
                        fgpu_arg_span(sum, FGPU_READ, 0, 16)};
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    _Atomic uint32_t calls = 0;
    desc.host_user = &calls;
    desc.args = args;
    desc.arg_count = 2;
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_OVERLAP, "0 and 1");
    args[1] = fgpu_arg_span(sum, FGPU_READ, 16, 16);
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_buffer_read(sum, NULL, words, 0));
    assert_int_equal(words[0], expected[0] + 1);
    rig_works();
}

/* ---- side by side ------------------------------------------------------------------------ */

struct meeting {
    _Atomic uint32_t there;
    _Atomic uint32_t met;
};

/* Ends well only where another one runs at the same time. */
static int reduce_meet(const fgpu_range *range, void *const *args, void *user)
{
    struct meeting *meeting = user;
    (void)range;
    (void)atomic_add_seqcst_u32(&meeting->there, 1);
    for (uint32_t i = 0; i < 5000 && atomic_load_seqcst_u32(&meeting->there) < 2; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (atomic_load_seqcst_u32(&meeting->there) < 2)
        return 1;
    (void)atomic_add_seqcst_u32(&meeting->met, 1);
    ++*(uint32_t *)args[0];
    return 0;
}

static void test_side_by_side(void **state)
{
    (void)state;
    struct meeting meeting = {0};
    fgpu_buffer sum = reduce_buffer(0);
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "meet", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, reduce_meet, &meeting));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_REDUCE, 0));
    fgpu_arg arg = fgpu_arg_buffer(sum);
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
    rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(atomic_load_acquire_u32(&meeting.met), 2);
    uint32_t words[WORDS];
    rig_need(fgpu_buffer_read(sum, NULL, words, 0));
    assert_int_equal(words[0], 2);
    assert_int_equal(words[1], 0);
}

/* ---- equal programs, equal results ------------------------------------------------------- */

static int reduce_add_float(void *const *args, void *user)
{
    float *into = args[0];
    for (uint32_t i = 0; i < 16; i++)
        into[i] += *(const float *)user * (float)(i + 1);
    return 0;
}

static void reduce_floats(float out[16])
{
    static float values[300];
    struct rng rng;
    rng_init(&rng, 3);
    rig_open("devices=cpu;workers=4;cache=;log=off;reproducible");
    fgpu_buffer buffer = rig_buffer(64);
    float zero = 0;
    rig_need(fgpu_buffer_reduce_by(buffer, FGPU_OP_SUM, FGPU_F32));
    rig_need(fgpu_buffer_fill(buffer, NULL, &zero, 4));
    for (uint32_t n = 0; n < 300; n++) {
        values[n] = ldexpf((float)rng_below(&rng, 1u << 24), (int)rng_below(&rng, 40) - 20);
        fgpu_arg arg = fgpu_arg_region(buffer, FGPU_REDUCE, fgpu_region_whole());
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = reduce_add_float;
        desc.host_user = &values[n];
        desc.args = &arg;
        desc.arg_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    }
    rig_need(fgpu_buffer_read(buffer, NULL, out, 0));
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_repeats(void **state)
{
    (void)state;
    float first[16], again[16];
    reduce_floats(first);
    for (uint32_t i = 0; i < 5; i++) {
        reduce_floats(again);
        assert_memory_equal(first, again, sizeof first);
    }
}

/* ---- failures ---------------------------------------------------------------------------- */

static fgpu_task reduce_host(fgpu_buffer buffer, fgpu_host_fn fn, void *user)
{
    fgpu_arg arg = fgpu_arg_region(buffer, FGPU_REDUCE, fgpu_region_whole());
    fgpu_task_desc desc;
    fgpu_task task;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = fn;
    desc.host_user = user;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.name = "part";
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    return task;
}

static void test_failures(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(1);
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 1, NULL));
    fgpu_task bad = reduce_host(sum, rig_fail, NULL);
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 1, NULL));
    uint32_t words[WORDS], nine = 9;
    rig_refused(fgpu_buffer_read(sum, NULL, words, 0), FGPU_E_POISONED, "'part'");
    assert_int_equal(fgpu_task_wait(bad, FGPU_FOREVER), FGPU_E_TASK);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_refused(fgpu_buffer_read(sum, NULL, words, 0), FGPU_E_POISONED, "'part'");
    rig_need(fgpu_task_forget(bad));
    rig_need(fgpu_buffer_fill(sum, NULL, &nine, 4));
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 2, NULL));
    reduce_expect(sum, 11);
    /* Nothing of the library's own is remembered. */
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    rig_works();
}

static void test_cancel(void **state)
{
    (void)state;
    fgpu_buffer sum = reduce_buffer(1), gate = rig_buffer(64);
    void *held;
    rig_need(fgpu_buffer_map(gate, 0, 64, FGPU_WRITE, &held));
    fgpu_arg args[2] = {fgpu_arg_region(sum, FGPU_REDUCE, fgpu_region_whole()),
                        fgpu_arg_region(gate, FGPU_READ, fgpu_region_whole())};
    fgpu_task_desc desc;
    _Atomic uint32_t calls = 0;
    fgpu_task task;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = rig_count;
    desc.host_user = &calls;
    desc.args = args;
    desc.arg_count = 2;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    rig_need(fgpu_task_cancel(task));
    rig_need(fgpu_buffer_unmap(gate, held));
    uint32_t words[WORDS], four = 4;
    rig_refused(fgpu_buffer_read(sum, NULL, words, 0), FGPU_E_CANCELLED, "");
    rig_need(fgpu_task_forget(task));
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    rig_need(fgpu_buffer_fill(sum, NULL, &four, 4));
    rig_need(reduce_run(reduce_kernel_add(), sum, fgpu_region_whole(), 2, NULL));
    reduce_expect(sum, 6);
    assert_int_equal(atomic_load_acquire_u32(&calls), 0);
    rig_works();
}

static void test_destroyed(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    for (uint32_t i = 0; i < 50; i++) {
        fgpu_buffer sum = reduce_buffer(1);
        for (uint32_t n = 0; n < 3; n++)
            rig_need(reduce_run(add, sum, fgpu_region_whole(), 1, NULL));
        rig_need(fgpu_buffer_destroy(sum)); /* with what nobody will ask for */
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    /* The caller's memory has the sum in the end. */
    uint32_t *words = fgpu_host_alloc(WORDS * 4);
    memset(words, 0, WORDS * 4);
    fgpu_buffer own;
    rig_need(fgpu_buffer_create_from(rig_pool, words, WORDS * 4, &own));
    rig_need(fgpu_buffer_reduce_by(own, FGPU_OP_SUM, FGPU_U32));
    for (uint32_t n = 1; n <= 10; n++)
        rig_need(reduce_run(add, own, fgpu_region_whole(), n, NULL));
    rig_need(fgpu_buffer_destroy(own));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(words[0], 55);
    assert_int_equal(words[WORDS - 1], 55);
    rig_need(fgpu_buffer_create_from(rig_pool, words, WORDS * 4, &own));
    rig_need(fgpu_buffer_reduce_by(own, FGPU_OP_SUM, FGPU_U32));
    rig_need(reduce_run(add, own, fgpu_region_whole(), 5, NULL));
    rig_need(fgpu_pool_close(rig_pool));
    assert_int_equal(words[7], 60);
    fgpu_host_free(words);
    assert_int_equal(rig_open_cpu(NULL), 0);
}

/* ---- changing it, and what is refused ---------------------------------------------------- */

static void test_changed(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(1);
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 4, NULL));
    rig_need(fgpu_buffer_reduce_by(sum, FGPU_OP_XOR, FGPU_U32));
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 4, NULL)); /* 0 + 4 on its own */
    reduce_expect(sum, 5 ^ 4);
    rig_need(fgpu_buffer_reduce_by(sum, FGPU_OP_SUM, FGPU_U32));
    rig_need(reduce_run(add, sum, fgpu_region_whole(), 4, NULL));
    rig_need(fgpu_buffer_set_reduction(sum, NULL));
    reduce_expect(sum, 5);
    rig_refused(reduce_run(add, sum, fgpu_region_whole(), 4, NULL), FGPU_E_INVAL, "no reduction");
    rig_need(fgpu_buffer_set_reduction(sum, NULL));
    rig_works();
}

static void test_refused(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add(), none = {0};
    fgpu_buffer sum = rig_buffer(64), odd = rig_buffer(63);
    fgpu_reduction r;
    rig_refused(fgpu_buffer_reduce_by(odd, FGPU_OP_SUM, FGPU_U32), FGPU_E_INVAL, "63 bytes");
    rig_refused(fgpu_buffer_reduce_by(sum, FGPU_OP_AND, FGPU_F32), FGPU_E_INVAL, "floating");
    rig_refused(fgpu_buffer_reduce_by(sum, (fgpu_reduction_op)0, FGPU_F32), FGPU_E_INVAL,
                "op is 0");
    rig_refused(fgpu_buffer_reduce_by(sum, FGPU_OP_SUM, (fgpu_element)7), FGPU_E_INVAL,
                "element is 7");
    rig_refused(fgpu_buffer_reduce_by(sum, FGPU_OP_KERNEL, FGPU_U32), FGPU_E_INVAL, "kernel");
    fgpu_reduction_init(&r);
    r.op = FGPU_OP_KERNEL;
    r.combine = add;
    r.element_bytes = 3;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_INVAL, "element_bytes is 3");
    r.element_bytes = 4;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_INVAL, "two buffers");
    r.combine = none;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_HANDLE, "zero");
    r.struct_bytes = 4;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_VERSION, "struct_bytes");
    fgpu_kernel fixed;
    rig_need(fgpu_kernel_create_opencl(
        rig_pool,
        "__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void c(__global int *a,"
        " __global const int *b) { a[get_global_id(0)] += b[get_global_id(0)]; }",
        "c", NULL, &fixed));
    fgpu_reduction_init(&r);
    r.op = FGPU_OP_KERNEL;
    r.combine = fixed;
    r.element_bytes = 4;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_INVAL, "4 x 1 x 1");
    fgpu_reduction_init(&r);
    r.op = FGPU_OP_SUM;
    r.element = FGPU_U32;
    r.element_bytes = 4;
    rig_refused(fgpu_buffer_set_reduction(sum, &r), FGPU_E_INVAL, "element_bytes");
    rig_need(fgpu_buffer_reduce_by(sum, FGPU_OP_SUM, FGPU_U32));
    rig_refused(reduce_run(add, sum, fgpu_region_span(2, 8), 1, NULL), FGPU_E_INVAL, "offset 2");
    rig_refused(reduce_run(add, sum, fgpu_region_span(4, 6), 1, NULL), FGPU_E_INVAL, "6 bytes");
    rig_need(fgpu_buffer_destroy(sum));
    rig_refused(fgpu_buffer_reduce_by(sum, FGPU_OP_SUM, FGPU_U32), FGPU_E_STALE, "destroyed");
    rig_refused(reduce_run(add, sum, fgpu_region_whole(), 1, NULL), FGPU_E_STALE, "destroyed");
    rig_works();
}

/* ---- graphs ------------------------------------------------------------------------------ */

static void test_graph(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(0);
    fgpu_graph graph = rig_graph();
    uint32_t node[4], value;
    _Atomic uint32_t calls = 0;
    for (uint32_t i = 0; i < 3; i++) {
        fgpu_task_desc desc;
        value = 10u + i;
        fgpu_arg args[2] = {fgpu_arg_region(sum, FGPU_REDUCE, fgpu_region_whole()),
                            fgpu_arg_scalar(&value, 4)};
        fgpu_task_desc_init(&desc);
        desc.kernel = add;
        desc.dims = 1;
        desc.global[0] = WORDS;
        desc.args = args;
        desc.arg_count = 2;
        rig_need(fgpu_graph_add(graph, &desc, &node[i]));
    }
    node[3] = rig_add_host(graph, rig_count, &calls, sum, FGPU_READ);
    rig_need(fgpu_graph_depend(graph, node[0], node[2])); /* against the order of recording */
    fgpu_graph_exec exec;
    rig_refused(fgpu_graph_instantiate(graph, &exec), FGPU_E_CYCLE, "0");
    rig_need(fgpu_graph_destroy(graph));
    graph = rig_graph();
    for (uint32_t i = 0; i < 3; i++) {
        fgpu_task_desc desc;
        value = 10u + i;
        fgpu_arg args[2] = {fgpu_arg_region(sum, FGPU_REDUCE, fgpu_region_whole()),
                            fgpu_arg_scalar(&value, 4)};
        fgpu_task_desc_init(&desc);
        desc.kernel = add;
        desc.dims = 1;
        desc.global[0] = WORDS;
        desc.args = args;
        desc.arg_count = 2;
        rig_need(fgpu_graph_add(graph, &desc, &node[i]));
    }
    rig_need(fgpu_graph_instantiate(graph, &exec));
    for (uint32_t n = 1; n <= 4; n++) {
        fgpu_task task;
        rig_need(fgpu_graph_launch(exec, &task));
        if (n == 2)
            reduce_expect(sum, 66);
        rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    }
    reduce_expect(sum, 4 * 33);
    rig_need(fgpu_graph_exec_destroy(exec));
    rig_need(fgpu_graph_destroy(graph));
    rig_works();
}

/* ---- the pool's limits ------------------------------------------------------------------- */

struct caller {
    fgpu_kernel add;
    fgpu_buffer sum;
    _Atomic uint32_t added, refused;
};

/* A callback may submit, and is told when it would have to wait. */
static void reduce_done(fgpu_task task, fgpu_status status, void *user)
{
    struct caller *caller = user;
    (void)task;
    (void)status;
    status = reduce_run(caller->add, caller->sum, fgpu_region_whole(), 1, NULL);
    (void)atomic_add_seqcst_u32(status == FGPU_OK ? &caller->added : &caller->refused, 1);
    if (status != FGPU_OK && status != FGPU_E_AGAIN)
        (void)atomic_add_seqcst_u32(&caller->added, 1000000);
}

static void test_task_limit(void **state)
{
    (void)state;
    rig_open("devices=cpu;workers=2;cache=;log=off;tasks=8");
    struct caller caller = {.add = reduce_kernel_add(), .sum = reduce_buffer(0)};
    for (uint32_t n = 0; n < 2000; n++) {
        uint32_t value = 1;
        fgpu_arg args[2] = {fgpu_arg_region(caller.sum, FGPU_REDUCE, fgpu_region_whole()),
                            fgpu_arg_scalar(&value, 4)};
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kernel = caller.add;
        desc.dims = 1;
        desc.global[0] = WORDS;
        desc.args = args;
        desc.arg_count = 2;
        desc.on_done = reduce_done;
        desc.on_done_user = &caller;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
        if (n % 100 == 99) {
            uint32_t words[WORDS];
            rig_need(fgpu_buffer_read(caller.sum, NULL, words, 0));
        }
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    uint32_t added = atomic_load_acquire_u32(&caller.added);
    assert_int_equal(added + atomic_load_acquire_u32(&caller.refused), 2000);
    reduce_expect(caller.sum, 2000 + added);
    rig_need(fgpu_pool_close(rig_pool));
}

/* The pool has threads. */
struct shared_alloc {
    struct poor_alloc poor;
    struct lock lock;
};

static void *shared_take(void *user, size_t bytes, size_t align)
{
    struct shared_alloc *shared = user;
    lock_acquire(&shared->lock);
    void *ptr = poor_alloc_take(&shared->poor, bytes, align);
    lock_release(&shared->lock);
    return ptr;
}

static void shared_give(void *user, void *ptr, size_t bytes)
{
    struct shared_alloc *shared = user;
    lock_acquire(&shared->lock);
    poor_alloc_give(&shared->poor, ptr, bytes);
    lock_release(&shared->lock);
}

static fgpu_status reduce_four(fgpu_buffer sum, _Atomic uint32_t *calls)
{
    fgpu_status status = fgpu_buffer_reduce_by(sum, FGPU_OP_SUM, FGPU_U32);
    for (uint32_t i = 0; i < 4 && status == FGPU_OK; i++) {
        fgpu_arg arg = fgpu_arg_region(sum, FGPU_REDUCE, fgpu_region_whole());
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_count;
        desc.host_user = calls;
        desc.args = &arg;
        desc.arg_count = 1;
        status = fgpu_task_submit(rig_pool, &desc, NULL);
    }
    uint32_t words[WORDS];
    return status == FGPU_OK ? fgpu_buffer_read(sum, NULL, words, 0) : status;
}

/* Each allocation of the pool's own memory fails once: an error, or all is done; nothing leaks. The
 * engine's lists have their room already, from a round without failures. */
static void test_no_memory(void **state)
{
    (void)state;
    bool all = false;
    for (long left = 0; !all; left++) {
        struct shared_alloc shared = {.lock = {0}};
        struct poor_alloc *poor = &shared.poor;
        poor_alloc_init(poor);
        fgpu_alloc_hooks hooks = {shared_take, shared_give, &shared};
        fgpu_pool_options options;
        fgpu_pool_options_init(&options);
        options.devices = "null";
        options.cache_dir = "";
        options.log_level = FGPU_LOG_OFF;
        options.alloc = &hooks;
        rig_need(fgpu_pool_open(&options, &rig_pool));
        _Atomic uint32_t calls = 0;
        rig_need(reduce_four(rig_buffer(WORDS * 4), &calls));
        fgpu_buffer sum = rig_buffer(WORDS * 4);
        poor->left = left;
        fgpu_status status = reduce_four(sum, &calls);
        all = poor->left > 0 && status == FGPU_OK;
        assert_true(status == FGPU_OK || status == FGPU_E_NOMEM || status == FGPU_E_POISONED ||
                    status == FGPU_E_DEVMEM);
        poor->left = -1;
        (void)fgpu_pool_close(rig_pool);
        assert_int_equal(poor->live_count, 0);
        assert_true(left < 10000);
    }
}

/* ---- threads ----------------------------------------------------------------------------- */

struct adder {
    pthread_t thread;
    fgpu_kernel add;
    fgpu_buffer sum;
    uint32_t seed, added;
    char why[300];
};

static void *adder_run(void *arg)
{
    struct adder *adder = arg;
    struct rng rng;
    rng_init(&rng, adder->seed);
    for (uint32_t n = 0; n < 300 && adder->why[0] == '\0'; n++) {
        uint32_t value = (uint32_t)rng_below(&rng, 1000), words[WORDS];
        fgpu_status status;
        if (rng_below(&rng, 8) == 0)
            status = fgpu_buffer_read(adder->sum, NULL, words, 0);
        else if (rng_below(&rng, 20) == 0)
            status = fgpu_buffer_reduce_by(adder->sum, FGPU_OP_SUM, FGPU_U32);
        else
            status = reduce_run(adder->add, adder->sum, fgpu_region_whole(), value, NULL),
            adder->added += value;
        if (status != FGPU_OK)
            snprintf(adder->why, sizeof adder->why, "%.250s", fgpu_last_error());
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    fgpu_kernel add = reduce_kernel_add();
    fgpu_buffer sum = reduce_buffer(0);
    struct adder adders[4];
    uint32_t expected = 0;
    for (uint32_t i = 0; i < 4; i++) {
        adders[i] = (struct adder){.add = add, .sum = sum, .seed = i};
        assert_int_equal(pthread_create(&adders[i].thread, NULL, adder_run, &adders[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(adders[i].thread, NULL), 0);
        assert_string_equal(adders[i].why, "");
        expected += adders[i].added;
    }
    reduce_expect(sum, expected);
    rig_works();
}

#define ON_CPU(test) cmocka_unit_test_setup_teardown(test, rig_open_cpu, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CPU(test_rounds),
        ON_CPU(test_ranges),
        ON_CPU(test_side_by_side),
        ON_CPU(test_failures),
        ON_CPU(test_cancel),
        ON_CPU(test_destroyed),
        ON_CPU(test_changed),
        ON_CPU(test_refused),
        ON_CPU(test_graph),
        ON_CPU(test_threads),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_task_limit),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
