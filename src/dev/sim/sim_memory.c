/* Memory of a simulated device: see sim_memory.h. */
#include "dev/sim/sim_memory.h"

#include <stdlib.h>
#include <string.h>

/* A handle: the tag, a generation, the number of the slot. No canonical user address has the tag.
 */
#define SIM_MEMORY_TAG (UINT64_C(0x51) << 56)
#define SIM_MEMORY_SLOT_BITS 24
#define SIM_MEMORY_GENERATION_BITS 32

struct sim_memory_slot {
    char *data; /* NULL: free */
    uint64_t bytes;
    uint32_t generation;
};

void sim_memory_init(struct sim_memory *memory, uint64_t limit_bytes)
{
    *memory = (struct sim_memory){.limit_bytes = limit_bytes};
    lock_init(&memory->lock);
    vec_init(&memory->slots, sizeof(struct sim_memory_slot), NULL);
}

void sim_memory_fini(struct sim_memory *memory)
{
    for (size_t i = 0; i < memory->slots.count; i++)
        free(((struct sim_memory_slot *)vec_at(&memory->slots, i))->data);
    vec_fini(&memory->slots);
}

/* With the lock held. NULL when the handle is not current. */
static struct sim_memory_slot *sim_memory_slot(struct sim_memory *memory, fgpu_mem mem)
{
    uint64_t index = mem & ((UINT64_C(1) << SIM_MEMORY_SLOT_BITS) - 1);
    uint32_t generation = (uint32_t)(mem >> SIM_MEMORY_SLOT_BITS);
    struct sim_memory_slot *slot;

    if (mem >> 56 != SIM_MEMORY_TAG >> 56 || index >= memory->slots.count)
        return NULL;
    slot = vec_at(&memory->slots, index);
    return slot->data != NULL && slot->generation == generation ? slot : NULL;
}

/* With the lock held: the number of a free slot; false when there is no room. */
static bool sim_memory_place(struct sim_memory *memory, uint64_t *index)
{
    for (*index = 0; *index < memory->slots.count; ++*index)
        if (((struct sim_memory_slot *)vec_at(&memory->slots, *index))->data == NULL)
            return true;
    return *index < UINT64_C(1) << SIM_MEMORY_SLOT_BITS && vec_push(&memory->slots, NULL) != NULL;
}

static fgpu_status sim_memory_alloc_locked(struct sim_memory *memory, uint64_t bytes, fgpu_mem *mem)
{
    struct sim_memory_slot *slot;
    uint64_t index;
    char *data;

    if (bytes > memory->limit_bytes - memory->used_bytes || !sim_memory_place(memory, &index))
        return FGPU_E_DEVMEM;
    data = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (data == NULL)
        return FGPU_E_DEVMEM;
    memset(data, SIM_MEMORY_JUNK, bytes);
    slot = vec_at(&memory->slots, index);
    slot->data = data;
    slot->bytes = bytes;
    slot->generation++;
    memory->used_bytes += bytes;
    *mem = SIM_MEMORY_TAG | (uint64_t)slot->generation << SIM_MEMORY_SLOT_BITS | index;
    return FGPU_OK;
}

fgpu_status sim_memory_alloc(struct sim_memory *memory, uint64_t bytes, fgpu_mem *mem)
{
    fgpu_status status = FGPU_E_INVAL;

    lock_acquire(&memory->lock);
    if (bytes > 0)
        status = sim_memory_alloc_locked(memory, bytes, mem);
    lock_release(&memory->lock);
    return status;
}

void sim_memory_free(struct sim_memory *memory, fgpu_mem mem)
{
    struct sim_memory_slot *slot;

    lock_acquire(&memory->lock);
    slot = sim_memory_slot(memory, mem);
    if (slot != NULL) {
        memory->used_bytes -= slot->bytes;
        free(slot->data);
        slot->data = NULL;
    }
    lock_release(&memory->lock);
}

fgpu_status sim_memory_find(struct sim_memory *memory, fgpu_mem mem, uint64_t begin, uint64_t end,
                            char **address)
{
    fgpu_status status = FGPU_E_INVAL;
    struct sim_memory_slot *slot;

    lock_acquire(&memory->lock);
    slot = sim_memory_slot(memory, mem);
    if (slot != NULL) {
        status = begin <= end && end <= slot->bytes ? FGPU_OK : FGPU_E_RANGE;
        *address = slot->data + (status == FGPU_OK ? begin : 0);
    }
    lock_release(&memory->lock);
    return status;
}

uint64_t sim_memory_used_bytes(struct sim_memory *memory)
{
    uint64_t used_bytes;

    lock_acquire(&memory->lock);
    used_bytes = memory->used_bytes;
    lock_release(&memory->lock);
    return used_bytes;
}
