/* Step 4 of the walk, place: which queue of which device runs the task.
 *
 * Takes a PICKED task, asks the performance model and the link model for each queue that could run
 * it, and lets the policy choose. Runs under the engine's lock, changes nothing but the task. Keeps
 * true: a task is only placed where its kernel has a variant that has not failed to compile, its
 * argument offsets are aligned for the device, and its memory is reachable.
 */
#include "core/place.h"

#include "core/doubt.h"
#include "core/launch.h"
#include "core/power.h"
#include "core/preempt.h"
#include "core/sched.h"
#include "core/serve.h"

#include <stdio.h>
#include <string.h>

#include "core/joined.h"
#include "core/memory.h"

#define PLACE_BUILD_NS 20000000u   /* what a kernel that is not compiled yet costs extra */
#define PLACE_COPY_BYTES_PER_NS 8u /* fill and copy inside a node, until measured */
#define PLACE_COPY_NS 1000u
#define PLACE_SEGMENTS 64 /* segments of one access that are looked at for a transfer estimate */
#define PLACE_READS 24u   /* segments that a task reads, which are looked up once */
#define PLACE_FEW 16u     /* candidates; of more each is not asked whether it has the data */
#define PLACE_MANY 512u   /* lanes; of more, not all are candidates */
#define PLACE_EAGER 8u    /* lanes that want a task */
#define PLACE_LOOKS 64u   /* of them to be looked at, for those that can run it */
#define PLACE_NEAR 4u     /* lanes next to the data */

_Static_assert(PLACE_EAGER + PLACE_NEAR <= PLACE_FEW, "more candidates than these are in order");

#define PLACE_TRACED 15u /* queues beside the chosen one that a trace tells of */

static bool place_aligned(const struct task *task, uint32_t align)
{
    if (align <= 1)
        return true;
    bool piece = task->marks & TASK_M_PIECE;
    for (uint32_t i = 0; i < task->access_count; i++)
        if ((piece ? task_piece(task)->base[i] : task_accesses(task)[i].begin) % align != 0)
            return false;
    return true;
}

static bool place_group_is_large(const struct engine *engine, const struct task *task,
                                 const struct engine_device *device, uint32_t index)
{
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    uint32_t most = engine_code(engine, kernel, index)->max_group_items;
    if (most == 0 || (device->caps.max_group_items != 0 && device->caps.max_group_items < most))
        most = device->caps.max_group_items;
    if (most == 0) /* the body, of a task that waits, is in no cache */
        return false;
    const fgpu_cmd_launch *launch = task_body(task);
    return (uint64_t)launch->local[0] * launch->local[1] * launch->local[2] > most;
}

static const char *place_kernel_obstacle(const struct engine *engine, const struct task *task,
                                         const struct engine_device *device, uint32_t index)
{
    const struct kernel *kernel = engine_kernel(engine, task->kernel);
    if ((kernel->variant_mask & device->caps.variants) == 0)
        return "has no variant of the kernel";
    if (engine_code(engine, kernel, index)->state == CODE_FAILED)
        return "does not compile the kernel";
    if (!(task->flags & TASK_F_AUTO_LOCAL) && place_group_is_large(engine, task, device, index))
        return "has smaller work groups";
    if ((task->marks & TASK_M_PIECE) && device->caps.parts == 0)
        return "takes no parts of a grid";
    if (!place_aligned(task, device->caps.offset_align_bytes))
        return "needs more aligned offsets";
    return NULL;
}

/* What has nothing to do with the kernel. */
static const char *place_device_obstacle(const struct engine *engine, const struct task *task,
                                         const struct engine_device *device, uint32_t index)
{
    if (device->lost)
        return "is lost";
    if (task->pin != TASK_DEVICE_ANY && task->pin != index)
        return "is not the one asked for";
    if (task->no_memory != LINKS_NONE && memory_refused(engine, task, index))
        return "has no memory for its data";
    if (task->kind == TASK_HOST)
        return device->caps.host_calls ? NULL : "runs no host functions";
    if (device->hidden)
        return "was not chosen";
    if (engine->power != NULL && power_forbids(engine, task, index))
        return "would exceed the power cap";
    return task->kind == TASK_JOINED ? joined_obstacle(engine, task, index) : NULL;
}

