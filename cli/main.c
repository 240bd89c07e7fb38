/* `fastgpu`: the table of commands, the signals, and what becomes of output that cannot be written.
 *
 * A new command is one line in main_commands. The first SIGINT or SIGTERM sets a flag that the
 * commands look at, one half a second later or more ends the process at once, but for the temporary
 * file of a picture, which goes first.
 */
#include "cli/common/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/file.h"
#include "cli/common/stopping.h"

#define MAIN_ONE_SIGNAL_NS 500000000u

static const struct command main_commands[] = {
    {"devices", command_devices, "list the compute devices and how fast they are"},
    {"run", command_run, "run a workload file on all devices, and say how it went"},
    {"optimize", command_optimize, "tune a workload file for this machine, by measuring it"},
    {"check", command_check, "check a workload file without running it"},
    {"explain", command_explain, "tell from a trace why a task ran where and when"},
    {"sim", command_sim, "run a task graph on a described machine, in virtual time"},
    {"replay-alloc", command_replay_alloc,
     "replay allocations: what the heap and plans make of them"},
    {"heap", command_heap, "show what lies where in a memory, as a map or a picture"},
    {"replay-cache", command_replay_cache, "replay references: which of them eviction makes hits"},
    {"demo", command_demo, "filter photographs on all devices, and compare with one by one"},
    {"kernel", command_kernel, "tell of OpenCL C kernels whether they can be stopped midway"},
    {"machine", command_machine, "make and show descriptions of machines"},
    {"bench", command_bench, "measure what a task costs"},
};

static const struct command_group main_group = {
    .name = "fastgpu",
    .summary = "A pool for every compute device of a machine.",
    .commands = main_commands,
    .count = sizeof main_commands / sizeof main_commands[0],
    .options = "      --version  the version of the command and of the library\n",
    .option = "--version",
};

static volatile sig_atomic_t main_stop; /* the signal that came, or 0 */
static pthread_t main_thread;

static uint64_t main_now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool main_is_stopped(void)
{
    return __atomic_load_n(&main_stop, __ATOMIC_RELAXED) != 0;
}

static void main_nothing(int number)
{
    (void)number;
}

static void main_ask_to_stop(int number)
{
    __atomic_store_n(&main_stop, number, __ATOMIC_RELEASE);
    (void)pthread_kill(main_thread, SIGURG); /* it may be waiting for a pipe */
    /* A kernel that is compiled or a picture that is written may take a second more. */
    if (isatty(STDERR_FILENO) == 1)
        fputs("\nfastgpu: stopping; a second signal ends it at once\n", stderr);
}

/* The thread that takes the signals. timeout(1) and others send one to the process and again to its
 * group: what comes so soon after the first is still the first. */
static void *main_take_signals(void *arg)
{
    const sigset_t *ends = arg;
    uint64_t first_ns = 0;
    int number;

    for (;;) {
        if (sigwait(ends, &number) != 0)
            continue;
        if (first_ns == 0) {
            first_ns = main_now_ns();
            main_ask_to_stop(number);
        } else if (main_now_ns() - first_ns >= MAIN_ONE_SIGNAL_NS) {
            file_abandon();
            _exit(128 + number);
        }
    }
    return NULL;
}

/* All threads block them and one waits: a handler would not stay, for compilers that run inside
 * this process (LLVM in PoCL) put their own in its place while they work. */
static void main_watch_signals(void)
{
    static sigset_t ends;
    struct sigaction nothing = {.sa_handler = main_nothing};
    pthread_t taker;

    main_thread = pthread_self();
    stopping_ask(main_is_stopped);
    (void)sigemptyset(&nothing.sa_mask);
    (void)sigaction(SIGURG, &nothing, NULL);
    (void)signal(SIGINT, SIG_DFL); /* a shell may have had them ignored */
    (void)signal(SIGTERM, SIG_DFL);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (pthread_create(&taker, NULL, main_take_signals, &ends) == 0)
        (void)pthread_detach(taker);
    else
        (void)pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
}

/* With a standard descriptor closed the next file to be opened would get its number, and messages
 * would go there. What is put in its place can be read but not written, so that the loss shows. */
static void main_keep_descriptors(void)
{
    for (int number = 0; number <= 2; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_NOCTTY) != number)
            _exit(COMMAND_FAILED);
}

static int main_version(void)
{
    printf("fastgpu %s\n", FGPU_VERSION_STRING);
    if (strcmp(FGPU_VERSION_STRING, fgpu_version_text()) != 0)
        printf("libfastgpu %s\n", fgpu_version_text());
    return COMMAND_OK;
}

static int main_finish(int code)
{
    errno = 0;
    int failed = fflush(stdout);
    if (failed != 0 || ferror(stdout)) {
        fprintf(stderr, "fastgpu: the output cannot be written: %s\n",
                errno ? strerror(errno) : "some of it was lost");
        if (code == COMMAND_OK)
            code = COMMAND_FAILED;
    }
    return code == COMMAND_INTERRUPTED && main_stop == SIGTERM ? COMMAND_TERMINATED : code;
}

int main(int argc, char **argv)
{
    main_keep_descriptors();
    main_watch_signals();
    if (argc >= 2 && strcmp(argv[1], "--version") == 0)
        return main_finish(main_version());
    return main_finish(commands_run(&main_group, argc, argv, &main_stop));
}
