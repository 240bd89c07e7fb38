/* The order in which the nodes of a graph are submitted, or the cycle that there is instead.
 *
 * Explicit edges may point backward in the order of recording, and nodes whose data conflict keep
 * that order, because the engine runs conflicting tasks in the order of submission. So the order is
 * a topological one of both kinds of edges (A. Kahn: Topological sorting of large networks, CACM
 * 1962), the smallest number first among those that are free. Without a backward edge that is the
 * order of recording, and nothing needs to be computed. Edges from data are found as the engine
 * finds them: each byte remembers its last writer and the readers since. Thread: one, under the
 * graph's lock. Pure but for its memory.
 */
#include <stdio.h>
#include <string.h>

#include "api/graph.h"
#include "base/imap.h"
#include "base/map.h"

#define ORDER_BUFFER_BYTES (UINT64_C(1) << 63) /* no buffer is as large */
#define ORDER_CYCLE_TEXT 400                   /* bytes of a cycle's nodes in the error text */

/* A reader of some bytes. Lists share their tails: a list is never changed, only prepended to. */
struct order_reader {
    uint32_t node;
    uint32_t next; /* number + 1; 0: none */
};

/* What a byte remembers. All zero at the beginning. */
struct order_bytes {
    uint32_t writer;  /* node + 1; 0: none */
    uint32_t readers; /* the newest, number + 1; 0: none */
};

struct order {
    const struct graph *graph;
    uint32_t count;
    struct vec edges;   /* struct graph_edge: explicit ones, then those from data */
    struct vec readers; /* struct order_reader */
    struct vec imaps;   /* struct imap, one for each buffer */
    struct map by_slot; /* slot of a buffer -> index in imaps */
    uint32_t *linked;   /* node -> the last one that it has an edge to, + 1 */
    uint32_t *first;    /* node -> its first place in next; count + 1 of them */
    uint32_t *next;     /* successors, node by node */
    uint32_t *waits;    /* node -> predecessors that are not in the order yet */
    uint32_t *heap;     /* free nodes, the smallest on top */
    uint32_t heap_count;
    const struct alloc_hooks *hooks;
};

static const struct graph_node *order_node(const struct order *order, uint32_t node)
{
    return vec_at(&order->graph->nodes, node);
}

static const struct graph_edge *order_edge(const struct order *order, size_t edge)
{
    return vec_at(&order->edges, edge);
}

/* ---- edges from data -------------------------------------------------------------------- */

/* False without memory, as everywhere below. */
static bool order_link(struct order *order, uint32_t from, uint32_t to)
{
    if (from == to || order->linked[from] == to + 1)
        return true;
    order->linked[from] = to + 1;
    struct graph_edge edge = {from, to};
    return vec_push(&order->edges, &edge) != NULL;
}

static bool order_read(struct order *order, uint32_t node, struct order_bytes *bytes)
{
    if (bytes->writer != 0 && !order_link(order, bytes->writer - 1, node))
        return false;
    struct order_reader reader = {node, bytes->readers};
    if (vec_push(&order->readers, &reader) == NULL)
        return false;
    bytes->readers = (uint32_t)order->readers.count;
    return true;
}

static bool order_write(struct order *order, uint32_t node, struct order_bytes *bytes)
{
    if (bytes->writer != 0 && !order_link(order, bytes->writer - 1, node))
        return false;
    for (uint32_t at = bytes->readers; at != 0;) {
        const struct order_reader *reader = vec_at(&order->readers, at - 1);
        if (!order_link(order, reader->node, node))
            return false;
        at = reader->next;
    }
    *bytes = (struct order_bytes){.writer = node + 1};
    return true;
}

static struct imap *order_imap(struct order *order, uint32_t slot)
{
    uint64_t index;
    if (map_get(&order->by_slot, slot, &index))
        return vec_at(&order->imaps, (size_t)index);
    index = order->imaps.count;
    struct imap *imap = vec_push(&order->imaps, NULL);
    if (imap == NULL)
        return NULL;
    if (imap_init(imap, ORDER_BUFFER_BYTES, sizeof(struct order_bytes), NULL, NULL, order->hooks) !=
        FGPU_OK) {
        vec_pop(&order->imaps);
        return NULL;
    }
    return map_put(&order->by_slot, slot, index) == FGPU_OK ? imap : NULL;
}

