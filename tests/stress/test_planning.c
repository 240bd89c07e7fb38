/* Plans are searched on a thread of their own while tasks run: buffers go meanwhile, tasks fail,
 * more come in, pools close at once. What a pool may not do is lose a task, or wait for a plan.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>
#include "base/atomic.h"

#define BUFFERS 16u
#define TASKS 128u
#define ROUNDS 24u
#define TURNS 20000u

static _Atomic uint32_t ran;

/* Some ten microseconds: with checks everything is planned. */
static int add_one(const fgpu_range *range, void *const *args, void *user)
{
    volatile uint32_t *data = args[0];
    (void)range;
    (void)user;
    for (uint32_t i = 0; i < TURNS; i++)
        data[0] = data[0] + 1;
    (void)atomic_add_seqcst_u32(&ran, 1);
    return 0;
}

static fgpu_kernel make_kernel(fgpu_pool pool)
{
    fgpu_kernel kernel;
    assert_int_equal(fgpu_kernel_create(pool, "add_one", &kernel), FGPU_OK);
    assert_int_equal(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0), FGPU_OK);
    assert_int_equal(fgpu_kernel_add_native(kernel, add_one, NULL), FGPU_OK);
    return kernel;
}

static void submit(fgpu_kernel kernel, const fgpu_buffer *buffers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fgpu_arg arg =
            fgpu_arg_region(buffers[i * 7 % BUFFERS], FGPU_READ_WRITE, fgpu_region_whole());
        fgpu_task task;
        if (fgpu_task_run(kernel, 1, &arg, 1, &task) != FGPU_OK)
            fail_msg("%s", fgpu_last_error());
    }
}

/* Waits for all of the tasks in every second round; in others closing does. */
static void run_round(const char *options, uint32_t round)
{
    fgpu_pool pool;
    fgpu_buffer buffers[BUFFERS];
    uint32_t asked = 0;
    atomic_store_seqcst_u32(&ran, 0);
    assert_int_equal(fgpu_pool_open_text(options, &pool), FGPU_OK);
    fgpu_kernel kernel = make_kernel(pool);
    for (uint32_t b = 0; b < BUFFERS; b++)
        assert_int_equal(fgpu_buffer_create(pool, 4096, &buffers[b]), FGPU_OK);
    for (uint32_t part = 0; part < 3; part++) {
        submit(kernel, buffers, TASKS);
        asked += TASKS;
        if (part == 0 || round % 3 == 1)
            assert_int_equal(fgpu_pool_wait(pool, FGPU_FOREVER), FGPU_OK);
    }
    for (uint32_t b = 0; b < BUFFERS; b += 1 + round % 2) /* while it may be planned for */
        assert_int_equal(fgpu_buffer_destroy(buffers[b]), FGPU_OK);
    if (round % 2 == 0) {
        assert_int_equal(fgpu_pool_wait(pool, FGPU_FOREVER), FGPU_OK);
        assert_int_equal(atomic_load_seqcst_u32(&ran), asked);
    }
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
    assert_int_equal(atomic_load_seqcst_u32(&ran), asked);
}

static void test_planning(void **state)
{
    static const char *const options[] = {
        "devices=cpu;workers=2;cache=;log=off;policy=auto",
        "devices=cpu;workers=1;cache=;log=off;policy=lookahead",
        "devices=cpu;workers=3;cache=;log=off;policy=auto;tasks=100",
    };
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++)
        run_round(options[round % 3], round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planning)};
    (void)setenv("FASTGPU_CHECK", "1", 1); /* everything is planned, whether it pays or not */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
