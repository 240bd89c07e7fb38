/* `fastgpu devices`: what the pool would use on this machine, and how fast it is. Options and
 * words; devices_measure.c measures. What is unknown is "unknown" in the tables and null in JSON.
 * Runs on the main thread.
 */
#include "cli/machine/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/common/log_options.h"
#include "cli/common/options.h"
#include "cli/common/text_table.h"

#define DEVICES_SUBDEVICES_LIMIT 64

static const char devices_text[] =
    "Lists the compute devices that a pool would use, with measured figures: launch\n"
    "is the time from submitting an empty kernel to the end of waiting for it\n"
    "(median), copy is the rate of copies from host memory to where the device\n"
    "works. A device that works in host memory needs no copies: it says shared, with\n"
    "the rate of a copy within host memory. preempt is where work can be stopped for\n"
    "something urgent: between its work groups (groups), between launches of a part\n"
    "of them (slices), or between whole launches.";

struct devices_options {
    const char *pattern; /* NULL: none was given */
    uint64_t subdevices; /* 0: whole */
    bool is_json;
    struct log_options log;
};

static const char *devices_type(uint32_t type)
{
    switch (type) {
    case FGPU_DEVICE_CPU:
        return "cpu";
    case FGPU_DEVICE_GPU:
        return "gpu";
    case FGPU_DEVICE_ACCELERATOR:
        return "accelerator";
    case FGPU_DEVICE_SIMULATED:
        return "simulated";
    case FGPU_DEVICE_NULL:
        return "null";
    default:
        return "unknown";
    }
}

