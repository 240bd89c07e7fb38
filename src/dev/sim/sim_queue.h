/* A queue of a simulated device: in order, and as slow and as uneven as its seed says.
 *
 * The end of launching and the begin of completing on the walk of a task. Nothing runs at submit:
 * each poll runs a random number of the waiting commands, for real, on the polling thread; some
 * polls run none. Submit takes random prefixes, but at least one command of an empty queue. So that
 * nobody waits for ever, it rings the doorbell at submit and at each poll that leaves something.
 * Thread: one at a time per queue. The order of what happens in it is a function of the seed, the
 * calls, and nothing else.
 */
#ifndef FASTGPU_DEV_SIM_SIM_QUEUE_H
#define FASTGPU_DEV_SIM_SIM_QUEUE_H

#include <fastgpu/backend.h>
#include "base/rng.h"
#include "dev/host/native.h"
#include "dev/sim/cost.h"
#include "dev/sim/sim_memory.h"

#define SIM_QUEUE_COMMANDS 256u

/* Built code. group_ps: the virtual time of a group. */
struct sim_code {
    fgpu_native_fn fn;
    void *user;
    uint64_t group_ps;
};

struct sim_queue {
    struct sim_memory *memory;         /* [borrow] */
    const struct sim_machine *machine; /* [borrow] */
    const fgpu_doorbell *bell;         /* [borrow] */
    uint32_t index;
    struct rng rng;
    uint32_t pace;       /* a poll runs 0 .. 2 * pace commands */
    uint32_t idle_polls; /* polls in a row that ran nothing */
    bool skipping;       /* a command failed and no fence came since */
    uint64_t accepted;
    uint64_t finished;
    uint64_t time_ns; /* virtual */
    struct native_scratch scratch;
    fgpu_cmd ring[SIM_QUEUE_COMMANDS];
};

void sim_queue_init(struct sim_queue *queue, struct sim_memory *memory, const fgpu_doorbell *bell,
                    uint32_t index, uint64_t seed);

/* Runs what is waiting, then frees the scratch. */
void sim_queue_fini(struct sim_queue *queue);

uint32_t sim_queue_submit(struct sim_queue *queue, const fgpu_cmd *cmds, uint32_t count);
void sim_queue_poll(struct sim_queue *queue);

#endif
