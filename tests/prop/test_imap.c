/* The interval map against an array with a colour for every byte and a flag for every border.
 *
 * Operations: split, paint (split, then give all segments of the range one colour), merge; some
 * with an allocator that fails. After each: same segments, same colours, every lookup right, as
 * many payloads alive as there are segments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/imap.h"
#include "lib/poor_alloc.h"
#include "lib/prop.h"

#define SIZE 96u
#define COLOURS 3u

enum op_kind { OP_SPLIT, OP_PAINT, OP_MERGE, OP_KINDS };

struct op {
    uint8_t kind, begin, end, colour;
    int8_t memory; /* allocations until the allocator fails; negative: never */
};

struct payload {
    uint32_t colour;
    uint32_t alive; /* LIVE while it is */
};
#define LIVE 0x5afe5afeu

struct model {
    uint8_t colour[SIZE];
    bool border[SIZE + 1];
};

struct count {
    long live;
    bool bad; /* clone or drop of something that is not alive */
};

static void clone_payload(void *user, void *dst, const void *src)
{
    struct count *count = user;
    memcpy(dst, src, sizeof(struct payload));
    count->live++;
    count->bad |= ((struct payload *)dst)->alive != LIVE;
}

static void drop_payload(void *user, void *payload)
{
    struct count *count = user;
    struct payload *p = payload;
    count->live--;
    count->bad |= p->alive != LIVE;
    p->alive = 0;
}

static bool same_colour(void *user, void *left, const void *right)
{
    (void)user;
    return ((const struct payload *)left)->colour == ((const struct payload *)right)->colour;
}

static void make_op(struct rng *rng, void *out)
{
    struct op *op = out;
    uint64_t a = rng_below(rng, SIZE), b = rng_below(rng, SIZE);
    op->kind = (uint8_t)rng_below(rng, OP_KINDS);
    op->begin = (uint8_t)(a < b ? a : b);
    op->end = (uint8_t)((a < b ? b : a) + 1);
    op->colour = (uint8_t)rng_below(rng, COLOURS);
    op->memory = (int8_t)(rng_below(rng, 4) == 0 ? rng_below(rng, 3) : 0) - 1;
    if (rng_below(rng, 8) == 0) {
        op->begin = 0;
        op->end = SIZE;
    }
}

static void print_op(FILE *out, const void *in)
{
    static const char *const names[] = {"split", "paint", "merge"};
    const struct op *op = in;
    fprintf(out, "%s [%u, %u) colour %u, memory %d", names[op->kind], op->begin, op->end,
            op->colour, op->memory);
}

static void model_apply(struct model *model, const struct op *op)
{
    if (op->kind == OP_MERGE) {
        for (unsigned at = op->begin > 0 ? op->begin : 1; at <= op->end && at < SIZE; at++)
            model->border[at] &= model->colour[at - 1] != model->colour[at];
        return;
    }
    model->border[op->begin] = model->border[op->end] = true;
    if (op->kind == OP_PAINT)
        memset(model->colour + op->begin, op->colour, (size_t)(op->end - op->begin));
}

static fgpu_status map_apply(struct imap *map, const struct op *op)
{
    if (op->kind == OP_MERGE) {
        imap_merge(map, op->begin, op->end, same_colour, drop_payload);
        return FGPU_OK;
    }
    fgpu_status status = imap_split(map, op->begin, op->end);
    if (status != FGPU_OK || op->kind == OP_SPLIT)
        return status;
    struct imap_seg *seg = imap_first(map, op->begin);
    for (; seg != NULL && seg->begin < op->end; seg = imap_next(map, seg))
        ((struct payload *)imap_payload(seg))->colour = op->colour;
    return FGPU_OK;
}

static const char *compare(struct imap *map, const struct model *model, const struct count *count)
{
    uint64_t at = 0;
    uint32_t segs = 0;
    struct imap_seg *left = NULL;
    for (struct imap_seg *seg = imap_first(map, 0); seg != NULL; seg = imap_next(map, seg)) {
        const struct payload *payload = imap_payload(seg);
        if (seg->begin != at || seg->end <= at || seg->end > SIZE)
            return "a gap or an overlap";
        if (imap_prev(map, seg) != left)
            return "prev is not the segment before";
        if (payload->alive != LIVE)
            return "a dead payload";
        for (; at < seg->end; at++) {
            if (at > seg->begin && model->border[at])
                return "a border is missing";
            if (payload->colour != model->colour[at])
                return "a wrong colour";
            if (imap_first(map, at) != seg)
                return "a lookup finds another segment";
        }
        if (at < SIZE && !model->border[at])
            return "a border too many";
        left = seg;
        segs++;
    }
    if (at != SIZE || segs != map->seg_count)
        return "the end is missing, or the count is wrong";
    return count->bad || count->live != (long)segs ? "payloads cloned or dropped wrongly" : NULL;
}

static const char *run_ops(const void *in, size_t op_count, uint64_t seed)
{
    const struct op *ops = in;
    struct count count = {.live = 1};
    struct model model = {.border = {[0] = true, [SIZE] = true}};
    struct poor_alloc poor;
    struct imap map;
    const char *what = NULL;
    (void)seed;
    poor_alloc_init(&poor);
    if (imap_init(&map, SIZE, sizeof(struct payload), clone_payload, &count, &poor.hooks) !=
        FGPU_OK)
        return "no memory at the start";
    *(struct payload *)imap_payload(imap_first(&map, 0)) = (struct payload){0, LIVE};
    for (size_t i = 0; i < op_count && what == NULL; i++) {
        poor.left = ops[i].memory;
        fgpu_status status = map_apply(&map, &ops[i]);
        if (status == FGPU_OK)
            model_apply(&model, &ops[i]);
        else if (status != FGPU_E_NOMEM || ops[i].memory < 0)
            what = "split failed with memory there";
        what = what != NULL ? what : compare(&map, &model, &count);
        if (what == NULL)
            imap_check(&map);
    }
    imap_fini(&map, drop_payload);
    if (what == NULL && (count.live != 0 || count.bad))
        what = "fini does not drop every payload once";
    if (what == NULL && (poor.live_count != 0 || poor.live_bytes != 0))
        what = "memory is lost";
    return what;
}

static void test_against_bytes(void **unused)
{
    (void)unused;
    struct prop prop = {.name = "test_imap",
                        .op_bytes = sizeof(struct op),
                        .op_count = 60,
                        .first_seed = 1,
                        .seed_count = 400,
                        .make = make_op,
                        .run = run_ops,
                        .print = print_op};
    assert_int_equal(prop_run(&prop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
