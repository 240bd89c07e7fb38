/* The generators of task graphs: counts against closed forms, floating point operations against the
 * textbook's totals, dependencies (who wrote last what a task touches) against an enumeration that
 * knows the algorithms and not the order of submission, and mistakes against their sentences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "cli/sim/sim_generate.h"

#define NONE UINT32_MAX

static struct sim_graph make(const char *text)
{
    struct sim_graph graph;
    char why[CLI_WHY_BYTES] = "";

    sim_graph_init(&graph);
    graph.wants_names = true;
    if (sim_generate(text, &graph, why, sizeof why) != FGPU_OK)
        fail_msg("%s: %s", text, why);
    return graph;
}

/* Sums of whole numbers and thirds of them: rounding alone. */
static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * b;
}

static uint32_t find(const struct sim_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->task_count; i++)
        if (strcmp(sim_graph_task_name(graph, i), name) == 0)
            return i;
    fail_msg("there is no task %s", name);
    return NONE;
}

/* The last writer before each task of each of its data, by access; NONE: nobody. Fails where
 * something is overwritten that others than its writer have read: these graphs have no such
 * dependency unless `may_overwrite`. The caller frees. */
static uint32_t *writers(const struct sim_graph *graph, bool may_overwrite)
{
    uint32_t *last = malloc(graph->data_count * sizeof *last);
    uint32_t *readers = calloc(graph->data_count, sizeof *readers);
    uint32_t *found = malloc((graph->access_count + 1) * sizeof *found);

    assert_non_null(last);
    assert_non_null(readers);
    assert_non_null(found);
    memset(last, 0xff, graph->data_count * sizeof *last);
    for (uint32_t i = 0; i < graph->task_count; i++) {
        const struct sim_task *task = &graph->tasks[i];
        for (uint32_t k = task->access_first; k < task->access_first + task->access_count; k++) {
            const fgpu_sim_access *access = &graph->accesses[k];
            assert_in_range(access->data, 0, graph->data_count - 1);
            found[k] = last[access->data];
            if (access->mode == FGPU_READ)
                readers[access->data]++;
            else if (!may_overwrite)
                assert_int_equal(readers[access->data], 0);
        }
        for (uint32_t k = task->access_first; k < task->access_first + task->access_count; k++)
            if (graph->accesses[k].mode != FGPU_READ) {
                last[graph->accesses[k].data] = i;
                readers[graph->accesses[k].data] = 0;
            }
    }
    free(last);
    free(readers);
    return found;
}

/* Are the tasks that `name` depends on exactly those of the list? NULL closes it. */
static void check_after(const struct sim_graph *graph, const uint32_t *found, const char *name,
                        const char *const *wanted)
{
    uint32_t number = find(graph, name), count = 0, seen = 0;
    const struct sim_task *task = &graph->tasks[number];

    for (; wanted[count]; count++) {
        uint32_t want = find(graph, wanted[count]);
        bool is_there = false;
        assert_true(want < number);
        for (uint32_t k = 0; k < task->access_count; k++)
            is_there |= found[task->access_first + k] == want;
        if (!is_there)
            fail_msg("%s does not depend on %s", name, wanted[count]);
    }
    for (uint32_t k = 0; k < task->access_count; k++)
        seen += found[task->access_first + k] != NONE;
    assert_int_equal(seen, count);
}

/* ---- Cholesky */

static const char *text3(char room[64], const char *kernel, uint32_t a, uint32_t b, uint32_t c)
{
    if (b == NONE)
        (void)snprintf(room, 64, "%s %u", kernel, a);
    else if (c == NONE)
        (void)snprintf(room, 64, "%s %u %u", kernel, a, b);
    else
        (void)snprintf(room, 64, "%s %u %u %u", kernel, a, b, c);
    return room;
}

