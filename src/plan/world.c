/* The event loop of a simulated world; see world.h. */
#include "plan/world.h"

#include <stdlib.h>

/* ---- life ---------------------------------------------------------------------------------- */

static void *world_array(const struct world *world, size_t count, size_t bytes)
{
    return alloc_get_zeroed(world->hooks, (count + 1) * bytes, 16);
}

static void world_drop(const struct world *world, void *array, size_t count, size_t bytes)
{
    alloc_put(world->hooks, array, (count + 1) * bytes);
}

static void world_least(struct world *world)
{
    for (uint32_t c = 0; c < plan_class_count(world->window); c++) {
        world->least_ns[c] = PLAN_CANNOT;
        for (uint32_t t = 0; t < world->window->type_count; t++) {
            int64_t ns = plan_cost_ns(world->window, t, c);
            world->least_ns[c] = ns < world->least_ns[c] ? ns : world->least_ns[c];
        }
    }
}

bool world_init(struct world *world, const struct plan_window *window)
{
    size_t tasks = window->task_count, workers = window->workers.count;
    memset(world, 0, sizeof *world);
    world->window = window;
    world->hooks = window->tasks.hooks;
    vec_init(&world->holders, sizeof(struct world_holder), world->hooks);
    vec_init(&world->early, sizeof(struct world_early), world->hooks);
    vec_init(&world->ready, sizeof(uint32_t), world->hooks);
    vec_init(&world->later, sizeof(uint32_t), world->hooks);
    world->rank = world_array(world, tasks, sizeof *world->rank);
    world->tail_ns = world_array(world, tasks, sizeof *world->tail_ns);
    world->pending = world_array(world, tasks, sizeof *world->pending);
    world->runs = world_array(world, tasks, sizeof *world->runs);
    world->kept_runs = world_array(world, tasks, sizeof *world->kept_runs);
    world->kept_rank = world_array(world, tasks, sizeof *world->kept_rank);
    world->workers = world_array(world, workers, sizeof *world->workers);
    world->heap = world_array(world, workers, sizeof *world->heap);
    world->touched = world_array(world, 2 * workers, sizeof *world->touched);
    world->price = world_array(world, window->classes.count, sizeof *world->price);
    world->least_ns = world_array(world, window->classes.count, sizeof *world->least_ns);
    world->shared = world_array(world, window->type_count, sizeof *world->shared);
    world->worth = world_array(world, window->type_count, sizeof *world->worth);
    world->limit_ns = INT64_MAX;
    bool good = world->rank != NULL && world->tail_ns != NULL && world->pending != NULL &&
                world->runs != NULL && world->kept_runs != NULL && world->kept_rank != NULL &&
                world->workers != NULL && world->heap != NULL && world->touched != NULL &&
                world->price != NULL && world->shared != NULL && world->least_ns != NULL &&
                world->worth != NULL && vec_reserve(&world->ready, tasks + 1) &&
                world_places_init(world) && world_data_init(world) && world_memory_init(world) &&
                world_judge(world);
    if (!good) {
        world_fini(world);
        return false;
    }
    for (size_t w = 0; w < workers; w++)
        world->workers[w].queue.hooks = world->hooks;
    for (uint32_t t = 0; t < window->type_count; t++)
        world->shared[t].hooks = world->hooks;
    world_least(world);
    return true;
}

void world_fini(struct world *world)
{
    const struct plan_window *window = world->window;
    if (window == NULL)
        return;
    size_t tasks = window->task_count, workers = window->workers.count;
    for (size_t w = 0; world->workers != NULL && w < workers; w++)
        alloc_put(world->hooks, world->workers[w].queue.items,
                  world->workers[w].queue.capacity * sizeof(struct world_item));
    world_drop(world, world->rank, tasks, sizeof *world->rank);
    world_drop(world, world->tail_ns, tasks, sizeof *world->tail_ns);
    world_drop(world, world->pending, tasks, sizeof *world->pending);
    world_drop(world, world->runs, tasks, sizeof *world->runs);
    world_drop(world, world->kept_runs, tasks, sizeof *world->kept_runs);
    world_drop(world, world->kept_rank, tasks, sizeof *world->kept_rank);
    world_drop(world, world->workers, workers, sizeof *world->workers);
    world_drop(world, world->heap, workers, sizeof *world->heap);
    world_drop(world, world->touched, 2 * workers, sizeof *world->touched);
    world_drop(world, world->least_ns, window->classes.count, sizeof *world->least_ns);
    world_drop(world, world->price, window->classes.count, sizeof *world->price);
    world_drop(world, world->worth, window->type_count, sizeof *world->worth);
    for (size_t t = 0; world->shared != NULL && t < window->type_count; t++)
        alloc_put(world->hooks, world->shared[t].items,
                  world->shared[t].capacity * sizeof(struct world_item));
    world_drop(world, world->shared, window->type_count, sizeof *world->shared);
    world_places_fini(world);
    world_memory_fini(world);
    world_data_fini(world);
    vec_fini(&world->early);
    vec_fini(&world->ready);
    vec_fini(&world->later);
    memset(world, 0, sizeof *world);
}

