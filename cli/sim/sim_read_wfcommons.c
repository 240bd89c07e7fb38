/* Reads workflow instances of the WfCommons project (WfFormat). Versions 1.4 and 1.5 have tasks and
 * files under workflow.specification and times under workflow.execution; 1.3 and before have all of
 * it in workflow.tasks, or workflow.jobs. What is not needed here is not looked at. A run takes as
 * long as it was measured, on every device. See sim_reader.h. */
#include "cli/sim/sim_reader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WF_SECONDS_LIMIT 1e9
#define WF_NONE UINT32_MAX
#define WF_FILES_LIMIT 4096u /* of one task */

/* One task, until all are known. */
struct wf_task {
    const cJSON *entry;   /* where its name, parents and files are */
    const cJSON *runtime; /* seconds; NULL: unknown */
    uint32_t first_child; /* in `edges`; WF_NONE */
    uint32_t missing;     /* parents that are not in the order yet */
    uint32_t number;      /* in the graph */
};

/* To a child, in a list. */
struct wf_edge {
    uint32_t to, next;
};

struct wf {
    struct sim_reader *reader;
    const cJSON *list; /* of tasks */
    struct wf_task *tasks;
    uint32_t task_count;
    struct wf_edge *edges;
    uint32_t edge_count, edge_room;
    struct sim_names ids, names; /* of tasks: ids first, then names */
};

/* ---- looking up */

static const char *wf_text(const cJSON *object, const char *key)
{
    const cJSON *value = sim_reader_get(object, key);

    return cJSON_IsString(value) && value->valuestring[0] ? value->valuestring : NULL;
}

static uint32_t wf_find(const struct wf *wf, const cJSON *value)
{
    uint32_t number = SIM_NAMES_NONE;

    if (cJSON_IsString(value)) {
        number = sim_names_find(&wf->ids, value->valuestring);
        if (number == SIM_NAMES_NONE)
            number = sim_names_find(&wf->names, value->valuestring);
    }
    return number;
}

static uint32_t wf_count(const cJSON *list)
{
    uint32_t count = 0;
    const cJSON *entry;

    cJSON_ArrayForEach(entry, list) count++;
    return count;
}

/* ---- tasks and times */

static bool wf_read_task(struct wf *wf, const cJSON *entry)
{
    struct wf_task *task = &wf->tasks[wf->task_count];
    const char *id = wf_text(entry, "id"), *name = wf_text(entry, "name");

    if (!cJSON_IsObject(entry))
        return sim_reader_fail(wf->reader, entry, "want an object");
    if (!id && !name)
        return sim_reader_fail(wf->reader, entry, "it has neither id nor name");
    if (id && sim_names_find(&wf->ids, id) != SIM_NAMES_NONE)
        return sim_reader_fail(wf->reader, sim_reader_get(entry, "id"),
                               "there is a task of this id already");
    *task = (struct wf_task){.entry = entry, .first_child = WF_NONE};
    task->runtime = sim_reader_get(entry, "runtimeInSeconds");
    if (!task->runtime)
        task->runtime = sim_reader_get(entry, "runtime");
    if ((id && !sim_names_add(&wf->ids, id, wf->task_count)) ||
        (name && !sim_names_add(&wf->names, name, wf->task_count)))
        return sim_reader_no_memory(wf->reader);
    wf->task_count++;
    return true;
}

static bool wf_read_tasks(struct wf *wf)
{
    const cJSON *entry;
    size_t item = 0;

    wf->tasks = calloc(wf_count(wf->list) + (size_t)1, sizeof *wf->tasks);
    if (!wf->tasks)
        return sim_reader_no_memory(wf->reader);
    cJSON_ArrayForEach(entry, wf->list)
    {
        size_t level = json_path_enter_item(&wf->reader->path, item++);
        if (!wf_read_task(wf, entry))
            return false;
        json_path_leave(&wf->reader->path, level);
    }
    return wf->task_count > 0 || sim_reader_fail(wf->reader, wf->list, "want at least one task");
}

