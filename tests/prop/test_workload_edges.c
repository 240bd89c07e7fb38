/* The edges between tasks of random small workloads against a map of bytes: each byte knows who has
 * touched it and how, every pair of tasks is looked at, and what follows from what (the transitive
 * closure) must be equal. Edges are sorted, none stands twice, and each has a reason of its own: a
 * byte that both touch, or `after`. The sets of rectangles below them against a map of cells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "cli/workload/rect_set.h"
#include "cli/workload/workload_edges.h"
#include "lib/seed.h"

#define TASKS 14
#define ARGS 3
#define BUFFERS 3
#define BYTES 60
#define SEEDS 4000
#define SIDE 12

struct made {
    struct workload workload;
    struct workload_buffer buffers[BUFFERS];
    struct workload_task tasks[TASKS];
    struct workload_arg args[TASKS * ARGS];
    uint32_t after[TASKS * 2], order[TASKS];
};

static uint64_t seed;

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            seed_print("prop/workload_edges", seed);                                               \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

/* Spans, rows of a usual pitch or of another one, the whole buffer; all forms that a region takes.
 */
static fgpu_region draw_region(struct rng *rng, uint64_t usual)
{
    uint64_t pitch = rng_below(rng, 4) ? usual : 2 + rng_below(rng, 15);
    uint64_t row_bytes = 1 + rng_below(rng, pitch), rows = 1 + rng_below(rng, BYTES / pitch);
    uint64_t length = (rows - 1) * pitch + row_bytes, span = 1 + rng_below(rng, BYTES);

    switch (rng_below(rng, 6)) {
    case 0:
        return fgpu_region_whole();
    case 1:
        return fgpu_region_span(rng_below(rng, BYTES - span + 1), span);
    case 2: /* the short form: rows and pitch left out */
        return (fgpu_region){.offset_bytes = rng_below(rng, BYTES - row_bytes + 1),
                             .row_bytes = row_bytes};
    default:
        return fgpu_region_rect(rng_below(rng, BYTES - length + 1), row_bytes, pitch, rows);
    }
}

static void make_args(struct made *made, struct workload_task *task, struct rng *rng)
{
    static const fgpu_access accesses[] = {FGPU_READ,   FGPU_READ,       FGPU_READ,
                                           FGPU_WRITE,  FGPU_READ_WRITE, FGPU_ACCESS_DEFAULT,
                                           FGPU_REDUCE, FGPU_REDUCE};

    task->arg_first = made->workload.arg_count;
    task->arg_count = (uint32_t)rng_below(rng, ARGS + 1);
    for (uint32_t a = 0; a < task->arg_count; a++) {
        struct workload_arg *arg = &made->args[made->workload.arg_count++];
        *arg = (struct workload_arg){.kind = FGPU_ARG_SCALAR};
        if (rng_below(rng, 8) == 0)
            continue;
        arg->kind = FGPU_ARG_BUFFER;
        arg->buffer = (uint32_t)rng_below(rng, made->workload.buffer_count);
        arg->access = accesses[rng_below(rng, 8)];
        arg->region = draw_region(rng, 4 + arg->buffer * 3);
    }
}

static void make_workload(struct made *made, struct rng *rng)
{
    struct workload *w = &made->workload;

    *made = (struct made){0};
    *w = (struct workload){.buffers = made->buffers,
                           .tasks = made->tasks,
                           .args = made->args,
                           .after = made->after,
                           .order = made->order,
                           .task_count = 1 + (uint32_t)rng_below(rng, TASKS),
                           .buffer_count = 1 + (uint32_t)rng_below(rng, BUFFERS)};
    for (uint32_t b = 0; b < w->buffer_count; b++)
        made->buffers[b].size_bytes = BYTES;
    for (uint32_t i = 0; i < w->task_count; i++) {
        uint32_t at = (uint32_t)rng_below(rng, i + 1);
        made->order[i] = made->order[at];
        made->order[at] = i;
        make_args(made, &made->tasks[i], rng);
    }
    for (uint32_t i = 1; i < w->task_count; i++) {
        struct workload_task *task = &made->tasks[made->order[i]];
        task->after_first = w->after_count;
        for (; task->after_count < 2 && rng_below(rng, 8) == 0; task->after_count++)
            made->after[w->after_count++] = made->order[rng_below(rng, i)];
    }
}

