/* Clocks and quantiles for what the commands measure. Pure but for the clocks; any thread.
 */
#ifndef FASTGPU_CLI_COMMON_FIGURES_H
#define FASTGPU_CLI_COMMON_FIGURES_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC, and of CPU time used by all threads of this process. */
uint64_t figures_wall_ns(void);
uint64_t figures_cpu_ns(void);

/* The value below which a share `q` (0 .. 1) of the values lies, without interpolation; the median
 * of an even count is the mean of the two in the middle. Sorts `values`. [in] count >= 1. */
double figures_quantile(double *values, size_t count, double q);
double figures_median(double *values, size_t count);

#endif
