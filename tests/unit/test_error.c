/* Last-error texts, status names and the version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include "base/error.h"
#include "base/limits.h"

static void *other_thread(void *text)
{
    strcpy(text, error_text());
    error_set(FGPU_E_IO, "the other thread's");
    return NULL;
}

static void test_text_is_the_threads_own(void **unused)
{
    pthread_t thread;
    char seen[LIMITS_ERROR_TEXT] = "?";
    (void)unused;
    assert_int_equal(error_set(FGPU_E_RANGE, "offset %d beyond %s", 12, "the end"), FGPU_E_RANGE);
    assert_string_equal(error_text(), "offset 12 beyond the end");
    assert_string_equal(fgpu_last_error(), "offset 12 beyond the end");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, seen), 0);
    pthread_join(thread, NULL);
    assert_string_equal(seen, "");
    assert_string_equal(fgpu_last_error(), "offset 12 beyond the end");
}

static void test_text_may_contain_the_text_before(void **unused)
{
    (void)unused;
    error_set(FGPU_E_IO, "cannot read");
    error_set(FGPU_E_BUILD, "kernel k: %s", error_text());
    assert_string_equal(error_text(), "kernel k: cannot read");
}

static void test_long_text_is_cut_at_a_character(void **unused)
{
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    (void)unused;
    for (size_t c = 0; c < 4; c++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[4 * LIMITS_ERROR_TEXT] = "";
            size_t bytes = strlen(characters[c]);
            memset(text, 'x', shift);
            while (strlen(text) < 2 * LIMITS_ERROR_TEXT)
                strcat(text, characters[c]);
            error_set(FGPU_E_INVAL, "%s", text);
            size_t whole = shift + (LIMITS_ERROR_TEXT - 1 - shift) / bytes * bytes;
            assert_int_equal(strlen(error_text()), whole);
            assert_memory_equal(error_text(), text, whole);
        }
    }
}

/* Numbers and names once more, by hand: they are ABI. */
static void test_names(void **unused)
{
    (void)unused;
    assert_string_equal(fgpu_status_name(0), "FGPU_OK");
    assert_string_equal(fgpu_status_name(-1), "FGPU_E_INVAL");
    assert_string_equal(fgpu_status_name(-15), "FGPU_E_DEVICE_LOST");
    assert_string_equal(fgpu_status_name(-28), "FGPU_E_NOTFOUND");
    assert_string_equal(fgpu_status_name(1), "FGPU_E_UNKNOWN");
    assert_string_equal(fgpu_status_name(-10000), "FGPU_E_UNKNOWN");
    assert_string_equal(fgpu_status_text(-6), "host memory is exhausted");
    assert_true(strlen(fgpu_status_text(12345)) > 0);
    for (int status = 0; status > -29; status--) {
        assert_string_not_equal(fgpu_status_name(status), "FGPU_E_UNKNOWN");
        assert_string_not_equal(fgpu_status_text(status), fgpu_status_text(1));
    }
}

static void test_version(void **unused)
{
    unsigned major, minor, patch;
    (void)unused;
    assert_int_equal(sscanf(fgpu_version_text(), "%u.%u.%u", &major, &minor, &patch), 3);
    assert_int_equal(fgpu_version(), major * 10000 + minor * 100 + patch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_the_threads_own),
        cmocka_unit_test(test_text_may_contain_the_text_before),
        cmocka_unit_test(test_long_text_is_cut_at_a_character),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
