/* What `fastgpu optimize` says: see optimize.h. What was not measured is "unknown" in the tables
 * and null in JSON. */
#include "cli/optimize/optimize.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/text_table.h"

/* ---- what could be chosen */

static uint32_t print_value_count(const struct tune_space *space)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < space->count; i++)
        count += space->dims[i].count - 1;
    return count;
}

static cJSON *print_space_json(const struct tune_space *space)
{
    cJSON *list = cJSON_CreateArray();

    for (uint32_t i = 0; i < space->count; i++) {
        const struct tune_dim *dim = &space->dims[i];
        cJSON *entry = cJSON_CreateObject();
        json_out_text(entry, "what", tune_kind_names[dim->kind]);
        if (dim->name[0])
            json_out_text(entry, "name", dim->name);
        cJSON *values = cJSON_AddArrayToObject(entry, "values");
        for (uint32_t k = 1; k < dim->count; k++)
            (void)cJSON_AddItemToArray(values, json_out_string(dim->values[k]));
        (void)cJSON_AddItemToArray(list, entry);
    }
    return list;
}

static void print_devices_json(const struct optimize *state, cJSON *root)
{
    cJSON *devices = cJSON_AddArrayToObject(root, "devices");

    for (uint32_t i = 0; i < state->device_count; i++)
        (void)cJSON_AddItemToArray(devices, json_out_string(state->devices[i].id));
}

bool optimize_print_space(const struct optimize *state)
{
    const struct tune_space *space = &state->space;

    if (state->options->is_json) {
        cJSON *root = cJSON_CreateObject();
        json_out_text(root, "workload", state->options->path);
        print_devices_json(state, root);
        (void)cJSON_AddItemToObject(root, "dimensions", print_space_json(space));
        return json_out_print(root);
    }
    printf("%s: %u values in %u dimensions, beside what stands there\n", state->options->path,
           print_value_count(space), space->count);
    for (uint32_t i = 0; i < space->count; i++) {
        const struct tune_dim *dim = &space->dims[i];
        printf("  %s%s%s:", tune_kind_names[dim->kind], dim->name[0] ? " " : "", dim->name);
        for (uint32_t k = 1; k < dim->count; k++)
            printf(" %s", dim->values[k]);
        printf("\n");
    }
    return true;
}

/* ---- JSON */

static void print_side_json(const struct optimize *state, const struct optimize_side *side,
                            cJSON *root, const char *name)
{
    struct optimize_figures figures;

    if (side->count == 0) {
        (void)cJSON_AddNullToObject(root, name);
        return;
    }
    optimize_figures(state, side, &figures);
    cJSON *to = cJSON_AddObjectToObject(root, name);
    json_out_number(to, "wall_ns", figures.wall_ns);
    json_out_number(to, "wall_low_ns", figures.low_ns);
    json_out_number(to, "wall_high_ns", figures.high_ns);
    json_out_number(to, "cores_share", figures.cores_share);
    json_out_known(to, "devices_share", figures.devices_share >= 0.0, figures.devices_share);
    json_out_number(to, "response_ns", figures.response_ns);
    json_out_number(to, "tasks_per_second", figures.tasks_per_second);
    json_out_number(to, "tasks_done", side->samples[0].done_count);
    cJSON *rounds = cJSON_AddArrayToObject(to, "rounds_ns");
    for (uint32_t i = 0; i < side->count; i++)
        (void)cJSON_AddItemToArray(rounds, cJSON_CreateNumber(side->samples[i].wall_ns));
}

static bool print_json(const struct optimize *state)
{
    const struct optimize_options *options = state->options;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "workload", options->path);
    json_out_number(root, "tasks", state->workload.task_count);
    json_out_text(root, "machine", state->machine.name);
    json_out_text(root, "version", state->machine.version);
    json_out_known(root, "cores", state->machine.cores > 0.0, state->machine.cores);
    print_devices_json(state, root);
    json_out_number(root, "seed", (double)options->seed);
    json_out_number(root, "budget_ns", (double)options->budget_ns);
    json_out_number(root, "spent_ns", (double)state->spent_ns);
    (void)cJSON_AddItemToObject(root, "dimensions", print_space_json(&state->space));
    json_out_number(root, "rounds", state->search.told_count);
    json_out_number(root, "refused", state->refused_count);
    json_out_bool(root, "search_ended", state->search.is_over);
    json_out_bool(root, "improved", state->is_better);
    profile_json_choices(root, "choices", &state->found);
    print_side_json(state, &state->before, root, "before");
    print_side_json(state, &state->after, root, "after");
    json_out_known(root, "speed_up", state->gain > 0.0, state->gain);
    json_out_known(root, "speed_up_low", state->gain_low > 0.0, state->gain_low);
    json_out_known(root, "speed_up_high", state->gain_high > 0.0, state->gain_high);
    json_out_known(root, "others_share", state->others_share >= 0.0, state->others_share);
    if (state->profile.path[0])
        json_out_text(root, "profile", state->profile.path);
    else
        (void)cJSON_AddNullToObject(root, "profile");
    json_out_bool(root, "interrupted", state->is_interrupted);
    return json_out_print(root);
}

