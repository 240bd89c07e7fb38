/* How the engine's pending tasks become a window; see window.h.
 *
 * Tasks that differ only in their data are of one type: kernel, size, and the device that was asked
 * for. Devices of the performance model's one key that share memory in the same way are one class,
 * those that tasks ask for apart.
 * Data are the ranges that tasks name; ranges that overlap in part count as different. What is on a
 * lane already delays that lane and its successors.
 */
#include "core/window.h"

#include <stdlib.h>

#include "core/doubt.h"
#include "core/place.h"
#include "core/sched.h"
#include "core/split_state.h"

#define WINDOW_PINNED 64u /* of more devices that are asked for nothing is known */
#define WINDOW_RATE_BYTES (UINT64_C(1) << 22) /* a copy whose time says what a link's rate is */

void window_init(struct window *window, const struct alloc_hooks *hooks)
{
    memset(window, 0, sizeof *window);
    plan_window_init(&window->plan, hooks);
    vec_init(&window->tasks, sizeof(uint32_t), hooks);
    vec_init(&window->samples, sizeof(uint32_t), hooks);
    vec_init(&window->lanes, sizeof(uint32_t), hooks);
    vec_init(&window->worker, sizeof(uint32_t), hooks);
    vec_init(&window->classes, sizeof(uint32_t), hooks);
    vec_init(&window->after, sizeof(uint32_t), hooks);
    vec_init(&window->place, sizeof(uint32_t), hooks);
    vec_init(&window->untried, sizeof(uint32_t), hooks);
    vec_init(&window->pinned, sizeof(uint8_t), hooks);
    vec_init(&window->latency, sizeof(uint64_t), hooks);
    vec_init(&window->reach, sizeof(uint8_t), hooks);
    map_init(&window->types, hooks);
    map_init(&window->data, hooks);
}

void window_fini(struct window *window)
{
    plan_window_fini(&window->plan);
    vec_fini(&window->tasks);
    vec_fini(&window->samples);
    vec_fini(&window->lanes);
    vec_fini(&window->worker);
    vec_fini(&window->classes);
    vec_fini(&window->after);
    vec_fini(&window->place);
    vec_fini(&window->untried);
    vec_fini(&window->pinned);
    vec_fini(&window->latency);
    vec_fini(&window->reach);
    map_fini(&window->types);
    map_fini(&window->data);
}

static uint32_t *window_numbers(const struct vec *vec)
{
    return (uint32_t *)(void *)vec->items;
}

static void window_clear(struct window *window)
{
    struct plan_window *plan = &window->plan;
    struct vec *const all[] = {
        &plan->classes,    &plan->workers,   &plan->costs,     &plan->tasks,    &plan->accesses,
        &plan->successors, &plan->data,      &plan->holders,   &plan->links,    &plan->capacity,
        &window->tasks,    &window->samples, &window->lanes,   &window->worker, &window->classes,
        &window->after,    &window->place,   &window->latency, &window->reach};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        vec_clear(all[i]);
    map_clear(&window->types);
    map_clear(&window->data);
    window->work_ns = 0;
    window->gaps = window->known = 0;
    vec_clear(&window->untried);
}

/* ---- tasks --------------------------------------------------------------------------------- */

bool window_takes(const struct task *task)
{
    fgpu_task_state state = task_state(task);
    bool waits = state == FGPU_TASK_LINKED || state == FGPU_TASK_READY ||
                 state == FGPU_TASK_PLACED || state == FGPU_TASK_BUILDING ||
                 state == FGPU_TASK_MOVING;
    return waits && task->status == FGPU_OK && task->kind == TASK_KERNEL &&
           !(task->marks & TASK_M_PIECE);
}

/* Submission order wraps: it is compared as a distance. */
static int window_by_order(const void *a, const void *b, void *engine)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    uint32_t distance = engine_task(engine, left)->order - engine_task(engine, right)->order;
    return distance == 0 ? 0 : (int32_t)distance < 0 ? -1 : 1;
}

static bool window_collect(struct window *window, struct engine *engine, uint32_t most)
{
    uint32_t slots = table_high_water(&engine->tasks);
    bool sorted = true;
    if (!vec_reserve(&window->place, slots))
        return false;
    window->place.count = slots;
    memset(window->place.items, 0xff, slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < slots; i++) {
        if (!window_takes(engine_task(engine, i)))
            continue;
        if (window->tasks.count == most)
            return false;
        if (window->tasks.count > 0 && sorted) {
            const uint32_t *last = vec_at(&window->tasks, window->tasks.count - 1);
            sorted = window_by_order(last, &i, engine) < 0;
        }
        if (vec_push(&window->tasks, &i) == NULL)
            return false;
    }
    if (!sorted)
        qsort_r(window->tasks.items, window->tasks.count, sizeof(uint32_t), window_by_order,
                engine);
    for (uint32_t t = 0; t < window->tasks.count; t++)
        window_numbers(&window->place)[window_numbers(&window->tasks)[t]] = t;
    return true;
}

