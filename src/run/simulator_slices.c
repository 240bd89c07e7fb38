/* Launches of some work groups in virtual time, and guards that stop them; see simulator.h.
 *
 * A device runs so many groups at once as it has units: a launch of a range takes its launch
 * overhead and then wave after wave, each as long as one of the waves of the whole kernel. A guard
 * that is told to stop lets the wave that has begun end. Groups run in linear order, so what has
 * run under a guard is known by how many have.
 */
#include <math.h>

#include "run/simulator.h"

bool simulator_has_slices(const struct simulator *s)
{
    for (uint32_t d = 0; d < s->device_count; d++)
        if (s->devices[d].slices)
            return true;
    return false;
}

/* ---- guards ----------------------------------------------------------------------------- */

static struct simulator_guard *simulator_guard_at(const struct simulator *s, fgpu_guard guard)
{
    struct simulator_guard *at = vec_at(&s->guards, (size_t)guard - 1);
    FGPU_ASSERT(at->is_open);
    return at;
}

fgpu_guard simulator_guard_open(struct simulator *s, uint64_t groups)
{
    const struct simulator_guard fresh = {.groups = groups, .is_open = true};
    for (size_t i = 0; i < s->guards.count; i++) {
        struct simulator_guard *guard = vec_at(&s->guards, i);
        if (guard->is_open)
            continue;
        *guard = fresh;
        return i + 1;
    }
    return vec_push(&s->guards, &fresh) != NULL ? s->guards.count : 0;
}

void simulator_guard_close(struct simulator *s, fgpu_guard guard)
{
    simulator_guard_at(s, guard)->is_open = false;
}

/* ---- launches --------------------------------------------------------------------------- */

const fgpu_cmd_slice *simulator_slice(const struct simulator_command *command)
{
    const fgpu_cmd_launch *launch = command->cmd.body;
    if (command->cmd.kind != FGPU_CMD_LAUNCH || launch->part != FGPU_LAUNCH_SLICE)
        return NULL;
    return command->cmd.body;
}

static uint64_t slice_waves(uint64_t groups, uint32_t units)
{
    return (groups + units - 1) / units;
}

/* The groups of the whole grid. */
static uint64_t slice_grid(const fgpu_cmd_launch *launch)
{
    uint64_t groups = 1;
    for (uint32_t d = 0; d < launch->dims; d++)
        groups *= launch->global[d] / (launch->local[d] != 0 ? launch->local[d] : 1);
    return groups;
}

/* When so many of its waves have ended. */
static uint64_t slice_end_ns(const struct simulator_lane *lane, uint64_t waves)
{
    return lane->begun_ns + (uint64_t)ceil(lane->wave_ns * (double)waves);
}

uint64_t simulator_slice_ns(struct simulator *s, uint32_t index,
                            const struct simulator_command *command)
{
    struct simulator_lane *lane = &s->lanes[index];
    const fgpu_cmd_slice *slice = command->cmd.body;
    uint32_t d = s->engine.lanes[index].device;
    const struct simulator_device *device = &s->devices[d];
    const struct simulator_guard *guard =
        slice->guard != 0 ? simulator_guard_at(s, slice->guard) : NULL;
    uint64_t end = slice->first + slice->count;
    FGPU_ASSERT(end <= slice_grid(&slice->launch) && (guard == NULL || guard->groups >= end));
    lane->first = slice->first;
    if (guard != NULL && guard->done > lane->first)
        lane->first = guard->done < end ? guard->done : end;
    lane->groups = guard != NULL && guard->stops ? 0 : end - lane->first;
    uint64_t waves = slice_waves(lane->groups, device->machine.units);
    lane->begun_ns = s->now_ns + device->machine.launch_ns;
    if (s->config.machine != NULL) {
        double whole_ns = (double)simulator_machine_run_ns(s, d, command->entry);
        lane->wave_ns =
            whole_ns / (double)slice_waves(slice_grid(&slice->launch), device->machine.units);
    } else {
        fgpu_cmd_launch part = {.dims = 1, .global = {lane->groups, 1, 1}};
        fgpu_cmd cmd = {.kind = FGPU_CMD_LAUNCH, .body = &part};
        uint64_t ns = cost_ns(&device->machine, &cmd, s->config.group_ps, &s->rng);
        uint64_t launch_ns = device->machine.launch_ns;
        lane->wave_ns = ns > launch_ns && waves > 0 ? (double)(ns - launch_ns) / (double)waves : 1;
    }
    lane->start_ns = lane->begun_ns;
    uint64_t ns = slice_end_ns(lane, waves) - s->now_ns;
    return ns > 0 ? ns : 1;
}

