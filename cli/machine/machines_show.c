/* `fastgpu machine show`: a description as tables or as one JSON object. Reading it checks it. Main
 * thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/commands.h"
#include "cli/common/json_out.h"
#include "cli/machine/machines.h"
#include "cli/common/options.h"
#include "cli/common/text_table.h"

static const char show_text[] =
    "Reads a description of a machine, checks it, and prints its classes of devices,\n"
    "links, routes of copies and costs of kernels. A rate of a route is that of a\n"
    "copy that is alone.";

static const char *show_kind(uint32_t kind)
{
    return kind == FGPU_DEVICE_CPU ? "cpu" : kind == FGPU_DEVICE_GPU ? "gpu" : "accelerator";
}

/* The class of that number, or the host. */
static void show_class_name(const fgpu_machine *machine, uint32_t index, char name[64])
{
    fgpu_machine_class class = {.struct_bytes = sizeof class};

    if (index == FGPU_MACHINE_HOST || fgpu_machine_class_at(machine, index, &class) != FGPU_OK)
        (void)snprintf(class.name, sizeof class.name, "host");
    (void)snprintf(name, 64, "%s", class.name);
}

/* ---- tables ----------------------------------------------------------------------------- */

static void show_set_known(struct text_table_row *row, uint32_t column, double value)
{
    if (value == FGPU_MACHINE_UNKNOWN)
        text_table_set(row, column, "unknown");
    else
        text_table_set(row, column, "%.6g", value);
}

static void show_set_memory(struct text_table_row *row, uint32_t column,
                            const fgpu_machine_class *class)
{
    if (class->first_node == 0)
        text_table_set(row, column, "host");
    else if (class->memory_bytes == 0)
        text_table_set(row, column, "unlimited");
    else if (class->memory_bytes < (uint64_t)1 << 30)
        text_table_set(row, column, "%.1f MiB", (double)class->memory_bytes / 0x1p20);
    else
        text_table_set(row, column, "%.2f GiB", (double)class->memory_bytes / 0x1p30);
}

