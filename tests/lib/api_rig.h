/* What the tests of the public API's errors share: a task that must still work after each of them.
 */
#ifndef FASTGPU_TESTS_LIB_API_RIG_H
#define FASTGPU_TESTS_LIB_API_RIG_H

#include "lib/graph_rig.h"

#define RIG_WORDS 64u

static inline int rig_kernel_add_one(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    uint32_t *words = args[0];
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        for (uint64_t i = g * range->local[0];
             i < (g + 1) * range->local[0] && i < range->global[0]; i++)
            words[i] += 1;
    return 0;
}

static inline fgpu_kernel rig_new_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "add_one", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, rig_kernel_add_one, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    return kernel;
}

/* The pool rig_works: nothing of what was refused before has left a trace. */
static inline void rig_works(void)
{
    uint32_t words[RIG_WORDS];
    for (uint32_t i = 0; i < RIG_WORDS; i++)
        words[i] = i;
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_buffer buffer = rig_buffer(sizeof words);
    rig_need(fgpu_buffer_write(buffer, NULL, words, 0));
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    for (uint32_t i = 0; i < 3; i++)
        rig_need(fgpu_task_run(kernel, RIG_WORDS, &arg, 1, NULL));
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    for (uint32_t i = 0; i < RIG_WORDS; i++)
        assert_int_equal(words[i], i + 3);
    rig_need(fgpu_kernel_destroy(kernel));
    rig_need(fgpu_buffer_destroy(buffer));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
}

#endif