static uint32_t window_type(struct window *window, const struct task *task)
{
    uint64_t key = hash_u64(hash_u64(((uint64_t)task->kernel << 16) + task->pin) + task->size);
    uint64_t type = window->samples.count;
    if (map_get(&window->types, key, &type))
        return (uint32_t)type;
    if (map_put(&window->types, key, type) != FGPU_OK ||
        vec_push(&window->samples, &task->self) == NULL)
        return PLAN_NONE;
    return (uint32_t)type;
}

/* ---- data ---------------------------------------------------------------------------------- */

/* Nodes that hold the range's first byte now, or will soon. */
static bool window_holders(struct window *window, struct engine *engine,
                           const struct task_access *access)
{
    const struct buffer *buffer = engine_buffer(engine, access->buffer);
    struct imap_seg *seg = imap_first(&buffer->segments, access->begin);
    struct plan_data data = {.bytes = access->end - access->begin,
                             .first_holder = (uint32_t)window->plan.holders.count};
    const struct segment *segment = seg != NULL ? imap_payload(seg) : NULL;
    uint32_t n = segment != NULL ? nodes_next(segment->replica.valid, 0) : engine->node_count;
    for (; n < engine->node_count; n = nodes_next(segment->replica.valid, n + 1))
        if (vec_push(&window->plan.holders, &n) == NULL)
            return false;
    data.holder_count = (uint32_t)window->plan.holders.count - data.first_holder;
    return vec_push(&window->plan.data, &data) != NULL;
}

static bool window_access(struct window *window, struct engine *engine,
                          const struct task_access *access)
{
    uint64_t key = hash_u64(hash_u64(hash_u64(access->buffer) + access->begin) +
                            (access->end - access->begin));
    uint64_t index = window->plan.data.count;
    if (!map_get(&window->data, key, &index) &&
        (map_put(&window->data, key, index) != FGPU_OK || !window_holders(window, engine, access)))
        return false;
    struct plan_access planned = {.data = (uint32_t)index, .mode = access->mode};
    return vec_push(&window->plan.accesses, &planned) != NULL;
}

/* Which of the window's tasks a link leads to; PLAN_NONE: to none, or to one that is gone. */
static uint32_t window_follower(const struct window *window, const struct engine *engine,
                                uint32_t at)
{
    const struct links_item *link = links_at(&engine->links, at);
    uint32_t number = window_numbers(&window->place)[link->task];
    bool is_same = task_generation(engine_task(engine, link->task)) == link->generation;
    return is_same ? number : PLAN_NONE;
}

/* The task's record in the plan, with its accesses and its successors within the window. */
static bool window_task(struct window *window, struct engine *engine, const struct task *task)
{
    struct plan_window *plan = &window->plan;
    struct plan_task planned = {.type = window_type(window, task),
                                .priority = task->priority,
                                .first_access = (uint32_t)plan->accesses.count,
                                .first_successor = (uint32_t)plan->successors.count,
                                .only_worker = PLAN_NONE};
    if (planned.type == PLAN_NONE)
        return false;
    for (uint32_t a = 0; a < task->access_count; a++)
        if (!window_access(window, engine, &task_accesses(task)[a]))
            return false;
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        uint32_t number = window_follower(window, engine, at);
        if (number != PLAN_NONE && vec_push(&plan->successors, &number) == NULL)
            return false;
    }
    return vec_push(&plan->tasks, &planned) != NULL;
}

static bool window_tasks(struct window *window, struct engine *engine)
{
    struct plan_window *plan = &window->plan;
    for (uint32_t t = 0; t < window->tasks.count; t++)
        if (!window_task(window, engine, engine_task(engine, window_numbers(&window->tasks)[t])))
            return false;
    struct plan_task end = {.first_access = (uint32_t)plan->accesses.count,
                            .first_successor = (uint32_t)plan->successors.count};
    if (vec_push(&plan->tasks, &end) == NULL)
        return false;
    plan->task_count = (uint32_t)window->tasks.count;
    struct plan_task *tasks = (struct plan_task *)(void *)plan->tasks.items;
    for (size_t s = 0; s < plan->successors.count; s++)
        tasks[plan_successors(plan)[s]].predecessors++;
    plan->type_count = (uint32_t)window->samples.count;
    return true;
}

