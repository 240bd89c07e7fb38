/* The list of backends, and from a device pattern to the devices it names.
 *
 * Used when a pool opens (before the walk of a task begins): pattern -> (backend, index, info).
 * Built in: cpu, opencl, cuda, null, sim. Others are added with registry_add
 * (fgpu_backend_register) and stay for ever. Owns the list of added backends. Thread: any; probing
 * blocks.
 *
 * Pattern: items separated by commas, blanks around them ignored, read from left to right; a
 * leading '-' takes away (a list that begins so starts from "auto"). Items, letters in any case:
 *   auto            every OpenCL device, every CUDA device, then cpu
 *   all             every device of every backend but null and sim
 *   BACKEND         every device of it; of null and sim: one
 *   null:N sim:N    the first N devices (their ids are "null#0", "null#1", ...)
 *   opencl:0        that device, or all its sub-devices "opencl:0.0", "opencl:0.1", ...
 *   ID              the device with that id: "opencl:0.1", "sim#2"
 *   BACKEND:GLOB    its devices whose name, vendor or id matches: "opencl:*portable*"
 *   GLOB            (with '*' or '?') the same over every backend but null and sim
 * Devices come in the order of the items, each once.
 */
#ifndef FASTGPU_DEV_REGISTRY_H
#define FASTGPU_DEV_REGISTRY_H

#include <fastgpu/backend.h>
#include "base/limits.h"

#define REGISTRY_BACKENDS (5 + LIMITS_BACKENDS) /* built in, and added */

/* A device that exists but is not open. info.index and info.memory_node are the pool's to fill. */
struct registry_match {
    const fgpu_backend *backend;
    uint32_t index; /* of the backend's probe order: for open() */
    fgpu_device_info info;
};

/* Why a backend that the pattern asked has no device: FGPU_E_NODEVICE, which is common (no driver
 * is installed), or what failed in a driver that is there. */
struct registry_reason {
    const char *backend;
    fgpu_status status;
    char why[LIMITS_ERROR_TEXT];
};

struct registry_absent {
    uint32_t count;
    struct registry_reason reasons[REGISTRY_BACKENDS];
};

/* Adds a backend: FGPU_E_VERSION, FGPU_E_INVAL (name taken or malformed, function missing),
 * FGPU_E_LIMIT. With an error text. [borrow] backend for ever. */
fgpu_status registry_add(const fgpu_backend *backend);

/* The backend of that name, or NULL. */
const fgpu_backend *registry_backend(const char *name);

/* Devices that `pattern` names (NULL, "": "auto"), and how many in *count. With an error text:
 * FGPU_E_NODEVICE when an item matches nothing (lists what was found, and why other backends have
 * none), FGPU_E_INVAL for a malformed item, FGPU_E_LIMIT when there are more than `capacity`,
 * FGPU_E_NOMEM. Taking away may match nothing, but something must be left. [out] absent, may be
 * NULL: which of the backends asked had no device; none of them on failure. */
fgpu_status registry_find(const char *pattern, const fgpu_backend_options *options,
                          struct registry_match *out, uint32_t capacity, uint32_t *count,
                          struct registry_absent *absent);

#endif
