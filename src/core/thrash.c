/* Tells where memory is so short that a device waits for what it has just let go.
 *
 * Takes copies that bring evicted blocks back, gives a warning and a count. A window ends when such
 * copies have taken as much time as one is long; where the device has computed for less than that
 * meanwhile, it thrashes: more of its time goes to moving the same data than to the work. It
 * decides nothing.
 */
#include "core/thrash.h"

#include "core/engine.h"

#define THRASH_WINDOW_NS 20000000u
#define THRASH_QUIET_NS UINT64_C(10000000000)

/* What the devices that work in the node have computed. */
static uint64_t thrash_busy_ns(const struct engine *engine, uint32_t node)
{
    uint64_t busy_ns = 0;
    for (uint32_t d = 0; d < engine->device_count; d++)
        if (engine->devices[d].node == node)
            busy_ns += engine->devices[d].stats.busy_ns;
    return busy_ns;
}

void thrash_note(struct engine *engine, uint32_t node, uint64_t bytes, uint64_t copy_ns)
{
    struct thrash_window *window = &engine->nodes[node].thrash;
    engine->stats.bytes_reloaded += bytes;
    window->bytes += bytes;
    window->copy_ns += copy_ns;
    if (window->copy_ns < THRASH_WINDOW_NS)
        return;
    uint64_t busy_ns = thrash_busy_ns(engine, node) - window->busy_ns;
    if (window->since_ns != 0 && busy_ns < window->copy_ns) {
        engine->stats.thrashes++;
        if (engine->now_ns >= window->quiet_ns) {
            LOG_WARN(engine->log, "memory",
                     "node %u thrashes: %llu KiB that had to go came back in %llu ms, in which "
                     "its tasks ran for %llu ms; more memory or smaller tasks would help",
                     node, (unsigned long long)(window->bytes >> 10),
                     (unsigned long long)((engine->now_ns - window->since_ns) / 1000000),
                     (unsigned long long)(busy_ns / 1000000));
            window->quiet_ns = engine->now_ns + THRASH_QUIET_NS;
        }
    }
    *window = (struct thrash_window){.since_ns = engine->now_ns,
                                     .busy_ns = busy_ns + window->busy_ns,
                                     .quiet_ns = window->quiet_ns};
}
