/* The runs of `fastgpu demo`: one round whose pictures are kept and some more to warm up (the pool
 * learns from running tasks how long they take), then both sides in turn, so that what disturbs the
 * machine disturbs both: all tasks through the pool, then the same tasks one by one on each device
 * alone (copy in, launch, copy out, wait), each in a pool that has that device only. Medians count.
 */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "why.h"

/* Rounds through the pool before the first that counts. */
#define DEMO_WARM_ROUNDS 3

static fgpu_status demo_open_pool(const char *devices, int32_t log_level, fgpu_pool *pool,
                                  char *why, size_t why_bytes)
{
    fgpu_pool_options options;

    fgpu_pool_options_init(&options);
    options.devices = devices;
    options.log_level = log_level;
    fgpu_status status = fgpu_pool_open(&options, pool);
    if (status != FGPU_OK)
        return why_fail(status, why, why_bytes, "the pool cannot be opened: %s", fgpu_last_error());
    return FGPU_OK;
}

/* Devices that only pretend to compute would leave pictures of noise. */
static bool demo_computes(const fgpu_device_info *info)
{
    return info->type != FGPU_DEVICE_NULL && info->type != FGPU_DEVICE_SIMULATED;
}

static fgpu_status demo_list_devices(struct demo_report *report, uint32_t *align_bytes)
{
    uint32_t count = 0;

    *align_bytes = 1;
    (void)fgpu_device_count(report->pool, &count);
    for (uint32_t i = 0; i < count && i < DEMO_DEVICES_LIMIT; i++) {
        struct demo_device *device = &report->devices[i];
        device->info.struct_bytes = sizeof device->info;
        if (fgpu_device_at(report->pool, i, &device->handle) != FGPU_OK ||
            fgpu_device_get_info(device->handle, &device->info) != FGPU_OK)
            return why_fail(FGPU_E_DEVICE, report->error, sizeof report->error, "device %u: %s", i,
                            fgpu_last_error());
        if (!demo_computes(&device->info))
            return why_fail(FGPU_E_NODEVICE, report->error, sizeof report->error,
                            "the device %s computes nothing, so it cannot make pictures; choose "
                            "others with --devices",
                            device->info.id);
        report->device_count++;
        if ((device->info.valid & FGPU_INFO_ALIGN) &&
            device->info.memory_align_bytes > *align_bytes)
            *align_bytes = device->info.memory_align_bytes;
    }
    return FGPU_OK;
}

/* How many devices the tasks can be run on one by one: each needs what the plan's buffers hold once
 * for the device and once for the host, and not more than half of the machine's memory is taken. */
static uint32_t demo_count_sides(const struct demo_report *report)
{
    const struct plan *plan = &report->plan.plan;
    uint64_t machine_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t plan_bytes = 1;

    if (report->options->has_no_baseline)
        return 0;
    for (uint32_t i = 0; i < plan->buffer_count; i++)
        plan_bytes += plan->buffers[i].size_bytes;
    uint64_t count = machine_bytes / 2 / plan_bytes;
    count = count > 1 ? (count - 1) / 2 : 0;
    count = count < DEMO_SIDES_LIMIT ? count : DEMO_SIDES_LIMIT;
    return count < report->device_count ? (uint32_t)count : report->device_count;
}

/* Adds one device alone; what it cannot do is said in its own line of the table, the demo goes on.
 * Warnings are those that the pool of all devices has given. */
static void demo_open_side(struct demo_report *report, const struct demo_device *device,
                           const struct plan_watch *watch)
{
    struct demo_side *side = &report->sides[report->side_count++];
    char *why = side->error;

    side->device = device;
    fgpu_status status =
        demo_open_pool(device->info.id, FGPU_LOG_ERROR, &side->pool, why, sizeof side->error);
    if (status == FGPU_OK)
        status = plan_session_init(&side->session, &report->plan.plan, side->pool, true, why,
                                   sizeof side->error);
    if (status == FGPU_OK)
        status = plan_session_build(&side->session, watch, why, sizeof side->error);
    if (status == FGPU_E_CANCELLED) {
        report->is_interrupted = true;
        side->error[0] = '\0';
    }
}

/* An end that the user asks for while kernels are compiled is no failure: nothing is run then. */
static fgpu_status demo_build(struct demo_report *report, const struct plan_watch *watch)
{
    fgpu_status status =
        plan_session_build(&report->session, watch, report->error, sizeof report->error);

    if (status != FGPU_E_CANCELLED)
        return status;
    report->is_interrupted = true;
    report->error[0] = '\0';
    return FGPU_OK;
}

