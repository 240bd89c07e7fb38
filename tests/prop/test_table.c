/* The slot table against a list of who has which slot: no slot twice, addresses and bytes stay,
 * the limit is exactly the limit, and a failure takes nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/table.h"
#include "lib/poor_alloc.h"
#include "lib/prop.h"

#define MAX_ITEMS 200u
#define BATCH 24u

enum op_kind { OP_ALLOC, OP_ALLOC_N, OP_FREE, OP_FREE_N, OP_RESERVE };

struct op {
    uint8_t kind, n;
    int8_t memory;
    uint16_t pick;
};

/* Large items, so that a chunk holds only 16 of them and chunks are made all the time. */
struct item {
    uint64_t mark; /* 0 before the first use, then whatever the owner wrote last */
    char rest[65528];
};

struct model {
    uint32_t live[MAX_ITEMS];
    uint32_t live_count;
    void *address[MAX_ITEMS]; /* of a slot that has been used */
    uint64_t mark[MAX_ITEMS];
    bool used[MAX_ITEMS];
    uint64_t next_mark;
};

static void make_op(struct rng *rng, void *out)
{
    struct op *op = out;
    uint64_t dice = rng_below(rng, 100);
    memset(op, 0, sizeof *op);
    op->kind = dice < 35   ? OP_ALLOC
               : dice < 55 ? OP_ALLOC_N
               : dice < 80 ? OP_FREE
               : dice < 97 ? OP_FREE_N
                           : OP_RESERVE;
    op->n = (uint8_t)rng_below(rng, BATCH + 1);
    op->pick = (uint16_t)rng_below(rng, 65536);
    op->memory = rng_below(rng, 5) == 0 ? 0 : -1;
}

static void print_op(FILE *out, const void *in)
{
    static const char *const names[] = {"alloc", "alloc_n", "free", "free_n", "reserve"};
    const struct op *op = in;
    fprintf(out, "%s n %u, pick %u, memory %d", names[op->kind], op->n, op->pick, op->memory);
}

/* The table says that this slot is ours now. */
static const char *take(struct table *table, struct model *model, uint32_t index)
{
    struct item *item = table_find(table, index);
    if (item == NULL || index >= MAX_ITEMS || table_at(table, index) != item)
        return "an index beyond the table";
    for (uint32_t i = 0; i < model->live_count; i++) {
        if (model->live[i] == index)
            return "a slot was handed out twice";
    }
    if (model->used[index] && model->address[index] != item)
        return "a slot has moved";
    if (item->mark != model->mark[index])
        return "the bytes of a free slot have changed";
    model->used[index] = true;
    model->address[index] = item;
    model->mark[index] = item->mark = ++model->next_mark;
    model->live[model->live_count++] = index;
    return NULL;
}

static const char *apply_alloc(struct table *table, struct model *model, const struct op *op)
{
    uint32_t indices[BATCH], n = op->kind == OP_ALLOC ? 1 : op->n;
    fgpu_status status =
        op->kind == OP_ALLOC ? table_alloc(table, indices) : table_alloc_n(table, indices, n);
    bool fits = model->live_count + n <= MAX_ITEMS;
    if (status == FGPU_E_LIMIT)
        return fits ? "the limit comes too early" : NULL;
    if (status == FGPU_E_NOMEM)
        return op->memory < 0 ? "no memory, but there was" : NULL;
    if (status != FGPU_OK || !fits)
        return "more slots than there are";
    for (uint32_t i = 0; i < n; i++) {
        const char *what = take(table, model, indices[i]);
        if (what != NULL)
            return what;
    }
    return NULL;
}

static void apply_free(struct table *table, struct model *model, const struct op *op)
{
    uint32_t indices[BATCH], n = op->kind == OP_FREE ? 1 : op->n;
    n = n < model->live_count ? n : model->live_count;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = op->pick % model->live_count;
        indices[i] = model->live[place];
        model->live[place] = model->live[--model->live_count];
    }
    if (op->kind == OP_FREE && n == 1)
        table_free(table, indices[0]);
    else
        table_free_n(table, indices, n);
}

static const char *apply(struct table *table, struct model *model, const struct op *op)
{
    if (op->kind == OP_ALLOC || op->kind == OP_ALLOC_N)
        return apply_alloc(table, model, op);
    if (op->kind == OP_RESERVE)
        (void)table_reserve(table, op->pick % (MAX_ITEMS + 1));
    else
        apply_free(table, model, op);
    return NULL;
}

static const char *compare(const struct table *table, const struct model *model)
{
    for (uint32_t i = 0; i < MAX_ITEMS; i++) {
        const struct item *item = table_find(table, i);
        if (model->used[i] && (item == NULL || item->mark != model->mark[i]))
            return "the bytes of a slot have changed";
    }
    return NULL;
}

static const char *run_ops(const void *in, size_t op_count, uint64_t seed)
{
    const struct op *ops = in;
    struct model *model = calloc(1, sizeof *model);
    struct poor_alloc poor;
    struct table table;
    const char *what = NULL;
    (void)seed;
    poor_alloc_init(&poor);
    if (model == NULL || table_init(&table, sizeof(struct item), MAX_ITEMS, &poor.hooks) != FGPU_OK)
        abort();
    for (size_t i = 0; i < op_count && what == NULL; i++) {
        poor.left = ops[i].memory;
        what = apply(&table, model, &ops[i]);
        if (what == NULL)
            what = compare(&table, model);
    }
    table_fini(&table);
    free(model);
    return what == NULL && (poor.live_count != 0 || poor.live_bytes != 0) ? "memory is lost" : what;
}

static void test_against_list(void **unused)
{
    (void)unused;
    struct prop prop = {.name = "test_table",
                        .op_bytes = sizeof(struct op),
                        .op_count = 150,
                        .first_seed = 1,
                        .seed_count = 60,
                        .make = make_op,
                        .run = run_ops,
                        .print = print_op};
    assert_int_equal(prop_run(&prop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
