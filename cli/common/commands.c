/* Finds the command that was typed: see commands.h. Runs on the main thread. */
#include "cli/common/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/nearest.h"

int commands_fail(const char *command, const char *what, fgpu_status status)
{
    const char *why = fgpu_last_error();

    fprintf(stderr, "%s: %s: %s\n", command, what, why[0] ? why : fgpu_status_text(status));
    return status == FGPU_E_NODEVICE ? COMMAND_NO_DEVICE : COMMAND_FAILED;
}

int commands_fail_open(const char *command, fgpu_status status)
{
    int code = commands_fail(command, "the pool cannot be opened", status);

    return status == FGPU_E_INVAL ? COMMAND_USAGE : code;
}

static void commands_print_help(const struct command_group *group, FILE *out)
{
    int width = 9;
    for (uint32_t i = 0; i < group->count; i++)
        if ((int)strlen(group->commands[i].name) >= width)
            width = (int)strlen(group->commands[i].name) + 1;
    fprintf(out, "usage: %s COMMAND [options]\n\n%s\n\nCommands:\n", group->name, group->summary);
    for (uint32_t i = 0; i < group->count; i++)
        fprintf(out, "  %-*s %s\n", width, group->commands[i].name, group->commands[i].summary);
    fprintf(out, "  %-*s %s\n\n", width, "help", "what a command does and which options it takes");
    fprintf(out, "Options:\n%s  -h, --help     this text\n\n", group->options);
    (void)fputs(COMMAND_EXIT_TEXT, out);
}

static const struct command *commands_find(const struct command_group *group, const char *name)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (strcmp(group->commands[i].name, name) == 0)
            return &group->commands[i];
    return NULL;
}

static int commands_unknown(const struct command_group *group, const char *word)
{
    struct nearest nearest;
    const char *what = word[0] == '-' ? "option" : "command";

    nearest_init(&nearest, word);
    for (uint32_t i = 0; i < group->count; i++)
        nearest_try(&nearest, group->commands[i].name);
    nearest_try(&nearest, "help");
    nearest_try(&nearest, "--help");
    if (group->option)
        nearest_try(&nearest, group->option);
    fprintf(stderr, "%s: %s: no such %s; ", group->name, word, what);
    if (nearest_found(&nearest))
        fprintf(stderr, "the nearest is %s\n", nearest_found(&nearest));
    else
        fprintf(stderr, "%s --help lists them\n", group->name);
    return COMMAND_USAGE;
}

/* `help A B ...` is `A B ... --help`. */
static int commands_help(const struct command_group *group, int argc, char **argv,
                         const volatile sig_atomic_t *stop)
{
    static char help[] = "--help";

    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        commands_print_help(group, stdout);
        return COMMAND_OK;
    }
    const struct command *command = commands_find(group, argv[1]);
    if (!command)
        return commands_unknown(group, argv[1]);
    char **words = calloc((size_t)argc + 1, sizeof *words);
    if (!words)
        return COMMAND_FAILED;
    for (int i = 1; i < argc; i++)
        words[i - 1] = argv[i];
    words[argc - 1] = help;
    int code = command->run(argc, words, stop);
    free(words);
    return code;
}

int commands_run(const struct command_group *group, int argc, char **argv,
                 const volatile sig_atomic_t *stop)
{
    if (argc < 2) {
        commands_print_help(group, stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        commands_print_help(group, stdout);
        return COMMAND_OK;
    }
    if (strcmp(argv[1], "help") == 0)
        return commands_help(group, argc - 1, argv + 1, stop);
    const struct command *command = commands_find(group, argv[1]);
    if (!command)
        return commands_unknown(group, argv[1]);
    return command->run(argc - 1, argv + 1, stop);
}