/* workflow.execution.tasks: times by id. */
static bool wf_read_times(struct wf *wf, const cJSON *workflow)
{
    const cJSON *list = sim_reader_get(sim_reader_get(workflow, "execution"), "tasks"), *entry;
    size_t item = 0;

    cJSON_ArrayForEach(entry, list)
    {
        struct json_path *path = &wf->reader->path;
        const cJSON *id = sim_reader_get(entry, "id"), *runtime;
        uint32_t number = wf_find(wf, id ? id : sim_reader_get(entry, "name"));
        (void)snprintf(path->text, sizeof path->text, "$.workflow.execution.tasks[%zu]", item++);
        if (number == SIM_NAMES_NONE)
            return sim_reader_fail(wf->reader, id,
                                   "there is no task of this id in "
                                   "workflow.specification");
        runtime = sim_reader_get(entry, "runtimeInSeconds");
        if (runtime)
            wf->tasks[number].runtime = runtime;
    }
    return true;
}

/* ---- order */

/* Parents name children and children parents: each edge may be there twice, and counts twice. */
static bool wf_edge(struct wf *wf, uint32_t from, uint32_t to)
{
    struct wf_task *parent = &wf->tasks[from];

    if (wf->edge_count == wf->edge_room) {
        uint32_t room = wf->edge_room > 0 ? 2 * wf->edge_room : 256;
        struct wf_edge *edges = realloc(wf->edges, room * sizeof *edges);
        if (!edges)
            return sim_reader_no_memory(wf->reader);
        wf->edges = edges;
        wf->edge_room = room;
    }
    wf->edges[wf->edge_count] = (struct wf_edge){.to = to, .next = parent->first_child};
    parent->first_child = wf->edge_count++;
    wf->tasks[to].missing++;
    return true;
}

static bool wf_read_edges(struct wf *wf, uint32_t number, const char *key)
{
    const cJSON *list = sim_reader_get(wf->tasks[number].entry, key), *item;
    bool is_parent = strcmp(key, "parents") == 0;

    cJSON_ArrayForEach(item, list)
    {
        uint32_t other = wf_find(wf, item);
        if (other == SIM_NAMES_NONE || other == number) {
            size_t level = json_path_enter_item(&wf->reader->path, number);
            (void)json_path_enter_key(&wf->reader->path, key);
            (void)sim_reader_fail(wf->reader, item,
                                  other == number ? "a task is not its own parent"
                                                  : "there is no task of this id or name");
            json_path_leave(&wf->reader->path, level);
            return false;
        }
        if (!(is_parent ? wf_edge(wf, other, number) : wf_edge(wf, number, other)))
            return false;
    }
    return true;
}

/* Tasks in an order in which parents come first; as in the file where that leaves a choice. */
static bool wf_order(struct wf *wf, uint32_t *order)
{
    uint32_t done = 0, count = 0;

    for (uint32_t i = 0; i < wf->task_count; i++)
        if (!wf_read_edges(wf, i, "parents") || !wf_read_edges(wf, i, "children"))
            return false;
    for (uint32_t i = 0; i < wf->task_count; i++)
        if (wf->tasks[i].missing == 0)
            order[count++] = i;
    for (; done < count; done++)
        for (uint32_t e = wf->tasks[order[done]].first_child; e != WF_NONE; e = wf->edges[e].next)
            if (--wf->tasks[wf->edges[e].to].missing == 0)
                order[count++] = wf->edges[e].to;
    return count == wf->task_count ||
           sim_reader_fail(wf->reader, NULL, "%u tasks wait for each other in a circle",
                           wf->task_count - count);
}

/* ---- files */

static uint64_t wf_bytes(const cJSON *file)
{
    const cJSON *size = sim_reader_get(file, "sizeInBytes");

    if (!size)
        size = sim_reader_get(file, "size");
    return cJSON_IsNumber(size) && size->valuedouble >= 1 && size->valuedouble < 0x1p46
               ? (uint64_t)size->valuedouble
               : 1; /* files of no size are there too */
}

/* The number of a file's data; a new one for a new name. */
static bool wf_file(struct wf *wf, const char *name, uint64_t bytes, uint32_t *data)
{
    struct sim_reader *reader = wf->reader;

    *data = sim_names_find(&reader->data, name);
    if (*data != SIM_NAMES_NONE)
        return true;
    *data = sim_graph_data(reader->graph, bytes);
    return reader->graph->status == FGPU_OK &&
           (sim_names_add(&reader->data, name, *data) || sim_reader_no_memory(reader));
}

/* workflow.specification.files. */
static bool wf_read_files(struct wf *wf, const cJSON *specification)
{
    const cJSON *file;
    uint32_t data;

    cJSON_ArrayForEach(file, sim_reader_get(specification, "files"))
    {
        const char *id = wf_text(file, "id");
        if (!id)
            id = wf_text(file, "name");
        if (id && !wf_file(wf, id, wf_bytes(file), &data))
            return false;
    }
    return true;
}

