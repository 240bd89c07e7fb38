/*
 * Work groups of the fake OpenCL library: runs a launch on the worker's thread.
 *
 * Without the lock. Groups run one after another in a seeded order, the work items of a group in a
 * seeded order too: in a loop, or as fibers (fibers.c) where the program has a barrier. Local
 * memory given as an argument holds junk at the start of each group.
 */
#include "internal.h"

#include <string.h>

struct grid {
    size_t counts[3]; /* groups */
    size_t group_count, item_count, rotation;
    struct work_item items[GROUP_SIZE_MAX];
};

static size_t common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A number that visits all of n when added again and again modulo n. */
static size_t random_step(uint64_t *random, size_t n)
{
    size_t step = n > 2 ? 1 + (size_t)(state_mix(random) % (n - 1)) : 1;
    while (common_divisor(step, n) != 1)
        step--;
    return step;
}

static void plan(struct grid *grid, const struct launch *launch, uint64_t *random)
{
    const size_t *local = launch->local;
    grid->group_count = 1;
    grid->item_count = local[0] * local[1] * local[2];
    for (int d = 0; d < 3; d++) {
        grid->counts[d] = launch->global[d] / local[d];
        grid->group_count *= grid->counts[d];
    }
    grid->rotation = (size_t)(state_mix(random) % grid->item_count);
    for (size_t i = 0; i < grid->item_count; i++) {
        size_t flat = (i + grid->rotation) % grid->item_count;
        struct work_item *item = &grid->items[i];
        memset(item, 0, sizeof(*item));
        item->local_id[0] = flat % local[0];
        item->local_id[1] = flat / local[0] % local[1];
        item->local_id[2] = flat / local[0] / local[1];
        memcpy(item->global_size, launch->global, sizeof(item->global_size));
        memcpy(item->local_size, launch->local, sizeof(item->local_size));
        memcpy(item->group_count, grid->counts, sizeof(item->group_count));
        memcpy(item->offset, launch->offset, sizeof(item->offset));
        item->dims = launch->dims;
    }
}

static void enter_group(struct grid *grid, size_t flat)
{
    size_t id[3] = {flat % grid->counts[0], flat / grid->counts[0] % grid->counts[1],
                    flat / grid->counts[0] / grid->counts[1]};
    for (size_t i = 0; i < grid->item_count; i++) {
        struct work_item *item = &grid->items[i];
        for (int d = 0; d < 3; d++) {
            item->group_id[d] = id[d];
            item->global_id[d] = item->offset[d] + id[d] * item->local_size[d] + item->local_id[d];
        }
    }
}

static void collect_args(struct launch *launch, void **args)
{
    for (cl_uint i = 0; i < launch->arg_count; i++) {
        struct launch_arg *arg = &launch->args[i];
        args[i] = arg->bytes != NULL ? (void *)arg->bytes : (void *)&arg->pointer;
    }
}

void group_run(struct launch *launch, struct worker *worker, unsigned permille)
{
    struct grid grid;
    void *args[ARG_COUNT_MAX];
    uint64_t *random = &worker->run_random;
    plan(&grid, launch, random);
    collect_args(launch, args);
    if (launch->has_barrier && worker->fibers == NULL)
        worker->fibers = fibers_create();
    size_t step = random_step(random, grid.group_count);
    size_t group = (size_t)(state_mix(random) % grid.group_count);
    size_t count = permille >= 1000 ? grid.group_count : grid.group_count * permille / 1000;
    for (size_t n = 0; n < count; n++, group = (group + step) % grid.group_count) {
        enter_group(&grid, group);
        memset(worker->local, 0xD3, launch->local_bytes);
        if (launch->has_barrier) {
            if (!fibers_run(worker->fibers, grid.items, grid.item_count, launch->module->item,
                            launch->call, args))
                launch->diverged = true;
            continue;
        }
        for (size_t i = 0; i < grid.item_count; i++) {
            *launch->module->item = &grid.items[i];
            launch->call(args);
        }
    }
}
