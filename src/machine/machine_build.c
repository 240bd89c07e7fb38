/* Parts of a machine in the making. See machine_build.h. */
#include "machine/machine_build.h"

#include <string.h>
#include "base/error.h"

void machine_build_init(struct machine_build *build, struct machine *machine)
{
    build->machine = machine;
    machine_names_init(&build->classes, &machine->classes);
    machine_names_init(&build->links, &machine->links);
    machine_names_init(&build->kernels, &machine->kernels);
}

void machine_build_fini(struct machine_build *build)
{
    machine_names_fini(&build->classes);
    machine_names_fini(&build->links);
    machine_names_fini(&build->kernels);
}

static bool build_is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

int machine_build_name(char into[LIMITS_NAME_BYTES], const char *what, const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length >= LIMITS_NAME_BYTES)
        return error_set(FGPU_E_INVAL, "the name of a %s has %zu letters; it has 1 to %d", what,
                         length, LIMITS_NAME_BYTES - 1);
    if (!build_is_printable(text))
        return error_set(FGPU_E_INVAL, "the name of a %s has a control character in it", what);
    memset(into, 0, LIMITS_NAME_BYTES);
    memcpy(into, text, length + 1);
    return FGPU_OK;
}

/* Appends an item. [in] most: how many there may be. */
static int build_push(struct vec *items, const void *item, size_t most, const char *what)
{
    if (items->count >= most)
        return error_set(FGPU_E_LIMIT, "more than %zu %s; that is the limit", most, what);
    if (vec_push(items, item) == NULL)
        return error_set(FGPU_E_NOMEM, "machine: no memory for %s", what);
    return FGPU_OK;
}

/* The name of the last item of a list, new there. */
static int build_named(struct machine_names *names, struct vec *items, const char *what,
                       const char *name)
{
    char checked[LIMITS_NAME_BYTES];
    int status = machine_build_name(checked, what, name);
    if (status == FGPU_OK && machine_names_find(names, checked) != MACHINE_NONE)
        status = error_set(FGPU_E_INVAL, "there is a %s %s already; names are unique", what, name);
    if (status != FGPU_OK) {
        vec_pop(items);
        return status;
    }
    memcpy(vec_at(items, items->count - 1), checked, sizeof checked);
    return machine_names_put(names, (uint32_t)items->count - 1);
}

int machine_build_class(struct machine_build *build, const char *name)
{
    struct vec *classes = &build->machine->classes;
    struct machine_class class;
    machine_class_init(&class);
    int status = build_push(classes, &class, LIMITS_MACHINE_CLASSES, "classes");
    return status == FGPU_OK ? build_named(&build->classes, classes, "class", name) : status;
}

int machine_build_link(struct machine_build *build, const char *name)
{
    struct vec *links = &build->machine->links;
    struct machine_link link = {.bytes_per_ns = MACHINE_UNKNOWN, .of_class = MACHINE_SHARED};
    int status = build_push(links, &link, LIMITS_MACHINE_LINKS, "links");
    return status == FGPU_OK ? build_named(&build->links, links, "link", name) : status;
}

struct machine_class *machine_build_last_class(struct machine_build *build)
{
    return vec_at(&build->machine->classes, build->machine->classes.count - 1);
}

struct machine_link *machine_build_last_link(struct machine_build *build)
{
    return vec_at(&build->machine->links, build->machine->links.count - 1);
}

int machine_build_route(struct machine_build *build, uint32_t source, uint32_t target,
                        uint32_t group)
{
    struct machine_route route = {source, target, group, (uint32_t)build->machine->hops.count, 0};
    return build_push(&build->machine->routes, &route, LIMITS_MACHINE_ROUTES, "routes");
}

int machine_build_hop(struct machine_build *build, uint32_t link, uint32_t end)
{
    struct vec *routes = &build->machine->routes;
    struct machine_route *route = vec_at(routes, routes->count - 1);
    struct machine_hop hop = {link, end};
    if (route->hop_count == MACHINE_HOPS)
        return error_set(FGPU_E_LIMIT, "a route has at most %u links", MACHINE_HOPS);
    int status = build_push(&build->machine->hops, &hop, LIMITS_MACHINE_HOPS, "links in routes");
    route->hop_count += status == FGPU_OK;
    return status;
}

int machine_build_cost(struct machine_build *build, const char *kernel, struct machine_cost *cost)
{
    struct machine *machine = build->machine;
    cost->kernel = machine_names_find(&build->kernels, kernel);
    if (cost->kernel == MACHINE_NONE) {
        int status = build_push(&machine->kernels, NULL, LIMITS_MACHINE_KERNELS, "kernels");
        if (status == FGPU_OK)
            status = build_named(&build->kernels, &machine->kernels, "kernel", kernel);
        if (status != FGPU_OK)
            return status;
        cost->kernel = (uint32_t)machine->kernels.count - 1;
    }
    return build_push(&machine->costs, cost, LIMITS_MACHINE_COSTS, "costs");
}

int machine_build_note(struct machine_build *build, const char *text)
{
    struct vec *notes = &build->machine->notes;
    size_t count = 0, bytes = strlen(text) + 1;
    for (size_t i = 0; i < notes->count; i++)
        count += notes->items[i] == '\0';
    if (count >= LIMITS_MACHINE_NOTES)
        return error_set(FGPU_E_LIMIT, "more than %u notes; that is the limit",
                         LIMITS_MACHINE_NOTES);
    if (bytes > LIMITS_MACHINE_NOTE_BYTES || bytes == 1 || !build_is_printable(text))
        return error_set(FGPU_E_INVAL,
                         "a note has 1 to %u letters, none of them a control character; this one "
                         "has %zu",
                         LIMITS_MACHINE_NOTE_BYTES - 1, bytes - 1);
    if (!vec_reserve(notes, notes->count + bytes))
        return error_set(FGPU_E_NOMEM, "machine: no memory for notes");
    memcpy(notes->items + notes->count, text, bytes);
    notes->count += bytes;
    return FGPU_OK;
}