const char *place_obstacle(const struct engine *engine, const struct task *task,
                           const struct engine_device *device, uint32_t device_index)
{
    const char *obstacle = place_device_obstacle(engine, task, device, device_index);
    if (obstacle != NULL || task->kernel == TASK_NONE || task->kind == TASK_HOST ||
        task->kind == TASK_JOINED)
        return obstacle;
    return place_kernel_obstacle(engine, task, device, device_index);
}

/* The answer of one kind of devices, for the next ones of that kind. */
struct place_kind {
    uint32_t code; /* struct engine_device */
    bool known, can;
    bool plain; /* the task asks for nothing but what its kernel asks for */
};

static struct place_kind place_kind_of(const struct engine *engine, const struct task *task)
{
    bool plain = task->kind == TASK_KERNEL && task->pin == TASK_DEVICE_ANY &&
                 task->no_memory == LINKS_NONE && engine->power == NULL;
    return (struct place_kind){.plain = plain};
}

/* As !place_obstacle(): devices that share built code do not differ in what a kernel asks for. */
static bool place_can(const struct engine *engine, const struct task *task, uint32_t index,
                      struct place_kind *kind)
{
    const struct engine_device *device = &engine->devices[index];
    if (kind->plain ? device->lost || device->hidden
                    : place_device_obstacle(engine, task, device, index) != NULL)
        return false;
    if (task->kernel == TASK_NONE || task->kind == TASK_HOST || task->kind == TASK_JOINED)
        return true;
    if (!kind->known || kind->code != device->code) {
        kind->code = device->code;
        kind->known = true;
        kind->can = place_kernel_obstacle(engine, task, device, index) == NULL;
    }
    return kind->can;
}

/* ---- costs ------------------------------------------------------------------------------ */

static uint32_t place_model_slot(struct engine *engine, const struct task *task, uint32_t device)
{
    struct kernel *kernel = engine_kernel(engine, task->kernel);
    struct code *code = engine_code(engine, kernel, device);
    if (!code->model_valid || code->model_size != task->size) {
        code->model_slot = history_slot(engine->history, launch_model_key(engine, kernel, device),
                                        engine->devices[device].key, task->size);
        code->model_size = task->size;
        code->model_valid = 1;
    }
    return code->model_slot;
}

static uint64_t place_exec_ns(struct engine *engine, const struct task *task, uint32_t device,
                              uint32_t *known)
{
    *known = PLACE_MEASURED;
    if (task->kind == TASK_JOINED)
        return joined_exec_ns(task, device);
    if (task->kernel == TASK_NONE)
        return task->kind == TASK_HOST ? PLACE_UNKNOWN_NS
                                       : PLACE_COPY_NS + task->size / PLACE_COPY_BYTES_PER_NS;
    uint64_t ns = 0;
    enum history_trust trust =
        history_slot_predict(engine->history, place_model_slot(engine, task, device), &ns);
    if (trust == HISTORY_UNKNOWN) {
        *known = PLACE_ASSUMED;
        ns = PLACE_UNKNOWN_NS;
    } else if (trust == HISTORY_LOADED) {
        *known = PLACE_LOADED;
    }
    /* Others go first while it is being compiled, if there are others. */
    if (engine_code(engine, engine_kernel(engine, task->kernel), device)->state != CODE_READY)
        ns += PLACE_BUILD_NS;
    return ns;
}

/* Without the time of a compilation that place_exec_ns() has added. */
static uint64_t place_run_ns(const struct engine *engine, const struct task *task, uint32_t device,
                             uint64_t exec_ns)
{
    bool is_built =
        task->kernel == TASK_NONE ||
        engine_code(engine, engine_kernel(engine, task->kernel), device)->state == CODE_READY;
    return is_built || exec_ns < PLACE_BUILD_NS ? exec_ns : exec_ns - PLACE_BUILD_NS;
}

uint64_t place_cost_ns(struct engine *engine, const struct task *task, uint32_t device, bool *known)
{
    uint32_t measured;
    uint64_t ns = place_exec_ns(engine, task, device, &measured);
    *known = measured != PLACE_ASSUMED;
    return place_run_ns(engine, task, device, ns);
}

static uint64_t place_source_ns(const struct engine *engine, const struct replica *replica,
                                uint32_t node, uint64_t bytes)
{
    if (replica_is_valid(replica, node) || !replica_has_data(replica))
        return 0;
    if (node != 0 && replica_is_valid(replica, 0))
        return engine_copy_ns(engine, 0, node, bytes);
    uint32_t from = nodes_next(replica->valid, 0);
    uint64_t ns = engine_copy_ns(engine, from, 0, bytes);
    return node == 0 ? ns : ns + engine_copy_ns(engine, 0, node, bytes);
}

