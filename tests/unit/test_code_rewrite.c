/* Edits of a text: against the same edits made by hand, one after another from the back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"
#include "code/rewrite.h"
#include "lib/poor_alloc.h"
#include "lib/seed.h"

static void expect(const char *text, const struct code_edit *edits, size_t count,
                   const char *wanted)
{
    struct code_text result;
    assert_int_equal(code_rewrite_apply(text, strlen(text), edits, count, NULL, &result), FGPU_OK);
    assert_string_equal(result.text, wanted);
    assert_int_equal(result.length, strlen(wanted));
    alloc_put(NULL, result.text, result.length + 1);
}

static void test_edits(void **unused)
{
    const struct code_edit edits[] = {{0, 0, "<"}, {0, 1, "A"}, {1, 0, "-"},
                                      {1, 0, "+"}, {3, 2, ""},  {6, 0, ">"}};
    (void)unused;
    expect("abcdef", NULL, 0, "abcdef");
    expect("", NULL, 0, "");
    expect("", (const struct code_edit[]){{0, 0, "x"}}, 1, "x");
    expect("abcdef", edits, 6, "<A-+bcf>");
    expect("abc", (const struct code_edit[]){{0, 3, ""}}, 1, "");
}

static void expect_failure(const char *text, const struct code_edit *edits, size_t count,
                           fgpu_status status)
{
    struct code_text result = {(char *)1, 1};
    assert_int_equal(code_rewrite_apply(text, strlen(text), edits, count, NULL, &result), status);
    assert_null(result.text);
    assert_string_not_equal(error_text(), "");
}

static void test_failures(void **unused)
{
    struct poor_alloc poor;
    struct code_text result;
    (void)unused;
    expect_failure("abc", (const struct code_edit[]){{0, 2, ""}, {1, 1, ""}}, 2, FGPU_E_OVERLAP);
    expect_failure("abc", (const struct code_edit[]){{2, 0, ""}, {1, 0, ""}}, 2, FGPU_E_OVERLAP);
    expect_failure("abc", (const struct code_edit[]){{4, 0, ""}}, 1, FGPU_E_RANGE);
    expect_failure("abc", (const struct code_edit[]){{3, 1, ""}}, 1, FGPU_E_RANGE);
    expect_failure("abc", (const struct code_edit[]){{1, UINT32_MAX, ""}}, 1, FGPU_E_RANGE);
    char *large = malloc(LIMITS_SOURCE_BYTES);
    memset(large, 'x', LIMITS_SOURCE_BYTES - 1);
    large[LIMITS_SOURCE_BYTES - 1] = '\0';
    expect_failure("abc", (const struct code_edit[]){{1, 0, large}}, 1, FGPU_E_LIMIT);
    free(large);
    poor_alloc_init(&poor);
    poor.left = 0;
    assert_int_equal(code_rewrite_apply("a", 1, NULL, 0, &poor.hooks, &result), FGPU_E_NOMEM);
    assert_null(result.text);
}

/* From the back, so that offsets of what is still to be done stay true. */
static void by_hand(char *text, const struct code_edit *edits, size_t count)
{
    while (count-- > 0) {
        size_t added = strlen(edits[count].text);
        char *at = text + edits[count].offset;
        memmove(at + added, at + edits[count].length, strlen(at + edits[count].length) + 1);
        memcpy(at, edits[count].text, added);
    }
}

static void test_random(void **unused)
{
    static const char *const texts[] = {"", "x", "yy", "zzzzzz"};
    uint64_t first = seed_get(7);
    (void)unused;
    for (uint64_t seed = first; seed < first + seed_count(500); seed++) {
        struct rng rng;
        struct code_edit edits[12];
        char text[512] = "";
        size_t count = 0;
        rng_init(&rng, seed);
        uint32_t length = (uint32_t)rng_below(&rng, 60);
        for (uint32_t i = 0; i < length; i++)
            text[i] = (char)('a' + i % 20);
        for (uint32_t at = 0; count < 12;) {
            uint32_t offset = at + (uint32_t)rng_below(&rng, 6);
            if (offset > length)
                break;
            uint32_t bytes = (uint32_t)rng_below(&rng, length - offset + 1) % 5;
            edits[count++] = (struct code_edit){offset, bytes, texts[rng_below(&rng, 4)]};
            at = offset + bytes;
        }
        struct code_text result;
        fgpu_status status = code_rewrite_apply(text, length, edits, count, NULL, &result);
        by_hand(text, edits, count);
        if (status != FGPU_OK || strcmp(result.text, text) != 0)
            seed_print("test_code_rewrite", seed);
        assert_int_equal(status, FGPU_OK);
        assert_string_equal(result.text, text);
        alloc_put(NULL, result.text, result.length + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
