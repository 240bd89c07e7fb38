/* A machine from a line of text: "gpu:8x80GiB,cpu:64". docs/machine.md has the grammar, the
 * topology that comes of it, and where the figures are from. Thread: one.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "machine/machine_build.h"
#include "machine/machine_number.h"

#define SYNTH_PART_BYTES 512u
#define SYNTH_NAME_BYTES 40u /* so that the names of its links fit too */

/* What may be said of a class, all numbers. */
enum synth_key {
    SYNTH_FLOPS,   /* GFlop/s of a device */
    SYNTH_INSIDE,  /* GB/s of its memory */
    SYNTH_LAUNCH,  /* us between two kernels */
    SYNTH_LINK,    /* GB/s of a device's own link, each way */
    SYNTH_LATENCY, /* us of that */
    SYNTH_GROUP,   /* devices behind one switch */
    SYNTH_HOST,    /* GB/s between such a group and the host's memory, both ways together */
    SYNTH_PEER,    /* GB/s between two devices of a group, each way; 0: none but through the host */
    SYNTH_NET,     /* GB/s out of a group into another, each way */
    SYNTH_IDLE,    /* watt */
    SYNTH_BUSY,
    SYNTH_KEYS
};

static const char *const synth_names[SYNTH_KEYS] = {
    "flops", "inside", "launch", "link", "latency", "group", "host", "peer", "net", "idle", "busy"};

/* Without a word: a core with vector units; a GPU of the data centre on PCIe 4 x16 (25 of its 31.5
 * GB/s reach a copy); the uplink of eight of them; a network of 200 Gbit/s. */
static const double synth_defaults[3][SYNTH_KEYS] = {
    {50, 10, 1, 25, 10, 8, 50, MACHINE_UNKNOWN, 25, MACHINE_UNKNOWN, MACHINE_UNKNOWN},
    {15000, 1500, 5, 25, 10, 8, 50, MACHINE_UNKNOWN, 25, MACHINE_UNKNOWN, MACHINE_UNKNOWN},
    {15000, 1000, 10, 25, 10, 8, 50, MACHINE_UNKNOWN, 25, MACHINE_UNKNOWN, MACHINE_UNKNOWN},
};

struct synth_part {
    struct machine_build *build;
    uint32_t number; /* from 1 */
    const char *text;
    size_t length;
    double values[SYNTH_KEYS];
    uint32_t class_index;
    char name[SYNTH_NAME_BYTES];
};

__attribute__((format(printf, 2, 3))) static int synth_fail(const struct synth_part *part,
                                                            const char *format, ...)
{
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return error_set(FGPU_E_INVAL, "part %u of the machine (%.*s): %s", part->number,
                     (int)(part->length < 60 ? part->length : 60), part->text, text);
}

static int synth_pass(const struct synth_part *part, int status)
{
    char text[200];
    if (status != FGPU_E_INVAL)
        return status;
    snprintf(text, sizeof text, "%s", error_text());
    return synth_fail(part, "%s", text);
}

/* ---- words ------------------------------------------------------------------------------ */

/* [COUNT][xMEMORY] at the end of a part. */
static int synth_count(const struct synth_part *part, const char *text, struct machine_class *class)
{
    uint64_t count;
    const char *memory = strchr(text, 'x');
    size_t digits = memory != NULL ? (size_t)(memory - text) : strlen(text);
    if (!machine_number_read_whole(text, digits, LIMITS_MACHINE_DEVICES, &count) || count == 0)
        return synth_fail(part,
                          "'%.40s' is no number of devices from 1 to %u; write something "
                          "like gpu:8x80GiB or cpu:64",
                          text, LIMITS_MACHINE_DEVICES);
    class->count = (uint32_t)count;
    class->first_node = class->kind != MACHINE_CPU || memory != NULL;
    if (memory == NULL)
        return FGPU_OK;
    memory++;
    if (machine_number_read_bytes(memory, strlen(memory), &class->memory_bytes) &&
        class->memory_bytes > 0)
        return FGPU_OK;
    return synth_fail(part, "'%.40s' is no size of a memory; write something like 80GiB", memory);
}

/* KEY=VALUE */
static int synth_setting(struct synth_part *part, char *text)
{
    char *value = strchr(text, '=');
    if (value == NULL)
        return synth_fail(part, "'@%.40s' is no setting; write @KEY=VALUE", text);
    *value++ = '\0';
    for (uint32_t key = 0; key < SYNTH_KEYS; key++) {
        if (strcmp(text, synth_names[key]) != 0)
            continue;
        if (!machine_number_read(value, strlen(value), 0, &part->values[key]))
            return synth_fail(part, "%s is '%.40s', which is no number", text, value);
        return FGPU_OK;
    }
    return synth_fail(part,
                      "there is no setting '%.40s'; there are flops, inside, launch, link, "
                      "latency, group, host, peer, net, idle and busy",
                      text);
}