/* ---- running workers by the end of their tasks --------------------------------------------- */

static bool world_sooner(const struct world *world, uint32_t a, uint32_t b)
{
    int64_t a_ns = world->workers[a].end_ns, b_ns = world->workers[b].end_ns;
    return a_ns < b_ns || (a_ns == b_ns && a < b);
}

static void world_heap_push(struct world *world, uint32_t worker)
{
    uint32_t at = world->heap_count++;
    while (at > 0 && world_sooner(world, worker, world->heap[(at - 1) / 2])) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = worker;
}

static uint32_t world_heap_pop(struct world *world)
{
    uint32_t first = world->heap[0], last = world->heap[--world->heap_count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            world_sooner(world, world->heap[child + 1], world->heap[child]))
            child++;
        if (!world_sooner(world, world->heap[child], last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return first;
}

/* ---- queues -------------------------------------------------------------------------------- */

void world_touch(struct world *world, uint32_t worker)
{
    if (world->workers[worker].dirty)
        return;
    world->workers[worker].dirty = true;
    world->touched[world->touched_count++] = worker;
}

static uint32_t world_class(const struct world *world, uint32_t worker)
{
    return plan_worker_at(world->window, worker)->class_index;
}

static int64_t world_order(struct world *world, uint32_t worker, uint32_t task, bool must)
{
    uint32_t node = plan_worker_at(world->window, worker)->node;
    return world->memory == NULL ? world_fetch(world, task, node)
                                 : world_memory_order(world, task, node, must);
}

/* Orders data for the front of a queue. */
static void world_ahead(struct world *world, uint32_t worker)
{
    struct world_queue *queue = &world->workers[worker].queue;
    uint32_t count = queue->count < world->tuning.ahead ? queue->count : world->tuning.ahead;
    for (uint32_t i = 0; i < count; i++) {
        struct world_item *item = &queue->items[queue->head + i];
        if (item->there_ns == WORLD_ABSENT)
            item->there_ns = world_order(world, worker, item->task, false);
    }
}

void world_enqueue(struct world *world, uint32_t worker, uint32_t task)
{
    struct world_item item = {.rank = world->rank[task],
                              .there_ns = WORLD_ABSENT,
                              .task = task,
                              .type = plan_task_at(world->window, task)->type};
    if (world->tuning.ahead == 0)
        item.there_ns = world_order(world, worker, task, false);
    if (!world_queue_insert(&world->workers[worker].queue, &item,
                            world_cost_ns(world, task, world_class(world, worker))))
        return;
    world->workers[worker].version++;
    world->version++;
    world_ahead(world, worker);
    world_loaded(world, worker);
    world_touch(world, worker);
}

uint32_t world_take(struct world *world, uint32_t worker, uint32_t place)
{
    struct world_queue *queue = &world->workers[worker].queue;
    uint32_t task = world_queue_at(queue, place)->task;
    world->taken_from = worker;
    world->taken_ns = world_queue_at(queue, place)->there_ns;
    world_queue_remove(queue, place, world_cost_ns(world, task, world_class(world, worker)));
    world_loaded(world, worker);
    return task;
}

/* Of the first few, the one that can begin first. */
static uint32_t world_front(struct world *world, uint32_t worker)
{
    const struct world_queue *queue = &world->workers[worker].queue;
    uint32_t count = queue->count < world->tuning.look ? queue->count : world->tuning.look;
    uint32_t best = 0;
    int64_t best_ns = INT64_MAX;
    if (queue->count == 0)
        return PLAN_NONE;
    if (world->memory != NULL)
        return world_take(world, worker, world_memory_front(world, worker));
    for (uint32_t i = 0; i < count && best_ns > world->now_ns; i++) {
        if (world_queue_at(queue, i)->there_ns < best_ns) {
            best_ns = world_queue_at(queue, i)->there_ns;
            best = i;
        }
    }
    return world_take(world, worker, best);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static double world_worth(const struct world *world, uint32_t task)
{
    return world->worth[plan_task_at(world->window, task)->type];
}

static void world_run(struct world *world, uint32_t worker, uint32_t task)
{
    struct world_worker *of = &world->workers[worker];
    const struct plan_worker *facts = plan_worker_at(world->window, worker);
    bool ordered =
        world->memory == NULL && world->taken_from == worker && world->taken_ns != WORLD_ABSENT;
    int64_t begin_ns = ordered ? world->taken_ns : world_order(world, worker, task, true);
    begin_ns = world->now_ns > begin_ns ? world->now_ns : begin_ns;
    begin_ns = of->end_ns > begin_ns ? of->end_ns : begin_ns;
    of->running = task;
    world->left -= world_worth(world, task);
    of->end_ns = begin_ns + world_cost_ns(world, task, facts->class_index);
    world->runs[task] = (struct world_run){
        .start_ns = begin_ns, .end_ns = of->end_ns, .worker = worker, .order = world->started++};
    world_heap_push(world, worker);
    world_loaded(world, worker);
}

static void world_start(struct world *world)
{
    for (uint32_t i = 0; i < world->touched_count; i++) {
        uint32_t worker = world->touched[i];
        struct world_worker *of = &world->workers[worker];
        of->dirty = false;
        if (of->running != PLAN_NONE)
            continue;
        bool own = of->queue.count > 0;
        world->taken_from = PLAN_NONE;
        uint32_t task = world->policy->pop != NULL ? world->policy->pop(world, worker)
                                                   : world_front(world, worker);
        if (task == PLAN_NONE && world->tuning.steal)
            task = world_steal(world, worker);
        if (task == PLAN_NONE) {
            world_idle(world, worker);
            continue;
        }
        world_run(world, worker, task);
        world_ahead(world, worker);
        if (!own)
            world_touch_next(world, worker);
    }
    world->touched_count = 0;
}

static int world_by_rank(const void *a, const void *b, void *ranks)
{
    const int64_t *rank = ranks;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    if (rank[left] != rank[right])
        return rank[left] > rank[right] ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* By rank, so that the most urgent task chooses first. */
static void world_push_ready(struct world *world)
{
    uint32_t *ready = (uint32_t *)(void *)world->ready.items;
    if (world->ready.count > 16)
        qsort_r(ready, world->ready.count, sizeof *ready, world_by_rank, world->rank);
    for (size_t i = 1; i < world->ready.count && world->ready.count <= 16; i++) {
        uint32_t task = ready[i];
        size_t at = i;
        for (; at > 0 && world_by_rank(&ready[at - 1], &task, world->rank) > 0; at--)
            ready[at] = ready[at - 1];
        ready[at] = task;
    }
    for (size_t i = 0; i < world->ready.count; i++)
        world->policy->push(world, ready[i]);
    if (world->ready.count > 0 && world->tuning.steal)
        world_touch_idle(world);
    vec_clear(&world->ready);
}

static uint64_t world_ready_ns(const struct world *world, uint32_t task)
{
    return plan_task_at(world->window, task)->ready_ns;
}

static int world_by_time(const void *a, const void *b, void *context)
{
    const struct world *world = context;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    uint64_t left_ns = world_ready_ns(world, left), right_ns = world_ready_ns(world, right);
    if (left_ns != right_ns)
        return left_ns > right_ns ? -1 : 1;
    return left > right ? -1 : left < right;
}

/* Tasks that wait for nothing but what runs already. */
static bool world_begin(struct world *world)
{
    const struct plan_window *window = world->window;
    vec_clear(&world->ready);
    vec_clear(&world->later);
    for (uint32_t i = 0; i < window->task_count; i++) {
        world->pending[i] = plan_task_at(window, i)->predecessors;
        world->left += world_worth(world, i);
        if (world->pending[i] == 0 &&
            vec_push(world_ready_ns(world, i) > 0 ? &world->later : &world->ready, &i) == NULL)
            return false;
    }
    if (world->later.count > 1)
        qsort_r(world->later.items, world->later.count, sizeof(uint32_t), world_by_time, world);
    return true;
}

/* Their time has come before any task ends. True when there were any. */
static bool world_wake(struct world *world)
{
    uint64_t end_ns =
        world->heap_count > 0 ? (uint64_t)world->workers[world->heap[0]].end_ns : UINT64_MAX;
    if (world->later.count == 0)
        return false;
    uint64_t ready_ns =
        world_ready_ns(world, *(uint32_t *)vec_at(&world->later, world->later.count - 1));
    if (ready_ns > end_ns)
        return false;
    world->now_ns = (int64_t)ready_ns > world->now_ns ? (int64_t)ready_ns : world->now_ns;
    while (world->later.count > 0) {
        uint32_t task = *(uint32_t *)vec_at(&world->later, world->later.count - 1);
        if (world_ready_ns(world, task) > ready_ns)
            break;
        (void)vec_push(&world->ready, &task);
        world->later.count--;
    }
    return true;
}

static bool world_reset(struct world *world)
{
    const struct plan_window *window = world->window;
    world->now_ns = world->makespan_ns = 0;
    world->bytes_moved = 0;
    world->version = 0;
    world->left = 0;
    world->started = world->done = world->heap_count = world->touched_count = 0;
    for (uint32_t t = 0; t < window->type_count; t++)
        world->shared[t].head = world->shared[t].count = 0;
    for (uint32_t w = 0; w < window->workers.count; w++) {
        struct world_worker *of = &world->workers[w];
        of->queue.head = of->queue.count = 0;
        of->queue.popped_ns = 0;
        of->end_ns = (int64_t)plan_worker_at(window, w)->free_ns;
        of->running = PLAN_NONE;
        of->dirty = false;
        of->version = 0;
        world_touch(world, w);
    }
    world_early_reset(world);
    world_places_reset(world);
    world_memory_reset(world);
    return world_begin(world) && world_data_reset(world);
}

static void world_end(struct world *world, uint32_t worker)
{
    const struct plan_window *window = world->window;
    const uint32_t *successors = plan_successors(window);
    struct world_worker *of = &world->workers[worker];
    uint32_t task = of->running, end = plan_task_at(window, task + 1)->first_successor;
    of->running = PLAN_NONE;
    world->done++;
    world_memory_release(world, task);
    world_data_write(world, task, plan_worker_at(window, worker)->node);
    for (uint32_t s = plan_task_at(window, task)->first_successor; s < end; s++)
        if (--world->pending[successors[s]] == 0)
            (void)vec_push(&world->ready, &successors[s]);
    world_touch(world, worker);
}

/* Below the limit it cannot end: of what follows from the task that has just ended, or because what
 * has not begun is more than all workers can do by then. */
static bool world_is_over(const struct world *world, uint32_t task)
{
    return world->now_ns + world->tail_ns[task] >= world->limit_ns ||
           world->left > (double)(world->limit_ns - world->now_ns) * world->worth_per_ns;
}

int64_t world_simulate(struct world *world, const struct world_policy *policy,
                       const struct world_tuning *tuning)
{
    world->policy = policy;
    world->tuning = *tuning;
    if (world->absurd || !world_reset(world))
        return INT64_MAX;
    world_ranks(world);
    for (;;) {
        world_push_ready(world);
        world_start(world);
        if (world_wake(world))
            continue;
        if (world->heap_count == 0)
            break;
        if (world->early_first < world->early.count)
            world_early_move(world, world->workers[world->heap[0]].end_ns);
        uint32_t worker = world_heap_pop(world), task = world->workers[worker].running;
        world->now_ns = world->workers[worker].end_ns;
        world_end(world, worker);
        if (world->limit_ns < INT64_MAX && world_is_over(world, task))
            break;
    }
    world->simulated += world->started;
    world->makespan_ns = world->done == world->window->task_count ? world->now_ns : INT64_MAX;
    return world->makespan_ns;
}

static void world_swap_runs(struct world *world)
{
    struct world_run *runs = world->runs;
    world->runs = world->kept_runs;
    world->kept_runs = runs;
}

void world_keep(struct world *world)
{
    world_swap_runs(world);
    memcpy(world->kept_rank, world->rank, world->window->task_count * sizeof *world->rank);
    world->kept_ns = world->makespan_ns;
}

void world_recall(struct world *world)
{
    world_swap_runs(world);
    memcpy(world->rank, world->kept_rank, world->window->task_count * sizeof *world->rank);
    world->ranked = 0; /* the ranks are of whatever was kept */
    world->makespan_ns = world->kept_ns;
}
