/* Addresses of a trace's blocks, as the heap gives them: see fastgpu/replay.h.
 *
 * Slabs are made up, and have the lowest addresses that are free when they come.
 */
#include <stdlib.h>

#include <fastgpu/replay.h>
#include "api/replay_compact.h"
#include "base/error.h"
#include "mem/heap.h"

static const char places_who[] = "fgpu_replay_places";

struct places {
    const fgpu_replay_block *blocks;
    fgpu_replay_span *places;
    struct heap heap;
    struct heap_block *out; /* by block */
    struct vec slabs;       /* fgpu_replay_span: those there are, by address */
    fgpu_replay_slab_fn slab;
    void *user;
};

/* The lowest free addresses; the slab's name is its address and one. */
static bool places_add(struct places *p, uint64_t bytes, uint64_t now)
{
    fgpu_replay_span span = {0, bytes, now, now};
    size_t at = 0;
    for (; at < p->slabs.count; at++) {
        const fgpu_replay_span *there = vec_at(&p->slabs, at);
        if (there->address - span.address >= bytes)
            break;
        span.address = there->address + there->bytes;
    }
    if (heap_add_slab(&p->heap, span.address + 1, bytes, true) == HEAP_NONE ||
        vec_push(&p->slabs, NULL) == NULL)
        return false;
    fgpu_replay_span *spans = (void *)p->slabs.items;
    for (size_t i = p->slabs.count - 1; i > at; i--)
        spans[i] = spans[i - 1];
    spans[at] = span;
    return true;
}

static void places_remove(struct places *p, uint64_t mem, uint64_t now)
{
    fgpu_replay_span *spans = (void *)p->slabs.items;
    size_t at = 0;
    while (spans[at].address + 1 != mem)
        at++;
    spans[at].until = now;
    if (p->slab != NULL)
        p->slab(&spans[at], p->user);
    for (; at + 1 < p->slabs.count; at++)
        spans[at] = spans[at + 1];
    vec_pop(&p->slabs);
}

/* FGPU_E_DEVMEM: it does not fit. */
static fgpu_status places_begin(struct places *p, uint32_t index)
{
    const fgpu_replay_block *block = &p->blocks[index];
    struct heap_block *out = &p->out[index];
    uint64_t bytes = 0, mem;
    enum heap_answer answer;
    while ((answer = heap_alloc(&p->heap, block->bytes, out, &bytes)) != HEAP_OK) {
        if (answer == HEAP_TRIM && heap_release_empty(&p->heap, 0, &mem, &bytes))
            places_remove(p, mem, block->lower);
        else if (answer != HEAP_GROW)
            return answer == HEAP_NOMEM ? FGPU_E_NOMEM : FGPU_E_DEVMEM;
        else if (!places_add(p, bytes, block->lower))
            return FGPU_E_NOMEM;
    }
    p->places[index] = (fgpu_replay_span){.address = out->mem - 1 + out->offset,
                                          .bytes = out->bytes,
                                          .from = block->lower,
                                          .until = block->upper};
    return FGPU_OK;
}

static fgpu_status places_run(struct places *p, const struct replay_step *steps, size_t count)
{
    fgpu_status status = FGPU_OK;
    for (size_t i = 0; i < count && status == FGPU_OK; i++) {
        if (steps[i].begins)
            status = places_begin(p, steps[i].block);
        else
            heap_free(&p->heap, &p->out[steps[i].block]);
    }
    while (p->slabs.count > 0)
        places_remove(p, ((const fgpu_replay_span *)vec_at(&p->slabs, 0))->address + 1,
                      steps[count - 1].time);
    return status == FGPU_E_DEVMEM ? FGPU_OK : status;
}

fgpu_status fgpu_replay_places(const fgpu_replay_block *blocks, uint32_t count,
                               uint64_t capacity_bytes, fgpu_replay_span *places,
                               fgpu_replay_slab_fn slab, void *user)
{
    if (blocks == NULL || places == NULL || count == 0)
        return error_set(FGPU_E_INVAL, "%s: %s", places_who,
                         count == 0 ? "count is 0" : "blocks or places is NULL");
    fgpu_status status = replay_check(places_who, blocks, count);
    if (status != FGPU_OK)
        return status;
    struct places *p = calloc(1, sizeof *p);
    struct replay_step *steps = calloc(2 * (size_t)count, sizeof *steps);
    struct heap_block *out = calloc(count, sizeof *out);
    status = FGPU_E_NOMEM;
    if (p != NULL && steps != NULL && out != NULL) {
        *p = (struct places){
            .blocks = blocks, .places = places, .out = out, .slab = slab, .user = user};
        heap_init(&p->heap, &(struct heap_config){.limit_bytes = capacity_bytes});
        vec_init(&p->slabs, sizeof(fgpu_replay_span), NULL);
        for (uint32_t i = 0; i < count; i++)
            places[i] = (fgpu_replay_span){.from = blocks[i].lower, .until = blocks[i].upper};
        replay_order(blocks, count, steps);
        status = places_run(p, steps, 2 * (size_t)count);
        heap_fini(&p->heap);
        vec_fini(&p->slabs);
    }
    free(p);
    free(steps);
    free(out);
    return status == FGPU_OK ? status
                             : error_set(status, "%s: no memory for the tables", places_who);
}