/* A time in us. */
static int synth_time(const struct synth_part *part, enum synth_key key, uint64_t *ns)
{
    if (part->values[key] > 1e12)
        return synth_fail(part, "%s is %g us, at most 1e12", synth_names[key], part->values[key]);
    *ns = (uint64_t)llround(part->values[key] * 1e3);
    return FGPU_OK;
}

/* ---- links and routes ------------------------------------------------------------------- */

/* One for each `group` devices. [out] link: its number. */
static int synth_link(const struct synth_part *part, const char *what, enum synth_key key,
                      uint32_t group, uint32_t *number)
{
    char name[LIMITS_NAME_BYTES];
    snprintf(name, sizeof name, "%s %s", part->name, what);
    int status = machine_build_link(part->build, name);
    if (status != FGPU_OK)
        return status;
    struct machine_link *link = machine_build_last_link(part->build);
    link->bytes_per_ns = part->values[key];
    link->of_class = part->class_index;
    link->group = group;
    *number = (uint32_t)part->build->machine->links.count - 1;
    if (!(link->bytes_per_ns > 0.0))
        return synth_fail(part, "%s is %g; a link has a bandwidth", synth_names[key],
                          link->bytes_per_ns);
    if (strcmp(what, "host") == 0 || strcmp(what, "peer in") == 0 || strcmp(what, "net in") == 0)
        return FGPU_OK; /* a copy that goes there has paid at the other end */
    return synth_time(part, SYNTH_LATENCY, &link->latency_ns);
}

/* A route over such links. [in] hops: `count` of them. */
static int synth_route(const struct synth_part *part, uint32_t source, uint32_t target,
                       uint32_t group, const struct machine_hop *hops, uint32_t count)
{
    int status = machine_build_route(part->build, source, target, group);
    for (uint32_t i = 0; i < count && status == FGPU_OK; i++)
        status = machine_build_hop(part->build, hops[i].link, hops[i].end);
    return status;
}

/* Between devices of a group: over links of their own, or up to the switch and down again. */
static int synth_peers(const struct synth_part *part, uint32_t up, uint32_t down, uint32_t group)
{
    uint32_t out = up, in = down, self = part->class_index;
    int status = FGPU_OK;
    if (part->values[SYNTH_PEER] == 0.0)
        return FGPU_OK;
    if (part->values[SYNTH_PEER] != MACHINE_UNKNOWN) {
        status = synth_link(part, "peer out", SYNTH_PEER, 1, &out);
        if (status == FGPU_OK)
            status = synth_link(part, "peer in", SYNTH_PEER, 1, &in);
    }
    if (status != FGPU_OK)
        return status;
    const struct machine_hop hops[] = {{out, MACHINE_END_SOURCE}, {in, MACHINE_END_TARGET}};
    return synth_route(part, self, self, group, hops, 2);
}

/* From a group into another. */
static int synth_net(const struct synth_part *part, uint32_t up, uint32_t down, uint32_t group)
{
    uint32_t out, in, self = part->class_index;
    int status = synth_link(part, "net out", SYNTH_NET, group, &out);
    if (status == FGPU_OK)
        status = synth_link(part, "net in", SYNTH_NET, group, &in);
    if (status != FGPU_OK)
        return status;
    const struct machine_hop hops[] = {{up, MACHINE_END_SOURCE},
                                       {out, MACHINE_END_SOURCE},
                                       {in, MACHINE_END_TARGET},
                                       {down, MACHINE_END_TARGET}};
    return synth_route(part, self, self, 0, hops, 4);
}

/* Links and routes of a class with memory of its own. */
static int synth_links(const struct synth_part *part, uint32_t count)
{
    uint32_t up, down, host, self = part->class_index;
    double wanted = part->values[SYNTH_GROUP];
    if (!(wanted >= 1.0) || wanted > LIMITS_MACHINE_DEVICES || wanted != floor(wanted))
        return synth_fail(part, "group is %g; it is a whole number from 1 to %u", wanted,
                          LIMITS_MACHINE_DEVICES);
    uint32_t group = (uint32_t)wanted;
    int status = synth_link(part, "up", SYNTH_LINK, 1, &up);
    if (status == FGPU_OK)
        status = synth_link(part, "down", SYNTH_LINK, 1, &down);
    if (status == FGPU_OK)
        status = synth_link(part, "host", SYNTH_HOST, group, &host);
    if (status != FGPU_OK)
        return status;
    const struct machine_hop there[] = {{host, MACHINE_END_TARGET}, {down, MACHINE_END_TARGET}};
    const struct machine_hop back[] = {{up, MACHINE_END_SOURCE}, {host, MACHINE_END_SOURCE}};
    status = synth_route(part, MACHINE_HOST, self, 0, there, 2);
    if (status == FGPU_OK)
        status = synth_route(part, self, MACHINE_HOST, 0, back, 2);
    if (status == FGPU_OK && count > 1 && group > 1)
        status = synth_peers(part, up, down, count > group ? group : 0);
    if (status == FGPU_OK && count > group)
        status = synth_net(part, up, down, group);
    return status;
}

