/* The properties of a device, asked from OpenCL: fgpu_device_info, and single numbers. Thread: any.
 */
#ifndef FASTGPU_OPENCL_INFO_H
#define FASTGPU_OPENCL_INFO_H

#include "dev/opencl/platform.h"

/* Numbers of any of OpenCL's integer types; false when the device does not tell. */
bool ocl_info_u32(const struct ocl_unit *unit, cl_device_info what, uint32_t *value);
bool ocl_info_u64(const struct ocl_unit *unit, cl_device_info what, uint64_t *value);
bool ocl_info_size(const struct ocl_unit *unit, cl_device_info what, uint64_t *value);

/* Text, cut to fit; "" when the device does not tell. */
void ocl_info_text(const struct ocl_unit *unit, cl_device_info what, char *text, size_t text_bytes);

bool ocl_info_is_cpu(const struct ocl_unit *unit);

/* May the unit be tried on host memory? (hostmem.h finds out whether it works.) */
bool ocl_info_may_host(const struct ocl_unit *unit);

/* Equal for units that share cores: 0 for the host's. */
uint32_t ocl_info_resource_group(const struct ocl_unit *unit);

void ocl_info_fill(const struct ocl_unit *unit, const fgpu_backend_options *options,
                   fgpu_device_info *info);

#endif
