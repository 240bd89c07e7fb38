/* The machine's facts: see evaluate_machine.h. */
#include "cli/evaluate/evaluate_machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cli/common/figures.h"
#include "cli/common/text_cut.h"

#define MACHINE_LOAD_LEAST_NS 100000000u

/* Value of the first line "key : value" of a file like /proc/cpuinfo. */
static bool machine_find(const char *path, const char *key, char *value, size_t bytes)
{
    char line[512];
    bool is_found = false;
    FILE *file = fopen(path, "re");

    while (file && !is_found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += strspn(colon, ": \t");
        colon[strcspn(colon, "\n")] = '\0';
        (void)text_cut(value, bytes, "%s", colon);
        is_found = value[0] != '\0';
    }
    if (file)
        (void)fclose(file);
    return is_found;
}

/* Cores that the control group allows at a time; 0: no limit is told. */
static double machine_quota(void)
{
    double quota = 0.0, period = 0.0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");

    if (!file)
        return 0.0;
    if (fscanf(file, "%lf %lf", &quota, &period) != 2) /* "max 100000": none */
        quota = 0.0;
    (void)fclose(file);
    return quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

static double machine_cores(void)
{
    cpu_set_t set;
    double cores = (double)sysconf(_SC_NPROCESSORS_ONLN), quota = machine_quota();

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cores = CPU_COUNT(&set);
    return quota > 0.0 && quota < cores ? quota : cores;
}

static void machine_time(char *text, size_t bytes)
{
    time_t now = time(NULL);
    struct tm parts;

    if (!localtime_r(&now, &parts) || strftime(text, bytes, "%Y-%m-%dT%H:%M:%S%z", &parts) == 0)
        (void)snprintf(text, bytes, "unknown");
}

void evaluate_machine(struct evaluation_machine *machine)
{
    struct utsname names;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);

    *machine = (struct evaluation_machine){.cores = machine_cores()};
    if (!machine_find("/proc/cpuinfo", "model name", machine->name, sizeof machine->name) &&
        !machine_find("/proc/cpuinfo", "Model", machine->name, sizeof machine->name))
        (void)snprintf(machine->name, sizeof machine->name, "unknown");
    if (uname(&names) == 0)
        (void)snprintf(machine->system, sizeof machine->system, "%.40s %.50s %.30s", names.sysname,
                       names.release, names.machine);
    else
        (void)snprintf(machine->system, sizeof machine->system, "unknown");
    (void)snprintf(machine->version, sizeof machine->version, "%s", FGPU_VERSION_STRING);
    if (pages > 0 && page_bytes > 0)
        machine->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
    machine_time(machine->started, sizeof machine->started);
}

/* The first line of /proc/stat (proc(5)): ticks of user, nice, system, idle, iowait, irq, softirq
 * and steal. */
void machine_load_read(struct machine_load *load)
{
    unsigned long long ticks[8] = {0};
    long per_second = sysconf(_SC_CLK_TCK);
    FILE *file = fopen("/proc/stat", "re");

    *load = (struct machine_load){.wall_ns = figures_wall_ns(), .own_ns = figures_cpu_ns()};
    if (!file)
        return;
    int found = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
                       &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    (void)fclose(file);
    if (found != 8 || per_second <= 0)
        return;
    for (int i = 0; i < 8; i++)
        if (i != 3 && i != 4)
            load->busy_ns += ticks[i] * (1000000000u / (unsigned long)per_second);
}

double machine_load_of_others(const struct machine_load *before, const struct machine_load *after,
                              double processors)
{
    double wall_ns = (double)(after->wall_ns - before->wall_ns) * processors;

    if (before->busy_ns == 0 || after->busy_ns < before->busy_ns || !(wall_ns > 0.0) ||
        after->wall_ns - before->wall_ns < MACHINE_LOAD_LEAST_NS)
        return -1.0;
    double share =
        ((double)(after->busy_ns - before->busy_ns) - (double)(after->own_ns - before->own_ns)) /
        wall_ns;
    return share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
}
