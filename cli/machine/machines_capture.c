/* `fastgpu machine capture`: a description of this machine, all figures measured. Options and the
 * text; machines_measure.c measures.
 *
 * What was measured is written as text and read by the library, which checks it and puts it into
 * its final form. Main thread.
 */
#include "cli/machine/machines_capture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/commands.h"
#include "cli/machine/devices.h"
#include "cli/common/file.h"
#include "cli/common/log_options.h"
#include "cli/machine/machines.h"
#include "cli/common/options.h"

#define CAPTURE_SUBDEVICES_LIMIT 64

static const char capture_text[] =
    "Measures the devices that a pool would use: launch, arithmetic, bandwidth of\n"
    "their memory, copies. Each device becomes a class; of the device cpu each worker\n"
    "becomes a device of its class. What cannot be measured is left out.\n"
    "Takes some seconds a device; leave the machine alone meanwhile.";

struct capture_options {
    const char *pattern;
    const char *output; /* NULL: stdout */
    const char *name;
    uint64_t subdevices;
    struct log_options log;
};

/* ---- text ------------------------------------------------------------------------------- */

/* Appends; false without memory. */
__attribute__((format(printf, 2, 3))) static bool capture_add(struct file_bytes *text,
                                                              const char *format, ...)
{
    char line[512];
    va_list values;

    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length < 0)
        return false;
    return file_bytes_append(text, line,
                             (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* What drivers say becomes what may stand in quotes. */
static void capture_clean(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\')
            *text = '?';
}

/* A figure with six digits; nothing where it is not known. The point is one in every locale: nobody
 * calls setlocale() here. */
static bool capture_figure(struct file_bytes *text, const char *word, double value)
{
    return value <= 0.0 || capture_add(text, "  %s %.6g\n", word, value);
}

static bool capture_is_own(const struct machines_device *device)
{
    return device->info.memory_node != 0;
}

static const char *capture_kind(const struct machines_device *device)
{
    return device->info.type == FGPU_DEVICE_CPU   ? "cpu"
           : device->info.type == FGPU_DEVICE_GPU ? "gpu"
                                                  : "accelerator";
}

static bool capture_class(struct file_bytes *text, const struct machines_device *device)
{
    const struct machines_figures *figures = &device->figures;
    bool is_known = (device->info.valid & FGPU_INFO_MEMORY) && device->info.memory_bytes > 0;
    bool is_good =
        capture_add(text, "\nclass \"%s\"\n  kind %s\n  count %u\n", device->info.id,
                    capture_kind(device), device->is_cores ? device->info.queue_count : 1);

    if (!capture_is_own(device))
        is_good = is_good && capture_add(text, "  memory host\n");
    else if (is_known)
        is_good = is_good && capture_add(text, "  memory %" PRIu64 "\n", device->info.memory_bytes);
    else
        is_good = is_good && capture_add(text, "  memory unlimited\n");
    if (figures->launch_ns > 0.0)
        is_good = is_good && capture_add(text, "  launch_ns %.0f\n", figures->launch_ns);
    return is_good && capture_figure(text, "flops_per_ns", figures->flops_per_ns) &&
           capture_figure(text, "bytes_per_ns", figures->inside_bytes_per_ns) &&
           capture_figure(text, "idle_watt", figures->idle_watt) &&
           capture_figure(text, "busy_watt", figures->busy_watt);
}

/* A link and the route over it. */
static bool capture_way(struct file_bytes *text, const char *id, bool is_to, double bytes_per_ns,
                        double latency_ns)
{
    bool is_good = capture_add(text, "\nlink \"%s %s\"\n  bytes_per_ns %.6g\n  latency_ns %.0f\n",
                               id, is_to ? "in" : "out", bytes_per_ns, latency_ns);

    if (is_to)
        return is_good && capture_add(text, "\nroute host -> \"%s\"\n  over \"%s in\"\n", id, id);
    return is_good && capture_add(text, "\nroute \"%s\" -> host\n  over \"%s out\"\n", id, id);
}

static bool capture_links(struct file_bytes *text, const struct machines_device *device)
{
    const struct machines_figures *figures = &device->figures;

    if (!capture_is_own(device))
        return true;
    return capture_way(text, device->info.id, true, figures->to_bytes_per_ns,
                       figures->to_latency_ns) &&
           capture_way(text, device->info.id, false, figures->from_bytes_per_ns,
                       figures->from_latency_ns);
}

/* Can it be described? A memory that copies do not reach cannot. */
static bool capture_is_whole(const struct machines_device *device)
{
    if (device->figures.trip_ns < 0.0)
        return false;
    if (!capture_is_own(device) ||
        (device->figures.to_bytes_per_ns > 0.0 && device->figures.from_bytes_per_ns > 0.0))
        return true;
    fprintf(stderr, "fastgpu machine capture: %s is left out: its copies could not be measured\n",
            device->info.id);
    return false;
}

static bool capture_notes(struct file_bytes *text, const struct machines_device *devices,
                          uint32_t count)
{
    bool is_good = capture_add(text, "note \"Measured by fastgpu machine capture: medians, each "
                                     "device alone.\"\n");

    for (uint32_t i = 0; i < count && is_good; i++) {
        char name[sizeof devices[i].info.name];
        memcpy(name, devices[i].info.name, sizeof name);
        capture_clean(name);
        is_good = capture_add(text, "note \"%s: %s\"\n", devices[i].info.id, name);
        for (uint32_t k = 0; k < i && is_good; k++)
            if (devices[k].info.resource_group == devices[i].info.resource_group)
                is_good = capture_add(text,
                                      "note \"%s and %s compute with the same cores, which a "
                                      "description cannot say.\"\n",
                                      devices[k].info.id, devices[i].info.id);
    }
    return is_good;
}

static int capture_write(const struct capture_options *chosen,
                         const struct machines_device *devices, uint32_t count)
{
    struct file_bytes text = {0};
    fgpu_machine *machine = NULL;
    char name[64];

    (void)snprintf(name, sizeof name, "%s", chosen->name ? chosen->name : "captured");
    capture_clean(name);
    bool is_good =
        capture_add(&text, "fgm 1\nmachine \"%s\"\n", name) && capture_notes(&text, devices, count);
    for (uint32_t i = 0; i < count && is_good; i++)
        is_good = capture_class(&text, &devices[i]);
    for (uint32_t i = 0; i < count && is_good; i++)
        is_good = capture_links(&text, &devices[i]);
    fgpu_status status =
        is_good ? fgpu_machine_parse("captured", (const char *)text.data, text.size_bytes, &machine)
                : FGPU_E_NOMEM;
    file_bytes_fini(&text);
    if (status != FGPU_OK)
        return commands_fail("fastgpu machine capture", "no description comes of it", status);
    int code = machines_write("fastgpu machine capture", machine, chosen->output);
    fgpu_machine_destroy(machine);
    return code;
}

/* ---- devices ---------------------------------------------------------------------------- */

/* Those that compute. */
static fgpu_status capture_list(fgpu_pool pool, struct machines_device **devices, uint32_t *count)
{
    uint32_t all = 0;
    fgpu_status status = fgpu_device_count(pool, &all);

    *count = 0;
    *devices = status == FGPU_OK ? calloc(all ? all : 1, sizeof **devices) : NULL;
    if (status == FGPU_OK && !*devices)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < all && status == FGPU_OK; i++) {
        struct machines_device *device = &(*devices)[*count];
        device->info.struct_bytes = sizeof device->info;
        status = fgpu_device_at(pool, i, &device->handle);
        if (status == FGPU_OK)
            status = fgpu_device_get_info(device->handle, &device->info);
        if (status != FGPU_OK)
            break;
        capture_clean(device->info.id);
        device->is_cores = strcmp(device->info.backend, "cpu") == 0;
        if (device->info.type == FGPU_DEVICE_NULL || device->info.type == FGPU_DEVICE_SIMULATED)
            fprintf(stderr, "fastgpu machine capture: %s is left out: it computes nothing\n",
                    device->info.id);
        else
            (*count)++;
    }
    return status;
}

/* Measures all. False when `stop` ended it, or a device has hung. */
static bool capture_measure(fgpu_pool pool, struct machines_device *devices, uint32_t *count,
                            const volatile sig_atomic_t *stop)
{
    uint32_t whole = 0;
    struct machines_bench *bench = machines_bench_create(pool, devices, *count, stop);

    if (!bench) {
        fprintf(stderr, "fastgpu machine capture: nothing can be measured: %s\n",
                fgpu_last_error());
        *count = 0;
        return true;
    }
    for (uint32_t i = 0; i < *count; i++) {
        fprintf(stderr, "fastgpu machine capture: %s ...\n", devices[i].info.id);
        if (machines_measure(bench, &devices[i]) == FGPU_E_TIMEOUT)
            return false;
        if (capture_is_whole(&devices[i]))
            devices[whole++] = devices[i];
    }
    *count = whole;
    machines_bench_destroy(bench);
    return true;
}

static int capture_run(fgpu_pool pool, const struct capture_options *chosen,
                       const volatile sig_atomic_t *stop, bool *is_closable)
{
    struct machines_device *devices;
    uint32_t count;
    int code = COMMAND_OK;
    fgpu_status status = capture_list(pool, &devices, &count);

    if (status != FGPU_OK) {
        code = commands_fail("fastgpu machine capture", "the devices cannot be listed", status);
    } else if (!capture_measure(pool, devices, &count, stop)) {
        *is_closable = false;
        code = stop && *stop ? COMMAND_INTERRUPTED : COMMAND_FAILED;
        fprintf(stderr, "fastgpu machine capture: %s\n",
                code == COMMAND_FAILED ? "a device does not answer"
                                       : "stopped; nothing is written");
    } else if (count == 0) {
        fprintf(stderr, "fastgpu machine capture: no device is left to describe\n");
        code = COMMAND_NO_DEVICE;
    } else {
        code = capture_write(chosen, devices, count);
    }
    free(devices);
    return code;
}

int machines_capture(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct capture_options chosen = {.log = log_options_none};
    bool is_closable = true;
    const struct option table[] = {
        {"devices", 'd', OPTION_TEXT, &chosen.pattern, "PATTERN",
         "these only, for example cpu or opencl:0; a leading\n- takes away (default: all)", 0, 0,
         NULL},
        {"subdevices", 0, OPTION_NUMBER, &chosen.subdevices, "N",
         "each CPU that OpenCL offers as N devices", 1, CAPTURE_SUBDEVICES_LIMIT, NULL},
        {"output", 'o', OPTION_TEXT, &chosen.output, "FILE",
         "write it there (default: to the standard output)", 0, 0, NULL},
        {"name", 0, OPTION_TEXT, &chosen.name, "NAME", "of the machine (default: captured)", 0, 0,
         NULL},
        LOG_OPTIONS(chosen.log),
    };
    const struct options_page page = {
        .command = "fastgpu machine capture",
        .text = capture_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };
    fgpu_pool pool;

    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    int code = devices_open(page.command, chosen.pattern, chosen.subdevices, &chosen.log, &pool);
    if (code != COMMAND_OK)
        return code;
    code = capture_run(pool, &chosen, stop, &is_closable);
    if (is_closable) /* else the process ends with it open: closing would wait for ever */
        (void)fgpu_pool_close(pool);
    return code;
}
