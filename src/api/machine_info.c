/* What a machine description has, one by one. See fastgpu/machine.h.
 *
 * Thread: any; nothing changes.
 */
#include <stdio.h>
#include <string.h>

#include "api/machine.h"
#include "base/error.h"

_Static_assert(sizeof((fgpu_machine_class *)NULL)->name == LIMITS_NAME_BYTES, "names fit");

/* Can the item be asked for, and the answer be put there? [in] struct_bytes: NULL where the answer
 * is no struct of ours. */
static fgpu_status info_check(const char *who, const fgpu_machine *machine, const void *into,
                              const uint32_t *struct_bytes, size_t bytes)
{
    if (machine == NULL || into == NULL)
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", who,
                         machine == NULL ? "machine" : "the place for the answer");
    if (struct_bytes != NULL && *struct_bytes != bytes)
        return error_set(FGPU_E_VERSION, "%s: struct_bytes is %u, this library's is %zu", who,
                         *struct_bytes, bytes);
    return FGPU_OK;
}

static fgpu_status info_range(const char *who, uint32_t index, size_t count)
{
    if (index < count)
        return FGPU_OK;
    return error_set(FGPU_E_RANGE, "%s: index is %u, there are %zu", who, index, count);
}

static uint32_t info_note_count(const struct machine *machine)
{
    uint32_t count = 0;
    for (size_t i = 0; i < machine->notes.count; i++)
        count += machine->notes.items[i] == '\0';
    return count;
}

fgpu_status fgpu_machine_get_info(const fgpu_machine *machine, fgpu_machine_info *info)
{
    fgpu_status status = info_check("fgpu_machine_get_info", machine, info,
                                    info != NULL ? &info->struct_bytes : NULL, sizeof *info);
    if (status != FGPU_OK)
        return status;
    const struct machine *inner = machine_of(machine);
    *info = (fgpu_machine_info){
        .struct_bytes = sizeof *info,
        .class_count = (uint32_t)inner->classes.count,
        .device_count = inner->device_count,
        .node_count = inner->node_count,
        .link_count = (uint32_t)inner->links.count,
        .route_count = (uint32_t)inner->routes.count,
        .cost_count = (uint32_t)inner->costs.count,
        .kernel_count = (uint32_t)inner->kernels.count,
        .note_count = info_note_count(inner),
    };
    memcpy(info->name, inner->name, sizeof info->name);
    return FGPU_OK;
}

static uint32_t info_kind(uint32_t kind)
{
    return kind == MACHINE_CPU   ? FGPU_DEVICE_CPU
           : kind == MACHINE_GPU ? FGPU_DEVICE_GPU
                                 : FGPU_DEVICE_ACCELERATOR;
}

fgpu_status fgpu_machine_class_at(const fgpu_machine *machine, uint32_t index,
                                  fgpu_machine_class *info)
{
    static const char who[] = "fgpu_machine_class_at";
    fgpu_status status =
        info_check(who, machine, info, info != NULL ? &info->struct_bytes : NULL, sizeof *info);
    if (status == FGPU_OK)
        status = info_range(who, index, machine_of(machine)->classes.count);
    if (status != FGPU_OK)
        return status;
    const struct machine_class *class = vec_at(&machine_of(machine)->classes, index);
    *info = (fgpu_machine_class){
        .struct_bytes = sizeof *info,
        .kind = info_kind(class->kind),
        .count = class->count,
        .first_device = class->first_device,
        .first_node = class->first_node,
        .memory_bytes = class->memory_bytes,
        .launch_ns = class->launch_ns,
        .flops_per_ns = class->flops_per_ns,
        .bytes_per_ns = class->bytes_per_ns,
        .idle_watt = class->idle_watt,
        .busy_watt = class->busy_watt,
    };
    memcpy(info->name, class->name, sizeof info->name);
    return FGPU_OK;
}

fgpu_status fgpu_machine_link_at(const fgpu_machine *machine, uint32_t index,
                                 fgpu_machine_link *info)
{
    static const char who[] = "fgpu_machine_link_at";
    fgpu_status status =
        info_check(who, machine, info, info != NULL ? &info->struct_bytes : NULL, sizeof *info);
    if (status == FGPU_OK)
        status = info_range(who, index, machine_of(machine)->links.count);
    if (status != FGPU_OK)
        return status;
    const struct machine_link *link = vec_at(&machine_of(machine)->links, index);
    *info = (fgpu_machine_link){
        .struct_bytes = sizeof *info,
        .of_class = link->of_class,
        .group = link->group,
        .latency_ns = link->latency_ns,
        .bytes_per_ns = link->bytes_per_ns,
    };
    memcpy(info->name, link->name, sizeof info->name);
    return FGPU_OK;
}

/* What a copy gets that is alone: of a link that it crosses n times one n-th. The links of source
 * and target are one where the route stays within a group that shares it. */
