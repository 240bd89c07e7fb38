/* The commands of `fastgpu`, as main.c calls them, and what they exit with.
 *
 * argv[0] is the command's own name ("demo"), its options follow. A command writes results to
 * stdout, messages and progress to stderr, and returns the exit code. `stop` becomes non-zero when
 * the user wants an end (main.c takes the signals; NULL: never); a command then ends soon,
 * says what was done and returns COMMAND_INTERRUPTED. main.c turns that into COMMAND_TERMINATED
 * where the signal was SIGTERM, and a COMMAND_OK into COMMAND_FAILED where stdout could not be
 * written. A second signal ends the process at once, with the same code.
 */
#ifndef FASTGPU_CLI_COMMON_COMMANDS_H
#define FASTGPU_CLI_COMMON_COMMANDS_H

#include <signal.h>
#include <stdint.h>

#include <fastgpu/status.h>

enum command_exit {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1, /* something failed while it ran: a task, a file that cannot be written */
    COMMAND_USAGE = 2,  /* an option or argument that does not exist or makes no sense */
    COMMAND_NO_DEVICE = 3,     /* no device matches, or none can be used */
    COMMAND_NO_INPUT = 4,      /* an input is missing, unreadable or damaged */
    COMMAND_INTERRUPTED = 130, /* stopped by SIGINT (128 + 2, as shells report it) */
    COMMAND_TERMINATED = 143   /* stopped by SIGTERM (128 + 15) */
};

/* The same as a sentence for help texts. */
#define COMMAND_EXIT_TEXT                                                                          \
    "Exit codes: 0 done; 1 something failed; 2 wrong usage; 3 no usable device;\n"                 \
    "4 an input is missing or cannot be read; 130 stopped by Ctrl-C; 143 terminated.\n"

/* One line of a table of commands. */
struct command {
    const char *name;
    int (*run)(int argc, char **argv, const volatile sig_atomic_t *stop);
    const char *summary; /* one line of the help */
};

/* A command that consists of others: `fastgpu` itself, `fastgpu bench`. */
struct command_group {
    const char *name;    /* as typed: "fastgpu bench" */
    const char *summary; /* what it is for; lines */
    const struct command *commands;
    uint32_t count;
    const char *options; /* its own options, as lines of the help; "" for none */
    const char *option;  /* the name of the one there is ("--version"), or NULL */
};

/* Runs the command that argv[1] names with the words from there on; answers -h, --help and
 * `help [COMMAND...]`. [in] argv[0]: ignored. Returns the exit code; says on stderr which command
 * does not exist, and the nearest one that does. */
int commands_run(const struct command_group *group, int argc, char **argv,
                 const volatile sig_atomic_t *stop);

/* Says what the library could not do (fgpu_last_error()). Returns the exit code for it. */
int commands_fail(const char *command, const char *what, fgpu_status status);

/* The same for a pool that cannot be opened: its options come from the user's words, so a value
 * that is not allowed is wrong usage. */
int commands_fail_open(const char *command, fgpu_status status);

int command_run(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_optimize(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_check(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_sim(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_bench(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_explain(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_replay_alloc(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_heap(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_replay_cache(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_demo(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_machine(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_kernel(int argc, char **argv, const volatile sig_atomic_t *stop);
int command_devices(int argc, char **argv, const volatile sig_atomic_t *stop);

#endif
