/* An engine is made from a list of devices, and taken apart. Runs under the driver's lock.
 *
 * Keeps true: lanes are numbered by device and queue; devices that work in host memory share node
 * 0, every other device has a node of its own.
 */
#include <string.h>

#include "core/engine.h"
#include "core/compact.h"
#include "core/future.h"
#include "core/joined.h"
#include "core/lineage.h"
#include "core/object.h"
#include "core/places.h"
#include "core/planner.h"
#include "core/power.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"
#include "core/split.h"
#include "core/stitch.h"
#include "core/submit.h"
#include "core/sums.h"
#include "core/traffic.h"

/* Predicted time in flight per lane: covers the host's reaction many times over. */
#define SETUP_BUDGET_NS 500000u
#define SETUP_HOST_SLAB_BYTES (16u << 20)

static void setup_node(struct engine *engine, uint32_t index, uint32_t device, uint64_t limit_bytes)
{
    struct engine_node *node = &engine->nodes[index];
    const fgpu_device_caps *caps = &engine->devices[device].caps;
    struct heap_config config = {.limit_bytes = limit_bytes, .hooks = engine->hooks};
    if (index == 0) {
        config.slab_bytes = SETUP_HOST_SLAB_BYTES;
    } else {
        config.direct = !caps->suballocate;
        config.align_bytes = caps->offset_align_bytes > 256 ? caps->offset_align_bytes : 256;
    }
    heap_init(&node->heap, &config);
    node->device = device;
    node->alloc_waiters = node->memory_waiters = LINKS_NONE;
    node->short_task = node->use_head = node->use_tail = TASK_NONE;
}

/* Devices that are alike share code, and a place in the link model where that has not enough. */
static void setup_codes(struct engine *engine, const struct engine_config *config)
{
    bool is_many = engine->node_count > LIMITS_NODES;
    uint32_t way = 0;
    for (uint32_t d = 0; d < config->device_count; d++) {
        struct engine_device *device = &engine->devices[d];
        uint32_t alike = config->devices[d].alike;
        if (d == 0 || alike == 0 || alike != config->devices[d - 1].alike) {
            engine->code_count++;
            way += way + 1 < LIMITS_NODES;
        }
        device->code = engine->code_count - 1;
        if (device->node != 0)
            engine->nodes[device->node].way = (uint16_t)(is_many ? way : device->node);
    }
}

static void setup_devices(struct engine *engine, const struct engine_config *config)
{
    uint32_t lanes = 0;
    engine->node_count = 1;
    for (uint32_t d = 0; d < config->device_count; d++) {
        struct engine_device *device = &engine->devices[d];
        device->caps = config->devices[d].caps;
        device->key = config->devices[d].key;
        device->cores = config->devices[d].cores;
        device->group_cores = config->devices[d].group_cores;
        device->hidden = config->devices[d].hidden;
        engine->host_visible |= !device->hidden && device->caps.host_calls;
        device->node = device->caps.host_memory ? 0 : engine->node_count++;
        if (config->devices[d].spill)
            engine->spill_node = device->node;
        device->lane_first = lanes;
        device->copy_count = device->caps.copy_queue_count;
        engine->has_copy_lanes |= device->copy_count > 0;
        device->side_count = device->caps.side_queue_count;
        device->lane_count = device->caps.queue_count - device->copy_count - device->side_count;
        lanes += device->caps.queue_count;
    }
    setup_codes(engine, config);
    setup_node(engine, 0, 0, config->host_limit_bytes);
    for (uint32_t d = 0; d < config->device_count; d++)
        if (engine->devices[d].node != 0)
            setup_node(engine, engine->devices[d].node, d, config->devices[d].memory_limit_bytes);
    engine->lane_count = lanes;
}