/* A[m][n] -= L[m][k] L[n][k]; L[k][k] = chol(A[k][k]); L[m][k] = A[m][k] / L[k][k]. */
static void check_cholesky_step(const struct sim_graph *graph, const uint32_t *found, uint32_t n,
                                uint32_t k)
{
    char name[64], a[64], b[64], c[64];
    const char *wanted[4] = {NULL};

    wanted[0] = k > 0 ? text3(a, "syrk", k - 1, k, NONE) : NULL;
    check_after(graph, found, text3(name, "potrf", k, NONE, NONE), wanted);
    for (uint32_t m = k + 1; m < n; m++) {
        wanted[0] = text3(a, "potrf", k, NONE, NONE);
        wanted[1] = k > 0 ? text3(b, "gemm", k - 1, m, k) : NULL;
        wanted[2] = NULL;
        check_after(graph, found, text3(name, "trsm", k, m, NONE), wanted);
        wanted[0] = text3(a, "trsm", k, m, NONE);
        wanted[1] = k > 0 ? text3(b, "syrk", k - 1, m, NONE) : NULL;
        check_after(graph, found, text3(name, "syrk", k, m, NONE), wanted);
        for (uint32_t j = k + 1; j < m; j++) {
            wanted[0] = text3(a, "trsm", k, m, NONE);
            wanted[1] = text3(b, "trsm", k, j, NONE);
            wanted[2] = k > 0 ? text3(c, "gemm", k - 1, m, j) : NULL;
            check_after(graph, found, text3(name, "gemm", k, m, j), wanted);
        }
    }
}

static void test_cholesky(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 7; n++) {
        char text[64];
        (void)snprintf(text, sizeof text, "cholesky:tiles=%u,tile=3,element=8", n);
        struct sim_graph graph = make(text);
        uint32_t *found = writers(&graph, false);
        assert_int_equal(graph.task_count, n * (n + 1) * (n + 2) / 6);
        assert_int_equal(graph.data_count, n * (n + 1) / 2);
        assert_int_equal(graph.data_bytes[0], 72);
        assert_true(is_near(graph.flops, (3.0 * n) * (3.0 * n) * (3.0 * n) / 3));
        for (uint32_t k = 0; k < n; k++)
            check_cholesky_step(&graph, found, n, k);
        free(found);
        sim_graph_fini(&graph);
    }
}

/* The order of submission and the priorities, by hand for three tiles. */
static void test_cholesky_order(void **state)
{
    static const struct {
        const char *name;
        int32_t priority;
    } wanted[] = {{"potrf 0", 6},    {"trsm 0 1", 5}, {"trsm 0 2", 4}, {"syrk 0 1", 5},
                  {"gemm 0 2 1", 3}, {"syrk 0 2", 4}, {"potrf 1", 4},  {"trsm 1 2", 2},
                  {"syrk 1 2", 2},   {"potrf 2", 2}};
    struct sim_graph graph = make("cholesky:tiles=3,tile=960");

    (void)state;
    assert_int_equal(graph.task_count, sizeof wanted / sizeof wanted[0]);
    for (uint32_t i = 0; i < graph.task_count; i++) {
        assert_string_equal(sim_graph_task_name(&graph, i), wanted[i].name);
        assert_int_equal(graph.tasks[i].priority, wanted[i].priority);
        assert_int_equal(graph.tasks[i].size, 960);
    }
    assert_int_equal(graph.data_bytes[0], 4 * 960 * 960);
    sim_graph_fini(&graph);
}

/* Updates are made of rows; what is read whole is what all rows of the result need. */
static void test_cholesky_divisible(void **state)
{
    struct sim_graph graph = make("cholesky:tiles=3,tile=100,divisible=8");

    (void)state;
    assert_int_equal(graph.task_count, 10);
    for (uint32_t i = 0; i < graph.task_count; i++) {
        const struct sim_task *task = &graph.tasks[i];
        bool divisible = strncmp(sim_graph_task_name(&graph, i), "potrf", 5) != 0;
        uint32_t whole = 0;
        for (uint32_t a = 0; a < task->access_count; a++)
            whole += (graph.accesses[task->access_first + a].mode & FGPU_SIM_WHOLE) != 0;
        assert_int_equal(task->parts, divisible ? 13 : 0);
        assert_int_equal(whole, divisible);
    }
    sim_graph_fini(&graph);
    graph = make("lu:tiles=2,tile=100");
    assert_int_equal(graph.tasks[2].parts, 0);
    sim_graph_fini(&graph);
    graph = make("gemm:tiles=2,tile=100,divisible=100");
    assert_int_equal(graph.tasks[0].parts, 1);
    assert_int_equal(graph.accesses[1].mode, FGPU_READ);
    sim_graph_fini(&graph);
}

