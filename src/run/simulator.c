/* The loop with the virtual clock; see simulator.h.
 *
 * On the walk it stands where the embedded driver stands: events in, records out. Each lane works
 * on one command at a time, in order; the next event is the earliest end over all lanes, ties to
 * the lower lane. Source of the method: discrete-event simulation with a next-event clock (D.
 * Knuth, The Art of Computer Programming 1, 2.2.5).
 */
#include "run/simulator.h"

#include <string.h>

#include "base/map.h"

#define SIMULATOR_ALLOC_BYTES (UINT64_C(1) << 20) /* distance of invented addresses */

struct simulator_command {
    fgpu_cmd cmd;
    uint32_t entry; /* of the lane's ring: task, op or fence */
    uint64_t number;
};

struct simulator_lane {
    struct vec queue; /* struct simulator_command: accepted, oldest first, from `head` on */
    size_t head;
    uint64_t finished;         /* number */
    uint64_t start_ns, end_ns; /* of the oldest; end 0: not started */
    bool skipping;             /* a command failed: CHAINED ones are skipped until a fence */
};

/* ---- life ------------------------------------------------------------------------------- */

static void simulator_caps(const struct simulator_device *device, fgpu_device_caps *caps)
{
    *caps = (fgpu_device_caps){.struct_bytes = sizeof *caps,
                               .queue_count = device->queue_count,
                               .variants = 1u << FGPU_VARIANT_NATIVE,
                               .host_memory = device->host_memory,
                               .host_calls = device->host_memory,
                               .suballocate = 1,
                               .offset_align_bytes = 1,
                               .max_queue_commands = 1024,
                               .memory_bytes = device->memory_bytes};
}

static fgpu_status simulator_engine(struct simulator *s)
{
    struct engine_device_config configs[LIMITS_DEVICES];
    uint32_t count = s->config.device_count;
    const struct policy *policy = policy_find(s->config.policy != NULL ? s->config.policy : "eft");
    if (policy == NULL || count == 0 || count >= LIMITS_DEVICES)
        return FGPU_E_INVAL;
    memset(configs, 0, sizeof configs);
    for (uint32_t d = 0; d < count; d++) {
        simulator_caps(&s->devices[d], &configs[d].caps);
        configs[d].key = hash_u64(d + 1);
        configs[d].cores = s->devices[d].cores;
        configs[d].group_cores = s->devices[d].group_cores;
        configs[d].memory_limit_bytes = s->devices[d].memory_bytes;
    }
    struct engine_config config = {.devices = configs,
                                   .device_count = count,
                                   .task_limit = s->config.task_limit,
                                   .policy = policy,
                                   .history = &s->history,
                                   .trace = &s->trace,
                                   .log = &s->log,
                                   .checks = s->config.checks};
    return engine_init(&s->engine, &config);
}

fgpu_status simulator_init(struct simulator *s, const struct simulator_config *config)
{
    memset(s, 0, sizeof *s);
    s->config = *config;
    if (s->config.task_limit == 0)
        s->config.task_limit = LIMITS_TASKS;
    rng_init(&s->rng, config->seed);
    history_init(&s->history, 0, NULL);
    trace_init(&s->trace, 0, NULL);
    log_init(&s->log, FGPU_LOG_OFF);
    vec_init(&s->decisions, sizeof(struct simulator_decision), NULL);
    vec_init(&s->runs, sizeof(struct simulator_run), NULL);
    vec_init(&s->built, sizeof(struct action), NULL);
    s->next_mem = SIMULATOR_ALLOC_BYTES;
    s->devices = alloc_get(NULL, config->device_count * sizeof *s->devices + 1, 16);
    fgpu_status status = FGPU_E_NOMEM;
    if (s->devices != NULL) {
        memcpy(s->devices, config->devices, config->device_count * sizeof *s->devices);
        status = simulator_engine(s);
    }
    if (status == FGPU_OK) {
        s->lanes = alloc_get_zeroed(NULL, s->engine.lane_count * sizeof *s->lanes, 16);
        status = s->lanes != NULL ? FGPU_OK : FGPU_E_NOMEM;
    }
    for (uint32_t i = 0; status == FGPU_OK && i < s->engine.lane_count; i++)
        vec_init(&s->lanes[i].queue, sizeof(struct simulator_command), NULL);
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
    engine_fini(&s->engine);
    alloc_put(NULL, s->devices, s->config.device_count * sizeof *s->devices + 1);
    s->devices = NULL;
    vec_fini(&s->decisions);
    vec_fini(&s->runs);
    vec_fini(&s->built);
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

static bool simulator_hand_out(struct simulator *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->engine.lane_count; i++) {
        struct lane *lane = &s->engine.lanes[i];
        uint64_t number = lane->issued - lane->commands.count;
        for (size_t c = 0; c < lane->commands.count; c++) {
            struct simulator_command command = {.cmd = *(fgpu_cmd *)vec_at(&lane->commands, c),
                                                .number = ++number};
            command.entry = lane->ring[number & (ENGINE_LANE_RING - 1)];
            simulator_log(s, lane, &command);
            FGPU_ASSERT(vec_push(&s->lanes[i].queue, &command) != NULL);
            any = true;
        }
        vec_clear(&lane->commands);
    }
    return any;
}

static bool simulator_unlucky(struct simulator *s, uint32_t permille)
{
    return permille > 0 && rng_below(&s->rng, 1000) < permille;
}

