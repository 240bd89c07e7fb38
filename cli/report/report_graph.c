/* The graph of the tasks where it is small: a layer is what waits for the layer before, drawn from
 * top to bottom as SVG; the longest chain of measured runs is marked. See report_parts.h.
 *
 * Edges that follow from others are left out. Within a layer tasks stand in the order of the mean
 * place of what they wait for, then of what waits for them, a few times over. Source: Sugiyama,
 * Tagawa, Toda 1981 (layers, barycentres).
 */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_GRAPH_WIDTH 1040.0
#define REPORT_GRAPH_ROW 16 /* tasks side by side; more of a layer go below */
#define REPORT_GRAPH_SWEEPS 8
#define REPORT_GRAPH_HIGH 24.0
#define REPORT_GRAPH_GAP 40.0 /* between layers */
#define REPORT_GRAPH_NEAR 6.0 /* between rows of a layer, and between tasks */
#define REPORT_GRAPH_LETTER 6.2

struct graph_node {
    uint32_t layer;
    uint32_t place; /* in its layer */
    double key;     /* where it would like to stand */
    double x, y, width;
    uint64_t path_ns; /* the longest chain that ends with it */
    uint32_t before;  /* on that chain, or EVALUATION_NONE */
    bool is_critical;
};

struct graph {
    uint32_t count, layer_count, most; /* tasks, layers, tasks in a row */
    struct graph_node nodes[REPORT_GRAPH_TASKS];
    uint8_t edges[REPORT_GRAPH_TASKS][REPORT_GRAPH_TASKS]; /* [from][to] */
    uint8_t reach[REPORT_GRAPH_TASKS][REPORT_GRAPH_TASKS];
    uint32_t members[REPORT_GRAPH_TASKS]; /* by layer, then place */
    uint32_t first[REPORT_GRAPH_TASKS + 1];
    double height;
};

/* Edges, without those that follow from others. [in] order: each task behind those that it waits
 * for. */
static void graph_edges(struct graph *graph, const struct report *report)
{
    const uint32_t *order = report->workload->order;
    const struct workload_edges *edges = &report->evaluation->edges;

    for (uint32_t i = 0; i < edges->count; i++)
        if (edges->items[i].from < graph->count && edges->items[i].to < graph->count &&
            edges->items[i].from != edges->items[i].to)
            graph->edges[edges->items[i].from][edges->items[i].to] = 1;
    for (uint32_t i = graph->count; i-- > 0;) {
        uint32_t from = order[i];
        for (uint32_t k = i + 1; k < graph->count; k++) {
            uint32_t to = order[k];
            if (!graph->edges[from][to])
                continue;
            if (graph->reach[from][to]) {
                graph->edges[from][to] = 0;
                continue;
            }
            graph->reach[from][to] = 1;
            for (uint32_t m = 0; m < graph->count; m++)
                graph->reach[from][m] |= graph->reach[to][m];
        }
    }
}

/* Layers, and the longest chain of measured runs. */
static void graph_layers(struct graph *graph, const struct report *report)
{
    uint32_t last = EVALUATION_NONE;

    for (uint32_t i = 0; i < graph->count; i++) {
        uint32_t to = report->workload->order[i];
        const struct evaluation_task *task = report_task(report, to);
        struct graph_node *node = &graph->nodes[to];
        node->before = EVALUATION_NONE;
        for (uint32_t from = 0; from < graph->count; from++) {
            const struct graph_node *other = &graph->nodes[from];
            if (!graph->edges[from][to])
                continue;
            if (other->layer + 1 > node->layer)
                node->layer = other->layer + 1;
            if (node->before == EVALUATION_NONE || other->path_ns > node->path_ns) {
                node->path_ns = other->path_ns;
                node->before = from;
            }
        }
        if (report_task_ran(task))
            node->path_ns += task->end_ns - task->start_ns;
        if (node->layer + 1 > graph->layer_count)
            graph->layer_count = node->layer + 1;
        if (last == EVALUATION_NONE || node->path_ns > graph->nodes[last].path_ns)
            last = to;
    }
    if (last != EVALUATION_NONE && graph->nodes[last].path_ns == 0)
        last = EVALUATION_NONE; /* nothing was measured */
    for (; last != EVALUATION_NONE; last = graph->nodes[last].before)
        graph->nodes[last].is_critical = true;
}

