/* Blocks of buffers, dense and sparse; see blocks.h.
 *
 * Runs under the engine's lock. Only simulations have enough nodes for the sparse half: there a
 * block that cannot be had is the end, as it is for every other record that they keep.
 */
#include "core/blocks.h"

#include "core/engine.h"

fgpu_status blocks_init(struct blocks *blocks, bool on, const struct alloc_hooks *hooks)
{
    blocks->on = on;
    map_init(&blocks->places, hooks);
    return on ? table_init(&blocks->entries, sizeof(struct blocks_entry), LIMITS_BLOCKS, hooks)
              : FGPU_OK;
}

void blocks_fini(struct blocks *blocks)
{
    table_fini(&blocks->entries);
    map_fini(&blocks->places);
}

static void blocks_reset(struct block *block, uint32_t buffer, uint32_t node)
{
    *block = (struct block){.node = (uint16_t)node, .buffer = buffer, .ops = OP_NONE};
}

fgpu_status blocks_open(struct engine *engine, struct buffer *buffer, struct block *old)
{
    if (engine->blocks.on) {
        buffer->sparse = &engine->blocks;
        buffer->first_block = BLOCKS_NONE;
        blocks_reset(&buffer->home, buffer->self, 0);
        return FGPU_OK;
    }
    if (old == NULL)
        old = engine->node_count == 1
                  ? &buffer->home
                  : alloc_get(engine->hooks, engine->node_count * sizeof *old, 16);
    buffer->blocks = old;
    if (old == NULL)
        return FGPU_E_NOMEM;
    for (uint32_t node = 0; node < engine->node_count; node++)
        blocks_reset(&old[node], buffer->self, node);
    return FGPU_OK;
}

static uint64_t blocks_key(const struct buffer *buffer, uint32_t node)
{
    return (uint64_t)buffer->self << 32 | node;
}

static struct blocks_recent *blocks_recent(struct blocks *blocks, const struct buffer *buffer,
                                           uint32_t node)
{
    return &blocks->recent[(buffer->self * 5u + node) % BLOCKS_RECENT];
}

static struct blocks_entry *blocks_entry(const struct blocks *blocks, uint32_t index)
{
    return index != BLOCKS_NONE ? table_at(&blocks->entries, index) : NULL;
}

/* How many the buffer has, as its newest says. */
static uint32_t blocks_count(const struct blocks *blocks, const struct buffer *buffer)
{
    const struct blocks_entry *newest = blocks_entry(blocks, buffer->first_block);
    return newest != NULL ? newest->count : 0;
}

void blocks_close(struct blocks *blocks, struct buffer *buffer)
{
    if (buffer->sparse == NULL)
        return;
    bool mapped = blocks_count(blocks, buffer) > BLOCKS_LISTED;
    while (buffer->first_block != BLOCKS_NONE) {
        struct blocks_entry *entry = table_at(&blocks->entries, buffer->first_block);
        buffer->first_block = entry->next;
        blocks_recent(blocks, buffer, entry->block.node)->key = 0;
        if (mapped)
            (void)map_del(&blocks->places, blocks_key(buffer, entry->block.node));
        table_free(&blocks->entries, entry->self);
    }
}

void blocks_free(struct engine *engine, struct buffer *buffer)
{
    if (engine->blocks.on)
        return;
    if (buffer->blocks != &buffer->home)
        alloc_put(engine->hooks, buffer->blocks, engine->node_count * sizeof *buffer->blocks);
    buffer->blocks = NULL;
}

/* One that is not the host's and not in the map, or NULL. */
static struct block *blocks_in_list(const struct blocks *blocks, const struct buffer *buffer,
                                    uint32_t node)
{
    struct blocks_entry *entry = blocks_entry(blocks, buffer->first_block);
    bool few = entry != NULL && entry->count <= BLOCKS_LISTED;
    while (entry != NULL && entry->block.node != node)
        entry = few ? blocks_entry(blocks, entry->next) : NULL;
    return entry != NULL ? &entry->block : NULL;
}

/* Most buffers have a few, which are found in their list. When that becomes longer all of them go
 * into the map, and later ones at once. */
static void blocks_map(struct blocks *blocks, const struct buffer *buffer)
{
    const struct blocks_entry *entry = blocks_entry(blocks, buffer->first_block);
    uint32_t left = entry->count > BLOCKS_LISTED + 1 ? 1 : entry->count;
    if (entry->count <= BLOCKS_LISTED)
        return;
    for (; left > 0; left--, entry = blocks_entry(blocks, entry->next)) {
        fgpu_status status =
            map_put(&blocks->places, blocks_key(buffer, entry->block.node), entry->self);
        FGPU_ASSERT(status == FGPU_OK);
    }
}

/* One that is not the host's; made where there is none. */
static struct block *blocks_find(struct blocks *blocks, struct buffer *buffer, uint32_t node)
{
    uint64_t found = 0;
    uint32_t index, count = blocks_count(blocks, buffer);
    struct block *listed = blocks_in_list(blocks, buffer, node);
    if (listed != NULL)
        return listed;
    if (count > BLOCKS_LISTED && map_get(&blocks->places, blocks_key(buffer, node), &found))
        return &blocks_entry(blocks, (uint32_t)found)->block;
    fgpu_status status = table_alloc(&blocks->entries, &index);
    FGPU_ASSERT(status == FGPU_OK);
    struct blocks_entry *entry = table_at(&blocks->entries, index);
    blocks_reset(&entry->block, buffer->self, node);
    entry->self = index;
    entry->count = count + 1;
    entry->next = buffer->first_block;
    buffer->first_block = index;
    blocks_map(blocks, buffer);
    return &entry->block;
}

struct block *blocks_at(struct buffer *buffer, uint32_t node)
{
    struct blocks *blocks = buffer->sparse;
    if (node == 0)
        return &buffer->home;
    struct blocks_recent *recent = blocks_recent(blocks, buffer, node);
    uint64_t key = blocks_key(buffer, node); /* not 0: that would be the host's */
    if (recent->key != key)
        *recent = (struct blocks_recent){key, blocks_find(blocks, buffer, node)};
    return recent->block;
}

struct block *blocks_first(const struct engine *engine, const struct buffer *buffer)
{
    (void)engine;
    return buffer->sparse == NULL ? buffer->blocks : (struct block *)&buffer->home;
}

struct block *blocks_next(const struct engine *engine, const struct buffer *buffer,
                          const struct block *block)
{
    if (buffer->sparse == NULL)
        return block->node + 1u < engine->node_count ? &buffer->blocks[block->node + 1u] : NULL;
    uint32_t next = block == &buffer->home
                        ? buffer->first_block
                        : ((const struct blocks_entry *)(const void *)block)->next;
    if (next == BLOCKS_NONE)
        return NULL;
    return &((struct blocks_entry *)table_at(&engine->blocks.entries, next))->block;
}
