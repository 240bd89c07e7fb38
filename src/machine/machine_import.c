/* Published tables become a machine: CSV files of devices, costs, links and routes.
 *
 * Columns are found by their names in the first line; others may stand beside them. Every row of
 * devices is a class. A link exists once, and a copy that names it twice crosses it twice. Without
 * links and routes copies take no time, and a note says so. What is wrong is named with its line.
 * Thread: one.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "machine/machine_build.h"
#include "machine/machine_number.h"

#define IMPORT_COLUMNS 32u /* of a table, with those that are not read */
#define IMPORT_WANTED 6u   /* of them that are read */

/* Reads a table line by line. The fields of the line are those of the wanted columns, closed by a
 * NUL each. */
struct import_reader {
    struct machine_build build;
    const struct machine_tables *tables;
    const struct machine_table *table;
    const char *at, *end;
    uint32_t line;
    uint32_t wanted_count;
    uint32_t columns;                 /* in the first line */
    uint32_t place_of[IMPORT_WANTED]; /* in which column */
    const char *fields[IMPORT_COLUMNS];
    const char *wanted[IMPORT_WANTED];
    char letters[LIMITS_MACHINE_LINE_BYTES + 1];
};

__attribute__((format(printf, 2, 3))) static int import_fail(const struct import_reader *reader,
                                                             const char *format, ...)
{
    char text[LIMITS_ERROR_TEXT];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return error_set(FGPU_E_INVAL, "%s:%u: %s", reader->table->name, reader->line, text);
}

static int import_pass(const struct import_reader *reader, int status)
{
    if (status == FGPU_OK)
        return status;
    return error_set((fgpu_status)status, "%s:%u: %s", reader->table->name, reader->line,
                     error_text());
}

/* ---- lines ------------------------------------------------------------------------------ */

/* Cuts the line at its commas. */
static int import_cut(struct import_reader *reader, const char *stop)
{
    size_t length = (size_t)(stop - reader->at);
    uint32_t count = 1;
    if (length > LIMITS_MACHINE_LINE_BYTES)
        return import_fail(reader, "the line has %zu bytes, at most %u", length,
                           LIMITS_MACHINE_LINE_BYTES);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)reader->at[i] < 0x20 || reader->at[i] == 0x7f || reader->at[i] == '"')
            return import_fail(reader, "letter 0x%02x; fields are plain text without quotes",
                               (unsigned)(unsigned char)reader->at[i]);
    memcpy(reader->letters, reader->at, length);
    reader->letters[length] = '\0';
    reader->fields[0] = reader->letters;
    for (char *comma = strchr(reader->letters, ','); comma != NULL;
         comma = strchr(comma + 1, ',')) {
        if (count == IMPORT_COLUMNS)
            return import_fail(reader, "more than %u columns", IMPORT_COLUMNS);
        *comma = '\0';
        reader->fields[count++] = comma + 1;
    }
    if (reader->columns != 0 && count != reader->columns)
        return import_fail(reader, "%u fields; the first line has %u columns", count,
                           reader->columns);
    reader->columns = count;
    return FGPU_OK;
}

/* The next line that is not empty. *is_end: there was none. */
static int import_next(struct import_reader *reader, bool *is_end)
{
    *is_end = false;
    while (reader->at < reader->end) {
        const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
        const char *next = stop != NULL ? stop + 1 : reader->end;
        if (stop == NULL)
            stop = reader->end;
        if (stop > reader->at && stop[-1] == '\r')
            stop--;
        reader->line++;
        if (stop > reader->at) {
            int status = import_cut(reader, stop);
            reader->at = next;
            for (uint32_t i = 0; status == FGPU_OK && i < reader->wanted_count; i++)
                reader->wanted[i] = reader->fields[reader->place_of[i]];
            return status;
        }
        reader->at = next;
    }
    *is_end = true;
    return FGPU_OK;
}

