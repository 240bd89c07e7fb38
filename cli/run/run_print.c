/* The record of a run for people: see run_print.h. */
#include "cli/run/run_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/common/text_table.h"

/* ---- what both forms need */

const char *run_way_name(enum baseline_way way)
{
    return way == BASELINE_BY_HAND ? "one by one" : "one queue";
}

uint64_t run_wall_ns(const struct evaluation *evaluation)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);

    return round->end_ns - round->start_ns;
}

bool run_is_whole(const struct evaluation *evaluation)
{
    return run_wall_ns(evaluation) > 0 &&
           evaluation_shown(evaluation)->done_count == evaluation->workload->task_count;
}

double run_ratio(const struct evaluation *evaluation, const struct evaluation_side *side)
{
    uint64_t wall_ns = run_wall_ns(evaluation);

    if (side->median_ns == 0 || !run_is_whole(evaluation) || evaluation->round_count == 0)
        return 0.0;
    return (double)side->median_ns / (double)wall_ns;
}

double run_joule(const struct evaluation *evaluation)
{
    return run_wall_ns(evaluation) > 0 && evaluation->energy_sources[0]
               ? evaluation_shown(evaluation)->joule
               : -1.0;
}

const char *run_energy_why(const struct evaluation *evaluation)
{
    return evaluation->energy_why[0] ? evaluation->energy_why : "nothing was run";
}

/* ---- words */

static double print_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* Bytes with a unit, in one of some places that are used in turn. */
static const char *print_bytes(uint64_t bytes)
{
    static char texts[4][24];
    static uint32_t turn;
    char *text = texts[turn++ % 4];

    if (bytes < 1000)
        (void)snprintf(text, sizeof texts[0], "%" PRIu64 " B", bytes);
    else if (bytes < 1000000)
        (void)snprintf(text, sizeof texts[0], "%.1f kB", (double)bytes / 1e3);
    else if (bytes < UINT64_C(1000000000))
        (void)snprintf(text, sizeof texts[0], "%.1f MB", (double)bytes / 1e6);
    else
        (void)snprintf(text, sizeof texts[0], "%.1f GB", (double)bytes / 1e9);
    return text;
}

static void print_set_share(struct text_table_row *row, uint32_t column, double share)
{
    if (share < 0.0)
        text_table_set(row, column, "unknown");
    else
        text_table_set(row, column, "%.0f %%", 100.0 * share);
}

static void print_assess(const struct evaluation *evaluation)
{
    static const struct text_table_column columns[] = {
        {"  device", false}, {"cores", true}, {"queues", true}, {"memory", true}, {"name", false}};
    const struct evaluation_machine *machine = &evaluation->machine;
    struct text_table table;

    printf("Assess\n  %s; ", machine->name);
    if (machine->cores > 0.0)
        printf("%.4g core%s, ", machine->cores, machine->cores == 1.0 ? "" : "s");
    else
        printf("cores unknown, ");
    printf("%s; %s; FastGPU %s\n",
           machine->memory_bytes > 0 ? print_bytes(machine->memory_bytes) : "memory unknown",
           machine->system, machine->version);
    text_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const fgpu_device_info *info = &evaluation->devices[i].info;
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "  %s", info->id);
        if (info->valid & FGPU_INFO_UNITS)
            text_table_set(row, 1, "%u", info->compute_units);
        else
            text_table_set(row, 1, "unknown");
        text_table_set(row, 2, "%u", info->queue_count);
        text_table_set(row, 3, "%s",
                       info->valid & FGPU_INFO_MEMORY ? print_bytes(info->memory_bytes)
                                                      : "unknown");
        text_table_set(row, 4, "%s", info->name[0] ? info->name : "unknown");
    }
    text_table_print(&table);
    text_table_fini(&table);
}

/* What was chosen by a profile. */
static void print_profile(const struct profile *profile)
{
    char text[192];

    printf("  profile %s:\n   ", profile->path);
    for (uint32_t i = 0; i < profile->choices.count; i++) {
        tune_choice_text(&profile->choices.list[i], text);
        printf("%s %s", i > 0 ? ";" : "", text);
    }
    printf("%s\n",
           profile->choices.count == 0 ? " nothing was faster than the file as it stands" : "");
}

