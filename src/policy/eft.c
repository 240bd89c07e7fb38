/* Earliest finish time: each task goes where its predicted finish, transfers included, is earliest.
 *
 * The processor choice of HEFT (H. Topcuoglu, S. Hariri, M.-Y. Wu, IEEE TPDS 13(3), 2002) made as
 * tasks become ready, as in StarPU's dmda. A lane where the task's run time is not known gets one
 * task at a time until it is: exploration is bounded and never waits behind itself.
 */
#include "policy/policy.h"

static uint64_t eft_cost(const struct policy_lane *lane)
{
    /* The data may travel while the lane still works on what it has. */
    uint64_t start = lane->ready_ns > lane->transfer_ns ? lane->ready_ns : lane->transfer_ns;
    /* Cores that others would use are worth as much as the time that the task gains with them. */
    return start + lane->exec_ns + lane->core_ns;
}

uint32_t policy_choose_first(const struct policy_lane *lanes, uint32_t count)
{
    uint32_t best = 0;
    uint64_t least_ns = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t cost_ns = eft_cost(&lanes[i]);
        if (cost_ns < least_ns || (cost_ns == least_ns && lanes[i].load < lanes[best].load)) {
            least_ns = cost_ns;
            best = i;
        }
    }
    return best;
}

const struct policy policy_eft = {
    .name = "eft",
    .summary = "earliest predicted finish, transfers included (HEFT, dmda)",
    .needs_costs = true,
    .choose = policy_choose_first,
};