/* Begins a table. [in] names: of the wanted columns, closed by NULL. */
static int import_open(struct import_reader *reader, const struct machine_table *table,
                       const char *const *names)
{
    bool is_end;
    reader->table = table;
    reader->at = table->text;
    reader->end = table->text + table->bytes;
    reader->line = reader->columns = reader->wanted_count = 0;
    if (table->bytes > LIMITS_MACHINE_TEXT_BYTES)
        return error_set(FGPU_E_LIMIT, "%s: %zu bytes, at most %u", table->name, table->bytes,
                         LIMITS_MACHINE_TEXT_BYTES);
    int status = import_next(reader, &is_end);
    if (status == FGPU_OK && is_end)
        return error_set(FGPU_E_INVAL, "%s: the table is empty", table->name);
    for (; status == FGPU_OK && names[reader->wanted_count] != NULL; reader->wanted_count++) {
        uint32_t column = 0;
        while (column < reader->columns &&
               strcmp(reader->fields[column], names[reader->wanted_count]) != 0)
            column++;
        if (column == reader->columns)
            status = import_fail(reader, "there is no column %s in the first line",
                                 names[reader->wanted_count]);
        else
            reader->place_of[reader->wanted_count] = column;
    }
    return status;
}

/* ---- fields ----------------------------------------------------------------------------- */

/* A number times 10^shift. */
static int import_number(const struct import_reader *reader, uint32_t field, int shift,
                         double *value)
{
    const char *text = reader->wanted[field];
    if (machine_number_read(text, strlen(text), shift, value))
        return FGPU_OK;
    return import_fail(reader, "'%.40s' is no number; write something like 12.5 or 1e6", text);
}

static int import_whole(const struct import_reader *reader, uint32_t field, uint64_t most,
                        uint64_t *value)
{
    const char *text = reader->wanted[field];
    if (machine_number_read_whole(text, strlen(text), most, value))
        return FGPU_OK;
    return import_fail(reader, "'%.40s' is no whole number up to %llu", text,
                       (unsigned long long)most);
}

static int import_class_of(const struct import_reader *reader, const char *name, uint32_t *index)
{
    *index = machine_names_find(&reader->build.classes, name);
    if (*index != MACHINE_NONE)
        return FGPU_OK;
    return import_fail(reader, "there is no device '%.64s' in %s", name,
                       reader->tables->devices.name);
}

/* ---- devices ---------------------------------------------------------------------------- */

static int import_kind(const struct import_reader *reader, const char *text, uint32_t *kind)
{
    static const char *const names[] = {"cpu", "gpu", "accelerator"};
    for (uint32_t i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *kind = MACHINE_CPU + i;
            return FGPU_OK;
        }
    return import_fail(reader, "the kind is '%.40s'; there are cpu, gpu and accelerator", text);
}

/* A class. A cpu works in the host's memory until a route begins or ends at it. */
static int import_device(struct import_reader *reader)
{
    enum { DEVICE, KIND, COUNT, MEMORY };
    uint64_t count = 0, memory = 0;
    int status = import_pass(reader, machine_build_class(&reader->build, reader->wanted[DEVICE]));
    if (status != FGPU_OK)
        return status;
    struct machine_class *class = machine_build_last_class(&reader->build);
    status = import_kind(reader, reader->wanted[KIND], &class->kind);
    if (status == FGPU_OK)
        status = import_whole(reader, COUNT, LIMITS_MACHINE_DEVICES, &count);
    if (status == FGPU_OK && count == 0)
        status = import_fail(reader, "the count is 0; it is at least 1");
    if (status == FGPU_OK && reader->wanted[MEMORY][0] != '\0')
        status = import_whole(reader, MEMORY, INT64_MAX, &memory);
    class->count = (uint32_t)count;
    class->memory_bytes = memory;
    class->first_node = class->kind != MACHINE_CPU;
    return status;
}

static int import_devices(struct import_reader *reader)
{
    static const char *const columns[] = {"device", "kind", "count", "memory_bytes", NULL};
    bool is_end = false;
    int status = import_open(reader, &reader->tables->devices, columns);
    while (status == FGPU_OK) {
        status = import_next(reader, &is_end);
        if (status != FGPU_OK || is_end)
            break;
        status = import_device(reader);
    }
    return status;
}

