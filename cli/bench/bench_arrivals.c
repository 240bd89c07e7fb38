/* Arrival files; see bench_arrivals.h. */
#include "cli/bench/bench_arrivals.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/common/json_in.h"
#include "cli/common/why.h"

#define ARRIVALS_FILE_BYTES (4u << 20)
#define ARRIVALS_MOST 1e6 /* seconds, and requests in a second */

/* What a request takes where the name begins so; an assumption about a GPU of 2020, for batches of
 * one. */
static const struct {
    const char *name;
    uint64_t work_us;
} arrivals_models[] = {{"resnet152", 8000},   {"densenet201", 10000}, {"vgg19", 2500},
                       {"inceptionv3", 6000}, {"distilbert", 4000},   {"", 5000}};

static uint64_t arrivals_work_us(const char *name)
{
    size_t i = 0;
    while (strncmp(name, arrivals_models[i].name, strlen(arrivals_models[i].name)) != 0)
        i++;
    return arrivals_models[i].work_us;
}

static bool arrivals_number(const cJSON *object, const char *key, double *value)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(found) || !(found->valuedouble > 0) || found->valuedouble > ARRIVALS_MOST)
        return false;
    *value = found->valuedouble;
    return true;
}

/* NULL, or what is wrong with it. */
static const char *arrivals_read_trace(const cJSON *load, struct arrivals_client *client)
{
    const cJSON *trace = cJSON_GetObjectItemCaseSensitive(load, "trace"), *item;
    double before = 0;
    int count = cJSON_IsArray(trace) ? cJSON_GetArraySize(trace) : 0;
    if (count == 0)
        return "load.trace: want a list of milliseconds";
    client->trace_ms = calloc((size_t)count, sizeof *client->trace_ms);
    if (!client->trace_ms)
        return "no memory";
    cJSON_ArrayForEach(item, trace)
    {
        if (!cJSON_IsNumber(item) || item->valuedouble < before ||
            item->valuedouble > 1000 * ARRIVALS_MOST)
            return "load.trace: want milliseconds that do not fall";
        before = item->valuedouble;
        client->trace_ms[client->trace_count++] = before;
    }
    return NULL;
}

static const char *arrivals_read_law(const cJSON *load, struct arrivals_client *client)
{
    static const char *const laws[] = {"continuous", "periodic", "poisson", "trace"};
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(load, "type"));
    for (client->law = 0; type && client->law < 4; client->law++)
        if (strcmp(type, laws[client->law]) == 0)
            break;
    if (!type || client->law == 4)
        return "load.type: want continuous, periodic, poisson or trace";
    if (client->law == ARRIVALS_TRACE)
        return arrivals_read_trace(load, client);
    if (client->law != ARRIVALS_CONTINUOUS &&
        !arrivals_number(load, "frequency", &client->frequency))
        return "load.frequency: want a number of requests in a second";
    return NULL;
}

static const char *arrivals_read_client(const cJSON *task, struct arrivals_client *client)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(task, "id"));
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length >= sizeof client->name)
        return "id: want a name of 1 to 63 bytes";
    memcpy(client->name, name, length + 1);
    client->is_interactive = length > 3 && strcmp(name + length - 3, "_rt") == 0;
    client->work_us = arrivals_work_us(name);
    return arrivals_read_law(cJSON_GetObjectItemCaseSensitive(task, "load"), client);
}

static fgpu_status arrivals_read_root(const char *path, const cJSON *root,
                                      struct arrivals *arrivals, char *why, size_t why_bytes)
{
    const cJSON *tasks = cJSON_GetObjectItemCaseSensitive(root, "tasks"), *task;
    if (!arrivals_number(root, "time", &arrivals->seconds))
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: time: want a number of seconds", path);
    if (!cJSON_IsArray(tasks) || cJSON_GetArraySize(tasks) == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: tasks: want a list", path);
    cJSON_ArrayForEach(task, tasks)
    {
        if (arrivals->count == ARRIVALS_CLIENTS)
            return why_fail(FGPU_E_LIMIT, why, why_bytes, "%s: tasks: more than %u", path,
                            ARRIVALS_CLIENTS);
        const char *wrong = arrivals_read_client(task, &arrivals->clients[arrivals->count++]);
        if (wrong)
            return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: tasks[%u].%s", path,
                            arrivals->count - 1, wrong);
    }
    return FGPU_OK;
}

fgpu_status arrivals_read(const char *path, struct arrivals *arrivals, char *why, size_t why_bytes)
{
    struct file_bytes bytes = {0};
    struct json_path at;
    char wrong[CLI_WHY_BYTES];
    cJSON *root = NULL;

    memset(arrivals, 0, sizeof *arrivals);
    fgpu_status status = file_read(path, ARRIVALS_FILE_BYTES, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status =
        json_in_parse((const char *)bytes.data, bytes.size_bytes, &root, &at, wrong, sizeof wrong);
    if (status != FGPU_OK)
        status = why_fail(status, why, why_bytes, "%s: %s: %.300s", path, at.text, wrong);
    else
        status = arrivals_read_root(path, root, arrivals, why, why_bytes);
    cJSON_Delete(root);
    file_bytes_fini(&bytes);
    return status;
}

void arrivals_fini(struct arrivals *arrivals)
{
    for (uint32_t i = 0; i < arrivals->count; i++)
        free(arrivals->clients[i].trace_ms);
    arrivals->count = 0;
}
