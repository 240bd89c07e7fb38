/* Clocks and quantiles: see figures.h. */
#include "cli/common/figures.h"

#include <stdlib.h>
#include <time.h>

static uint64_t figures_clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t figures_wall_ns(void)
{
    return figures_clock_ns(CLOCK_MONOTONIC);
}

uint64_t figures_cpu_ns(void)
{
    return figures_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int figures_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double figures_quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof *values, figures_compare);
    return values[(size_t)((double)(count - 1) * q)];
}

double figures_median(double *values, size_t count)
{
    double low = figures_quantile(values, count, 0.5);

    return count % 2 == 1 ? low : (low + values[count / 2]) / 2.0;
}
