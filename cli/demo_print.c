/* The words of `fastgpu demo`: tables for people, JSON for programs. What was not measured is
 * "unknown" in the table and null in JSON. Pure but for stdout. */
#include "demo.h"

#include <inttypes.h>
#include <stdio.h>

#include "json_out.h"
#include "text_table.h"

static double demo_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static const char *demo_plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

/* The round that is shown: the one with the median time, or the first when none was measured whole.
 */
static const struct demo_round *demo_shown_round(const struct demo_report *report)
{
    return report->round_count > 0 ? &report->rounds[report->median] : &report->first;
}

/* Best time one by one over the time through the pool; 0 when either was not measured. */
static double demo_ratio(const struct demo_report *report)
{
    uint32_t best = demo_best_side(report);

    if (best == PLAN_NONE || report->round_count == 0)
        return 0.0;
    return (double)report->sides[best].median_ns / (double)demo_shown_round(report)->result.wall_ns;
}

/* A device that runs tasks but counts no time does not measure it. */
static bool demo_busy_is_known(const struct demo_share *share)
{
    return share->task_count == 0 || share->busy_ns > 0;
}

/* Of the time that its queues could have worked in; they run in parallel. */
static double demo_busy_share(const struct demo_report *report, uint32_t device)
{
    const struct demo_round *round = demo_shown_round(report);
    uint32_t queues = report->devices[device].info.queue_count;
    double available_ns = (double)round->result.wall_ns * (queues > 0 ? queues : 1);

    return available_ns > 0 ? (double)round->shares[device].busy_ns / available_ns : 0;
}

static void demo_set_bytes(struct text_table_row *row, uint32_t column, uint64_t bytes)
{
    if (bytes < 10000)
        text_table_set(row, column, "%" PRIu64 " B", bytes);
    else if (bytes < 10000000)
        text_table_set(row, column, "%.1f kB", (double)bytes / 1e3);
    else
        text_table_set(row, column, "%.1f MB", (double)bytes / 1e6);
}

static void demo_print_devices(const struct demo_report *report)
{
    static const struct text_table_column columns[] = {
        {"device", false}, {"name", false}, {"tasks", true}, {"busy ms", true}, {"share", true}};
    const struct demo_round *round = demo_shown_round(report);
    struct text_table table;

    text_table_init(&table, columns, 5);
    for (uint32_t i = 0; i < report->device_count; i++) {
        const struct demo_share *share = &round->shares[i];
        struct text_table_row *row = text_table_add(&table);
        if (!row)
            break;
        text_table_set(row, 0, "%s", report->devices[i].info.id);
        text_table_set(row, 1, "%s", report->devices[i].info.name);
        text_table_set(row, 2, "%" PRIu64, share->task_count);
        if (!demo_busy_is_known(share)) {
            text_table_set(row, 3, "unknown");
            text_table_set(row, 4, "unknown");
            continue;
        }
        text_table_set(row, 3, "%.2f", demo_ms(share->busy_ns));
        text_table_set(row, 4, "%.0f %%", 100.0 * demo_busy_share(report, i));
    }
    text_table_print(&table);
    text_table_fini(&table);
}

/* One line of the table of times; 0 ns is unknown. */
static void demo_set_time(struct text_table_row *row, const struct demo_report *report,
                          uint64_t wall_ns, uint64_t copied_bytes)
{
    if (wall_ns == 0) {
        for (uint32_t i = 1; i < 4; i++)
            text_table_set(row, i, "unknown");
        return;
    }
    text_table_set(row, 1, "%.2f", demo_ms(wall_ns));
    text_table_set(row, 2, "%.0f", (double)report->plan.plan.task_count * 1e9 / (double)wall_ns);
    demo_set_bytes(row, 3, copied_bytes);
}

static void demo_print_times(const struct demo_report *report)
{
    static const struct text_table_column columns[] = {
        {"way", false}, {"ms", true}, {"tasks/s", true}, {"copied", true}};
    const struct demo_round *round = demo_shown_round(report);
    struct text_table table;

    text_table_init(&table, columns, 4);
    struct text_table_row *row = text_table_add(&table);
    if (row) {
        text_table_set(row, 0, "through the pool");
        demo_set_time(row, report, round->result.wall_ns, round->copied_bytes);
    }
    for (uint32_t i = 0; row && i < report->side_count; i++) {
        const struct demo_side *side = &report->sides[i];
        row = text_table_add(&table);
        if (!row)
            break;
        text_table_set(row, 0, "one by one on %s", side->device->info.id);
        demo_set_time(row, report, side->median_ns, side->copied_bytes);
    }
    printf("\n");
    text_table_print(&table);
    text_table_fini(&table);
}

static bool demo_is_verified(const struct demo_report *report)
{
    for (uint32_t i = 0; i < report->side_count; i++)
        if (!report->sides[i].is_equal)
            return false;
    return report->side_count > 0;
}

