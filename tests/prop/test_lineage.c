/* Random tasks on devices that die with all their memory: whatever can still be read is what
 * running one after another gives, byte for byte, whether it survived, was run again, or was made
 * from what was run again.
 *
 * The devices are tests/lib/engine_rig.h's: every command really happens, at a moment that the seed
 * chooses, and lost memory is full of garbage. Tasks fail and are cancelled, buffers go and come,
 * mappings are held over a loss. Every case must have had results run again, or it shows nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tests/lib/engine_rig.h"
#include "tests/lib/seed.h"

#define BUFFERS 8
#define BYTES 64u
#define OPS 120
#define PIECE 8u

struct held {
    uint32_t task, buffer;
    bool writes;
    uint8_t want[BYTES]; /* READ: what it must show; WRITE: what is put there */
};

struct rig_world {
    struct engine_rig rig;
    struct rng rng;
    uint32_t buffers[BUFFERS];
    uint8_t model[BUFFERS][BYTES];
    struct held held[16];
    uint32_t held_count;
    uint32_t devices, lost;
    uint32_t last; /* some task, and its generation */
    uint32_t last_generation;
};

struct tally {
    uint64_t right, gone, recomputed, losses;
};

struct lineage_case {
    const char *name;
    uint32_t fail; /* in 100 operations */
    uint32_t cancel, map, replace;
    uint32_t inc;
};

static const struct lineage_case cases[] = {
    {"loss", 0, 0, 0, 0, 0},         {"in-place", 0, 0, 0, 0, 20}, {"maps", 0, 0, 15, 0, 5},
    {"buffers", 0, 0, 5, 10, 5},     {"cancel", 0, 8, 5, 2, 5},    {"commands", 5, 0, 5, 2, 5},
    {"everything", 4, 4, 10, 5, 10},
};

static struct rig_world world;

static uint32_t below(struct rig_world *w, uint32_t n)
{
    return (uint32_t)rng_below(&w->rng, n);
}

/* ---- operations ------------------------------------------------------------------------- */

static void op_remember(struct rig_world *w, uint32_t task)
{
    if (below(w, 4) == 0) {
        w->last = task;
        w->last_generation = task_generation(engine_task(&w->rig.engine, task));
    }
}

/* Three ranges of different buffers and equal length. */
struct three {
    uint32_t buffer[3], at[3], bytes;
};

static struct three op_three(struct rig_world *w)
{
    struct three t;
    uint32_t first = below(w, BUFFERS), step = 1 + below(w, 2);
    t.bytes = BYTES;
    bool whole = below(w, 2) == 0;
    for (uint32_t i = 0; i < 3; i++) {
        t.buffer[i] = (first + i * step) % BUFFERS;
        t.at[i] = whole ? 0 : below(w, BYTES / PIECE) * PIECE;
        if (t.bytes > BYTES - t.at[i])
            t.bytes = BYTES - t.at[i];
    }
    if (!whole)
        t.bytes = PIECE * (1 + below(w, t.bytes / PIECE));
    return t;
}

static struct submit_arg op_arg(struct rig_world *w, const struct three *t, uint32_t i,
                                uint8_t mode)
{
    return engine_rig_arg(w->buffers[t->buffer[i]], mode, t->at[i], t->bytes);
}

static void op_fill(struct rig_world *w)
{
    struct three t = op_three(w);
    uint8_t value = (uint8_t)below(w, 256);
    memset(&w->model[t.buffer[0]][t.at[0]], value, t.bytes);
    op_remember(w, engine_rig_fill(&w->rig, w->buffers[t.buffer[0]], t.at[0], t.bytes, value,
                                   TASK_DEVICE_ANY));
}

static void op_copy(struct rig_world *w)
{
    struct three t = op_three(w);
    struct submit_arg args[2] = {op_arg(w, &t, 0, FGPU_WRITE), op_arg(w, &t, 1, FGPU_READ)};
    struct submit_request request = {.kind = TASK_COPY,
                                     .arg_count = 2,
                                     .args = args,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY};
    memcpy(&w->model[t.buffer[0]][t.at[0]], &w->model[t.buffer[1]][t.at[1]], t.bytes);
    op_remember(w, engine_rig_submit(&w->rig, &request, TASK_NONE));
}

static void op_mix(struct rig_world *w)
{
    struct three t = op_three(w);
    struct submit_arg args[3] = {op_arg(w, &t, 0, FGPU_WRITE), op_arg(w, &t, 1, FGPU_READ),
                                 op_arg(w, &t, 2, FGPU_READ)};
    for (uint32_t i = 0; i < t.bytes; i++)
        w->model[t.buffer[0]][t.at[0] + i] = (uint8_t)(3 * w->model[t.buffer[1]][t.at[1] + i] +
                                                       5 * w->model[t.buffer[2]][t.at[2] + i] + 1);
    op_remember(w, engine_rig_run(&w->rig, w->rig.mix, args, TASK_DEVICE_ANY, TASK_NONE));
}

