/* What may be chosen for a workload: see tune_space.h. */
#include "cli/optimize/tune_space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/why.h"

/* Constants of these names say in how many pieces work is cut. */
static const char *const space_piece_names[] = {"bands", "pieces", "chunks", "parts", "tiles"};

static const uint32_t space_pieces[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64};

/* The first is what a pool has where nobody chooses. */
static const char *const space_policies[] = {"auto",  "eft",        "fifo",
                                             "steal", "heteroprio", "lookahead"};

/* Work-group sizes that are tried, by dimensions of the grid. */
static const uint32_t space_locals[][3] = {{16, 1, 1},  {32, 1, 1},  {64, 1, 1}, {128, 1, 1},
                                           {256, 1, 1}, {512, 1, 1}, {8, 8, 1},  {16, 4, 1},
                                           {32, 4, 1},  {16, 16, 1}, {4, 4, 4}};

/* Words in a kernel's text that depend on its work groups: their size is left alone then. */
static const char *const space_group_words[] = {
    "get_local_", "get_group_id", "get_num_groups", "barrier", "local", "work_group", "async_"};

/* Devices that are tried alone. */
#define SPACE_DEVICES_LIMIT 6

#define SPACE_LENGTH(list) (sizeof(list) / sizeof(list)[0])

/* ---- making */

static struct tune_dim *space_add_dim(struct tune_space *space, enum tune_kind kind,
                                      const char *name)
{
    if (space->count == TUNE_DIMS_LIMIT)
        return NULL;
    struct tune_dim *dim = &space->dims[space->count++];
    *dim = (struct tune_dim){.kind = kind, .count = 1};
    (void)snprintf(dim->name, sizeof dim->name, "%s", name);
    return dim;
}

static void space_add_value(struct tune_dim *dim, const char *value)
{
    if (dim && dim->count < TUNE_VALUES_LIMIT)
        (void)snprintf(dim->values[dim->count++], sizeof dim->values[0], "%s", value);
}

/* A dimension with nothing to choose is none. */
static void space_end_dim(struct tune_space *space)
{
    if (space->count > 0 && space->dims[space->count - 1].count < 2)
        space->count--;
}

static bool space_is_set(const struct tune_source *source, const char *name)
{
    size_t length = strlen(name);

    for (uint32_t i = 0; i < source->set_count; i++)
        if (strncmp(source->sets[i], name, length) == 0 && source->sets[i][length] == '=')
            return true;
    return false;
}

static bool space_is_whole(const cJSON *entry)
{
    return cJSON_IsNumber(entry) && entry->valuedouble >= 1.0 && entry->valuedouble <= 1e6 &&
           entry->valuedouble == (double)(uint32_t)entry->valuedouble;
}

static void space_add_constant(struct tune_space *space, const cJSON *entry)
{
    struct tune_dim *dim = space_add_dim(space, TUNE_CONSTANT, entry->string);
    uint32_t now = (uint32_t)entry->valuedouble;
    char text[24];

    for (uint32_t i = 0; i < SPACE_LENGTH(space_pieces); i++) {
        uint32_t value = space_pieces[i];
        if (now > 64) /* from an eighth to the eightfold */
            value = i < 7 ? (uint32_t)((uint64_t)now << i >> 3) : 0;
        (void)snprintf(text, sizeof text, "%u", value);
        if (value != now && value > 0)
            space_add_value(dim, text);
    }
    space_end_dim(space);
}

