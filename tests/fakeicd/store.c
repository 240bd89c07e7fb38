/*
 * The contents of one buffer of the fake OpenCL library: a copy on each memory node that used it.
 *
 * This is what makes the devices discrete. A list of extents says on which nodes each range is
 * current; using a range on another node copies it there (counted as a migration), writing makes
 * all other copies stale. Fresh memory is filled with junk, and a margin around each copy shows
 * writes past its ends. The pseudo node NODE_HOST keeps initial contents until a device asks for
 * them; it is not charged to any device. The lock is held in all of these.
 *
 * Keeps true: extents are sorted, without gaps or overlaps, and cover [0, size_bytes).
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { MARGIN_BYTE = 0xE7 };

struct store *store_create(size_t size_bytes)
{
    struct store *store = state_alloc(sizeof(*store));
    size_t align = device_align_bytes();
    store->size_bytes = size_bytes;
    store->pad_bytes = align < 128 ? 128 : align;
    store->extent_capacity = 4;
    store->extents = state_alloc(store->extent_capacity * sizeof(struct extent));
    store->extents[0] = (struct extent){0, size_bytes, 0};
    store->extent_count = 1;
    return store;
}

static bool margin_is_whole(const unsigned char *margin, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (margin[i] != MARGIN_BYTE)
            return false;
    return true;
}

void store_check_edges(struct store *store)
{
    if (store->borrowed || store->damage_reported)
        return;
    for (unsigned node = 0; node < NODE_COUNT; node++) {
        const unsigned char *data = store->data[node];
        if (data == NULL)
            continue;
        if (!margin_is_whole(data - store->pad_bytes, store->pad_bytes) ||
            !margin_is_whole(data + store->size_bytes, store->pad_bytes)) {
            state_misuse("a kernel wrote outside a buffer of %zu bytes", store->size_bytes);
            store->damage_reported = true;
        }
    }
}

static unsigned char *allocate(struct store *store)
{
    static unsigned junk;
    void *memory = NULL;
    size_t pad = store->pad_bytes;
    if (posix_memalign(&memory, pad, store->size_bytes + 2 * pad) != 0)
        return NULL;
    unsigned char *data = (unsigned char *)memory + pad;
    memset(data - pad, MARGIN_BYTE, pad);
    memset(data, (int)(0xA1 + (junk++ * 2) % 0x1E), store->size_bytes);
    memset(data + store->size_bytes, MARGIN_BYTE, pad);
    return data;
}

static void charge(unsigned node, size_t size_bytes)
{
    stats.memory_used[node] += size_bytes;
    if (stats.memory_peak[node] < stats.memory_used[node])
        stats.memory_peak[node] = stats.memory_used[node];
}

cl_int store_reserve(struct store *store, unsigned node)
{
    if (store->data[node] != NULL)
        return CL_SUCCESS;
    bool charged = node < FAKECL_MAX_DEVICES;
    bool full = charged && (store->size_bytes > (uint64_t)config.memory ||
                            stats.memory_used[node] > (uint64_t)config.memory - store->size_bytes);
    if (full || (charged && state_chance(config.fail_alloc)))
        store->data[node] = NULL;
    else
        store->data[node] = allocate(store);
    if (store->data[node] == NULL) {
        stats.failed_allocs++;
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
    if (charged)
        charge(node, store->size_bytes);
    return CL_SUCCESS;
}

void store_destroy(struct store *store)
{
    store_check_edges(store);
    for (unsigned node = 0; node < NODE_COUNT && !store->borrowed; node++) {
        if (store->data[node] == NULL)
            continue;
        free(store->data[node] - store->pad_bytes);
        if (node < FAKECL_MAX_DEVICES)
            stats.memory_used[node] -= store->size_bytes;
    }
    free(store->extents);
    free(store);
}

void store_borrow(struct store *store, void *host)
{
    store->borrowed = true;
    store->data[0] = host;
    store->extents[0].nodes = 1;
}

void store_preset(struct store *store, unsigned node, const void *host)
{
    memcpy(store->data[node], host, store->size_bytes);
    store->extents[0].nodes = 1u << node;
}

/* Index of the extent that begins at the offset, after splitting one if needed. */
static size_t split(struct store *store, size_t offset)
{
    size_t at = 0;
    while (at < store->extent_count && store->extents[at].end <= offset)
        at++;
    if (at == store->extent_count || store->extents[at].begin == offset)
        return at;
    if (store->extent_count == store->extent_capacity) {
        struct extent *wider = state_alloc(2 * store->extent_capacity * sizeof(struct extent));
        memcpy(wider, store->extents, store->extent_count * sizeof(struct extent));
        free(store->extents);
        store->extents = wider;
        store->extent_capacity *= 2;
    }
    memmove(&store->extents[at + 1], &store->extents[at],
            (store->extent_count - at) * sizeof(struct extent));
    store->extent_count++;
    store->extents[at].end = offset;
    store->extents[at + 1].begin = offset;
    return at + 1;
}

static void merge(struct store *store)
{
    size_t kept = 0;
    for (size_t i = 1; i < store->extent_count; i++) {
        if (store->extents[i].nodes == store->extents[kept].nodes)
            store->extents[kept].end = store->extents[i].end;
        else
            store->extents[++kept] = store->extents[i];
    }
    store->extent_count = kept + 1;
}

static void fetch(struct store *store, struct extent *extent, unsigned node)
{
    unsigned from = 0;
    if (extent->nodes == 0 || (extent->nodes & (1u << node)) != 0)
        return;
    while ((extent->nodes & (1u << from)) == 0)
        from++;
    memcpy(store->data[node] + extent->begin, store->data[from] + extent->begin,
           extent->end - extent->begin);
    extent->nodes |= 1u << node;
    stats.migrations += from != NODE_HOST;
}

unsigned char *store_ensure(struct store *store, unsigned node, size_t offset, size_t size,
                            int access)
{
    if (store_reserve(store, node) != CL_SUCCESS)
        return NULL;
    size_t first = split(store, offset);
    size_t last = split(store, offset + size);
    for (size_t i = first; i < last; i++) {
        if ((access & ACCESS_READ) != 0)
            fetch(store, &store->extents[i], node);
        if ((access & ACCESS_WRITE) != 0)
            store->extents[i].nodes = 1u << node;
    }
    merge(store);
    return store->data[node];
}

const unsigned char *store_peek(struct store *store, unsigned node, size_t offset, size_t size)
{
    uint32_t nodes = ~0u;
    for (size_t i = 0; i < store->extent_count; i++)
        if (store->extents[i].begin < offset + size && store->extents[i].end > offset &&
            store->extents[i].nodes != 0)
            nodes &= store->extents[i].nodes;
    if ((nodes & (1u << node)) != 0 && store->data[node] != NULL)
        return store->data[node];
    for (unsigned other = 0; other < NODE_COUNT; other++)
        if ((nodes & (1u << other)) != 0 && store->data[other] != NULL)
            return store->data[other];
    return NULL;
}

void store_forget(struct store *store, size_t offset, size_t size)
{
    size_t first = split(store, offset);
    size_t last = split(store, offset + size);
    for (size_t i = first; i < last; i++)
        store->extents[i].nodes = 0;
    merge(store);
}
