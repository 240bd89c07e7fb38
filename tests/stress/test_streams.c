/* Streams of tiny tasks that nobody waits for: what a submitter leaves lying, and what a device
 * lets lie, runs all the same, and soon.
 *
 * The pool takes such a stream in batches, its last tasks are in the hands of the progress thread
 * alone, and a worker that naps is not woken for them. No figure depends on time: a task that is
 * forgotten would never run.
 */
#include <time.h>
#include "base/atomic.h"
#include "base/rng.h"
#include "lib/api_rig.h"

#define STREAMS_ROUNDS 40u
#define STREAMS_LONGEST 700u
#define STREAMS_PATIENCE 60000u /* milliseconds: a busy machine, under a sanitizer */

static _Atomic uint32_t streams_ran;

static int streams_count(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    (void)atomic_add_relaxed_u32(&streams_ran, 1);
    return 0;
}

static void streams_wait(uint32_t expected)
{
    const struct timespec nap = {0, 1000000};
    for (uint32_t i = 0; i < STREAMS_PATIENCE; i++) {
        if (atomic_load_acquire_u32(&streams_ran) == expected)
            return;
        (void)nanosleep(&nap, NULL);
    }
    fail_msg("%u of %u tasks have run, and nobody sees to the others",
             atomic_load_acquire_u32(&streams_ran), expected);
}

static fgpu_kernel streams_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "count", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, streams_count, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    return kernel;
}

static void streams_open(uint32_t workers)
{
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "cpu";
    options.cpu_workers = workers;
    options.cache_dir = "";
    rig_need(fgpu_pool_open(&options, &rig_pool));
}

/* Of any length, one after another or all over the place, and then the submitter goes away. */
static void streams_run(uint32_t workers, bool chain)
{
    struct rng rng;
    uint32_t expected = 0;
    rng_init(&rng, workers + 10u * chain);
    streams_open(workers);
    fgpu_kernel kernel = streams_kernel();
    fgpu_buffer buffers[16];
    for (uint32_t i = 0; i < 16; i++)
        buffers[i] = rig_buffer(64);
    atomic_store_relaxed_u32(&streams_ran, 0);
    for (uint32_t round = 0; round < STREAMS_ROUNDS; round++) {
        uint32_t count = 1 + (uint32_t)rng_below(&rng, STREAMS_LONGEST);
        for (uint32_t i = 0; i < count; i++) {
            fgpu_arg arg = fgpu_arg_buffer(buffers[chain ? 0 : i % 16]);
            rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
        }
        expected += count;
        streams_wait(expected);
    }
    rig_need(fgpu_pool_close(rig_pool));
}

static void test_nothing_left_lying(void **state)
{
    (void)state;
    streams_run(1, false);
    streams_run(1, true);
    streams_run(2, false);
}

/* Somebody who waits is not kept waiting by a nap: he hands the last ones over and wakes. */
static void test_streams_that_are_waited_for(void **state)
{
    (void)state;
    streams_open(1);
    fgpu_kernel kernel = streams_kernel();
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    atomic_store_relaxed_u32(&streams_ran, 0);
    for (uint32_t round = 1; round <= 200; round++) {
        for (uint32_t i = 0; i < 128; i++)
            rig_need(fgpu_task_run(kernel, 1, &arg, 1, NULL));
        rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
        assert_int_equal(atomic_load_acquire_u32(&streams_ran), round * 128);
    }
    rig_need(fgpu_pool_close(rig_pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_left_lying),
        cmocka_unit_test(test_streams_that_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
