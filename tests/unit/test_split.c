/* Divisible tasks through the API: cuts that are refused, what runs in pieces and what does not,
 * and what becomes of failures. That results are those of undivided runs, on all kinds of devices,
 * is the business of tests/prop/test_random_graphs.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include "api/lookup.h"
#include "base/handle.h"
#include "core/split.h"
#include "lib/graph_rig.h"

#define WORDS 4096u
#define BAD_WORD 3000u /* where "stops" fails */

static int native_add(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *out = args[0];
    const uint32_t *in = args[1];
    for (uint64_t i = range->group_begin * range->local[0];
         i < range->group_end * range->local[0] && i < range->global[0]; i++) {
        if (user != NULL && i == BAD_WORD)
            return 1;
        uint32_t before = i > 0 ? in[i - 1] : 7, after = i + 1 < range->global[0] ? in[i + 1] : 9;
        out[i] = in[i] * 3 + before + after + (uint32_t)range->groups[0];
    }
    return 0;
}

static fgpu_kernel split_kernel(bool stops)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, stops ? "stops" : "add", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, native_add, stops ? &kernel : NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_WRITE, 0));
    rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0));
    return kernel;
}

struct split_case {
    fgpu_buffer out, in;
    fgpu_arg args[2];
    fgpu_cut cuts[2];
    fgpu_task_desc desc;
};

static void split_make(struct split_case *c, fgpu_kernel kernel)
{
    uint32_t words[WORDS];
    for (uint32_t i = 0; i < WORDS; i++)
        words[i] = i * i;
    c->out = rig_buffer(sizeof words);
    c->in = rig_buffer(sizeof words);
    rig_need(fgpu_buffer_write(c->in, NULL, words, 0));
    c->args[0] = fgpu_arg_buffer(c->out);
    c->args[1] = fgpu_arg_buffer(c->in);
    c->cuts[0] = fgpu_cut_items(4, 0, 0);
    c->cuts[1] = fgpu_cut_items(4, 1, 1);
    fgpu_task_desc_init(&c->desc);
    c->desc.kernel = kernel;
    c->desc.dims = 1;
    c->desc.global[0] = WORDS;
    c->desc.local[0] = 16;
    c->desc.args = c->args;
    c->desc.arg_count = 2;
    c->desc.cuts = c->cuts;
}

static fgpu_pool_stats split_stats(void)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    rig_need(fgpu_pool_get_stats(rig_pool, &stats));
    return stats;
}

static void split_right(const struct split_case *c)
{
    uint32_t got[WORDS];
    rig_need(fgpu_buffer_read(c->out, NULL, got, 0));
    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t before = i > 0 ? (i - 1) * (i - 1) : 7;
        uint32_t after = i + 1 < WORDS ? (i + 1) * (i + 1) : 9;
        assert_int_equal(got[i], i * i * 3 + before + after + WORDS / 16);
    }
}

/* ---- what is refused -------------------------------------------------------------------- */

static void test_bad_cuts(void **state)
{
    (void)state;
    struct split_case c;
    split_make(&c, split_kernel(false));
    uint64_t submitted = split_stats().tasks_submitted;
    c.cuts[0] = fgpu_cut_whole();
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL,
                "cut 0: the argument is written: pieces cannot have all of it");
    c.cuts[0] = fgpu_cut_items(4, 1, 0);
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL,
                "cut 0: the argument is written: it has no halo");
    c.cuts[0] = fgpu_cut_items(0, 0, 0);
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL, "cut 0: bytes is 0");
    c.cuts[0] = fgpu_cut_items(3, 0, 0);
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_RANGE,
                "cut 0: 4096 times 3 bytes do not cover the argument's 16384");
    c.cuts[0] = (fgpu_cut){.kind = 2, .bytes = 4};
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL, "cut 0: kind is 2");
    c.cuts[0] = (fgpu_cut){.kind = FGPU_CUT_ITEMS, .items = 8, .bytes = 4};
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_RANGE,
                "cut 0: 512 times 4 bytes do not cover");
    c.cuts[0] = fgpu_cut_items(4, 0, 0);
    c.args[1].region = fgpu_region_rect(0, 16, 32, 100);
    c.cuts[1] = fgpu_cut_items(16, 0, 0);
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL,
                "cut 1: bytes is 16, the argument has rows with a pitch of 32");
    c.desc.kind = FGPU_TASK_EMPTY;
    c.desc.arg_count = 0;
    rig_refused(fgpu_task_submit(rig_pool, &c.desc, NULL), FGPU_E_INVAL, "runs no kernel");
    assert_int_equal(split_stats().tasks_submitted, submitted);
}

/* ---- what runs in pieces ---------------------------------------------------------------- */