/* ---- the machine --------------------------------------------------------------------------- */

static bool window_device_counts(const struct engine_device *device)
{
    return !device->lost && !device->hidden && device->lane_count > 0;
}

/* Devices that tasks ask for: what runs there alone needs a class for it. */
static bool window_pins(struct window *window, const struct engine *engine)
{
    if (!vec_reserve(&window->pinned, engine->device_count))
        return false;
    uint8_t *pinned = (uint8_t *)(void *)window->pinned.items;
    window->pinned.count = engine->device_count;
    memset(pinned, 0, engine->device_count);
    uint32_t count = 0;
    for (size_t s = 0; s < window->samples.count && count < WINDOW_PINNED; s++) {
        const struct task *task = engine_task(engine, window_numbers(&window->samples)[s]);
        if (task->pin == TASK_DEVICE_ANY || task->pin >= engine->device_count)
            continue;
        count += !pinned[task->pin];
        pinned[task->pin] = 1;
    }
    return true;
}

static bool window_alike(const struct window *window, uint32_t a, uint32_t b)
{
    const struct engine_device *left = &window->engine->devices[a];
    const struct engine_device *right = &window->engine->devices[b];
    const uint8_t *pinned = (const uint8_t *)(const void *)window->pinned.items;
    if (a != b && (pinned[a] || pinned[b]))
        return false;
    return left->key == right->key && (left->node == 0) == (right->node == 0);
}

/* Lanes of the class's devices follow each other; devices of one class do too, as a rule: then
 * this is linear in the devices. */
static bool window_class(struct window *window, struct engine *engine, uint32_t first)
{
    struct plan_class class = {.first_worker = (uint32_t)window->lanes.count};
    uint32_t index = (uint32_t)window->classes.count;
    for (uint32_t d = first; d < engine->device_count; d++) {
        const struct engine_device *device = &engine->devices[d];
        if (!window_device_counts(device) || !window_alike(window, first, d))
            continue;
        for (uint32_t i = 0; i < device->lane_count; i++) {
            uint32_t lane = device->lane_first + i;
            const struct lane *of = engine_lane(engine, lane);
            struct plan_worker worker = {.class_index = index,
                                         .node = device->node,
                                         .free_ns = sched_flight_ns(engine, of) + of->home_ns};
            window_numbers(&window->worker)[lane] = (uint32_t)window->lanes.count;
            if (vec_push(&window->lanes, &lane) == NULL ||
                vec_push(&window->plan.workers, &worker) == NULL)
                return false;
        }
    }
    class.worker_count = (uint32_t)window->lanes.count - class.first_worker;
    class.extra_watt = engine->extra_watt != NULL ? engine->extra_watt[first] : 0;
    return vec_push(&window->classes, &first) != NULL &&
           vec_push(&window->plan.classes, &class) != NULL;
}

static bool window_machine(struct window *window, struct engine *engine)
{
    if (!vec_reserve(&window->worker, engine->lane_count) || !window_pins(window, engine))
        return false;
    window->worker.count = engine->lane_count;
    memset(window->worker.items, 0xff, engine->lane_count * sizeof(uint32_t));
    for (uint32_t d = 0; d < engine->device_count; d++) {
        const struct engine_device *device = &engine->devices[d];
        if (!window_device_counts(device) ||
            window_numbers(&window->worker)[device->lane_first] != PLAN_NONE)
            continue;
        if (!window_class(window, engine, d))
            return false;
    }
    window->plan.node_count = engine->node_count;
    window->plan.aim = engine->aim;
    return true;
}

/* Classes where what an earlier process has measured is to be tried again. [in] first: the task's
 * costs. */