static fgpu_status demo_open(struct demo_report *report, const struct plan_watch *watch)
{
    const struct demo_options *options = report->options;
    uint32_t align_bytes;

    fgpu_status status = demo_open_pool(options->devices, FGPU_LOG_WARN, &report->pool,
                                        report->error, sizeof report->error);
    if (status == FGPU_OK)
        status = demo_list_devices(report, &align_bytes);
    if (status == FGPU_OK)
        status = demo_plan_init(&report->photos, align_bytes, (uint32_t)options->tiles,
                                &report->plan, report->error, sizeof report->error);
    if (status == FGPU_OK)
        status = plan_session_init(&report->session, &report->plan.plan, report->pool, false,
                                   report->error, sizeof report->error);
    if (status == FGPU_OK)
        status = demo_build(report, watch);
    if (status != FGPU_OK)
        return status;
    report->rounds = calloc(options->rounds + 1, sizeof *report->rounds);
    report->pictures = calloc(report->plan.plan.output_count + 1, sizeof *report->pictures);
    if (!report->rounds || !report->pictures)
        return why_fail(FGPU_E_NOMEM, report->error, sizeof report->error,
                        "no memory for %u rounds", (unsigned)options->rounds);
    uint32_t side_count = demo_count_sides(report);
    for (uint32_t i = 0; i < side_count && !report->is_interrupted; i++)
        demo_open_side(report, &report->devices[i], watch);
    return FGPU_OK;
}

/* Counters of all devices now. */
static void demo_read_shares(const struct demo_report *report, struct demo_share *shares)
{
    for (uint32_t i = 0; i < report->device_count; i++) {
        fgpu_device_stats stats = {.struct_bytes = sizeof stats};
        (void)fgpu_device_get_stats(report->devices[i].handle, &stats);
        shares[i] = (struct demo_share){stats.tasks, stats.busy_ns};
    }
}

static uint64_t demo_read_copied(const struct demo_report *report)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};

    (void)fgpu_pool_get_stats(report->pool, &stats);
    return stats.bytes_to_device + stats.bytes_to_host + stats.bytes_device_device;
}

static void demo_run_round(struct demo_report *report, const struct plan_watch *watch,
                           struct demo_round *round)
{
    struct demo_share before[DEMO_DEVICES_LIMIT] = {0};
    uint64_t copied_before = demo_read_copied(report);

    demo_read_shares(report, before);
    plan_run_pooled(&report->session, watch, &round->result);
    demo_read_shares(report, round->shares);
    round->copied_bytes = demo_read_copied(report) - copied_before;
    for (uint32_t i = 0; i < report->device_count; i++) {
        round->shares[i].task_count -= before[i].task_count;
        round->shares[i].busy_ns -= before[i].busy_ns;
    }
    report->is_interrupted |= round->result.interrupted;
    if (round->result.error[0] && !report->error[0])
        (void)snprintf(report->error, sizeof report->error, "%s", round->result.error);
}

/* Keeps the pictures that the first round has made. */
static void demo_keep_pictures(struct demo_report *report)
{
    const struct plan *plan = &report->plan.plan;

    for (uint32_t i = 0; i < plan->output_count; i++) {
        const struct plan_output *output = &plan->outputs[i];
        struct image *picture = &report->pictures[i];
        char why[CLI_WHY_BYTES];
        if (!plan_output_is_whole(&report->session, i))
            continue;
        fgpu_status status =
            image_init(picture, output->width, output->height, output->channels, why, sizeof why);
        if (status == FGPU_OK)
            status = plan_read_output(&report->session, i, picture->pixels, why, sizeof why);
        if (status == FGPU_OK)
            continue;
        image_fini(picture);
        if (!report->error[0])
            (void)snprintf(report->error, sizeof report->error, "%s", why);
    }
}

