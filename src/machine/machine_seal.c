/* Sealing a machine: is everything there and right, and which numbers do devices, nodes and
 * instances of links have? See machine.h; the rules are in docs/machine.md.
 *
 * Thread: one.
 */
#include "machine/machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "machine/machine_names.h"

#define SEAL_NS_MOST 1e18 /* of a kernel: thirty years */
#define SEAL_NS_LEAST 1e-6
#define SEAL_WAIT_MOST UINT64_C(1000000000000000) /* of a launch or a link: eleven days */
#define SEAL_RATE_MOST 1e12                       /* of bytes or operations in a nanosecond */
#define SEAL_RATE_LEAST 1e-9                      /* one in a second */

/* [in] what: "class", for the text. */
static int seal_names(const struct vec *items, const char *what, uint32_t most)
{
    struct machine_names names;
    int status = FGPU_OK;
    if (items->count > most)
        return error_set(FGPU_E_LIMIT, "%zu of %s, at most %u", items->count, what, most);
    machine_names_init(&names, items);
    for (uint32_t i = 0; i < items->count && status == FGPU_OK; i++) {
        const char *name = vec_at(items, i);
        if (name[0] == '\0' || memchr(name, '\0', LIMITS_NAME_BYTES) == NULL)
            status = error_set(FGPU_E_INVAL, "%s %u has no name of 1 to %d letters", what, i,
                               LIMITS_NAME_BYTES - 1);
        else if (machine_names_find(&names, name) != MACHINE_NONE)
            status = error_set(FGPU_E_INVAL, "%s %s is there twice; names are unique", what, name);
        else
            status = machine_names_put(&names, i);
    }
    machine_names_fini(&names);
    return status;
}

static bool seal_is_rate(double value)
{
    return value >= SEAL_RATE_LEAST && value <= SEAL_RATE_MOST; /* false for NaN */
}

/* A figure of a class that may be unknown. */
static int seal_figure(const struct machine_class *class, const char *what, double value,
                       double least)
{
    if (value == MACHINE_UNKNOWN || (value >= least && value <= SEAL_RATE_MOST))
        return FGPU_OK;
    return error_set(FGPU_E_INVAL, "class %s: %s is %g; it is from %g to %g, or left out",
                     class->name, what, value, least, SEAL_RATE_MOST);
}

static int seal_class(const struct machine_class *class)
{
    if (strcmp(class->name, "host") == 0)
        return error_set(FGPU_E_INVAL, "a class cannot be called host: that is the host's memory");
    if (class->kind < MACHINE_CPU || class->kind > MACHINE_ACCELERATOR)
        return error_set(FGPU_E_INVAL, "class %s has no kind (cpu, gpu or accelerator)",
                         class->name);
    if (class->count == 0 || class->count > LIMITS_MACHINE_DEVICES)
        return error_set(FGPU_E_INVAL, "class %s has %u devices; it has 1 to %u", class->name,
                         class->count, LIMITS_MACHINE_DEVICES);
    if (class->first_node == 0 && class->memory_bytes != 0)
        return error_set(FGPU_E_INVAL, "class %s has a size of memory but works in the host's",
                         class->name);
    if (class->memory_bytes > INT64_MAX)
        return error_set(FGPU_E_INVAL, "class %s has %" PRIu64 " bytes of memory, at most 2^63",
                         class->name, class->memory_bytes);
    if (class->launch_ns > SEAL_WAIT_MOST)
        return error_set(FGPU_E_INVAL, "class %s: launch_ns is %" PRIu64 ", at most %" PRIu64,
                         class->name, class->launch_ns, SEAL_WAIT_MOST);
    int status = seal_figure(class, "flops_per_ns", class->flops_per_ns, SEAL_RATE_LEAST);
    if (status == FGPU_OK)
        status = seal_figure(class, "bytes_per_ns", class->bytes_per_ns, SEAL_RATE_LEAST);
    if (status == FGPU_OK)
        status = seal_figure(class, "idle_watt", class->idle_watt, 0.0);
    if (status == FGPU_OK)
        status = seal_figure(class, "busy_watt", class->busy_watt, 0.0);
    return status;
}