static int graph_compare(const void *left, const void *right, void *nodes)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct graph_node *of = nodes;

    if (of[a].layer != of[b].layer)
        return of[a].layer < of[b].layer ? -1 : 1;
    if (of[a].key < of[b].key || of[a].key > of[b].key)
        return of[a].key < of[b].key ? -1 : 1;
    return (a > b) - (a < b);
}

static void graph_sort(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->count; i++)
        graph->members[i] = i;
    qsort_r(graph->members, graph->count, sizeof graph->members[0], graph_compare, graph->nodes);
    for (uint32_t i = 0; i < graph->count; i++) {
        struct graph_node *node = &graph->nodes[graph->members[i]];
        if (i == 0 || node->layer != graph->nodes[graph->members[i - 1]].layer)
            graph->first[node->layer] = i;
        node->place = i - graph->first[node->layer];
    }
    graph->first[graph->layer_count] = graph->count;
}

/* Where a task stands across, from 0 to 1. */
static double graph_across(const struct graph *graph, uint32_t i)
{
    const struct graph_node *node = &graph->nodes[i];
    uint32_t many = graph->first[node->layer + 1] - graph->first[node->layer];

    return (node->place + 0.5) / many;
}

static void graph_place(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->count; i++)
        graph->nodes[i].key = i;
    graph_sort(graph);
    for (uint32_t sweep = 0; sweep < REPORT_GRAPH_SWEEPS; sweep++) {
        for (uint32_t i = 0; i < graph->count; i++) {
            double sum = 0, count = 0;
            for (uint32_t k = 0; k < graph->count; k++)
                if (sweep % 2 == 0 ? graph->edges[k][i] : graph->edges[i][k]) {
                    sum += graph_across(graph, k);
                    count++;
                }
            graph->nodes[i].key = count > 0 ? sum / count : graph_across(graph, i);
        }
        graph_sort(graph);
    }
}

static void graph_coordinates(struct graph *graph)
{
    graph->most = 1;
    for (uint32_t i = 0; i < graph->layer_count; i++) {
        uint32_t many = graph->first[i + 1] - graph->first[i];
        graph->most = many > graph->most ? many : graph->most;
    }
    graph->most = graph->most < REPORT_GRAPH_ROW ? graph->most : REPORT_GRAPH_ROW;
    double pitch = REPORT_GRAPH_WIDTH / graph->most, y = REPORT_GRAPH_NEAR;
    pitch = pitch > 170 ? 170 : pitch;
    for (uint32_t i = 0; i < graph->layer_count; i++) {
        uint32_t many = graph->first[i + 1] - graph->first[i];
        uint32_t lines = (many + graph->most - 1) / graph->most;
        uint32_t each = (many + lines - 1) / lines; /* lines of one length */
        for (uint32_t k = 0; k < many; k++) {
            struct graph_node *node = &graph->nodes[graph->members[graph->first[i] + k]];
            uint32_t line = k / each, left = many - line * each;
            uint32_t here = left < each ? left : each;
            node->width = pitch - REPORT_GRAPH_NEAR;
            node->x =
                REPORT_GRAPH_WIDTH / 2 + pitch * (k % each - here / 2.0 + 0.5) - node->width / 2;
            node->y = y + line * (REPORT_GRAPH_HIGH + REPORT_GRAPH_NEAR);
        }
        y += lines * (REPORT_GRAPH_HIGH + REPORT_GRAPH_NEAR) + REPORT_GRAPH_GAP;
    }
    graph->height = y - REPORT_GRAPH_GAP;
}

static void graph_write_edges(const struct graph *graph, struct report_text *text)
{
    for (uint32_t from = 0; from < graph->count; from++)
        for (uint32_t to = 0; to < graph->count; to++) {
            const struct graph_node *a = &graph->nodes[from], *b = &graph->nodes[to];
            if (!graph->edges[from][to])
                continue;
            double x1 = a->x + a->width / 2, y1 = a->y + REPORT_GRAPH_HIGH;
            double x2 = b->x + b->width / 2, y2 = b->y;
            bool is_critical = a->is_critical && b->is_critical && b->before == from;
            report_text_format(text, "<path%s d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>",
                               is_critical ? " class=\"critical\"" : "", x1, y1, x1, (y1 + y2) / 2,
                               x2, (y1 + y2) / 2, x2, y2);
        }
}

/* The name, or of one that is too long its end, for that is where names differ. It is cut where a
 * character begins. */
