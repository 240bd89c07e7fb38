/* References of a trace through caches: see fastgpu/replay.h. Blocks count 1 byte each. The pool's
 * eviction (mem/evict.h) decides, here on what the caller says is known ahead.
 */
#include <stdlib.h>

#include <fastgpu/replay.h>
#include "base/assert.h"
#include "base/error.h"
#include "mem/evict.h"

#define CACHE_LOOK 4096u /* references between calls of progress */
#define CACHE_PASSES 3u  /* over all references */

static const char cache_who[] = "fgpu_replay_cache";

struct cache {
    const uint64_t *references;
    uint64_t count;
    uint64_t *next; /* when the block is referenced again; EVICT_UNKNOWN */
    const fgpu_replay_cache_options *options;
    uint64_t done;
    uint64_t lookahead;
    bool plain; /* least recently used in place of the pool's policy */
};

static fgpu_status cache_nomem(void)
{
    return error_set(FGPU_E_NOMEM, "%s: no memory", cache_who);
}

static fgpu_status cache_look(struct cache *cache)
{
    const fgpu_replay_cache_options *options = cache->options;
    if (cache->done++ % CACHE_LOOK != 0 || options->progress == NULL ||
        options->progress(cache->done, CACHE_PASSES * cache->count, options->user) == 0)
        return FGPU_OK;
    return error_set(FGPU_E_CANCELLED, "%s: stopped by its progress function", cache_who);
}

/* Fills `next`; [out] keys. */
static fgpu_status cache_index(struct cache *cache, uint64_t *keys)
{
    struct map last;
    fgpu_status status = FGPU_OK;
    map_init(&last, NULL);
    for (uint64_t i = cache->count; i-- > 0 && status == FGPU_OK;) {
        uint64_t at = EVICT_UNKNOWN;
        (void)map_get(&last, cache->references[i], &at);
        cache->next[i] = at;
        status = map_put(&last, cache->references[i], i);
    }
    *keys = last.count;
    map_fini(&last);
    return status == FGPU_OK ? FGPU_OK : cache_nomem();
}

static fgpu_status cache_shadow(struct cache *cache, enum shadow_kind kind, uint64_t *hits)
{
    struct shadow shadow;
    fgpu_status status = FGPU_OK;
    *hits = 0;
    shadow_init(&shadow, kind, cache->options->capacity, 1, NULL);
    for (uint64_t i = 0; i < cache->count && status == FGPU_OK; i++) {
        *hits += shadow_use(&shadow, cache->references[i], 1);
        if (!shadow_has(&shadow, cache->references[i]))
            status = cache_nomem();
    }
    shadow_fini(&shadow);
    return status;
}

/* What is known at reference i of the block that it names, and of the one that comes into sight. */
static fgpu_status cache_see(struct cache *cache, struct evict *evict, uint64_t i)
{
    uint64_t next = cache->next[i], ahead = cache->lookahead;
    fgpu_status status = FGPU_OK;
    if (ahead == 0)
        return FGPU_OK;
    if (next != EVICT_UNKNOWN && next - i > ahead)
        next = EVICT_UNKNOWN;
    status = evict_set_next(evict, cache->references[i], next);
    /* Nearer uses of that one have been told already, and the next of them is what counts. */
    if (status == FGPU_OK && ahead < cache->count - i) {
        uint64_t key = cache->references[i + ahead];
        uint64_t known = evict_get_next(evict, key);
        if (known == EVICT_UNKNOWN)
            status = evict_set_next(evict, key, i + ahead);
    }
    return status == FGPU_OK ? FGPU_OK : cache_nomem();
}

static fgpu_status cache_run(struct cache *cache, uint64_t *hits)
{
    struct evict evict;
    uint64_t held = 0, key;
    fgpu_status status = FGPU_OK;
    *hits = 0;
    evict_init(&evict, cache->options->capacity, NULL);
    evict.plain = cache->plain;
    for (uint64_t i = 0; i < cache->count && status == FGPU_OK; i++) {
        evict_use(&evict, cache->references[i], 1, i);
        if (evict_has(&evict, cache->references[i])) {
            ++*hits;
        } else {
            for (; held >= cache->options->capacity; held--) {
                bool found = evict_choose(&evict, NULL, NULL, &key);
                FGPU_ASSERT(found);
                evict_remove(&evict, key);
            }
            if (evict_add(&evict, cache->references[i], 1, 1) != FGPU_OK)
                status = cache_nomem();
            held++;
        }
        if (status == FGPU_OK)
            status = cache_see(cache, &evict, i);
        if (status == FGPU_OK)
            status = cache_look(cache);
    }
    evict_fini(&evict);
    return status;
}

static fgpu_status cache_run_as(struct cache *cache, uint64_t lookahead, bool plain, uint64_t *hits)
{
    cache->lookahead = lookahead;
    cache->plain = plain;
    return cache_run(cache, hits);
}

static fgpu_status cache_all(struct cache *cache, fgpu_replay_cache_result *result)
{
    uint64_t ahead = cache->options->lookahead;
    fgpu_status status = cache_index(cache, &result->keys);
    if (status == FGPU_OK)
        status = cache_shadow(cache, SHADOW_LRU, &result->hits_lru);
    if (status == FGPU_OK)
        status = cache_shadow(cache, SHADOW_FIFO, &result->hits_fifo);
    if (status == FGPU_OK)
        status = cache_shadow(cache, SHADOW_S3FIFO, &result->hits_s3fifo);
    if (status == FGPU_OK)
        status = cache_run_as(cache, ahead, false, &result->hits);
    if (status == FGPU_OK)
        status = cache_run_as(cache, ahead, true, &result->hits_lookahead);
    if (status == FGPU_OK)
        status = cache_run_as(cache, FGPU_REPLAY_UNKNOWN, true, &result->hits_optimum);
    return status;
}

fgpu_status fgpu_replay_cache(const uint64_t *references, uint64_t count,
                              const fgpu_replay_cache_options *options,
                              fgpu_replay_cache_result *result)
{
    if (options == NULL || result == NULL || references == NULL)
        return error_set(FGPU_E_INVAL, "%s: %s is NULL", cache_who,
                         options == NULL  ? "options"
                         : result == NULL ? "result"
                                          : "references");
    if (options->struct_bytes != sizeof *options || result->struct_bytes != sizeof *result)
        return error_set(FGPU_E_VERSION, "%s: struct_bytes is %u and %u; it must be %zu and %zu",
                         cache_who, options->struct_bytes, result->struct_bytes, sizeof *options,
                         sizeof *result);
    if (count == 0 || count >= UINT32_MAX || options->capacity == 0)
        return error_set(FGPU_E_INVAL, "%s: %s is %llu; the limits are 1 and %llu", cache_who,
                         options->capacity == 0 ? "capacity" : "count",
                         (unsigned long long)(options->capacity == 0 ? 0 : count),
                         options->capacity == 0 ? (unsigned long long)UINT64_MAX
                                                : (unsigned long long)UINT32_MAX - 1);
    *result = (fgpu_replay_cache_result){.struct_bytes = sizeof *result, .references = count};
    struct cache cache = {.references = references, .count = count, .options = options};
    cache.next = calloc(count, sizeof *cache.next);
    if (cache.next == NULL)
        return cache_nomem();
    fgpu_status status = cache_all(&cache, result);
    free(cache.next);
    return status;
}