uint64_t place_access_ns(const struct engine *engine, const struct task_access *access,
                         uint32_t node)
{
    const struct buffer *buffer = engine_buffer(engine, access->buffer);
    uint64_t ns = 0;
    uint32_t looked = 0;
    struct imap_seg *seg = imap_first(&buffer->segments, access->begin);
    for (; seg != NULL && seg->begin < access->end && looked < PLACE_SEGMENTS; looked++) {
        const struct segment *segment = imap_payload(seg);
        uint64_t begin = seg->begin > access->begin ? seg->begin : access->begin;
        uint64_t end = seg->end < access->end ? seg->end : access->end;
        ns += place_source_ns(engine, &segment->replica, node, end - begin);
        seg = imap_next(&buffer->segments, seg);
    }
    return ns;
}

static uint64_t place_transfer_ns(const struct engine *engine, const struct task *task,
                                  uint32_t node)
{
    if (engine->node_count == 1)
        return 0;
    uint64_t ns = 0;
    for (uint32_t i = 0; i < task->access_count; i++)
        if (task_accesses(task)[i].mode & FGPU_READ)
            ns += place_access_ns(engine, &task_accesses(task)[i], node);
    return ns;
}

/* What a task reads, looked up once for all candidates. */
struct place_read {
    const struct replica *replica;
    uint64_t bytes;
    uint64_t host_ns; /* until it is on the host */
};

struct place_reads {
    struct place_read reads[PLACE_READS];
    uint32_t count;
    bool all; /* there were not more */
};

static void place_look(const struct engine *engine, const struct task_access *access,
                       struct place_reads *reads)
{
    const struct buffer *buffer = engine_buffer(engine, access->buffer);
    struct imap_seg *seg = imap_first(&buffer->segments, access->begin);
    uint32_t looked = 0;
    for (; seg != NULL && seg->begin < access->end && looked < PLACE_SEGMENTS; looked++) {
        const struct replica *replica = &((const struct segment *)imap_payload(seg))->replica;
        uint64_t begin = seg->begin > access->begin ? seg->begin : access->begin;
        uint64_t end = seg->end < access->end ? seg->end : access->end;
        seg = imap_next(&buffer->segments, seg);
        if (!replica_has_data(replica))
            continue;
        if (reads->count == PLACE_READS) {
            reads->all = false;
            return;
        }
        reads->reads[reads->count++] = (struct place_read){
            replica, end - begin, place_source_ns(engine, replica, 0, end - begin)};
    }
}

static void place_look_all(const struct engine *engine, const struct task *task,
                           struct place_reads *reads)
{
    reads->count = 0;
    reads->all = true;
    for (uint32_t i = 0; i < task->access_count && engine->node_count > 1; i++)
        if (task_accesses(task)[i].mode & FGPU_READ)
            place_look(engine, &task_accesses(task)[i], reads);
}

static uint64_t place_read_ns(const struct engine *engine, const struct place_read *read,
                              uint32_t node)
{
    return read->host_ns + (node != 0 ? engine_copy_ns(engine, 0, node, read->bytes) : 0);
}

/* As place_transfer_ns(). [in] all: as if nothing were there. */
static uint64_t place_reads_ns(const struct engine *engine, const struct task *task,
                               const struct place_reads *reads, uint32_t node, bool all)
{
    if (!reads->all)
        return place_transfer_ns(engine, task, node);
    uint64_t ns = 0;
    for (uint32_t i = 0; i < reads->count; i++)
        if (node == 0 || all || !replica_is_valid(reads->reads[i].replica, node))
            ns += place_read_ns(engine, &reads->reads[i], node);
    return ns;
}

/* Candidates that work in the node need not fetch what is there. More than PLACE_FEW are in the
 * order of their lanes. */
static void place_spare_ns(struct engine *engine, uint32_t count, uint32_t node, uint64_t ns)
{
    const struct engine_device *device = &engine->devices[engine->nodes[node].device];
    uint32_t low = 0, high = count;
    if (count <= PLACE_FEW) {
        for (uint32_t i = 0; i < count; i++)
            if (engine->candidates[i].lane - device->lane_first < device->lane_count)
                engine->candidates[i].transfer_ns -= ns;
        return;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (engine->candidates[middle].lane < device->lane_first)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && engine->candidates[low].lane < device->lane_first + device->lane_count;
         low++)
        engine->candidates[low].transfer_ns -= ns;
}

