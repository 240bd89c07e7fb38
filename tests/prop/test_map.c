/* The hash map against a list of pairs, with keys whose homes collide around the end of the array,
 * so that probing wraps and deletion has long runs to repair.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/map.h"
#include "lib/poor_alloc.h"
#include "lib/prop.h"

#define KEYS 48u

enum op_kind { OP_PUT, OP_GET, OP_DEL, OP_CLEAR };

struct op {
    uint8_t kind, key;
    int8_t memory;
    uint64_t value;
};

/* Half of the keys hash to the last two and the first homes of 64, the others anywhere. */
static uint64_t keys[KEYS];

static void choose_keys(void)
{
    uint64_t candidate = 1;
    keys[0] = 0;
    keys[1] = UINT64_MAX;
    for (unsigned i = 2; i < KEYS; candidate++) {
        uint64_t home = hash_u64(candidate) & 63;
        if (i % 2 == 0 || home >= 62 || home == 0)
            keys[i++] = candidate;
    }
}

static void make_op(struct rng *rng, void *out)
{
    struct op *op = out;
    uint64_t dice = rng_below(rng, 100);
    memset(op, 0, sizeof *op);
    op->kind = dice < 50 ? OP_PUT : dice < 60 ? OP_GET : dice < 99 ? OP_DEL : OP_CLEAR;
    op->key = (uint8_t)rng_below(rng, KEYS);
    op->value = rng_u64(rng);
    op->memory = rng_below(rng, 10) == 0 ? (int8_t)rng_below(rng, 2) : (int8_t)-1;
}

static void print_op(FILE *out, const void *in)
{
    static const char *const names[] = {"put", "get", "del", "clear"};
    const struct op *op = in;
    fprintf(out, "%s key %u (%llu), memory %d", names[op->kind], op->key,
            (unsigned long long)keys[op->key], op->memory);
}

struct model {
    bool there[KEYS];
    uint64_t value[KEYS];
};

static const char *compare(const struct map *map, const struct model *model)
{
    size_t count = 0, walked = 0, cursor = 0;
    struct map_entry entry;
    for (unsigned i = 0; i < KEYS; i++) {
        uint64_t value = 0;
        bool found = map_get(map, keys[i], &value);
        count += model->there[i];
        if (found != model->there[i])
            return found ? "a key that was deleted" : "a key is lost";
        if (found && value != model->value[i])
            return "a wrong value";
    }
    while (map_next(map, &cursor, &entry)) {
        unsigned i = 0;
        while (i < KEYS && keys[i] != entry.key)
            i++;
        if (i == KEYS || !model->there[i] || model->value[i] != entry.value)
            return "the walk shows something that is not there";
        walked++;
    }
    return count != map->count || walked != count ? "a wrong count" : NULL;
}

static const char *apply(struct map *map, struct model *model, const struct op *op)
{
    uint64_t key = keys[op->key], value;
    bool there = model->there[op->key];
    switch (op->kind) {
    case OP_PUT:
        if (map_put(map, key, op->value) != FGPU_OK)
            return op->memory < 0 || there ? "put failed for nothing" : NULL;
        model->there[op->key] = true;
        model->value[op->key] = op->value;
        return NULL;
    case OP_GET:
        return map_get(map, key, &value) == there ? NULL : "get is wrong";
    case OP_DEL:
        model->there[op->key] = false;
        return map_del(map, key) == there ? NULL : "del says the wrong thing";
    default:
        memset(model->there, 0, sizeof model->there);
        map_clear(map);
        return NULL;
    }
}

static const char *run_ops(const void *in, size_t op_count, uint64_t seed)
{
    const struct op *ops = in;
    struct model model = {0};
    struct poor_alloc poor;
    struct map map;
    const char *what = NULL;
    (void)seed;
    poor_alloc_init(&poor);
    map_init(&map, &poor.hooks);
    for (size_t i = 0; i < op_count && what == NULL; i++) {
        poor.left = ops[i].memory;
        what = apply(&map, &model, &ops[i]);
        if (what == NULL)
            what = compare(&map, &model);
    }
    map_fini(&map);
    return what == NULL && (poor.live_count != 0 || poor.live_bytes != 0) ? "memory is lost" : what;
}

static void test_against_list(void **unused)
{
    (void)unused;
    struct prop prop = {.name = "test_map",
                        .op_bytes = sizeof(struct op),
                        .op_count = 200,
                        .first_seed = 1,
                        .seed_count = 200,
                        .make = make_op,
                        .run = run_ops,
                        .print = print_op};
    choose_keys();
    assert_int_equal(prop_run(&prop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