static bool order_range(struct order *order, uint32_t node, struct imap *imap, uint64_t begin,
                        uint64_t end, bool writes)
{
    if (imap_split(imap, begin, end) != FGPU_OK)
        return false;
    for (struct imap_seg *seg = imap_first(imap, begin); seg != NULL && seg->begin < end;
         seg = imap_next(imap, seg)) {
        struct order_bytes *bytes = imap_payload(seg);
        if (writes ? !order_write(order, node, bytes) : !order_read(order, node, bytes))
            return false;
    }
    return true;
}

static bool order_arg(struct order *order, uint32_t node, const struct submit_arg *arg)
{
    struct imap *imap = order_imap(order, arg->buffer);
    if (imap == NULL)
        return false;
    for (uint64_t row = 0; row < arg->shape.rows; row++) {
        uint64_t begin = arg->offset_bytes + row * arg->shape.pitch_bytes;
        if (!order_range(order, node, imap, begin, begin + arg->shape.row_bytes,
                         arg->mode & (FGPU_WRITE | FGPU_REDUCE)))
            return false;
    }
    return true;
}

static bool order_edges(struct order *order)
{
    const struct vec *edges = &order->graph->edges;
    for (size_t i = 0; i < edges->count; i++) {
        if (vec_push(&order->edges, vec_at(edges, i)) == NULL)
            return false;
    }
    for (uint32_t node = 0; node < order->count; node++) {
        const struct submit_request *request = &order_node(order, node)->request;
        for (uint32_t i = 0; i < request->arg_count; i++) {
            if (request->args[i].kind == FGPU_ARG_BUFFER &&
                !order_arg(order, node, &request->args[i]))
                return false;
        }
    }
    return true;
}

/* ---- sorting ---------------------------------------------------------------------------- */

static void order_push(struct order *order, uint32_t node)
{
    uint32_t at = order->heap_count++;
    while (at > 0 && order->heap[(at - 1) / 2] > node) {
        order->heap[at] = order->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    order->heap[at] = node;
}

static uint32_t order_pop(struct order *order)
{
    uint32_t top = order->heap[0];
    uint32_t last = order->heap[--order->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= order->heap_count)
            break;
        if (child + 1 < order->heap_count && order->heap[child + 1] < order->heap[child])
            child++;
        if (order->heap[child] >= last)
            break;
        order->heap[at] = order->heap[child];
        at = child;
    }
    order->heap[at] = last;
    return top;
}

static uint32_t *order_array(struct order *order, size_t count)
{
    return alloc_get_zeroed(order->hooks, (count + 1) * sizeof(uint32_t), 16);
}

static void order_free(struct order *order, uint32_t *array, size_t count)
{
    alloc_put(order->hooks, array, (count + 1) * sizeof(uint32_t));
}

/* Successor lists by counting. */
static void order_successors(struct order *order)
{
    for (size_t i = 0; i < order->edges.count; i++) {
        order->first[order_edge(order, i)->from]++;
        order->waits[order_edge(order, i)->to]++;
    }
    uint32_t sum = 0;
    for (uint32_t node = 0; node <= order->count; node++) {
        sum += order->first[node];
        order->first[node] = sum;
    }
    for (size_t i = order->edges.count; i-- > 0;) {
        const struct graph_edge *edge = order_edge(order, i);
        order->next[--order->first[edge->from]] = edge->to;
    }
}

/* Returns how many nodes are in the order: all, or those before the cycles. */
static uint32_t order_sort(struct order *order, uint32_t *out)
{
    uint32_t done = 0;
    for (uint32_t node = 0; node < order->count; node++) {
        if (order->waits[node] == 0)
            order_push(order, node);
    }
    while (order->heap_count > 0) {
        uint32_t node = order_pop(order);
        out[done++] = node;
        for (uint32_t i = order->first[node]; i < order->first[node + 1]; i++) {
            if (--order->waits[order->next[i]] == 0)
                order_push(order, order->next[i]);
        }
    }
    return done;
}

/* ---- cycles ----------------------------------------------------------------------------- */

/* Names the nodes of one cycle among those that are left. Every one of them waits for another that
 * is left, so going from one to such a predecessor comes round. */
