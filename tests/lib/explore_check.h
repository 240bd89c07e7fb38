/* cmocka checks on top of lib/explore.h: the right model has no bug, a planted bug is found. */
#ifndef FASTGPU_TESTS_LIB_EXPLORE_CHECK_H
#define FASTGPU_TESTS_LIB_EXPLORE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/explore.h"

/* Fewer states than `at_least` means that the model did not do what it was meant to. */
static inline void explore_must_hold(const struct explore_model *model, size_t at_least)
{
    struct explore_result result = explore_run(model);
    if (result.bug)
        fail_msg("%s: %s after %zu steps, schedule %s", model->name, result.what, result.depth,
                 result.schedule);
    print_message("%s: %zu states\n", model->name, result.state_count);
    assert_true(result.state_count >= at_least);
}

static inline void explore_must_break(const struct explore_model *model, const char *what)
{
    struct explore_result result = explore_run(model);
    if (!result.bug)
        fail_msg("%s: the planted bug was not found in %zu states", model->name,
                 result.state_count);
    assert_string_equal(result.what, what);
    print_message("%s: %s after %zu steps, schedule %s\n", model->name, result.what, result.depth,
                  result.schedule);
}

#endif
