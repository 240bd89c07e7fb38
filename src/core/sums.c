/* Checksums of contents, see sums.h. */
#include "core/sums.h"

#include "base/map.h"
#include "core/engine.h"
#include "core/graph.h"

#define SUMS_MOST 65536u             /* older ones are forgotten then, all at once */
#define SUMS_PAUSE_BYTES (64u << 10) /* for one turn more between two looks at everything */

struct sums {
    struct map known; /* key of a range and its version -> sum */
    uint64_t pause;   /* turns left */
};

bool sums_init(struct engine *engine)
{
    if (!(engine->flags & FGPU_POOL_CHECKSUM) || engine->node_count == 1)
        return true;
    engine->sums = alloc_get_zeroed(engine->hooks, sizeof *engine->sums, 16);
    if (engine->sums != NULL)
        map_init(&engine->sums->known, engine->hooks);
    return engine->sums != NULL;
}

void sums_fini(struct engine *engine)
{
    if (engine->sums == NULL)
        return;
    map_fini(&engine->sums->known);
    alloc_put(engine->hooks, engine->sums, sizeof *engine->sums);
    engine->sums = NULL;
}

static uint64_t sums_key(const struct buffer *buffer, const struct imap_seg *seg, uint32_t version)
{
    const uint64_t words[] = {buffer->self, atomic_load_relaxed_u32(&buffer->live), seg->begin,
                              seg->end, version};
    return hash_bytes(words, sizeof words, 0);
}

/* Bytes of it that a copy under way is still to write on the host. */
static bool sums_arrives(const struct engine *engine, const struct block *block, uint64_t begin,
                         uint64_t end)
{
    for (uint32_t at = block->ops; at != OP_NONE;) {
        const struct op *op = table_at(&engine->ops, at);
        if (op->dst_node == 0 && op->begin < end && op->end > begin)
            return true;
        at = op->src_node == 0 ? op->next_src : op->next_dst;
    }
    return false;
}

/* Returns how many bytes were looked at. */
static uint64_t sums_segment(struct engine *engine, const struct buffer *buffer,
                             const struct block *block, const struct imap_seg *seg)
{
    const struct replica *replica = &graph_segment((struct imap_seg *)(uintptr_t)seg)->replica;
    if (replica->dirty > 0 || !replica_is_valid(replica, 0) ||
        sums_arrives(engine, block, seg->begin, seg->end))
        return 0;
    struct map *known = &engine->sums->known;
    const char *bytes = (const char *)(uintptr_t)(block->heap.mem + block->heap.offset);
    uint64_t key = sums_key(buffer, seg, replica->version), before;
    uint64_t sum = hash_bytes(bytes + seg->begin, seg->end - seg->begin, 0);
    bool changed = map_get(known, key, &before) && before != sum;
    if (changed)
        LOG_ERROR(engine->log, "memory",
                  "buffer '%s' (%u): bytes %llu to %llu are not what they were in version %u",
                  buffer->name, buffer->self, (unsigned long long)seg->begin,
                  (unsigned long long)seg->end, replica->version);
    FGPU_ASSERT(!changed);
    if (known->count >= SUMS_MOST)
        map_clear(known);
    (void)map_put(known, key, sum); /* without memory it is not known */
    return seg->end - seg->begin;
}

static uint64_t sums_range(struct engine *engine, const struct buffer *buffer, uint64_t begin,
                           uint64_t end)
{
    const struct block *block = engine_block((struct buffer *)(uintptr_t)buffer, 0);
    uint64_t bytes = 0;
    if (block->state != BLOCK_PRESENT || buffer->lease != 0)
        return 0; /* a recorded graph writes without a word to anybody */
    struct imap_seg *seg = imap_first(&buffer->segments, begin);
    for (; seg != NULL && seg->begin < end; seg = imap_next(&buffer->segments, seg))
        bytes += sums_segment(engine, buffer, block, seg);
    return bytes;
}

void sums_check(struct engine *engine, const struct buffer *buffer, uint64_t begin, uint64_t end)
{
    (void)sums_range(engine, buffer, begin, end);
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
        if ((atomic_load_relaxed_u32(&buffer->live) & 1) || buffer->destroyed)
            bytes += sums_range(engine, buffer, 0, UINT64_MAX);
    }
    engine->sums->pause = bytes / SUMS_PAUSE_BYTES;
}
