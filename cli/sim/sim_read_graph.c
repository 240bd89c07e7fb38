/* Reads FastGPU's own task graphs: docs/graph.md. See sim_reader.h. */
#include "cli/sim/sim_reader.h"

#include <stdio.h>
#include <string.h>

#define GRAPH_SIZE_LIMIT (UINT64_C(1) << 40)
#define GRAPH_PARTS_LIMIT 65536u
#define GRAPH_COST_LIMIT 1e12 /* us: eleven days */
#define GRAPH_FLOPS_LIMIT 1e24

/* ---- data */

static bool graph_data(struct sim_reader *reader, const cJSON *entry)
{
    static const char *const keys[] = {"name", "bytes", NULL};
    const cJSON *name = sim_reader_get(entry, "name"), *bytes = sim_reader_get(entry, "bytes");
    uint32_t number = reader->graph->data_count;
    uint64_t size = 0;

    if (!sim_reader_keys(reader, entry, keys))
        return false;
    if (!bytes)
        return sim_reader_fail(reader, entry, "it has no bytes");
    size_t level = json_path_enter_key(&reader->path, "bytes");
    if (!sim_reader_whole(reader, bytes, 1, CLI_WORKLOAD_BYTES_LIMIT, &size))
        return false;
    json_path_leave(&reader->path, level);
    level = json_path_enter_key(&reader->path, "name");
    if (name) {
        const char *text = sim_reader_text(reader, name);
        if (!text)
            return false;
        if (sim_names_find(&reader->data, text) != SIM_NAMES_NONE)
            return sim_reader_fail(reader, name, "there is data of this name already");
        if (!sim_names_add(&reader->data, text, number))
            return sim_reader_no_memory(reader);
    }
    json_path_leave(&reader->path, level);
    (void)sim_graph_data(reader->graph, size);
    return reader->graph->status == FGPU_OK;
}

/* Calls `body` for each entry of a list. */
static bool graph_list(struct sim_reader *reader, const cJSON *root, const char *key,
                       bool (*body)(struct sim_reader *reader, const cJSON *entry))
{
    const cJSON *list = sim_reader_get(root, key), *entry;
    size_t level = json_path_enter_key(&reader->path, key), item = 0;

    if (list && !cJSON_IsArray(list))
        return sim_reader_fail(reader, list, "want a list");
    cJSON_ArrayForEach(entry, list)
    {
        size_t inner = json_path_enter_item(&reader->path, item++);
        if (!body(reader, entry))
            return false;
        json_path_leave(&reader->path, inner);
    }
    json_path_leave(&reader->path, level);
    return true;
}

/* ---- tasks */

/* A cost for each class: such a task gets a kernel of its own, "blur~960~{...}", which the machine
 * will have these costs for. Tasks that are alike share it. */
static bool graph_costs(struct sim_reader *reader, const cJSON *costs, struct sim_task *task)
{
    struct sim_graph *graph = reader->graph;
    struct sim_cost cost = {.size = task->size};
    char name[SIM_NAME_BYTES];
    uint64_t hash = 0xcbf29ce484222325u;
    const cJSON *entry;

    if (!costs->child)
        return sim_reader_fail(reader, costs, "want a cost for at least one class of devices");
    cJSON_ArrayForEach(entry, costs)
    {
        size_t level = json_path_enter_key(&reader->path, entry->string);
        if (!sim_reader_real(reader, entry, 1e-3, GRAPH_COST_LIMIT, &cost.mean_us))
            return false;
        if (strlen(entry->string) >= SIM_NAME_BYTES || !entry->string[0])
            return sim_reader_fail(reader, NULL, "want names of 1 to %d bytes", SIM_NAME_BYTES - 1);
        json_path_leave(&reader->path, level);
        for (const char *letter = entry->string; *letter; letter++)
            hash = (hash ^ (unsigned char)*letter) * 0x100000001b3u;
        uint64_t bits = 0;
        memcpy(&bits, &cost.mean_us, sizeof bits);
        hash = (hash ^ bits ^ (bits >> 29)) * 0x100000001b3u;
    }
    hash = (hash ^ task->size) * 0x100000001b3u;
    (void)snprintf(name, sizeof name, "%.40s~%016llx", graph->kernels[task->kernel].name,
                   (unsigned long long)hash);
    uint32_t known = graph->kernel_count;
    task->kernel = sim_graph_kernel(graph, name, NULL);
    if (graph->status != FGPU_OK || task->kernel < known)
        return graph->status == FGPU_OK;
    cost.kernel = task->kernel;
    cJSON_ArrayForEach(entry, costs)
    {
        (void)snprintf(cost.class_name, sizeof cost.class_name, "%s", entry->string);
        cost.mean_us = entry->valuedouble;
        sim_graph_cost(graph, &cost);
    }
    return graph->status == FGPU_OK;
}

