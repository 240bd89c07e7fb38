/* What devices can do for a task in pieces: see split_state.h.
 *
 * A lane's speed is what its device was measured to do per nanosecond, or what the model says of
 * other sizes, with the copies that it must wait for. Changes nothing but shares.
 */
#include "core/launch.h"
#include "core/place.h"
#include "core/sched.h"
#include "core/split_state.h"

struct split_tuning split_tuning = {.least_ns = 300000, .worth_ns = 1000000, .gain = 0.97};

/* The device takes pieces now, or will when the kernel is compiled for it: *later. */
bool split_usable(struct engine *engine, const struct split_open *open,
                  const struct split_share *share, bool *later)
{
    const struct task *task = engine_task(engine, open->task);
    const struct engine_device *device = &engine->devices[share->device];
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    const struct code *code = engine_code(engine, kernel, share->device);
    if (share->refused || device->caps.parts == 0 ||
        place_obstacle(engine, task, device, share->device) != NULL)
        return false;
    if (code->state == CODE_READY) {
        for (uint32_t d = 0; d < 3; d++)
            if (code->required_local[0] != 0 && code->required_local[d] != open->grid.local[d])
                return false;
        return true;
    }
    launch_build(engine, kernel, share->device);
    *later = true;
    return false;
}

/* What is known of the device before it has run a piece. */
void split_share_init(struct engine *engine, struct split_open *open, const struct task *task,
                      uint32_t index, uint32_t lanes)
{
    const struct engine_device *device = &engine->devices[index];
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    struct split_share *share = &open->shares[open->share_count++];
    *share = (struct split_share){.device = index};
    uint64_t units = open->grid.units / lanes + 1, ns = 0;
    uint64_t size = task->size / open->grid.units * units;
    if (history_predict(engine->history, launch_model_key(engine, kernel, index), device->key, size,
                        &ns) != HISTORY_UNKNOWN)
        share->rate = (double)units / (double)(ns > 0 ? ns : 1);
    const fgpu_cut *cuts = task_cuts(task);
    for (uint32_t i = 0; i < task->access_count && engine->node_count > 1; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        if (!(access->mode & FGPU_READ))
            continue;
        double copy_ns = (double)place_access_ns(engine, access, device->node);
        if (cuts[access->arg].kind == FGPU_CUT_ITEMS)
            share->copy_ns += copy_ns / (double)open->grid.units;
        else
            share->fixed_ns += copy_ns;
    }
}

double split_share_rate(const struct engine *engine, const struct split_share *share)
{
    double run_ns = 1 / share->rate;
    if (engine->devices[share->device].copy_count == 0)
        return 1 / (run_ns + share->copy_ns);
    return 1 / (run_ns > share->copy_ns ? run_ns : share->copy_ns); /* data travel beside it */
}

/* Of the cores that it works with. */
static double split_core_rate(const struct engine *engine, const struct split_share *share)
{
    if (share->rate <= 0)
        return 1e300; /* to be found out first */
    uint32_t cores = engine->devices[share->device].cores;
    return split_share_rate(engine, share) / (cores > 0 ? cores : 1);
}

/* Best use of cores first, so that devices that share them leave them to the better ones. */
void split_sort(const struct engine *engine, struct split_open *open)
{
    for (uint32_t i = 1; i < open->share_count; i++) {
        struct split_share share = open->shares[i];
        uint32_t at = i;
        for (; at > 0 &&
               split_core_rate(engine, &open->shares[at - 1]) < split_core_rate(engine, &share);
             at--)
            open->shares[at] = open->shares[at - 1];
        open->shares[at] = share;
    }
}

/* Cores of a device's group that lanes listed so far would use, and those that others use now. */
static uint32_t split_cores(const struct engine *engine, const struct engine_device *device,
                            const struct split_lane *lanes, uint32_t count)
{
    uint32_t cores = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct engine_device *other = &engine->devices[lanes[i].lane->device];
        if (other->group_cores != 0 && other->caps.resource_group == device->caps.resource_group)
            cores += other->cores;
    }
    return cores;
}