/* ---- parts ------------------------------------------------------------------------------ */

static const char synth_want[] = "want KIND:COUNT, KIND:COUNTxMEMORY or KIND:NAME:COUNTxMEMORY "
                                 "with a KIND of cpu, gpu or accelerator";

/* KIND and NAME, at the beginning of a part. [out] rest: what is behind them. */
static int synth_head(struct synth_part *part, char *text, struct machine_class *class, char **rest)
{
    static const char *const kinds[] = {"cpu", "gpu", "accelerator"};
    char *name = text;
    char *count = strchr(text, ':');
    if (count == NULL)
        return synth_fail(part, synth_want);
    *count++ = '\0';
    for (uint32_t i = 0; i < 3; i++)
        if (strcmp(text, kinds[i]) == 0)
            class->kind = MACHINE_CPU + i;
    if (class->kind == 0)
        return synth_fail(part, "there is no kind '%.40s'; %s", text, synth_want);
    char *colon = strchr(count, ':');
    if (colon != NULL) {
        name = count;
        *colon = '\0';
        count = colon + 1;
    }
    if (name[0] == '\0' || strlen(name) >= SYNTH_NAME_BYTES)
        return synth_fail(part, "its name has %zu letters, it has 1 to %u", strlen(name),
                          SYNTH_NAME_BYTES - 1);
    memcpy(part->name, name, strlen(name) + 1);
    *rest = count;
    return FGPU_OK;
}

/* The class itself, with what the settings say of it. */
static int synth_class(struct synth_part *part, const struct machine_class *head)
{
    part->class_index = (uint32_t)part->build->machine->classes.count;
    int status = synth_pass(part, machine_build_class(part->build, part->name));
    if (status != FGPU_OK)
        return status;
    struct machine_class *class = machine_build_last_class(part->build);
    class->kind = head->kind;
    class->count = head->count;
    class->first_node = head->first_node;
    class->memory_bytes = head->memory_bytes;
    class->flops_per_ns = part->values[SYNTH_FLOPS];
    class->bytes_per_ns = part->values[SYNTH_INSIDE];
    class->idle_watt = part->values[SYNTH_IDLE];
    class->busy_watt = part->values[SYNTH_BUSY];
    return synth_time(part, SYNTH_LAUNCH, &class->launch_ns);
}

static int synth_read(struct synth_part *part)
{
    char text[SYNTH_PART_BYTES];
    char *rest = text;
    struct machine_class class;
    machine_class_init(&class);
    if (part->length >= sizeof text)
        return synth_fail(part, "%zu letters, at most %zu", part->length, sizeof text - 1);
    memcpy(text, part->text, part->length);
    text[part->length] = '\0';
    char *setting = strchr(text, '@');
    if (setting != NULL)
        *setting++ = '\0';
    int status = synth_head(part, text, &class, &rest);
    if (status == FGPU_OK)
        status = synth_count(part, rest, &class);
    if (status != FGPU_OK)
        return status;
    memcpy(part->values, synth_defaults[class.kind - MACHINE_CPU], sizeof part->values);
    while (setting != NULL && status == FGPU_OK) {
        char *next = strchr(setting, '@');
        if (next != NULL)
            *next++ = '\0';
        status = synth_setting(part, setting);
        setting = next;
    }
    if (status == FGPU_OK)
        status = synth_class(part, &class);
    if (status == FGPU_OK && class.first_node != 0)
        status = synth_links(part, class.count);
    return status;
}

int machine_synth(struct machine *machine, const char *text)
{
    struct machine_build build;
    char note[SYNTH_PART_BYTES];
    struct synth_part part = {.build = &build, .text = text};
    machine_build_init(&build, machine);
    int status = machine_build_name(machine->name, "machine", "synthetic");
    while (status == FGPU_OK) {
        part.number++;
        part.length = strcspn(part.text, ",");
        status = synth_read(&part);
        if (status != FGPU_OK || part.text[part.length] == '\0')
            break;
        part.text += part.length + 1;
    }
    if (status == FGPU_OK) {
        snprintf(note, sizeof note, "Made up from: %s", text);
        status = machine_build_note(&build, note);
    }
    machine_build_fini(&build);
    return status == FGPU_OK ? machine_seal(machine) : status;
}