/* cost_us: one number, or an object of them by class. */
static bool graph_cost(struct sim_reader *reader, const cJSON *entry, struct sim_task *task)
{
    const cJSON *cost = sim_reader_get(entry, "cost_us");
    size_t level = json_path_enter_key(&reader->path, "cost_us");
    double us = 0;

    if (cJSON_IsObject(cost)) {
        if (!graph_costs(reader, cost, task))
            return false;
    } else if (cost) {
        if (!cJSON_IsNumber(cost))
            return sim_reader_fail(reader, cost,
                                   "want microseconds, or an object of them by class");
        if (!sim_reader_real(reader, cost, 1e-3, GRAPH_COST_LIMIT, &us))
            return false;
        task->cost_ns = us * 1e3;
    }
    json_path_leave(&reader->path, level);
    return true;
}

static bool graph_kernel(struct sim_reader *reader, const cJSON *entry, struct sim_task *task)
{
    const cJSON *kernel = sim_reader_get(entry, "kernel");
    size_t level = json_path_enter_key(&reader->path, "kernel");
    const char *name = "task";

    if (kernel)
        name = sim_reader_text(reader, kernel);
    else if (!sim_reader_get(entry, "cost_us") && !sim_reader_get(entry, "flops"))
        return sim_reader_fail(reader, NULL, "want a kernel's name, or cost_us or flops beside it");
    if (!name)
        return false;
    json_path_leave(&reader->path, level);
    task->kernel = sim_graph_kernel(reader->graph, name, NULL);
    return reader->graph->status == FGPU_OK;
}

/* The access to `data` that the task in the making has already; NULL. */
static fgpu_sim_access *graph_access(struct sim_graph *graph, uint32_t data)
{
    const struct sim_task *task = &graph->tasks[graph->task_count - 1];

    for (uint32_t i = 0; i < task->access_count; i++)
        if (graph->accesses[task->access_first + i].data == data)
            return &graph->accesses[task->access_first + i];
    return NULL;
}

/* `reads` or `writes`; what is in both is updated. */
static bool graph_accesses(struct sim_reader *reader, const cJSON *entry, const char *key,
                           fgpu_access mode)
{
    const cJSON *list = sim_reader_get(entry, key), *item;
    size_t level = json_path_enter_key(&reader->path, key), number = 0;

    if (list && !cJSON_IsArray(list))
        return sim_reader_fail(reader, list, "want a list");
    cJSON_ArrayForEach(item, list)
    {
        size_t inner = json_path_enter_item(&reader->path, number++);
        uint32_t data;
        if (!sim_reader_ref(reader, item, &reader->data, reader->graph->data_count, "data", &data))
            return false;
        fgpu_sim_access *known = graph_access(reader->graph, data);
        if (known && (known->mode & (uint32_t)mode))
            return sim_reader_fail(reader, item, "it stands there twice");
        if (known)
            known->mode |= (uint32_t)mode;
        else if (reader->graph->tasks[reader->graph->task_count - 1].access_count ==
                 CLI_WORKLOAD_ARGS_LIMIT)
            return sim_reader_fail(reader, item,
                                   "a task reads and writes at most %d pieces of data",
                                   CLI_WORKLOAD_ARGS_LIMIT);
        else
            sim_graph_access(reader->graph, data, mode);
        json_path_leave(&reader->path, inner);
    }
    json_path_leave(&reader->path, level);
    return reader->graph->status == FGPU_OK;
}

/* `whole`: of what is only read that which every piece needs all of. */
static bool graph_whole(struct sim_reader *reader, const cJSON *entry)
{
    const cJSON *list = sim_reader_get(entry, "whole"), *item;
    size_t level = json_path_enter_key(&reader->path, "whole"), number = 0;

    if (list && !cJSON_IsArray(list))
        return sim_reader_fail(reader, list, "want a list");
    if (list && reader->graph->tasks[reader->graph->task_count - 1].parts < 2)
        return sim_reader_fail(reader, list, "the task is not \"divisible\"");
    cJSON_ArrayForEach(item, list)
    {
        size_t inner = json_path_enter_item(&reader->path, number++);
        uint32_t data;
        if (!sim_reader_ref(reader, item, &reader->data, reader->graph->data_count, "data", &data))
            return false;
        fgpu_sim_access *known = graph_access(reader->graph, data);
        if (!known || (known->mode & FGPU_WRITE))
            return sim_reader_fail(reader, item, "the task %s it: pieces have their part of it",
                                   known ? "writes" : "does not read");
        known->mode |= FGPU_SIM_WHOLE;
        json_path_leave(&reader->path, inner);
    }
    json_path_leave(&reader->path, level);
    return true;
}