/* ---- links and routes ------------------------------------------------------------------- */

static int import_links(struct import_reader *reader)
{
    static const char *const columns[] = {"link", "bandwidth_bytes_per_s", "latency_s", NULL};
    bool is_end = false;
    int status = import_open(reader, &reader->tables->links, columns);
    while (status == FGPU_OK) {
        double latency_ns = 0.0;
        status = import_next(reader, &is_end);
        if (status != FGPU_OK || is_end)
            break;
        status = import_pass(reader, machine_build_link(&reader->build, reader->wanted[0]));
        if (status != FGPU_OK)
            break;
        struct machine_link *link = machine_build_last_link(&reader->build);
        status = import_number(reader, 1, -9, &link->bytes_per_ns);
        if (status == FGPU_OK)
            status = import_number(reader, 2, 9, &latency_ns);
        if (status == FGPU_OK && latency_ns > 1e18)
            status = import_fail(reader, "a latency of %g s", latency_ns / 1e9);
        if (status == FGPU_OK)
            link->latency_ns = (uint64_t)llround(latency_ns);
    }
    return status;
}

static int import_end(struct import_reader *reader, uint32_t field, uint32_t *end)
{
    if (strcmp(reader->wanted[field], "host") == 0) {
        *end = MACHINE_HOST;
        return FGPU_OK;
    }
    int status = import_class_of(reader, reader->wanted[field], end);
    if (status == FGPU_OK) {
        struct machine_class *class = vec_at(&reader->build.machine->classes, *end);
        class->first_node = 1;
    }
    return status;
}

/* The links of a route, with semicolons between them; none: it takes no time. */
static int import_hops(struct import_reader *reader)
{
    char links[LIMITS_MACHINE_LINE_BYTES + 1];
    snprintf(links, sizeof links, "%s", reader->wanted[2]);
    char *next = links[0] != '\0' ? links : NULL;
    while (next != NULL) {
        char *name = next;
        next = strchr(name, ';');
        if (next != NULL)
            *next++ = '\0';
        uint32_t link = machine_names_find(&reader->build.links, name);
        if (link == MACHINE_NONE)
            return import_fail(reader, "there is no link '%.64s' in %s", name,
                               reader->tables->links.name);
        int status = machine_build_hop(&reader->build, link, MACHINE_END_SHARED);
        if (status != FGPU_OK)
            return import_pass(reader, status);
    }
    return FGPU_OK;
}

static int import_routes(struct import_reader *reader)
{
    static const char *const columns[] = {"from", "to", "links", NULL};
    bool is_end = false;
    int status = import_open(reader, &reader->tables->routes, columns);
    while (status == FGPU_OK) {
        uint32_t source, target;
        status = import_next(reader, &is_end);
        if (status != FGPU_OK || is_end)
            break;
        status = import_end(reader, 0, &source);
        if (status == FGPU_OK)
            status = import_end(reader, 1, &target);
        if (status == FGPU_OK)
            status = import_pass(reader, machine_build_route(&reader->build, source, target, 0));
        if (status == FGPU_OK)
            status = import_hops(reader);
    }
    return status;
}

/* Nothing is known of copies. */
static int import_instant(struct import_reader *reader)
{
    const struct machine *machine = reader->build.machine;
    int status =
        machine_build_note(&reader->build, "No links were given: copies take no time here.");
    for (uint32_t i = 0; i < machine->classes.count && status == FGPU_OK; i++) {
        const struct machine_class *class = vec_at(&machine->classes, i);
        if (class->first_node == 0)
            continue;
        status = machine_build_route(&reader->build, MACHINE_HOST, i, 0);
        if (status == FGPU_OK)
            status = machine_build_route(&reader->build, i, MACHINE_HOST, 0);
    }
    return status;
}

/* ---- costs ------------------------------------------------------------------------------ */

