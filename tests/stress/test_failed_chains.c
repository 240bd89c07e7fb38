/* What depends on a failed task never runs, however the failure and the submission meet in time.
 *
 * Chains of host functions over one buffer: the first fails, the others must not be called. They
 * are handed to the queue behind it before it has failed, so that it is the device that has to skip
 * them, and the engine that has to end the skipping at the right place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>
#include "base/atomic.h"

#define CHAINS 8u
#define LINKS 3u
#define ROUNDS 500u

static _Atomic uint32_t calls;

static int fail_call(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 1;
}

static int count_call(void *const *args, void *user)
{
    (void)args;
    (void)user;
    (void)atomic_add_seqcst_u32(&calls, 1);
    return 0;
}

static fgpu_task submit(fgpu_pool pool, fgpu_buffer buffer, uint32_t link)
{
    static const fgpu_access access[LINKS] = {FGPU_WRITE, FGPU_READ_WRITE, FGPU_READ};
    fgpu_task_desc desc;
    fgpu_task task;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_HOST;
    desc.host_fn = link == 0 ? fail_call : count_call;
    fgpu_arg arg = fgpu_arg_region(buffer, access[link], fgpu_region_whole());
    desc.args = &arg;
    desc.arg_count = 1;
    assert_int_equal(fgpu_task_submit(pool, &desc, &task), FGPU_OK);
    return task;
}

/* A task that only waits for a chain: it ends on the host, between the chains. */
static fgpu_task submit_join(fgpu_pool pool, const fgpu_task *after)
{
    fgpu_task_desc desc;
    fgpu_task task;
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_EMPTY;
    desc.after = after;
    desc.after_count = LINKS;
    assert_int_equal(fgpu_task_submit(pool, &desc, &task), FGPU_OK);
    return task;
}

static void run(const char *options)
{
    fgpu_pool pool;
    fgpu_buffer buffer;
    atomic_store_seqcst_u32(&calls, 0);
    assert_int_equal(fgpu_pool_open_text(options, &pool), FGPU_OK);
    assert_int_equal(fgpu_buffer_create(pool, 64, &buffer), FGPU_OK);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        fgpu_task tasks[CHAINS][LINKS + 1];
        uint32_t chains = 1 + round % CHAINS;
        for (uint32_t c = 0; c < chains; c++) {
            for (uint32_t link = 0; link < LINKS; link++)
                tasks[c][link] = submit(pool, buffer, link);
            tasks[c][LINKS] = submit_join(pool, tasks[c]);
        }
        assert_int_equal(fgpu_pool_wait(pool, FGPU_FOREVER), FGPU_E_TASK);
        for (uint32_t c = 0; c < chains; c++) {
            for (uint32_t link = 0; link <= LINKS; link++) {
                fgpu_status status = fgpu_task_wait(tasks[c][link], 0);
                assert_int_equal(status, link == 0 ? FGPU_E_TASK : FGPU_E_POISONED);
                assert_int_equal(fgpu_task_forget(tasks[c][link]), FGPU_OK);
            }
        }
        if (atomic_load_seqcst_u32(&calls) != 0)
            fail_msg("round %u: %u functions ran on data that was never made", round,
                     atomic_load_seqcst_u32(&calls));
    }
    assert_int_equal(fgpu_pool_close(pool), FGPU_OK);
}

static void test_hidden_worker(void **state)
{
    (void)state;
    run("devices=null;cache=;log=off");
}

static void test_one_worker(void **state)
{
    (void)state;
    run("devices=cpu;workers=1;cache=;log=off");
}

static void test_two_workers(void **state)
{
    (void)state;
    run("devices=cpu;workers=2;cache=;log=off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hidden_worker),
                                       cmocka_unit_test(test_one_worker),
                                       cmocka_unit_test(test_two_workers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
