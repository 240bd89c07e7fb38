/* Asking a machine: whose device is that, which links does a copy cross, what does a kernel take?
 *
 * Everything here reads a sealed machine (machine_seal.c). Searches are binary over lists that the
 * seal has sorted. Thread: any.
 */
#include "machine/machine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MACHINE_SLOPE_MOST 3.0 /* work of a tile against its edge */

void machine_init(struct machine *machine)
{
    memset(machine, 0, sizeof *machine);
    vec_init(&machine->classes, sizeof(struct machine_class), NULL);
    vec_init(&machine->links, sizeof(struct machine_link), NULL);
    vec_init(&machine->routes, sizeof(struct machine_route), NULL);
    vec_init(&machine->hops, sizeof(struct machine_hop), NULL);
    vec_init(&machine->kernels, sizeof(struct machine_kernel), NULL);
    vec_init(&machine->costs, sizeof(struct machine_cost), NULL);
    vec_init(&machine->notes, 1, NULL);
}

void machine_fini(struct machine *machine)
{
    if (machine == NULL)
        return;
    vec_fini(&machine->classes);
    vec_fini(&machine->links);
    vec_fini(&machine->routes);
    vec_fini(&machine->hops);
    vec_fini(&machine->kernels);
    vec_fini(&machine->costs);
    vec_fini(&machine->notes);
}

void machine_class_init(struct machine_class *class)
{
    *class = (struct machine_class){.flops_per_ns = MACHINE_UNKNOWN,
                                    .bytes_per_ns = MACHINE_UNKNOWN,
                                    .idle_watt = MACHINE_UNKNOWN,
                                    .busy_watt = MACHINE_UNKNOWN};
}

/* ---- devices and nodes ------------------------------------------------------------------ */