static void test_divided(void **state)
{
    (void)state;
    struct split_case c;
    split_make(&c, split_kernel(false));
    uint64_t submitted = split_stats().tasks_submitted, done = split_stats().tasks_done;
    rig_need(fgpu_task_submit(rig_pool, &c.desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    fgpu_pool_stats stats = split_stats();
    assert_int_equal(stats.tasks_divided, 1);
    assert_true(stats.pieces > 2);
    assert_int_equal(stats.tasks_submitted, submitted + 1);
    assert_int_equal(stats.tasks_done, done + 1);
    assert_int_equal(stats.tasks_pending, 0);
    split_right(&c);
}

static void test_recorded(void **state)
{
    (void)state;
    struct split_case c;
    split_make(&c, split_kernel(false));
    fgpu_graph graph = rig_graph();
    fgpu_graph_exec exec;
    rig_need(fgpu_graph_add(graph, &c.desc, NULL));
    c.cuts[0] = (fgpu_cut){0}; /* copied when it was added */
    rig_need(fgpu_graph_instantiate(graph, &exec));
    for (uint32_t i = 0; i < 3; i++)
        rig_need(fgpu_graph_launch(exec, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(split_stats().tasks_divided, 3);
    split_right(&c);
    rig_need(fgpu_graph_exec_destroy(exec));
}

/* Bytes for several items together: pieces have whole steps. */
static void test_steps_of_items(void **state)
{
    (void)state;
    struct split_case c;
    split_make(&c, split_kernel(false));
    c.cuts[0] = (fgpu_cut){.kind = FGPU_CUT_ITEMS, .items = 24, .bytes = 96};
    rig_need(fgpu_task_submit(rig_pool, &c.desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(split_stats().tasks_divided, 1);
    split_right(&c);
}

static void test_short_runs_whole(void **state)
{
    (void)state;
    struct split_case c;
    split_make(&c, split_kernel(false));
    struct split_tuning before = split_tuning;
    rig_need(fgpu_task_submit(rig_pool, &c.desc, NULL)); /* nobody knows how long it takes */
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    split_tuning.worth_ns = 1e15;
    for (uint32_t i = 0; i < 4; i++) {
        rig_need(fgpu_task_submit(rig_pool, &c.desc, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    }
    split_tuning = before;
    assert_true(split_stats().tasks_divided < 5);
    split_right(&c);
}

/* ---- failures --------------------------------------------------------------------------- */

static void test_failed_piece(void **state)
{
    (void)state;
    struct split_case c;
    fgpu_task task, root, reader;
    fgpu_status status;
    char text[256];
    split_make(&c, split_kernel(true));
    rig_need(fgpu_task_submit(rig_pool, &c.desc, &task));
    fgpu_buffer other = rig_buffer(4 * WORDS);
    fgpu_region some = fgpu_region_span(0, 64);
    rig_need(fgpu_buffer_copy_async(other, &some, c.out, &some, &reader));
    assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_TASK);
    rig_need(fgpu_task_get_error(task, &status, &root, text, sizeof text));
    assert_int_equal(root.bits, task.bits);
    assert_int_equal(fgpu_task_wait(reader, FGPU_FOREVER), FGPU_E_POISONED);
    assert_int_equal(split_stats().tasks_failed, 2);
    uint32_t words[4];
    assert_int_equal(fgpu_buffer_read(c.out, &some, words, 0), FGPU_E_POISONED);
    rig_need(fgpu_task_forget(task));
    rig_need(fgpu_task_forget(reader));
    split_make(&c, split_kernel(false)); /* the pool still works */
    rig_need(fgpu_task_submit(rig_pool, &c.desc, NULL));
    split_right(&c);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
}

/* ---- kernels that must stay whole ------------------------------------------------------- */

static void test_source_decides(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        uint32_t whole_dims; /* bit d: a grid of d + 1 dimensions */
    } cases[] = {
        {"__kernel void k(__global uint *p) { p[get_global_id(0)] = 1; }", 0},
        {"__kernel void k(__global uint *p) { p[get_global_id(0)] = get_group_id(0); }", 0},
        {"__kernel void k(__global uint *p) { p[get_global_id(0)] = get_global_size(0); }", 1},
        {"__kernel void k(__global uint *p) { p[get_global_id(1)] = get_num_groups(1); }", 2},
        {"__kernel void k(__global uint *p, int d) { p[get_global_id(0)] = get_global_size(d); }",
         7},
        {"uint w(void) { return get_global_size(0) + get_global_size(2); }\n"
         "__kernel void k(__global uint *p) { p[get_global_id(0)] = w(); }",
         5},
        {"__kernel void k(__global uint *p) { p[get_global_id(0)] = get_global_offset(0); }", 7},
        {"__kernel void k(__global uint *p) { atomic_add(&p[get_global_id(0)], 1u); }", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fgpu_kernel kernel;
        rig_need(fgpu_kernel_create_opencl(rig_pool, cases[i].source, "k", NULL, &kernel));
        fgpu_status status;
        LOOKUP_GUEST *pool = lookup_pool_of(kernel.bits, HANDLE_KERNEL, "test", &status);
        const struct kernel *inside =
            engine_kernel(&pool->driver->engine, handle_index(kernel.bits));
        assert_int_equal(inside->whole_dims, cases[i].whole_dims);
        assert_true((inside->whole_dims != 0) == (inside->whole_why[0] != '\0'));
        rig_need(fgpu_kernel_destroy(kernel));
    }
}

static int split_setup(void **state)
{
    (void)state;
    split_tuning = (struct split_tuning){.gain = 1e300};
    return fgpu_pool_open_text("devices=sim:2,cpu;workers=2;cache=;log=off", &rig_pool) == FGPU_OK
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_cuts, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_divided, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_recorded, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_steps_of_items, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_short_runs_whole, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_failed_piece, split_setup, rig_close),
        cmocka_unit_test_setup_teardown(test_source_decides, split_setup, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
