/* The loop with the virtual clock; see simulator.h.
 *
 * On the walk it stands where the embedded driver stands: events in, records out. Each lane works
 * on one command at a time, in order; the next event is the earliest in the agenda: a command's
 * end, the end of a copy's latency, the death of a device; ties to the lower lane. All events of a
 * moment are fed before the engine turns. Source of the method: discrete-event simulation with a
 * next-event clock (D. Knuth, The Art of Computer Programming 1, 2.2.5).
 */
#include "run/simulator.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "core/power.h"
#include "core/search.h"

#define SIMULATOR_ALLOC_BYTES (UINT64_C(1) << 20) /* distance of invented addresses */

/* What may be in flight in a lane, where lanes are many: 1.8 KiB for each. */
#define SIMULATOR_FEW_LANES 64u
#define SIMULATOR_SMALL_RING 64u

#define SIMULATOR_TIMED 13u /* not a power of two: events come in patterns */

/* ---- life ------------------------------------------------------------------------------- */

static void simulator_caps(const struct simulator_device *device, uint32_t ring,
                           fgpu_device_caps *caps)
{
    *caps = (fgpu_device_caps){.struct_bytes = sizeof *caps,
                               .queue_count = device->queue_count,
                               .variants = 1u << FGPU_VARIANT_NATIVE,
                               .host_memory = device->host_memory,
                               .host_calls = device->host_memory,
                               .suballocate = 1,
                               .offset_align_bytes = 1,
                               .max_queue_commands = ring / 4,
                               .parts = 1,
                               .slices = device->slices,
                               .fill_groups = device->slices ? device->machine.units : 0,
                               .copy_queue_count = device->copy_count,
                               .memory_bytes = device->memory_bytes};
}

uint32_t simulator_node(const struct simulator *s, uint32_t node)
{
    return node == 0 ? 0 : s->devices[s->engine.nodes[node].device].node;
}

static bool simulator_reaches(const void *user, uint32_t source, uint32_t target)
{
    const struct simulator *s = user;
    return machine_path_direct(s->config.machine, simulator_node(s, source),
                               simulator_node(s, target));
}

/* The links that a copy between two of the engine's nodes crosses; it takes as many shares of one
 * as it crosses it times. */
static void simulator_path(const void *user, uint32_t source, uint32_t target,
                           struct plan_path *path)
{
    const struct simulator *s = user;
    uint32_t links[MACHINE_HOPS];
    uint32_t count = machine_path(s->config.machine, simulator_node(s, source),
                                  simulator_node(s, target), links, &path->latency_ns);
    path->bytes_per_ns = INFINITY;
    path->link_count = count < PLAN_HOPS ? count : PLAN_HOPS;
    for (uint32_t i = 0; i < path->link_count; i++) {
        uint32_t times = 0;
        for (uint32_t j = 0; j < path->link_count; j++)
            times += links[j] == links[i];
        double rate = machine_instance_bytes_per_ns(s->config.machine, links[i]) / times;
        path->bytes_per_ns = rate < path->bytes_per_ns ? rate : path->bytes_per_ns;
        path->links[i] = links[i];
    }
}

static double simulator_path_rate(const void *user, uint32_t link)
{
    const struct simulator *s = user;
    return machine_instance_bytes_per_ns(s->config.machine, link);
}

/* What the engine is told of power, where the machine says something about it and it matters. */
static fgpu_status simulator_power(struct simulator *s, struct engine_config *config,
                                   struct power_config *power)
{
    const struct machine *machine = s->config.machine;
    if (machine == NULL || !simulator_has_power(machine))
        return FGPU_OK;
    s->extra_watt = alloc_get_zeroed(NULL, s->device_count * sizeof *s->extra_watt + 1, 16);
    if (s->extra_watt == NULL)
        return FGPU_E_NOMEM;
    for (uint32_t d = 0; d < s->device_count; d++)
        s->extra_watt[d] = simulator_extra_watt(machine, s->devices[d].class_index);
    power->idle_watt = simulator_idle_watt(machine);
    power->extra_watt = config->extra_watt = s->extra_watt;
    config->aim = (struct plan_aim){.idle_watt = power->idle_watt, .cap_watt = power->cap_watt};
    if (power->cap_watt > 0)
        config->power = power;
    return FGPU_OK;
}