/* 9600 in 886 ms are 332.8 GFlop/s in the published table, whose milliseconds are rounded. */
static void test_cholesky_flops(void **state)
{
    struct sim_graph graph = make("cholesky:tiles=10,tile=960");
    double low = graph.flops / 886.5e6, high = graph.flops / 885.5e6;

    (void)state;
    assert_true(low < 332.85 && high > 332.75);
    sim_graph_fini(&graph);
    graph = make("cholesky:tiles=20,tile=960");
    assert_true(graph.flops / 1441.5e6 < 1636.95 && graph.flops / 1440.5e6 > 1636.85);
    sim_graph_fini(&graph);
}

/* ---- LU */

static void check_lu_step(const struct sim_graph *graph, const uint32_t *found, uint32_t n,
                          uint32_t k)
{
    char name[64], a[64], b[64], c[64];
    const char *wanted[4] = {NULL};

    wanted[0] = k > 0 ? text3(a, "gemm", k - 1, k, k) : NULL;
    check_after(graph, found, text3(name, "getrf", k, NONE, NONE), wanted);
    for (uint32_t i = k + 1; i < n; i++) {
        wanted[0] = text3(a, "getrf", k, NONE, NONE);
        wanted[2] = NULL;
        wanted[1] = k > 0 ? text3(b, "gemm", k - 1, i, k) : NULL; /* row k, column i */
        check_after(graph, found, text3(name, "trsm left", k, i, NONE), wanted);
        wanted[1] = k > 0 ? text3(b, "gemm", k - 1, k, i) : NULL;
        check_after(graph, found, text3(name, "trsm right", k, i, NONE), wanted);
        for (uint32_t j = k + 1; j < n; j++) { /* A[j][i] -= L[j][k] U[k][i] */
            wanted[0] = text3(a, "trsm left", k, i, NONE);
            wanted[1] = text3(b, "trsm right", k, j, NONE);
            wanted[2] = k > 0 ? text3(c, "gemm", k - 1, i, j) : NULL;
            check_after(graph, found, text3(name, "gemm", k, i, j), wanted);
        }
    }
}

static void test_lu(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 6; n++) {
        char text[64];
        (void)snprintf(text, sizeof text, "lu:tiles=%u,tile=3", n);
        struct sim_graph graph = make(text);
        uint32_t *found = writers(&graph, false);
        assert_int_equal(graph.task_count, n * (n + 1) * (2 * n + 1) / 6);
        assert_true(is_near(graph.flops, 2 * (3.0 * n) * (3.0 * n) * (3.0 * n) / 3));
        for (uint32_t k = 0; k < n; k++)
            check_lu_step(&graph, found, n, k);
        assert_string_equal(graph.kernels[graph.tasks[0].kernel].instead, "potrf");
        free(found);
        sim_graph_fini(&graph);
    }
}

/* ---- the others */

static void test_gemm(void **state)
{
    struct sim_graph graph = make("gemm:tiles=4,depth=3,tile=10");
    uint32_t *found = writers(&graph, false);

    (void)state;
    assert_int_equal(graph.task_count, 4 * 4 * 3);
    assert_int_equal(graph.data_count, 4 * 3 + 3 * 4 + 4 * 4);
    assert_true(is_near(graph.flops, 2.0 * 40 * 40 * 30));
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            for (uint32_t k = 0; k < 3; k++) {
                char name[64], before[64];
                const char *wanted[2] = {k > 0 ? text3(before, "gemm", i, j, k - 1) : NULL};
                check_after(&graph, found, text3(name, "gemm", i, j, k), wanted);
            }
    free(found);
    sim_graph_fini(&graph);
    graph = make("gemm:tiles=5");
    assert_int_equal(graph.task_count, 125);
    sim_graph_fini(&graph);
}

