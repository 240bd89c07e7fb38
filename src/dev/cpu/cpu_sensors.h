/* Live readings of the processor from the kernel's files: temperature, power, clock.
 *
 * For samples only, off the walk of a task. Takes the root of sysfs ("/sys"; tests give a folder of
 * their own), gives fields of a sample with their validity bits. A machine without the files (many
 * virtual ones) simply has no such readings. Power is the difference of an energy counter between
 * two calls, so the first call gives none. Thread: the caller serialises.
 */
#ifndef FASTGPU_DEV_CPU_CPU_SENSORS_H
#define FASTGPU_DEV_CPU_CPU_SENSORS_H

#include <fastgpu/device.h>

#define CPU_SENSORS_PATH_BYTES 256

struct cpu_sensors {
    char temperature_path[CPU_SENSORS_PATH_BYTES]; /* "" where there is none */
    char energy_path[CPU_SENSORS_PATH_BYTES];
    char clock_path[CPU_SENSORS_PATH_BYTES];
    uint64_t energy_range_uj; /* the counter wraps here; 0: unknown */
    uint64_t last_energy_uj;
    uint64_t last_time_ns; /* 0: no reading yet */
};

/* Looks for the files. Sources: the kernel's hwmon, powercap and cpufreq interfaces. */
void cpu_sensors_init(struct cpu_sensors *sensors, const char *sysfs);

/* Sets power, temperature and clock of the sample, and their bits, as far as they are known. */
void cpu_sensors_read(struct cpu_sensors *sensors, uint64_t now_ns, fgpu_device_sample *sample);

#endif
