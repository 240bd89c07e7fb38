/* Virtual durations of commands: see cost.h. */
#include "dev/sim/cost.h"

#define COST_NOISE_LEAST 0.1 /* noise never makes a command faster than a tenth of its time */

const struct sim_machine sim_machine_default = {
    .units = 16,
    .speed = 1,
    .launch_ns = 5000,
    .memory_bytes_per_us = 100000,
    .link_bytes_per_us = 10000,
    .link_latency_ns = 8000,
};

static double cost_launch_ns(const struct sim_machine *machine, const fgpu_cmd_launch *launch,
                             uint64_t group_ps)
{
    double units = machine->units;
    double groups = 1;
    double waves;

    for (uint32_t d = 0; d < launch->dims && d < 3; d++) {
        uint64_t local = launch->local[d] != 0 ? launch->local[d] : 1;
        uint64_t count = launch->global[d] / local + (launch->global[d] % local != 0);
        groups *= (double)count;
    }
    if (launch->width != 0 && launch->width < machine->units)
        units = launch->width;
    /* More than 2^40 waves are not counted one by one: the fraction no longer matters. */
    waves = groups / units;
    if (waves < 1099511627776.0 && (double)(uint64_t)waves < waves)
        waves = (double)(uint64_t)waves + 1;
    return (double)machine->launch_ns + waves * (double)group_ps / 1000 / machine->speed;
}

static double cost_copy_ns(const struct sim_machine *machine, const fgpu_cmd_copy *copy)
{
    double bytes = (double)copy->row_bytes * (double)copy->rows;

    if (copy->src_is_host != 0 || copy->dst_is_host != 0)
        return (double)machine->link_latency_ns + bytes * 1000 / (double)machine->link_bytes_per_us;
    return (double)machine->launch_ns + 2 * bytes * 1000 / (double)machine->memory_bytes_per_us;
}

static double cost_plain_ns(const struct sim_machine *machine, const fgpu_cmd *cmd,
                            uint64_t group_ps)
{
    switch (cmd->kind) {
    case FGPU_CMD_LAUNCH:
        return cost_launch_ns(machine, cmd->body, group_ps);
    case FGPU_CMD_COPY:
        return cost_copy_ns(machine, cmd->body);
    case FGPU_CMD_FILL: {
        const fgpu_cmd_fill *fill = cmd->body;
        return (double)machine->launch_ns + (double)fill->row_bytes * (double)fill->rows * 1000 /
                                                (double)machine->memory_bytes_per_us;
    }
    case FGPU_CMD_HOST:
        return (double)machine->launch_ns;
    default:
        return 1;
    }
}

uint64_t cost_ns(const struct sim_machine *machine, const fgpu_cmd *cmd, uint64_t group_ps,
                 struct rng *rng)
{
    double ns = cost_plain_ns(machine, cmd, group_ps);

    if (rng != NULL && machine->noise > 0) {
        double factor = 1 + machine->noise * rng_normal(rng);
        ns *= factor > COST_NOISE_LEAST ? factor : COST_NOISE_LEAST;
    }
    if (ns < 1)
        return 1;
    return ns < 9e18 ? (uint64_t)ns : UINT64_C(9000000000000000000);
}
