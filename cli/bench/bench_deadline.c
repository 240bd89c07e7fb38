/* `fastgpu bench deadline`: how many tasks end in time, of those that could: the options, and runs
 * in virtual time; bench_deadline_device.c runs them on a device. Runs on the main thread.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_deadline.h"
#include "cli/bench/bench_virtual.h"
#include "cli/common/json_out.h"
#include "cli/common/options.h"

const char deadline_command[] = "fastgpu bench deadline";

static const char deadline_text[] =
    "Series of tasks with deadlines on one device: all submitted together, against\n"
    "the most that can end in time (Moore, Hodgson); and arriving at random at a\n"
    "load below 1 beside batch work, where those are counted that are refused and\n"
    "those that end late. With --sim in virtual time, where late ones are told apart\n"
    "that one slice of blocking explains, and tasks also arrive at twice what the\n"
    "device can do, twelve at a time, against the most that can end in time where\n"
    "all is known ahead and tasks may be interrupted.";

#define DEADLINE_MEAN_NS 1000000.0 /* of a task */
#define DEADLINE_FEW 12u           /* tasks of which all subsets are tried */

struct deadline_result {
    double together, together_over; /* over the optimum, at `load` and `over` percent */
    uint64_t missed, missed_beyond; /* admitted, below full load; by more than one slice */
    uint64_t refused;               /* there */
    double arriving;                /* over the optimum, at `over` percent */
};

/* Lengths are spread over 0.1 .. 1.9 of the mean. */
static uint64_t deadline_work(uint64_t *random)
{
    return (uint64_t)(DEADLINE_MEAN_NS * (0.1 + 1.8 * virtual_unit(random)) / 1000) * 1000;
}

static int deadline_by_end(const void *a, const void *b)
{
    const struct virtual_task *left = a, *right = b;
    return left->deadline_ns < right->deadline_ns ? -1 : left->deadline_ns > right->deadline_ns;
}

uint32_t deadline_best(const struct virtual_plan *plan)
{
    uint64_t time_ns = 0;
    uint32_t kept = 0;
    if (plan->count == 0)
        return 0;
    struct virtual_task *tasks = malloc(plan->count * sizeof *tasks);
    if (!tasks)
        return 0;
    memcpy(tasks, plan->tasks, plan->count * sizeof *tasks);
    qsort(tasks, plan->count, sizeof *tasks, deadline_by_end);
    for (uint32_t i = 0; i < plan->count; i++) { /* those that are kept are at the front */
        struct virtual_task task = tasks[i];
        time_ns += task.work_ns;
        tasks[kept++] = task;
        if (time_ns <= task.deadline_ns)
            continue;
        uint32_t longest = 0;
        for (uint32_t j = 0; j < kept; j++)
            longest = tasks[j].work_ns > tasks[longest].work_ns ? j : longest;
        time_ns -= tasks[longest].work_ns;
        tasks[longest] = tasks[--kept];
    }
    free(tasks);
    return kept;
}

/* Can all tasks of the set end in time, by earliest deadline first with interruptions? That finds a
 * way where there is one. */
static bool deadline_is_possible(const struct virtual_task *tasks, uint32_t count, uint32_t set)
{
    uint64_t left_ns[DEADLINE_FEW], now_ns = 0;
    for (uint32_t i = 0; i < count; i++)
        left_ns[i] = set >> i & 1 ? tasks[i].work_ns : 0;
    for (;;) {
        uint32_t next = VIRTUAL_NONE;
        uint64_t until_ns = UINT64_MAX; /* the next release */
        for (uint32_t i = 0; i < count; i++) {
            uint64_t end_ns = tasks[i].release_ns + tasks[i].deadline_ns;
            if (left_ns[i] == 0)
                continue;
            if (tasks[i].release_ns > now_ns)
                until_ns = tasks[i].release_ns < until_ns ? tasks[i].release_ns : until_ns;
            else if (next == VIRTUAL_NONE ||
                     end_ns < tasks[next].release_ns + tasks[next].deadline_ns)
                next = i;
        }
        if (next == VIRTUAL_NONE && until_ns == UINT64_MAX)
            return true;
        if (next != VIRTUAL_NONE) {
            uint64_t run_ns = until_ns - now_ns < left_ns[next] ? until_ns - now_ns : left_ns[next];
            left_ns[next] -= run_ns;
            now_ns += run_ns;
            if (now_ns + left_ns[next] > tasks[next].release_ns + tasks[next].deadline_ns)
                return false;
        } else {
            now_ns = until_ns;
        }
    }
}

/* The most of a few arriving tasks that can end in time. */
static uint32_t deadline_most(const struct virtual_plan *plan)
{
    uint32_t most = 0;
    for (uint32_t set = 1; set < 1u << plan->count; set++) {
        uint32_t size = (uint32_t)__builtin_popcount(set);
        if (size > most && deadline_is_possible(plan->tasks, plan->count, set))
            most = size;
    }
    return most;
}

/* ---- series */

