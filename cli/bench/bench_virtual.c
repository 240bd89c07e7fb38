/* Tasks with terms in virtual time; see bench_virtual.h. */
#include "cli/bench/bench_virtual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t virtual_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double virtual_unit(uint64_t *state)
{
    return (double)(virtual_random(state) >> 11) / 9007199254740992.0;
}

uint32_t virtual_add(struct virtual_plan *plan, const struct virtual_task *task)
{
    if (plan->count == plan->capacity) {
        uint32_t capacity = plan->capacity == 0 ? 256 : 2 * plan->capacity;
        struct virtual_task *grown = realloc(plan->tasks, capacity * sizeof *grown);
        if (!grown)
            return VIRTUAL_NONE;
        plan->tasks = grown;
        plan->capacity = capacity;
    }
    plan->tasks[plan->count] = *task;
    return plan->count++;
}

void virtual_fini(struct virtual_plan *plan)
{
    free(plan->tasks);
    plan->tasks = NULL;
    plan->count = plan->capacity = 0;
}

/* ---- the order of submission ---------------------------------------------------------------- */

struct virtual_place {
    uint64_t release_ns;
    uint32_t task;
};

static int virtual_by_release(const void *a, const void *b)
{
    const struct virtual_place *left = a, *right = b;
    if (left->release_ns != right->release_ns)
        return left->release_ns < right->release_ns ? -1 : 1;
    return left->task < right->task ? -1 : left->task > right->task;
}

/* What was made to add them. */
struct virtual_order {
    struct virtual_place *places; /* [count], by release */
    uint32_t *numbers;            /* [count]: of each task in the simulation */
};

static bool virtual_order_init(const struct virtual_plan *plan, struct virtual_order *order)
{
    order->places = calloc(plan->count + 1u, sizeof *order->places);
    order->numbers = calloc(plan->count + 1u, sizeof *order->numbers);
    if (!order->places || !order->numbers)
        return false;
    for (uint32_t i = 0; i < plan->count; i++)
        order->places[i] = (struct virtual_place){plan->tasks[i].release_ns, i};
    qsort(order->places, plan->count, sizeof *order->places, virtual_by_release);
    return true;
}

static void virtual_order_fini(struct virtual_order *order)
{
    free(order->places);
    free(order->numbers);
}

/* ---- the simulation ------------------------------------------------------------------------- */

static fgpu_status virtual_add_tasks(fgpu_sim *sim, const struct virtual_plan *plan,
                                     struct virtual_order *order)
{
    uint32_t tenants[VIRTUAL_TENANTS], kernel;
    fgpu_status status = fgpu_sim_kernel(sim, "work", &kernel);
    for (uint32_t i = 0; i < plan->tenants && status == FGPU_OK; i++)
        status = fgpu_sim_tenant(sim, "tenant", plan->weights[i], &tenants[i]);
    for (uint32_t i = 0; i < plan->count && status == FGPU_OK; i++) {
        uint32_t which = order->places[i].task;
        const struct virtual_task *from = &plan->tasks[which];
        const fgpu_sim_task task = {
            .struct_bytes = sizeof task,
            .kernel = kernel,
            .cost_ns = (double)from->work_ns,
            .after = from->after != VIRTUAL_NONE ? &order->numbers[from->after] : NULL,
            .after_count = from->after != VIRTUAL_NONE,
            .release_ns = from->release_ns,
            .deadline_ns = from->deadline_ns,
            .task_class = from->task_class,
            .late = from->late,
            .groups = from->groups,
            .tenant = plan->tenants > 0 ? tenants[from->tenant] : 0};
        status = fgpu_sim_add(sim, &task, &order->numbers[which]);
    }
    return status;
}

static fgpu_status virtual_spans(const fgpu_sim *sim, const struct virtual_plan *plan,
                                 const struct virtual_order *order, struct virtual_span *spans)
{
    fgpu_sim_span span;
    uint64_t until_ns = plan->until_ns > 0 ? plan->until_ns : UINT64_MAX;
    memset(spans, 0, plan->count * sizeof *spans);
    /* Numbers follow the order of submission. */
    for (uint64_t i = 0; fgpu_sim_run_at(sim, i, &span) == FGPU_OK; i++) {
        if (span.task >= plan->count || span.status != FGPU_OK)
            continue;
        uint32_t which = order->places[span.task].task;
        struct virtual_span *into = &spans[which];
        double part = span.parts > 0 ? (double)span.parts / plan->tasks[which].groups : 1;
        if (span.start_ns >= until_ns)
            part = 0;
        else if (span.end_ns > until_ns)
            part *= (double)(until_ns - span.start_ns) / (double)(span.end_ns - span.start_ns);
        into->start_ns = into->ran ? into->start_ns : span.start_ns;
        into->end_ns = span.end_ns;
        into->done += part;
        into->ran = true;
    }
    return FGPU_OK;
}

static int virtual_progress(uint64_t done, uint64_t tasks, void *user)
{
    const volatile sig_atomic_t *const *stop = user;
    (void)done;
    (void)tasks;
    return *stop && **stop != 0;
}

fgpu_status virtual_run(const struct virtual_plan *plan, struct virtual_span *spans,
                        fgpu_sim_result *result)
{
    char text[200], units[32] = "";
    fgpu_machine *machine = NULL;
    fgpu_sim *sim = NULL;
    struct virtual_order order = {NULL, NULL};
    const volatile sig_atomic_t *stop = plan->stop;
    if (plan->units > 0)
        (void)snprintf(units, sizeof units, " units %u\n", plan->units);
    int length = snprintf(text, sizeof text,
                          "fgm 1\nmachine virtual\nclass unit\n kind cpu\n count %u\n"
                          " memory host\n launch_ns %llu\n%s",
                          plan->devices, (unsigned long long)plan->launch_ns, units);

    memset(result, 0, sizeof *result);
    result->struct_bytes = sizeof *result;
    fgpu_status status = virtual_order_init(plan, &order) ? FGPU_OK : FGPU_E_NOMEM;
    if (status == FGPU_OK)
        status = fgpu_machine_parse("virtual", text, (size_t)length, &machine);
    const fgpu_sim_options options = {.struct_bytes = sizeof options,
                                      .flags = FGPU_SIM_TRACE,
                                      .machine = machine,
                                      .policy = "eft",
                                      .seed = plan->seed,
                                      .noise = plan->noise,
                                      .preempt = plan->preempt};
    if (status == FGPU_OK)
        status = fgpu_sim_open(&options, &sim);
    if (status == FGPU_OK)
        status = fgpu_sim_progress(sim, virtual_progress, &stop);
    if (status == FGPU_OK)
        status = virtual_add_tasks(sim, plan, &order);
    if (status == FGPU_OK)
        status = fgpu_sim_run(sim, result);
    if (status == FGPU_OK)
        status = virtual_spans(sim, plan, &order, spans);
    fgpu_sim_close(sim);
    fgpu_machine_destroy(machine);
    virtual_order_fini(&order);
    return status;
}
