/* Reads the kernel's table of processor times: see busy.h. */
#include "dev/host/busy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUSY_LINE_BYTES 256 /* "cpu", a number, and ten numbers of 20 digits at most */

/* One line of the table into the sums; those of processors that are not ours are left out. */
static void busy_add_line(const struct host_busy *host, const char *line, uint64_t *busy,
                          uint64_t *idle)
{
    uint64_t ticks[8] = {0}; /* user nice system idle iowait irq softirq steal; user holds guests */
    unsigned cpu = 0;

    if (sscanf(line,
               "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &cpu, &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6],
               &ticks[7]) < 5)
        return;
    if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &host->cpus))
        return;
    *idle += ticks[3] + ticks[4];
    *busy += ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
}

static bool busy_read(const struct host_busy *host, uint64_t *busy, uint64_t *idle)
{
    FILE *file = fopen(host->path, "re");
    char line[BUSY_LINE_BYTES];

    *busy = *idle = 0;
    if (file == NULL)
        return false;
    /* The lines of the processors come first, after their sum; others are longer than ours. */
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "cpu", 3) == 0)
        if (line[3] != ' ')
            busy_add_line(host, line, busy, idle);
    (void)fclose(file);
    return *busy + *idle > 0;
}

void host_busy_init(struct host_busy *host, const char *path)
{
    *host = (struct host_busy){.path = path};
    if (sched_getaffinity(0, sizeof host->cpus, &host->cpus) != 0)
        memset(&host->cpus, 0xff, sizeof host->cpus);
    (void)busy_read(host, &host->busy, &host->idle);
}

bool host_busy_share(struct host_busy *host, double *share)
{
    uint64_t busy, idle;

    if (!busy_read(host, &busy, &idle))
        return false;
    /* Waiting for a disk may be counted back (proc_stat(5)), and processors go and come. */
    uint64_t busy_ticks = busy > host->busy ? busy - host->busy : 0;
    uint64_t idle_ticks = idle > host->idle ? idle - host->idle : 0;
    if (busy_ticks + idle_ticks == 0)
        return false;
    bool known = host->busy + host->idle > 0;
    host->busy = busy;
    host->idle = idle;
    *share = (double)busy_ticks / (double)(busy_ticks + idle_ticks);
    return known;
}
