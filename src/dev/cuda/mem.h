/* Memory of a CUDA device: an fgpu_mem is the address on the card.
 *
 * Thread: as backend.h says.
 */
#ifndef FASTGPU_CUDA_MEM_H
#define FASTGPU_CUDA_MEM_H

#include <fastgpu/backend.h>

/* FGPU_E_DEVMEM past the budget or where the driver refuses, FGPU_E_INVAL for 0 bytes. */
fgpu_status cuda_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem);
void cuda_mem_free(void *device, fgpu_mem mem);

/* Pins host memory for all cards. Pinning again what somebody else has pinned is an error: he may
 * give it up at any time. */
fgpu_status cuda_mem_pin(void *device, void *memory, uint64_t bytes);
fgpu_status cuda_mem_unpin(void *device, void *memory);

#endif