static uint32_t window_doubts(const struct window *window, struct engine *engine,
                              const struct task *task, size_t first)
{
    uint32_t classes = (uint32_t)window->classes.count, doubts = 0;
    int64_t best_ns = PLAN_CANNOT;
    for (uint32_t c = 0; c < classes; c++) {
        int64_t ns = *(const int64_t *)vec_at(&window->plan.costs, first + c);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    for (uint32_t c = 0; c < classes; c++) {
        int64_t ns = *(const int64_t *)vec_at(&window->plan.costs, first + c);
        uint32_t model;
        if (ns <= best_ns || ns == PLAN_CANNOT)
            continue;
        (void)place_predicted_ns(engine, task, window_numbers(&window->classes)[c], &model);
        doubts += doubt_would(engine, task, model, (uint64_t)(ns - best_ns));
    }
    return doubts;
}

/* What the type costs on each class; one that nobody has measured there is tried task by task, not
 * planned for, and one that nobody has measured anywhere counts as a short one. */
static bool window_cost(struct window *window, struct engine *engine, const struct task *task)
{
    uint32_t classes = (uint32_t)window->classes.count, untried = 0;
    struct vec *costs = &window->plan.costs;
    size_t first = costs->count;
    bool is_known = false;
    for (uint32_t c = 0; c < classes; c++) {
        uint32_t device = window_numbers(&window->classes)[c];
        bool known = false;
        int64_t ns = PLAN_CANNOT;
        if (place_obstacle(engine, task, &engine->devices[device], device) == NULL) {
            uint64_t cost_ns = place_cost_ns(engine, task, device, &known);
            ns = known ? (int64_t)cost_ns : -(int64_t)cost_ns;
            untried += !known;
        }
        is_known = is_known || known;
        if (vec_push(costs, &ns) == NULL)
            return false;
    }
    for (uint32_t c = 0; c < classes; c++) {
        int64_t *ns = vec_at(costs, first + c);
        if (*ns < 0)
            *ns = is_known ? PLAN_CANNOT : -*ns;
    }
    window->gaps += untried;
    window->known += is_known;
    untried += window_doubts(window, engine, task, first);
    return vec_push(&window->untried, &untried) != NULL;
}

static bool window_costs(struct window *window, struct engine *engine)
{
    for (uint32_t t = 0; t < window->plan.type_count; t++)
        if (!window_cost(window, engine, engine_task(engine, window_numbers(&window->samples)[t])))
            return false;
    return true;
}

/* ---- links --------------------------------------------------------------------------------- */

/* Described paths: the driver's, for whoever asks. */
static void window_described(const void *context, uint32_t source, uint32_t target,
                             struct plan_path *path)
{
    const struct engine *engine = ((const struct window *)context)->engine;
    *path = (struct plan_path){.link_count = 0, .bytes_per_ns = 1};
    if (source != target)
        engine->paths(engine->paths_user, source, target, path);
}

/* Without a description of the links each pair of nodes has one of its own, by way of the host
 * where two devices do not reach each other. From the snapshot: the model goes on learning. */
static void window_path(const void *context, uint32_t source, uint32_t target,
                        struct plan_path *path)
{
    const struct window *window = context;
    uint32_t nodes = window->plan.node_count;
    *path = (struct plan_path){.link_count = 0, .bytes_per_ns = 1};
    if (source == target)
        return;
    uint32_t stops[3] = {source, target, target}, hops = 1;
    if (!*(const uint8_t *)vec_at(&window->reach, (size_t)source * nodes + target)) {
        stops[1] = 0;
        hops = 2;
    }
    double ns_per_byte = 0;
    for (uint32_t h = 0; h < hops; h++) {
        uint32_t pair = stops[h] * nodes + stops[h + 1];
        path->latency_ns += *(const uint64_t *)vec_at(&window->latency, pair);
        ns_per_byte +=
            1 / ((const struct plan_link *)vec_at(&window->plan.links, pair))->bytes_per_ns;
        path->links[path->link_count++] = pair;
    }
    path->bytes_per_ns = 1 / ns_per_byte;
}

/* What the model knows of the way between two nodes. */
static bool window_pair(struct window *window, const struct engine *engine, uint32_t source,
                        uint32_t target)
{
    struct plan_link link = {.bytes_per_ns = 1};
    uint64_t latency_ns = 0;
    uint8_t reach =
        source == 0 || target == 0 ||
        (engine->reaches != NULL && engine->reaches(engine->reaches_user, source, target));
    if (source != target) {
        latency_ns = link_predict_ns(engine->link, source, target, 0);
        uint64_t ns = link_predict_ns(engine->link, source, target, WINDOW_RATE_BYTES) - latency_ns;
        link.bytes_per_ns = (double)WINDOW_RATE_BYTES / (double)(ns > 0 ? ns : 1);
    }
    return vec_push(&window->plan.links, &link) != NULL &&
           vec_push(&window->latency, &latency_ns) != NULL &&
           vec_push(&window->reach, &reach) != NULL;
}

static bool window_links(struct window *window, struct engine *engine)
{
    struct plan_window *plan = &window->plan;
    uint32_t nodes = engine->node_count;
    plan->path = engine->paths != NULL ? window_described : window_path;
    plan->context = window;
    plan->transfers = nodes > 1;
    if (nodes == 1)
        return true;
    if (engine->paths != NULL) {
        for (uint32_t i = 0; i < engine->path_link_count; i++) {
            struct plan_link link = {engine->path_rate(engine->paths_user, i)};
            if (vec_push(&plan->links, &link) == NULL)
                return false;
        }
        return true;
    }
    for (uint32_t i = 0; i < nodes * nodes; i++)
        if (!window_pair(window, engine, i / nodes, i % nodes))
            return false;
    return true;
}

/* What each node holds, where the window's data are more than the smallest of them does. */
static bool window_memory(struct window *window, const struct engine *engine)
{
    struct plan_window *plan = &window->plan;
    uint64_t bytes = 0, least = UINT64_MAX;
    for (uint32_t d = 0; d < plan->data.count; d++)
        bytes += plan_data_at(plan, d)->bytes;
    for (uint32_t n = 1; n < engine->node_count; n++)
        if (engine->nodes[n].heap.ceiling_bytes < least)
            least = engine->nodes[n].heap.ceiling_bytes;
    for (uint32_t n = 0; n < engine->node_count && bytes > least; n++) {
        uint64_t room = n > 0 ? engine->nodes[n].heap.ceiling_bytes : UINT64_MAX;
        uint64_t capacity = room < bytes ? room : 0;
        if (vec_push(&plan->capacity, &capacity) == NULL)
            return false;
    }
    return true;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Successors of what runs are ready when it has ended. */
static void window_followers(struct window *window, const struct engine *engine,
                             const struct task *task, uint64_t end_ns)
{
    struct plan_task *tasks = (struct plan_task *)(void *)window->plan.tasks.items;
    for (uint32_t at = task->succ; at != LINKS_NONE; at = links_at(&engine->links, at)->next) {
        uint32_t number = window_follower(window, engine, at);
        if (number == PLAN_NONE || tasks[number].ready_ns > end_ns)
            continue;
        tasks[number].ready_ns = end_ns;
        window_numbers(&window->after)[number] = task->self;
    }
}

/* Of what is run in pieces: what is left for its own lane. */
static void window_divided(struct window *window, const struct engine *engine)
{
    const struct split *split = engine->split;
    for (size_t i = 0; split != NULL && i < split->open.count; i++) {
        const struct split_open *open = *(struct split_open **)vec_at(&split->open, i);
        const struct task *task = engine_task(engine, open->task);
        window_followers(window, engine, task, split_left_ns(engine, task));
    }
}

/* What is in flight on a lane ends in its order. */
static bool window_running(struct window *window, const struct engine *engine)
{
    size_t count = window->plan.task_count;
    if (!vec_reserve(&window->after, count + 1))
        return false;
    window->after.count = count;
    memset(window->after.items, 0xff, count * sizeof(uint32_t));
    for (uint32_t l = 0; l < engine->lane_count; l++) {
        const struct lane *lane = engine_lane(engine, l);
        uint64_t gone_ns = engine->now_ns - lane->since_ns, sum_ns = 0;
        for (uint64_t at = lane->done + 1; lane->flight_tasks > 0 && at <= lane->issued; at++) {
            uint32_t entry = lane->ring[at & lane->ring_mask];
            if (entry & RING_OP) /* a fence, too */
                continue;
            const struct task *task = engine_task(engine, entry);
            sum_ns += task->predicted_ns;
            window_followers(window, engine, task, sum_ns > gone_ns ? sum_ns - gone_ns : 0);
        }
    }
    window_divided(window, engine);
    return true;
}

static void window_weigh(struct window *window)
{
    const struct plan_window *plan = &window->plan;
    for (uint32_t t = 0; t < plan->task_count; t++) {
        int64_t least_ns = PLAN_CANNOT;
        for (uint32_t c = 0; c < plan_class_count(plan); c++) {
            int64_t ns = plan_cost_ns(plan, plan_task_at(plan, t)->type, c);
            least_ns = ns < least_ns ? ns : least_ns;
        }
        window->work_ns += least_ns == PLAN_CANNOT ? 0 : (uint64_t)least_ns;
    }
}

bool window_fill(struct window *window, struct engine *engine, uint32_t most)
{
    window_clear(window);
    window->engine = engine;
    if (!window_collect(window, engine, most) || !window_tasks(window, engine) ||
        !window_machine(window, engine) || !window_costs(window, engine) ||
        !window_links(window, engine) || !window_memory(window, engine) ||
        !window_running(window, engine))
        return false;
    window_weigh(window);
    return true;
}
