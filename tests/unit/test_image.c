/* Which build a function belongs to (base/image.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/image.h"

static void test_of_this_program(void **state)
{
    (void)state;
    uint64_t own = image_id((uintptr_t)test_of_this_program);
    assert_int_not_equal(own, 0); /* Debian's compilers leave the note */
    assert_int_equal(own, image_id((uintptr_t)image_id));
}

static void test_of_a_library(void **state)
{
    (void)state;
    uint64_t library = image_id((uintptr_t)_cmocka_run_group_tests);
    assert_int_not_equal(library, image_id((uintptr_t)test_of_this_program));
}

/* Made while running, or no code at all. */
static void test_of_none(void **state)
{
    (void)state;
    void *memory = malloc(64);
    assert_int_equal(image_id((uintptr_t)memory), 0);
    assert_int_equal(image_id(0), 0);
    assert_int_equal(image_id(UINTPTR_MAX), 0);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_of_this_program),
                                       cmocka_unit_test(test_of_a_library),
                                       cmocka_unit_test(test_of_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
