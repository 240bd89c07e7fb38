/* Live readings of the processor: see cpu_sensors.h. */
#include "dev/cpu/cpu_sensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CPU_SENSORS_HWMON 32 /* folders hwmon0, hwmon1, ... that are looked at */

static bool cpu_sensors_number(const char *path, uint64_t *value)
{
    FILE *file = path[0] != '\0' ? fopen(path, "re") : NULL;
    bool read;

    if (file == NULL)
        return false;
    read = fscanf(file, "%" SCNu64, value) == 1;
    (void)fclose(file);
    return read;
}

static bool cpu_sensors_word(const char *path, char *word, size_t word_bytes)
{
    FILE *file = fopen(path, "re");
    bool read;

    if (file == NULL)
        return false;
    read = fgets(word, (int)word_bytes, file) != NULL;
    (void)fclose(file);
    if (read)
        word[strcspn(word, "\n")] = '\0';
    return read;
}

/* Drivers whose first temperature is that of the processor as a whole. */
static bool cpu_sensors_is_processor(const char *driver)
{
    static const char *const names[] = {"coretemp", "k10temp", "zenpower", "cpu_thermal"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], driver) == 0)
            return true;
    return false;
}

static void cpu_sensors_find_temperature(struct cpu_sensors *sensors, const char *sysfs)
{
    char path[CPU_SENSORS_PATH_BYTES];
    char driver[32];
    uint64_t value;

    for (int i = 0; i < CPU_SENSORS_HWMON; i++) {
        (void)snprintf(path, sizeof path, "%s/class/hwmon/hwmon%d/name", sysfs, i);
        if (!cpu_sensors_word(path, driver, sizeof driver) || !cpu_sensors_is_processor(driver))
            continue;
        (void)snprintf(path, sizeof path, "%s/class/hwmon/hwmon%d/temp1_input", sysfs, i);
        if (!cpu_sensors_number(path, &value))
            continue;
        memcpy(sensors->temperature_path, path, sizeof path);
        return;
    }
}

void cpu_sensors_init(struct cpu_sensors *sensors, const char *sysfs)
{
    char path[CPU_SENSORS_PATH_BYTES];
    uint64_t value;

    *sensors = (struct cpu_sensors){0};
    cpu_sensors_find_temperature(sensors, sysfs);
    (void)snprintf(path, sizeof path, "%s/class/powercap/intel-rapl:0/energy_uj", sysfs);
    if (cpu_sensors_number(path, &value)) {
        memcpy(sensors->energy_path, path, sizeof path);
        (void)snprintf(path, sizeof path, "%s/class/powercap/intel-rapl:0/max_energy_range_uj",
                       sysfs);
        (void)cpu_sensors_number(path, &sensors->energy_range_uj);
    }
    (void)snprintf(path, sizeof path, "%s/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", sysfs);
    if (cpu_sensors_number(path, &value))
        memcpy(sensors->clock_path, path, sizeof path);
}

static void cpu_sensors_read_power(struct cpu_sensors *sensors, uint64_t now_ns,
                                   fgpu_device_sample *sample)
{
    uint64_t energy_uj;
    uint64_t used_uj;

    if (!cpu_sensors_number(sensors->energy_path, &energy_uj))
        return;
    used_uj = energy_uj - sensors->last_energy_uj;
    if (energy_uj < sensors->last_energy_uj)
        used_uj += sensors->energy_range_uj;
    if (sensors->last_time_ns != 0 && now_ns > sensors->last_time_ns &&
        (energy_uj >= sensors->last_energy_uj || sensors->energy_range_uj != 0)) {
        sample->power_watt = (double)used_uj * 1e3 / (double)(now_ns - sensors->last_time_ns);
        sample->valid |= FGPU_SAMPLE_POWER;
    }
    sensors->last_energy_uj = energy_uj;
    sensors->last_time_ns = now_ns;
}

void cpu_sensors_read(struct cpu_sensors *sensors, uint64_t now_ns, fgpu_device_sample *sample)
{
    uint64_t value;

    cpu_sensors_read_power(sensors, now_ns, sample);
    if (cpu_sensors_number(sensors->temperature_path, &value)) {
        sample->temperature_celsius = (double)value / 1000;
        sample->valid |= FGPU_SAMPLE_TEMPERATURE;
    }
    if (cpu_sensors_number(sensors->clock_path, &value)) {
        sample->clock_mhz = (uint32_t)(value / 1000);
        sample->valid |= FGPU_SAMPLE_CLOCK;
    }
}