/* For many candidates: where the data are is looked up for the data, not for each of them. */
static void place_spare(struct engine *engine, const struct place_reads *reads, uint32_t count)
{
    for (uint32_t i = 0; i < reads->count; i++) {
        const struct place_read *read = &reads->reads[i];
        uint64_t valid = read->replica->valid;
        for (uint32_t n = nodes_next(valid, 1); n != NODES_NONE; n = nodes_next(valid, n + 1))
            place_spare_ns(engine, count, n, place_read_ns(engine, read, n));
    }
}

/* ---- choice ----------------------------------------------------------------------------- */

uint64_t place_group_work(const struct engine *engine, const struct engine_device *device)
{
    uint64_t work = 0;
    if (device->group_cores == 0)
        return 0;
    for (uint32_t i = 0; i < engine->lane_count; i++) {
        const struct lane *lane = engine_lane(engine, i);
        const struct engine_device *other = &engine->devices[lane->device];
        if (other->group_cores != 0 && other->caps.resource_group == device->caps.resource_group)
            work += (lane->flight_ns + lane->backlog_ns) * other->cores;
    }
    return work;
}

uint64_t place_finish_ns(const struct engine_device *device, uint64_t ready_ns, uint64_t exec_ns,
                         uint64_t work)
{
    uint64_t alone = ready_ns + exec_ns;
    if (device->group_cores == 0)
        return alone;
    uint64_t shared = (work + exec_ns * device->cores) / device->group_cores;
    return shared > alone ? shared : alone;
}

/* A lane that shares its cores with others is ready when they have left it enough of them. What it
 * takes from them counts once a run has been measured anywhere: guesses are alike for all, and
 * would keep a device with many cores from ever being tried. */
static void place_share_cores(struct engine *engine, const struct task *task, uint32_t count)
{
    struct policy_lane *lanes = engine->candidates;
    uint32_t group = UINT32_MAX, known = 0;
    uint64_t work = 0;
    for (uint32_t i = 0; i < count; i++)
        known |= lanes[i].known;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = engine_lane(engine, lanes[i].lane)->device;
        const struct engine_device *device = &engine->devices[index];
        if (device->group_cores == 0)
            continue;
        if (device->caps.resource_group != group)
            work = place_group_work(engine, device);
        group = device->caps.resource_group;
        uint64_t run_ns = place_run_ns(engine, task, index, lanes[i].exec_ns);
        lanes[i].ready_ns = place_finish_ns(device, lanes[i].ready_ns, run_ns, work) - run_ns;
        lanes[i].core_ns = known ? run_ns * device->cores : 0;
    }
}

static void place_costs(struct engine *engine, const struct task *task, uint32_t count)
{
    struct policy_lane *lanes = engine->candidates;
    struct place_reads reads;
    uint32_t before = NODES_NONE, code = UINT32_MAX, way = UINT32_MAX;
    place_look_all(engine, task, &reads);
    /* Where lanes are many, few candidates are few of them: what they have is in long sets. */
    bool many = reads.all && (count > PLACE_FEW || engine->lane_count > PLACE_MANY);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = engine_lane(engine, lanes[i].lane)->device;
        const struct engine_device *device = &engine->devices[index];
        if (device->node == before || (many && engine->nodes[device->node].way == way))
            lanes[i].transfer_ns = lanes[i - 1].transfer_ns;
        else
            lanes[i].transfer_ns = place_reads_ns(engine, task, &reads, device->node, many);
        if (i > 0 && device->code == code && task->kind == TASK_KERNEL) {
            lanes[i].exec_ns = lanes[i - 1].exec_ns;
            lanes[i].known = lanes[i - 1].known;
        } else {
            lanes[i].exec_ns = place_exec_ns(engine, task, index, &lanes[i].known);
        }
        before = device->node;
        code = device->code;
        way = engine->nodes[device->node].way;
    }
    if (many)
        place_spare(engine, &reads, count);
}

