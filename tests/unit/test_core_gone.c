/* Objects that go between the caller's look at a handle and the task's linking: the task fails, it
 * touches nothing of them, and what it should have written is poisoned. Step by step, on devices of
 * the test's own (tests/lib/engine_rig.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/handle.h"
#include "tests/lib/engine_rig.h"

#define BYTES 64u

static struct engine_rig rig;

static void open_one(void)
{
    static const uint32_t one_queue[] = {1};
    engine_rig_open(&rig, one_queue, 1, 0, 0);
}

static uint32_t live_of(uint32_t buffer)
{
    return atomic_load_relaxed_u32(&engine_buffer(&rig.engine, buffer)->live) &
           HANDLE_GENERATION_MASK;
}

static struct submit_arg range(uint32_t buffer, uint8_t mode)
{
    return (struct submit_arg){.kind = FGPU_ARG_BUFFER,
                               .mode = mode,
                               .buffer = buffer,
                               .live = live_of(buffer),
                               .shape = {BYTES, BYTES, 1}};
}

/* A record that is made, and pushed later. */
static uint32_t prepare(const struct submit_arg *args, uint8_t count, uint32_t kernel_live)
{
    struct submit_request request = {.kind = TASK_KERNEL,
                                     .arg_count = count,
                                     .args = args,
                                     .kernel = rig.inc,
                                     .kernel_live = kernel_live,
                                     .pin = TASK_DEVICE_ANY,
                                     .dims = 1,
                                     .global = {BYTES, 1, 1}};
    uint32_t index, generation;
    assert_int_equal(submit_prepare(&rig.engine, &request, &index, &generation), FGPU_OK);
    return index;
}

static void push(uint32_t task)
{
    (void)submit_push(&rig.engine, task);
    (void)engine_drain(&rig.engine);
    engine_rig_finish(&rig);
}

static void failed_as_gone(uint32_t task, const char *what)
{
    assert_int_equal(engine_rig_state(&rig, task), FGPU_TASK_FAILED);
    assert_int_equal(engine_task(&rig.engine, task)->status, FGPU_E_STALE);
    assert_non_null(strstr(engine_task(&rig.engine, task)->why, what));
}

/* The middle one of three buffers goes; `again`: another one has its slot by then. */
static void buffer_goes(bool again)
{
    open_one();
    uint32_t a = engine_rig_buffer(&rig, BYTES, NULL), b = engine_rig_buffer(&rig, BYTES, NULL);
    uint32_t c = engine_rig_buffer(&rig, BYTES, NULL);
    engine_rig_fill(&rig, c, 0, BYTES, 3, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    struct submit_arg args[] = {range(a, FGPU_WRITE), range(b, FGPU_READ_WRITE),
                                range(c, FGPU_READ)};
    uint32_t task = prepare(args, 3, 0);
    engine_buffer_destroy(&rig.engine, b);
    if (again)
        assert_int_equal(engine_rig_buffer(&rig, BYTES, NULL), b);
    push(task);
    failed_as_gone(task, "buffer");
    /* What it should have written is poisoned by it, what it should have read is well. */
    uint32_t reader = engine_rig_copy(&rig, c, a, BYTES, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    assert_int_equal(engine_rig_state(&rig, reader), FGPU_TASK_POISONED);
    assert_int_equal(engine_task(&rig.engine, reader)->root, task);
    engine_forget(&rig.engine, reader);
    engine_rig_fill(&rig, a, 0, BYTES, 1, TASK_DEVICE_ANY);
    engine_rig_fill(&rig, c, 0, BYTES, 1, TASK_DEVICE_ANY);
    engine_rig_finish(&rig);
    if (again) {
        uint32_t fill = engine_rig_fill(&rig, b, 0, BYTES, 1, TASK_DEVICE_ANY);
        engine_rig_finish(&rig);
        assert_int_equal(engine_rig_state(&rig, fill), FGPU_TASK_DONE);
    }
    assert_int_equal(engine_buffer(&rig.engine, a)->users, 0);
    assert_int_equal(engine_buffer(&rig.engine, c)->users, 0);
    engine_forget(&rig.engine, task);
    engine_rig_close(&rig);
}

static void test_buffer(void **state)
{
    (void)state;
    buffer_goes(false);
}

static void test_buffer_slot_is_used_again(void **state)
{
    (void)state;
    buffer_goes(true);
}

/* A mapping is a task too. */
static void test_map(void **state)
{
    (void)state;
    open_one();
    uint32_t a = engine_rig_buffer(&rig, BYTES, NULL);
    struct submit_arg arg = range(a, FGPU_READ);
    struct submit_request request = {.kind = TASK_MAP,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY};
    uint32_t map, generation;
    assert_int_equal(submit_prepare(&rig.engine, &request, &map, &generation), FGPU_OK);
    engine_buffer_destroy(&rig.engine, a);
    push(map);
    failed_as_gone(map, "buffer");
    assert_int_equal(rig.engine.held_maps, 0);
    engine_forget(&rig.engine, map);
    engine_rig_close(&rig);
}

static void test_kernel(void **state)
{
    (void)state;
    open_one();
    uint32_t a = engine_rig_buffer(&rig, BYTES, NULL);
    struct submit_arg arg = range(a, FGPU_READ_WRITE);
    const struct kernel *kernel = engine_kernel(&rig.engine, rig.inc);
    uint32_t task = prepare(&arg, 1, atomic_load_relaxed_u32(&kernel->live));
    engine_kernel_destroy(&rig.engine, rig.inc);
    push(task);
    failed_as_gone(task, "kernel");
    assert_int_equal(engine_buffer(&rig.engine, a)->users, 0);
    engine_forget(&rig.engine, task);
    engine_rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_buffer_slot_is_used_again),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
