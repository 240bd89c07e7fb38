/* First in, first out: each task, in the order in which it became ready, goes to the lane with the
 * fewest tasks.
 *
 * Needs no model. The yardstick that others have to beat, and the cheapest on one device.
 */
#include "policy/policy.h"

static uint32_t fifo_choose(const struct policy_lane *lanes, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (lanes[i].load < lanes[best].load)
            best = i;
    return best;
}

const struct policy policy_fifo = {
    .name = "fifo",
    .summary = "first ready, first served, on the least loaded queue",
    .needs_costs = false,
    .choose = fifo_choose,
};