static void place_add(struct engine *engine, const struct task *task, const struct lane *lane,
                      uint32_t *count)
{
    uint64_t flight_ns = sched_flight_ns(engine, lane);
    if (__builtin_expect(engine->preempt != NULL, 0) && serve_is_urgent(engine, task)) {
        uint64_t soft_ns = preempt_soft_ns(engine, lane);
        flight_ns -= soft_ns < flight_ns ? soft_ns : flight_ns;
    }
    engine->candidates[(*count)++] =
        (struct policy_lane){.lane = lane->index,
                             .load = lane->flight_tasks + lane->backlog_count,
                             .ready_ns = flight_ns + lane->backlog_ns};
}

/* [in] rests: lanes that rest, too. */
static uint32_t place_all(struct engine *engine, const struct task *task, bool rests)
{
    struct place_kind kind = place_kind_of(engine, task);
    uint32_t count = 0;
    for (uint32_t d = 0; d < engine->device_count; d++) {
        const struct engine_device *device = &engine->devices[d];
        if (!place_can(engine, task, d, &kind))
            continue;
        for (uint32_t i = 0; i < device->lane_count; i++)
            if (rests || !engine_lane(engine, device->lane_first + i)->rests)
                place_add(engine, task, engine_lane(engine, device->lane_first + i), &count);
    }
    return count;
}

static bool place_has(const struct engine *engine, uint32_t count, uint32_t lane)
{
    for (uint32_t i = 0; i < count; i++)
        if (engine->candidates[i].lane == lane)
            return true;
    return false;
}

/* The devices next to what the task reads. */
static void place_near(struct engine *engine, const struct task *task, uint32_t *count)
{
    uint32_t most = *count + PLACE_NEAR;
    for (uint32_t i = 0; i < task->access_count && *count < most; i++) {
        const struct task_access *access = &task_accesses(task)[i];
        const struct buffer *buffer = engine_buffer(engine, access->buffer);
        struct imap_seg *seg = imap_first(&buffer->segments, access->begin);
        if (seg == NULL || !(access->mode & FGPU_READ))
            continue;
        const struct segment *segment = imap_payload(seg);
        uint32_t node = nodes_next(segment->replica.valid, 1);
        if (node == NODES_NONE)
            continue;
        uint32_t index = engine->nodes[node].device;
        const struct engine_device *device = &engine->devices[index];
        if (!place_has(engine, *count, device->lane_first) &&
            place_obstacle(engine, task, device, index) == NULL)
            place_add(engine, task, engine_lane(engine, device->lane_first), count);
    }
}

/* The lanes that the next tasks are offered to were last looked at long ago: those for the task
 * after the next one, and the devices of those for the next one, which are there by now. */
static void place_fetch(const struct engine *engine)
{
    uint32_t at = engine->eager_from;
    for (uint32_t i = 0; i < 2 * PLACE_EAGER; i++) {
        at = bitset_next(&engine->eager, at);
        if (at == BITSET_END)
            return;
        const struct lane *lane = engine_lane(engine, at++);
        if (i < PLACE_EAGER) {
            __builtin_prefetch(&engine->devices[lane->device].node);
            continue;
        }
        __builtin_prefetch(lane);
        __builtin_prefetch((const char *)lane + LIMITS_CACHE_LINE);
        __builtin_prefetch((const char *)lane + 2 * LIMITS_CACHE_LINE);
    }
}

/* Of many lanes: some that want a task, in turn, and those next to the data. */
static uint32_t place_some(struct engine *engine, const struct task *task)
{
    struct place_kind kind = place_kind_of(engine, task);
    uint32_t count = 0, at = engine->eager_from;
    for (uint32_t looked = 0; looked < PLACE_LOOKS && count < PLACE_EAGER; looked++) {
        at = bitset_next(&engine->eager, at);
        if (at == BITSET_END && (looked == 0 || engine->eager_from > 0)) {
            at = 0;
            continue;
        }
        if (at == BITSET_END)
            break;
        const struct lane *lane = engine_lane(engine, at++);
        if (!place_has(engine, count, lane->index) && place_can(engine, task, lane->device, &kind))
            place_add(engine, task, lane, &count);
    }
    engine->eager_from = at >= engine->lane_count ? 0 : at;
    place_near(engine, task, &count);
    place_fetch(engine);
    return count;
}

