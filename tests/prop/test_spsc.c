/* The ring against a list of numbers, for all small capacities, batches across the wrap and an
 * item size that is no power of two.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/spsc.h"
#include "lib/prop.h"

enum op_kind { OP_PUSH_N, OP_PUSH, OP_PEEK_POP, OP_POP };

struct op {
    uint8_t kind, n;
};

struct item {
    uint32_t number;
    uint8_t rest[8];
};

static void make_op(struct rng *rng, void *out)
{
    struct op *op = out;
    op->kind = (uint8_t)rng_below(rng, 4);
    op->n = (uint8_t)rng_below(rng, 21);
}

static void print_op(FILE *out, const void *in)
{
    static const char *const names[] = {"push_n", "push", "peek and pop_n", "pop"};
    const struct op *op = in;
    fprintf(out, "%s %u", names[op->kind], op->n);
}

static struct item numbered(uint32_t number)
{
    struct item item = {.number = number};
    memset(item.rest, (int)(number & 0xff), sizeof item.rest);
    return item;
}

static bool is_numbered(const struct item *item, uint32_t number)
{
    struct item want = numbered(number);
    return memcmp(item, &want, sizeof want) == 0;
}

/* The list is two numbers: items first..last-1 are inside. */
static const char *apply(struct spsc *ring, uint32_t *first, uint32_t *last, const struct op *op)
{
    uint32_t room = (uint32_t)(ring->mask + 1) - (*last - *first), ready = *last - *first;
    struct item items[32];
    uint64_t n;
    if (op->kind <= OP_PUSH) {
        uint32_t want = op->kind == OP_PUSH ? 1 : op->n;
        for (uint32_t i = 0; i < want; i++)
            items[i] = numbered(*last + i);
        n = op->kind == OP_PUSH ? spsc_push(ring, items) : spsc_push_n(ring, items, want);
        *last += (uint32_t)n;
        return n == (want < room ? want : room) ? NULL : "push takes a wrong number";
    }
    if (op->kind == OP_POP) {
        if (spsc_pop(ring, items) != (ready > 0))
            return "pop says the wrong thing";
        return ready == 0 || is_numbered(items, (*first)++) ? NULL : "a wrong item";
    }
    const struct item *oldest = spsc_peek(ring, &n);
    if ((n == 0) != (ready == 0) || n > ready || (n == 0) != (oldest == NULL))
        return "peek sees a wrong number";
    n = n < op->n ? n : op->n;
    for (uint64_t i = 0; i < n; i++) {
        if (!is_numbered(&oldest[i], (*first)++))
            return "a wrong item in place";
    }
    spsc_pop_n(ring, n);
    return NULL;
}

static const char *run_ops(const void *in, size_t op_count, uint64_t seed)
{
    const struct op *ops = in;
    struct spsc ring;
    uint32_t first = 0, last = 0, capacity = 1u << seed % 5;
    const char *what = NULL;
    if (spsc_init(&ring, sizeof(struct item), capacity, NULL) != FGPU_OK)
        abort();
    for (size_t i = 0; i < op_count && what == NULL; i++) {
        what = apply(&ring, &first, &last, &ops[i]);
        if (what == NULL && spsc_count(&ring) != last - first)
            what = "a wrong count";
    }
    spsc_fini(&ring);
    return what;
}

static void test_against_numbers(void **unused)
{
    (void)unused;
    struct prop prop = {.name = "test_spsc",
                        .op_bytes = sizeof(struct op),
                        .op_count = 200,
                        .first_seed = 1,
                        .seed_count = 500,
                        .make = make_op,
                        .run = run_ops,
                        .print = print_op};
    assert_int_equal(prop_run(&prop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