static bool deadline_add(struct virtual_plan *plan, uint64_t work_ns, uint64_t release_ns,
                         uint64_t deadline_ns, uint32_t late)
{
    const struct virtual_task task = {.work_ns = work_ns,
                                      .release_ns = release_ns,
                                      .deadline_ns = deadline_ns,
                                      .task_class = FGPU_CLASS_INTERACTIVE,
                                      .late = late,
                                      .after = VIRTUAL_NONE};
    return virtual_add(plan, &task) != VIRTUAL_NONE;
}

/* [out] ended: with a deadline, and before it; missed: after it; beyond: by more than `slack_ns`.
 */
struct deadline_count {
    uint32_t ended;
    uint64_t missed, beyond, refused;
};

static fgpu_status deadline_run(const struct virtual_plan *plan, uint64_t slack_ns,
                                struct deadline_count *count)
{
    fgpu_sim_result result;
    struct virtual_span *spans = calloc(plan->count + 1u, sizeof *spans);
    fgpu_status status = spans ? virtual_run(plan, spans, &result) : FGPU_E_NOMEM;

    *count = (struct deadline_count){0};
    for (uint32_t i = 0; i < plan->count && status == FGPU_OK; i++) {
        const struct virtual_task *task = &plan->tasks[i];
        uint64_t end_ns = task->release_ns + task->deadline_ns;
        if (task->deadline_ns == 0 || !spans[i].ran)
            continue;
        count->ended += spans[i].end_ns <= end_ns;
        count->missed += spans[i].end_ns > end_ns;
        count->beyond += spans[i].end_ns > end_ns + slack_ns;
    }
    if (status == FGPU_OK)
        count->refused = result.refused + result.dropped;
    free(spans);
    return status;
}

static struct virtual_plan deadline_plan(const struct deadline_options *options, uint64_t seed)
{
    return (struct virtual_plan){.devices = 1, .seed = seed, .noise = (double)options->noise / 100};
}

/* All at once: deadlines are spread so that `percent` of the time until the last is asked for. */
static fgpu_status deadline_together(const struct deadline_options *options, uint64_t percent,
                                     double *ratio)
{
    struct virtual_plan plan = deadline_plan(options, options->seed);
    struct deadline_count count;
    double span_ns = DEADLINE_MEAN_NS * (double)options->count * 100.0 / (double)percent;
    bool good = true;

    for (uint64_t i = 0; i < options->count && good; i++) {
        uint64_t work_ns = deadline_work(&plan.seed);
        good =
            deadline_add(&plan, work_ns, 0,
                         work_ns + (uint64_t)(span_ns * virtual_unit(&plan.seed)), FGPU_LATE_DROP);
    }
    uint32_t best = good ? deadline_best(&plan) : 0;
    fgpu_status status = best > 0 ? deadline_run(&plan, 0, &count) : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        *ratio = (double)count.ended / best;
    virtual_fini(&plan);
    return status;
}

/* At random moments, with so much of the device's time asked for; each may wait for one to five
 * mean tasks beyond its own time. Without deadlines: batch work in slices, all the time. */
static bool deadline_arrivals(struct virtual_plan *plan, const struct deadline_options *options,
                              uint64_t percent, uint32_t late)
{
    double now_ns = 0;
    bool good = true;
    for (uint64_t i = 0; i < options->count && good; i++) {
        uint64_t work_ns = deadline_work(&plan->seed);
        now_ns += -log(1 - virtual_unit(&plan->seed)) * DEADLINE_MEAN_NS * 100.0 / (double)percent;
        good = deadline_add(
            plan, work_ns, (uint64_t)now_ns,
            work_ns + (uint64_t)(DEADLINE_MEAN_NS * (1 + 4 * virtual_unit(&plan->seed))), late);
    }
    return good;
}

static fgpu_status deadline_below(const struct deadline_options *options,
                                  struct deadline_result *result)
{
    struct virtual_plan plan = deadline_plan(options, options->seed);
    struct deadline_count count;
    bool good = deadline_arrivals(&plan, options, options->load, FGPU_LATE_REFUSE);
    uint64_t end_ns = good && plan.count > 0 ? plan.tasks[plan.count - 1].release_ns : 0;
    const struct virtual_task slice = {
        .work_ns = options->slice_us * 1000, .task_class = FGPU_CLASS_BATCH, .after = VIRTUAL_NONE};

    for (uint64_t ns = 0; ns < end_ns && good; ns += slice.work_ns)
        good = virtual_add(&plan, &slice) != VIRTUAL_NONE;
    fgpu_status status = good ? deadline_run(&plan, slice.work_ns, &count) : FGPU_E_NOMEM;
    if (status == FGPU_OK) {
        result->missed = count.missed;
        result->missed_beyond = count.beyond;
        result->refused = count.refused;
    }
    virtual_fini(&plan);
    return status;
}

static fgpu_status deadline_above(const struct deadline_options *options,
                                  struct deadline_result *result)
{
    struct deadline_options few = *options;
    uint64_t ended = 0, most = 0;
    fgpu_status status = FGPU_OK;

