/* `fastgpu bench fair`: is device time shared as the weights say? On the cpu device, or in virtual
 * time with tasks of random lengths and a tenant that comes back. Runs on the main thread.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_fair.h"
#include "cli/bench/bench_virtual.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"

static const char fair_command[] = "fastgpu bench fair";

static const char fair_text[] =
    "Tenants fill the pool with tasks. Prints the largest difference of the device\n"
    "time that any two of them have got, over their weights, at any moment while\n"
    "both have tasks that wait, in units of the largest task (at most 2 is promised\n"
    "for one queue); what two tenants with weights 1 and --weight get; and the\n"
    "device time that was idle while somebody waited. With --sim in virtual time,\n"
    "where lengths are random, and one tenant returns when all is half done.";

struct fair_options {
    uint64_t tenants, count, weight, work_us, devices, seed;
    bool is_sim, is_json;
};

struct fair_result {
    double gap;      /* in units of the largest task */
    double ratio;    /* of the device time of the heavy one to that of the light one */
    double returned; /* what the returning tenant got, over its fair part, while all waited */
    double idle;
    bool is_returned_known;
};

/* ---- in virtual time */

static bool fair_add(struct virtual_plan *plan, uint32_t tenant, uint32_t count, uint64_t work_us,
                     uint64_t release_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct virtual_task task = {
            .work_ns = 1000 * (1 + virtual_random(&plan->seed) % (2 * work_us)),
            .release_ns = release_ns,
            .tenant = tenant,
            .after = VIRTUAL_NONE};
        if (virtual_add(plan, &task) == VIRTUAL_NONE)
            return false;
    }
    return true;
}

static fgpu_status fair_simulate(const struct virtual_plan *plan, struct fair_figures *figures)
{
    fgpu_sim_result result;
    struct fair_tenant tenants[VIRTUAL_TENANTS];
    uint32_t count = 0;
    struct virtual_span *spans = calloc(plan->count + 1u, sizeof *spans);
    struct fair_run *runs = calloc(plan->count + 1u, sizeof *runs);
    fgpu_status status = spans && runs ? virtual_run(plan, spans, &result) : FGPU_E_NOMEM;

    for (uint32_t t = 0; t < plan->tenants; t++)
        tenants[t] = (struct fair_tenant){UINT64_MAX, 0, plan->weights[t]};
    for (uint32_t i = 0; i < plan->count && status == FGPU_OK; i++) {
        struct fair_tenant *tenant = &tenants[plan->tasks[i].tenant];
        if (!spans[i].ran)
            continue;
        runs[count++] =
            (struct fair_run){spans[i].start_ns, spans[i].end_ns, plan->tasks[i].tenant};
        if (plan->tasks[i].release_ns < tenant->since_ns)
            tenant->since_ns = plan->tasks[i].release_ns;
        if (spans[i].start_ns > tenant->until_ns)
            tenant->until_ns = spans[i].start_ns;
    }
    if (status == FGPU_OK)
        status = fair_look(runs, count, tenants, plan->tenants, plan->devices, figures);
    free(spans);
    free(runs);
    return status;
}

/* All with random weights from the beginning, but for the first, which has a little work then and
 * returns when half is done. */
static fgpu_status fair_sim_gap(const struct fair_options *options, struct fair_result *result)
{
    struct fair_figures figures;
    struct virtual_plan plan = {.tenants = (uint32_t)options->tenants,
                                .devices = (uint32_t)options->devices,
                                .seed = options->seed};
    uint64_t half_ns =
        (options->tenants - 1) * options->count * options->work_us * 500 / options->devices;
    uint32_t count = (uint32_t)options->count;
    bool good = true;

    for (uint32_t t = 0; t < plan.tenants; t++)
        plan.weights[t] = 1 + (uint32_t)(virtual_random(&plan.seed) % 4);
    for (uint32_t t = 1; t < plan.tenants; t++)
        good = good && fair_add(&plan, t, count, options->work_us, 0);
    good = good && fair_add(&plan, 0, count, options->work_us, half_ns);
    fgpu_status status = good ? fair_simulate(&plan, &figures) : FGPU_E_NOMEM;
    if (status == FGPU_OK) {
        double all = 0, weights = 0;
        for (uint32_t t = 0; t < plan.tenants; t++) {
            all += figures.served[t];
            weights += plan.weights[t];
        }
        result->gap = figures.gap / figures.largest;
        result->idle = figures.idle;
        result->is_returned_known = all > 0;
        result->returned = all > 0 ? figures.served[0] / all * weights / plan.weights[0] : 0;
    }
    virtual_fini(&plan);
    return status;
}

