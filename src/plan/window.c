/* Making and taking apart a window; see window.h. Pure, one thread. */
#include "plan/window.h"

void plan_window_init(struct plan_window *window, const struct alloc_hooks *hooks)
{
    memset(window, 0, sizeof *window);
    vec_init(&window->classes, sizeof(struct plan_class), hooks);
    vec_init(&window->workers, sizeof(struct plan_worker), hooks);
    vec_init(&window->costs, sizeof(int64_t), hooks);
    vec_init(&window->tasks, sizeof(struct plan_task), hooks);
    vec_init(&window->accesses, sizeof(struct plan_access), hooks);
    vec_init(&window->successors, sizeof(uint32_t), hooks);
    vec_init(&window->data, sizeof(struct plan_data), hooks);
    vec_init(&window->holders, sizeof(uint32_t), hooks);
    vec_init(&window->links, sizeof(struct plan_link), hooks);
    vec_init(&window->capacity, sizeof(uint64_t), hooks);
}

void plan_window_fini(struct plan_window *window)
{
    vec_fini(&window->classes);
    vec_fini(&window->workers);
    vec_fini(&window->costs);
    vec_fini(&window->tasks);
    vec_fini(&window->accesses);
    vec_fini(&window->successors);
    vec_fini(&window->data);
    vec_fini(&window->holders);
    vec_fini(&window->links);
    vec_fini(&window->capacity);
}

/* ---- edges from accesses ------------------------------------------------------------------- */

struct window_edge {
    uint32_t from, to;
};

struct window_reader {
    uint32_t task, next;
};

/* Who wrote a piece of data last, and who has read it since. */
struct window_last {
    uint32_t writer, readers;
};

struct window_edges {
    struct vec edges;   /* struct window_edge, by `to` */
    struct vec readers; /* struct window_reader */
    struct vec last;    /* struct window_last [data] */
};

static bool window_edge(struct window_edges *edges, uint32_t from, uint32_t to)
{
    for (size_t i = edges->edges.count; i > 0; i--) {
        const struct window_edge *edge = vec_at(&edges->edges, i - 1);
        if (edge->to != to)
            break;
        if (edge->from == from)
            return true;
    }
    return from == to ||
           vec_push(&edges->edges, &(struct window_edge){.from = from, .to = to}) != NULL;
}

static bool window_access(struct window_edges *edges, const struct plan_access *access,
                          uint32_t task)
{
    struct window_last *last = vec_at(&edges->last, access->data);
    bool good = true;
    if (!(access->mode & PLAN_WRITE)) {
        if (last->writer != PLAN_NONE)
            good = window_edge(edges, last->writer, task);
        struct window_reader reader = {.task = task, .next = last->readers};
        last->readers = (uint32_t)edges->readers.count;
        return good && vec_push(&edges->readers, &reader) != NULL;
    }
    if (last->readers == PLAN_NONE && last->writer != PLAN_NONE)
        good = window_edge(edges, last->writer, task);
    for (uint32_t at = last->readers; at != PLAN_NONE && good;) {
        const struct window_reader *reader = vec_at(&edges->readers, at);
        good = window_edge(edges, reader->task, task);
        at = reader->next;
    }
    *last = (struct window_last){.writer = task, .readers = PLAN_NONE};
    return good;
}

/* Compressed rows by the edge's beginning: counting sort. */
static bool window_rows(struct plan_window *window, const struct vec *edges)
{
    struct plan_task *tasks = (struct plan_task *)(void *)window->tasks.items;
    uint32_t count = window->task_count;
    vec_clear(&window->successors);
    if (!vec_reserve(&window->successors, edges->count + 1))
        return false;
    window->successors.count = edges->count;
    for (uint32_t i = 0; i <= count; i++)
        tasks[i].first_successor = tasks[i].predecessors = 0;
    for (size_t i = 0; i < edges->count; i++) {
        const struct window_edge *edge = vec_at(edges, i);
        tasks[edge->from + 1].first_successor++;
        tasks[edge->to].predecessors++;
    }
    for (uint32_t i = 0; i < count; i++)
        tasks[i + 1].first_successor += tasks[i].first_successor;
    uint32_t *successors = (uint32_t *)(void *)window->successors.items;
    /* Backwards, so that the ends of the rows walk down to their beginnings. */
    for (uint32_t i = count; i > 0; i--)
        tasks[i].first_successor = tasks[i - 1].first_successor;
    tasks[0].first_successor = 0;
    for (size_t i = 0; i < edges->count; i++) {
        const struct window_edge *edge = vec_at(edges, i);
        successors[tasks[edge->from + 1].first_successor++] = edge->to;
    }
    return true;
}

bool plan_window_infer(struct plan_window *window)
{
    struct window_edges edges;
    bool good = true;
    vec_init(&edges.edges, sizeof(struct window_edge), window->tasks.hooks);
    vec_init(&edges.readers, sizeof(struct window_reader), window->tasks.hooks);
    vec_init(&edges.last, sizeof(struct window_last), window->tasks.hooks);
    for (size_t i = 0; i < window->data.count && good; i++)
        good = vec_push(&edges.last, &(struct window_last){PLAN_NONE, PLAN_NONE}) != NULL;
    for (uint32_t t = 0; t < window->task_count && good; t++) {
        uint32_t end = plan_task_at(window, t + 1)->first_access;
        for (uint32_t a = plan_task_at(window, t)->first_access; a < end && good; a++)
            good = window_access(&edges, &plan_accesses(window)[a], t);
    }
    good = good && window_rows(window, &edges.edges);
    vec_fini(&edges.edges);
    vec_fini(&edges.readers);
    vec_fini(&edges.last);
    return good;
}