/* Devices are lost when their time has come, or when too many of their copies fail. */
static bool simulator_is_lossless(const struct simulator *s)
{
    bool lossless = s->config.fail_rate <= 0 && s->config.loss_per_s <= 0;
    for (uint32_t d = 0; d < s->device_count; d++)
        lossless &= s->devices[d].lost_at_ns == SIMULATOR_NEVER;
    return lossless;
}

static fgpu_status simulator_engine(struct simulator *s)
{
    uint32_t count = s->device_count;
    const struct policy *policy = policy_find(s->config.policy != NULL ? s->config.policy : "eft");
    if (policy == NULL || count == 0)
        return FGPU_E_INVAL;
    struct engine_device_config *configs = alloc_get_zeroed(NULL, count * sizeof *configs, 16);
    if (configs == NULL)
        return FGPU_E_NOMEM;
    uint32_t lanes = 0;
    for (uint32_t d = 0; d < count; d++)
        lanes += s->devices[d].queue_count;
    uint32_t ring = lanes <= SIMULATOR_FEW_LANES ? ENGINE_LANE_RING : SIMULATOR_SMALL_RING;
    for (uint32_t d = 0; d < count; d++) {
        simulator_caps(&s->devices[d], ring, &configs[d].caps);
        configs[d].alike = s->devices[d].alike;
        configs[d].key = s->devices[d].key != 0 ? s->devices[d].key : hash_u64(d + 1);
        configs[d].cores = s->devices[d].cores;
        configs[d].group_cores = s->devices[d].group_cores;
        configs[d].memory_limit_bytes = s->devices[d].memory_bytes;
    }
    struct engine_config config = {
        .devices = configs,
        .device_count = count,
        .task_limit = s->config.task_limit,
        .policy = policy,
        .history = &s->history,
        .trace = &s->trace,
        .log = &s->log,
        .reaches = s->config.machine != NULL ? simulator_reaches : NULL,
        .reaches_user = s,
        .paths = s->config.machine != NULL ? simulator_path : NULL,
        .path_rate = simulator_path_rate,
        .path_link_count = s->config.machine != NULL ? s->config.machine->instance_count : 0,
        .paths_user = s,
        .ring = ring,
        .plans_apart = s->config.plan_turns > 0,
        .lossless = simulator_is_lossless(s),
        .preempt = s->config.preempt,
        .overdue_ns = s->config.overdue_ns,
        .checks = s->config.checks};
    struct power_config power = {
        .cap_watt = s->config.cap_watt, .most_ns = simulator_most_ns, .user = s};
    fgpu_status status = simulator_power(s, &config, &power);
    config.aim.objective = s->config.objective;
    if (status == FGPU_OK)
        status = engine_init(&s->engine, &config);
    alloc_put(NULL, configs, count * sizeof *configs);
    return status;
}

static fgpu_status simulator_devices(struct simulator *s)
{
    if (s->config.machine != NULL)
        return simulator_machine_devices(s);
    s->device_count = s->config.device_count;
    s->devices = alloc_get(NULL, s->device_count * sizeof *s->devices + 1, 16);
    if (s->devices == NULL)
        return FGPU_E_NOMEM;
    memcpy(s->devices, s->config.devices, s->device_count * sizeof *s->devices);
    return FGPU_OK;
}

static fgpu_status simulator_lanes(struct simulator *s)
{
    uint32_t lanes = s->engine.lane_count;
    s->lanes = alloc_get_zeroed(NULL, lanes * sizeof *s->lanes, 16);
    s->ways = alloc_get_zeroed(NULL, lanes * sizeof *s->ways, 16);
    if (s->lanes == NULL || s->ways == NULL ||
        !agenda_init(&s->agenda, lanes + s->device_count + 2))
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < lanes; i++)
        vec_init(&s->lanes[i].queue, sizeof(struct simulator_command), NULL);
    for (uint32_t d = 0; d < s->device_count; d++)
        agenda_set(&s->agenda, lanes + d, s->devices[d].lost_at_ns);
    return s->config.machine != NULL ? simulator_machine_links(s) : FGPU_OK;
}

