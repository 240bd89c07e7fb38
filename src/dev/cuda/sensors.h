/* Live readings of a card by NVML: utilisation, power, temperature, clock. Reads only.
 *
 * What the card or a MIG instance does not tell leaves its validity bit unset. Thread: any.
 */
#ifndef FASTGPU_CUDA_SENSORS_H
#define FASTGPU_CUDA_SENSORS_H

#include "dev/cuda/device.h"

/* Finds the card among NVML's; leaves nvml_device NULL where there is none. */
void cuda_sensors_find(struct cuda_device *device);

void cuda_sensors_read(const struct cuda_device *device, fgpu_device_sample *sample);

#endif