static void graph_write_name(struct report_text *text, const char *name, double width)
{
    size_t fits = (size_t)(width / REPORT_GRAPH_LETTER), used = 0;
    const char *end = name + strlen(name);

    while (end > name && used < fits) {
        end--;
        used += ((unsigned char)*end & 0xc0) != 0x80;
    }
    if (end > name) {
        report_text_add(text, "…");
        for (end++; ((unsigned char)*end & 0xc0) == 0x80;)
            end++;
    }
    report_text_escape(text, end);
}

static void graph_write_nodes(const struct graph *graph, struct report *report)
{
    struct report_text *text = &report->text;
    const struct workload *workload = report->workload;
    char room[REPORT_NUMBER_BYTES], name[WORKLOAD_NAME_BYTES + 16];

    for (uint32_t i = 0; i < graph->count; i++) {
        const struct graph_node *node = &graph->nodes[i];
        const struct evaluation_task *task = report_task(report, i);
        const struct workload_task *of = &workload->tasks[i];
        bool is_run = report_task_ran(task);
        uint64_t run_ns = task && is_run ? task->end_ns - task->start_ns : 0;
        if (of->name[0])
            (void)snprintf(name, sizeof name, "%s", of->name);
        else
            (void)snprintf(name, sizeof name, "%" PRIu32, i);
        report_text_format(text, "<g class=\"k%" PRIu32 "%s%s\" data-task=\"%" PRIu32 "\"><title>",
                           report->kernels[of->kernel].colour, node->is_critical ? " critical" : "",
                           task && task->status != FGPU_OK ? " failed" : "", i);
        report_text_escape(text, name);
        report_text_add(text, ", ");
        report_text_escape(text, workload->kernels[of->kernel].name);
        report_text_format(text, ", %s", report_number_ns(room, (double)run_ns, is_run));
        report_text_format(text,
                           "</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" "
                           "rx=\"4\"/><text x=\"%.1f\" y=\"%.1f\">",
                           node->x, node->y, node->width, REPORT_GRAPH_HIGH,
                           node->x + node->width / 2, node->y + REPORT_GRAPH_HIGH / 2 + 4);
        graph_write_name(text, name, node->width - 4);
        report_text_add(text, "</text></g>\n");
    }
}

static void graph_write(const struct graph *graph, struct report *report)
{
    struct report_text *text = &report->text;
    char room[REPORT_NUMBER_BYTES];
    uint64_t path_ns = 0;
    uint32_t chain = 0;

    for (uint32_t i = 0; i < graph->count; i++)
        if (graph->nodes[i].is_critical) {
            chain++;
            path_ns = graph->nodes[i].path_ns > path_ns ? graph->nodes[i].path_ns : path_ns;
        }
    report_text_format(text,
                       "<p>%" PRIu32 " tasks in %" PRIu32 " layers; a line leads down to a "
                       "task that waits. ",
                       graph->count, graph->layer_count);
    if (chain > 0)
        report_text_format(text,
                           "The longest chain, drawn strongly, is %" PRIu32 " task%s that "
                           "ran for %s.",
                           chain, chain == 1 ? "" : "s",
                           report_number_ns(room, (double)path_ns, true));
    report_text_add(text, "</p>\n<div class=\"pane\" id=\"graph-pane\">");
    report_text_format(
        text,
        "<svg id=\"graph\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Graph "
        "of %" PRIu32 " tasks; the table of the timeline tells the same\"><g "
        "class=\"edges\">",
        REPORT_GRAPH_WIDTH, graph->height, graph->count);
    graph_write_edges(graph, text);
    report_text_add(text, "</g>\n");
    graph_write_nodes(graph, report);
    report_text_add(text, "</svg></div>\n");
}

void report_graph(struct report *report)
{
    uint32_t count = report->workload->task_count;
    char tasks[REPORT_NUMBER_BYTES], edges[REPORT_NUMBER_BYTES];

    if (count == 0) {
        report_text_add(&report->text, "<p>There is no task.</p>\n");
        return;
    }
    if (count > REPORT_GRAPH_TASKS) {
        report_text_format(
            &report->text,
            "<p>The graph has %s tasks and %s edges; it is drawn up to %d tasks, for "
            "beyond that no picture of it can be read. The timeline shows all of "
            "them.</p>\n",
            report_number_count(tasks, count),
            report_number_count(edges, report->evaluation->edges.count), REPORT_GRAPH_TASKS);
        return;
    }
    struct graph *graph = calloc(1, sizeof *graph);
    if (!graph) {
        report->text.is_short = true;
        return;
    }
    graph->count = count;
    graph_edges(graph, report);
    graph_layers(graph, report);
    graph_place(graph);
    graph_coordinates(graph);
    graph_write(graph, report);
    free(graph);
}
