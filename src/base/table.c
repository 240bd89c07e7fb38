/* Growth of the table. See base/table.h. */
#include "base/table.h"

/* Largest power of two of items that a chunk may have: LIMITS_TABLE_CHUNK, less for large items or
 * small tables. */
static uint32_t table_choose_shift(size_t item_bytes, uint32_t max_items)
{
    uint32_t shift = 0;
    while ((1u << shift) < LIMITS_TABLE_CHUNK && (1u << shift) < max_items &&
           (item_bytes << (shift + 1)) <= LIMITS_TABLE_CHUNK_BYTES)
        shift++;
    return shift;
}

static size_t table_chunk_bytes(const struct table *table)
{
    return table->item_bytes << table->chunk_shift;
}

fgpu_status table_init(struct table *table, size_t item_bytes, uint32_t max_items,
                       const struct alloc_hooks *hooks)
{
    *table = (struct table){.item_bytes = item_bytes, .max_items = max_items, .hooks = hooks};
    if (item_bytes == 0 || item_bytes > LIMITS_TABLE_CHUNK_BYTES || max_items == 0 ||
        max_items >= FREELIST_NONE)
        return FGPU_E_INVAL;
    lock_init(&table->grow);
    table->chunk_shift = table_choose_shift(item_bytes, max_items);
    table->chunk_mask = (1u << table->chunk_shift) - 1;
    table->chunk_count = (max_items - 1) / (table->chunk_mask + 1) + 1;
    if (freelist_init_with(&table->free, max_items, hooks) != FGPU_OK)
        return FGPU_E_NOMEM;
    table->chunks = alloc_get_zeroed(hooks, table->chunk_count * sizeof *table->chunks, 64);
    if (table->chunks == NULL) {
        freelist_fini(&table->free);
        return FGPU_E_NOMEM;
    }
    return FGPU_OK;
}

void table_fini(struct table *table)
{
    if (table == NULL || table->chunks == NULL)
        return;
    for (uint32_t i = 0; i < table->chunk_count; i++)
        alloc_put(table->hooks, atomic_load_relaxed_ptr(&table->chunks[i]),
                  table_chunk_bytes(table));
    alloc_put(table->hooks, (void *)table->chunks, table->chunk_count * sizeof *table->chunks);
    freelist_fini(&table->free);
    table->chunks = NULL;
}

/* Makes the chunk that holds `index` exist. */
static fgpu_status table_make_chunk(struct table *table, uint32_t index)
{
    _Atomic(void *) *place = &table->chunks[index >> table->chunk_shift];
    if (atomic_load_acquire_ptr(place) != NULL)
        return FGPU_OK;
    lock_acquire(&table->grow);
    fgpu_status status = FGPU_OK;
    if (atomic_load_relaxed_ptr(place) == NULL) {
        void *chunk = alloc_get_zeroed(table->hooks, table_chunk_bytes(table), LIMITS_CACHE_LINE);
        if (chunk != NULL)
            atomic_store_release_ptr(place, chunk);
        else
            status = FGPU_E_NOMEM;
    }
    lock_release(&table->grow);
    return status;
}

/* Takes a slot that has never been used. */
static fgpu_status table_alloc_fresh(struct table *table, uint32_t *index)
{
    uint32_t bump = atomic_load_acquire_u32(&table->bump);
    do {
        if (bump >= table->max_items)
            return FGPU_E_LIMIT;
        fgpu_status status = table_make_chunk(table, bump);
        if (status != FGPU_OK)
            return status;
    } while (!atomic_cas_acqrel_u32(&table->bump, &bump, bump + 1));
    *index = bump;
    return FGPU_OK;
}

fgpu_status table_alloc(struct table *table, uint32_t *index)
{
    uint32_t reused = freelist_pop(&table->free);
    if (reused == FREELIST_NONE)
        return table_alloc_fresh(table, index);
    *index = reused;
    return FGPU_OK;
}

fgpu_status table_alloc_n(struct table *table, uint32_t *indices, uint32_t n)
{
    uint32_t got = freelist_pop_n(&table->free, indices, n);
    while (got < n) {
        fgpu_status status = table_alloc_fresh(table, &indices[got]);
        if (status != FGPU_OK) {
            table_free_n(table, indices, got);
            return status;
        }
        got++;
    }
    return FGPU_OK;
}

void table_free_n(struct table *table, const uint32_t *indices, uint32_t n)
{
    if (n == 0)
        return;
    for (uint32_t i = 1; i < n; i++)
        freelist_link(&table->free, indices[i - 1], indices[i]);
    freelist_push_chain(&table->free, indices[0], indices[n - 1]);
}

fgpu_status table_reserve(struct table *table, uint32_t n)
{
    if (n > table->max_items)
        return FGPU_E_LIMIT;
    for (uint64_t first = 0; first < n; first += table->chunk_mask + 1ull) {
        fgpu_status status = table_make_chunk(table, (uint32_t)first);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}