static fgpu_status space_add_constants(struct tune_space *space, const struct tune_source *source,
                                       char *why, size_t why_bytes)
{
    const cJSON *constants = cJSON_GetObjectItemCaseSensitive(source->file, "constants");
    const cJSON *entry;

    for (uint32_t i = 0; i < source->piece_count; i++)
        if (!space_is_whole(cJSON_GetObjectItemCaseSensitive(constants, source->pieces[i])))
            return why_fail(FGPU_E_INVAL, why, why_bytes,
                            "--pieces %s: the workload has no constant of that name that is a "
                            "whole number",
                            source->pieces[i]);
    cJSON_ArrayForEach(entry, constants)
    {
        bool is_piece = false;
        for (uint32_t i = 0; i < SPACE_LENGTH(space_piece_names); i++)
            is_piece |= strcmp(entry->string, space_piece_names[i]) == 0;
        for (uint32_t i = 0; i < source->piece_count; i++)
            is_piece |= strcmp(entry->string, source->pieces[i]) == 0;
        if (is_piece && space_is_whole(entry) && !space_is_set(source, entry->string) &&
            strlen(entry->string) < WORKLOAD_NAME_BYTES)
            space_add_constant(space, entry);
    }
    return FGPU_OK;
}

static bool space_has_backend(const struct tune_source *source, const char *backend)
{
    for (uint32_t i = 0; i < source->device_count; i++)
        if (strcmp(source->devices[i].backend, backend) == 0)
            return true;
    return false;
}

static void space_add_devices(struct tune_space *space, const struct tune_source *source)
{
    struct tune_dim *dim = space_add_dim(space, TUNE_DEVICES, "");

    for (uint32_t i = 0; i < source->device_count && i < SPACE_DEVICES_LIMIT; i++)
        if (source->device_count > 1)
            space_add_value(dim, source->devices[i].id);
    space_end_dim(space);
}

static void space_add_policies(struct tune_space *space)
{
    struct tune_dim *dim = space_add_dim(space, TUNE_POLICY, "");

    for (uint32_t i = 1; i < SPACE_LENGTH(space_policies); i++) /* the first is the library's own */
        space_add_value(dim, space_policies[i]);
}

/* ---- kernels */

static bool space_has_both(const struct workload_kernel *kernel)
{
    return kernel->native != NULL;
}

static void space_add_variant(struct tune_space *space, const char *name)
{
    struct tune_dim *dim = space_add_dim(space, TUNE_VARIANT, name);

    space_add_value(dim, "native");
    space_add_value(dim, "opencl");
    space_end_dim(space);
}

static bool space_is_free(const struct workload_kernel *kernel)
{
    for (uint32_t i = 0; i < SPACE_LENGTH(space_group_words); i++)
        if (strstr(kernel->source, space_group_words[i]))
            return false;
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (kernel->params[i].kind == FGPU_ARG_LOCAL)
            return false;
    return true;
}

static void space_local_text(const uint32_t local[3], uint32_t dims, char *text, size_t bytes)
{
    if (dims == 1)
        (void)snprintf(text, bytes, "%u", local[0]);
    else if (dims == 2)
        (void)snprintf(text, bytes, "%ux%u", local[0], local[1]);
    else
        (void)snprintf(text, bytes, "%ux%ux%u", local[0], local[1], local[2]);
}

/* Whether all tasks of a kernel can have groups of that size, and some has another now. */
static bool space_local_fits(const struct workload *workload, uint32_t kernel,
                             const uint32_t local[3])
{
    bool is_other = false;

    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct workload_task *task = &workload->tasks[i];
        if (task->kernel != kernel)
            continue;
        for (uint32_t k = 0; k < 3; k++) {
            uint64_t global = k < task->dims ? task->global[k] : 1;
            if (global % local[k] != 0)
                return false;
            is_other |= k < task->dims && task->local[k] != local[k];
        }
    }
    return is_other;
}

