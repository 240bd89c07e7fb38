/* Does the property runner find what is wrong, and shrink it to the least that fails? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/prop.h"

static void make_byte(struct rng *rng, void *op)
{
    *(uint8_t *)op = (uint8_t)rng_below(rng, 50);
}

static void print_byte(FILE *out, const void *op)
{
    fprintf(out, "%u", *(const uint8_t *)op);
}

/* "Wrong" when a 7 is followed, anywhere later, by a 13. */
static const char *run_seven_thirteen(const void *ops, size_t count, uint64_t seed)
{
    const uint8_t *bytes = ops;
    int seen = 0;
    (void)seed;
    for (size_t i = 0; i < count; i++) {
        seen |= bytes[i] == 7;
        if (seen && bytes[i] == 13)
            return "seven and thirteen";
    }
    return NULL;
}

static const char *run_holds(const void *ops, size_t count, uint64_t seed)
{
    (void)ops;
    (void)count;
    (void)seed;
    return NULL;
}

static struct prop byte_prop(const char *(*run)(const void *, size_t, uint64_t), FILE *out)
{
    return (struct prop){.name = "test_prop",
                         .op_bytes = 1,
                         .op_count = 400,
                         .first_seed = 1,
                         .seed_count = 20,
                         .make = make_byte,
                         .run = run,
                         .print = print_byte,
                         .out = out};
}

static void test_shrinks_to_the_least(void **unused)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    (void)unused;
    assert_non_null(out);
    struct prop prop = byte_prop(run_seven_thirteen, out);
    assert_int_equal(prop_run(&prop), 2);
    fclose(out);
    assert_non_null(strstr(text, "seven and thirteen"));
    assert_non_null(strstr(text, "0: 7\n"));
    assert_non_null(strstr(text, "1: 13\n"));
    free(text);
}

static void test_what_holds_holds(void **unused)
{
    (void)unused;
    struct prop prop = byte_prop(run_holds, NULL);
    assert_int_equal(prop_run(&prop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shrinks_to_the_least),
        cmocka_unit_test(test_what_holds_holds),
    };
    unsetenv("FASTGPU_TEST_SEED");
    unsetenv("FASTGPU_TEST_SEEDS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
