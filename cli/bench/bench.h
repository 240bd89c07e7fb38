/* The benchmarks of `fastgpu bench`, each a command of its own (see commands.h).
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_H
#define FASTGPU_CLI_BENCH_BENCH_H

#include "cli/common/commands.h"

int bench_tasks(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_launch(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_split(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_mix(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_tiles(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_fair(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_deadline(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_preempt(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_transfer(int argc, char **argv, const volatile sig_atomic_t *stop);
int bench_idle(int argc, char **argv, const volatile sig_atomic_t *stop);

/* Says that the user ended it. Returns COMMAND_INTERRUPTED. */
int bench_stopped(const char *command);

#endif