static double info_alone(const struct machine *machine, const struct machine_route *route)
{
    double least = FGPU_MACHINE_UNKNOWN;
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const struct machine_hop *hop = vec_at(&machine->hops, route->first_hop + i);
        const struct machine_link *link = vec_at(&machine->links, hop->link);
        uint32_t times = 0;
        for (uint32_t k = 0; k < route->hop_count; k++) {
            const struct machine_hop *other = vec_at(&machine->hops, route->first_hop + k);
            bool is_one = route->group != 0 && link->of_class != MACHINE_SHARED &&
                          link->group % route->group == 0;
            times += other->link == hop->link && (other->end == hop->end || is_one);
        }
        double share = link->bytes_per_ns / times;
        if (least == FGPU_MACHINE_UNKNOWN || share < least)
            least = share;
    }
    return least;
}

fgpu_status fgpu_machine_route_at(const fgpu_machine *machine, uint32_t index,
                                  fgpu_machine_route *info)
{
    static const char who[] = "fgpu_machine_route_at";
    fgpu_status status =
        info_check(who, machine, info, info != NULL ? &info->struct_bytes : NULL, sizeof *info);
    if (status == FGPU_OK)
        status = info_range(who, index, machine_of(machine)->routes.count);
    if (status != FGPU_OK)
        return status;
    const struct machine *inner = machine_of(machine);
    const struct machine_route *route = vec_at(&inner->routes, index);
    *info = (fgpu_machine_route){
        .struct_bytes = sizeof *info,
        .source = route->source,
        .target = route->target,
        .group = route->group,
        .hop_count = route->hop_count,
        .bytes_per_ns = info_alone(inner, route),
    };
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const struct machine_hop *hop = vec_at(&inner->hops, route->first_hop + i);
        info->latency_ns +=
            ((const struct machine_link *)vec_at(&inner->links, hop->link))->latency_ns;
    }
    return FGPU_OK;
}

fgpu_status fgpu_machine_hop_at(const fgpu_machine *machine, uint32_t route, uint32_t index,
                                uint32_t *link, uint32_t *end)
{
    static const char who[] = "fgpu_machine_hop_at";
    fgpu_status status = info_check(who, machine, end != NULL ? link : NULL, NULL, 0);
    if (status == FGPU_OK)
        status = info_range(who, route, machine_of(machine)->routes.count);
    if (status != FGPU_OK)
        return status;
    const struct machine *inner = machine_of(machine);
    const struct machine_route *found = vec_at(&inner->routes, route);
    status = info_range(who, index, found->hop_count);
    if (status != FGPU_OK)
        return status;
    const struct machine_hop *hop = vec_at(&inner->hops, found->first_hop + index);
    *link = hop->link;
    *end = hop->end == MACHINE_END_SHARED   ? FGPU_MACHINE_ONCE
           : hop->end == MACHINE_END_SOURCE ? FGPU_MACHINE_OF_SOURCE
                                            : FGPU_MACHINE_OF_TARGET;
    return FGPU_OK;
}

fgpu_status fgpu_machine_cost_at(const fgpu_machine *machine, uint32_t index,
                                 fgpu_machine_cost *info)
{
    static const char who[] = "fgpu_machine_cost_at";
    fgpu_status status =
        info_check(who, machine, info, info != NULL ? &info->struct_bytes : NULL, sizeof *info);
    if (status == FGPU_OK)
        status = info_range(who, index, machine_of(machine)->costs.count);
    if (status != FGPU_OK)
        return status;
    const struct machine *inner = machine_of(machine);
    const struct machine_cost *cost = vec_at(&inner->costs, index);
    const struct machine_kernel *kernel = vec_at(&inner->kernels, cost->kernel);
    *info = (fgpu_machine_cost){
        .struct_bytes = sizeof *info,
        .class_index = cost->class_index,
        .size = cost->size,
        .samples = cost->samples,
        .mean_ns = cost->mean_ns,
        .deviation_ns = cost->deviation_ns,
    };
    memcpy(info->kernel, kernel->name, sizeof info->kernel);
    return FGPU_OK;
}

fgpu_status fgpu_machine_note_at(const fgpu_machine *machine, uint32_t index, const char **note)
{
    static const char who[] = "fgpu_machine_note_at";
    fgpu_status status = info_check(who, machine, note, NULL, 0);
    if (status == FGPU_OK)
        status = info_range(who, index, info_note_count(machine_of(machine)));
    if (status != FGPU_OK)
        return status;
    *note = machine_of(machine)->notes.items;
    while (index-- > 0)
        *note += strlen(*note) + 1;
    return FGPU_OK;
}

fgpu_status fgpu_machine_device_name(const fgpu_machine *machine, uint32_t device, char *name,
                                     size_t bytes)
{
    static const char who[] = "fgpu_machine_device_name";
    fgpu_status status = info_check(who, machine, bytes > 0 ? name : NULL, NULL, 0);
    if (status == FGPU_OK)
        status = info_range(who, device, machine_of(machine)->device_count);
    if (status != FGPU_OK)
        return status;
    const struct machine *inner = machine_of(machine);
    const struct machine_class *class =
        vec_at(&inner->classes, machine_device_class(inner, device));
    if (class->count == 1)
        snprintf(name, bytes, "%s", class->name);
    else
        snprintf(name, bytes, "%s[%u]", class->name, device - class->first_device);
    return FGPU_OK;
}