static int seal_classes(struct machine *machine)
{
    uint32_t devices = 0, nodes = 1;
    if (machine->classes.count == 0)
        return error_set(FGPU_E_INVAL, "there is no device; a machine has at least one class");
    int status = seal_names(&machine->classes, "class", LIMITS_MACHINE_CLASSES);
    for (size_t i = 0; i < machine->classes.count && status == FGPU_OK; i++) {
        struct machine_class *class = vec_at(&machine->classes, i);
        status = seal_class(class);
        if (status == FGPU_OK && class->count > LIMITS_MACHINE_DEVICES - devices)
            status = error_set(FGPU_E_LIMIT, "class %s: more than %u devices", class->name,
                               LIMITS_MACHINE_DEVICES);
        if (status != FGPU_OK)
            break;
        class->first_device = devices;
        devices += class->count;
        class->node_rank = nodes;
        if (class->first_node != 0) {
            class->first_node = nodes;
            nodes += class->count;
        }
    }
    machine->device_count = devices;
    machine->node_count = nodes;
    return status;
}

/* ---- links ------------------------------------------------------------------------------ */

static int seal_link(const struct machine *machine, struct machine_link *link, uint32_t *instances)
{
    *instances = 1;
    if (!seal_is_rate(link->bytes_per_ns))
        return error_set(FGPU_E_INVAL, "link %s: bytes_per_ns is %g; it is from %g to %g",
                         link->name, link->bytes_per_ns, SEAL_RATE_LEAST, SEAL_RATE_MOST);
    if (link->latency_ns > SEAL_WAIT_MOST)
        return error_set(FGPU_E_INVAL, "link %s: latency_ns is %" PRIu64 ", at most %" PRIu64,
                         link->name, link->latency_ns, SEAL_WAIT_MOST);
    if (link->of_class == MACHINE_SHARED) {
        link->group = 0;
        return FGPU_OK;
    }
    if (link->of_class >= machine->classes.count)
        return error_set(FGPU_E_INVAL, "link %s belongs to class number %u of %zu", link->name,
                         link->of_class, machine->classes.count);
    const struct machine_class *class = vec_at(&machine->classes, link->of_class);
    if (link->group == 0)
        link->group = 1;
    if (class->first_node == 0)
        return error_set(FGPU_E_INVAL,
                         "link %s belongs to class %s, which works in the host's memory",
                         link->name, class->name);
    *instances = (class->count - 1) / link->group + 1;
    return FGPU_OK;
}

static int seal_links(struct machine *machine)
{
    uint32_t sum = 0;
    int status = seal_names(&machine->links, "link", LIMITS_MACHINE_LINKS);
    for (size_t i = 0; i < machine->links.count && status == FGPU_OK; i++) {
        struct machine_link *link = vec_at(&machine->links, i);
        uint32_t instances;
        status = seal_link(machine, link, &instances);
        if (status == FGPU_OK && instances > LIMITS_MACHINE_INSTANCES - sum)
            status = error_set(FGPU_E_LIMIT, "link %s: more than %u links, one for each device",
                               link->name, LIMITS_MACHINE_INSTANCES);
        if (status != FGPU_OK)
            break;
        link->first_instance = sum;
        sum += instances;
    }
    machine->instance_count = sum;
    return status;
}

/* ---- routes ----------------------------------------------------------------------------- */

static const char *seal_end_name(const struct machine *machine, uint32_t end)
{
    return end < machine->classes.count
               ? ((const struct machine_class *)vec_at(&machine->classes, end))->name
               : "host";
}

static bool seal_is_end(const struct machine *machine, uint32_t end)
{
    if (end == MACHINE_HOST)
        return true;
    return end < machine->classes.count &&
           ((const struct machine_class *)vec_at(&machine->classes, end))->first_node != 0;
}

__attribute__((format(printf, 3, 4))) static int seal_route_fail(const struct machine *machine,
                                                                 const struct machine_route *route,
                                                                 const char *format, ...)
{
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return error_set(FGPU_E_INVAL, "route %s -> %s: %s", seal_end_name(machine, route->source),
                     seal_end_name(machine, route->target), text);
}

static int seal_hop(const struct machine *machine, const struct machine_route *route,
                    const struct machine_hop *hop)
{
    if (hop->link >= machine->links.count)
        return seal_route_fail(machine, route, "link number %u of %zu", hop->link,
                               machine->links.count);
    const struct machine_link *link = vec_at(&machine->links, hop->link);
    if (link->of_class == MACHINE_SHARED)
        return hop->end == MACHINE_END_SHARED
                   ? FGPU_OK
                   : seal_route_fail(machine, route,
                                     "link %s is shared; nothing like \"of source\" belongs behind",
                                     link->name);
    const char *owner = seal_end_name(machine, link->of_class);
    if (hop->end == MACHINE_END_SOURCE)
        return link->of_class == route->source
                   ? FGPU_OK
                   : seal_route_fail(machine, route, "link %s is one of %s, not of the source",
                                     link->name, owner);
    if (hop->end == MACHINE_END_TARGET)
        return link->of_class == route->target
                   ? FGPU_OK
                   : seal_route_fail(machine, route, "link %s is one of %s, not of the target",
                                     link->name, owner);
    return seal_route_fail(machine, route,
                           "link %s is one of %s; say \"of source\" or \"of target\" behind it",
                           link->name, owner);
}