static int import_cost(struct import_reader *reader)
{
    enum { KERNEL, DEVICE, TILE, MEAN, DEVIATION, SAMPLES };
    struct machine_cost cost = {0};
    int status = import_class_of(reader, reader->wanted[DEVICE], &cost.class_index);
    if (status == FGPU_OK)
        status = import_whole(reader, TILE, UINT64_MAX, &cost.size);
    if (status == FGPU_OK && cost.size == MACHINE_ANY_SIZE)
        status = import_fail(reader, "the tile is 0; it is at least 1");
    if (status == FGPU_OK)
        status = import_number(reader, MEAN, 3, &cost.mean_ns);
    if (status == FGPU_OK && reader->wanted[DEVIATION][0] != '\0')
        status = import_number(reader, DEVIATION, 3, &cost.deviation_ns);
    if (status == FGPU_OK && reader->wanted[SAMPLES][0] != '\0')
        status = import_whole(reader, SAMPLES, UINT64_MAX, &cost.samples);
    if (status == FGPU_OK && !(cost.mean_ns > 0.0))
        status = import_fail(reader, "the mean is 0; a kernel takes time");
    if (status != FGPU_OK)
        return status;
    return import_pass(reader, machine_build_cost(&reader->build, reader->wanted[KERNEL], &cost));
}

static int import_costs(struct import_reader *reader)
{
    static const char *const columns[] = {"kernel",    "device",  "tile", "mean_us",
                                          "stddev_us", "samples", NULL};
    bool is_end = false;
    int status = import_open(reader, &reader->tables->costs, columns);
    while (status == FGPU_OK) {
        status = import_next(reader, &is_end);
        if (status != FGPU_OK || is_end)
            break;
        status = import_cost(reader);
    }
    return status;
}

/* The caller's note becomes one for each of its lines. */
static int import_notes(struct import_reader *reader)
{
    char line[LIMITS_MACHINE_NOTE_BYTES];
    const char *at = reader->tables->note;
    int status = FGPU_OK;
    while (at != NULL && *at != '\0' && status == FGPU_OK) {
        size_t length = strcspn(at, "\n");
        if (length >= sizeof line)
            return error_set(FGPU_E_INVAL, "a line of the note has %zu letters, at most %zu",
                             length, sizeof line - 1);
        memcpy(line, at, length);
        line[length] = '\0';
        if (length > 0)
            status = machine_build_note(&reader->build, line);
        at += length + (at[length] == '\n');
    }
    return status;
}

/* The size of the host's memory, where a table says it with its cpu, limits nothing here. */
static void import_forget_host_memory(struct machine *machine)
{
    for (size_t i = 0; i < machine->classes.count; i++) {
        struct machine_class *class = vec_at(&machine->classes, i);
        if (class->first_node == 0)
            class->memory_bytes = 0;
    }
}

int machine_import(struct machine *machine, const char *name, const struct machine_tables *tables)
{
    struct import_reader reader = {.tables = tables};
    bool has_links = tables->links.text != NULL, has_routes = tables->routes.text != NULL;
    if (tables->costs.text == NULL || tables->devices.text == NULL)
        return error_set(FGPU_E_INVAL, "the table of %s is missing",
                         tables->costs.text == NULL ? "costs" : "devices");
    if (has_links != has_routes)
        return error_set(FGPU_E_INVAL,
                         "links and routes are given together, or neither (copies take no time "
                         "then): %s are missing",
                         has_links ? "routes" : "links");
    machine_build_init(&reader.build, machine);
    int status = machine_build_name(machine->name, "machine", name);
    if (status == FGPU_OK)
        status = import_notes(&reader);
    if (status == FGPU_OK)
        status = import_devices(&reader);
    if (status == FGPU_OK && has_links)
        status = import_links(&reader);
    if (status == FGPU_OK)
        status = has_routes ? import_routes(&reader) : import_instant(&reader);
    if (status == FGPU_OK)
        status = import_costs(&reader);
    machine_build_fini(&reader.build);
    if (status != FGPU_OK)
        return status;
    import_forget_host_memory(machine);
    status = machine_seal(machine);
    if (status != FGPU_OK)
        return error_set((fgpu_status)status, "%s: %s", name, error_text());
    return FGPU_OK;
}
