/* Any bytes as a description of a machine, and as the line that one is made up from: read or
 * refused with a text, never a crash.
 *
 * What was taken answers every question within its bounds, and is printed as text that is read as
 * the same machine, byte by byte. No memory stays behind.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "machine/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some nodes of all, the last one among them. */
static uint32_t node_of(const struct machine *machine, uint32_t number)
{
    return number < 12 ? number % machine->node_count : machine->node_count - 1;
}

static void check_paths(const struct machine *machine)
{
    uint32_t path[MACHINE_HOPS];
    uint64_t latency_ns;
    char name[96];
    for (uint32_t i = 0; i < 13; i++) {
        for (uint32_t k = 0; k < 13; k++) {
            uint32_t source = node_of(machine, i), target = node_of(machine, k);
            uint32_t count = machine_path(machine, source, target, path, &latency_ns);
            FGPU_ASSERT(count <= MACHINE_HOPS && (source != target || count == 0));
            for (uint32_t hop = 0; hop < count; hop++) {
                FGPU_ASSERT(path[hop] < machine->instance_count);
                FGPU_ASSERT(machine_instance_bytes_per_ns(machine, path[hop]) > 0.0);
                machine_instance_name(machine, path[hop], name);
            }
            (void)machine_path_direct(machine, source, target);
        }
    }
}

static void check_devices(const struct machine *machine)
{
    FGPU_ASSERT(machine->device_count > 0 && machine->node_count <= machine->device_count + 1);
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t device = i < 19 ? i % machine->device_count : machine->device_count - 1;
        uint32_t class = machine_device_class(machine, device);
        uint32_t node = machine_device_node(machine, device);
        FGPU_ASSERT(class < machine->classes.count && node < machine->node_count);
        FGPU_ASSERT(machine_node_class(machine, node) == (node == 0 ? MACHINE_HOST : class));
    }
}

static void check_costs(const struct machine *machine)
{
    for (size_t i = 0; i < machine->costs.count && i < 50; i++) {
        const struct machine_cost *cost = vec_at(&machine->costs, i);
        double mean = 0.0, deviation = -1.0;
        FGPU_ASSERT(machine_cost_ns(machine, cost->kernel, cost->class_index, cost->size, &mean,
                                    &deviation));
        FGPU_ASSERT(mean == cost->mean_ns && deviation == cost->deviation_ns);
        for (uint64_t size = 0; size < UINT64_MAX / 3; size = 3 * size + 1) {
            if (machine_cost_ns(machine, cost->kernel, cost->class_index, size, &mean, &deviation))
                FGPU_ASSERT(mean > 0.0 && isfinite(mean) && deviation >= 0.0 &&
                            isfinite(deviation));
        }
    }
}

/* Printed, read and printed again. */
static void check_text(const struct machine *machine)
{
    struct machine again;
    struct vec first, second;
    vec_init(&first, 1, NULL);
    vec_init(&second, 1, NULL);
    machine_init(&again);
    FGPU_ASSERT(machine_print(machine, &first) == FGPU_OK);
    FGPU_ASSERT(machine_parse(&again, "printed", first.items, first.count) == FGPU_OK);
    FGPU_ASSERT(machine_print(&again, &second) == FGPU_OK);
    FGPU_ASSERT(first.count == second.count);
    FGPU_ASSERT(memcmp(first.items, second.items, first.count) == 0);
    vec_fini(&first);
    vec_fini(&second);
    machine_fini(&again);
}

static void check(struct machine *machine, int status)
{
    if (status != FGPU_OK) {
        FGPU_ASSERT(status == FGPU_E_INVAL || status == FGPU_E_LIMIT || status == FGPU_E_NOMEM);
        FGPU_ASSERT(error_text()[0] != '\0');
    } else {
        check_devices(machine);
        check_paths(machine);
        check_costs(machine);
        check_text(machine);
    }
    machine_fini(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine machine;
    uint64_t before = alloc_live_bytes();
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    machine_init(&machine);
    check(&machine, machine_synth(&machine, text));
    /* Exactly so many bytes, so that a sanitizer sees a read beyond the end. */
    char *exact = realloc(text, size > 0 ? size : 1);
    if (exact == NULL)
        exact = text;
    machine_init(&machine);
    check(&machine, machine_parse(&machine, "fuzz", exact, size));
    FGPU_ASSERT(alloc_live_bytes() == before);
    free(exact);
    return 0;
}