static void space_add_local(struct tune_space *space, const struct tune_source *source,
                            uint32_t kernel)
{
    const struct workload *workload = source->workload;
    struct tune_dim *dim = space_add_dim(space, TUNE_LOCAL, workload->kernels[kernel].name);
    uint32_t most = UINT32_MAX, dims = 0;
    bool is_given = false;
    char text[40];

    for (uint32_t i = 0; i < source->device_count; i++)
        if (source->devices[i].valid & FGPU_INFO_MAX_GROUP &&
            source->devices[i].max_group_items < most)
            most = source->devices[i].max_group_items;
    for (uint32_t i = 0; i < workload->task_count; i++)
        if (workload->tasks[i].kernel == kernel) {
            dims = dims < workload->tasks[i].dims ? workload->tasks[i].dims : dims;
            is_given |= workload->tasks[i].local[0] != 0;
        }
    if (is_given)
        space_add_value(dim, "0");
    for (uint32_t i = 0; i < SPACE_LENGTH(space_locals) && dims > 0; i++) {
        const uint32_t *local = space_locals[i];
        if (local[0] * local[1] * local[2] > most || !space_local_fits(workload, kernel, local))
            continue;
        space_local_text(local, dims, text, sizeof text);
        space_add_value(dim, text);
    }
    space_end_dim(space);
}

/* Kernels by the work items that they run, most first. */
struct space_weight {
    double items;
    uint32_t kernel;
};

static int space_compare(const void *left, const void *right)
{
    const struct space_weight *a = left, *b = right;

    if (a->items != b->items)
        return a->items < b->items ? 1 : -1;
    return (a->kernel > b->kernel) - (a->kernel < b->kernel);
}

static double space_items(const struct workload_task *task)
{
    double items = 1.0;

    for (uint32_t i = 0; i < task->dims; i++)
        items *= (double)task->global[i];
    return items;
}

static fgpu_status space_add_kernels(struct tune_space *space, const struct tune_source *source,
                                     char *why, size_t why_bytes)
{
    const struct workload *workload = source->workload;
    bool has_both = space_has_backend(source, "cpu") && space_has_backend(source, "opencl");
    uint32_t both_count = 0;

    struct space_weight *weights = calloc((size_t)workload->kernel_count + 1, sizeof *weights);
    if (!weights)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        weights[i].kernel = i;
        both_count += space_has_both(&workload->kernels[i]);
    }
    for (uint32_t i = 0; i < workload->task_count; i++)
        weights[workload->tasks[i].kernel].items += space_items(&workload->tasks[i]);
    qsort(weights, workload->kernel_count, sizeof *weights, space_compare);
    if (has_both && both_count > 1 && both_count == workload->kernel_count)
        space_add_variant(space, "*");
    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        const struct workload_kernel *kernel = &workload->kernels[weights[i].kernel];
        if (has_both && space_has_both(kernel))
            space_add_variant(space, kernel->name);
        if (space_is_free(kernel) && weights[i].items > 0.0)
            space_add_local(space, source, weights[i].kernel);
    }
    free(weights);
    return FGPU_OK;
}

fgpu_status tune_space_make(struct tune_space *space, const struct tune_source *source, char *why,
                            size_t why_bytes)
{
    *space = (struct tune_space){0};
    fgpu_status status = space_add_constants(space, source, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    if (!source->is_policy_fixed)
        space_add_policies(space);
    space_add_devices(space, source);
    if (source->workload->task_count > 1) {
        struct tune_dim *dim = space_add_dim(space, TUNE_ORDER, "");
        space_add_value(dim, "critical");
        space_add_value(dim, "deep");
    }
    return space_add_kernels(space, source, why, why_bytes);
}

void tune_space_counts(const struct tune_space *space, uint32_t *counts)
{
    for (uint32_t i = 0; i < space->count; i++)
        counts[i] = space->dims[i].count;
}

void tune_space_choices(const struct tune_space *space, const struct tune_point *point,
                        struct tune_choices *choices)
{
    choices->count = 0;
    for (uint32_t i = 0; i < space->count; i++) {
        const struct tune_dim *dim = &space->dims[i];
        struct tune_choice *choice = &choices->list[choices->count];
        if (point->at[i] == 0)
            continue;
        choice->kind = dim->kind;
        memcpy(choice->name, dim->name, sizeof choice->name);
        memcpy(choice->value, dim->values[point->at[i]], sizeof choice->value);
        choices->count++;
    }
}
