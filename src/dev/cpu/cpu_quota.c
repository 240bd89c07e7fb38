/* Processor time granted by control groups: see cpu_quota.h. */
#include "dev/cpu/cpu_quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CPU_QUOTA_PATH_BYTES 1024
#define CPU_QUOTA_TEXT_BYTES 4096

/* ---- parsing -------------------------------------------------------------------------------- */

uint32_t cpu_quota_cpus(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0)
        return 0;
    int64_t cpus = quota_us / period_us + (quota_us % period_us != 0);
    return cpus < UINT32_MAX ? (uint32_t)cpus : UINT32_MAX;
}

bool cpu_quota_parse_max(const char *text, uint32_t *cpus)
{
    int64_t quota_us, period_us;
    int end = 0;

    *cpus = 0;
    if (sscanf(text, "max %" SCNd64 " %n", &period_us, &end) == 1 && end > 0 && text[end] == '\0')
        return period_us > 0;
    end = 0;
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %n", &quota_us, &period_us, &end) != 2 || end == 0 ||
        text[end] != '\0' || quota_us <= 0 || period_us <= 0)
        return false;
    *cpus = cpu_quota_cpus(quota_us, period_us);
    return true;
}

/* Is `name` one of the comma-separated words in [list, end)? */
static bool cpu_quota_lists(const char *list, const char *end, const char *name)
{
    size_t length = strlen(name);

    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *word_end = comma != NULL ? comma : end;
        if ((size_t)(word_end - list) == length && memcmp(list, name, length) == 0)
            return true;
        list = word_end + 1;
    }
    return false;
}

bool cpu_quota_parse_group(const char *text, bool v1, char *path, size_t path_bytes)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *end = line + length;
        const char *controllers = memchr(line, ':', length);
        const char *group = controllers != NULL
                                ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1))
                                : NULL;
        if (group != NULL && (v1 ? cpu_quota_lists(controllers + 1, group, "cpu")
                                 : group == controllers + 1 && line[0] == '0')) {
            size_t bytes = (size_t)(end - group - 1);
            if (bytes == 0 || group[1] != '/' || bytes >= path_bytes)
                return false;
            memcpy(path, group + 1, bytes);
            path[bytes] = '\0';
            return true;
        }
        line = *end != '\0' ? end + 1 : end;
    }
    return false;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool cpu_quota_file(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    text[fread(text, 1, text_bytes - 1, file)] = '\0';
    (void)fclose(file);
    return true;
}

static bool cpu_quota_number(const char *folder, const char *name, int64_t *value)
{
    char path[2 * CPU_QUOTA_PATH_BYTES];
    char text[64];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return cpu_quota_file(path, text, sizeof text) && sscanf(text, "%" SCNd64, value) == 1;
}

/* What one folder grants; 0: no limit, or no such file. */
static uint32_t cpu_quota_folder(const char *folder, bool v1)
{
    char path[2 * CPU_QUOTA_PATH_BYTES];
    char text[64];
    uint32_t cpus = 0;
    int64_t quota_us, period_us;

    if (v1)
        return cpu_quota_number(folder, "cpu.cfs_quota_us", &quota_us) &&
                       cpu_quota_number(folder, "cpu.cfs_period_us", &period_us)
                   ? cpu_quota_cpus(quota_us, period_us)
                   : 0;
    (void)snprintf(path, sizeof path, "%s/cpu.max", folder);
    return cpu_quota_file(path, text, sizeof text) && cpu_quota_parse_max(text, &cpus) ? cpus : 0;
}

static uint32_t cpu_quota_least(uint32_t a, uint32_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The group's folder below a mount, and those above it. Inside a container the path may be the
 * one that the machine uses, which is not there: then what is left is the container's root. */
static uint32_t cpu_quota_upwards(const char *mount, const char *group, bool v1)
{
    char folder[CPU_QUOTA_PATH_BYTES + CPU_QUOTA_PATH_BYTES / 2];
    size_t mount_length = strlen(mount);
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    uint32_t least = 0;

    if (length < 0 || (size_t)length >= sizeof folder)
        return 0;
    for (size_t end = (size_t)length;;) {
        least = cpu_quota_least(least, cpu_quota_folder(folder, v1));
        if (end <= mount_length)
            return least;
        while (end > mount_length && folder[end - 1] != '/')
            end--;
        if (end > mount_length)
            end--;
        folder[end] = '\0';
    }
}

uint32_t cpu_quota_read(const char *root)
{
    static const struct {
        const char *mount;
        bool v1;
    } mounts[] = {{"/sys/fs/cgroup", false},
                  {"/sys/fs/cgroup/unified", false},
                  {"/sys/fs/cgroup/cpu", true},
                  {"/sys/fs/cgroup/cpu,cpuacct", true}};
    char path[CPU_QUOTA_PATH_BYTES], group[CPU_QUOTA_PATH_BYTES / 2], text[CPU_QUOTA_TEXT_BYTES];
    uint32_t least = 0;

    if ((size_t)snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= sizeof path ||
        !cpu_quota_file(path, text, sizeof text))
        return 0;
    for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
        if (!cpu_quota_parse_group(text, mounts[i].v1, group, sizeof group))
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s%s", root, mounts[i].mount) < sizeof path)
            least = cpu_quota_least(least, cpu_quota_upwards(path, group, mounts[i].v1));
    }
    return least;
}
