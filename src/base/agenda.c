/* The heap behind the agenda; see agenda.h. */
#include "base/agenda.h"

#include "base/assert.h"

#define AGENDA_CHILDREN 4u
#define AGENDA_NOWHERE UINT32_MAX

bool agenda_init(struct agenda *agenda, uint32_t limit)
{
    *agenda = (struct agenda){.limit = limit};
    agenda->heap = alloc_get(NULL, limit * sizeof *agenda->heap, 64);
    agenda->places = alloc_get(NULL, limit * sizeof *agenda->places, 64);
    if (agenda->heap == NULL || agenda->places == NULL) {
        agenda_fini(agenda);
        return false;
    }
    for (uint32_t i = 0; i < limit; i++)
        agenda->places[i] = AGENDA_NOWHERE;
    return true;
}

void agenda_fini(struct agenda *agenda)
{
    alloc_put(NULL, agenda->heap, agenda->limit * sizeof *agenda->heap);
    alloc_put(NULL, agenda->places, agenda->limit * sizeof *agenda->places);
    *agenda = (struct agenda){0};
}

static bool agenda_before(const struct agenda_entry *a, const struct agenda_entry *b)
{
    return a->time != b->time ? a->time < b->time : a->id < b->id;
}

static void agenda_put(struct agenda *agenda, uint32_t place, struct agenda_entry entry)
{
    agenda->heap[place] = entry;
    agenda->places[entry.id] = place;
}

static void agenda_rise(struct agenda *agenda, uint32_t place, struct agenda_entry entry)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / AGENDA_CHILDREN;
        if (!agenda_before(&entry, &agenda->heap[parent]))
            break;
        agenda_put(agenda, place, agenda->heap[parent]);
        place = parent;
    }
    agenda_put(agenda, place, entry);
}

static void agenda_sink(struct agenda *agenda, uint32_t place, struct agenda_entry entry)
{
    for (;;) {
        uint32_t first = place * AGENDA_CHILDREN + 1, best = first;
        if (first >= agenda->count)
            break;
        for (uint32_t c = first + 1; c < first + AGENDA_CHILDREN && c < agenda->count; c++)
            if (agenda_before(&agenda->heap[c], &agenda->heap[best]))
                best = c;
        if (!agenda_before(&agenda->heap[best], &entry))
            break;
        agenda_put(agenda, place, agenda->heap[best]);
        place = best;
    }
    agenda_put(agenda, place, entry);
}

static void agenda_move(struct agenda *agenda, uint32_t place, struct agenda_entry entry)
{
    if (place > 0 && agenda_before(&entry, &agenda->heap[(place - 1) / AGENDA_CHILDREN]))
        agenda_rise(agenda, place, entry);
    else
        agenda_sink(agenda, place, entry);
}

void agenda_set(struct agenda *agenda, uint32_t id, uint64_t time)
{
    FGPU_DEBUG_ASSERT(id < agenda->limit);
    uint32_t place = agenda->places[id];
    struct agenda_entry entry = {time, id};
    if (place == AGENDA_NOWHERE) {
        if (time != AGENDA_NEVER)
            agenda_rise(agenda, agenda->count++, entry);
        return;
    }
    if (time != AGENDA_NEVER) {
        if (agenda->heap[place].time != time)
            agenda_move(agenda, place, entry);
        return;
    }
    agenda->places[id] = AGENDA_NOWHERE;
    struct agenda_entry last = agenda->heap[--agenda->count];
    if (last.id != id)
        agenda_move(agenda, place, last);
}
