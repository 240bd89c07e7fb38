/* Energy counters of the kernel: see energy.h. */
#include "dev/host/energy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_ENERGY_ZONES 32 /* intel-rapl:0, :1, ...; hwmon0, ... */
#define HOST_ENERGY_PARTS 8  /* of a zone: intel-rapl:0:0, ... */
#define HOST_ENERGY_INPUTS 64

struct host_energy_found {
    struct host_energy *energy;
    const char *sysfs;
    char path[HOST_ENERGY_PATH_BYTES];
};

/* The folder may be longer than a path can be: then there is no such file. */
static bool host_energy_path(struct host_energy_found *found, const char *folder, const char *file)
{
    int length =
        snprintf(found->path, sizeof found->path, "%s/class/%s/%s", found->sysfs, folder, file);
    return length > 0 && (size_t)length < sizeof found->path;
}

static bool host_energy_word(struct host_energy_found *found, const char *folder, const char *file,
                             char word[32])
{
    FILE *stream = host_energy_path(found, folder, file) ? fopen(found->path, "re") : NULL;
    if (stream == NULL)
        return false;
    bool read = fgets(word, 32, stream) != NULL;
    (void)fclose(stream);
    if (read)
        word[strcspn(word, "\n")] = '\0';
    return read;
}

/* One number and nothing else. On failure `why` says what is wrong with the file. */
static bool host_energy_number(const char *path, uint64_t *value, char *why)
{
    char text[32], *end;
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        (void)snprintf(why, HOST_ENERGY_WHY_BYTES, "%.160s: %s%s", path, strerror(errno),
                       errno == EACCES ? " (it is mostly readable by root alone)" : "");
        return false;
    }
    size_t bytes = fread(text, 1, sizeof text - 1, stream);
    (void)fclose(stream);
    text[bytes] = '\0';
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno == 0 && end != text && text[0] >= '0' && text[0] <= '9' &&
        end[strspn(end, "\n")] == '\0')
        return true;
    (void)snprintf(why, HOST_ENERGY_WHY_BYTES, "%.160s: what it says is no number", path);
    return false;
}

/* A counter whose folder and file are there. One that cannot be read is kept: it makes all readings
 * fail, and says why. One that stands at 0 counts nothing, as in many virtual machines. */
static void host_energy_add(struct host_energy_found *found, const char *folder, const char *file,
                            const char *name)
{
    struct host_energy *energy = found->energy;
    char why[HOST_ENERGY_WHY_BYTES];
    struct host_energy_counter counter = {.range_uj = 0};
    if (energy->count == HOST_ENERGY_COUNTERS ||
        !host_energy_path(found, folder, "max_energy_range_uj"))
        return;
    (void)host_energy_number(found->path, &counter.range_uj, why);
    if (!host_energy_path(found, folder, file))
        return;
    memcpy(counter.path, found->path, sizeof counter.path);
    (void)snprintf(counter.name, sizeof counter.name, "%.31s", name);
    if (host_energy_number(counter.path, &counter.last_uj, why) && counter.last_uj == 0) {
        (void)snprintf(energy->why, sizeof energy->why, "%.160s stands at 0: it counts nothing",
                       counter.path);
        return;
    }
    energy->counters[energy->count++] = counter;
}

static void host_energy_powercap(struct host_energy_found *found)
{
    char folder[64], name[32];
    for (int zone = 0; zone < HOST_ENERGY_ZONES; zone++) {
        (void)snprintf(folder, sizeof folder, "powercap/intel-rapl:%d", zone);
        if (!host_energy_word(found, folder, "name", name) || strncmp(name, "package", 7) != 0)
            continue;
        host_energy_add(found, folder, "energy_uj", name);
        for (int part = 0; part < HOST_ENERGY_PARTS; part++) {
            (void)snprintf(folder, sizeof folder, "powercap/intel-rapl:%d/intel-rapl:%d:%d", zone,
                           zone, part);
            if (host_energy_word(found, folder, "name", name) && strcmp(name, "dram") == 0)
                host_energy_add(found, folder, "energy_uj", name);
        }
    }
}

/* Of the sockets; the driver also counts each core. */
static void host_energy_sockets(struct host_energy_found *found, const char *folder)
{
    char file[40], label[32];
    for (int i = 1; i <= HOST_ENERGY_INPUTS; i++) {
        (void)snprintf(file, sizeof file, "energy%d_label", i);
        if (!host_energy_word(found, folder, file, label) || strncmp(label, "Esocket", 7) != 0)
            continue;
        (void)snprintf(file, sizeof file, "energy%d_input", i);
        host_energy_add(found, folder, file, label);
    }
}

static void host_energy_hwmon(struct host_energy_found *found)
{
    char folder[64], name[32];
    bool has_processors = found->energy->count > 0;
    for (int i = 0; i < HOST_ENERGY_ZONES; i++) {
        (void)snprintf(folder, sizeof folder, "hwmon/hwmon%d", i);
        if (!host_energy_word(found, folder, "name", name))
            continue;
        if (strcmp(name, "amd_energy") == 0 && !has_processors)
            host_energy_sockets(found, folder);
        else if (strcmp(name, "i915") == 0 || strcmp(name, "xe") == 0)
            host_energy_add(found, folder, "energy1_input", name);
    }
}

void host_energy_init(struct host_energy *energy, const char *sysfs)
{
    struct host_energy_found found = {.energy = energy, .sysfs = sysfs};
    *energy = (struct host_energy){.epoch = 1};
    host_energy_powercap(&found);
    host_energy_hwmon(&found);
    if (energy->count == 0 && energy->why[0] == '\0')
        (void)snprintf(energy->why, sizeof energy->why,
                       "%.100s has no energy counters (class/powercap, class/hwmon)", sysfs);
}

/* What has been used since the last reading; a counter wraps once at most. False: nobody knows. */
static bool host_energy_used(const struct host_energy_counter *counter, uint64_t now_uj,
                             uint64_t *used_uj)
{
    bool wraps = now_uj < counter->last_uj;
    *used_uj = now_uj - counter->last_uj + (wraps ? counter->range_uj : 0);
    return !wraps || counter->last_uj <= counter->range_uj;
}

bool host_energy_read(struct host_energy *energy, double *joule)
{
    uint64_t now_uj, used_uj;
    bool all = energy->count > 0;
    *joule = 0;
    for (uint32_t i = 0; i < energy->count; i++) {
        struct host_energy_counter *counter = &energy->counters[i];
        if (!host_energy_number(counter->path, &now_uj, energy->why)) {
            all = false;
            continue;
        }
        if (host_energy_used(counter, now_uj, &used_uj))
            counter->counted_uj += used_uj;
        else
            energy->epoch++;
        counter->last_uj = now_uj;
        *joule += (double)counter->counted_uj / 1e6;
    }
    return all;
}