static fgpu_status setup_lanes(struct engine *engine, uint32_t ring)
{
    uint32_t index = 0;
    for (uint32_t d = 0; d < engine->device_count; d++) {
        for (uint32_t q = 0; q < engine_lanes_of(&engine->devices[d]); q++, index++) {
            struct lane *lane = engine_lane(engine, index);
            lane->index = (uint16_t)index;
            lane->device = (uint16_t)d;
            lane->queue = q;
            lane->side = q >= engine->devices[d].lane_count && engine->devices[d].side_count > 0;
            lane->copies = q >= engine->devices[d].lane_count && !lane->side;
            lane->hidden = engine->devices[d].hidden || lane->copies || lane->side;
            lane->waiters = LINKS_NONE;
            lane->lag_ns = INT64_MAX;
            vec_init(&lane->commands, sizeof(fgpu_cmd), engine->hooks);
            lane->ring_mask = ring - 1;
            lane->ring = alloc_get(engine->hooks, ring * sizeof *lane->ring, 64);
            if (lane->ring == NULL || !vec_reserve(&lane->commands, ring))
                return FGPU_E_NOMEM;
        }
    }
    return FGPU_OK;
}

static uint32_t setup_count_lanes(const struct engine_config *config)
{
    uint32_t lanes = 0;
    for (uint32_t d = 0; d < config->device_count; d++)
        lanes += config->devices[d].caps.queue_count;
    return lanes;
}

/* Tasks on all devices at a time, at most. */
static uint64_t setup_in_flight(const struct engine_config *config)
{
    uint64_t sum = 0;
    for (uint32_t d = 0; d < config->device_count; d++) {
        const fgpu_device_caps *caps = &config->devices[d].caps;
        uint64_t most = config->ring != 0 ? config->ring : ENGINE_LANE_RING;
        if (caps->max_queue_commands != 0 && caps->max_queue_commands < most)
            most = caps->max_queue_commands;
        sum += caps->queue_count * most;
    }
    return sum;
}

static fgpu_status setup_tables(struct engine *engine, const struct engine_config *config)
{
    fgpu_status status = table_init(&engine->tasks, sizeof(struct task),
                                    config->task_limit + lineage_slots(engine), engine->hooks);
    if (status == FGPU_OK)
        status = table_init(&engine->buffers, sizeof(struct buffer), LIMITS_BUFFERS, engine->hooks);
    if (status == FGPU_OK)
        status = table_init(&engine->kernels, sizeof(struct kernel), LIMITS_KERNELS, engine->hooks);
    if (status == FGPU_OK)
        status = blocks_init(&engine->blocks, engine->node_count > BLOCKS_DENSE, engine->hooks);
    if (status == FGPU_OK)
        status = table_init(&engine->ops, sizeof(struct op), LIMITS_OPS, engine->hooks);
    inbox_init(&engine->inbox, &engine->tasks, offsetof(struct task, next));
    submit_init(engine, setup_in_flight(config));
    links_init(&engine->links, engine->hooks);
    vec_init(&engine->work, sizeof(uint32_t), engine->hooks);
    vec_init(&engine->failures, sizeof(struct engine_failure), engine->hooks);
    vec_init(&engine->actions, sizeof(struct action), engine->hooks);
    vec_init(&engine->guards, sizeof(struct preempt_order), engine->hooks);
    vec_init(&engine->runs, 24, engine->hooks);
    vec_init(&engine->spill_runs, 24, engine->hooks);
    vec_init(&engine->torn, sizeof(uint32_t), engine->hooks);
    vec_init(&engine->joined, sizeof(struct joined *), engine->hooks);
    /* How many tasks are looked at in one turn depends on timing: room for a full lane from the
     * start. */
    if (status == FGPU_OK && !vec_reserve(&engine->work, ENGINE_LANE_RING))
        status = FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = lineage_init(engine);
    if (status == FGPU_OK && (!planner_init(engine) || !traffic_init(engine) ||
                              !power_init(engine, config->power) || !sums_init(engine)))
        status = FGPU_E_NOMEM;
    return status;
}

static bool setup_sets(struct engine *engine)
{
    uint32_t limit = engine->lane_count;
    uint32_t nodes = engine->device_count + 1; /* at most */
    bool due = bitset_init(&engine->due, limit, engine->hooks);
    bool loaded = bitset_init(&engine->loaded, limit, engine->hooks);
    bool ahead = bitset_init(&engine->ahead, limit, engine->hooks);
    bool keeping = bitset_init(&engine->keeping, limit, engine->hooks);
    bool rested = bitset_init(&engine->rested, limit, engine->hooks);
    bool eager = bitset_init(&engine->eager, limit, engine->hooks);
    bool tight = bitset_init(&engine->tight, nodes, engine->hooks);
    bool relief = bitset_init(&engine->relief, nodes, engine->hooks);
    return due && loaded && ahead && keeping && rested && eager && tight && relief;
}