/* How a task touches each byte: bit 0 reads, bit 1 writes, bit 2 reduces. */
static void touch(const struct workload *w, uint32_t task, uint8_t map[BUFFERS][BYTES])
{
    memset(map, 0, (size_t)BUFFERS * BYTES);
    for (uint32_t a = 0; a < w->tasks[task].arg_count; a++) {
        const struct workload_arg *arg = &w->args[w->tasks[task].arg_first + a];
        fgpu_region r = arg->region;
        uint8_t how = arg->access == FGPU_ACCESS_DEFAULT ? 3 : (uint8_t)arg->access;
        if (arg->kind != FGPU_ARG_BUFFER)
            continue;
        if (r.row_bytes == 0)
            r.row_bytes = BYTES;
        for (uint64_t row = 0; row < (r.rows ? r.rows : 1); row++)
            for (uint64_t i = 0; i < r.row_bytes; i++)
                map[arg->buffer][r.offset_bytes + row * r.pitch_bytes + i] |= how;
    }
}

/* [in] first: of the earlier task. Who reduces waits for nobody. */
static bool conflict(const struct workload *w, uint32_t a, uint32_t b)
{
    uint8_t first[BUFFERS][BYTES], second[BUFFERS][BYTES];

    touch(w, a, first);
    touch(w, b, second);
    for (int i = 0; i < BUFFERS; i++)
        for (int j = 0; j < BYTES; j++)
            if (first[i][j] && (second[i][j] & 3) &&
                ((first[i][j] & 4) || ((first[i][j] | second[i][j]) & 2)))
                return true;
    return false;
}

static bool is_after(const struct workload *w, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < w->tasks[to].after_count; i++)
        if (w->after[w->tasks[to].after_first + i] == from)
            return true;
    return false;
}

/* S. Warshall: A theorem on Boolean matrices, 1962. */
static void close_over(bool graph[TASKS][TASKS])
{
    for (int k = 0; k < TASKS; k++)
        for (int i = 0; i < TASKS; i++)
            for (int j = 0; j < TASKS; j++)
                graph[i][j] |= graph[i][k] && graph[k][j];
}

static void check_edges(const struct workload *w)
{
    bool wanted[TASKS][TASKS] = {{false}}, found[TASKS][TASKS] = {{false}};
    struct workload_edges edges;

    REQUIRE(workload_edges_init(&edges, w) == FGPU_OK);
    for (uint32_t i = 0; i < w->task_count; i++)
        for (uint32_t j = 0; j < i; j++) {
            uint32_t from = w->order[j], to = w->order[i];
            wanted[from][to] = conflict(w, from, to) || is_after(w, from, to);
        }
    for (uint32_t i = 0; i < edges.count; i++) {
        struct workload_edge edge = edges.items[i];
        REQUIRE(edge.from < w->task_count && edge.to < w->task_count);
        REQUIRE(wanted[edge.from][edge.to]);
        REQUIRE(i == 0 || edges.items[i - 1].to < edge.to ||
                (edges.items[i - 1].to == edge.to && edges.items[i - 1].from < edge.from));
        found[edge.from][edge.to] = true;
    }
    close_over(wanted);
    close_over(found);
    REQUIRE(memcmp(wanted, found, sizeof wanted) == 0);
    workload_edges_fini(&edges);
}

static void test_edges(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(SEEDS);
    struct made made;
    struct rng rng;

    (void)state;
    for (seed = first; seed < first + count; seed++) {
        rng_init(&rng, seed);
        make_workload(&made, &rng);
        check_edges(&made.workload);
    }
}

/* ---- what follows from others is left out */

#define MANY 600

/* Tasks in the order of their numbers, each with one region of the only buffer. */
struct many {
    struct workload workload;
    struct workload_buffer buffer;
    struct workload_task tasks[MANY];
    struct workload_arg args[MANY];
    uint32_t order[MANY];
};