static void test_wavefront(void **state)
{
    struct sim_graph graph = make("wavefront:n=6,cost_us=2.5,bytes=100");
    uint32_t *found = writers(&graph, false);
    char name[64], up[64], left[64];

    (void)state;
    assert_int_equal(graph.task_count, 36);
    for (uint32_t i = 0; i < 6; i++)
        for (uint32_t j = 0; j < 6; j++) {
            const char *wanted[3] = {NULL};
            uint32_t count = 0;
            (void)snprintf(name, sizeof name, "%u %u", i, j);
            if (i > 0) {
                (void)snprintf(up, sizeof up, "%u %u", i - 1, j);
                wanted[count++] = up;
            }
            if (j > 0) {
                (void)snprintf(left, sizeof left, "%u %u", i, j - 1);
                wanted[count++] = left;
            }
            check_after(&graph, found, name, wanted);
        }
    assert_true(is_near(graph.tasks[7].cost_ns, 2500));
    assert_int_equal(graph.data_bytes[7], 100);
    assert_string_equal(graph.kernels[0].name, "task");
    free(found);
    sim_graph_fini(&graph);
}

static void test_layers(void **state)
{
    struct sim_graph graph = make("layers:layers=5,width=4,fanin=2,kernel=syrk,size=320");
    uint32_t *found = writers(&graph, false);
    char name[64], first[64], second[64];

    (void)state;
    assert_int_equal(graph.task_count, 20);
    for (uint32_t layer = 0; layer < 5; layer++)
        for (uint32_t i = 0; i < 4; i++) {
            const char *wanted[3] = {NULL};
            (void)snprintf(name, sizeof name, "layer %u task %u", layer, i);
            (void)snprintf(first, sizeof first, "layer %u task %u", layer - 1, i);
            (void)snprintf(second, sizeof second, "layer %u task %u", layer - 1, (i + 1) % 4);
            wanted[0] = layer > 0 ? first : NULL;
            wanted[1] = layer > 0 ? second : NULL;
            check_after(&graph, found, name, wanted);
        }
    assert_string_equal(graph.kernels[0].name, "syrk");
    assert_true(is_near(graph.tasks[0].flops, 320.0 * 320 * 320));
    free(found);
    sim_graph_fini(&graph);
    graph = make("layers:width=2,fanin=9"); /* no wider than the layer before */
    assert_int_equal(graph.tasks[graph.task_count - 1].access_count, 3);
    sim_graph_fini(&graph);
}

static void test_independent_and_chain(void **state)
{
    struct sim_graph graph = make("independent:tasks=9");
    uint32_t *found = writers(&graph, false);

    (void)state;
    assert_int_equal(graph.task_count, 9);
    for (uint32_t i = 0; i < graph.access_count; i++)
        assert_int_equal(found[i], NONE);
    free(found);
    sim_graph_fini(&graph);
    graph = make("chain:tasks=9,bytes=8");
    found = writers(&graph, false);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(found[i], i > 0 ? i - 1 : NONE);
    free(found);
    sim_graph_fini(&graph);
}

static bool is_equal(const struct sim_graph *a, const struct sim_graph *b)
{
    if (a->task_count != b->task_count || a->access_count != b->access_count ||
        a->data_count != b->data_count)
        return false;
    for (uint32_t i = 0; i < a->task_count; i++)
        if (a->tasks[i].kernel != b->tasks[i].kernel || a->tasks[i].size != b->tasks[i].size)
            return false;
    return memcmp(a->data_bytes, b->data_bytes, a->data_count * sizeof *a->data_bytes) == 0 &&
           memcmp(a->accesses, b->accesses, a->access_count * sizeof *a->accesses) == 0;
}