static void *setup_array(struct engine *engine, size_t count, size_t bytes)
{
    return alloc_get_zeroed(engine->hooks, count * bytes, 64);
}

fgpu_status engine_init(struct engine *engine, const struct engine_config *config)
{
    memset(engine, 0, sizeof *engine);
    engine->hooks = config->hooks;
    engine->policy = config->policy;
    engine->history = config->history;
    engine->trace = config->trace;
    engine->log = config->log;
    engine->paths = config->paths;
    engine->path_rate = config->path_rate;
    engine->path_link_count = config->path_link_count;
    engine->paths_user = config->paths_user;
    engine->flags = config->flags;
    engine->preempt_way = config->preempt;
    engine->overdue_ns = config->overdue_ns;
    engine->aim = config->aim;
    engine->extra_watt = config->extra_watt;
    engine->checks = config->checks;
    engine->plans_apart = config->plans_apart;
    engine->copies_apart = config->copies_apart;
    engine->lossless = config->lossless;
    engine->reaches = config->reaches;
    engine->reaches_user = config->reaches_user;
    engine->first_generation = config->first_generation & ~1u;
    engine->task_limit = config->task_limit;
    engine->budget_ns = config->budget_ns != 0 ? config->budget_ns : SETUP_BUDGET_NS;
    engine->long_ns = SCHED_LONG_NS;
    engine->device_count = config->device_count;
    engine->lane_count = setup_count_lanes(config);
    if (config->device_count == 0 || config->device_count > LIMITS_SIMULATED ||
        engine->lane_count > LIMITS_LANES)
        return FGPU_E_LIMIT;
    engine->devices = setup_array(engine, config->device_count, sizeof *engine->devices);
    engine->nodes = setup_array(engine, config->device_count + 1u, sizeof *engine->nodes);
    engine->lanes = setup_array(engine, engine->lane_count, sizeof *engine->lanes);
    engine->candidates = setup_array(engine, engine->lane_count, sizeof *engine->candidates);
    engine->link = setup_array(engine, 1, sizeof *engine->link);
    fgpu_status status = FGPU_E_NOMEM;
    if (setup_sets(engine) && engine->devices != NULL && engine->nodes != NULL &&
        engine->lanes != NULL && engine->candidates != NULL && engine->link != NULL) {
        link_init(engine->link, engine->hooks);
        setup_devices(engine, config);
        status = setup_lanes(engine, config->ring != 0 ? config->ring : ENGINE_LANE_RING);
        if (status == FGPU_OK)
            status = setup_tables(engine, config);
        engine->direct = engine->node_count == 1 && engine->lineage == NULL &&
                         engine->power == NULL && engine->traffic == NULL &&
                         !engine->has_copy_lanes;
    }
    if (status != FGPU_OK)
        engine_fini(engine);
    else
        sched_init(engine);
    return status;
}

void engine_fini_objects(struct engine *engine)
{
    joined_clear(engine);
    lineage_clear(engine);
    for (uint32_t i = 0; engine->kernels.chunks != NULL && i < table_high_water(&engine->kernels);
         i++) {
        struct kernel *kernel = engine_kernel(engine, i);
        if (kernel->codes == NULL)
            continue;
        if (!kernel->destroyed)
            engine_kernel_destroy(engine, i);
    }
    for (uint32_t i = 0; engine->buffers.chunks != NULL && i < table_high_water(&engine->buffers);
         i++) {
        struct buffer *buffer = engine_buffer(engine, i);
        if (atomic_load_relaxed_u32(&buffer->live) & 1)
            engine_buffer_destroy(engine, i);
    }
    for (uint32_t node = 0; engine->nodes != NULL && node < engine->node_count; node++)
        stitch_clear(engine, node);
    /* Those that a task still named are in the nodes' lists until here. */
    for (uint32_t i = 0; engine->buffers.chunks != NULL && i < table_high_water(&engine->buffers);
         i++)
        blocks_free(engine, engine_buffer(engine, i));
    for (uint32_t i = 0; engine->tasks.chunks != NULL && i < table_high_water(&engine->tasks);
         i++) {
        struct task *task = engine_task(engine, i);
        if (task->why != NULL)
            alloc_put(engine->hooks, task->why, LIMITS_ERROR_TEXT);
        task->why = NULL;
        if (task->status != FGPU_OK && (task->flags & TASK_F_PAYLOAD_OWNED) &&
            task_state(task) > FGPU_TASK_DONE)
            submit_recycle(engine, task);
    }
}

