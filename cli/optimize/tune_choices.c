/* Choices put into effect, and the fingerprint of what they are for: see tune_space.h. */
#include "cli/optimize/tune_space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/why.h"
#include "cli/workload/workload_edges.h"

#define CHOICES_PRIORITY_MOST 1000

const char *const tune_kind_names[TUNE_KINDS] = {"constant", "devices", "policy",
                                                 "order",    "variant", "local"};

const char *tune_choices_find(const struct tune_choices *choices, enum tune_kind kind)
{
    for (uint32_t i = 0; i < choices->count; i++)
        if (choices->list[i].kind == kind)
            return choices->list[i].value;
    return NULL;
}

void tune_choice_text(const struct tune_choice *choice, char text[192])
{
    const char *kind = tune_kind_names[choice->kind];

    if (choice->kind == TUNE_CONSTANT)
        (void)snprintf(text, 192, "%s = %s", choice->name, choice->value);
    else if (strcmp(choice->name, "*") == 0)
        (void)snprintf(text, 192, "all kernels: %s %s", kind, choice->value);
    else if (choice->name[0])
        (void)snprintf(text, 192, "%s: %s %s", choice->name, kind, choice->value);
    else
        (void)snprintf(text, 192, "%s %s", kind, choice->value);
}

/* ---- priorities */

static double choices_items(const struct workload_task *task)
{
    double items = 1.0;

    for (uint32_t i = 0; i < task->dims; i++)
        items *= (double)task->global[i];
    return items;
}

/* Ranks along the edges: of a task what its longest chain of successors sums to (`critical`), or
 * how many predecessors its longest chain has. Edges are sorted by the task they lead to, tasks are
 * numbered as in the file: `order` tells who comes first. */
static void choices_rank(const struct workload *workload, const struct workload_edges *edges,
                         bool is_critical, const uint32_t *first, double *ranks)
{
    for (uint32_t i = 0; i < workload->task_count; i++)
        ranks[i] = is_critical ? choices_items(&workload->tasks[i]) : 1.0;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t to = workload->order[is_critical ? workload->task_count - 1 - i : i];
        for (uint32_t e = first[to]; e < first[to + 1]; e++) {
            uint32_t from = edges->items[e].from;
            if (is_critical) {
                double rank = ranks[to] + choices_items(&workload->tasks[from]);
                ranks[from] = rank > ranks[from] ? rank : ranks[from];
            } else {
                ranks[to] = ranks[from] + 1.0 > ranks[to] ? ranks[from] + 1.0 : ranks[to];
            }
        }
    }
}

static fgpu_status choices_order(struct workload *workload, bool is_critical, char *why,
                                 size_t why_bytes)
{
    struct workload_edges edges;
    double most = 0.0;

    fgpu_status status = workload_edges_init(&edges, workload);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "the order of tasks: %s", fgpu_status_text(status));
    double *ranks = calloc((size_t)workload->task_count + 1, sizeof *ranks);
    uint32_t *first = calloc((size_t)workload->task_count + 2, sizeof *first);
    if (ranks && first) {
        for (uint32_t e = 0; e < edges.count; e++)
            first[edges.items[e].to + 1]++;
        for (uint32_t i = 0; i < workload->task_count; i++)
            first[i + 1] += first[i];
        choices_rank(workload, &edges, is_critical, first, ranks);
        for (uint32_t i = 0; i < workload->task_count; i++)
            most = ranks[i] > most ? ranks[i] : most;
        for (uint32_t i = 0; i < workload->task_count; i++)
            workload->tasks[i].priority =
                (int32_t)(most > 0.0 ? ranks[i] / most * CHOICES_PRIORITY_MOST : 0.0);
    } else {
        status = why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    }
    free(ranks);
    free(first);
    workload_edges_fini(&edges);
    return status;
}

/* ---- kernels */

static bool choices_is_named(const struct workload_kernel *kernel, const char *name)
{
    return strcmp(name, "*") == 0 || strcmp(name, kernel->name) == 0;
}

static fgpu_status choices_set_variant(const struct tune_choice *choice, struct workload *workload,
                                       char *why, size_t why_bytes)
{
    bool is_native = strcmp(choice->value, "native") == 0;

    if (!is_native && strcmp(choice->value, "opencl") != 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "variant %s: want native or opencl",
                        choice->value);
    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        struct workload_kernel *kernel = &workload->kernels[i];
        if (!choices_is_named(kernel, choice->name))
            continue;
        if (is_native && !kernel->native)
            return why_fail(FGPU_E_INVAL, why, why_bytes, "%s has no native variant", kernel->name);
        kernel->variant = is_native ? WORKLOAD_NATIVE : WORKLOAD_OPENCL;
    }
    return FGPU_OK;
}

static fgpu_status choices_set_local(const struct tune_choice *choice, struct workload *workload,
                                     char *why, size_t why_bytes)
{
    uint32_t local[3] = {0, 1, 1};
    int end = 0;

    bool is_read = sscanf(choice->value, "%4u%nx%4u%nx%4u%n", &local[0], &end, &local[1], &end,
                          &local[2], &end) >= 1 &&
                   choice->value[end] == '\0';
    bool is_pool = is_read && local[0] == 0;
    if (!is_read || (!is_pool && (local[1] == 0 || local[2] == 0)))
        return why_fail(FGPU_E_INVAL, why, why_bytes, "local %s: want 64, 16x4 or 4x4x4",
                        choice->value);
    for (uint32_t i = 0; i < workload->task_count; i++) {
        struct workload_task *task = &workload->tasks[i];
        if (!choices_is_named(&workload->kernels[task->kernel], choice->name))
            continue;
        for (uint32_t k = 0; k < 3; k++) {
            if (!is_pool && (k < task->dims ? task->global[k] : 1) % local[k] != 0)
                return why_fail(FGPU_E_INVAL, why, why_bytes,
                                "local %s of %s does not divide the grid of %s", choice->value,
                                choice->name, task->place);
            task->local[k] = is_pool ? 0 : local[k];
        }
    }
    return FGPU_OK;
}