static void test_random(void **state)
{
    static const char text[] = "random:seed=7,tasks=4000,degree=3,kernels=gemm+odd,sizes=10+20+30";
    struct sim_graph graph = make(text), again = make(text);
    struct sim_graph other =
        make("random:seed=8,tasks=4000,degree=3,kernels=gemm+odd,sizes=10+20+30");
    uint32_t by_size[4] = {0}, odd = 0;

    (void)state;
    assert_true(is_equal(&graph, &again));
    assert_false(is_equal(&graph, &other));
    assert_int_equal(graph.task_count, 4000);
    assert_int_equal(graph.data_count, 1000);
    free(writers(&graph, true));
    for (uint32_t i = 0; i < 4000; i++) {
        const struct sim_task *task = &graph.tasks[i];
        assert_in_range(task->access_count, 1, 7);
        by_size[task->size / 10]++;
        odd += task->kernel;
        for (uint32_t a = 0; a < task->access_count; a++)
            for (uint32_t b = 0; b < a; b++)
                assert_int_not_equal(graph.accesses[task->access_first + a].data,
                                     graph.accesses[task->access_first + b].data);
    }
    /* Six standard deviations: reads 1 +- 2 x sqrt(4000); a third of 4000 +- 30; half +- 32. */
    assert_in_range(graph.access_count, 4000 + 4000 * 3 - 760, 4000 + 4000 * 3 + 760);
    for (uint32_t i = 1; i <= 3; i++)
        assert_in_range(by_size[i], 1333 - 180, 1333 + 180);
    assert_in_range(odd, 2000 - 192, 2000 + 192);
    sim_graph_fini(&graph);
    sim_graph_fini(&again);
    sim_graph_fini(&other);
}

/* ---- words */

static void test_defaults(void **state)
{
    (void)state;
    for (uint32_t i = 0; sim_generator_at(i); i++) {
        const struct sim_generator *generator = sim_generator_at(i);
        char text[64];
        assert_in_range(generator->param_count, 1, SIM_PARAMS);
        (void)snprintf(text, sizeof text, "%s:", generator->name);
        struct sim_graph graph = make(generator->name), same = make(text);
        assert_true(graph.task_count > 0 && is_equal(&graph, &same));
        assert_true(graph.name[0] != '\0');
        sim_graph_fini(&graph);
        sim_graph_fini(&same);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"cholesk",
         "cholesk: there is no such generator; there are cholesky, lu, gemm, wavefront, layers, "
         "random, independent, chain; the nearest is cholesky"},
        {"", ": there is no such generator;"},
        {"cholesky:til=3",
         "cholesky has no parameter til; it has tiles, tile, element, divisible; the nearest "
         "is tile"},
        {"cholesky:tiles", "cholesky: tiles: want NAME=VALUE, with commas between"},
        {"cholesky:tiles=0", "cholesky: tiles=0: want a whole number from 1 to 400"},
        {"cholesky:tiles=401", "tiles=401: want a whole number from 1 to 400"},
        {"cholesky:tiles=2.5", "tiles=2.5: want a whole number"},
        {"cholesky:tiles=-2", "tiles=-2: want a whole number"},
        {"cholesky:tiles=0x10", "tiles=0x10: want a whole number"},
        {"cholesky:tiles=", "tiles=: want a whole number"},
        {"cholesky:tiles=2,tiles=3", "cholesky: tiles is given twice"},
        {"wavefront:cost_us=nan", "cost_us=nan: want a number from 0 to 1000000000000"},
        {"wavefront:kernel=a+b", "wavefront: kernel: want at most 1, joined by +"},
        {"random:kernels=a+", "random: kernels=: want names of 1 to 63 bytes, joined by +"},
        {"random:sizes=1+2+3+4+5+6+7+8+9", "random: sizes: want at most 8, joined by +"},
        {"layers:layers=1000000,width=1000000",
         "these are 1000000000000 tasks; the limit is 16777216"},
        {"independent:bytes=1000000000000,tasks=100", "together above 64 TiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sim_graph graph;
        char why[CLI_WHY_BYTES] = "";
        sim_graph_init(&graph);
        fgpu_status status = sim_generate(wrong[i].text, &graph, why, sizeof why);
        if ((status != FGPU_E_INVAL && status != FGPU_E_LIMIT) || !strstr(why, wrong[i].why))
            fail_msg("%s: status %d, \"%s\"", wrong[i].text, status, why);
        sim_graph_fini(&graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cholesky),
        cmocka_unit_test(test_cholesky_order),
        cmocka_unit_test(test_cholesky_divisible),
        cmocka_unit_test(test_cholesky_flops),
        cmocka_unit_test(test_lu),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_wavefront),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_independent_and_chain),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