static void op_twin(struct rig_world *w)
{
    struct three t = op_three(w);
    struct submit_arg args[3] = {op_arg(w, &t, 0, FGPU_WRITE), op_arg(w, &t, 1, FGPU_WRITE),
                                 op_arg(w, &t, 2, FGPU_READ)};
    for (uint32_t i = 0; i < t.bytes; i++) {
        uint8_t s = w->model[t.buffer[2]][t.at[2] + i];
        w->model[t.buffer[0]][t.at[0] + i] = (uint8_t)(s + 1);
        w->model[t.buffer[1]][t.at[1] + i] = (uint8_t)(s + 2);
    }
    op_remember(w, engine_rig_run(&w->rig, w->rig.twin, args, TASK_DEVICE_ANY, TASK_NONE));
}

static void op_inc(struct rig_world *w)
{
    struct three t = op_three(w);
    struct submit_arg args[3] = {op_arg(w, &t, 0, FGPU_READ_WRITE), op_arg(w, &t, 1, FGPU_READ),
                                 op_arg(w, &t, 2, FGPU_READ)};
    for (uint32_t i = 0; i < t.bytes; i++)
        w->model[t.buffer[0]][t.at[0] + i]++;
    op_remember(w, engine_rig_run(&w->rig, w->rig.inc, args, TASK_DEVICE_ANY, TASK_NONE));
}

static void op_map(struct rig_world *w)
{
    if (w->held_count == 16)
        return;
    struct held *held = &w->held[w->held_count++];
    uint32_t b = below(w, BUFFERS);
    held->buffer = w->buffers[b];
    held->writes = below(w, 2);
    if (held->writes)
        memset(w->model[b], (int)below(w, 256), BYTES);
    memcpy(held->want, w->model[b], BYTES);
    struct submit_arg arg =
        engine_rig_arg(held->buffer, held->writes ? FGPU_WRITE : FGPU_READ, 0, BYTES);
    struct submit_request request = {.kind = TASK_MAP,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY};
    held->task = engine_rig_submit(&w->rig, &request, TASK_NONE);
}

static void op_replace(struct rig_world *w)
{
    uint32_t b = below(w, BUFFERS);
    for (uint32_t i = 0; i < w->held_count; i++)
        if (w->held[i].buffer == w->buffers[b])
            return; /* the API refuses it */
    engine_buffer_destroy(&w->rig.engine, w->buffers[b]);
    w->buffers[b] = engine_rig_buffer(&w->rig, BYTES, NULL);
    uint8_t value = (uint8_t)below(w, 256);
    memset(w->model[b], value, BYTES);
    engine_rig_fill(&w->rig, w->buffers[b], 0, BYTES, value, TASK_DEVICE_ANY);
}

static void op_cancel(struct rig_world *w)
{
    if (w->last != TASK_NONE &&
        task_generation(engine_task(&w->rig.engine, w->last)) == w->last_generation)
        (void)engine_cancel(&w->rig.engine, w->last);
    w->last = TASK_NONE;
}

/* ---- events ----------------------------------------------------------------------------- */

static uint32_t some_lane(struct rig_world *w)
{
    for (;;) {
        uint32_t lane = below(w, w->rig.engine.lane_count);
        if (!w->rig.engine.devices[w->rig.engine.lanes[lane].device].lost)
            return lane;
    }
}

static void lose(struct rig_world *w, struct tally *tally)
{
    if (w->lost + 1 == w->devices)
        return;
    uint32_t device = w->rig.engine.lanes[some_lane(w)].device;
    engine_rig_lose(&w->rig, device);
    w->lost++;
    tally->losses++;
}

/* Looks at a mapping that is there, and lets go of it. True when it is over. */
static bool let_go(struct rig_world *w, const struct held *held)
{
    struct engine *engine = &w->rig.engine;
    fgpu_task_state state = engine_rig_state(&w->rig, held->task);
    if (state > FGPU_TASK_DONE) {
        engine_forget(engine, held->task);
        return true;
    }
    if (state != FGPU_TASK_RUNNING)
        return false;
    if (held->writes)
        memcpy(engine_map_address(engine, held->task), held->want, BYTES);
    else
        assert_memory_equal(engine_map_address(engine, held->task), held->want, BYTES);
    engine_unmap(engine, held->task);
    return true;
}

static void let_one_go(struct rig_world *w, uint32_t i)
{
    if (i < w->held_count && let_go(w, &w->held[i]))
        w->held[i] = w->held[--w->held_count];
}