fgpu_status simulator_init(struct simulator *s, const struct simulator_config *config)
{
    memset(s, 0, sizeof *s);
    s->config = *config;
    if (s->config.task_limit == 0)
        s->config.task_limit = LIMITS_TASKS;
    if (config->fail_permille > 0)
        s->config.fail_rate = config->fail_permille / 1000.0;
    rng_init(&s->rng, config->seed);
    history_init(&s->history, config->machine != NULL ? UINT32_MAX - 1 : 0, NULL);
    trace_init(&s->trace, 0, NULL);
    log_init(&s->log, FGPU_LOG_OFF);
    vec_init(&s->decisions, sizeof(struct simulator_decision), NULL);
    vec_init(&s->runs, sizeof(struct simulator_run), NULL);
    vec_init(&s->built, sizeof(struct action), NULL);
    vec_init(&s->guards, sizeof(struct simulator_guard), NULL);
    vec_init(&s->tasks, sizeof(struct simulator_task), NULL);
    vec_init(&s->types, sizeof(struct simulator_type), NULL);
    vec_init(&s->costs, sizeof(struct simulator_cost), NULL);
    vec_init(&s->busy, sizeof(uint64_t), NULL);
    vec_init(&s->draws, sizeof(struct simulator_draw), NULL);
    vec_init(&s->piece_ends, sizeof(uint64_t), NULL);
    map_init(&s->type_ids, NULL);
    map_init(&s->kernel_types, NULL);
    s->next_mem = SIMULATOR_ALLOC_BYTES;
    fgpu_status status = simulator_devices(s);
    if (status == FGPU_OK)
        status = simulator_engine(s);
    if (status == FGPU_OK)
        status = simulator_lanes(s);
    s->sliced = status == FGPU_OK && simulator_has_slices(s);
    if (status != FGPU_OK)
        simulator_fini(s);
    return status;
}

void simulator_fini(struct simulator *s)
{
    for (uint32_t i = 0; s->lanes != NULL && i < s->engine.lane_count; i++)
        vec_fini(&s->lanes[i].queue);
    alloc_put(NULL, s->lanes, s->engine.lane_count * sizeof *s->lanes);
    s->lanes = NULL;
    alloc_put(NULL, s->ways, s->engine.lane_count * sizeof *s->ways);
    s->ways = NULL;
    engine_fini(&s->engine);
    alloc_put(NULL, s->extra_watt, s->device_count * sizeof *s->extra_watt + 1);
    s->extra_watt = NULL;
    alloc_put(NULL, s->devices, s->device_count * sizeof *s->devices + 1);
    s->devices = NULL;
    agenda_fini(&s->agenda);
    network_fini(&s->network);
    vec_fini(&s->decisions);
    vec_fini(&s->runs);
    vec_fini(&s->built);
    vec_fini(&s->guards);
    vec_fini(&s->tasks);
    vec_fini(&s->types);
    vec_fini(&s->costs);
    vec_fini(&s->busy);
    vec_fini(&s->draws);
    vec_fini(&s->piece_ends);
    map_fini(&s->type_ids);
    map_fini(&s->kernel_types);
    history_fini(&s->history);
    trace_fini(&s->trace);
    log_fini(&s->log);
}

/* ---- records out ------------------------------------------------------------------------ */

static void simulator_log(struct simulator *s, const struct lane *lane,
                          const struct simulator_command *command)
{
    struct simulator_decision decision = {.time_ns = s->now_ns,
                                          .number = command->number,
                                          .lane = lane->index,
                                          .kind = command->cmd.kind,
                                          .flags = command->cmd.flags,
                                          .task = TASK_NONE};
    if (command->entry != RING_FENCE && (command->entry & RING_OP))
        decision.bytes = ((const fgpu_cmd_copy *)command->cmd.body)->row_bytes *
                         ((const fgpu_cmd_copy *)command->cmd.body)->rows;
    else if (command->entry != RING_FENCE)
        decision.task = command->entry;
    FGPU_ASSERT(vec_push(&s->decisions, &decision) != NULL);
}

static bool simulator_skips(const struct simulator_lane *lane,
                            const struct simulator_command *command)
{
    return command->cmd.kind == FGPU_CMD_FENCE ||
           (lane->skipping && (command->cmd.flags & FGPU_CMD_CHAINED));
}