    few.count = DEADLINE_FEW;
    for (uint64_t i = 0; i < options->count / DEADLINE_FEW + 1 && status == FGPU_OK; i++) {
        struct virtual_plan plan = deadline_plan(options, options->seed + i);
        struct deadline_count count;
        bool good = deadline_arrivals(&plan, &few, options->over, FGPU_LATE_DROP);
        status = good ? deadline_run(&plan, 0, &count) : FGPU_E_NOMEM;
        if (status == FGPU_OK) {
            ended += count.ended;
            most += deadline_most(&plan);
        }
        virtual_fini(&plan);
    }
    result->arriving = (double)ended / (double)most;
    return status;
}

/* ---- the command */

static bool deadline_print_json(const struct deadline_options *options,
                                const struct deadline_result *result)
{
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "deadline");
    json_out_bool(root, "simulated", true);
    json_out_number(root, "tasks", (double)options->count);
    json_out_number(root, "load", (double)options->load / 100);
    json_out_number(root, "over", (double)options->over / 100);
    json_out_number(root, "together_over_optimum", result->together);
    json_out_number(root, "together_overloaded_over_optimum", result->together_over);
    json_out_number(root, "missed", (double)result->missed);
    json_out_number(root, "missed_beyond_a_slice", (double)result->missed_beyond);
    json_out_number(root, "refused", (double)result->refused);
    json_out_number(root, "arriving_overloaded_over_optimum", result->arriving);
    return json_out_print(root);
}

static void deadline_print_text(const struct deadline_options *options,
                                const struct deadline_result *result)
{
    printf("%llu tasks, in virtual time:\n", (unsigned long long)options->count);
    printf("  all at once, load %.2f: %.4f of the most that can end in time\n",
           (double)options->load / 100, result->together);
    printf("  all at once, load %.2f: %.4f\n", (double)options->over / 100, result->together_over);
    printf("  arriving, load %.2f, beside batch work: %llu admitted ones late, %llu by more than "
           "a slice; %llu refused\n",
           (double)options->load / 100, (unsigned long long)result->missed,
           (unsigned long long)result->missed_beyond, (unsigned long long)result->refused);
    printf("  arriving, load %.2f: %.4f of the most that can end in time\n",
           (double)options->over / 100, result->arriving);
}

static enum options_outcome deadline_read(int argc, char **argv, struct deadline_options *options)
{
    const struct option table[] = {
        {"device", 'd', OPTION_TEXT, &options->device, "PATTERN", "the device (default: opencl:0)",
         0, 0, NULL},
        {"sim", 0, OPTION_FLAG, &options->is_sim, NULL, "in virtual time", 0, 0, NULL},
        {"count", 'n', OPTION_NUMBER, &options->count, "N", "tasks of a series (default: 500)", 10,
         20000, NULL},
        {"load", 0, OPTION_NUMBER, &options->load, "PERCENT",
         "of the device, below full (default: 80)", 1, 99, NULL},
        {"over", 0, OPTION_NUMBER, &options->over, "PERCENT", "the same, above (default: 200)", 100,
         1000, NULL},
        {"slice", 0, OPTION_NUMBER, &options->slice_us, "US",
         "with --sim: of a batch slice (default: 100)", 1, 1000000, NULL},
        {"noise", 0, OPTION_NUMBER, &options->noise, "PERCENT",
         "with --sim: standard deviation of run times (default: 0)", 0, 100, NULL},
        {"seed", 0, OPTION_NUMBER, &options->seed, "N", "of what is random (default: 1)", 0,
         UINT64_MAX, NULL},
        {"json", 0, OPTION_FLAG, &options->is_json, NULL, "print one JSON object", 0, 0, NULL},
    };
    const struct options_page page = {.command = deadline_command,
                                      .text = deadline_text,
                                      .options = table,
                                      .count = sizeof table / sizeof table[0]};
    return options_read(&page, argc, argv);
}

static int deadline_in_virtual_time(const struct deadline_options *options,
                                    const volatile sig_atomic_t *stop)
{
    struct deadline_result result = {0};
    fgpu_status status = deadline_together(options, options->load, &result.together);
    if (status == FGPU_OK)
        status = deadline_together(options, options->over, &result.together_over);
    if (status == FGPU_OK)
        status = deadline_below(options, &result);
    if (status == FGPU_OK)
        status = deadline_above(options, &result);
    if (stop && *stop)
        return bench_stopped(deadline_command);
    if (status != FGPU_OK)
        return commands_fail(deadline_command, "the tasks", status);
    if (!options->is_json)
        deadline_print_text(options, &result);
    else if (!deadline_print_json(options, &result))
        return COMMAND_FAILED;
    return COMMAND_OK;
}

int bench_deadline(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct deadline_options options = {
        .count = 500, .load = 80, .over = 200, .slice_us = 100, .seed = 1, .device = "opencl:0"};

    enum options_outcome outcome = deadline_read(argc, argv, &options);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    return options.is_sim ? deadline_in_virtual_time(&options, stop)
                          : deadline_on_device(&options, stop);
}