uint32_t machine_device_class(const struct machine *machine, uint32_t device)
{
    size_t low = 0, high = machine->classes.count;
    FGPU_ASSERT(device < machine->device_count);
    while (high - low > 1) { /* the last one that begins at or before it */
        size_t middle = low + (high - low) / 2;
        const struct machine_class *class = vec_at(&machine->classes, middle);
        if (class->first_device <= device)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

uint32_t machine_device_node(const struct machine *machine, uint32_t device)
{
    const struct machine_class *class =
        vec_at(&machine->classes, machine_device_class(machine, device));
    return class->first_node != 0 ? class->first_node + (device - class->first_device) : 0;
}

uint32_t machine_node_class(const struct machine *machine, uint32_t node)
{
    FGPU_ASSERT(node < machine->node_count);
    if (node == 0)
        return MACHINE_HOST;
    size_t low = 0, high = machine->classes.count;
    while (high - low > 1) { /* the last one whose nodes begin at or before it */
        size_t middle = low + (high - low) / 2;
        const struct machine_class *class = vec_at(&machine->classes, middle);
        if (class->node_rank <= node)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* ---- paths ------------------------------------------------------------------------------ */

/* One end of a copy. */
struct machine_place {
    uint32_t class_index; /* or MACHINE_HOST */
    uint32_t member;      /* which device of the class */
};

static struct machine_place machine_place_of(const struct machine *machine, uint32_t node)
{
    uint32_t index = machine_node_class(machine, node);
    if (index == MACHINE_HOST)
        return (struct machine_place){MACHINE_HOST, 0};
    const struct machine_class *class = vec_at(&machine->classes, index);
    return (struct machine_place){index, node - class->first_node};
}

/* The first route of the pair; those with small groups come first. */
static size_t machine_route_first(const struct machine *machine, uint32_t source, uint32_t target)
{
    size_t low = 0, high = machine->routes.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct machine_route *route = vec_at(&machine->routes, middle);
        if (route->source < source || (route->source == source && route->target < target))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct machine_route *machine_route_between(const struct machine *machine,
                                                         struct machine_place source,
                                                         struct machine_place target)
{
    size_t at = machine_route_first(machine, source.class_index, target.class_index);
    for (; at < machine->routes.count; at++) {
        const struct machine_route *route = vec_at(&machine->routes, at);
        if (route->source != source.class_index || route->target != target.class_index)
            break;
        if (route->group == 0 || source.member / route->group == target.member / route->group)
            return route;
    }
    return NULL;
}

/* Appends the route's instances. */
static uint32_t machine_route_walk(const struct machine *machine, const struct machine_route *route,
                                   const struct machine_place ends[2], uint32_t *instances,
                                   uint64_t *latency_ns)
{
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const struct machine_hop *hop = vec_at(&machine->hops, route->first_hop + i);
        const struct machine_link *link = vec_at(&machine->links, hop->link);
        uint32_t instance = link->first_instance;
        if (hop->end != MACHINE_END_SHARED)
            instance += ends[hop->end == MACHINE_END_TARGET].member / link->group;
        instances[i] = instance;
        *latency_ns += link->latency_ns;
    }
    return route->hop_count;
}

uint32_t machine_path(const struct machine *machine, uint32_t source_node, uint32_t target_node,
                      uint32_t *instances, uint64_t *latency_ns)
{
    static const struct machine_place host = {MACHINE_HOST, 0};
    *latency_ns = 0;
    if (source_node == target_node)
        return 0;
    struct machine_place source = machine_place_of(machine, source_node);
    struct machine_place target = machine_place_of(machine, target_node);
    const struct machine_route *route = machine_route_between(machine, source, target);
    if (route != NULL)
        return machine_route_walk(machine, route, (struct machine_place[2]){source, target},
                                  instances, latency_ns);
    const struct machine_route *back = machine_route_between(machine, source, host);
    const struct machine_route *forth = machine_route_between(machine, host, target);
    FGPU_ASSERT(back != NULL && forth != NULL); /* sealed */
    uint32_t count = machine_route_walk(machine, back, (struct machine_place[2]){source, host},
                                        instances, latency_ns);
    return count + machine_route_walk(machine, forth, (struct machine_place[2]){host, target},
                                      instances + count, latency_ns);
}

bool machine_path_direct(const struct machine *machine, uint32_t source_node, uint32_t target_node)
{
    return source_node == target_node ||
           machine_route_between(machine, machine_place_of(machine, source_node),
                                 machine_place_of(machine, target_node)) != NULL;
}

/* The link of an instance. */
static const struct machine_link *machine_instance_link(const struct machine *machine,
                                                        uint32_t instance)
{
    size_t low = 0, high = machine->links.count;
    FGPU_ASSERT(instance < machine->instance_count);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const struct machine_link *link = vec_at(&machine->links, middle);
        if (link->first_instance <= instance)
            low = middle;
        else
            high = middle;
    }
    return vec_at(&machine->links, low);
}

double machine_instance_bytes_per_ns(const struct machine *machine, uint32_t instance)
{
    return machine_instance_link(machine, instance)->bytes_per_ns;
}

void machine_instance_name(const struct machine *machine, uint32_t instance, char text[96])
{
    const struct machine_link *link = machine_instance_link(machine, instance);
    if (link->of_class == MACHINE_SHARED)
        snprintf(text, 96, "%s", link->name);
    else
        snprintf(text, 96, "%s[%u]", link->name, instance - link->first_instance);
}

/* ---- costs ------------------------------------------------------------------------------ */

uint32_t machine_kernel_find(const struct machine *machine, const char *name)
{
    for (size_t i = 0; i < machine->kernels.count; i++)
        if (strcmp(((const struct machine_kernel *)vec_at(&machine->kernels, i))->name, name) == 0)
            return (uint32_t)i;
    return MACHINE_NONE;
}

/* The first cost at or behind (kernel, class, size). */
static size_t machine_cost_lower(const struct machine *machine, uint32_t kernel,
                                 uint32_t class_index, uint64_t size)
{
    size_t low = 0, high = machine->costs.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct machine_cost *cost = vec_at(&machine->costs, middle);
        bool is_before = cost->kernel != kernel             ? cost->kernel < kernel
                         : cost->class_index != class_index ? cost->class_index < class_index
                                                            : cost->size < size;
        if (is_before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct machine_cost *machine_cost_at(const struct machine *machine, size_t index,
                                                  uint32_t kernel, uint32_t class_index)
{
    if (index >= machine->costs.count)
        return NULL;
    const struct machine_cost *cost = vec_at(&machine->costs, index);
    return cost->kernel == kernel && cost->class_index == class_index ? cost : NULL;
}

/* At a size that is not listed, from the two nearest that are. [in] is_beyond: not between them. */
static void machine_cost_between(const struct machine_cost *low, const struct machine_cost *high,
                                 uint64_t size, double *mean_ns, double *deviation_ns)
{
    bool is_beyond = size < low->size || size > high->size;
    double whole = log((double)high->size) - log((double)low->size);
    double slope = (log(high->mean_ns) - log(low->mean_ns)) / whole;
    if (is_beyond)
        slope = slope < 0.0 ? 0.0 : slope > MACHINE_SLOPE_MOST ? MACHINE_SLOPE_MOST : slope;
    const struct machine_cost *base = size > high->size ? high : low;
    double away = log((double)size) - log((double)base->size);
    double share = is_beyond ? 0.0 : away / whole;
    double relative = base->deviation_ns / base->mean_ns;
    relative += share * (high->deviation_ns / high->mean_ns - relative);
    *mean_ns = base->mean_ns * exp(slope * away);
    *deviation_ns = *mean_ns * relative;
}

bool machine_cost_ns(const struct machine *machine, uint32_t kernel, uint32_t class_index,
                     uint64_t size, double *mean_ns, double *deviation_ns)
{
    size_t first = machine_cost_lower(machine, kernel, class_index, 0);
    const struct machine_cost *only = machine_cost_at(machine, first, kernel, class_index);
    if (only != NULL && only->size != MACHINE_ANY_SIZE && only->size != size && size > 0) {
        size_t above = machine_cost_lower(machine, kernel, class_index, size);
        only = machine_cost_at(machine, above, kernel, class_index);
        if (only == NULL || only->size != size) {
            size_t high = only == NULL ? above - 1 : above == first ? above + 1 : above;
            const struct machine_cost *two = machine_cost_at(machine, high, kernel, class_index);
            if (two == NULL || high == first)
                return false;
            machine_cost_between(vec_at(&machine->costs, high - 1), two, size, mean_ns,
                                 deviation_ns);
            return true;
        }
    }
    if (only == NULL || (size == 0 && only->size != MACHINE_ANY_SIZE))
        return false;
    *mean_ns = only->mean_ns;
    *deviation_ns = only->deviation_ns;
    return true;
}
