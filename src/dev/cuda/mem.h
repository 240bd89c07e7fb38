/* Memory of a CUDA device: an fgpu_mem is the address on the card.
 *
 * Thread: as backend.h says.
 */
#ifndef FASTGPU_CUDA_MEM_H
#define FASTGPU_CUDA_MEM_H

#include "dev/cuda/device.h"

/* FGPU_E_DEVMEM past the budget or where the driver refuses, FGPU_E_INVAL for 0 bytes. */
fgpu_status cuda_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem);
void cuda_mem_free(void *device, fgpu_mem mem);

/* Pins host memory for all cards. Pinning again what somebody else has pinned is an error: he may
 * give it up at any time. */
fgpu_status cuda_mem_pin(void *device, void *memory, uint64_t bytes);
fgpu_status cuda_mem_unpin(void *device, void *memory);
/* The same beside the budget. The context is current. */
cuda_result cuda_mem_get(const struct cuda_device *device, uint64_t bytes, cuda_ptr *address);
void cuda_mem_put(const struct cuda_device *device, cuda_ptr address);

#endif
