/* Random graphs, launched on the cpu device, against a naive reading of the contract.
 *
 * Buffers have 64 elements, so that what a node reads and writes is one word of bits. The oracle
 * compares all pairs of nodes: one waits for another when it was told to, or when their bits
 * conflict and it was recorded later. It picks the smallest free node again and again; where none
 * is free there must be a cycle, and the cycle that is named must be one. Kernels note when they
 * begin and end. FASTGPU_TEST_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastgpu/fastgpu.h>
#include "api/graph.h"
#include "base/atomic.h"
#include "base/rng.h"
#include "lib/seed.h"

#define BUFFERS 4
#define ELEMENTS 64
#define NODES 24
#define LAUNCHES 3

/* A region of elements. */
struct span {
    uint32_t buffer, first, length, rows, pitch;
};

/* What a kernel is told: dst = dst * 3 + src + k where it reads dst too, else src ^ k. */
struct order_told {
    uint32_t node, length, rows, dst_pitch, src_pitch, k, keeps;
};

struct node {
    struct span dst, src;
    struct order_told told;
    uint64_t reads[BUFFERS], writes[BUFFERS];
};

struct plan {
    uint32_t count;
    struct node nodes[NODES];
    bool waits[NODES][NODES]; /* [node][on]: explicit */
};

static _Atomic uint32_t moment, began[NODES], ended[NODES];

static int kernel_mix(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)user;
    uint32_t *dst = args[0];
    const uint32_t *src = args[1];
    const struct order_told *told = args[2];
    atomic_store_seqcst_u32(&began[told->node], atomic_add_seqcst_u32(&moment, 1));
    for (uint32_t row = 0; row < told->rows; row++) {
        for (uint32_t i = 0; i < told->length; i++) {
            uint32_t *to = &dst[row * told->dst_pitch + i];
            uint32_t from = src[row * told->src_pitch + i];
            *to = told->keeps ? *to * 3 + from + told->k : from ^ told->k;
        }
    }
    atomic_store_seqcst_u32(&ended[told->node], atomic_add_seqcst_u32(&moment, 1));
    return 0;
}

/* ---- making plans */

static uint64_t span_bits(const struct span *span)
{
    uint64_t bits = 0;
    for (uint32_t row = 0; row < span->rows; row++)
        for (uint32_t i = 0; i < span->length; i++)
            bits |= UINT64_C(1) << (span->first + row * span->pitch + i);
    return bits;
}

static struct span random_span(struct rng *rng, uint32_t length, uint32_t rows)
{
    struct span span = {.length = length, .rows = rows};
    span.buffer = (uint32_t)rng_below(rng, BUFFERS);
    span.pitch = length + (rows > 1 ? (uint32_t)rng_below(rng, 5) : 0);
    uint32_t reach = (rows - 1) * span.pitch + length;
    span.first = (uint32_t)rng_below(rng, ELEMENTS - reach + 1);
    return span;
}

static void random_node(struct rng *rng, struct node *node, uint32_t number)
{
    memset(node, 0, sizeof *node);
    uint32_t rows = rng_below(rng, 3) == 0 ? 2 + (uint32_t)rng_below(rng, 3) : 1;
    uint32_t length = 1 + (uint32_t)rng_below(rng, rows > 1 ? 8 : 24);
    node->dst = random_span(rng, length, rows);
    do
        node->src = random_span(rng, length, rows);
    while (node->src.buffer == node->dst.buffer);
    node->told = (struct order_told){.node = number,
                                     .length = length,
                                     .rows = rows,
                                     .dst_pitch = node->dst.pitch,
                                     .src_pitch = node->src.pitch,
                                     .k = (uint32_t)rng_u64(rng),
                                     .keeps = (uint32_t)rng_below(rng, 2)};
    node->reads[node->src.buffer] = span_bits(&node->src);
    node->writes[node->dst.buffer] = span_bits(&node->dst);
    if (node->told.keeps)
        node->reads[node->dst.buffer] |= span_bits(&node->dst);
}

