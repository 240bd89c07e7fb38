/* The policies of the simulator and what they do, for the help and for `--policy list`. */
#include "sim.h"

static const struct sim_policy policies[] = {
    {"auto", "simulates the others on what is submitted and takes the best"},
    {"fifo", "in the order of submission, on whatever is free"},
    {"steal", "queues of each device, and work stealing that looks at where the data is"},
    {"eft", "earliest finish, transfers counted, by rank (HEFT and dmdas)"},
    {"heteroprio", "queues by affinity, the slow devices begin where they lose least"},
    {"lookahead", "earliest finish of a task and of those behind it"},
};

const struct sim_policy *sim_policy_at(uint32_t index)
{
    return index < sizeof policies / sizeof policies[0] ? &policies[index] : NULL;
}
