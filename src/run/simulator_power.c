/* What a described machine draws, and how long a task can take at most: for the power cap, and for
 * what is told of a run. See simulator.h. */
#include <math.h>
#include <stdlib.h>

#include "core/power.h"
#include "run/simulator.h"

#define POWER_NORMAL_MOST 6.0 /* of the noise, in deviations: see simulator_machine.c */
#define POWER_ROUNDING_NS 16  /* ... and a fence before the command */

static const struct machine_class *power_class(const struct machine *machine, uint32_t index)
{
    return vec_at(&machine->classes, index);
}

bool simulator_has_power(const struct machine *machine)
{
    for (uint32_t c = 0; c < machine->classes.count; c++) {
        const struct machine_class *class = power_class(machine, c);
        if (class->count > 0 && (class->idle_watt < 0 || class->busy_watt < 0))
            return false;
    }
    return true;
}

double simulator_idle_watt(const struct machine *machine)
{
    double watt = 0;
    for (uint32_t c = 0; c < machine->classes.count; c++)
        watt += power_class(machine, c)->idle_watt * power_class(machine, c)->count;
    return watt;
}

double simulator_extra_watt(const struct machine *machine, uint32_t class_index)
{
    const struct machine_class *class = power_class(machine, class_index);
    double watt = class->busy_watt - class->idle_watt;
    return watt > 0 ? watt : 0;
}

uint64_t simulator_type_most_ns(const struct simulator *s, uint32_t type, uint32_t class_index)
{
    const struct simulator_cost *cost = simulator_cost(s, type, class_index);
    double noise = s->config.noise;
    double deviation_ns = noise < 0 ? cost->deviation_ns : noise * cost->mean_ns;
    double ns = cost->mean_ns + POWER_NORMAL_MOST * (deviation_ns > 0 ? deviation_ns : 0);
    return power_class(s->config.machine, class_index)->launch_ns + (uint64_t)ceil(ns) +
           POWER_ROUNDING_NS;
}

uint64_t simulator_most_ns(const void *user, uint32_t device, uint32_t task)
{
    const struct simulator *s = user;
    const struct simulator_task *what = simulator_task_at(s, task);
    uint32_t class_index = s->devices[device].class_index;
    if (simulator_cost(s, what->type, class_index)->mean_ns < 0)
        return POWER_FOREVER; /* it does not run there */
    return simulator_type_most_ns(s, what->type, class_index);
}

bool simulator_drew(struct simulator *s, uint32_t class_index, uint64_t start_ns, uint64_t end_ns)
{
    struct simulator_draw draw = {start_ns, end_ns, 0};
    const struct machine_class *class = power_class(s->config.machine, class_index);
    if (class->idle_watt < 0 || class->busy_watt < 0)
        return true;
    draw.watt = class->busy_watt - class->idle_watt;
    return vec_push(&s->draws, &draw) != NULL;
}

/* ---- the peak --------------------------------------------------------------------------- */

/* The draw changes by so much. */
struct power_edge {
    uint64_t at_ns;
    double watt;
};

static int power_by_time(const void *a, const void *b)
{
    const struct power_edge *left = a, *right = b;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    return left->watt < right->watt ? -1 : left->watt > right->watt;
}

/* The energy of a window grows by what is drawn at its end less what was drawn at its beginning: it
 * is largest at a moment where one of them changes. Two passes over the same edges, one behind. */
static double power_largest(const struct power_edge *edges, size_t count)
{
    double energy = 0, most = 0, head_watt = 0, tail_watt = 0;
    size_t head = 0, tail = 0;
    uint64_t at_ns = count > 0 ? edges[0].at_ns : 0;
    while (head < count || tail < count) {
        uint64_t head_ns = head < count ? edges[head].at_ns : UINT64_MAX;
        uint64_t tail_ns = tail < count ? edges[tail].at_ns + POWER_WINDOW_NS : UINT64_MAX;
        uint64_t next_ns = head_ns < tail_ns ? head_ns : tail_ns;
        energy += (head_watt - tail_watt) * (double)(next_ns - at_ns);
        most = energy > most ? energy : most;
        at_ns = next_ns;
        while (head < count && edges[head].at_ns == at_ns)
            head_watt += edges[head++].watt;
        while (tail < count && edges[tail].at_ns + POWER_WINDOW_NS == at_ns)
            tail_watt += edges[tail++].watt;
    }
    return most;
}

bool simulator_peak_watt(struct simulator *s, double *watt)
{
    size_t count = 2 * s->draws.count;
    struct power_edge *edges = alloc_get(NULL, count * sizeof *edges + 1, 16);
    if (edges == NULL)
        return false;
    for (size_t i = 0; i < s->draws.count; i++) {
        const struct simulator_draw *draw = vec_at(&s->draws, i);
        edges[2 * i] = (struct power_edge){draw->start_ns, draw->watt};
        edges[2 * i + 1] = (struct power_edge){draw->end_ns, -draw->watt};
    }
    qsort(edges, count, sizeof *edges, power_by_time);
    *watt = simulator_idle_watt(s->config.machine) +
            power_largest(edges, count) / (double)POWER_WINDOW_NS;
    alloc_put(NULL, edges, count * sizeof *edges + 1);
    return true;
}