static void random_plan(struct rng *rng, struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->count = 2 + (uint32_t)rng_below(rng, NODES - 1);
    for (uint32_t i = 0; i < plan->count; i++)
        random_node(rng, &plan->nodes[i], i);
    uint64_t edges = rng_below(rng, 8);
    bool backward = rng_below(rng, 3) > 0;
    for (uint64_t i = 0; i < edges; i++) {
        uint32_t a = (uint32_t)rng_below(rng, plan->count);
        uint32_t b = (uint32_t)rng_below(rng, plan->count);
        if (backward || a > b)
            plan->waits[a][b] = true;
    }
}

/* ---- the oracle */

static bool has_edge(const struct plan *plan, uint32_t node, uint32_t on)
{
    if (plan->waits[node][on])
        return true;
    bool conflict = false;
    for (uint32_t b = 0; b < BUFFERS && on < node; b++) {
        const struct node *x = &plan->nodes[on], *y = &plan->nodes[node];
        conflict |= (x->writes[b] & (y->reads[b] | y->writes[b])) || (x->reads[b] & y->writes[b]);
    }
    return conflict;
}

/* How many nodes are in the order; fewer than all: there is a cycle. */
static uint32_t oracle_order(const struct plan *plan, uint32_t *order)
{
    bool done[NODES] = {false};
    for (uint32_t count = 0; count < plan->count; count++) {
        uint32_t found = plan->count;
        for (uint32_t node = 0; node < plan->count && found == plan->count; node++) {
            bool is_free = !done[node];
            for (uint32_t on = 0; on < plan->count; on++)
                is_free &= done[on] || !has_edge(plan, node, on);
            found = is_free ? node : found;
        }
        if (found == plan->count)
            return count;
        done[found] = true;
        order[count] = found;
    }
    return plan->count;
}

static void oracle_run(const struct plan *plan, const uint32_t *order,
                       uint32_t data[BUFFERS][ELEMENTS])
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct node *node = &plan->nodes[order[i]];
        const struct span *dst = &node->dst, *src = &node->src;
        for (uint32_t e = 0; e < dst->length * dst->rows; e++) {
            uint32_t row = e / dst->length, column = e % dst->length;
            uint32_t *to = &data[dst->buffer][dst->first + row * dst->pitch + column];
            uint32_t from = data[src->buffer][src->first + row * src->pitch + column];
            *to = node->told.keeps ? *to * 3 + from + node->told.k : from ^ node->told.k;
        }
    }
}

/* ---- the pool */

static fgpu_pool pool;
static fgpu_kernel kernel;
static fgpu_buffer buffers[BUFFERS];

static void need(fgpu_status status)
{
    if (status != FGPU_OK)
        fail_msg("%s", fgpu_last_error());
}

static int start(void **state)
{
    (void)state;
    if (fgpu_pool_open_text("devices=cpu;workers=2;cache=", &pool) != FGPU_OK)
        return -1;
    need(fgpu_kernel_create(pool, "mix", &kernel));
    need(fgpu_kernel_add_native(kernel, kernel_mix, NULL));
    need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0));
    need(fgpu_kernel_set_arg(kernel, 2, FGPU_ARG_SCALAR, 0, sizeof(struct order_told)));
    for (uint32_t b = 0; b < BUFFERS; b++)
        need(fgpu_buffer_create(pool, ELEMENTS * sizeof(uint32_t), &buffers[b]));
    return 0;
}

static uint64_t running; /* seed of the plan that has not passed yet, + 1 */

static int stop(void **state)
{
    (void)state;
    if (running != 0)
        seed_print("test_graph_order", running - 1);
    return fgpu_pool_close(pool) == FGPU_OK ? 0 : -1;
}

static fgpu_arg span_arg(const struct span *span, fgpu_access access)
{
    return fgpu_arg_region(
        buffers[span->buffer], access,
        fgpu_region_rect(4 * span->first, 4 * span->length, 4 * span->pitch, span->rows));
}

static fgpu_graph record(const struct plan *plan)
{
    fgpu_graph graph;
    need(fgpu_graph_create(pool, &graph));
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct node *node = &plan->nodes[i];
        struct order_told told = node->told; /* gone when the graph is launched */
        fgpu_arg args[] = {span_arg(&node->dst, told.keeps ? FGPU_READ_WRITE : FGPU_WRITE),
                           span_arg(&node->src, FGPU_READ), fgpu_arg_scalar(&told, sizeof told)};
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kernel = kernel;
        desc.dims = 1;
        desc.global[0] = 1;
        desc.args = args;
        desc.arg_count = 3;
        uint32_t number;
        need(fgpu_graph_add(graph, &desc, &number));
        assert_int_equal(number, i);
        memset(&told, 0xee, sizeof told);
    }
    for (uint32_t i = 0; i < plan->count; i++)
        for (uint32_t on = 0; on < plan->count; on++)
            if (plan->waits[i][on])
                need(fgpu_graph_depend(graph, i, on));
    return graph;
}

