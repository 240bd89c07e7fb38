/* Memory of a simulated device: separate allocations behind handles that are no addresses.
 *
 * Each allocation is a malloc of its own, so that a sanitizer sees an access beyond its end; it is
 * filled with junk, so that reading what was never written shows. Handles carry a generation and a
 * bit pattern that no address has: a stale handle is refused, and using one as an address crashes.
 * Thread: any (a lock inside); addresses stay valid until the allocation is freed.
 */
#ifndef FASTGPU_DEV_SIM_SIM_MEMORY_H
#define FASTGPU_DEV_SIM_SIM_MEMORY_H

#include <fastgpu/backend.h>
#include "base/lock.h"
#include "base/vec.h"

#define SIM_MEMORY_JUNK 0xd5

struct sim_memory {
    struct lock lock;
    struct vec slots; /* of struct sim_memory_slot; a free one has no data */
    uint64_t used_bytes;
    uint64_t limit_bytes;
};

void sim_memory_init(struct sim_memory *memory, uint64_t limit_bytes);
void sim_memory_fini(struct sim_memory *memory);

/* FGPU_E_DEVMEM beyond the limit, FGPU_E_INVAL for 0 bytes. */
fgpu_status sim_memory_alloc(struct sim_memory *memory, uint64_t bytes, fgpu_mem *mem);

/* A handle that is not current is ignored. */
void sim_memory_free(struct sim_memory *memory, fgpu_mem mem);

/* Address of [begin, end) of an allocation. FGPU_E_INVAL when the handle is not current,
 * FGPU_E_RANGE when the allocation is shorter. */
fgpu_status sim_memory_find(struct sim_memory *memory, fgpu_mem mem, uint64_t begin, uint64_t end,
                            char **address);

uint64_t sim_memory_used_bytes(struct sim_memory *memory);

#endif
