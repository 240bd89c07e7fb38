/* fgpu_heap_write(): what lies where in the memory nodes, as JSON for `fastgpu heap`.
 *
 * The text is made under the driver's lock, in memory, and written without it. Thread: any.
 */
#include "api/lookup.h"
#include "base/map.h"
#include "run/store.h"
#include "trace/json.h"

struct heap_text {
    struct json json;
    struct vec text;   /* char */
    struct map owners; /* place of a block on the node -> buffer + 1 */
};

static fgpu_status heap_text_append(void *user, const char *text, size_t size_bytes)
{
    struct vec *to = user;
    size_t need = to->count + size_bytes;
    if (need > to->capacity && !vec_reserve(to, 2 * need))
        return FGPU_E_NOMEM;
    memcpy(to->items + to->count, text, size_bytes);
    to->count = need;
    return FGPU_OK;
}

static void heap_text_number(struct json *json, const char *key, uint64_t value)
{
    json_raw(json, key);
    json_u64(json, value);
}

/* [offset, bytes, whose it is]; of a page of small blocks, its name is empty. */
static void heap_text_range(struct heap_text *t, struct engine *engine,
                            const struct bins_range *range, uint32_t index)
{
    uint64_t owner = 0;
    heap_text_number(&t->json, "[", range->offset);
    heap_text_number(&t->json, ",", range->bytes);
    json_raw(&t->json, ",");
    if (range->state == BINS_TAKEN && map_get(&t->owners, index, &owner))
        json_string(&t->json, engine_buffer(engine, (uint32_t)owner)->name);
    else
        json_string(&t->json, "");
    json_raw(&t->json, "]");
}

static fgpu_status heap_text_owners(struct heap_text *t, struct engine *engine, uint32_t node)
{
    fgpu_status status = FGPU_OK;
    map_clear(&t->owners);
    for (uint32_t at = engine->nodes[node].use_head; at != TASK_NONE && status == FGPU_OK;) {
        const struct block *block = engine_block(engine_buffer(engine, at), node);
        if (!block->adopted)
            status = map_put(&t->owners, block->heap.place, at);
        at = block->next_use;
    }
    return status;
}

static void heap_text_slabs(struct heap_text *t, struct engine *engine, const struct heap *heap)
{
    struct json *json = &t->json;
    bool first_slab = true;
    for (size_t i = 0; i < heap->slabs.count; i++) {
        const struct heap_slab *slab = vec_at(&heap->slabs, i);
        bool first = true;
        if (slab->bytes == 0)
            continue;
        json_raw(json, first_slab ? "\n" : ",\n");
        heap_text_number(json, "{\"bytes\":", slab->bytes);
        json_raw(json, ",\"blocks\":[");
        first_slab = false;
        for (uint32_t r = slab->first; r != BINS_NONE; r = bins_at(&heap->bins, r)->next) {
            const struct bins_range *range = bins_at(&heap->bins, r);
            if (range->state == BINS_FREE)
                continue;
            json_raw(json, first ? "" : ",");
            heap_text_range(t, engine, range, r);
            first = false;
        }
        json_raw(json, "]}");
    }
}

static void heap_text_node(struct heap_text *t, const struct driver *driver, struct engine *engine,
                           uint32_t node)
{
    const struct heap *heap = &engine->nodes[node].heap;
    struct json *json = &t->json;
    struct heap_stats stats;
    heap_get_stats(heap, &stats);
    heap_text_number(json, node == 0 ? "\n{\"node\":" : ",\n{\"node\":", node);
    json_raw(json, ",\"device\":");
    json_string(json, node == 0 ? "host" : driver->devices[engine->nodes[node].device].info.id);
    heap_text_number(json, ",\"used_bytes\":", stats.used_bytes);
    heap_text_number(json, ",\"peak_bytes\":", stats.peak_bytes);
    heap_text_number(json, ",\"slab_bytes\":", stats.slab_bytes);
    heap_text_number(json, ",\"largest_free_bytes\":", stats.largest_free_bytes);
    heap_text_number(json, ",\"block_count\":", stats.blocks);
    json_raw(json, ",\"slabs\":[");
    heap_text_slabs(t, engine, heap);
    json_raw(json, "]}");
}

/* Under the lock. */
static fgpu_status heap_text_make(struct heap_text *t, struct driver *driver)
{
    struct engine *engine = &driver->engine;
    fgpu_status status = FGPU_OK;
    json_begin(&t->json, heap_text_append, &t->text);
    json_raw(&t->json, "{\"fastgpu_heap\":1,\"nodes\":[");
    for (uint32_t node = 0; node < engine->node_count && status == FGPU_OK; node++) {
        status = heap_text_owners(t, engine, node);
        if (status == FGPU_OK)
            heap_text_node(t, driver, engine, node);
    }
    json_raw(&t->json, "\n]}\n");
    fgpu_status written = json_end(&t->json);
    return status == FGPU_OK ? written : status;
}

static fgpu_status heap_text_save(const struct vec *text, const char *path)
{
    struct store_file file;
    fgpu_status status = store_begin(&file, path, 0666);
    if (status != FGPU_OK)
        return status;
    status = store_append(&file, text->items, text->count);
    if (status == FGPU_OK)
        return store_commit(&file);
    store_abort(&file);
    return status;
}

fgpu_status fgpu_heap_write(fgpu_pool handle, const char *path)
{
    fgpu_status status;
    if (path == NULL || path[0] == '\0')
        return error_set(FGPU_E_INVAL, "fgpu_heap_write: path is %s",
                         path == NULL ? "NULL" : "empty");
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_heap_write: pool", &status);
    if (pool == NULL)
        return status;
    struct heap_text *t = alloc_get_zeroed(NULL, sizeof *t, 16);
    if (t == NULL)
        return error_set(FGPU_E_NOMEM, "fgpu_heap_write: no memory for the text");
    vec_init(&t->text, 1, NULL);
    map_init(&t->owners, NULL);
    driver_enter(pool->driver);
    driver_pump(pool->driver);
    status = heap_text_make(t, pool->driver);
    driver_leave(pool->driver);
    if (status != FGPU_OK)
        status = error_set(status, "fgpu_heap_write: no memory for the text");
    else if ((status = heap_text_save(&t->text, path)) != FGPU_OK)
        status = error_set(status, "fgpu_heap_write: %s", error_text());
    vec_fini(&t->text);
    map_fini(&t->owners);
    alloc_put(NULL, t, sizeof *t);
    return status;
}