static void show_classes(const fgpu_machine *machine, uint32_t count)
{
    static const struct text_table_column columns[] = {
        {"class", false}, {"kind", false},   {"count", true}, {"first", true},  {"memory", true},
        {"launch", true}, {"GFlop/s", true}, {"GB/s", true},  {"idle W", true}, {"busy W", true}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        fgpu_machine_class class = {.struct_bytes = sizeof class};
        struct text_table_row *row = text_table_add(&table);
        if (!row || fgpu_machine_class_at(machine, i, &class) != FGPU_OK)
            break;
        text_table_set(row, 0, "%s", class.name);
        text_table_set(row, 1, "%s", show_kind(class.kind));
        text_table_set(row, 2, "%u", class.count);
        text_table_set(row, 3, "%u", class.first_device);
        show_set_memory(row, 4, &class);
        text_table_set(row, 5, "%.3f us", (double)class.launch_ns / 1e3);
        show_set_known(row, 6, class.flops_per_ns);
        show_set_known(row, 7, class.bytes_per_ns);
        show_set_known(row, 8, class.idle_watt);
        show_set_known(row, 9, class.busy_watt);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void show_links(const fgpu_machine *machine, uint32_t count)
{
    static const struct text_table_column columns[] = {
        {"link", false}, {"one for", false}, {"GB/s", true}, {"latency", true}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        fgpu_machine_link link = {.struct_bytes = sizeof link};
        char name[64];
        struct text_table_row *row = text_table_add(&table);
        if (!row || fgpu_machine_link_at(machine, i, &link) != FGPU_OK)
            break;
        show_class_name(machine, link.of_class, name);
        text_table_set(row, 0, "%s", link.name);
        if (link.of_class == FGPU_MACHINE_HOST)
            text_table_set(row, 1, "all");
        else if (link.group == 1)
            text_table_set(row, 1, "each %s", name);
        else
            text_table_set(row, 1, "%u of %s", link.group, name);
        text_table_set(row, 2, "%.6g", link.bytes_per_ns);
        text_table_set(row, 3, "%.3f us", (double)link.latency_ns / 1e3);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void show_routes(const fgpu_machine *machine, uint32_t count)
{
    static const struct text_table_column columns[] = {{"from", false},  {"to", false},
                                                       {"within", true}, {"links", true},
                                                       {"GB/s", true},   {"latency", true}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        fgpu_machine_route route = {.struct_bytes = sizeof route};
        char source[64], target[64];
        struct text_table_row *row = text_table_add(&table);
        if (!row || fgpu_machine_route_at(machine, i, &route) != FGPU_OK)
            break;
        show_class_name(machine, route.source, source);
        show_class_name(machine, route.target, target);
        text_table_set(row, 0, "%s", source);
        text_table_set(row, 1, "%s", target);
        if (route.group != 0)
            text_table_set(row, 2, "%u", route.group);
        text_table_set(row, 3, "%u", route.hop_count);
        if (route.bytes_per_ns == FGPU_MACHINE_UNKNOWN)
            text_table_set(row, 4, "no time");
        else
            text_table_set(row, 4, "%.6g", route.bytes_per_ns);
        text_table_set(row, 5, "%.3f us", (double)route.latency_ns / 1e3);
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void show_costs(const fgpu_machine *machine, uint32_t count)
{
    static const struct text_table_column columns[] = {{"kernel", false}, {"class", false},
                                                       {"size", true},    {"mean", true},
                                                       {"+-", true},      {"samples", true}};
    struct text_table table;

    text_table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < count; i++) {
        fgpu_machine_cost cost = {.struct_bytes = sizeof cost};
        char name[64];
        struct text_table_row *row = text_table_add(&table);
        if (!row || fgpu_machine_cost_at(machine, i, &cost) != FGPU_OK)
            break;
        show_class_name(machine, cost.class_index, name);
        text_table_set(row, 0, "%s", cost.kernel);
        text_table_set(row, 1, "%s", name);
        if (cost.size == 0)
            text_table_set(row, 2, "any");
        else
            text_table_set(row, 2, "%" PRIu64, cost.size);
        text_table_set(row, 3, "%.3f us", cost.mean_ns / 1e3);
        text_table_set(row, 4, "%.1f %%", 100.0 * cost.deviation_ns / cost.mean_ns);
        if (cost.samples != 0)
            text_table_set(row, 5, "%" PRIu64, cost.samples);
        else
            text_table_set(row, 5, "unknown");
    }
    text_table_print(&table);
    text_table_fini(&table);
}

static void show_tables(const fgpu_machine *machine, const fgpu_machine_info *info)
{
    const char *note;

    printf("%s: %u devices in %u classes, %u memories with the host's\n",
           info->name[0] ? info->name : "a machine", info->device_count, info->class_count,
           info->node_count);
    for (uint32_t i = 0; i < info->note_count; i++)
        if (fgpu_machine_note_at(machine, i, &note) == FGPU_OK)
            printf("  %s\n", note);
    puts("");
    show_classes(machine, info->class_count);
    if (info->link_count > 0) {
        puts("");
        show_links(machine, info->link_count);
    }
    if (info->route_count > 0) {
        puts("");
        show_routes(machine, info->route_count);
    }
    puts("");
    if (info->cost_count > 0)
        show_costs(machine, info->cost_count);
    else
        puts("No kernel has a cost here; tasks that say their operations take those over GFlop/s.");
}

/* ---- JSON ------------------------------------------------------------------------------- */

static cJSON *show_json_class(const fgpu_machine *machine, uint32_t index)
{
    fgpu_machine_class class = {.struct_bytes = sizeof class};
    cJSON *object = cJSON_CreateObject();

    if (fgpu_machine_class_at(machine, index, &class) != FGPU_OK)
        return object;
    json_out_text(object, "name", class.name);
    json_out_text(object, "kind", show_kind(class.kind));
    json_out_number(object, "count", class.count);
    json_out_number(object, "first_device", class.first_device);
    json_out_known(object, "first_node", class.first_node != 0, class.first_node);
    json_out_known(object, "memory_bytes", class.memory_bytes != 0, (double)class.memory_bytes);
    json_out_number(object, "launch_ns", (double)class.launch_ns);
    json_out_known(object, "flops_per_ns", class.flops_per_ns >= 0.0, class.flops_per_ns);
    json_out_known(object, "bytes_per_ns", class.bytes_per_ns >= 0.0, class.bytes_per_ns);
    json_out_known(object, "idle_watt", class.idle_watt >= 0.0, class.idle_watt);
    json_out_known(object, "busy_watt", class.busy_watt >= 0.0, class.busy_watt);
    return object;
}

static cJSON *show_json_link(const fgpu_machine *machine, uint32_t index)
{
    fgpu_machine_link link = {.struct_bytes = sizeof link};
    char name[64];
    cJSON *object = cJSON_CreateObject();

    if (fgpu_machine_link_at(machine, index, &link) != FGPU_OK)
        return object;
    json_out_text(object, "name", link.name);
    if (link.of_class != FGPU_MACHINE_HOST) {
        show_class_name(machine, link.of_class, name);
        json_out_text(object, "each", name);
        json_out_number(object, "per", link.group);
    }
    json_out_number(object, "bytes_per_ns", link.bytes_per_ns);
    json_out_number(object, "latency_ns", (double)link.latency_ns);
    return object;
}

static cJSON *show_json_hops(const fgpu_machine *machine, uint32_t route, uint32_t count)
{
    static const char *const ends[] = {"", "source", "target"};
    cJSON *list = cJSON_CreateArray();

    for (uint32_t i = 0; i < count; i++) {
        fgpu_machine_link link = {.struct_bytes = sizeof link};
        uint32_t number, end;
        cJSON *hop = cJSON_CreateObject();
        if (fgpu_machine_hop_at(machine, route, i, &number, &end) == FGPU_OK &&
            fgpu_machine_link_at(machine, number, &link) == FGPU_OK) {
            json_out_text(hop, "link", link.name);
            if (end != FGPU_MACHINE_ONCE)
                json_out_text(hop, "of", ends[end]);
        }
        (void)cJSON_AddItemToArray(list, hop);
    }
    return list;
}

static cJSON *show_json_route(const fgpu_machine *machine, uint32_t index)
{
    fgpu_machine_route route = {.struct_bytes = sizeof route};
    char name[64];
    cJSON *object = cJSON_CreateObject();

    if (fgpu_machine_route_at(machine, index, &route) != FGPU_OK)
        return object;
    show_class_name(machine, route.source, name);
    json_out_text(object, "from", name);
    show_class_name(machine, route.target, name);
    json_out_text(object, "to", name);
    json_out_known(object, "within", route.group != 0, route.group);
    json_out_known(object, "bytes_per_ns", route.bytes_per_ns >= 0.0, route.bytes_per_ns);
    json_out_number(object, "latency_ns", (double)route.latency_ns);
    (void)cJSON_AddItemToObject(object, "links", show_json_hops(machine, index, route.hop_count));
    return object;
}

static cJSON *show_json_cost(const fgpu_machine *machine, uint32_t index)
{
    fgpu_machine_cost cost = {.struct_bytes = sizeof cost};
    char name[64];
    cJSON *object = cJSON_CreateObject();

    if (fgpu_machine_cost_at(machine, index, &cost) != FGPU_OK)
        return object;
    show_class_name(machine, cost.class_index, name);
    json_out_text(object, "kernel", cost.kernel);
    json_out_text(object, "class", name);
    json_out_known(object, "size", cost.size != 0, (double)cost.size);
    json_out_number(object, "mean_ns", cost.mean_ns);
    json_out_number(object, "deviation_ns", cost.deviation_ns);
    json_out_known(object, "samples", cost.samples != 0, (double)cost.samples);
    return object;
}

/* A list of what `make` makes of each number. */
static void show_json_list(cJSON *root, const char *name, const fgpu_machine *machine,
                           uint32_t count, cJSON *(*make)(const fgpu_machine *, uint32_t))
{
    cJSON *list = cJSON_AddArrayToObject(root, name);

    for (uint32_t i = 0; i < count; i++)
        (void)cJSON_AddItemToArray(list, make(machine, i));
}

static bool show_json(const fgpu_machine *machine, const fgpu_machine_info *info)
{
    cJSON *root = cJSON_CreateObject();
    const char *note;

    json_out_text(root, "name", info->name);
    json_out_number(root, "device_count", info->device_count);
    json_out_number(root, "node_count", info->node_count);
    cJSON *notes = cJSON_AddArrayToObject(root, "notes");
    for (uint32_t i = 0; i < info->note_count; i++)
        if (fgpu_machine_note_at(machine, i, &note) == FGPU_OK)
            (void)cJSON_AddItemToArray(notes, json_out_string(note));
    show_json_list(root, "classes", machine, info->class_count, show_json_class);
    show_json_list(root, "links", machine, info->link_count, show_json_link);
    show_json_list(root, "routes", machine, info->route_count, show_json_route);
    show_json_list(root, "costs", machine, info->cost_count, show_json_cost);
    return json_out_print(root);
}

/* ---- the command ------------------------------------------------------------------------ */

static int show_run(const char *path, bool is_json)
{
    fgpu_machine_info info = {.struct_bytes = sizeof info};
    int code = COMMAND_OK;
    fgpu_machine *machine = machines_load("fastgpu machine show", path, &code);

    if (!machine)
        return code;
    fgpu_status status = fgpu_machine_get_info(machine, &info);
    if (status != FGPU_OK) {
        code = commands_fail("fastgpu machine show", path, status);
    } else if (!is_json) {
        show_tables(machine, &info);
    } else if (!show_json(machine, &info)) {
        fprintf(stderr, "fastgpu machine show: no memory\n");
        code = COMMAND_FAILED;
    }
    fgpu_machine_destroy(machine);
    return code;
}

int machines_show(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    bool is_json = false;
    uint32_t count = 0;
    char **words = calloc((size_t)argc, sizeof *words);
    const struct option table[] = {
        {"json", 0, OPTION_FLAG, &is_json, NULL, "print one JSON object instead of tables", 0, 0,
         NULL},
    };
    const struct options_page page = {
        .command = "fastgpu machine show",
        .text = show_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "FILE",
        .word_list = words,
        .word_count = &count,
    };

    (void)stop;
    if (!words) {
        fprintf(stderr, "fastgpu machine show: no memory\n");
        return COMMAND_FAILED;
    }
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count != 1)
        outcome =
            options_refuse(&page, "want one file, not %u; see fastgpu machine show --help", count);
    int code = outcome == OPTIONS_GO ? show_run(words[0], is_json) : options_code(outcome);
    free(words);
    return code;
}