static const struct simulator_way *simulator_way(struct simulator *s, uint32_t lane,
                                                 const struct op *op)
{
    struct simulator_way *way = &s->ways[lane];
    if (way->source == op->src_node && way->target == op->dst_node)
        return way;
    way->source = op->src_node;
    way->target = op->dst_node;
    way->count = machine_path(s->config.machine, simulator_node(s, op->src_node),
                              simulator_node(s, op->dst_node), way->links, &way->latency_ns);
    return way;
}

/* A described machine's command. Returns how long it takes, or how long until its bytes flow. */
static uint64_t simulator_machine_ns(struct simulator *s, uint32_t index,
                                     const struct simulator_command *command)
{
    struct simulator_lane *lane = &s->lanes[index];
    uint32_t device = s->engine.lanes[index].device;
    if (command->entry & RING_OP) {
        lane->phase = PHASE_LATENCY;
        return simulator_way(s, index, table_at(&s->engine.ops, command->entry & ~RING_OP))
            ->latency_ns;
    }
    if (command->cmd.kind != FGPU_CMD_LAUNCH)
        return simulator_machine_fill_ns(s, device, &command->cmd);
    const struct machine_class *class =
        vec_at(&s->config.machine->classes, s->devices[device].class_index);
    lane->start_ns += class->launch_ns;
    return class->launch_ns + simulator_machine_run_ns(s, device, command->entry);
}

static bool simulator_is_endless(const struct simulator *s, const struct simulator_command *command)
{
    return s->config.endless != 0 && command->cmd.kind == FGPU_CMD_LAUNCH &&
           simulator_task_at(s, command->entry)->number == s->config.endless - 1;
}

/* An idle lane takes up its next command. */
static void simulator_begin(struct simulator *s, uint32_t index)
{
    struct simulator_lane *lane = &s->lanes[index];
    if (lane->phase != PHASE_IDLE || lane->head == lane->queue.count)
        return;
    const struct simulator_command *command = vec_at(&lane->queue, lane->head);
    const struct simulator_device *device = &s->devices[s->engine.lanes[index].device];
    lane->phase = PHASE_RUN;
    lane->start_ns = s->now_ns;
    uint64_t ns = 1;
    if (!simulator_skips(lane, command))
        ns = simulator_slice(command) != NULL ? simulator_slice_ns(s, index, command)
             : s->config.machine != NULL
                 ? simulator_machine_ns(s, index, command)
                 : cost_ns(&device->machine, &command->cmd, s->config.group_ps, &s->rng);
    lane->end_ns = simulator_is_endless(s, command) ? SIMULATOR_NEVER : s->now_ns + ns;
    s->started += !(command->entry & RING_OP); /* nor a fence */
    agenda_set(&s->agenda, index, lane->end_ns);
}

static bool simulator_remember(struct simulator *s, uint32_t slot, struct simulator_task what)
{
    while (s->tasks.count <= slot) {
        static const struct simulator_task none = {UINT32_MAX, 0};
        if (vec_push(&s->tasks, &none) == NULL)
            return false;
    }
    *(struct simulator_task *)vec_at(&s->tasks, slot) = what;
    return true;
}

/* A piece has the number of its task, also should it be made again when that is long over. */
static void simulator_keep_piece(struct simulator *s, uint32_t entry)
{
    if (s->config.machine == NULL || (entry & RING_OP) ||
        !(engine_task(&s->engine, entry)->marks & TASK_M_PIECE))
        return;
    bool kept = simulator_remember(s, entry, *simulator_task_at(s, entry));
    FGPU_ASSERT(kept);
}

static bool simulator_hand_out(struct simulator *s)
{
    bool any = false;
    for (uint32_t i = bitset_next(&s->engine.loaded, 0); i != BITSET_END;
         i = bitset_next(&s->engine.loaded, i + 1)) {
        struct lane *lane = &s->engine.lanes[i];
        bitset_remove(&s->engine.loaded, i);
        uint64_t number = lane->issued - lane->commands.count;
        for (size_t c = 0; c < lane->commands.count; c++) {
            struct simulator_command command = {.cmd = *(fgpu_cmd *)vec_at(&lane->commands, c),
                                                .number = ++number};
            command.entry = lane->ring[number & lane->ring_mask];
            simulator_keep_piece(s, command.entry);
            if (!(s->config.flags & SIMULATOR_QUIET))
                simulator_log(s, lane, &command);
            FGPU_ASSERT(vec_push(&s->lanes[i].queue, &command) != NULL);
            any = true;
        }
        vec_clear(&lane->commands);
        simulator_begin(s, i);
    }
    return any;
}

