/* `fastgpu`: the table of commands, the signals, and what becomes of output that cannot be written.
 *
 * A new command is one line in main_commands. The only signal handler of FastGPU is here: the first
 * SIGINT or SIGTERM sets a flag that the commands look at, one half a second later or more ends the
 * process at once, but for the temporary file of a picture, which goes first.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fastgpu/fastgpu.h>

#include "file.h"

#define MAIN_ONE_SIGNAL_NS 500000000u

static const struct command main_commands[] = {
    {"devices", command_devices, "list the compute devices and how fast they are"},
    {"check", command_check, "check a workload file without running it"},
    {"demo", command_demo, "filter photographs on all devices, and compare with one by one"},
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
static bool main_has_terminal;          /* a person reads stderr */

/* timeout(1) and others send a signal to the process and again to its group: what comes so soon
 * after the first is still the first. Written and read by the handler alone. */
static volatile uint64_t main_stop_ns;

static uint64_t main_now_ns(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A kernel that is compiled or a picture that is written may take a second more: who waits in front
 * of a terminal is told that the signal has come. */
static void main_on_signal(int number)
{
    static const char text[] = "\nfastgpu: stopping; a second signal ends it at once\n";
    int error = errno;

    if (main_stop) {
        if (main_now_ns() - main_stop_ns < MAIN_ONE_SIGNAL_NS)
            return;
        file_abandon();
        _exit(128 + number);
    }
    main_stop_ns = main_now_ns();
    main_stop = number;
    if (main_has_terminal) {
        ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
        (void)written;
    }
    errno = error;
}

static void main_watch_signals(void)
{
    struct sigaction action = {.sa_handler = main_on_signal, .sa_flags = SA_RESTART};

    main_has_terminal = isatty(STDERR_FILENO) == 1;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaddset(&action.sa_mask, SIGINT);
    (void)sigaddset(&action.sa_mask, SIGTERM);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
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
