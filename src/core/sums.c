/* Checksums of contents, see sums.h. */
#include "core/sums.h"

#include "base/map.h"
#include "core/engine.h"
#include "core/graph.h"
#include "core/ops.h"

#define SUMS_LINE 32u                /* bytes with a sum */
#define SUMS_PAUSE_BYTES (64u << 10) /* for one turn more between two looks at everything */

/* Of one buffer. */
struct sums_buffer {
    uint32_t *lines; /* 0: not known */
    size_t count;
    uint32_t live; /* generation of the buffer that they are of */
};

struct sums {
    struct vec buffers; /* struct sums_buffer, by slot */
    uint64_t pause;     /* turns left */
};

bool sums_init(struct engine *engine)
{
    if (!(engine->flags & FGPU_POOL_CHECKSUM) || engine->node_count == 1)
        return true;
    engine->sums = alloc_get_zeroed(engine->hooks, sizeof *engine->sums, 16);
    if (engine->sums != NULL)
        vec_init(&engine->sums->buffers, sizeof(struct sums_buffer), engine->hooks);
    return engine->sums != NULL;
}

static void sums_drop(struct engine *engine, struct sums_buffer *of)
{
    alloc_put(engine->hooks, of->lines, of->count * sizeof *of->lines);
    *of = (struct sums_buffer){0};
}

void sums_fini(struct engine *engine)
{
    if (engine->sums == NULL)
        return;
    for (size_t i = 0; i < engine->sums->buffers.count; i++)
        sums_drop(engine, vec_at(&engine->sums->buffers, i));
    vec_fini(&engine->sums->buffers);
    alloc_put(engine->hooks, engine->sums, sizeof *engine->sums);
    engine->sums = NULL;
}

/* NULL without memory: then nothing is known of the buffer. */
static struct sums_buffer *sums_of(struct engine *engine, const struct buffer *buffer)
{
    struct vec *all = &engine->sums->buffers;
    static const struct sums_buffer none;
    uint64_t bytes = atomic_load_relaxed_u64(&buffer->size_bytes);
    uint32_t live = (atomic_load_relaxed_u32(&buffer->live) - 1) | 1; /* also while it goes */
    while (all->count <= buffer->self)
        if (vec_push(all, &none) == NULL)
            return NULL;
    struct sums_buffer *of = vec_at(all, buffer->self);
    if (of->lines != NULL && of->live == live)
        return of;
    sums_drop(engine, of);
    size_t count = (size_t)((bytes + SUMS_LINE - 1) / SUMS_LINE);
    of->lines = alloc_get_zeroed(engine->hooks, count * sizeof *of->lines, 16);
    if (of->lines == NULL)
        return NULL;
    of->count = count;
    of->live = live;
    return of;
}

void sums_forget(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end)
{
    struct sums_buffer *of = sums_of(engine, buffer);
    for (uint64_t i = begin / SUMS_LINE; of != NULL && i * SUMS_LINE < end && i < of->count; i++)
        of->lines[i] = 0;
}

/* Bytes that a copy under way is still to write on the host. */
static bool sums_arrives(const struct engine *engine, const struct block *block, uint64_t begin,
                         uint64_t end)
{
    for (uint32_t at = block->ops; at != OP_NONE;) {
        struct op *op = table_at(&engine->ops, at);
        if (op->dst_node == 0 && op->begin < end && op->end > begin)
            return true;
        at = ops_next(op, 0);
    }
    return false;
}

static void sums_line(struct engine *engine, const struct buffer *buffer, const char *bytes,
                      uint64_t line, uint32_t *known)
{
    uint32_t sum = (uint32_t)hash_bytes(bytes, SUMS_LINE, line) | 1;
    bool changed = *known != 0 && *known != sum;
    if (changed)
        LOG_ERROR(
            engine->log, "memory",
            "checksum: buffer '%s' (%u): the %u bytes from %llu on have changed though no task "
            "wrote them",
            buffer->name, buffer->self, SUMS_LINE, (unsigned long long)(line * SUMS_LINE));
    FGPU_ASSERT(!changed);
    *known = sum;
}

/* The lines that lie wholly in settled contents [begin, end). */
static void sums_settled(struct engine *engine, const struct buffer *buffer, uint64_t begin,
                         uint64_t end)
{
    const struct heap_block *heap = &engine_block((struct buffer *)(uintptr_t)buffer, 0)->heap;
    const char *bytes = (const char *)(uintptr_t)(heap->mem + heap->offset);
    struct sums_buffer *of = sums_of(engine, buffer);
    if (of == NULL)
        return;
    for (uint64_t i = (begin + SUMS_LINE - 1) / SUMS_LINE; (i + 1) * SUMS_LINE <= end; i++)
        sums_line(engine, buffer, bytes + i * SUMS_LINE, i, &of->lines[i]);
}

static bool sums_is_settled(const struct engine *engine, const struct block *block,
                            struct imap_seg *seg)
{
    const struct replica *replica = &graph_segment(seg)->replica;
    return replica->dirty == 0 && replica_is_valid(replica, 0) &&
           !sums_arrives(engine, block, seg->begin, seg->end);
}

void sums_check(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end)
{
    const struct block *block = engine_block((struct buffer *)(uintptr_t)buffer, 0);
    if (block->state != BLOCK_PRESENT)
        return;
    uint64_t from = 0, to = 0; /* neighbours go together: a line may lie in several */
    struct imap_seg *seg = imap_first(&buffer->segments, begin);
    for (; seg != NULL && seg->begin < end; seg = imap_next(&buffer->segments, seg)) {
        if (!sums_is_settled(engine, block, seg))
            continue;
        if (seg->begin != to) {
            sums_settled(engine, buffer, from, to);
            from = seg->begin;
        }
        to = seg->end;
    }
    sums_settled(engine, buffer, from, to);
}

void sums_turn(struct engine *engine)
{
    uint64_t bytes = 0;
    if (engine->sums->pause > 0) {
        engine->sums->pause--;
        return;
    }
    for (uint32_t i = 0; i < table_high_water(&engine->buffers); i++) {
        const struct buffer *buffer = engine_buffer(engine, i);
        if (!(atomic_load_relaxed_u32(&buffer->live) & 1) && !buffer->destroyed)
            continue;
        sums_check(engine, buffer, 0, UINT64_MAX);
        bytes += atomic_load_relaxed_u64(&buffer->size_bytes);
    }
    engine->sums->pause = bytes / SUMS_PAUSE_BYTES;
}
