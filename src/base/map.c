/* Linear probing with backward-shift deletion. See base/map.h. */
#include "base/map.h"

#include <string.h>
#include "base/assert.h"

#define MAP_MIN_CAPACITY 16u

void map_init(struct map *map, const struct alloc_hooks *hooks)
{
    *map = (struct map){.hooks = hooks};
}

static void map_release(struct map *map)
{
    alloc_put(map->hooks, map->entries, map->capacity * sizeof *map->entries);
    alloc_put(map->hooks, map->used, map->capacity);
}

void map_fini(struct map *map)
{
    if (map == NULL)
        return;
    map_release(map);
    *map = (struct map){.hooks = map->hooks};
}

/* Where the key is, or the free place where it would go. There is always a free place. */
static size_t map_slot(const struct map *map, uint64_t key)
{
    size_t slot = hash_u64(key) & (map->capacity - 1);
    while (map->used[slot] && map->entries[slot].key != key)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

uint64_t *map_find(const struct map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    size_t slot = map_slot(map, key);
    return map->used[slot] ? &map->entries[slot].value : NULL;
}

bool map_get(const struct map *map, uint64_t key, uint64_t *value)
{
    const uint64_t *place = map_find(map, key);
    if (place != NULL && value != NULL)
        *value = *place;
    return place != NULL;
}

static void map_set_slot(struct map *map, size_t slot, uint64_t key, uint64_t value)
{
    FGPU_ASSERT(slot < map->capacity && map->entries != NULL);
    map->entries[slot] = (struct map_entry){key, value};
    map->used[slot] = 1;
}

static fgpu_status map_grow(struct map *map)
{
    struct map larger = *map;
    larger.capacity = map->capacity == 0 ? MAP_MIN_CAPACITY : 2 * map->capacity;
    if (larger.capacity > SIZE_MAX / 2 / sizeof *larger.entries)
        return FGPU_E_NOMEM;
    larger.entries = alloc_get(map->hooks, larger.capacity * sizeof *larger.entries, 64);
    larger.used = alloc_get_zeroed(map->hooks, larger.capacity, 64);
    if (larger.entries == NULL || larger.used == NULL) {
        map_release(&larger);
        return FGPU_E_NOMEM;
    }
    FGPU_ASSERT(map->capacity == 0 || map->entries != NULL);
    for (size_t i = 0; i < map->capacity; i++) {
        const struct map_entry *entry = &map->entries[i];
        if (map->used[i])
            map_set_slot(&larger, map_slot(&larger, entry->key), entry->key, entry->value);
    }
    map_release(map);
    *map = larger;
    return FGPU_OK;
}

fgpu_status map_put(struct map *map, uint64_t key, uint64_t value)
{
    uint64_t *place = map_find(map, key);
    if (place != NULL) {
        *place = value;
        return FGPU_OK;
    }
    if (4 * (map->count + 1) > 3 * map->capacity) {
        fgpu_status status = map_grow(map);
        if (status != FGPU_OK)
            return status;
    }
    map_set_slot(map, map_slot(map, key), key, value);
    map->count++;
    return FGPU_OK;
}

bool map_del(struct map *map, uint64_t key)
{
    if (map->count == 0)
        return false;
    size_t mask = map->capacity - 1;
    size_t hole = map_slot(map, key);
    if (!map->used[hole])
        return false;
    for (size_t slot = (hole + 1) & mask; map->used[slot]; slot = (slot + 1) & mask) {
        /* The entry may move into the hole unless its home lies behind the hole, cyclically. */
        size_t home = hash_u64(map->entries[slot].key) & mask;
        if (((slot - home) & mask) < ((slot - hole) & mask))
            continue;
        map->entries[hole] = map->entries[slot];
        hole = slot;
    }
    map->used[hole] = 0;
    map->count--;
    return true;
}

void map_clear(struct map *map)
{
    if (map->used != NULL)
        memset(map->used, 0, map->capacity);
    map->count = 0;
}

bool map_next(const struct map *map, size_t *cursor, struct map_entry *entry)
{
    while (*cursor < map->capacity) {
        size_t slot = (*cursor)++;
        if (!map->used[slot])
            continue;
        *entry = map->entries[slot];
        return true;
    }
    return false;
}