static bool simulator_unlucky(struct simulator *s, uint32_t permille)
{
    return permille > 0 && rng_below(&s->rng, 1000) < permille;
}

bool simulator_act(struct simulator *s)
{
    bool fed = false;
    for (size_t i = 0; i < s->engine.actions.count; i++) {
        struct action action = *(struct action *)vec_at(&s->engine.actions, i);
        uint64_t mem = 0;
        switch ((enum action_kind)action.kind) {
        case ACTION_ALLOC:
            if (!simulator_unlucky(s, action.node == 0 ? 0 : s->config.refuse_permille)) {
                mem = s->next_mem;
                s->next_mem += (action.bytes / SIMULATOR_ALLOC_BYTES + 1) * SIMULATOR_ALLOC_BYTES;
            }
            engine_slab(&s->engine, action.node, mem, action.bytes);
            fed = true;
            break;
        case ACTION_BUILD:
        case ACTION_FORM:
        case ACTION_GUARD:
            FGPU_ASSERT(vec_push(&s->built, &action) != NULL);
            fed = true;
            break;
        case ACTION_CALLBACK:
            engine_callback_done(&s->engine, action.index);
            break;
        case ACTION_PLAN:
            search_run(engine_search(&s->engine));
            s->plan_due = s->turns + 1 + rng_below(&s->rng, s->config.plan_turns);
            break;
        case ACTION_UNGUARD:
            simulator_guard_close(s, action.handle);
            break;
        case ACTION_STITCH: /* its devices cannot */
        case ACTION_FREE:
        case ACTION_CODE_FREE:
            break;
        }
    }
    vec_clear(&s->engine.actions);
    for (size_t i = 0; i < s->built.count; i++)
        simulator_answer_action(s, vec_at(&s->built, i));
    vec_clear(&s->built);
    return fed;
}

/* Under what a lane's waiting for power is in the agenda. */
static uint32_t simulator_wake(const struct simulator *s)
{
    return s->engine.lane_count + s->device_count + 1;
}

/* Looking at the clock costs as much as a short turn: without plans, whose turns are few and long,
 * one of SIMULATOR_TIMED stands for all. 0: this one is not looked at. */
static uint64_t simulator_time_begin(struct simulator *s, bool is_turn)
{
    bool all = is_turn && s->engine.planner != NULL;
    return all || s->timed++ % SIMULATOR_TIMED == 0 ? clock_now_ns() : 0;
}

static void simulator_time_end(struct simulator *s, uint64_t begin_ns, bool is_turn)
{
    bool all = is_turn && s->engine.planner != NULL;
    if (begin_ns != 0)
        s->turn_ns += (clock_now_ns() - begin_ns) * (all ? 1 : SIMULATOR_TIMED);
}

static void simulator_turn(struct simulator *s)
{
    uint64_t begin_ns = simulator_time_begin(s, true);
    engine_clock(&s->engine, s->now_ns);
    (void)engine_drain(&s->engine);
    if (s->plan_due != 0 && ++s->turns >= s->plan_due) {
        s->plan_due = 0;
        engine_planned(&s->engine);
    }
    simulator_fetch_record(s);
    do {
        engine_turn(&s->engine);
        simulator_fetch_buffers(s);
        simulator_tell_guards(s);
        (void)simulator_hand_out(s);
    } while (simulator_act(s) || s->engine.actions.count > 0);
    if (s->engine.power != NULL)
        agenda_set(&s->agenda, simulator_wake(s), s->engine.power->wake_ns);
    else if (s->config.overdue_ns != 0)
        agenda_set(&s->agenda, simulator_wake(s),
                   s->engine.pending_tasks > 0 ? s->engine.overdue_look_ns : AGENDA_NEVER);
    simulator_time_end(s, begin_ns, true);
}

/* ---- the clock -------------------------------------------------------------------------- */

