/* May a CPU device work directly on host memory? Found out once per device and process.
 *
 * OpenCL promises it for devices with fine-grained system SVM. Others, PoCL among them, pass
 * pointers through without promising it; so a tiny kernel and a copy run on ordinary memory at an
 * odd address, and the result decides. Called when a device is opened. Thread: any.
 */
#ifndef FASTGPU_OPENCL_HOSTMEM_H
#define FASTGPU_OPENCL_HOSTMEM_H

#include "dev/opencl/device.h"

bool ocl_hostmem_works(const struct ocl_unit *unit, cl_context context);

/* Copies and fills in queue order, by native calls or SVM commands? */
bool ocl_hostmem_native(const struct ocl_unit *unit);

#endif