static int seal_route(const struct machine *machine, const struct machine_route *route)
{
    bool is_host = route->source == MACHINE_HOST || route->target == MACHINE_HOST;
    uint32_t most = is_host ? MACHINE_HOPS / 2 : MACHINE_HOPS;
    if (!seal_is_end(machine, route->source) || !seal_is_end(machine, route->target))
        return seal_route_fail(machine, route,
                               "an end is the host or a class with memory of its own");
    if (route->source == MACHINE_HOST && route->target == MACHINE_HOST)
        return seal_route_fail(machine, route, "the host has one memory");
    if (route->hop_count > most)
        return seal_route_fail(machine, route, "%u links, at most %u%s", route->hop_count, most,
                               is_host ? " to or from the host" : "");
    if (route->hop_count > machine->hops.count ||
        route->first_hop > machine->hops.count - route->hop_count)
        return seal_route_fail(machine, route, "its links are not in the list");
    if (route->group != 0 && route->source != route->target)
        return seal_route_fail(machine, route, "groups are of one class");
    for (uint32_t i = 0; i < route->hop_count; i++) {
        int status = seal_hop(machine, route, vec_at(&machine->hops, route->first_hop + i));
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

/* By source, target, then the smallest group; any group behind them. */
static int seal_compare_routes(const void *left, const void *right)
{
    const struct machine_route *a = left, *b = right;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    if (a->group != b->group)
        return a->group - 1 < b->group - 1 ? -1 : 1; /* 0 wraps to the end */
    return 0;
}

/* The hops in the order of the routes that own them. */
static int seal_order_hops(struct machine *machine)
{
    struct vec hops;
    size_t count = 0;
    vec_init(&hops, sizeof(struct machine_hop), NULL);
    for (size_t i = 0; i < machine->routes.count; i++)
        count += ((const struct machine_route *)vec_at(&machine->routes, i))->hop_count;
    if (count > LIMITS_MACHINE_HOPS)
        return error_set(FGPU_E_LIMIT, "all routes together cross %zu links, at most %u", count,
                         LIMITS_MACHINE_HOPS);
    if (!vec_reserve(&hops, count))
        return error_set(FGPU_E_NOMEM, "no memory for %zu links of routes", count);
    for (size_t i = 0; i < machine->routes.count; i++) {
        struct machine_route *route = vec_at(&machine->routes, i);
        uint32_t first = (uint32_t)hops.count;
        for (uint32_t k = 0; k < route->hop_count; k++)
            vec_push(&hops, vec_at(&machine->hops, route->first_hop + k));
        route->first_hop = first;
    }
    vec_fini(&machine->hops);
    machine->hops = hops;
    return FGPU_OK;
}

/* Has each class with memory of its own a way to the host and back? */
static int seal_ways(const struct machine *machine)
{
    char seen[LIMITS_MACHINE_CLASSES] = {0};
    for (size_t i = 0; i < machine->routes.count; i++) {
        const struct machine_route *route = vec_at(&machine->routes, i);
        if (route->source == MACHINE_HOST)
            seen[route->target] |= 1;
        else if (route->target == MACHINE_HOST)
            seen[route->source] |= 2;
    }
    for (uint32_t i = 0; i < machine->classes.count; i++) {
        const struct machine_class *class = vec_at(&machine->classes, i);
        if (class->first_node == 0 || seen[i] == 3)
            continue;
        const char *from = seen[i] & 1 ? class->name : "host";
        const char *to = seen[i] & 1 ? "host" : class->name;
        return error_set(FGPU_E_INVAL,
                         "class %s has memory of its own, but nothing leads %s the host; "
                         "\"route %s -> %s\" is missing (without links it takes no time)",
                         class->name, seen[i] & 1 ? "back to" : "there from", from, to);
    }
    return FGPU_OK;
}

static int seal_routes(struct machine *machine)
{
    struct vec *routes = &machine->routes;
    if (routes->count > LIMITS_MACHINE_ROUTES)
        return error_set(FGPU_E_LIMIT, "%zu routes, at most %u", routes->count,
                         LIMITS_MACHINE_ROUTES);
    for (size_t i = 0; i < routes->count; i++) {
        int status = seal_route(machine, vec_at(routes, i));
        if (status != FGPU_OK)
            return status;
    }
    if (routes->count > 0)
        qsort(routes->items, routes->count, routes->item_bytes, seal_compare_routes);
    for (size_t i = 1; i < routes->count; i++)
        if (seal_compare_routes(vec_at(routes, i - 1), vec_at(routes, i)) == 0)
            return seal_route_fail(machine, vec_at(routes, i), "it is there twice");
    int status = seal_order_hops(machine);
    return status == FGPU_OK ? seal_ways(machine) : status;
}

/* ---- costs ------------------------------------------------------------------------------ */

static int seal_compare_costs(const void *left, const void *right)
{
    const struct machine_cost *a = left, *b = right;
    if (a->kernel != b->kernel)
        return a->kernel < b->kernel ? -1 : 1;
    if (a->class_index != b->class_index)
        return a->class_index < b->class_index ? -1 : 1;
    return a->size < b->size ? -1 : a->size > b->size;
}

static int seal_cost(const struct machine *machine, const struct machine_cost *cost)
{
    if (cost->kernel >= machine->kernels.count || cost->class_index >= machine->classes.count)
        return error_set(FGPU_E_INVAL, "a cost is of kernel %u of %zu on class %u of %zu",
                         cost->kernel, machine->kernels.count, cost->class_index,
                         machine->classes.count);
    if (cost->mean_ns >= SEAL_NS_LEAST && cost->mean_ns <= SEAL_NS_MOST &&
        cost->deviation_ns >= 0.0 && cost->deviation_ns <= SEAL_NS_MOST)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL,
                     "cost of %s on %s at size %" PRIu64
                     ": mean %g ns, deviation %g ns; the mean is "
                     "from %g to %g, the deviation from 0",
                     ((const struct machine_kernel *)vec_at(&machine->kernels, cost->kernel))->name,
                     seal_end_name(machine, cost->class_index), cost->size, cost->mean_ns,
                     cost->deviation_ns, SEAL_NS_LEAST, SEAL_NS_MOST);
}

/* Neighbours in the sorted list. */
static int seal_cost_pair(const struct machine *machine, const struct machine_cost *first,
                          const struct machine_cost *second)
{
    if (first->kernel != second->kernel || first->class_index != second->class_index ||
        (first->size != second->size && first->size != MACHINE_ANY_SIZE))
        return FGPU_OK;
    const struct machine_kernel *kernel = vec_at(&machine->kernels, first->kernel);
    const char *class = seal_end_name(machine, first->class_index);
    if (first->size == MACHINE_ANY_SIZE)
        return error_set(FGPU_E_INVAL,
                         "cost of %s on %s: one for any size and others beside it; leave either "
                         "away",
                         kernel->name, class);
    return error_set(FGPU_E_INVAL, "cost of %s on %s at size %" PRIu64 " is there twice",
                     kernel->name, class, first->size);
}

static int seal_costs(struct machine *machine)
{
    struct vec *costs = &machine->costs;
    int status = seal_names(&machine->kernels, "kernel", LIMITS_MACHINE_KERNELS);
    if (status == FGPU_OK && costs->count > LIMITS_MACHINE_COSTS)
        status =
            error_set(FGPU_E_LIMIT, "%zu costs, at most %u", costs->count, LIMITS_MACHINE_COSTS);
    for (size_t i = 0; i < costs->count && status == FGPU_OK; i++)
        status = seal_cost(machine, vec_at(costs, i));
    if (status != FGPU_OK || costs->count == 0)
        return status;
    qsort(costs->items, costs->count, costs->item_bytes, seal_compare_costs);
    for (size_t i = 1; i < costs->count && status == FGPU_OK; i++)
        status = seal_cost_pair(machine, vec_at(costs, i - 1), vec_at(costs, i));
    return status;
}

/* Every kernel has a cost: without one its name would not be printed. */
static int seal_kernels(const struct machine *machine)
{
    uint32_t at = 0; /* costs are in the order of kernels */
    for (size_t i = 0; i < machine->costs.count; i++)
        at += ((const struct machine_cost *)vec_at(&machine->costs, i))->kernel == at;
    if (at == machine->kernels.count)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL, "kernel %s has no cost",
                     ((const struct machine_kernel *)vec_at(&machine->kernels, at))->name);
}

int machine_seal(struct machine *machine)
{
    int status = seal_classes(machine);
    if (status == FGPU_OK && memchr(machine->name, '\0', sizeof machine->name) == NULL)
        status = error_set(FGPU_E_INVAL, "the machine's name has more than %d letters",
                           LIMITS_NAME_BYTES - 1);
    if (status == FGPU_OK)
        status = seal_links(machine);
    if (status == FGPU_OK)
        status = seal_routes(machine);
    if (status == FGPU_OK)
        status = seal_costs(machine);
    return status == FGPU_OK ? seal_kernels(machine) : status;
}