static void print_schedule(const struct evaluation *evaluation)
{
    const struct workload *workload = evaluation->workload;
    const struct evaluation_round *round = evaluation_shown(evaluation);

    printf("\nSchedule\n  policy %s; %u task%s of %u kernel%s over %u buffer%s", evaluation->policy,
           workload->task_count, workload->task_count == 1 ? "" : "s", workload->kernel_count,
           workload->kernel_count == 1 ? "" : "s", workload->buffer_count,
           workload->buffer_count == 1 ? "" : "s");
    if (evaluation->is_traced)
        printf("; %u dependencies", evaluation->edges.count);
    printf("\n  done %u, failed %u, cancelled %u", round->done_count, round->failed_count,
           round->cancelled_count);
    for (uint32_t i = 0; i < evaluation->device_count; i++)
        printf("%s%s %" PRIu64, i == 0 ? "; placed: " : ", ", evaluation->devices[i].info.id,
               evaluation->devices[i].task_count);
    printf("\n");
    if (evaluation->profile)
        print_profile(evaluation->profile);
}

static void print_memory(const struct evaluation *evaluation)
{
    const struct evaluation_round *round = evaluation_shown(evaluation);

    printf("\nMemory\n  buffers %s; moved between memories: %s in %" PRIu64 " cop%s; evicted: %s\n",
           print_bytes(evaluation->workload->buffer_bytes), print_bytes(round->copied_bytes),
           round->copies, round->copies == 1 ? "y" : "ies", print_bytes(round->bytes_evicted));
    if (round->evictions > 0)
        printf("  memory was short: %" PRIu64 " blocks had to go, %s came back, %s went to the "
               "spill folder\n",
               round->evictions, print_bytes(round->bytes_reloaded),
               print_bytes(round->bytes_spilled));
    if (round->thrashes > 0)
        printf("  it thrashed: %" PRIu64 " times moving data took longer than the tasks did; give "
               "it more memory\n",
               round->thrashes);
    for (uint32_t i = 0; i < evaluation->device_count; i++)
        printf("%s%s %s", i == 0 ? "  most in use: " : ", ", evaluation->devices[i].info.id,
               print_bytes(evaluation->devices[i].memory_peak_bytes));
    printf("\n");
}

static void print_balance(const struct evaluation *evaluation)
{
    static const struct text_table_column columns[] = {{"  device", false},
                                                       {"tasks", true},
                                                       {"busy ms", true},
                                                       {"of its time", true},
                                                       {"CPU time of its cores", true}};
    const struct evaluation_round *round = evaluation_shown(evaluation);
    struct text_table table;

    printf("\nBalance\n");
    text_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        const struct evaluation_device *device = &evaluation->devices[i];
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "  %s", device->info.id);
        text_table_set(row, 1, "%" PRIu64, device->task_count);
        if (device->is_busy_known)
            text_table_set(row, 2, "%.2f", print_ms(device->busy_ns));
        else
            text_table_set(row, 2, "unknown");
        print_set_share(row, 3, device->is_busy_known ? device->busy_share : -1.0);
        print_set_share(row, 4, device->cpu_share);
    }
    text_table_print(&table);
    text_table_fini(&table);
    if (round->cpu_share < 0.0)
        printf("  cores busy: unknown\n");
    else
        printf("  cores busy by CPU time: %.0f %% of the run, %.0f %% of its middle half\n",
               100.0 * round->cpu_share, 100.0 * round->cpu_share_middle);
    if (round->own_share >= 0.0)
        printf("  the pool itself: %.0f %% of one core\n", 100.0 * round->own_share);
}

/* One line of the table of times; 0 ns is unknown. */
static void print_set_time(struct text_table_row *row, uint32_t tasks, uint64_t wall_ns,
                           uint64_t copied_bytes, double cpu_share)
{
    if (wall_ns == 0) {
        for (uint32_t i = 1; i < 5; i++)
            text_table_set(row, i, "unknown");
        return;
    }
    text_table_set(row, 1, "%.2f", print_ms(wall_ns));
    text_table_set(row, 2, "%.0f", (double)tasks * 1e9 / (double)wall_ns);
    text_table_set(row, 3, "%s", print_bytes(copied_bytes));
    print_set_share(row, 4, cpu_share);
}