/* "...: 3 'mix' -> 7 'mix' -> 3 'mix'": each must wait for the one before. */
static void check_cycle(const struct plan *plan, const char *text)
{
    const char *at = strstr(text, "nodes: ");
    assert_non_null(at);
    at += strlen("nodes: ");
    char *end;
    uint32_t first = (uint32_t)strtoul(at, &end, 10), last = first, length = 0;
    for (at = strstr(end, "-> "); at != NULL; at = strstr(end, "-> "), length++) {
        uint32_t next = (uint32_t)strtoul(at + 3, &end, 10);
        assert_true(next < plan->count && has_edge(plan, next, last));
        last = next;
    }
    assert_true(length > 0);
    if (strstr(text, " ...") == NULL)
        assert_int_equal(last, first);
}

static void launch(const struct plan *plan, const uint32_t *order, fgpu_graph_exec exec,
                   struct rng *rng)
{
    uint32_t data[BUFFERS][ELEMENTS], found[ELEMENTS];
    for (uint32_t b = 0; b < BUFFERS; b++) {
        for (uint32_t i = 0; i < ELEMENTS; i++)
            data[b][i] = (uint32_t)rng_u64(rng);
        need(fgpu_buffer_write(buffers[b], NULL, data[b], 0));
    }
    fgpu_task task;
    need(fgpu_graph_launch(exec, &task));
    need(fgpu_task_wait(task, FGPU_FOREVER));
    oracle_run(plan, order, data);
    for (uint32_t b = 0; b < BUFFERS; b++) {
        need(fgpu_buffer_read(buffers[b], NULL, found, 0));
        assert_memory_equal(found, data[b], sizeof found);
    }
    for (uint32_t i = 0; i < plan->count; i++)
        for (uint32_t on = 0; on < plan->count; on++)
            if (has_edge(plan, i, on))
                assert_true(atomic_load_seqcst_u32(&ended[on]) < atomic_load_seqcst_u32(&began[i]));
}

/* The nodes stand in the order that the oracle found. */
static void check_order(const struct plan *plan, const uint32_t *order, fgpu_graph_exec exec)
{
    fgpu_status status;
    LOOKUP_GUEST *inside = lookup_pool(pool, "", &status);
    assert_non_null(inside);
    const struct graph_exec *found = table_at(&inside->execs, handle_index(exec.bits));
    assert_int_equal(found->node_count, plan->count);
    assert_memory_equal(found->numbers, order, plan->count * sizeof *order);
}

static uint32_t cycles, reorders;

static void run_plan(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    struct plan plan;
    random_plan(&rng, &plan);
    uint32_t order[NODES];
    bool sound = oracle_order(&plan, order) == plan.count;
    fgpu_graph graph = record(&plan);
    fgpu_graph_exec exec;
    fgpu_status status = fgpu_graph_instantiate(graph, &exec);
    assert_int_equal(status, sound ? FGPU_OK : FGPU_E_CYCLE);
    if (sound)
        check_order(&plan, order, exec);
    else
        check_cycle(&plan, fgpu_last_error());
    cycles += !sound;
    need(fgpu_graph_destroy(graph));
    for (uint32_t i = 0; i < LAUNCHES && sound; i++)
        launch(&plan, order, exec, &rng);
    for (uint32_t i = 0; i < plan.count && sound; i++) {
        reorders += order[i] != i;
        if (order[i] != i)
            break;
    }
    if (sound)
        need(fgpu_graph_exec_destroy(exec));
}

static void test_random_graphs(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(400);
    for (uint64_t seed = first; seed < first + count; seed++) {
        running = seed + 1;
        run_plan(seed);
    }
    running = 0;
    /* The interesting cases did come up. */
    if (count >= 400) {
        assert_true(cycles > 20);
        assert_true(reorders > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_graphs, start, stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
