/* Buffers and kernels come and go. Runs under the engine's lock.
 *
 * Keeps true: `live` changes when an object is created and when it is destroyed, so that handles
 * made before are stale at once; its slot is given back when the last task that uses it has ended.
 */
#include "core/object.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/graph.h"
#include "core/joined.h"
#include "core/launch.h"
#include "core/lineage.h"
#include "core/memory.h"
#include "core/preempt.h"
#include "core/sums.h"

/* A slot that was never used begins where the engine's generations begin. */
static uint32_t object_last_live(const struct engine *engine, const _Atomic uint32_t *live)
{
    uint32_t last = atomic_load_relaxed_u32(live);
    return last != 0 ? last : engine->first_generation;
}

static void object_flip(_Atomic uint32_t *live)
{
    atomic_store_release_u32(live, atomic_load_relaxed_u32(live) + 1);
}

/* ---- buffers ---------------------------------------------------------------------------- */

fgpu_status engine_buffer_create(struct engine *engine, uint64_t size_bytes, void *adopted,
                                 uint32_t *index)
{
    fgpu_status status = table_alloc(&engine->buffers, index);
    if (status != FGPU_OK)
        return status;
    struct buffer *buffer = engine_buffer(engine, *index);
    uint32_t live = object_last_live(engine, &buffer->live);
    struct block *blocks =
        engine->blocks.on
            ? NULL
            : buffer->blocks; /* of the slot's last life: the node count never changes */
    /* All but `live`, which others may read at any time. */
    memset(buffer, 0, offsetof(struct buffer, live));
    buffer->destroyed = 0;
    buffer->lease = 0;
    buffer->unmerged = buffer->merged_log2 = 0;
    buffer->self = *index;
    buffer->born = lineage_now(engine);
    status = blocks_open(engine, buffer, blocks);
    if (status == FGPU_OK)
        status = graph_buffer_init(engine, buffer, size_bytes);
    if (status != FGPU_OK) {
        table_free(&engine->buffers, *index);
        return status;
    }
    atomic_store_relaxed_u64(&buffer->size_bytes, size_bytes);
    engine->buffer_bytes += size_bytes;
    buffer->adopted = adopted;
    if (adopted != NULL) {
        memory_adopt(engine, buffer, adopted, size_bytes);
        replica_adopt(&graph_segment(imap_first(&buffer->segments, 0))->replica);
    }
    atomic_store_release_u32(&buffer->live, live + 1);
    return FGPU_OK;
}

void engine_buffer_gone(struct engine *engine, uint32_t index)
{
    struct buffer *buffer = engine_buffer(engine, index);
    FGPU_ASSERT(buffer->destroyed && buffer->users == 0);
    if (engine->sums != NULL)
        sums_check(engine, buffer, 0, UINT64_MAX);
    memory_release(engine, buffer);
    engine->buffer_bytes -= atomic_load_relaxed_u64(&buffer->size_bytes);
    blocks_close(&engine->blocks, buffer);
    graph_buffer_fini(engine, buffer);
    buffer->destroyed = 0;
    table_free(&engine->buffers, index);
}

void engine_buffer_destroy(struct engine *engine, uint32_t index)
{
    struct buffer *buffer = engine_buffer(engine, index);
    object_flip(&buffer->live);
    engine->gone++;
    joined_touch(engine, buffer);
    buffer->destroyed = 1;
    if (buffer->users == 0)
        engine_buffer_gone(engine, index);
}

/* ---- kernels ---------------------------------------------------------------------------- */

fgpu_status engine_kernel_create(struct engine *engine, uint32_t *index)
{
    fgpu_status status = table_alloc(&engine->kernels, index);
    if (status != FGPU_OK)
        return status;
    struct kernel *kernel = engine_kernel(engine, *index);
    uint32_t live = object_last_live(engine, &kernel->live);
    memset((char *)kernel + sizeof kernel->live, 0, sizeof *kernel - sizeof kernel->live);
    kernel->self = *index;
    kernel->born = lineage_now(engine);
    kernel->codes = alloc_get_zeroed(engine->hooks, engine->code_count * sizeof *kernel->codes, 16);
    if (kernel->codes == NULL) {
        table_free(&engine->kernels, *index);
        return FGPU_E_NOMEM;
    }
    for (uint32_t c = 0; c < engine->code_count; c++)
        kernel->codes[c].waiting = LINKS_NONE;
    atomic_store_release_u32(&kernel->live, live + 1);
    return FGPU_OK;
}

static void object_free_text(struct engine *engine, char *text)
{
    if (text != NULL)
        alloc_put(engine->hooks, text, strlen(text) + 1);
}

void engine_kernel_gone(struct engine *engine, uint32_t index)
{
    struct kernel *kernel = engine_kernel(engine, index);
    for (uint32_t c = 0; c < engine->code_count; c++)
        if (kernel->codes[c].state == CODE_BUILDING)
            return; /* engine_built comes back here */
    if (!preempt_kernel_gone(engine, kernel))
        return;
    for (uint32_t d = 0; d < engine->device_count; d++) {
        struct code *code = engine_code(engine, kernel, d);
        if (d > 0 && engine->devices[d - 1].code == engine->devices[d].code)
            continue;
        if (code->state == CODE_READY)
            engine_act(engine, (struct action){
                                   .kind = ACTION_CODE_FREE, .device = d, .handle = code->code});
        free(code->log);
    }
    for (uint32_t i = 0; i < kernel->variant_count; i++) {
        object_free_text(engine, kernel->variants[i].text);
        object_free_text(engine, kernel->variants[i].entry);
        object_free_text(engine, kernel->variants[i].options);
    }
    alloc_put(engine->hooks, kernel->codes, engine->code_count * sizeof *kernel->codes);
    kernel->codes = NULL;
    kernel->destroyed = 0;
    table_free(&engine->kernels, index);
}

void engine_kernel_destroy(struct engine *engine, uint32_t index)
{
    struct kernel *kernel = engine_kernel(engine, index);
    object_flip(&kernel->live);
    engine->gone++;
    kernel->destroyed = 1;
    if (kernel->users == 0)
        engine_kernel_gone(engine, index);
}

void engine_kernel_prepare(struct engine *engine, uint32_t index, uint32_t device)
{
    launch_build(engine, engine_kernel(engine, index), device);
}

void *engine_map_address(struct engine *engine, uint32_t index)
{
    const struct task *task = engine_task(engine, index);
    const struct task_access *access = &task_accesses(task)[0];
    const struct heap_block *block = memory_at(engine_buffer(engine, access->buffer), 0);
    return (void *)(uintptr_t)(block->mem + block->offset + access->begin);
}