static void simulator_lose(struct simulator *s, uint32_t device)
{
    const struct engine_device *d = &s->engine.devices[device];
    for (uint32_t i = d->lane_first; i < d->lane_first + engine_lanes_of(d); i++) {
        vec_clear(&s->lanes[i].queue);
        s->lanes[i].head = 0;
        s->lanes[i].phase = PHASE_IDLE;
        agenda_set(&s->agenda, i, AGENDA_NEVER);
        if (s->config.machine != NULL)
            network_end(&s->network, i);
    }
    agenda_set(&s->agenda, s->engine.lane_count + device, AGENDA_NEVER);
    engine_clock(&s->engine, s->now_ns);
    engine_device_lost(&s->engine, device, "the simulation says so");
}

static int32_t simulator_outcome(struct simulator *s, struct simulator_lane *lane,
                                 const struct simulator_command *command)
{
    if (command->cmd.kind == FGPU_CMD_FENCE) {
        lane->skipping = false;
        return FGPU_OK;
    }
    if (lane->skipping && (command->cmd.flags & FGPU_CMD_CHAINED))
        return FGPU_E_CANCELLED;
    if (s->config.fail_rate <= 0 || rng_unit(&s->rng) >= s->config.fail_rate)
        return FGPU_OK;
    lane->skipping = true;
    return FGPU_E_DEVICE;
}

/* Of a task; of the copies for a piece that of its task, while that is known. */
static uint32_t simulator_number(const struct simulator *s, uint32_t slot, uint32_t generation)
{
    if (slot >= table_high_water(&s->engine.tasks))
        return UINT32_MAX;
    const struct task *task = engine_task(&s->engine, slot);
    bool lives = task_generation(task) == generation && !task_state_ended(task_state(task));
    if ((task->marks & TASK_M_PIECE) && lives && task->lineage == 0)
        slot = task_piece(task)->parent;
    return slot < s->tasks.count ? ((const struct simulator_task *)vec_at(&s->tasks, slot))->number
                                 : UINT32_MAX;
}

static void simulator_note_piece(const struct simulator_lane *lane,
                                 const struct simulator_command *command, struct simulator_run *run)
{
    const fgpu_cmd_launch *launch = command->cmd.body;
    if (command->cmd.kind != FGPU_CMD_LAUNCH || !launch->part)
        return;
    if (launch->part == FGPU_LAUNCH_SLICE) {
        run->first = (uint32_t)lane->first;
        run->items = (uint32_t)lane->groups;
        return;
    }
    run->first = (uint32_t)((const fgpu_cmd_part *)command->cmd.body)->first;
    run->items = (uint32_t)launch->global[launch->dims - 1];
}

/* What has finished is written down. */
static void simulator_keep(struct simulator *s, uint32_t index,
                           const struct simulator_command *command, const struct op *op)
{
    const struct simulator_lane *lane = &s->lanes[index];
    const fgpu_cmd_result *result = command->cmd.body;
    bool is_fence = command->entry == RING_FENCE;
    bool is_task = !(command->entry & RING_OP);
    struct simulator_run run = {.start_ns = lane->start_ns,
                                .end_ns = lane->end_ns,
                                .lane = index,
                                .task = is_task ? command->entry : TASK_NONE,
                                .number = UINT32_MAX,
                                .status = result->status};
    uint32_t slot = command->entry, generation = 0;
    if (is_task) {
        run.generation = generation = task_generation(engine_task(&s->engine, command->entry));
        simulator_note_piece(lane, command, &run);
        if (simulator_slice(command) != NULL && run.items == 0) /* nothing of it has run */
            return;
    } else if (!is_fence) {
        slot = (uint32_t)(op->task - 1);
        generation = (uint32_t)((op->task - 1) >> 32);
        run.bytes = op->bytes;
        run.source = op->src_node;
        run.target = op->dst_node;
    }
    if (!is_fence)
        run.number = simulator_number(s, slot, generation);
    FGPU_ASSERT(vec_push(&s->runs, &run) != NULL);
}

static void simulator_note(struct simulator *s, uint32_t index,
                           const struct simulator_command *command)
{
    const struct op *op = NULL;
    if (command->entry != RING_FENCE && (command->entry & RING_OP)) {
        op = table_at(&s->engine.ops, command->entry & ~RING_OP);
        s->copies++;
        s->bytes_moved += op->bytes;
    }
    if (!(s->config.flags & SIMULATOR_NO_RUNS))
        simulator_keep(s, index, command, op);
}