/* Whether the side's pictures are those that the pool has made. */
static bool demo_compare_pictures(struct demo_report *report, struct demo_side *side)
{
    for (uint32_t i = 0; i < report->plan.plan.output_count; i++) {
        const struct image *picture = &report->pictures[i];
        struct image other;
        if (image_init(&other, picture->width, picture->height, picture->channels, NULL, 0) !=
            FGPU_OK)
            return false;
        fgpu_status status = plan_read_output(&side->session, i, other.pixels, NULL, 0);
        bool is_equal = status == FGPU_OK &&
                        memcmp(other.pixels, picture->pixels, image_size_bytes(picture)) == 0;
        image_fini(&other);
        if (!is_equal) {
            (void)snprintf(side->error, sizeof side->error,
                           "the picture %s is not the one that the pool made",
                           report->plan.plan.outputs[i].name);
            return false;
        }
    }
    return true;
}

/* One round of one side. The first is not counted: it warms up, and its pictures are compared. */
static void demo_run_side(struct demo_report *report, struct demo_side *side, bool is_first,
                          const struct plan_watch *watch)
{
    struct plan_watch silent = {.stop = watch->stop};
    struct plan_result result;

    if (side->error[0] || report->is_interrupted)
        return;
    plan_run_by_hand(&side->session, &silent, &result);
    report->is_interrupted |= result.interrupted;
    if (result.error[0])
        (void)snprintf(side->error, sizeof side->error, "%s", result.error);
    if (result.interrupted || result.error[0])
        return;
    side->copied_bytes = result.copied_bytes;
    if (is_first)
        side->is_equal = demo_compare_pictures(report, side);
    else
        side->wall_ns[side->round_count++] = result.wall_ns;
}

static int demo_compare_times(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static uint64_t demo_median(uint64_t *times, uint32_t count)
{
    if (count == 0)
        return 0;
    qsort(times, count, sizeof *times, demo_compare_times);
    return times[(count - 1) / 2];
}

static void demo_find_medians(struct demo_report *report)
{
    uint64_t times[DEMO_ROUNDS_LIMIT];

    for (uint32_t i = 0; i < report->round_count; i++)
        times[i] = report->rounds[i].result.wall_ns;
    uint64_t median_ns = demo_median(times, report->round_count);
    for (uint32_t i = 0; i < report->round_count; i++)
        if (report->rounds[i].result.wall_ns == median_ns)
            report->median = i;
    for (uint32_t i = 0; i < report->side_count; i++)
        report->sides[i].median_ns =
            demo_median(report->sides[i].wall_ns, report->sides[i].round_count);
}

/* Everything that happens before the first round that counts. */
static void demo_warm_up(struct demo_report *report, const struct plan_watch *watch)
{
    struct demo_round *spare = &report->rounds[report->options->rounds];

    demo_run_round(report, watch, &report->first);
    demo_keep_pictures(report);
    for (uint32_t i = 0; i < report->side_count && !report->error[0]; i++)
        demo_run_side(report, &report->sides[i], true, watch);
    for (int i = 1; i < DEMO_WARM_ROUNDS && report->options->rounds > 0; i++)
        if (!report->is_interrupted && !report->error[0])
            demo_run_round(report, watch, spare);
}

fgpu_status demo_measure(struct demo_report *report, const struct plan_watch *watch)
{
    fgpu_status status = demo_open(report, watch);

    if (status != FGPU_OK)
        return status;
    demo_warm_up(report, watch);
    for (uint32_t round = 0; round < report->options->rounds; round++) {
        if (report->is_interrupted || report->error[0])
            break;
        demo_run_round(report, watch, &report->rounds[round]);
        if (!report->is_interrupted && !report->error[0])
            report->round_count++;
        for (uint32_t i = 0; i < report->side_count; i++)
            demo_run_side(report, &report->sides[i], false, watch);
    }
    demo_find_medians(report);
    return FGPU_OK;
}

void demo_measure_fini(struct demo_report *report)
{
    plan_session_fini(&report->session);
    (void)fgpu_pool_close(report->pool);
    for (uint32_t i = 0; i < report->side_count; i++) {
        plan_session_fini(&report->sides[i].session);
        (void)fgpu_pool_close(report->sides[i].pool);
    }
    for (uint32_t i = 0; report->pictures && i < report->plan.plan.output_count; i++)
        image_fini(&report->pictures[i]);
    free(report->pictures);
    free(report->rounds);
    demo_plan_fini(&report->plan);
}

uint32_t demo_best_side(const struct demo_report *report)
{
    uint32_t best = PLAN_NONE;

    for (uint32_t i = 0; i < report->side_count; i++)
        if (report->sides[i].median_ns > 0 &&
            (best == PLAN_NONE || report->sides[i].median_ns < report->sides[best].median_ns))
            best = i;
    return best;
}
