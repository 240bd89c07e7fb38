/* A chain of fills and launches on one buffer: see device_chain.h. */
#include "lib/device_chain.h"

#include <stdlib.h>
#include <string.h>

void chain_make(struct chain *chain)
{
    uint32_t n = chain->length;

    chain->cmds = calloc(n, sizeof *chain->cmds);
    chain->launches = calloc(n, sizeof *chain->launches);
    chain->fills = calloc(n, sizeof *chain->fills);
    chain->args = calloc(2ull * n, sizeof *chain->args);
    chain->stamps = calloc(n, sizeof *chain->stamps);
    for (uint32_t i = 0; i < n; i++) {
        chain->stamps[i] = (uint32_t)rng_u64(&chain->rng);
        if (i == 0 || rng_below(&chain->rng, 8) == 0) {
            chain->fills[i] = (fgpu_cmd_fill){.mem = chain->mem,
                                              .pitch_bytes = CHAIN_ITEMS * 4,
                                              .row_bytes = CHAIN_ITEMS * 4,
                                              .rows = 1,
                                              .pattern_bytes = 4};
            memcpy(chain->fills[i].pattern, &chain->stamps[i], 4);
            chain->cmds[i] = (fgpu_cmd){FGPU_CMD_FILL, 0, &chain->fills[i]};
            chain->model = chain->stamps[i];
            continue;
        }
        chain->args[2 * i] = kernel_buffer(chain->mem, 0, CHAIN_ITEMS * 4);
        chain->args[2 * i + 1] = kernel_scalar(&chain->stamps[i], 4);
        chain->launches[i] =
            kernel_launch(chain->code, &chain->args[2 * i], 2, CHAIN_ITEMS, CHAIN_ITEMS / 2);
        chain->cmds[i] =
            (fgpu_cmd){FGPU_CMD_LAUNCH, rng_below(&chain->rng, 4) == 0 ? FGPU_CMD_NOTIFY : 0,
                       &chain->launches[i]};
        chain->model = chain->model * 31 + chain->stamps[i];
    }
}

void *chain_run(void *arg)
{
    struct chain *chain = arg;
    uint32_t done = 0;

    while (done < chain->length) {
        uint32_t count = 1 + (uint32_t)rng_below(&chain->rng, 40);
        if (count > chain->length - done)
            count = chain->length - done;
        (void)rig_submit(chain->rig, chain->queue, chain->cmds + done, count);
        done += count;
    }
    rig_wait(chain->rig, chain->queue, chain->rig->queues[chain->queue].accepted);
    return NULL;
}

void chain_free(struct chain *chain)
{
    free(chain->cmds);
    free(chain->launches);
    free(chain->fills);
    free(chain->args);
    free(chain->stamps);
}

void chain_check(struct chain *chain)
{
    uint32_t seen[CHAIN_ITEMS];

    rig_read(chain->rig, chain->mem, 0, seen, sizeof seen);
    for (uint32_t i = 0; i < CHAIN_ITEMS; i++)
        assert_int_equal(seen[i], chain->model);
}