static bool simulator_act(struct simulator *s)
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
            FGPU_ASSERT(vec_push(&s->built, &action) != NULL);
            fed = true;
            break;
        case ACTION_CALLBACK:
            engine_callback_done(&s->engine, action.index);
            break;
        case ACTION_FREE:
        case ACTION_CODE_FREE:
            break;
        }
    }
    vec_clear(&s->engine.actions);
    for (size_t i = 0; i < s->built.count; i++) {
        const struct action *action = vec_at(&s->built, i);
        fgpu_code_built built = {.code = action->index + 1u};
        engine_built(&s->engine, action->index, action->device, FGPU_OK, &built);
    }
    vec_clear(&s->built);
    return fed;
}

static void simulator_turn(struct simulator *s)
{
    engine_clock(&s->engine, s->now_ns);
    (void)engine_drain(&s->engine);
    do {
        engine_turn(&s->engine);
        (void)simulator_hand_out(s);
    } while (simulator_act(s) || s->engine.actions.count > 0);
}

/* ---- the clock -------------------------------------------------------------------------- */

/* The end of the command that the lane works on, or never. */
static uint64_t simulator_next(struct simulator *s, uint32_t index)
{
    struct simulator_lane *lane = &s->lanes[index];
    if (lane->head == lane->queue.count)
        return SIMULATOR_NEVER;
    if (lane->end_ns == 0) {
        const struct simulator_command *command = vec_at(&lane->queue, lane->head);
        const struct simulator_device *device = &s->devices[s->engine.lanes[index].device];
        lane->start_ns = s->now_ns;
        bool skipped = lane->skipping && (command->cmd.flags & FGPU_CMD_CHAINED);
        uint64_t ns = command->cmd.kind == FGPU_CMD_FENCE || skipped
                          ? 1
                          : cost_ns(&device->machine, &command->cmd, s->config.group_ps, &s->rng);
        lane->end_ns = s->now_ns + ns;
    }
    return lane->end_ns;
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
    if (!simulator_unlucky(s, s->config.fail_permille))
        return FGPU_OK;
    lane->skipping = true;
    return FGPU_E_DEVICE;
}

static void simulator_lose(struct simulator *s, uint32_t device)
{
    for (uint32_t i = 0; i < s->engine.lane_count; i++) {
        if (s->engine.lanes[i].device != device)
            continue;
        vec_clear(&s->lanes[i].queue);
        s->lanes[i].head = 0;
        s->lanes[i].end_ns = 0;
    }
    s->devices[device].lost_at_ns = SIMULATOR_NEVER;
    engine_clock(&s->engine, s->now_ns);
    engine_device_lost(&s->engine, device, "the simulation says so");
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
    bool is_task = command.entry != RING_FENCE && !(command.entry & RING_OP);
    struct simulator_run run = {.start_ns = lane->start_ns,
                                .end_ns = lane->end_ns,
                                .lane = index,
                                .task = is_task ? command.entry : TASK_NONE,
                                .status = result->status};
    if (is_task)
        run.generation = task_generation(engine_task(&s->engine, command.entry));
    FGPU_ASSERT(vec_push(&s->runs, &run) != NULL);
    lane->end_ns = 0;
    lane->finished = command.number;
    if (lane->head == lane->queue.count) {
        lane->head = 0;
        vec_clear(&lane->queue);
    }
    engine_clock(&s->engine, s->now_ns);
    engine_progress(&s->engine, index, command.number);
    uint32_t device = s->engine.lanes[index].device;
    if (engine_device_fails(&s->engine, device))
        simulator_lose(s, device);
}

/* The device that dies next before `end_ns`, or device_count. */
static uint32_t simulator_next_loss(const struct simulator *s, uint64_t end_ns)
{
    uint32_t found = s->config.device_count;
    for (uint32_t d = 0; d < s->config.device_count; d++) {
        if (s->devices[d].lost_at_ns == SIMULATOR_NEVER || s->devices[d].lost_at_ns > end_ns)
            continue;
        end_ns = s->devices[d].lost_at_ns;
        found = d;
    }
    return found;
}

uint32_t simulator_run(struct simulator *s, uint64_t until_ns)
{
    for (;;) {
        simulator_turn(s);
        uint32_t first = 0;
        uint64_t end_ns = SIMULATOR_NEVER;
        for (uint32_t i = 0; i < s->engine.lane_count; i++) {
            uint64_t lane_ns = simulator_next(s, i);
            if (lane_ns < end_ns) {
                end_ns = lane_ns;
                first = i;
            }
        }
        if (end_ns == SIMULATOR_NEVER || end_ns > until_ns)
            return s->engine.pending_tasks;
        uint32_t lost = simulator_next_loss(s, end_ns);
        if (lost < s->config.device_count) {
            if (s->devices[lost].lost_at_ns > s->now_ns)
                s->now_ns = s->devices[lost].lost_at_ns;
            simulator_lose(s, lost);
            continue;
        }
        s->now_ns = end_ns;
        simulator_finish(s, first);
    }
}

/* ---- submissions ------------------------------------------------------------------------ */

fgpu_status simulator_submit(struct simulator *s, const struct submit_request *request,
                             uint32_t *task)
{
    uint32_t index, generation;
    fgpu_status status = submit_prepare(&s->engine, request, &index, &generation);
    if (status != FGPU_OK)
        return status;
    submit_push(&s->engine, index);
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