/* When a task has ended: of one in pieces, as far as is known. */
static void simulator_answer(struct simulator *s, uint32_t slot, uint64_t end_ns)
{
    if (!(engine_task(&s->engine, slot)->marks & (TASK_M_PIECE | TASK_M_PREEMPT))) {
        s->response_ns += (double)end_ns;
        s->answered++;
        return;
    }
    uint32_t number = simulator_number(s, slot, task_generation(engine_task(&s->engine, slot)));
    while (s->piece_ends.count <= number && number != UINT32_MAX)
        FGPU_ASSERT(vec_push(&s->piece_ends, NULL) != NULL);
    uint64_t *before = number != UINT32_MAX ? vec_at(&s->piece_ends, number) : &end_ns;
    s->response_ns += (double)end_ns - (double)*before;
    s->answered += *before == 0;
    *before = end_ns;
}

/* A task has ended, or was skipped. */
static void simulator_count(struct simulator *s, uint32_t index, uint32_t slot, int32_t status)
{
    const struct simulator_lane *lane = &s->lanes[index];
    const struct lane *of = &s->engine.lanes[index];
    s->ended++;
    s->last_ns = lane->end_ns;
    simulator_answer(s, slot, lane->end_ns);
    if (s->config.machine == NULL || status == FGPU_E_CANCELLED)
        return;
    *(uint64_t *)vec_at(&s->busy, s->devices[of->device].first + of->queue) +=
        lane->end_ns - lane->start_ns;
    bool kept = simulator_drew(s, s->devices[of->device].class_index, lane->start_ns, lane->end_ns);
    FGPU_ASSERT(kept);
}

static void simulator_finish(struct simulator *s, uint32_t index)
{
    struct simulator_lane *lane = &s->lanes[index];
    struct simulator_command command =
        *(struct simulator_command *)vec_at(&lane->queue, lane->head++);
    fgpu_cmd_result *result = command.cmd.body;
    result->status = simulator_outcome(s, lane, &command);
    result->timed = 1;
    result->start_ns = lane->start_ns;
    result->end_ns = lane->end_ns;
    if (simulator_slice(&command) != NULL)
        simulator_slice_ended(s, index, &command);
    simulator_note(s, index, &command);
    if (!(command.entry & RING_OP)) /* nor a fence */
        simulator_count(s, index, command.entry, result->status);
    agenda_set(&s->agenda, index, AGENDA_NEVER);
    simulator_fetch_lane(s);
    if (s->config.machine != NULL)
        network_end(&s->network, index);
    lane->phase = PHASE_IDLE;
    if (lane->head == lane->queue.count) {
        lane->head = 0;
        vec_clear(&lane->queue);
    }
    uint64_t begin_ns = simulator_time_begin(s, false);
    engine_clock(&s->engine, s->now_ns);
    engine_progress(&s->engine, index, command.number);
    simulator_fetch_command(s);
    simulator_time_end(s, begin_ns, false);
    uint32_t device = s->engine.lanes[index].device;
    if (engine_device_fails(&s->engine, device))
        simulator_lose(s, device);
    else
        simulator_begin(s, index);
}

static void simulator_flow_ends(void *user, uint32_t lane, uint64_t end_ns)
{
    struct simulator *s = user;
    s->lanes[lane].end_ns = end_ns;
    agenda_set(&s->agenda, lane, end_ns);
}

static void simulator_flow(struct simulator *s, uint32_t index)
{
    struct simulator_lane *lane = &s->lanes[index];
    const struct simulator_command *command = vec_at(&lane->queue, lane->head);
    const struct op *op = table_at(&s->engine.ops, command->entry & ~RING_OP);
    const struct simulator_way *way = simulator_way(s, index, op);
    if (way->count == 0) { /* no way is described: nothing holds it up */
        lane->end_ns = s->now_ns;
        simulator_finish(s, index);
        return;
    }
    lane->phase = PHASE_FLOW;
    network_start(&s->network, index, way->links, way->count, op->bytes);
}