/* Drivers may say anything; tables and JSON get printable ASCII. */
static void devices_clean(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

static const char *devices_or_unknown(const char *text)
{
    return text[0] ? text : "unknown";
}

static void devices_set_bytes(struct text_table_row *row, uint32_t column, bool is_known,
                              double bytes)
{
    if (!is_known)
        text_table_set(row, column, "unknown");
    else if (bytes < (double)(1u << 30))
        text_table_set(row, column, "%.0f MiB", bytes / (double)(1u << 20));
    else
        text_table_set(row, column, "%.1f GiB", bytes / (double)(1u << 30));
}

static void devices_set_known(struct text_table_row *row, uint32_t column, bool is_known,
                              const char *unit, double value)
{
    if (is_known)
        text_table_set(row, column, "%.1f%s", value, unit);
    else
        text_table_set(row, column, "unknown");
}

/* Group 0 are the host's cores. A group that no other device is in has a number that says nothing.
 */
static void devices_set_group(struct text_table_row *row, uint32_t column,
                              const struct devices_row *rows, uint32_t count, uint32_t index)
{
    const fgpu_device_info *info = &rows[index].info;
    bool is_own = info->resource_group != 0;

    if (!(info->valid & FGPU_INFO_RESOURCE_GROUP)) {
        text_table_set(row, column, "unknown");
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        is_own &= i == index || rows[i].info.resource_group != info->resource_group;
    if (is_own)
        text_table_set(row, column, "own");
    else
        text_table_set(row, column, "%u", info->resource_group);
}

static void devices_print_facts(const struct devices_row *rows, uint32_t count)
{
    static const struct text_table_column columns[] = {
        {"id", false},   {"type", false},  {"name", false}, {"vendor", false}, {"driver", false},
        {"units", true}, {"memory", true}, {"node", true},  {"group", true},
    };
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_device_info *info = &rows[i].info;
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "%s", info->id);
        text_table_set(row, 1, "%s", devices_type(info->type));
        text_table_set(row, 2, "%s", devices_or_unknown(info->name));
        text_table_set(row, 3, "%s", devices_or_unknown(info->vendor));
        text_table_set(row, 4, "%s", devices_or_unknown(info->driver));
        if (info->valid & FGPU_INFO_UNITS)
            text_table_set(row, 5, "%u", info->compute_units);
        else
            text_table_set(row, 5, "unknown");
        devices_set_bytes(row, 6, info->valid & FGPU_INFO_MEMORY, (double)info->memory_bytes);
        text_table_set(row, 7, "%u", info->memory_node);
        devices_set_group(row, 8, rows, count, i);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void devices_set_copy(struct text_table_row *row, uint32_t column,
                             const struct devices_row *device)
{
    const char *shared = device->is_copy_shared ? "shared, " : "";

    if (device->known & DEVICES_COPY)
        text_table_set(row, column, "%s%.1f GB/s", shared, device->copy_bytes_per_s / 1e9);
    else
        text_table_set(row, column, "%sunknown", shared);
}

/* The finest way in which work on it makes room. */
static const char *devices_preempt(const struct devices_row *row)
{
    if (!(row->known & DEVICES_PREEMPT))
        return "unknown";
    if (row->preempt & FGPU_PREEMPT_GUARD)
        return "groups";
    return row->preempt & FGPU_PREEMPT_SLICES ? "slices" : "launches";
}

static void devices_print_state(const struct devices_row *rows, uint32_t count)
{
    static const struct text_table_column columns[] = {
        {"id", false},   {"copy", true},        {"launch", true},   {"utilisation", true},
        {"power", true}, {"temperature", true}, {"preempt", false}, {"state", false},
    };
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        const fgpu_device_sample *sample = &rows[i].sample;
        struct text_table_row *row = text_table_add(&table);
        text_table_set(row, 0, "%s", rows[i].info.id);
        devices_set_copy(row, 1, &rows[i]);
        devices_set_known(row, 2, rows[i].known & DEVICES_LAUNCH, " us",
                          rows[i].launch_p50_ns / 1e3);
        devices_set_known(row, 3, sample->valid & FGPU_SAMPLE_UTILISATION, " %",
                          sample->utilisation * 100.0);
        devices_set_known(row, 4, sample->valid & FGPU_SAMPLE_POWER, " W", sample->power_watt);
        devices_set_known(row, 5, sample->valid & FGPU_SAMPLE_TEMPERATURE, " C",
                          sample->temperature_celsius);
        text_table_set(row, 6, "%s", devices_preempt(&rows[i]));
        text_table_set(row, 7, "%s", rows[i].is_lost ? "lost" : "working");
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void devices_json_name(cJSON *object, const char *name, const char *text)
{
    if (text[0])
        json_out_text(object, name, text);
    else
        (void)cJSON_AddNullToObject(object, name);
}

static cJSON *devices_json_live(const struct devices_row *row)
{
    if (!(row->known & DEVICES_PREEMPT))
        return cJSON_CreateNull();
    return cJSON_CreateBool((row->preempt & FGPU_PREEMPT_GUARD) != 0);
}

static void devices_json_facts(cJSON *object, const fgpu_device_info *info)
{
    json_out_text(object, "id", info->id);
    json_out_text(object, "type", devices_type(info->type));
    json_out_text(object, "backend", info->backend);
    devices_json_name(object, "name", info->name);
    devices_json_name(object, "vendor", info->vendor);
    devices_json_name(object, "driver", info->driver);
    json_out_known(object, "compute_units", info->valid & FGPU_INFO_UNITS, info->compute_units);
    json_out_known(object, "clock_mhz", info->valid & FGPU_INFO_CLOCK, info->clock_mhz);
    json_out_known(object, "memory_bytes", info->valid & FGPU_INFO_MEMORY,
                   (double)info->memory_bytes);
    json_out_known(object, "local_memory_bytes", info->valid & FGPU_INFO_LOCAL_MEMORY,
                   (double)info->local_memory_bytes);
    json_out_known(object, "max_group_items", info->valid & FGPU_INFO_MAX_GROUP,
                   info->max_group_items);
    json_out_number(object, "memory_node", info->memory_node);
    json_out_known(object, "resource_group", info->valid & FGPU_INFO_RESOURCE_GROUP,
                   info->resource_group);
    json_out_number(object, "queues", info->queue_count);
}

static bool devices_print_json(const struct devices_row *rows, uint32_t count)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "devices");

    for (uint32_t i = 0; i < count; i++) {
        const fgpu_device_sample *sample = &rows[i].sample;
        cJSON *object = cJSON_CreateObject();
        devices_json_facts(object, &rows[i].info);
        json_out_bool(object, "copy_shared", rows[i].is_copy_shared);
        json_out_known(object, "copy_bytes_per_s", rows[i].known & DEVICES_COPY,
                       rows[i].copy_bytes_per_s);
        json_out_known(object, "launch_p50_ns", rows[i].known & DEVICES_LAUNCH,
                       rows[i].launch_p50_ns);
        (void)cJSON_AddItemToObject(object, "live_flag", devices_json_live(&rows[i]));
        json_out_known(object, "utilisation", sample->valid & FGPU_SAMPLE_UTILISATION,
                       sample->utilisation);
        json_out_known(object, "memory_used_bytes", sample->valid & FGPU_SAMPLE_MEMORY,
                       (double)sample->memory_used_bytes);
        json_out_known(object, "power_watt", sample->valid & FGPU_SAMPLE_POWER, sample->power_watt);
        json_out_known(object, "temperature_celsius", sample->valid & FGPU_SAMPLE_TEMPERATURE,
                       sample->temperature_celsius);
        json_out_bool(object, "lost", rows[i].is_lost);
        (void)cJSON_AddItemToArray(array, object);
    }
    return json_out_print(root);
}

/* Where the user did not choose and no OpenCL device came: why. The library says it to those who
 * ask for one and get none, so that is done. */
static void devices_explain(const struct devices_row *rows, uint32_t count)
{
    fgpu_pool_options options;
    fgpu_pool pool;

    for (uint32_t i = 0; i < count; i++)
        if (strcmp(rows[i].info.backend, "opencl") == 0)
            return;
    fgpu_pool_options_init(&options);
    options.devices = "opencl";
    options.cache_dir = "";
    if (fgpu_pool_open(&options, &pool) == FGPU_OK)
        (void)fgpu_pool_close(pool);
    else
        fprintf(stderr, "fastgpu devices: no OpenCL device is used: %s\n", fgpu_last_error());
}

/* Between the opening of the pool and its end; *is_closable: no task hangs in it. */
static int devices_show(fgpu_pool pool, const struct devices_options *chosen,
                        const volatile sig_atomic_t *stop, bool *is_closable)
{
    struct devices_row *rows;
    uint32_t count;
    fgpu_status status = devices_list(pool, &rows, &count);
    int code = COMMAND_OK;

    if (status != FGPU_OK) {
        free(rows);
        return commands_fail("fastgpu devices", "the devices cannot be listed", status);
    }
    *is_closable = devices_measure(pool, rows, count, stop);
    for (uint32_t i = 0; i < count; i++) {
        devices_clean(rows[i].info.name);
        devices_clean(rows[i].info.vendor);
        devices_clean(rows[i].info.driver);
    }
    if (chosen->is_json && !devices_print_json(rows, count))
        code = COMMAND_FAILED;
    if (!chosen->is_json) {
        devices_print_facts(rows, count);
        printf("\n");
        devices_print_state(rows, count);
    }
    if (!chosen->pattern)
        devices_explain(rows, count);
    if (stop && *stop) {
        fprintf(stderr, "fastgpu devices: stopped before everything was measured\n");
        code = COMMAND_INTERRUPTED;
    }
    free(rows);
    return code;
}

int devices_open(const char *command, const char *pattern, uint64_t subdevices,
                 const struct log_options *log, fgpu_pool *pool)
{
    fgpu_pool_options options;

    fgpu_pool_options_init(&options);
    options.devices = pattern;
    options.subdevices = (uint32_t)subdevices;
    log_options_apply(log, &options);
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, pool);
    return status == FGPU_OK ? COMMAND_OK : commands_fail_open(command, status);
}

int command_devices(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct devices_options chosen = {.log = log_options_none};
    bool is_closable = true;
    const struct option table[] = {
        {"devices", 'd', OPTION_TEXT, &chosen.pattern, "PATTERN",
         "these only, for example cpu or opencl:0; a leading\n- takes away (default: all)", 0, 0,
         NULL},
        {"subdevices", 0, OPTION_NUMBER, &chosen.subdevices, "N",
         "show each CPU that OpenCL offers as N devices", 1, DEVICES_SUBDEVICES_LIMIT, NULL},
        {"json", 0, OPTION_FLAG, &chosen.is_json, NULL, "print one JSON object instead of tables",
         0, 0, NULL},
        LOG_OPTIONS(chosen.log),
    };
    const struct options_page page = {
        .command = "fastgpu devices",
        .text = devices_text,
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
    code = devices_show(pool, &chosen, stop, &is_closable);
    if (is_closable) /* else the process ends with it open: closing would wait for ever */
        (void)fgpu_pool_close(pool);
    return code;
}