static fgpu_status order_cycle(struct order *order, const struct pool *pool)
{
    uint32_t *before = order->heap; /* node -> edge to it from a node that is left, + 1 */
    memset(before, 0, order->count * sizeof *before);
    for (size_t i = order->edges.count; i-- > 0;) {
        const struct graph_edge *edge = order_edge(order, i);
        if (order->waits[edge->from] > 0 && order->waits[edge->to] > 0)
            before[edge->to] = (uint32_t)i + 1;
    }
    uint32_t at = 0;
    while (order->waits[at] == 0)
        at++;
    uint32_t *seen = order->linked;
    memset(seen, 0, order->count * sizeof *seen);
    for (; !seen[at]; at = order_edge(order, before[at] - 1)->from)
        seen[at] = 1;
    /* `at` is on the cycle. Its nodes, from the last to the first. */
    uint32_t *cycle = order->first;
    uint32_t length = 0, smallest = 0;
    uint32_t node = at;
    do {
        smallest = node < cycle[smallest] || length == 0 ? length : smallest;
        cycle[length++] = node;
        node = order_edge(order, before[node] - 1)->from;
    } while (node != at);
    char text[ORDER_CYCLE_TEXT + 160] = "", name[96];
    size_t used = 0;
    bool data = false;
    for (uint32_t i = 0; i <= length && used < ORDER_CYCLE_TEXT; i++) {
        node = cycle[(smallest + length - i % length) % length];
        data |= before[node] > order->graph->edges.count;
        graph_name(pool, order_node(order, node), node, name, sizeof name);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " -> " : "", name);
    }
    return error_set(FGPU_E_CYCLE,
                     "fgpu_graph_instantiate: the graph has a cycle of %u nodes: %s%s%s", length,
                     text, used >= ORDER_CYCLE_TEXT ? " ..." : "",
                     data ? " (some wait because of their data, in the order of recording)" : "");
}

/* ---- the whole -------------------------------------------------------------------------- */

static bool order_is_recorded(const struct graph *graph)
{
    for (size_t i = 0; i < graph->edges.count; i++) {
        const struct graph_edge *edge = vec_at(&graph->edges, i);
        if (edge->from >= edge->to)
            return false;
    }
    return true;
}

static fgpu_status order_run(struct order *order, const struct pool *pool, uint32_t *out)
{
    fgpu_status status = FGPU_E_NOMEM;
    order->linked = order_array(order, order->count);
    order->first = order_array(order, order->count);
    order->waits = order_array(order, order->count);
    order->heap = order_array(order, order->count);
    bool ready = order->linked != NULL && order->first != NULL && order->waits != NULL &&
                 order->heap != NULL && order_edges(order) && order->edges.count < UINT32_MAX;
    if (ready)
        order->next = order_array(order, order->edges.count);
    if (ready && order->next != NULL) {
        order_successors(order);
        status = order_sort(order, out) == order->count ? FGPU_OK : order_cycle(order, pool);
    }
    order_free(order, order->linked, order->count);
    order_free(order, order->first, order->count);
    order_free(order, order->waits, order->count);
    order_free(order, order->heap, order->count);
    order_free(order, order->next, order->edges.count);
    return status;
}

fgpu_status graph_order_find(const struct pool *pool, const struct graph *graph, uint32_t *out)
{
    uint32_t count = (uint32_t)graph->nodes.count;
    if (order_is_recorded(graph)) {
        for (uint32_t i = 0; i < count; i++)
            out[i] = i;
        return FGPU_OK;
    }
    struct order order = {.graph = graph, .count = count, .hooks = pool->driver->alloc};
    vec_init(&order.edges, sizeof(struct graph_edge), order.hooks);
    vec_init(&order.readers, sizeof(struct order_reader), order.hooks);
    vec_init(&order.imaps, sizeof(struct imap), order.hooks);
    map_init(&order.by_slot, order.hooks);
    fgpu_status status = order_run(&order, pool, out);
    if (status == FGPU_E_NOMEM)
        status = error_set(status, "fgpu_graph_instantiate: no memory to order %u nodes", count);
    for (size_t i = 0; i < order.imaps.count; i++)
        imap_fini(vec_at(&order.imaps, i), NULL);
    vec_fini(&order.edges);
    vec_fini(&order.readers);
    vec_fini(&order.imaps);
    map_fini(&order.by_slot);
    return status;
}
