/* The event loop of a simulated world; see world.h. */
#include "plan/world.h"

#include <stdlib.h>

#define WORLD_PATH_NODES 64u  /* up to so many nodes every path is looked up once */
#define WORLD_STEAL_ITEMS 16u /* of the end of a queue that a thief looks at */

/* ---- life ---------------------------------------------------------------------------------- */

static void *world_array(size_t count, size_t bytes)
{
    return alloc_get_zeroed(NULL, (count + 1) * bytes, 16);
}

static void world_drop(void *array, size_t count, size_t bytes)
{
    alloc_put(NULL, array, (count + 1) * bytes);
}

static size_t world_path_count(const struct plan_window *window)
{
    return window->transfers && window->node_count <= WORLD_PATH_NODES
               ? (size_t)window->node_count * window->node_count
               : 0;
}

static bool world_paths(struct world *world)
{
    const struct plan_window *window = world->window;
    size_t count = world_path_count(window);
    if (count == 0)
        return true;
    world->paths = world_array(count, sizeof *world->paths);
    if (world->paths == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        window->path(window->context, (uint32_t)(i / window->node_count),
                     (uint32_t)(i % window->node_count), &world->paths[i]);
    return world_thin_paths(world);
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
    vec_init(&world->holders, sizeof(struct world_holder), NULL);
    vec_init(&world->ready, sizeof(uint32_t), NULL);
    world->rank = world_array(tasks, sizeof *world->rank);
    world->tail_ns = world_array(tasks, sizeof *world->tail_ns);
    world->pending = world_array(tasks, sizeof *world->pending);
    world->runs = world_array(tasks, sizeof *world->runs);
    world->workers = world_array(workers, sizeof *world->workers);
    world->heap = world_array(workers, sizeof *world->heap);
    world->touched = world_array(workers, sizeof *world->touched);
    world->holders_of = world_array(window->data.count, sizeof *world->holders_of);
    world->held = world_array(window->data.count, sizeof *world->held);
    world->link_free_ns = world_array(window->links.count, sizeof *world->link_free_ns);
    world->price = world_array(window->classes.count, sizeof *world->price);
    world->least_ns = world_array(window->classes.count, sizeof *world->least_ns);
    world->shared = world_array(window->type_count, sizeof *world->shared);
    bool good = world->rank != NULL && world->tail_ns != NULL && world->pending != NULL &&
                world->runs != NULL && world->workers != NULL && world->heap != NULL &&
                world->touched != NULL && world->holders_of != NULL && world->held != NULL &&
                world->link_free_ns != NULL && world->price != NULL && world->shared != NULL &&
                world->least_ns != NULL && vec_reserve(&world->ready, 64) &&
                vec_reserve(&world->holders, window->data.count + 64) && world_paths(world) &&
                world_prices(world);
    if (good)
        world_least(world);
    else
        world_fini(world);
    return good;
}

void world_fini(struct world *world)
{
    const struct plan_window *window = world->window;
    if (window == NULL)
        return;
    size_t tasks = window->task_count, workers = window->workers.count;
    for (size_t w = 0; world->workers != NULL && w < workers; w++)
        alloc_put(NULL, world->workers[w].queue.items,
                  world->workers[w].queue.capacity * sizeof(struct world_item));
    world_drop(world->rank, tasks, sizeof *world->rank);
    world_drop(world->tail_ns, tasks, sizeof *world->tail_ns);
    world_drop(world->pending, tasks, sizeof *world->pending);
    world_drop(world->runs, tasks, sizeof *world->runs);
    world_drop(world->workers, workers, sizeof *world->workers);
    world_drop(world->heap, workers, sizeof *world->heap);
    world_drop(world->touched, workers, sizeof *world->touched);
    world_drop(world->holders_of, window->data.count, sizeof *world->holders_of);
    world_drop(world->held, window->data.count, sizeof *world->held);
    world_drop(world->link_free_ns, window->links.count, sizeof *world->link_free_ns);
    world_drop(world->least_ns, window->classes.count, sizeof *world->least_ns);
    world_drop(world->price, window->classes.count, sizeof *world->price);
    world_drop(world->paths, world_path_count(window), sizeof *world->paths);
    for (size_t t = 0; world->shared != NULL && world->least_ns != NULL && t < window->type_count;
         t++)
        alloc_put(NULL, world->shared[t].items,
                  world->shared[t].capacity * sizeof(struct world_item));
    world_drop(world->shared, window->type_count, sizeof *world->shared);
    vec_fini(&world->holders);
    vec_fini(&world->ready);
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

int64_t world_free_ns(const struct world *world, uint32_t worker, int64_t rank)
{
    const struct world_worker *of = &world->workers[worker];
    int64_t free_ns = of->end_ns > world->now_ns ? of->end_ns : world->now_ns;
    if (of->queue.count == 0)
        return free_ns;
    return free_ns + world_queue_ahead_ns(&of->queue, world->tuning.by_rank ? rank : INT64_MIN);
}

void world_enqueue(struct world *world, uint32_t worker, uint32_t task)
{
    uint32_t class_index = world_class(world, worker);
    struct world_item item = {.rank = world->rank[task], .task = task, .class_index = class_index};
    (void)world_fetch(world, task, plan_worker_at(world->window, worker)->node);
    if (world_queue_insert(&world->workers[worker].queue, &item,
                           world_cost_ns(world, task, class_index)))
        world_touch(world, worker);
}

uint32_t world_take(struct world *world, uint32_t worker, uint32_t place)
{
    struct world_queue *queue = &world->workers[worker].queue;
    uint32_t task = world_queue_at(queue, place)->task;
    world_queue_remove(queue, place, world_cost_ns(world, task, world_class(world, worker)));
    return task;
}

uint32_t world_best_worker(struct world *world, uint32_t task, uint32_t class_index,
                           struct world_place *place)
{
    const struct plan_class *of = plan_class_at(world->window, class_index);
    uint32_t only = plan_task_at(world->window, task)->only_worker, best = PLAN_NONE;
    uint32_t first = of->first_worker, last = first + of->worker_count, node = PLAN_NONE;
    struct world_place here = {.limit_ns = place->limit_ns};
    int64_t limit_ns = place->limit_ns;
    for (uint32_t w = first; w < last; w++) {
        if (only != PLAN_NONE && only != w)
            continue;
        here.start_ns = world_free_ns(world, w, world->rank[task]);
        if (here.start_ns >= limit_ns)
            continue; /* data cannot make it better */
        if (plan_worker_at(world->window, w)->node != node) {
            node = plan_worker_at(world->window, w)->node;
            here.arrival_ns = world_arrival_ns(world, task, node, &here.moved_ns);
        }
        if (here.arrival_ns > here.start_ns)
            here.start_ns = here.arrival_ns;
        here.worth_ns = here.start_ns + here.moved_ns * world->tuning.move / 256;
        if (here.worth_ns >= limit_ns)
            continue;
        best = w;
        limit_ns = here.worth_ns;
        *place = here;
    }
    return best;
}

/* Of the first few, the one whose data are there first. */
static uint32_t world_front(struct world *world, uint32_t worker)
{
    const struct world_queue *queue = &world->workers[worker].queue;
    uint32_t node = plan_worker_at(world->window, worker)->node, best = 0;
    uint32_t count = queue->count < world->tuning.look ? queue->count : world->tuning.look;
    int64_t best_ns = INT64_MAX, moved_ns;
    if (queue->count == 0)
        return PLAN_NONE;
    for (uint32_t i = 0; i < count && best_ns > world->now_ns; i++) {
        int64_t ns = world_arrival_ns(world, world_queue_at(queue, i)->task, node, &moved_ns);
        if (ns < best_ns) {
            best_ns = ns;
            best = i;
        }
    }
    return world_take(world, worker, best);
}

/* What the thief would end the most earlier than its owner does. */
static uint32_t world_steal(struct world *world, uint32_t thief)
{
    uint32_t victim = PLAN_NONE, place = 0, here = world_class(world, thief);
    uint32_t node = plan_worker_at(world->window, thief)->node;
    int64_t most_ns = 0, moved_ns, soonest_ns = world->now_ns + world->least_ns[here];
    for (uint32_t v = 0; v < world->window->workers.count; v++) {
        const struct world_worker *of = &world->workers[v];
        uint32_t count = of->queue.count;
        if (v == thief || count == 0)
            continue;
        int64_t base_ns = of->end_ns - of->queue.popped_ns;
        if (base_ns + world_queue_at(&of->queue, count - 1)->through_ns <= soonest_ns + most_ns)
            continue;
        for (uint32_t i = count > WORLD_STEAL_ITEMS ? count - WORLD_STEAL_ITEMS : 0; i < count;
             i++) {
            const struct world_item *item = world_queue_at(&of->queue, i);
            int64_t there_ns = base_ns + item->through_ns;
            if (!world_runs(world, item->task, thief) ||
                world->now_ns + world_cost_ns(world, item->task, here) + most_ns >= there_ns)
                continue;
            int64_t ns = world_arrival_ns(world, item->task, node, &moved_ns) +
                         world_cost_ns(world, item->task, here);
            if (there_ns - ns > most_ns) {
                most_ns = there_ns - ns;
                victim = v;
                place = i;
            }
        }
    }
    return victim == PLAN_NONE ? PLAN_NONE : world_take(world, victim, place);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void world_run(struct world *world, uint32_t worker, uint32_t task)
{
    struct world_worker *of = &world->workers[worker];
    const struct plan_worker *facts = plan_worker_at(world->window, worker);
    int64_t begin_ns = world_fetch(world, task, facts->node);
    int64_t ready_ns = (int64_t)plan_task_at(world->window, task)->ready_ns;
    begin_ns = ready_ns > begin_ns ? ready_ns : begin_ns;
    begin_ns = of->end_ns > begin_ns ? of->end_ns : begin_ns;
    of->running = task;
    of->end_ns = begin_ns + world_cost_ns(world, task, facts->class_index);
    world->runs[task] = (struct world_run){
        .start_ns = begin_ns, .end_ns = of->end_ns, .worker = worker, .order = world->started++};
    world_heap_push(world, worker);
}

static void world_start(struct world *world)
{
    for (uint32_t i = 0; i < world->touched_count; i++) {
        uint32_t worker = world->touched[i];
        struct world_worker *of = &world->workers[worker];
        of->dirty = false;
        if (of->running != PLAN_NONE)
            continue;
        uint32_t task = world->policy->pop != NULL ? world->policy->pop(world, worker)
                                                   : world_front(world, worker);
        if (task == PLAN_NONE && world->tuning.steal)
            task = world_steal(world, worker);
        if (task != PLAN_NONE)
            world_run(world, worker, task);
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
    vec_clear(&world->ready);
}

static bool world_reset(struct world *world)
{
    const struct plan_window *window = world->window;
    world->now_ns = world->makespan_ns = 0;
    world->bytes_moved = 0;
    world->started = world->done = world->heap_count = world->touched_count = 0;
    vec_clear(&world->ready);
    for (uint32_t t = 0; t < window->type_count; t++)
        world->shared[t].head = world->shared[t].count = 0;
    for (uint32_t w = 0; w < window->workers.count; w++) {
        struct world_worker *of = &world->workers[w];
        of->queue.head = of->queue.count = 0;
        of->queue.popped_ns = 0;
        of->end_ns = (int64_t)plan_worker_at(window, w)->free_ns;
        of->running = PLAN_NONE;
        of->dirty = false;
        world_touch(world, w);
    }
    for (uint32_t i = 0; i < window->task_count; i++) {
        world->pending[i] = plan_task_at(window, i)->predecessors;
        if (world->pending[i] == 0 && vec_push(&world->ready, &i) == NULL)
            return false;
    }
    return world_data_reset(world);
}

static void world_end(struct world *world, uint32_t worker)
{
    const struct plan_window *window = world->window;
    const uint32_t *successors = plan_successors(window);
    struct world_worker *of = &world->workers[worker];
    uint32_t task = of->running, end = plan_task_at(window, task + 1)->first_successor;
    of->running = PLAN_NONE;
    world->done++;
    world_data_write(world, task, plan_worker_at(window, worker)->node);
    for (uint32_t s = plan_task_at(window, task)->first_successor; s < end; s++)
        if (--world->pending[successors[s]] == 0)
            (void)vec_push(&world->ready, &successors[s]);
    world_touch(world, worker);
}

/* A thief that found nothing looks again when something has been queued. */
static void world_touch_idle(struct world *world)
{
    for (uint32_t w = 0; w < world->window->workers.count; w++)
        if (world->workers[w].running == PLAN_NONE)
            world_touch(world, w);
}

int64_t world_simulate(struct world *world, const struct world_policy *policy,
                       const struct world_tuning *tuning)
{
    world->policy = policy;
    world->tuning = *tuning;
    if (!world_reset(world))
        return INT64_MAX;
    world_ranks(world);
    for (;;) {
        bool pushed = world->ready.count > 0;
        world_push_ready(world);
        if (pushed && tuning->steal)
            world_touch_idle(world);
        world_start(world);
        if (world->heap_count == 0)
            break;
        uint32_t worker = world_heap_pop(world);
        world->now_ns = world->workers[worker].end_ns;
        world_end(world, worker);
    }
    world->makespan_ns = world->now_ns;
    return world->done == world->window->task_count ? world->makespan_ns : INT64_MAX;
}