static fgpu_status fair_sim_weights(const struct fair_options *options, struct fair_result *result)
{
    struct fair_figures figures;
    struct virtual_plan plan = {.tenants = 2,
                                .weights = {1, (uint32_t)options->weight},
                                .devices = (uint32_t)options->devices,
                                .seed = options->seed};
    uint32_t count = (uint32_t)(options->count * options->weight);
    bool good = fair_add(&plan, 0, count, options->work_us, 0) &&
                fair_add(&plan, 1, count, options->work_us, 0);
    fgpu_status status = good ? fair_simulate(&plan, &figures) : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        result->ratio = figures.served[1] / figures.served[0];
    virtual_fini(&plan);
    return status;
}

/* ---- on the device */

static fgpu_status fair_real(uint32_t weight, const struct fair_options *options,
                             struct fair_figures *figures)
{
    struct fair_tenant tenants[2];
    uint32_t count = (uint32_t)options->count;
    struct fair_run *runs = calloc(2 * (size_t)count + 1, sizeof *runs);
    if (!runs)
        return FGPU_E_NOMEM;
    fgpu_status status = fair_measure(weight, count, options->work_us, runs, tenants);
    if (status == FGPU_OK)
        status = fair_look(runs, 2 * count, tenants, 2, 1, figures);
    free(runs);
    return status;
}

static fgpu_status fair_on_device(const struct fair_options *options, struct fair_result *result)
{
    struct fair_figures equal, weighted;
    fgpu_status status = fair_real(1, options, &equal);
    if (status == FGPU_OK)
        status = fair_real((uint32_t)options->weight, options, &weighted);
    if (status != FGPU_OK)
        return status;
    result->gap = equal.gap / equal.largest;
    result->idle = equal.idle;
    result->ratio = weighted.served[1] / weighted.served[0];
    return FGPU_OK;
}

/* ---- the command */

static bool fair_print_json(const struct fair_options *options, const struct fair_result *result)
{
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "fair");
    json_out_bool(root, "simulated", options->is_sim);
    json_out_number(root, "tenants", options->is_sim ? (double)options->tenants : 2);
    json_out_number(root, "devices", options->is_sim ? (double)options->devices : 1);
    json_out_number(root, "gap_over_largest", result->gap);
    json_out_number(root, "weight", (double)options->weight);
    json_out_known(root, "weight_ratio", isfinite(result->ratio), result->ratio);
    json_out_known(root, "returned_over_fair", result->is_returned_known, result->returned);
    json_out_number(root, "idle_while_waiting", result->idle);
    return json_out_print(root);
}

static void fair_print_text(const struct fair_options *options, const struct fair_result *result)
{
    printf("%s: largest difference %.2f of the largest task; weights 1:%" PRIu64
           " got 1:%.2f; idle while somebody waited %.2f %%\n",
           options->is_sim ? "virtual time" : "cpu device, one queue", result->gap, options->weight,
           result->ratio, 100 * result->idle);
    if (result->is_returned_known)
        printf("a tenant that came back got %.3f of its fair part from then on\n",
               result->returned);
}

static enum options_outcome fair_read(int argc, char **argv, struct fair_options *options)
{
    const struct option table[] = {
        {"sim", 0, OPTION_FLAG, &options->is_sim, NULL, "in virtual time", 0, 0, NULL},
        {"tenants", 't', OPTION_NUMBER, &options->tenants, "N", "with --sim (default: 4)", 2,
         VIRTUAL_TENANTS, NULL},
        {"count", 'n', OPTION_NUMBER, &options->count, "N", "tasks of each tenant (default: 200)",
         10, 100000, NULL},
        {"weight", 0, OPTION_NUMBER, &options->weight, "W",
         "of the heavier of two tenants (default: 9)", 1, 100, NULL},
        {"work", 0, OPTION_NUMBER, &options->work_us, "US",
         "microseconds of a task, on average (default: 1000)", 1, 1000000, NULL},
        {"devices", 'd', OPTION_NUMBER, &options->devices, "N", "with --sim (default: 1)", 1, 64,
         NULL},
        {"seed", 0, OPTION_NUMBER, &options->seed, "N", "of the lengths (default: 1)", 0,
         UINT64_MAX, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object", 0, 0, NULL},
    };
    const struct options_page page = {.command = fair_command,
                                      .text = fair_text,
                                      .options = table,
                                      .count = sizeof table / sizeof table[0]};
    return options_read(&page, argc, argv);
}

int bench_fair(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct fair_options options = {
        .tenants = 4, .count = 200, .weight = 9, .work_us = 1000, .devices = 1, .seed = 1};
    struct fair_result result = {0};

    enum options_outcome outcome = fair_read(argc, argv, &options);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    fgpu_status status =
        options.is_sim ? fair_sim_gap(&options, &result) : fair_on_device(&options, &result);
    if (status == FGPU_OK && options.is_sim)
        status = fair_sim_weights(&options, &result);
    if (stop && *stop)
        return bench_stopped(fair_command);
    if (status != FGPU_OK)
        return commands_fail(fair_command, "the tasks", status);
    if (!options.is_json)
        fair_print_text(&options, &result);
    else if (!fair_print_json(&options, &result))
        return COMMAND_FAILED;
    return COMMAND_OK;
}