/* What follows from the times, or why nothing does. */
static void demo_print_comparison(const struct demo_report *report)
{
    bool are_all = report->side_count == report->device_count;
    double ratio = demo_ratio(report);

    if (ratio > 0.0)
        printf(
            "\nThe pool is %.2f times as fast as the best device%s used one task after another.\n",
            ratio, are_all ? "" : " of those");
    if (demo_is_verified(report))
        printf("%sBoth ways gave the same pictures, bit for bit.\n", ratio > 0.0 ? "" : "\n");
    if (report->side_count == 0 && !report->options->has_no_baseline && !report->is_interrupted)
        printf("\nThe tasks were not run one by one: there is not enough memory for both ways.\n");
}

/* What was done, when not everything was. */
static void demo_print_rest(const struct demo_report *report)
{
    const struct plan_result *result = &report->first.result;
    uint32_t task_count = report->plan.plan.task_count;

    if (report->round_count == 0 && result->done_count < task_count)
        printf("\n%u of %u tasks were done, %u failed, %u were cancelled.\n", result->done_count,
               task_count, result->failed_count, result->cancelled_count);
}

void demo_print_text(const struct demo_report *report)
{
    printf("%u photograph%s, %u tasks, %u device%s; ", report->photos.count,
           demo_plural(report->photos.count), report->plan.plan.task_count, report->device_count,
           demo_plural(report->device_count));
    if (report->round_count > 0)
        printf("median of %u round%s.\n\n", report->round_count, demo_plural(report->round_count));
    else
        printf("one round, not warmed up.\n\n");
    demo_print_devices(report);
    if (report->round_count > 0)
        demo_print_times(report);
    demo_print_comparison(report);
    demo_print_rest(report);
    printf("\n%u picture%s written to %s\n", report->written_count,
           demo_plural(report->written_count), report->options->output);
}

static void demo_json_devices(const struct demo_report *report, cJSON *array)
{
    const struct demo_round *round = demo_shown_round(report);

    for (uint32_t i = 0; i < report->device_count; i++) {
        const struct demo_share *share = &round->shares[i];
        bool is_known = demo_busy_is_known(share);
        cJSON *device = cJSON_CreateObject();
        json_out_text(device, "id", report->devices[i].info.id);
        json_out_text(device, "name", report->devices[i].info.name);
        json_out_number(device, "tasks", (double)share->task_count);
        json_out_known(device, "busy_ns", is_known, (double)share->busy_ns);
        json_out_known(device, "busy_share", is_known && round->result.wall_ns > 0,
                       demo_busy_share(report, i));
        (void)cJSON_AddItemToArray(array, device);
    }
}

static void demo_json_sides(const struct demo_report *report, cJSON *array)
{
    for (uint32_t i = 0; i < report->side_count; i++) {
        const struct demo_side *side = &report->sides[i];
        cJSON *object = cJSON_CreateObject();
        json_out_text(object, "device", side->device->info.id);
        json_out_known(object, "wall_ns", side->median_ns > 0, (double)side->median_ns);
        json_out_number(object, "bytes_copied", (double)side->copied_bytes);
        json_out_bool(object, "pictures_equal", side->is_equal);
        if (side->error[0])
            json_out_text(object, "error", side->error);
        (void)cJSON_AddItemToArray(array, object);
    }
}

static void demo_json_pictures(const struct demo_report *report, cJSON *array)
{
    for (uint32_t i = 0; i < report->plan.plan.output_count; i++) {
        char path[4096];
        if (!report->pictures[i].pixels)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s.png", report->options->output,
                       report->plan.plan.outputs[i].name);
        (void)cJSON_AddItemToArray(array, json_out_string(path));
    }
}

void demo_print_json(const struct demo_report *report)
{
    const struct demo_round *round = demo_shown_round(report);
    cJSON *root = cJSON_CreateObject();
    double ratio = demo_ratio(report);

    json_out_number(root, "photographs", report->photos.count);
    json_out_number(root, "tasks", report->plan.plan.task_count);
    json_out_number(root, "tasks_done", round->result.done_count);
    json_out_number(root, "tasks_failed", round->result.failed_count);
    json_out_number(root, "tasks_cancelled", round->result.cancelled_count);
    json_out_number(root, "rounds", report->round_count);
    cJSON *pool = cJSON_AddObjectToObject(root, "pool");
    json_out_number(pool, "wall_ns", (double)round->result.wall_ns);
    json_out_number(pool, "bytes_copied", (double)round->copied_bytes);
    demo_json_devices(report, cJSON_AddArrayToObject(pool, "devices"));
    demo_json_sides(report, cJSON_AddArrayToObject(root, "one_by_one"));
    json_out_known(root, "ratio", ratio > 0.0, ratio);
    demo_json_pictures(report, cJSON_AddArrayToObject(root, "pictures"));
    json_out_number(root, "pictures_written", report->written_count);
    json_out_bool(root, "interrupted", report->is_interrupted);
    if (report->error[0])
        json_out_text(root, "error", report->error);
    (void)json_out_print(root);
}
