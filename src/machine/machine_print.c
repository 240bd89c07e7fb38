/* A machine becomes text that machine_text.c reads back as the same machine.
 *
 * One fact a line, in the order of the lists, each number with as few digits as lead back to it:
 * equal machines give equal text, and a change shows as the lines that it concerns. What is not
 * known is left out. Thread: any.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "machine/machine.h"
#include "machine/machine_number.h"

/* Appends; what failed is remembered. */
struct print_out {
    struct vec *text;
    bool is_full;
};

static void print_bytes(struct print_out *out, const char *text, size_t bytes)
{
    struct vec *vec = out->text;
    size_t need = vec->count + bytes;
    if (out->is_full || (need > vec->capacity && !vec_reserve(vec, need < 256 ? 512 : 2 * need))) {
        out->is_full = true;
        return;
    }
    memcpy(vec->items + vec->count, text, bytes);
    vec->count += bytes;
}

__attribute__((format(printf, 2, 3))) static void print_text(struct print_out *out,
                                                             const char *format, ...)
{
    char text[128];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    FGPU_ASSERT(length >= 0 && (size_t)length < sizeof text);
    print_bytes(out, text, (size_t)length);
}

/* Nothing in it has a meaning of its own, wherever it stands. */
static bool print_is_bare(const char *name)
{
    static const char also[] = "_.-+";
    for (const char *at = name; *at != '\0'; at++)
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= 'A' && *at <= 'Z') &&
            !(*at >= '0' && *at <= '9') && (at == name || strchr(also, *at) == NULL))
            return false;
    return name[0] != '\0';
}

/* A blank, and a name. */
static void print_name(struct print_out *out, const char *name)
{
    print_bytes(out, " ", 1);
    if (print_is_bare(name)) {
        print_bytes(out, name, strlen(name));
        return;
    }
    print_bytes(out, "\"", 1);
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            print_bytes(out, "\\", 1);
        print_bytes(out, name, 1);
    }
    print_bytes(out, "\"", 1);
}

static void print_figure(struct print_out *out, const char *word, double value)
{
    char number[MACHINE_NUMBER_BYTES];
    if (value == MACHINE_UNKNOWN)
        return;
    machine_number_print(value, number);
    print_text(out, "  %s %s\n", word, number);
}

static void print_class(struct print_out *out, const struct machine_class *class)
{
    static const char *const kinds[] = {"", "cpu", "gpu", "accelerator"};
    char memory[MACHINE_NUMBER_BYTES] = "unlimited";
    if (class->memory_bytes != 0)
        machine_number_print_bytes(class->memory_bytes, memory);
    print_text(out, "\nclass");
    print_name(out, class->name);
    print_text(out, "\n  kind %s\n  count %u\n", kinds[class->kind], class->count);
    print_text(out, "  memory %s\n", class->first_node != 0 ? memory : "host");
    if (class->launch_ns != 0)
        print_text(out, "  launch_ns %" PRIu64 "\n", class->launch_ns);
    if (class->units != 0)
        print_text(out, "  units %" PRIu32 "\n", class->units);
    print_figure(out, "flops_per_ns", class->flops_per_ns);
    print_figure(out, "bytes_per_ns", class->bytes_per_ns);
    print_figure(out, "idle_watt", class->idle_watt);
    print_figure(out, "busy_watt", class->busy_watt);
}

static void print_class_name(struct print_out *out, const struct machine *machine, uint32_t index)
{
    if (index == MACHINE_HOST)
        print_text(out, " host");
    else
        print_name(out, ((const struct machine_class *)vec_at(&machine->classes, index))->name);
}

static void print_link(struct print_out *out, const struct machine *machine,
                       const struct machine_link *link)
{
    print_text(out, "\nlink");
    print_name(out, link->name);
    print_text(out, "\n");
    if (link->of_class != MACHINE_SHARED) {
        print_text(out, "  each");
        print_class_name(out, machine, link->of_class);
        if (link->group != 1)
            print_text(out, " per %u", link->group);
        print_text(out, "\n");
    }
    print_figure(out, "bytes_per_ns", link->bytes_per_ns);
    if (link->latency_ns != 0)
        print_text(out, "  latency_ns %" PRIu64 "\n", link->latency_ns);
}

static void print_route(struct print_out *out, const struct machine *machine,
                        const struct machine_route *route)
{
    static const char *const ends[] = {"", " of source", " of target"};
    print_text(out, "\nroute");
    print_class_name(out, machine, route->source);
    print_text(out, " ->");
    print_class_name(out, machine, route->target);
    if (route->group != 0)
        print_text(out, " within %u", route->group);
    print_text(out, "\n");
    for (uint32_t i = 0; i < route->hop_count; i++) {
        const struct machine_hop *hop = vec_at(&machine->hops, route->first_hop + i);
        print_text(out, "  over");
        print_name(out, ((const struct machine_link *)vec_at(&machine->links, hop->link))->name);
        print_text(out, "%s\n", ends[hop->end]);
    }
}

static void print_cost(struct print_out *out, const struct machine *machine,
                       const struct machine_cost *cost)
{
    char number[MACHINE_NUMBER_BYTES];
    print_text(out, "cost");
    print_name(out, ((const struct machine_kernel *)vec_at(&machine->kernels, cost->kernel))->name);
    print_text(out, " on");
    print_class_name(out, machine, cost->class_index);
    if (cost->size == MACHINE_ANY_SIZE)
        print_text(out, " size any");
    else
        print_text(out, " size %" PRIu64, cost->size);
    machine_number_print(cost->mean_ns, number);
    print_text(out, " mean_ns %s", number);
    if (cost->deviation_ns != 0.0) {
        machine_number_print(cost->deviation_ns, number);
        print_text(out, " deviation_ns %s", number);
    }
    if (cost->samples != 0)
        print_text(out, " samples %" PRIu64, cost->samples);
    print_text(out, "\n");
}

/* The costs of a kernel on a class stand together; a blank line parts kernels. */
static void print_costs(struct print_out *out, const struct machine *machine)
{
    uint32_t last = MACHINE_NONE;
    for (size_t i = 0; i < machine->costs.count; i++) {
        const struct machine_cost *cost = vec_at(&machine->costs, i);
        if (cost->kernel != last)
            print_text(out, "\n");
        last = cost->kernel;
        print_cost(out, machine, cost);
    }
}

int machine_print(const struct machine *machine, struct vec *text)
{
    struct print_out out = {.text = text};
    print_text(&out, "fgm 1\n");
    if (machine->name[0] != '\0') {
        print_text(&out, "machine");
        print_name(&out, machine->name);
        print_text(&out, "\n");
    }
    for (size_t i = 0; i < machine->notes.count; i += strlen(machine->notes.items + i) + 1) {
        print_text(&out, "note");
        print_name(&out, machine->notes.items + i);
        print_text(&out, "\n");
    }
    for (size_t i = 0; i < machine->classes.count; i++)
        print_class(&out, vec_at(&machine->classes, i));
    for (size_t i = 0; i < machine->links.count; i++)
        print_link(&out, machine, vec_at(&machine->links, i));
    for (size_t i = 0; i < machine->routes.count; i++)
        print_route(&out, machine, vec_at(&machine->routes, i));
    print_costs(&out, machine);
    if (out.is_full)
        return error_set(FGPU_E_NOMEM, "machine: no memory for the text");
    return FGPU_OK;
}