static void print_times(const struct evaluation *evaluation)
{
    static const struct text_table_column columns[] = {
        {"  way", false}, {"ms", true},       {"tasks/s", true}, {"moved", true},
        {"busy", true},   {"speed-up", true}, {"equal", true}};
    const struct evaluation_round *round = evaluation_shown(evaluation);
    struct text_table table;

    text_table_init(&table, columns, evaluation->side_count > 0 ? 7 : 5);
    struct text_table_row *row = text_table_add(&table);
    text_table_set(row, 0, "  through the pool");
    print_set_time(row, round->done_count, run_wall_ns(evaluation), round->copied_bytes,
                   round->cpu_share);
    text_table_set(row, 5, "-");
    text_table_set(row, 6, "-");
    for (uint32_t i = 0; i < evaluation->side_count; i++) {
        const struct evaluation_side *side = &evaluation->sides[i];
        double ratio = run_ratio(evaluation, side);
        row = text_table_add(&table);
        text_table_set(row, 0, "  %s on %s", run_way_name(side->way),
                       evaluation->devices[side->device].info.id);
        print_set_time(row, evaluation->workload->task_count, side->median_ns, side->copied_bytes,
                       side->cpu_share);
        if (ratio > 0.0)
            text_table_set(row, 5, "%.2f", ratio);
        else
            text_table_set(row, 5, "unknown");
        bool is_equal = side->is_equal && evaluation->workload->output_count > 0;
        text_table_set(row, 6, "%s", is_equal ? "yes" : "unknown");
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void print_energy(const struct evaluation *evaluation)
{
    double joule = run_joule(evaluation);
    uint32_t tasks = evaluation_shown(evaluation)->done_count;

    if (joule < 0.0) {
        printf("  energy: unknown: %s\n", run_energy_why(evaluation));
        return;
    }
    printf("  energy of the whole machine (%s): %.3g J", evaluation->energy_sources, joule);
    if (tasks > 0)
        printf(", %.3g J a task", joule / tasks);
    printf("\n");
}

static void print_evaluate(const struct evaluation *evaluation)
{
    const struct evaluation_latency *latency = &evaluation->latency;
    uint64_t wall_ns = run_wall_ns(evaluation);

    if (wall_ns == 0)
        printf("\nEvaluate (nothing was run)\n");
    else if (evaluation->round_count > 1)
        printf("\nEvaluate (median of %u rounds; the speed-up is the pool's)\n",
               evaluation->round_count);
    else
        printf("\nEvaluate (one run%s%s)\n", evaluation->shown == EVALUATION_NONE ? ", traced" : "",
               run_is_whole(evaluation) ? "" : ", not all of it");
    print_times(evaluation);
    if (evaluation->others_share >= EVALUATION_OTHERS_LEAST)
        printf("  others took %.0f %% of the machine's cores meanwhile: compare with care\n",
               100.0 * evaluation->others_share);
    if (latency->is_known)
        printf("  task latency, submitted to done: mean %.3f ms, median %.3f,\n"
               "    99 %% below %.3f, longest %.3f\n",
               print_ms(latency->mean_ns), print_ms(latency->p50_ns), print_ms(latency->p99_ns),
               print_ms(latency->max_ns));
    else
        printf("  task latency: unknown\n");
    if (evaluation->is_bound_known && run_is_whole(evaluation)) {
        const struct bound *bound = &evaluation->bound;
        printf("  lower bound %.2f ms (area %.2f, critical path %.2f):\n"
               "    the run took %.2f times that",
               print_ms(bound->lower_ns), print_ms(bound->area_ns), print_ms(bound->path_ns),
               bound->lower_ns > 0 ? (double)wall_ns / (double)bound->lower_ns : 0.0);
        if (bound->unknown_count > 0)
            printf("; %u tasks without a time", bound->unknown_count);
        printf("\n");
    } else {
        printf("  lower bound: unknown\n");
    }
    print_energy(evaluation);
    for (uint32_t i = 0; i < evaluation->side_count; i++) {
        const struct evaluation_side *side = &evaluation->sides[i];
        if (side->error[0])
            printf("  %s on %s: %s\n", run_way_name(side->way),
                   evaluation->devices[side->device].info.id, side->error);
    }
}

void run_print_text(const struct evaluation *evaluation)
{
    print_assess(evaluation);
    print_schedule(evaluation);
    print_memory(evaluation);
    print_balance(evaluation);
    print_evaluate(evaluation);
}
