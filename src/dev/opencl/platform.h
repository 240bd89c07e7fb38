/* What OpenCL shows: platforms, devices, sub-devices, and the contexts that they share.
 *
 * First step of assess: turns platforms and devices into a list in stable order, one unit for each
 * device that the pool will see. Sub-devices are made once and kept until the process ends (they
 * are names, and a context keeps them in use). Contexts are shared by all units of one platform,
 * counted, and made anew after a device of theirs was lost. Thread: any; one lock inside.
 */
#ifndef FASTGPU_OPENCL_PLATFORM_H
#define FASTGPU_OPENCL_PLATFORM_H

#include <fastgpu/backend.h>
#include "base/limits.h"
#include "dev/opencl/loader.h"

/* One device as the pool sees it. */
struct ocl_unit {
    const struct ocl_api *api;
    cl_platform_id platform;
    cl_device_id root;
    cl_device_id id;     /* the root, or a sub-device of it */
    uint32_t root_index; /* place among the devices of all platforms */
    uint32_t part;       /* which sub-device */
    uint32_t part_count; /* 1: the whole device */
    uint32_t split;      /* what the options ask CPU devices to be split into */
};

struct ocl_list {
    struct ocl_unit units[LIMITS_DEVICES];
    uint32_t count; /* in units */
};

/* All units, platform by platform. With a text in `why`: FGPU_E_NODEVICE when there is none, what
 * ocl_loader_get says, or what the error of a platform means when there are no others. */
fgpu_status ocl_platform_list(const fgpu_backend_options *options, struct ocl_list *list, char *why,
                              size_t why_bytes);

struct ocl_context {
    const struct ocl_api *api;
    cl_context id;
    cl_platform_id platform;
    uint32_t split;
    uint32_t refs;
    bool shared; /* stands in the list that acquire looks through */
    bool leaked; /* is never released */
    struct ocl_context *next;
};

/* The context of a unit: the platform's, or one for the unit alone where the platform cannot put
 * all its devices into one. */
fgpu_status ocl_context_acquire(const struct ocl_unit *unit, struct ocl_context **context);

/* usable = false: a device was lost, so later acquires get another context; leak = true: objects in
 * it are still in use by the driver, so that it stays for ever. */
void ocl_context_release(struct ocl_context *context, bool usable, bool leak);

#endif