static bool graph_after(struct sim_reader *reader, const cJSON *entry)
{
    const cJSON *list = sim_reader_get(entry, "after"), *item;
    size_t level = json_path_enter_key(&reader->path, "after"), number = 0;

    if (list && !cJSON_IsArray(list))
        return sim_reader_fail(reader, list, "want a list");
    if (list && cJSON_GetArraySize(list) > CLI_WORKLOAD_AFTER_LIMIT)
        return sim_reader_fail(reader, list, "want at most %d", CLI_WORKLOAD_AFTER_LIMIT);
    cJSON_ArrayForEach(item, list)
    {
        size_t inner = json_path_enter_item(&reader->path, number++);
        uint32_t task;
        /* The task itself is not among the names yet. */
        if (!sim_reader_ref(reader, item, &reader->tasks, reader->graph->task_count - 1,
                            "task above", &task))
            return false;
        sim_graph_after(reader->graph, task);
        json_path_leave(&reader->path, inner);
    }
    json_path_leave(&reader->path, level);
    return reader->graph->status == FGPU_OK;
}

static bool graph_numbers(struct sim_reader *reader, const cJSON *entry, struct sim_task *task)
{
    static const uint64_t sizes[2] = {1, GRAPH_SIZE_LIMIT}, parts[2] = {2, GRAPH_PARTS_LIMIT};
    const cJSON *priority = sim_reader_get(entry, "priority");
    uint64_t divisible = 0;
    double number = 0;

    if (!sim_reader_whole_of(reader, entry, "size", sizes, &task->size) ||
        !sim_reader_whole_of(reader, entry, "divisible", parts, &divisible) ||
        !sim_reader_real_of(reader, entry, "flops", GRAPH_FLOPS_LIMIT, &task->flops))
        return false;
    size_t level = json_path_enter_key(&reader->path, "priority");
    if (priority && (!cJSON_IsNumber(priority) || priority->valuedouble != priority->valueint))
        return sim_reader_fail(reader, priority, "want a whole number from -1000 to 1000");
    if (priority && !sim_reader_real(reader, priority, -1000, 1000, &number))
        return false;
    json_path_leave(&reader->path, level);
    task->priority = (int32_t)number;
    task->parts = (uint32_t)divisible;
    return true;
}

static bool graph_name(struct sim_reader *reader, const cJSON *entry)
{
    const cJSON *value = sim_reader_get(entry, "name");
    size_t level = json_path_enter_key(&reader->path, "name");

    if (!value) {
        json_path_leave(&reader->path, level);
        return true;
    }
    if (!sim_reader_text(reader, value))
        return false;
    if (sim_names_find(&reader->tasks, value->valuestring) != SIM_NAMES_NONE)
        return sim_reader_fail(reader, value, "there is a task of this name already");
    if (!sim_names_add(&reader->tasks, value->valuestring, reader->graph->task_count - 1))
        return sim_reader_no_memory(reader);
    sim_graph_name(reader->graph, "%s", value->valuestring);
    json_path_leave(&reader->path, level);
    return true;
}

static bool graph_task(struct sim_reader *reader, const cJSON *entry)
{
    static const char *const keys[] = {"name",     "kernel",    "size",   "flops",
                                       "cost_us",  "reads",     "writes", "after",
                                       "priority", "divisible", "whole",  NULL};
    struct sim_task task = {.size = 1};

    if (!sim_reader_keys(reader, entry, keys) || !graph_numbers(reader, entry, &task) ||
        !graph_kernel(reader, entry, &task) || !graph_cost(reader, entry, &task))
        return false;
    (void)sim_graph_task(reader->graph, &task);
    if (reader->graph->status != FGPU_OK)
        return false;
    return graph_accesses(reader, entry, "reads", FGPU_READ) &&
           graph_accesses(reader, entry, "writes", FGPU_WRITE) && graph_whole(reader, entry) &&
           graph_after(reader, entry) && graph_name(reader, entry);
}

bool sim_read_own(struct sim_reader *reader, const cJSON *root)
{
    static const char *const keys[] = {"$schema", "fastgpu_graph", "name", "description",
                                       "data",    "tasks",         NULL};
    static const uint64_t versions[2] = {1, 1};
    const cJSON *name = sim_reader_get(root, "name");
    uint64_t version = 0;

    if (!sim_reader_keys(reader, root, keys) ||
        !sim_reader_whole_of(reader, root, "fastgpu_graph", versions, &version))
        return false;
    size_t level = json_path_enter_key(&reader->path, "name");
    if (name && !sim_reader_text(reader, name))
        return false;
    json_path_leave(&reader->path, level);
    if (!graph_list(reader, root, "data", graph_data) ||
        !graph_list(reader, root, "tasks", graph_task))
        return false;
    (void)json_path_enter_key(&reader->path, "tasks");
    if (reader->graph->task_count == 0)
        return sim_reader_fail(reader, sim_reader_get(root, "tasks"), "want at least one task");
    const char *file = strrchr(reader->file, '/');
    (void)snprintf(reader->graph->name, sizeof reader->graph->name, "%.100s",
                   name   ? name->valuestring
                   : file ? file + 1
                          : reader->file);
    return true;
}