static uint32_t place_candidates(struct engine *engine, const struct task *task)
{
    uint32_t count = engine->lane_count > PLACE_MANY ? place_some(engine, task) : 0;
    if (count == 0)
        count = place_all(engine, task, false);
    if (count == 0)
        count = place_all(engine, task, true);
    if (count > 1 && engine->policy->needs_costs) {
        place_costs(engine, task, count);
        place_share_cores(engine, task, count);
    }
    return count;
}

static bool place_refuse(struct engine *engine, struct task *task)
{
    char *why = alloc_get(engine->hooks, LIMITS_ERROR_TEXT, 16);
    fgpu_status status = FGPU_E_NODEVICE;
    size_t used = 0;
    for (uint32_t d = 0; d < engine->device_count; d++) {
        const struct engine_device *device = &engine->devices[d];
        const char *obstacle = place_obstacle(engine, task, device, d);
        if (obstacle == NULL || (device->hidden && task->kind != TASK_HOST))
            continue;
        bool compiles =
            task->kernel == TASK_NONE ||
            engine_code(engine, engine_kernel(engine, task->kernel), d)->state != CODE_FAILED;
        if (!compiles)
            status = FGPU_E_BUILD;
        else if (device->lost && status != FGPU_E_BUILD)
            status = FGPU_E_DEVICE_LOST;
        else if (memory_refused(engine, task, d) && status == FGPU_E_NODEVICE)
            status = FGPU_E_DEVMEM;
        const char *log = compiles
                              ? device->reason
                              : engine_code(engine, engine_kernel(engine, task->kernel), d)->log;
        if (why != NULL && used < LIMITS_ERROR_TEXT)
            used +=
                (size_t)snprintf(why + used, LIMITS_ERROR_TEXT - used, "%sdevice %u %s%s%.200s",
                                 used == 0 ? "" : "; ", d, obstacle,
                                 log != NULL && log[0] != '\0' ? ": " : "", log != NULL ? log : "");
    }
    if (why != NULL && used == 0)
        snprintf(why, LIMITS_ERROR_TEXT, "the pool has no device for it");
    if (task->why == NULL)
        task->why = why;
    else
        alloc_put(engine->hooks, why, LIMITS_ERROR_TEXT);
    if (task->status == FGPU_OK) {
        task->status = status;
        task->root = task->self;
        task->root_word = task_word(task);
    }
    return false;
}

uint32_t place_predicted_ns(struct engine *engine, const struct task *task, uint32_t device,
                            uint32_t *model)
{
    uint64_t ns = 0;
    uint32_t known;
    *model = HISTORY_NONE;
    if (task->kernel != TASK_NONE) {
        *model = place_model_slot(engine, task, device);
        if (history_slot_predict(engine->history, *model, &ns) == HISTORY_UNKNOWN)
            ns = PLACE_UNKNOWN_NS;
    } else {
        ns = place_exec_ns(engine, task, device, &known);
    }
    return ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

void place_on(struct engine *engine, struct task *task, uint32_t lane)
{
    task->lane = (uint16_t)lane;
    if (__builtin_expect(task->why != NULL, 0)) { /* of a device that had no memory for it */
        alloc_put(engine->hooks, task->why, LIMITS_ERROR_TEXT);
        task->why = NULL;
    }
    task->predicted_ns =
        place_predicted_ns(engine, task, engine_lane(engine, lane)->device, &task->model);
}

/* ---- telling of it ---------------------------------------------------------------------- */

static void place_emit(struct engine *engine, const struct task *task, const struct policy_lane *of,
                       bool chosen, uint8_t how)
{
    const struct lane *lane = engine_lane(engine, of->lane);
    struct trace_event event = {.time_ns = engine->now_ns,
                                .kind = TRACE_CANDIDATE,
                                .device = (uint8_t)lane->device,
                                .lane = (uint16_t)lane->queue,
                                .task = engine_trace_id(task)};
    trace_candidate_put(&event, &(struct trace_candidate){.wait_ns = of->ready_ns,
                                                          .copy_ns = of->transfer_ns,
                                                          .run_ns = of->exec_ns,
                                                          .known = of->known != 0,
                                                          .chosen = chosen,
                                                          .how = how});
    trace_emit(engine->trace, event);
}

/* As the policy eft reckons: data may travel while the lane still works. */
static uint64_t place_ends_ns(const struct policy_lane *lane)
{
    return (lane->ready_ns > lane->transfer_ns ? lane->ready_ns : lane->transfer_ns) +
           lane->exec_ns;
}

/* The best ones but the chosen: their places, best first. Returns how many. */
static uint32_t place_best(const struct policy_lane *lanes, uint32_t count, uint32_t choice,
                           uint32_t best[PLACE_TRACED])
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = kept;
        if (i == choice)
            continue;
        while (at > 0 && place_ends_ns(&lanes[i]) < place_ends_ns(&lanes[best[at - 1]]))
            at--;
        if (at == PLACE_TRACED)
            continue;
        kept += kept < PLACE_TRACED;
        memmove(&best[at + 1], &best[at], (kept - 1 - at) * sizeof best[0]);
        best[at] = i;
    }
    return kept;
}