static bool wf_access(struct wf *wf, const char *name, uint64_t bytes, fgpu_access mode)
{
    struct sim_graph *graph = wf->reader->graph;
    uint32_t data;

    if (!wf_file(wf, name, bytes, &data))
        return false;
    const struct sim_task *task = &graph->tasks[graph->task_count - 1];
    for (uint32_t i = 0; i < task->access_count; i++)
        if (graph->accesses[task->access_first + i].data == data) {
            graph->accesses[task->access_first + i].mode |= (uint32_t)mode;
            return true;
        }
    if (task->access_count == WF_FILES_LIMIT)
        return sim_reader_fail(wf->reader, NULL, "a task has more than %u files", WF_FILES_LIMIT);
    sim_graph_access(graph, data, mode);
    return graph->status == FGPU_OK;
}

/* What is written comes first, then the largest. */
static int wf_compare_accesses(const void *left, const void *right, void *user)
{
    const fgpu_sim_access *a = left, *b = right;
    const struct sim_graph *graph = user;
    bool writes = a->mode != FGPU_READ;

    if (writes != (b->mode != FGPU_READ))
        return writes ? -1 : 1;
    if (graph->data_bytes[a->data] != graph->data_bytes[b->data])
        return graph->data_bytes[a->data] > graph->data_bytes[b->data] ? -1 : 1;
    return (a->data > b->data) - (a->data < b->data);
}

/* A task of the pool has a limited number of arguments: the smallest files are left out, which
 * changes what is moved but not the order, for parents are named beside. */
static void wf_trim(struct sim_graph *graph)
{
    struct sim_task *task = &graph->tasks[graph->task_count - 1];

    if (task->access_count <= CLI_WORKLOAD_ARGS_LIMIT)
        return;
    qsort_r(graph->accesses + task->access_first, task->access_count, sizeof *graph->accesses,
            wf_compare_accesses, graph);
    graph->left_out += task->access_count - CLI_WORKLOAD_ARGS_LIMIT;
    graph->access_count -= task->access_count - CLI_WORKLOAD_ARGS_LIMIT;
    task->access_count = CLI_WORKLOAD_ARGS_LIMIT;
}

static bool wf_accesses(struct wf *wf, const cJSON *entry)
{
    const cJSON *file;

    cJSON_ArrayForEach(file,
                       sim_reader_get(entry, "inputFiles")) if (cJSON_IsString(file) &&
                                                                !wf_access(wf, file->valuestring, 1,
                                                                           FGPU_READ)) return false;
    cJSON_ArrayForEach(
        file, sim_reader_get(entry, "outputFiles")) if (cJSON_IsString(file) &&
                                                        !wf_access(wf, file->valuestring, 1,
                                                                   FGPU_WRITE)) return false;
    cJSON_ArrayForEach(file, sim_reader_get(entry, "files"))
    {
        const char *name = wf_text(file, "name"), *link = wf_text(file, "link");
        bool is_output = link && strcmp(link, "output") == 0;
        if (!name)
            name = wf_text(file, "id");
        if (name && !wf_access(wf, name, wf_bytes(file), is_output ? FGPU_WRITE : FGPU_READ))
            return false;
    }
    return true;
}

/* ---- tasks of the graph */

/* "individuals_ID0000012" is a run of "individuals". */
static uint32_t wf_kernel(struct wf *wf, const char *name)
{
    char kernel[SIM_NAME_BYTES];
    size_t length = strlen(name);

    while (length > 1 && isdigit((unsigned char)name[length - 1]))
        length--;
    if (length > 2 && name[length - 1] == 'D' && name[length - 2] == 'I')
        length -= 2;
    if (length < strlen(name))
        while (length > 1 && (name[length - 1] == '_' || name[length - 1] == '-'))
            length--;
    (void)snprintf(kernel, sizeof kernel, "%.*s", (int)(length < 60 ? length : 60), name);
    return sim_graph_kernel(wf->reader->graph, kernel, NULL);
}

