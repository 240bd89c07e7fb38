/* The machine that is simulated: read, made up, and with the costs that a graph brings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/file.h"
#include "cli/sim/sim.h"
#include "cli/common/why.h"

static fgpu_status sim_machine_fail(fgpu_status status, const char *name, char *why,
                                    size_t why_bytes)
{
    const char *text = fgpu_last_error();
    size_t length = strlen(name);
    bool is_named = strncmp(text, name, length) == 0 && text[length] == ':';

    return why_fail(status, why, why_bytes, "%s%s%s", is_named ? "" : name, is_named ? "" : ": ",
                    text[0] ? text : fgpu_status_text(status));
}

fgpu_status sim_machine_load(const char *text, fgpu_machine **machine, char *why, size_t why_bytes)
{
    struct file_bytes bytes = {0};

    *machine = NULL;
    if (strchr(text, ':') && !strchr(text, '/') && access(text, F_OK) != 0) {
        fgpu_status made = fgpu_machine_synth(text, machine);
        return made == FGPU_OK ? made : sim_machine_fail(made, text, why, why_bytes);
    }
    fgpu_status status = file_read(text, CLI_SIM_MACHINE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status = fgpu_machine_parse(text, (const char *)bytes.data, bytes.size_bytes, machine);
    if (status != FGPU_OK)
        (void)sim_machine_fail(status, text, why, why_bytes);
    file_bytes_fini(&bytes);
    return status;
}

fgpu_status sim_machine_devices(struct sim_work *work)
{
    uint32_t device = 0;
    fgpu_status status = FGPU_OK;

    work->devices = calloc(work->info.device_count + (size_t)1, sizeof *work->devices);
    if (!work->devices)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < work->info.class_count && status == FGPU_OK; i++) {
        fgpu_machine_class class = {.struct_bytes = sizeof class};
        status = fgpu_machine_class_at(work->machine, i, &class);
        for (uint32_t k = 0; k < class.count && status == FGPU_OK; k++, device++) {
            struct sim_device *to = &work->devices[device];
            to->class_index = i;
            to->node = class.first_node > 0 ? class.first_node + k : 0;
            (void)snprintf(to->class_name, sizeof to->class_name, "%s", class.name);
            status = fgpu_machine_device_name(work->machine, device, to->name, sizeof to->name);
        }
    }
    return status;
}

/* ---- costs of the graph's own */

/* A name in quotes, as the text format has it. False without memory. */
static bool sim_machine_name(struct file_bytes *text, const char *name)
{
    bool is_good = file_bytes_append(text, " \"", 2);

    for (; *name && is_good; name++) {
        if (*name == '"' || *name == '\\')
            is_good = file_bytes_append(text, "\\", 1);
        is_good = is_good && file_bytes_append(text, name, 1);
    }
    return is_good && file_bytes_append(text, "\"", 1);
}

/* "cost KERNEL on CLASS size N mean_ns X". */
static bool sim_machine_cost(struct file_bytes *text, const struct sim_graph *graph,
                             const struct sim_cost *cost)
{
    char end[96];
    int length = snprintf(end, sizeof end, " size %llu mean_ns %.17g\n",
                          (unsigned long long)cost->size, cost->mean_us * 1e3);

    return file_bytes_append(text, "cost", 4) &&
           sim_machine_name(text, graph->kernels[cost->kernel].name) &&
           file_bytes_append(text, " on", 3) && sim_machine_name(text, cost->class_name) &&
           file_bytes_append(text, end, (size_t)length);
}

fgpu_status sim_machine_extend(fgpu_machine **machine, const struct sim_graph *graph, char *why,
                               size_t why_bytes)
{
    struct file_bytes text = {0};
    fgpu_machine *extended = NULL;
    char *printed = NULL;
    size_t bytes = 0;

    fgpu_status status = fgpu_machine_print(*machine, &printed, &bytes);
    bool is_good = status == FGPU_OK && file_bytes_append(&text, printed, bytes) &&
                   file_bytes_append(&text, "\n", 1);
    for (uint32_t i = 0; i < graph->cost_count && is_good; i++)
        is_good = sim_machine_cost(&text, graph, &graph->costs[i]);
    if (status == FGPU_OK)
        status = is_good ? fgpu_machine_parse(graph->name, (const char *)text.data, text.size_bytes,
                                              &extended)
                         : FGPU_E_NOMEM;
    if (status == FGPU_OK) {
        fgpu_machine_destroy(*machine);
        *machine = extended;
    } else {
        (void)why_fail(status, why, why_bytes, "the graph's costs by class: %s",
                       is_good ? fgpu_last_error() : "no memory");
    }
    fgpu_machine_text_free(printed);
    file_bytes_fini(&text);
    return status;
}