fgpu_status tune_choices_apply(const struct tune_choices *choices, struct workload *workload,
                               char *why, size_t why_bytes)
{
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < choices->count && status == FGPU_OK; i++) {
        const struct tune_choice *choice = &choices->list[i];
        bool is_of_kernel = choice->kind == TUNE_VARIANT || choice->kind == TUNE_LOCAL;
        bool is_there = !is_of_kernel;
        for (uint32_t k = 0; k < workload->kernel_count; k++)
            is_there |= choices_is_named(&workload->kernels[k], choice->name);
        if (!is_there)
            return why_fail(FGPU_E_INVAL, why, why_bytes, "there is no kernel %s", choice->name);
        if (choice->kind == TUNE_VARIANT)
            status = choices_set_variant(choice, workload, why, why_bytes);
        else if (choice->kind == TUNE_LOCAL)
            status = choices_set_local(choice, workload, why, why_bytes);
        else if (choice->kind == TUNE_ORDER)
            status =
                choices_order(workload, strcmp(choice->value, "critical") == 0, why, why_bytes);
    }
    return status;
}

fgpu_status tune_choices_load(const char *path, const struct workload_options *options,
                              const struct tune_choices *choices, struct workload *workload,
                              char *why, size_t why_bytes)
{
    char texts[TUNE_DIMS_LIMIT][sizeof choices->list[0].name + sizeof choices->list[0].value + 1];
    struct workload_options how = *options;

    *workload = (struct workload){0};
    const char **sets = calloc((size_t)how.set_count + TUNE_DIMS_LIMIT, sizeof *sets);
    if (!sets)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    for (uint32_t i = 0; i < how.set_count; i++)
        sets[i] = how.sets[i];
    for (uint32_t i = 0; i < choices->count; i++) {
        const struct tune_choice *choice = &choices->list[i];
        if (choice->kind != TUNE_CONSTANT)
            continue;
        (void)snprintf(texts[i], sizeof texts[i], "%s=%s", choice->name, choice->value);
        sets[how.set_count++] = texts[i];
    }
    how.sets = sets;
    fgpu_status status = workload_load(path, &how, workload);
    free(sets);
    if (status == FGPU_OK)
        return tune_choices_apply(choices, workload, why, why_bytes);
    if (workload->mistake_count == 0)
        return why_fail(status, why, why_bytes, "%s", fgpu_status_text(status));
    return why_fail(status, why, why_bytes, "%s: %s", workload->mistakes[0].path,
                    workload->mistakes[0].text);
}

/* ---- fingerprint: FNV-1a, 64 bits */

static void choices_mix(uint64_t *hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++)
        *hash = (*hash ^ at[i]) * UINT64_C(0x100000001B3);
}

static void choices_mix_number(uint64_t *hash, uint64_t number)
{
    choices_mix(hash, &number, sizeof number);
}

static void choices_mix_text(uint64_t *hash, const char *text)
{
    choices_mix(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void choices_mix_task(uint64_t *hash, const struct workload *workload,
                             const struct workload_task *task)
{
    choices_mix_number(hash, task->kernel);
    choices_mix_number(hash, task->dims);
    choices_mix_number(hash, (uint64_t)(int64_t)task->priority);
    for (uint32_t i = 0; i < task->dims; i++) {
        choices_mix_number(hash, task->global[i]);
        choices_mix_number(hash, task->local[i]);
    }
    for (uint32_t i = 0; i < task->arg_count; i++) {
        const struct workload_arg *arg = &workload->args[task->arg_first + i];
        choices_mix_number(hash, (uint64_t)arg->kind);
        choices_mix_number(hash, arg->buffer);
        choices_mix_number(hash, arg->size_bytes);
        choices_mix(hash, &arg->region, sizeof arg->region);
        if (arg->value)
            choices_mix(hash, arg->value, arg->size_bytes);
    }
    for (uint32_t i = 0; i < task->after_count; i++)
        choices_mix_number(hash, workload->after[task->after_first + i]);
}

uint64_t tune_fingerprint(const struct workload *workload)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        const struct workload_buffer *buffer = &workload->buffers[i];
        choices_mix_text(&hash, buffer->name);
        choices_mix_number(&hash, (uint64_t)buffer->type);
        choices_mix_number(&hash, buffer->pitch);
        for (uint32_t k = 0; k < buffer->dims; k++)
            choices_mix_number(&hash, buffer->shape[k]);
    }
    for (uint32_t i = 0; i < workload->kernel_count; i++) {
        const struct workload_kernel *kernel = &workload->kernels[i];
        choices_mix_text(&hash, kernel->name);
        choices_mix_text(&hash, kernel->source);
        choices_mix_text(&hash, kernel->entry);
        choices_mix_text(&hash, kernel->options);
    }
    for (uint32_t i = 0; i < workload->task_count; i++)
        choices_mix_task(&hash, workload, &workload->tasks[i]);
    for (uint32_t i = 0; i < workload->output_count; i++)
        choices_mix_number(&hash, workload->outputs[i].buffer);
    return hash;
}