/* What is in the agenda under `id` happens now. */
static void simulator_event(struct simulator *s, uint32_t id)
{
    uint32_t lanes = s->engine.lane_count;
    if (id < lanes && s->lanes[id].phase == PHASE_LATENCY) {
        agenda_set(&s->agenda, id, AGENDA_NEVER);
        simulator_flow(s, id);
    } else if (id < lanes) {
        simulator_finish(s, id);
    } else if (id < lanes + s->device_count) {
        simulator_lose(s, id - lanes);
    } else if (id == simulator_wake(s)) {
        agenda_set(&s->agenda, id, AGENDA_NEVER); /* the turn sees to it */
    } else {
        uint32_t lost = simulator_machine_loss(s);
        agenda_set(&s->agenda, id, lost != UINT32_MAX ? s->next_loss_ns : AGENDA_NEVER);
        if (lost != UINT32_MAX)
            simulator_lose(s, lost);
    }
}

/* Nothing but deaths to come is no work. */
static bool simulator_is_idle(const struct simulator *s, uint32_t first)
{
    return first >= s->engine.lane_count && s->engine.pending_tasks == 0;
}

bool simulator_step(struct simulator *s, uint64_t until_ns, uint32_t events)
{
    uint32_t id = 0;
    for (uint32_t n = 0; n < events; n++) {
        simulator_turn(s);
        if (s->config.machine != NULL)
            network_settle(&s->network, s->now_ns, simulator_flow_ends, s);
        uint64_t next_ns = agenda_first(&s->agenda, &id);
        if (next_ns == AGENDA_NEVER || next_ns > until_ns || simulator_is_idle(s, id))
            return false;
        s->now_ns = next_ns > s->now_ns ? next_ns : s->now_ns;
        do {
            simulator_event(s, id);
            if (s->config.machine != NULL)
                network_settle(&s->network, s->now_ns, simulator_flow_ends, s);
        } while (agenda_first(&s->agenda, &id) == next_ns);
    }
    return true;
}

uint32_t simulator_run(struct simulator *s, uint64_t until_ns)
{
    while (simulator_step(s, until_ns, UINT32_MAX)) {
    }
    return s->engine.pending_tasks;
}

/* ---- submissions ------------------------------------------------------------------------ */

fgpu_status simulator_submit_typed(struct simulator *s, struct submit_request *request,
                                   struct simulator_task what, uint32_t *task)
{
    const struct simulator_type *type = vec_at(&s->types, what.type);
    uint32_t index, generation;
    request->kernel = type->kernel;
    request->dims = 1;
    request->global[0] = type->model_size;
    request->global[1] = request->global[2] = 1;
    /* Nothing asks for the size of a group but what is cut into groups: other records stay brief.
     */
    request->local[0] = request->cuts != NULL ? 1 : type->groups > 1 ? SIMULATOR_ITEMS : 0;
    if (request->local[0] == 0 && s->sliced && type->model_size <= UINT32_MAX)
        request->local[0] = (uint32_t)type->model_size; /* one group */
    fgpu_status status = submit_prepare(&s->engine, request, &index, &generation);
    if (status != FGPU_OK)
        return status;
    if (!simulator_remember(s, index, what)) {
        submit_recycle(&s->engine, engine_task(&s->engine, index));
        return FGPU_E_NOMEM;
    }
    (void)submit_push(&s->engine, index);
    *task = index;
    return FGPU_OK;
}

fgpu_status simulator_submit(struct simulator *s, const struct submit_request *request,
                             uint32_t *task)
{
    uint32_t index, generation;
    fgpu_status status = submit_prepare(&s->engine, request, &index, &generation);
    if (status != FGPU_OK)
        return status;
    (void)submit_push(&s->engine, index);
    if (task != NULL)
        *task = index;
    return FGPU_OK;
}

static int simulator_never(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)args;
    (void)user;
    FGPU_UNREACHABLE();
}

fgpu_status simulator_kernel(struct simulator *s, const char *name, uint32_t *index)
{
    fgpu_status status = engine_kernel_create(&s->engine, index);
    if (status != FGPU_OK)
        return status;
    struct kernel *kernel = engine_kernel(&s->engine, *index);
    size_t length = strnlen(name, sizeof kernel->name - 1);
    memcpy(kernel->name, name, length);
    kernel->key = hash_bytes(name, length, 0);
    kernel->variants[0] = (struct variant){.kind = FGPU_VARIANT_NATIVE, .native = simulator_never};
    kernel->variant_count = 1;
    kernel->variant_mask = 1u << FGPU_VARIANT_NATIVE;
    return FGPU_OK;
}
