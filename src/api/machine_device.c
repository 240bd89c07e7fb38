/* One device of a described machine. See fastgpu/machine.h. Thread: any. */
#include <stdio.h>
#include <string.h>

#include "api/machine.h"
#include "base/error.h"

fgpu_status fgpu_machine_get_device(const fgpu_machine *machine, uint32_t device,
                                    fgpu_machine_device *info)
{
    if (machine == NULL || info == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_machine_get_device: %s is NULL",
                         machine == NULL ? "machine" : "info");
    if (info->struct_bytes != sizeof *info)
        return error_set(FGPU_E_VERSION,
                         "fgpu_machine_get_device: info.struct_bytes is %u, this library's is %zu",
                         info->struct_bytes, sizeof *info);
    const struct machine *inner = machine_of(machine);
    if (device >= inner->device_count)
        return error_set(FGPU_E_RANGE, "fgpu_machine_get_device: device is %u; the machine has %u",
                         device, inner->device_count);
    uint32_t index = machine_device_class(inner, device);
    const struct machine_class *class = vec_at(&inner->classes, index);
    *info = (fgpu_machine_device){.struct_bytes = sizeof *info,
                                  .kind = class->kind,
                                  .class_index = index,
                                  .node = machine_device_node(inner, device),
                                  .memory_bytes = class->memory_bytes};
    (void)snprintf(info->class_name, sizeof info->class_name, "%s", class->name);
    if (class->count > 1)
        (void)snprintf(info->name, sizeof info->name, "%s[%u]", class->name,
                       device - class->first_device);
    else
        (void)snprintf(info->name, sizeof info->name, "%s", class->name);
    return FGPU_OK;
}
