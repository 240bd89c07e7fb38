/* A chain of fills and launches on one buffer, whose result shows that they ran in order. */
#ifndef FASTGPU_TESTS_LIB_DEVICE_CHAIN_H
#define FASTGPU_TESTS_LIB_DEVICE_CHAIN_H

#include "lib/device_kernels.h"

#define CHAIN_ITEMS 16u

/* Set by the caller: rig, queue, length, code (KERNEL_STAMP), mem (CHAIN_ITEMS * 4 bytes), rng. */
struct chain {
    struct rig *rig;
    uint32_t queue;
    uint32_t length;
    fgpu_code code;
    fgpu_mem mem;
    struct rng rng;
    uint32_t model;
    fgpu_cmd *cmds;
    fgpu_cmd_launch *launches;
    fgpu_cmd_fill *fills;
    fgpu_cmd_arg *args;
    uint32_t *stamps;
};

/* Makes the commands and computes in `model` what they leave in every item. */
void chain_make(struct chain *chain);

/* Submits them in random portions and waits for the last; for pthread_create. */
void *chain_run(void *arg);

/* Compares the buffer with the model, through queue 0. */
void chain_check(struct chain *chain);
void chain_free(struct chain *chain);

#endif
