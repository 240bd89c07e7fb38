/* `fastgpu bench`: the table of its benchmarks, and what they share. */
#include "cli/bench/bench.h"

#include <stdio.h>

static const struct command bench_commands[] = {
    {"tasks", bench_tasks, "cost of an empty task in a graph of many"},
    {"launch", bench_launch, "an empty kernel through the pool, against a queue driven by hand"},
    {"split", bench_split, "a divisible kernel on all devices, against each alone"},
    {"mix", bench_mix, "fifty tasks of five kinds, against one by one on the whole device"},
    {"tiles", bench_tiles, "tiled product and Cholesky on two devices of different speed"},
    {"fair", bench_fair, "device time of tenants, by their weights"},
    {"deadline", bench_deadline, "tasks that end before their deadlines, of those that could"},
    {"preempt", bench_preempt, "interactive requests beside batch work"},
    {"transfer", bench_transfer, "copies and mappings, against memcpy and OpenCL by hand"},
    {"idle", bench_idle, "what an open pool without work uses"},
};

static const struct command_group bench_group = {
    .name = "fastgpu bench",
    .summary = "Measures what FastGPU itself costs, and what it brings. Results are medians.",
    .commands = bench_commands,
    .count = sizeof bench_commands / sizeof bench_commands[0],
    .options = "",
};

int command_bench(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    return commands_run(&bench_group, argc, argv, stop);
}

int bench_stopped(const char *command)
{
    fprintf(stderr, "%s: stopped before everything was measured\n", command);
    return COMMAND_INTERRUPTED;
}
