/* The backend's table: see cuda.h. */
#include "dev/cuda/cuda.h"

#include "dev/cuda/code.h"
#include "dev/cuda/device.h"
#include "dev/cuda/guard.h"
#include "dev/cuda/mem.h"
#include "dev/cuda/queue.h"

const fgpu_backend cuda_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "cuda",
    .probe = cuda_device_probe,
    .open = cuda_device_open,
    .close = cuda_device_close,
    .caps = cuda_device_caps,
    .mem_alloc = cuda_mem_alloc,
    .mem_free = cuda_mem_free,
    .code_build = cuda_code_build,
    .code_free = cuda_code_free,
    .queue_open = cuda_queue_open,
    .queue_close = cuda_queue_close,
    .submit = cuda_queue_submit,
    .poll = cuda_queue_poll,
    .sample = cuda_device_sample,
    .reason = cuda_device_reason,
    .host_pin = cuda_mem_pin,
    .host_unpin = cuda_mem_unpin,
    .guard_open = cuda_guard_open,
    .guard_close = cuda_guard_close,
    .guard_stop = cuda_guard_stop,
    .guard_left = cuda_guard_left,
    .live_flag = cuda_live_flag,
    .code_warm = cuda_guard_warm,
};