uint32_t engine_next_generation(const struct engine *engine)
{
    uint32_t first = engine->first_generation, most = 0;
    for (uint32_t i = 0; i < table_high_water(&engine->tasks); i++) {
        const struct task *task = engine_task(engine, i);
        uint32_t used = (task_generation(task) - first) & TASK_GENERATION_MASK;
        most = used > most && task_word(task) != 0 ? used : most;
    }
    for (uint32_t i = 0; i < table_high_water(&engine->buffers); i++) {
        uint32_t live = atomic_load_relaxed_u32(&engine_buffer(engine, i)->live);
        most = live != 0 && live - first > most ? live - first : most;
    }
    for (uint32_t i = 0; i < table_high_water(&engine->kernels); i++) {
        uint32_t live = atomic_load_relaxed_u32(&engine_kernel(engine, i)->live);
        most = live != 0 && live - first > most ? live - first : most;
    }
    return (first + most + 2) & ~1u;
}

void engine_fini(struct engine *engine)
{
    if (engine->lanes == NULL)
        return;
    engine_fini_objects(engine);
    lineage_fini(engine);
    split_fini(engine);
    serve_fini(engine);
    planner_fini(engine);
    future_fini(engine);
    power_fini(engine);
    sums_fini(engine);
    traffic_fini(engine);
    submit_fini(engine);
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        vec_fini(&engine->lanes[i].commands);
        alloc_put(engine->hooks, engine->lanes[i].ring,
                  (engine->lanes[i].ring_mask + 1u) * sizeof(uint32_t));
    }
    for (uint32_t i = 0; i < engine->node_count; i++) {
        compact_fini(engine, &engine->nodes[i]);
        places_fini(engine, &engine->nodes[i]);
        stitch_fini(engine, &engine->nodes[i]);
        heap_fini(&engine->nodes[i].heap);
    }
    if (engine->link != NULL)
        link_fini(engine->link);
    table_fini(&engine->tasks);
    table_fini(&engine->buffers);
    table_fini(&engine->kernels);
    table_fini(&engine->ops);
    blocks_fini(&engine->blocks);
    links_fini(&engine->links);
    vec_fini(&engine->work);
    vec_fini(&engine->actions);
    vec_fini(&engine->guards);
    vec_fini(&engine->failures);
    vec_fini(&engine->runs);
    vec_fini(&engine->spill_runs);
    vec_fini(&engine->torn);
    vec_fini(&engine->joined);
    alloc_put(engine->hooks, engine->devices, engine->device_count * sizeof *engine->devices);
    alloc_put(engine->hooks, engine->nodes, (engine->device_count + 1u) * sizeof *engine->nodes);
    alloc_put(engine->hooks, engine->lanes, engine->lane_count * sizeof *engine->lanes);
    alloc_put(engine->hooks, engine->candidates, engine->lane_count * sizeof *engine->candidates);
    alloc_put(engine->hooks, engine->link, sizeof *engine->link);
    bitset_fini(&engine->due);
    bitset_fini(&engine->loaded);
    bitset_fini(&engine->ahead);
    bitset_fini(&engine->keeping);
    bitset_fini(&engine->rested);
    bitset_fini(&engine->eager);
    bitset_fini(&engine->tight);
    bitset_fini(&engine->relief);
    memset(engine, 0, sizeof *engine);
}