/* The lanes that work on the task, as far as their speed is known. Returns how many. */
uint32_t split_lanes(struct engine *engine, struct split_open *open, struct split_lane *lanes,
                     uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < open->share_count; s++) {
        struct split_share *share = &open->shares[s];
        const struct engine_device *device = &engine->devices[share->device];
        bool later = false;
        if (share->rate <= 0 || !split_usable(engine, open, share, &later))
            continue;
        for (uint32_t i = 0; i < device->lane_count && count < most; i++) {
            const struct lane *lane = engine_lane(engine, device->lane_first + i);
            if (device->group_cores != 0 &&
                split_cores(engine, device, lanes, count) + device->cores > device->group_cores)
                break;
            lanes[count++] = (struct split_lane){
                .lane = lane,
                .share = share,
                .rate = split_share_rate(engine, share),
                .ready_ns = (double)(sched_flight_ns(engine, lane) + lane->backlog_ns) +
                            (share->fed ? 0 : share->fixed_ns)};
        }
    }
    return count;
}

/* When all of `units` would be done if the lanes, but `without`, ended at the same time. */
double split_end_ns(const struct split_lane *lanes, uint32_t count, uint64_t units,
                    const struct lane *without)
{
    double end_ns = 1e300;
    for (;;) {
        double rate = 0, sum = (double)units;
        for (uint32_t i = 0; i < count; i++) {
            if (lanes[i].lane == without || lanes[i].ready_ns >= end_ns)
                continue;
            rate += lanes[i].rate;
            sum += lanes[i].rate * lanes[i].ready_ns;
        }
        if (rate <= 0 || sum / rate >= end_ns)
            return end_ns;
        end_ns = sum / rate;
    }
}

/* ---- whether ---------------------------------------------------------------------------- */

/* When it would have ended on the best lane, whole. */
static double split_whole_ns(struct engine *engine, const struct task *task,
                             const struct split_lane *lanes, uint32_t count)
{
    double best_ns = 1e300;
    for (uint32_t i = 0; i < count; i++) {
        bool known = false;
        const struct split_lane *lane = &lanes[i];
        double run_ns = (double)place_cost_ns(engine, task, lane->lane->device, &known);
        double ns = known ? lane->ready_ns + run_ns : 1e300;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

bool split_pays(struct engine *engine, struct split_open *open, const struct task *task)
{
    struct split_lane lanes[SPLIT_DEVICES];
    uint32_t usable = 0, possible = 0;
    bool unknown = false;
    for (uint32_t s = 0; s < open->share_count; s++) {
        bool later = false;
        bool now = split_usable(engine, open, &open->shares[s], &later);
        uint32_t count = engine->devices[open->shares[s].device].lane_count;
        usable += now ? count : 0;
        possible += now || later ? count : 0;
        unknown |= (now || later) && open->shares[s].rate <= 0;
    }
    /* Others fill the lanes as well, without the cost of pieces. */
    if (possible < 2 || engine->ready_count >= possible)
        return false;
    uint32_t count = split_lanes(engine, open, lanes, SPLIT_DEVICES);
    double whole_ns = split_whole_ns(engine, task, lanes, count);
    if (whole_ns < split_tuning.worth_ns)
        return false;
    if (unknown || usable < possible)
        return true;
    return split_end_ns(lanes, count, open->grid.units, NULL) < split_tuning.gain * whole_ns;
}

/* Everything is shared out; devices that nobody knows take from the others. */
void split_share_out(struct engine *engine, struct split_open *open)
{
    double sum = 0, before = 0;
    bool known = false;
    for (uint32_t s = 0; s < open->share_count; s++)
        known |= open->shares[s].rate > 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t s = 0; s < open->share_count; s++) {
            struct split_share *share = &open->shares[s];
            double rate = !known ? 1 : share->rate > 0 ? split_share_rate(engine, share) : 0;
            rate *= engine->devices[share->device].lane_count;
            if (pass == 0) {
                sum += rate;
                continue;
            }
            share->begin = (uint64_t)((double)open->grid.units * (before / sum));
            before += rate;
            share->end = (uint64_t)((double)open->grid.units * (before / sum));
            if (s + 1 == open->share_count || share->end > open->grid.units)
                share->end = open->grid.units;
        }
    }
    uint64_t at = 0;
    for (uint32_t s = 0; s < open->share_count; s++) { /* no gap, whatever rounding did */
        open->shares[s].begin = at;
        at = open->shares[s].end > at ? open->shares[s].end : at;
        open->shares[s].end = at;
    }
    FGPU_ASSERT(at == open->grid.units);
}
