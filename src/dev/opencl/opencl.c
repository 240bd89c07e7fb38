/* The backend's table: see opencl.h. */
#include "dev/opencl/opencl.h"

#include <stdlib.h>
#include "dev/opencl/guard.h"
#include "dev/opencl/info.h"
#include "dev/opencl/mem.h"
#include "dev/opencl/queue.h"

static fgpu_status opencl_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                                uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    struct ocl_list *list = malloc(sizeof(*list));
    fgpu_status status = FGPU_E_NOMEM;

    *count = 0;
    if (list == NULL)
        return status;
    status = ocl_platform_list(options, list, why, why_bytes);
    if (status == FGPU_OK) {
        *count = list->count;
        for (uint32_t i = 0; i < list->count && i < capacity; i++)
            ocl_info_fill(&list->units[i], options, &infos[i]);
    }
    free(list);
    return status;
}

const fgpu_backend opencl_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "opencl",
    .probe = opencl_probe,
    .open = ocl_device_open,
    .close = ocl_device_close,
    .caps = ocl_device_caps,
    .mem_alloc = ocl_mem_alloc,
    .mem_free = ocl_mem_free,
    .code_build = ocl_code_build,
    .code_free = ocl_code_free,
    .queue_open = ocl_queue_open,
    .queue_close = ocl_queue_close,
    .submit = ocl_queue_submit,
    .poll = ocl_queue_poll,
    .sample = ocl_device_sample,
    .reason = ocl_device_reason,
    .guard_open = ocl_guard_open,
    .guard_close = ocl_guard_close,
    .guard_stop = ocl_guard_stop,
    .guard_left = ocl_guard_left,
    .live_flag = ocl_live_flag,
    .code_warm = ocl_guard_warm,
};
