/* Random graphs on random machines, for whoever asks a simulation what policies make of them.
 *
 * A seed says all: up to three classes of devices with links, four kernels, a graph. Texts go to
 * fgpu_machine_parse().
 */
#ifndef FASTGPU_TESTS_LIB_RANDOM_WORLD_H
#define FASTGPU_TESTS_LIB_RANDOM_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/sim.h>

#define RANDOM_TASKS 96u
#define RANDOM_DATA 16u
#define RANDOM_KERNELS 4u
#define RANDOM_DATA_BYTES 1000000u /* at most */
#define RANDOM_ACCESSES 3u
#define RANDOM_GROUPS 5000u /* at most */

struct random_access {
    uint32_t data, mode;
};

struct random_task {
    struct random_access accesses[RANDOM_ACCESSES];
    uint32_t access_count;
    uint32_t kernel, after;
    uint32_t parts;  /* random_world_divide() */
    uint32_t groups; /* random_world_slice() */
    int32_t priority;
};

/* What a seed says, apart from the policy. */
struct random_world {
    char text[4096];
    size_t length;
    struct random_task tasks[RANDOM_TASKS];
    uint32_t task_count;
    uint64_t bytes[RANDOM_DATA];
    fgpu_sim_options options;
};

void random_world_make(struct random_world *world, uint64_t seed);
/* Most of its tasks are divisible, and some of what they read each piece needs whole. */
void random_world_divide(struct random_world *world, uint64_t seed);
/* Some classes of devices say how many work groups run at once, and most tasks have some. */
void random_world_slice(struct random_world *world, uint64_t seed);
/* Kernels, data and tasks; what goes wrong fails the test. */
void random_world_add(fgpu_sim *sim, const struct random_world *world);
/* Each of the policies in turn. */
const char *random_world_policy(uint64_t seed);

#endif
