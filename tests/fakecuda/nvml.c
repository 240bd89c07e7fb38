/* The fake management library. */
#include <stdio.h>
#include <string.h>
#include "dev/cuda/driver.h"
#include "fakecuda/fake.h"

FAKE(int, nvmlInit_v2, (void))
{
    return (int)fake_get(FAKE_nvml_error);
}

/* The first card by its identity, the second by its bus only. */
FAKE(int, nvmlDeviceGetHandleByUUID, (const char *uuid, void **device))
{
    static const char first[] = "GPU-64656667-6869-6a6b-6c6d-6e6f70717273";

    *device = (void *)(uintptr_t)1;
    return strcmp(uuid, first) == 0 ? 0 : 6;
}

FAKE(int, nvmlDeviceGetHandleByPciBusId_v2, (const char *pci, void **device))
{
    *device = (void *)(uintptr_t)2;
    return strcmp(pci, "0000:01:00.0") == 0 ? 0 : 6;
}

FAKE(int, nvmlDeviceGetUtilizationRates, (void *device, struct nvml_utilisation *rates))
{
    *rates = (struct nvml_utilisation){(uintptr_t)device == 1 ? 37 : 0, 5};
    return 0;
}

/* The second card does not tell. */
FAKE(int, nvmlDeviceGetPowerUsage, (void *device, unsigned *milliwatt))
{
    *milliwatt = 123500;
    return (uintptr_t)device == 1 ? 0 : 3;
}

FAKE(int, nvmlDeviceGetTemperature, (void *device, int sensor, unsigned *celsius))
{
    *celsius = 41;
    return device != NULL && sensor == 0 ? 0 : 2;
}

FAKE(int, nvmlDeviceGetClockInfo, (void *device, int which, unsigned *mhz))
{
    *mhz = 1980;
    return device != NULL && which == 1 ? 0 : 2;
}

FAKE(int, nvmlSystemGetDriverVersion, (char *text, unsigned bytes))
{
    (void)snprintf(text, bytes, "550.0");
    return 0;
}
