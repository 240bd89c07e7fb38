/* NVIDIA's libraries, opened at run time: tables of their entry points.
 *
 * Three libraries: the driver (libcuda.so.1, comes with the kernel module), the compiler NVRTC (of
 * the CUDA toolkit; needed only to compile), NVML (of the driver; needed only for live readings).
 * Each is opened once per path and stays open until the process ends. The environment variables
 * FASTGPU_CUDA_LIBRARY, FASTGPU_NVRTC_LIBRARY and FASTGPU_NVML_LIBRARY name others. Thread: any.
 */
#ifndef FASTGPU_CUDA_LOADER_H
#define FASTGPU_CUDA_LOADER_H

#include <fastgpu/status.h>
#include "dev/cuda/driver.h"

struct cuda_api {
#define CUDA_FIELD(field, symbol, params) cuda_result(*field) params;
    CUDA_DRIVER_REQUIRED(CUDA_FIELD)
    CUDA_DRIVER_OPTIONAL(CUDA_FIELD)
#undef CUDA_FIELD
    int version; /* of the driver API: 12040 is 12.4 */
};

struct cuda_nvrtc {
#define CUDA_FIELD(field, symbol, result, params) result(*field) params;
    CUDA_NVRTC_REQUIRED(CUDA_FIELD)
#undef CUDA_FIELD
};

struct cuda_nvml {
#define CUDA_FIELD(field, symbol, result, params) result(*field) params;
    CUDA_NVML_REQUIRED(CUDA_FIELD)
#undef CUDA_FIELD
};

/* The driver, started. With a text in `why` (NULL: none wanted) that names what is missing and how
 * to get it: FGPU_E_NODEVICE where no driver is installed, it finds no device, or the process is a
 * fork; FGPU_E_NOTFOUND where the library that the environment names is not there;
 * FGPU_E_UNSUPPORTED where it is too old or no driver; FGPU_E_DEVICE where it does not start.
 * FGPU_E_NOMEM. */
fgpu_status cuda_loader_driver(const struct cuda_api **api, char *why, size_t why_bytes);

/* As above; FGPU_E_UNSUPPORTED where there is no NVRTC that could be used with such a driver. */
fgpu_status cuda_loader_nvrtc(int driver_version, const struct cuda_nvrtc **nvrtc, char *why,
                              size_t why_bytes);

/* NULL where there is none. */
const struct cuda_nvml *cuda_loader_nvml(void);

/* May this process use the device nodes below `folder` ("/dev")? */
enum cuda_nodes { CUDA_NODES_ABSENT, CUDA_NODES_DENIED, CUDA_NODES_THERE };
enum cuda_nodes cuda_loader_nodes(const char *folder);

/* What it means that the driver does not start (cuInit gave `error`), and what helps. */
void cuda_loader_explain(cuda_result error, enum cuda_nodes nodes, char *why, size_t why_bytes);

#endif