void simulator_slice_ended(struct simulator *s, uint32_t index,
                           const struct simulator_command *command)
{
    struct simulator_lane *lane = &s->lanes[index];
    fgpu_cmd_slice *slice = command->cmd.body;
    if (slice->launch.result.status != FGPU_OK) {
        lane->first = slice->first;
        lane->groups = slice->count;
        slice->left = slice->count;
        return;
    }
    uint64_t done = lane->first + lane->groups;
    slice->left = slice->first + slice->count - done;
    struct simulator_guard *guard = slice->guard != 0 ? simulator_guard_at(s, slice->guard) : NULL;
    if (guard != NULL && done > guard->done)
        guard->done = done;
}

/* ---- stopping --------------------------------------------------------------------------- */

/* What runs there under the guard ends with the wave that runs now. */
static void slice_stop(struct simulator *s, uint32_t index, fgpu_guard guard)
{
    struct simulator_lane *lane = &s->lanes[index];
    if (lane->phase != PHASE_RUN || lane->groups == 0 || lane->end_ns == SIMULATOR_NEVER)
        return;
    const fgpu_cmd_slice *slice = simulator_slice(vec_at(&lane->queue, lane->head));
    if (slice == NULL || slice->guard != guard)
        return;
    uint32_t units = s->devices[s->engine.lanes[index].device].machine.units;
    uint64_t waves = slice_waves(lane->groups, units), begun = 0;
    if (s->now_ns > lane->begun_ns)
        begun = (uint64_t)ceil((double)(s->now_ns - lane->begun_ns) / lane->wave_ns);
    if (begun >= waves)
        return;
    lane->groups = begun * units;
    lane->end_ns = slice_end_ns(lane, begun);
    lane->end_ns = lane->end_ns > s->now_ns ? lane->end_ns : s->now_ns;
    agenda_set(&s->agenda, index, lane->end_ns);
}

void simulator_tell_guards(struct simulator *s)
{
    struct vec *orders = &s->engine.guards;
    for (size_t i = 0; i < orders->count; i++) {
        const struct preempt_order *order = vec_at(orders, i);
        const struct engine_device *device = &s->engine.devices[order->device];
        simulator_guard_at(s, order->guard)->stops = order->stop != 0;
        for (uint32_t k = 0; k < engine_lanes_of(device) && order->stop; k++)
            slice_stop(s, device->lane_first + k, order->guard);
    }
    vec_clear(orders);
}

/* ---- answers ---------------------------------------------------------------------------- */

void simulator_answer_action(struct simulator *s, const struct action *action)
{
    fgpu_code_built built = {.code = action->index + 1u};
    bool fails = s->config.machine != NULL && action->kind == ACTION_BUILD &&
                 !simulator_machine_builds(s, action->index, action->device);
    if (action->kind == ACTION_GUARD)
        engine_guard(&s->engine, action->index, simulator_guard_open(s, action->bytes));
    else if (action->kind == ACTION_FORM)
        engine_formed(&s->engine, action->index, action->device, action->form, FGPU_OK, &built);
    else
        engine_built(&s->engine, action->index, action->device, fails ? FGPU_E_BUILD : FGPU_OK,
                     &built);
}