static void many_add(struct many *many, fgpu_access access, fgpu_region region)
{
    uint32_t at = many->workload.task_count++;

    assert_true(at < MANY);
    many->workload.arg_count++;
    many->order[at] = at;
    many->args[at] =
        (struct workload_arg){.kind = FGPU_ARG_BUFFER, .access = access, .region = region};
    many->tasks[at] = (struct workload_task){.arg_first = at, .arg_count = 1};
}

static void many_check(struct many *many, uint32_t wanted)
{
    struct workload *w = &many->workload;
    struct workload_edges edges;

    many->buffer.size_bytes = 4096;
    w->buffers = &many->buffer;
    w->buffer_count = 1;
    w->tasks = many->tasks;
    w->args = many->args;
    w->order = many->order;
    assert_int_equal(workload_edges_init(&edges, w), FGPU_OK);
    assert_int_equal(edges.count, wanted);
    workload_edges_fini(&edges);
    *many = (struct many){.workload = {.task_count = 0}};
}

static void test_few_edges(void **state)
{
    static struct many many;

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) /* each behind the one before only */
        many_add(&many, FGPU_WRITE, fgpu_region_whole());
    many_check(&many, MANY - 1);
    for (uint32_t i = 0; i < MANY; i++) /* readers of what nobody writes */
        many_add(&many, FGPU_READ, fgpu_region_whole());
    many_check(&many, 0);
    /* Ten times: 8 x 4 tiles are written, then three tasks read everything. A tile behind the three
     * readers, and these behind all tiles; of the first time, tiles behind nobody. */
    for (uint32_t round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 32; i++)
            many_add(&many, FGPU_WRITE, fgpu_region_rect(i / 4 * 512 + i % 4 * 16, 16, 64, 8));
        for (uint32_t i = 0; i < 3; i++)
            many_add(&many, FGPU_READ, fgpu_region_whole());
    }
    many_check(&many, 10 * 32 * 3 + 9 * 32 * (3 + 1));
}

/* ---- rectangles; a cell holds the owners that were put there since it was last cut */

static struct rect draw_rect(struct rng *rng)
{
    struct rect rect = {.row_begin = rng_below(rng, SIDE), .column_begin = rng_below(rng, SIDE)};

    rect.row_end = rect.row_begin + 1 + rng_below(rng, SIDE - rect.row_begin);
    rect.column_end = rect.column_begin + 1 + rng_below(rng, SIDE - rect.column_begin);
    return rect;
}

static uint64_t owners_in(uint64_t cells[SIDE][SIDE], const struct rect *rect, uint64_t keep)
{
    uint64_t owners = 0;

    for (uint64_t row = rect->row_begin; row < rect->row_end; row++)
        for (uint64_t column = rect->column_begin; column < rect->column_end; column++) {
            owners |= cells[row][column];
            cells[row][column] &= keep;
        }
    return owners;
}

static uint64_t hits_of(const struct rect_set *set)
{
    uint64_t hits = 0;

    for (uint32_t i = 0; i < set->hit_count; i++)
        hits |= UINT64_C(1) << set->hits[i];
    return hits;
}

static void test_rectangles(void **state)
{
    uint64_t first = seed_get(1), count = seed_count(300);
    struct rect_set set;
    struct rng rng;

    (void)state;
    rect_set_init(&set);
    for (seed = first; seed < first + count; seed++) {
        uint64_t cells[SIDE][SIDE] = {{0}};
        rng_init(&rng, seed);
        rect_set_clear(&set);
        for (uint32_t step = 0; step < 150; step++) {
            struct rect rect = draw_rect(&rng);
            uint32_t owner = (uint32_t)rng_below(&rng, 64), what = (uint32_t)rng_below(&rng, 4);
            if (what > 1) {
                REQUIRE(rect_set_add(&set, &rect, owner));
                for (uint64_t row = rect.row_begin; row < rect.row_end; row++)
                    for (uint64_t column = rect.column_begin; column < rect.column_end; column++)
                        cells[row][column] |= UINT64_C(1) << owner;
                continue;
            }
            uint64_t wanted = owners_in(cells, &rect, what == 0 ? UINT64_MAX : 0);
            REQUIRE(what == 0 ? rect_set_find(&set, &rect) : rect_set_cut(&set, &rect));
            REQUIRE(hits_of(&set) == wanted);
        }
    }
    rect_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_few_edges),
        cmocka_unit_test(test_rectangles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