static bool wf_add(struct wf *wf, struct wf_task *task)
{
    struct sim_graph *graph = wf->reader->graph;
    const char *name = wf_text(task->entry, "name"), *id = wf_text(task->entry, "id");
    double seconds = 0;

    if (!task->runtime)
        return sim_reader_fail(wf->reader, NULL, "task %.60s has no runtimeInSeconds",
                               id ? id : name);
    if (!sim_reader_real(wf->reader, task->runtime, 0, WF_SECONDS_LIMIT, &seconds))
        return false;
    const struct sim_task added = {
        .kernel = wf_kernel(wf, name ? name : id),
        .size = 1,
        .cost_ns = seconds > 1e-9 ? seconds * 1e9 : 1, /* 0 would be "unknown" */
    };
    task->number = sim_graph_task(graph, &added);
    if (graph->status != FGPU_OK)
        return false;
    sim_graph_name(graph, "%s", id ? id : name);
    if (!wf_accesses(wf, task->entry))
        return false;
    wf_trim(graph);
    return true;
}

static bool wf_add_all(struct wf *wf, const uint32_t *order)
{
    struct sim_graph *graph = wf->reader->graph;
    uint32_t *before = calloc(wf->task_count + (size_t)1, sizeof *before), *parents = NULL;
    uint32_t *at = calloc(wf->task_count + (size_t)1, sizeof *at);
    bool is_good = before && at;

    parents = malloc((wf->edge_count + (size_t)1) * sizeof *parents);
    is_good = is_good && parents;
    for (uint32_t i = 0; is_good && i < wf->task_count; i++) /* edges by child */
        for (uint32_t e = wf->tasks[i].first_child; e != WF_NONE; e = wf->edges[e].next)
            before[wf->edges[e].to + 1]++;
    for (uint32_t i = 0; is_good && i < wf->task_count; i++) {
        before[i + 1] += before[i];
        at[i] = before[i];
    }
    for (uint32_t i = 0; is_good && i < wf->task_count; i++)
        for (uint32_t e = wf->tasks[i].first_child; e != WF_NONE; e = wf->edges[e].next)
            parents[at[wf->edges[e].to]++] = i;
    if (!is_good)
        (void)sim_reader_no_memory(wf->reader);
    for (uint32_t i = 0; is_good && i < wf->task_count; i++) {
        uint32_t task = order[i];
        is_good = wf_add(wf, &wf->tasks[task]);
        for (uint32_t k = before[task]; is_good && k < before[task + 1]; k++)
            if (k == before[task] || parents[k] != parents[k - 1])
                sim_graph_after(graph, wf->tasks[parents[k]].number);
    }
    free(before);
    free(at);
    free(parents);
    return is_good && graph->status == FGPU_OK;
}

/* ---- the file */

static bool wf_find_list(struct wf *wf, const cJSON *workflow)
{
    static const char *const places[] = {"specification", "tasks", "jobs"};
    const cJSON *specification = sim_reader_get(workflow, "specification");
    const cJSON *list = sim_reader_get(specification, "tasks");

    (void)json_path_enter_key(&wf->reader->path, "workflow");
    if (list)
        (void)json_path_enter_key(&wf->reader->path, places[0]);
    for (uint32_t i = 1; !list && i < 3; i++) {
        list = sim_reader_get(workflow, places[i]);
        if (list)
            (void)json_path_enter_key(&wf->reader->path, places[i]);
    }
    if (list && list == sim_reader_get(specification, "tasks"))
        (void)json_path_enter_key(&wf->reader->path, "tasks");
    wf->list = list;
    return cJSON_IsArray(list) ||
           sim_reader_fail(wf->reader, list,
                           "want a list of tasks in workflow.specification.tasks, workflow.tasks "
                           "or workflow.jobs");
}

bool sim_read_wfcommons(struct sim_reader *reader, const cJSON *root)
{
    const cJSON *workflow = sim_reader_get(root, "workflow");
    const char *name = wf_text(root, "name");
    struct wf wf = {.reader = reader};
    uint32_t *order = NULL;

    bool is_good = wf_find_list(&wf, workflow) && wf_read_tasks(&wf);
    const struct json_path path = reader->path;
    is_good = is_good && wf_read_times(&wf, workflow);
    if (is_good) {
        reader->path = path;
        order = calloc(wf.task_count + (size_t)1, sizeof *order);
        is_good = order ? wf_order(&wf, order) : sim_reader_no_memory(reader);
    }
    is_good = is_good && wf_read_files(&wf, sim_reader_get(workflow, "specification")) &&
              wf_add_all(&wf, order);
    (void)snprintf(reader->graph->name, sizeof reader->graph->name, "%.100s",
                   name ? name : "workflow");
    free(order);
    free(wf.tasks);
    free(wf.edges);
    sim_names_fini(&wf.ids);
    sim_names_fini(&wf.names);
    return is_good;
}
