/* What comes next is fetched ahead: see simulator.h.
 *
 * Most of an event's time would go into waiting for records that were last touched long before.
 * Which event is next is known, but for those that the present one brings about.
 */
#include "run/simulator.h"

#include "core/graph.h"

static const struct simulator_command *simulator_next(const struct simulator *s)
{
    uint32_t id;
    if (agenda_first(&s->agenda, &id) == AGENDA_NEVER || id >= s->engine.lane_count)
        return NULL;
    const struct simulator_lane *lane = &s->lanes[id];
    return lane->head < lane->queue.count ? vec_at(&lane->queue, lane->head) : NULL;
}

void simulator_fetch_lane(const struct simulator *s)
{
    uint32_t id;
    if (agenda_first(&s->agenda, &id) == AGENDA_NEVER || id >= s->engine.lane_count)
        return;
    __builtin_prefetch(&s->lanes[id], 1);
    const char *lane = (const char *)&s->engine.lanes[id];
    for (uint32_t at = 0; at < sizeof s->engine.lanes[id]; at += LIMITS_CACHE_LINE)
        __builtin_prefetch(lane + at, 1);
}

void simulator_fetch_command(const struct simulator *s)
{
    const struct simulator_command *command = simulator_next(s);
    if (command != NULL)
        __builtin_prefetch(command);
}

void simulator_fetch_record(const struct simulator *s)
{
    const struct simulator_command *command = simulator_next(s);
    if (command == NULL || command->entry == RING_FENCE)
        return;
    __builtin_prefetch(command->cmd.body, 1);
    const char *record = command->entry & RING_OP
                             ? table_at(&s->engine.ops, command->entry & ~RING_OP)
                             : (char *)engine_task(&s->engine, command->entry);
    __builtin_prefetch(record, 1);
    __builtin_prefetch(record + LIMITS_CACHE_LINE, 1);
    __builtin_prefetch(record + 2 * LIMITS_CACHE_LINE, 1);
}

void simulator_fetch_buffers(const struct simulator *s)
{
    const struct simulator_command *command = simulator_next(s);
    if (command != NULL && !(command->entry & RING_OP))
        graph_fetch_buffers(&s->engine, engine_task(&s->engine, command->entry));
}