/* ---- tables */

static void print_assess(const struct optimize *state)
{
    printf("Assess\n  %s; %.4g cores; FastGPU %s\n  devices:", state->machine.name,
           state->machine.cores, state->machine.version);
    for (uint32_t i = 0; i < state->device_count; i++)
        printf("%s %s", i > 0 ? "," : "", state->devices[i].id);
    printf("; %u tasks of %u kernels\n", state->workload.task_count, state->workload.kernel_count);
}

static void print_tune(const struct optimize *state)
{
    char text[192];

    printf("\nTune\n  %u values in %u dimensions; %u rounds measured in %.1f s%s\n",
           print_value_count(&state->space), state->space.count, state->search.told_count,
           (double)state->spent_ns / 1e9,
           state->search.is_over ? ", until nothing was left to try" : "");
    if (state->refused_count > 0)
        printf("  %u not taken: other results, or they do not run\n", state->refused_count);
    for (uint32_t i = 0; i < state->found.count; i++) {
        tune_choice_text(&state->found.list[i], text);
        printf("  taken: %s\n", text);
    }
    if (state->found.count == 0)
        printf("  taken: nothing, the workload stays as it stands\n");
}

static void print_set_share(struct text_table_row *row, uint32_t column, double share)
{
    if (share < 0.0)
        text_table_set(row, column, "unknown");
    else
        text_table_set(row, column, "%.0f %%", 100.0 * share);
}

static void print_sides(const struct optimize *state)
{
    static const struct text_table_column columns[] = {
        {"  ", false}, {"before", true}, {"after", true}};
    static const char *const names[] = {"  time, ms",       "  middle half of the times",
                                        "  cores busy",     "  queues of the devices busy",
                                        "  response, ms",   "  tasks/s",
                                        "  tasks completed"};
    const struct optimize_side *sides[] = {&state->before, &state->after};
    struct text_table_row *rows[7];
    struct text_table table;

    text_table_init(&table, columns, 3);
    for (uint32_t i = 0; i < 7; i++)
        (void)text_table_add(&table);
    for (uint32_t i = 0; i < 7 && table.row_count == 7; i++) {
        rows[i] = &table.rows[i];
        text_table_set(rows[i], 0, "%s", names[i]);
    }
    for (uint32_t i = 0; i < 2 && table.row_count == 7; i++) {
        struct optimize_figures figures;
        optimize_figures(state, sides[i], &figures);
        text_table_set(rows[0], i + 1, "%.2f", figures.wall_ns / 1e6);
        text_table_set(rows[1], i + 1, "%.2f to %.2f", figures.low_ns / 1e6, figures.high_ns / 1e6);
        print_set_share(rows[2], i + 1, figures.cores_share);
        print_set_share(rows[3], i + 1, figures.devices_share);
        text_table_set(rows[4], i + 1, "%.3f", figures.response_ns / 1e6);
        text_table_set(rows[5], i + 1, "%.0f", figures.tasks_per_second);
        text_table_set(rows[6], i + 1, "%u", sides[i]->samples[0].done_count);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void print_evaluate(const struct optimize *state)
{
    if (state->before.count == 0) {
        printf("\nEvaluate\n  not compared: stopped before\n");
        return;
    }
    printf("\nEvaluate (medians of %u rounds each, in turn)\n", state->before.count);
    print_sides(state);
    if (state->is_better)
        printf("  speed-up %.2f (95 %% sure: %.2f to %.2f)\n", state->gain, state->gain_low,
               state->gain_high);
    else
        printf("  speed-up none: what was measured is within the noise\n");
    if (state->others_share >= EVALUATION_OTHERS_LEAST)
        printf("  others took %.0f %% of the machine's cores meanwhile: compare with care\n",
               100.0 * state->others_share);
}

bool optimize_print(const struct optimize *state)
{
    if (state->options->is_json)
        return print_json(state);
    print_assess(state);
    print_tune(state);
    print_evaluate(state);
    if (state->profile.path[0])
        printf("\nprofile %s\n", state->profile.path);
    return true;
}
