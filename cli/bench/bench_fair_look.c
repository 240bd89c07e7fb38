/* How fair a series of runs was; see bench_fair.h. Pure.
 *
 * A sweep over the moments at which tasks start and end: between two of them what each tenant gets
 * is a straight line, so that the differences are largest at one of them.
 */
#include "cli/bench/bench_fair.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct fair_moment {
    uint64_t ns;
    uint32_t tenant;
    int32_t change; /* of how many of its tasks run; 0: a tenant's work begins or ends to wait */
};

struct fair_sweep {
    const struct fair_tenant *tenants;
    uint32_t count, devices;
    double served[FAIR_TENANTS]; /* over weight */
    int32_t running[FAIR_TENANTS];
    double base[FAIR_TENANTS][FAIR_TENANTS]; /* [a][b]: what a had, over b, when both began */
    bool counts[FAIR_TENANTS][FAIR_TENANTS];
    double waited; /* device time while somebody waited */
};

static int fair_by_time(const void *a, const void *b)
{
    const struct fair_moment *left = a, *right = b;
    return left->ns < right->ns ? -1 : left->ns > right->ns;
}

static bool fair_waits(const struct fair_tenant *tenant, uint64_t ns)
{
    return ns >= tenant->since_ns && ns <= tenant->until_ns;
}

static void fair_gaps(struct fair_sweep *sweep, uint64_t ns, struct fair_figures *figures)
{
    for (uint32_t a = 0; a < sweep->count; a++)
        for (uint32_t b = 0; b < a; b++) {
            double over = sweep->served[a] - sweep->served[b];
            bool both = fair_waits(&sweep->tenants[a], ns) && fair_waits(&sweep->tenants[b], ns);
            if (both && !sweep->counts[a][b])
                sweep->base[a][b] = over;
            sweep->counts[a][b] = both;
            double gap = both ? fabs(over - sweep->base[a][b]) : 0;
            figures->gap = gap > figures->gap ? gap : figures->gap;
        }
}

/* From one moment to the next. */
static void fair_pass(struct fair_sweep *sweep, uint64_t from_ns, uint64_t to_ns,
                      struct fair_figures *figures)
{
    double ns = (double)(to_ns - from_ns);
    uint32_t waiting = 0;
    int32_t busy = 0;
    for (uint32_t t = 0; t < sweep->count; t++) {
        sweep->served[t] += ns * sweep->running[t] / sweep->tenants[t].weight;
        waiting += fair_waits(&sweep->tenants[t], from_ns) && fair_waits(&sweep->tenants[t], to_ns);
        busy += sweep->running[t];
    }
    if (waiting == 0)
        return;
    sweep->waited += ns * sweep->devices;
    figures->idle += ns * (sweep->devices - (double)busy);
    for (uint32_t t = 0; t < sweep->count && waiting == sweep->count; t++)
        figures->served[t] += ns * sweep->running[t];
}

fgpu_status fair_look(const struct fair_run *runs, uint32_t count,
                      const struct fair_tenant *tenants, uint32_t tenant_count, uint32_t devices,
                      struct fair_figures *figures)
{
    struct fair_sweep sweep = {.tenants = tenants, .count = tenant_count, .devices = devices};
    size_t moments = 0;
    struct fair_moment *list = calloc(2 * (size_t)(count + tenant_count) + 1, sizeof *list);
    if (!list)
        return FGPU_E_NOMEM;
    memset(figures, 0, sizeof *figures);
    for (uint32_t i = 0; i < count; i++) {
        double part = (double)(runs[i].end_ns - runs[i].start_ns) / tenants[runs[i].tenant].weight;
        figures->largest = part > figures->largest ? part : figures->largest;
        list[moments++] = (struct fair_moment){runs[i].start_ns, runs[i].tenant, 1};
        list[moments++] = (struct fair_moment){runs[i].end_ns, runs[i].tenant, -1};
    }
    for (uint32_t t = 0; t < tenant_count; t++) {
        list[moments++] = (struct fair_moment){tenants[t].since_ns, t, 0};
        list[moments++] = (struct fair_moment){tenants[t].until_ns, t, 0};
    }
    qsort(list, moments, sizeof *list, fair_by_time);
    for (size_t i = 0; i < moments; i++) {
        fair_pass(&sweep, i > 0 ? list[i - 1].ns : list[i].ns, list[i].ns, figures);
        sweep.running[list[i].tenant] += list[i].change;
        fair_gaps(&sweep, list[i].ns, figures);
    }
    figures->idle = sweep.waited > 0 ? figures->idle / sweep.waited : 0;
    free(list);
    return FGPU_OK;
}