static void place_log(struct engine *engine, const struct task *task,
                      const struct policy_lane *chosen, uint32_t count, uint8_t how)
{
    static const char *const words[] = {[FGPU_PLACED_POLICY] = "chosen",
                                        [FGPU_PLACED_ONLY] = "the only one",
                                        [FGPU_PLACED_PINNED] = "asked for",
                                        [FGPU_PLACED_CHAINED] = "behind what it waits for",
                                        [FGPU_PLACED_STOLEN] = "taken over by an idle queue",
                                        [FGPU_PLACED_PLANNED] = "as planned",
                                        [FGPU_PLACED_PIECE] = "the next piece"};
    const struct lane *lane = engine_lane(engine, chosen->lane);
    const char *name = engine_task_name(engine, task);
    LOG_DEBUG(engine->log, "place",
              "task %llu '%s' goes to device %u queue %u (%s, of %u): free in %llu ns, data in "
              "%llu ns, run %llu ns%s",
              (unsigned long long)engine_trace_id(task), name != NULL ? name : "", lane->device,
              lane->queue, words[how], count, (unsigned long long)chosen->ready_ns,
              (unsigned long long)chosen->transfer_ns, (unsigned long long)chosen->exec_ns,
              chosen->known ? "" : " assumed");
}

/* Of the engine's candidates; costs that the policy did not need are made up for. */
static void place_tell_choice(struct engine *engine, const struct task *task, uint32_t count,
                              uint32_t choice)
{
    uint32_t best[PLACE_TRACED];
    const struct policy_lane *lanes = engine->candidates;
    uint8_t how = task->pin != TASK_DEVICE_ANY ? FGPU_PLACED_PINNED
                  : count == 1                 ? FGPU_PLACED_ONLY
                                               : FGPU_PLACED_POLICY;
    if (count == 1 || !engine->policy->needs_costs)
        place_costs(engine, task, count);
    place_log(engine, task, &lanes[choice], count, how);
    if (!engine->trace->on)
        return;
    place_emit(engine, task, &lanes[choice], true, how);
    uint32_t others = place_best(lanes, count, choice, best);
    for (uint32_t i = 0; i < others; i++)
        place_emit(engine, task, &lanes[best[i]], false, how);
}

void place_tell(struct engine *engine, const struct task *task, uint8_t how)
{
    const struct lane *lane = engine_lane(engine, task->lane);
    struct policy_lane of = {.lane = lane->index,
                             .ready_ns = sched_flight_ns(engine, lane) + lane->backlog_ns};
    of.exec_ns = place_exec_ns(engine, task, lane->device, &of.known);
    of.transfer_ns = place_transfer_ns(engine, task, engine->devices[lane->device].node);
    place_log(engine, task, &of, 1, how);
    if (engine->trace->on)
        place_emit(engine, task, &of, true, how);
}

/* ---- the step --------------------------------------------------------------------------- */

bool place_task(struct engine *engine, struct task *task)
{
    bool told = place_is_told(engine);
    if (engine->lane_count == 1 && !told &&
        place_obstacle(engine, task, &engine->devices[0], 0) == NULL) {
        place_on(engine, task, 0);
        return true;
    }
    uint32_t count = place_candidates(engine, task);
    if (count == 0)
        return place_refuse(engine, task);
    uint32_t choice = count == 1 ? 0 : engine->policy->choose(engine->candidates, count);
    FGPU_ASSERT(choice < count);
    if (count > 1 && engine->policy->needs_costs)
        choice = doubt_choose(engine, task, count, choice);
    place_on(engine, task, engine->candidates[choice].lane);
    if (__builtin_expect(told, 0))
        place_tell_choice(engine, task, count, choice);
    return true;
}