static void advance(struct rig_world *w)
{
    if (below(w, 3) > 0)
        engine_rig_turn(&w->rig);
    uint32_t lane = some_lane(w);
    engine_rig_work(&w->rig, lane, w->rig.lanes[lane].done + below(w, 6));
    if (below(w, 12) == 0) {
        engine_rig_finish(&w->rig);
    }
}

/* ---- a run ------------------------------------------------------------------------------ */

static void run_op(struct rig_world *w, const struct lineage_case *c)
{
    uint32_t choice = below(w, 100);
    if (choice < c->inc)
        op_inc(w);
    else if ((choice -= c->inc) < c->map)
        op_map(w);
    else if ((choice -= c->map) < c->replace)
        op_replace(w);
    else if ((choice -= c->replace) < c->cancel)
        op_cancel(w);
    else if (choice % 8 == 0)
        op_fill(w);
    else if (choice % 8 <= 2)
        op_copy(w);
    else if (choice % 8 <= 5)
        op_mix(w);
    else
        op_twin(w);
    if (below(w, 100) < c->fail) {
        struct engine_rig_lane *lane = &w->rig.lanes[some_lane(w)];
        lane->fails[lane->taken + 1 + below(w, 3)] = true;
    }
}

static void check_piece(struct rig_world *w, uint32_t b, uint32_t at, struct tally *tally)
{
    struct submit_arg arg = engine_rig_arg(w->buffers[b], FGPU_READ, at, PIECE);
    struct submit_request request = {.kind = TASK_MAP,
                                     .flags = TASK_F_UNLISTED,
                                     .arg_count = 1,
                                     .args = &arg,
                                     .kernel = TASK_NONE,
                                     .pin = TASK_DEVICE_ANY};
    uint32_t map = engine_rig_submit(&w->rig, &request, TASK_NONE);
    engine_rig_finish(&w->rig);
    if (engine_rig_state(&w->rig, map) != FGPU_TASK_RUNNING) {
        assert_true(engine_rig_state(&w->rig, map) > FGPU_TASK_DONE); /* nothing hangs */
        engine_forget(&w->rig.engine, map);
        tally->gone++;
        return;
    }
    assert_memory_equal(engine_map_address(&w->rig.engine, map), &w->model[b][at], PIECE);
    engine_unmap(&w->rig.engine, map);
    tally->right++;
}

static void run_seed(const struct lineage_case *c, uint64_t seed, struct tally *tally)
{
    struct rig_world *w = &world;
    uint32_t queues[4];
    memset(w, 0, sizeof *w);
    rng_init(&w->rng, seed);
    w->devices = 2 + below(w, 3);
    w->last = TASK_NONE;
    for (uint32_t d = 0; d < w->devices; d++)
        queues[d] = 1 + below(w, 2);
    engine_rig_open(&w->rig, queues, w->devices, 0, 0);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        w->buffers[b] = engine_rig_buffer(&w->rig, BYTES, NULL);
        engine_rig_fill(&w->rig, w->buffers[b], 0, BYTES, (uint8_t)b, TASK_DEVICE_ANY);
        memset(w->model[b], (int)b, BYTES);
    }
    for (uint32_t i = 0; i < OPS; i++) {
        run_op(w, c);
        while (below(w, 3) == 0)
            advance(w);
        let_one_go(w, below(w, 16));
        if (below(w, 40) == 0)
            lose(w, tally);
    }
    while (w->held_count > 0) {
        uint32_t before = w->held_count;
        engine_rig_finish(&w->rig);
        for (uint32_t i = w->held_count; i > 0; i--)
            let_one_go(w, i - 1);
        assert_true(w->held_count < before);
    }
    lose(w, tally);
    engine_rig_finish(&w->rig);
    assert_int_equal(w->rig.engine.pending_tasks, 0);
    for (uint32_t b = 0; b < BUFFERS; b++)
        for (uint32_t at = 0; at < BYTES; at += PIECE)
            check_piece(w, b, at, tally);
    tally->recomputed += w->rig.engine.stats.tasks_recomputed;
    engine_rig_close(&w->rig);
}

static void test_lineage(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tally tally = {0};
        for (uint64_t n = 0; n < count; n++) {
            if (getenv("FASTGPU_TEST_SEED") != NULL)
                seed_print("test_lineage", first + n);
            run_seed(&cases[i], first + n, &tally);
        }
        fprintf(stderr, "%s: %llu losses, %llu tasks recomputed, %llu pieces right, %llu gone\n",
                cases[i].name, (unsigned long long)tally.losses,
                (unsigned long long)tally.recomputed, (unsigned long long)tally.right,
                (unsigned long long)tally.gone);
        assert_true(tally.losses > 0 && tally.right > 0);
        assert_true(count < 10 || tally.recomputed > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lineage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
