/* Readings by NVML: see sensors.h. */
#include "dev/cuda/sensors.h"

#include <stdio.h>

#define SENSORS_ID 64u

/* "GPU-xxxxxxxx-xxxx-...", as NVML names a card; "MIG-..." is an instance of one. */
static void sensors_name(const struct cuda_uuid *uuid, const char *kind, char *text)
{
    int at = snprintf(text, SENSORS_ID, "%s", kind);

    for (int i = 0; i < 16; i++)
        at += snprintf(text + at, SENSORS_ID - (size_t)at, "%s%02x",
                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid->bytes[i]);
}

void cuda_sensors_find(struct cuda_device *device)
{
    struct cuda_uuid uuid;
    char text[SENSORS_ID];

    device->nvml = cuda_loader_nvml();
    device->nvml_device = NULL;
    if (device->nvml == NULL)
        return;
    if (device->api->device_uuid != NULL &&
        device->api->device_uuid(&uuid, device->ordinal) == CUDA_SUCCESS) {
        sensors_name(&uuid, "GPU-", text);
        if (device->nvml->by_uuid(text, &device->nvml_device) == 0)
            return;
        sensors_name(&uuid, "MIG-", text);
        if (device->nvml->by_uuid(text, &device->nvml_device) == 0)
            return;
    }
    device->nvml_device = NULL;
    if (device->api->device_pci(text, (int)sizeof text, device->ordinal) != CUDA_SUCCESS ||
        device->nvml->by_pci(text, &device->nvml_device) != 0)
        device->nvml_device = NULL;
}

void cuda_sensors_read(const struct cuda_device *device, fgpu_device_sample *sample)
{
    const struct cuda_nvml *nvml = device->nvml;
    struct nvml_utilisation rates = {0, 0};
    unsigned value = 0;

    if (device->nvml_device == NULL)
        return;
    if (nvml->utilisation(device->nvml_device, &rates) == 0 && rates.gpu <= 100) {
        sample->utilisation = rates.gpu / 100.0;
        sample->valid |= FGPU_SAMPLE_UTILISATION;
    }
    if (nvml->power(device->nvml_device, &value) == 0) {
        sample->power_watt = value / 1000.0;
        sample->valid |= FGPU_SAMPLE_POWER;
    }
    if (nvml->temperature(device->nvml_device, NVML_TEMPERATURE_GPU, &value) == 0) {
        sample->temperature_celsius = value;
        sample->valid |= FGPU_SAMPLE_TEMPERATURE;
    }
    if (nvml->clock(device->nvml_device, NVML_CLOCK_SM, &value) == 0) {
        sample->clock_mhz = value;
        sample->valid |= FGPU_SAMPLE_CLOCK;
    }
}
