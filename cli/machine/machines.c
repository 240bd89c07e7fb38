/* `fastgpu machine`: the table of its commands; importing and making up. machines_show.c shows,
 * machines_capture.c measures. Main thread.
 */
#include "cli/machine/machines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/file.h"
#include "cli/common/options.h"

static const struct command machines_commands[] = {
    {"show", machines_show, "check a description and print it as tables"},
    {"synth", machines_synth, "make one up from a line of text"},
    {"import", machines_import, "make one from published tables (CSV)"},
    {"capture", machines_capture, "make one of this machine by measuring it"},
};

static const struct command_group machines_group = {
    .name = "fastgpu machine",
    .summary = "Makes and shows descriptions of machines (*.fgm) for simulations.",
    .commands = machines_commands,
    .count = sizeof machines_commands / sizeof machines_commands[0],
    .options = "",
};

int command_machine(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    return commands_run(&machines_group, argc, argv, stop);
}

/* ---- shared ----------------------------------------------------------------------------- */

/* The exit code for a description or table that the library has not taken. */
static int machines_code(fgpu_status status)
{
    return status == FGPU_E_INVAL || status == FGPU_E_LIMIT ? COMMAND_NO_INPUT : COMMAND_FAILED;
}

/* A file. False with a message. */
static bool machines_read(const char *command, const char *path, struct file_bytes *bytes,
                          int *code)
{
    char why[CLI_WHY_BYTES];
    fgpu_status status = file_read(path, CLI_MACHINE_FILE_BYTES_LIMIT, bytes, why, sizeof why);

    if (status == FGPU_OK)
        return true;
    fprintf(stderr, "%s: %s\n", command, why);
    *code = status == FGPU_E_CANCELLED ? COMMAND_INTERRUPTED
            : status == FGPU_E_NOMEM   ? COMMAND_FAILED
                                       : COMMAND_NO_INPUT;
    return false;
}

fgpu_machine *machines_load(const char *command, const char *path, int *code)
{
    struct file_bytes bytes = {0};
    fgpu_machine *machine = NULL;

    if (!machines_read(command, path, &bytes, code))
        return NULL;
    fgpu_status status =
        fgpu_machine_parse(path, (const char *)bytes.data, bytes.size_bytes, &machine);
    file_bytes_fini(&bytes);
    if (status != FGPU_OK) {
        fprintf(stderr, "%s: %s\n", command, fgpu_last_error());
        *code = machines_code(status);
    }
    return machine;
}

int machines_write(const char *command, const fgpu_machine *machine, const char *path)
{
    char why[CLI_WHY_BYTES];
    fgpu_machine_info info = {.struct_bytes = sizeof info};
    char *text;
    size_t bytes;
    int code = COMMAND_OK;

    fgpu_status status = fgpu_machine_print(machine, &text, &bytes);
    if (status != FGPU_OK)
        return commands_fail(command, "the description cannot be printed", status);
    if (!path) {
        (void)fwrite(text, 1, bytes, stdout);
    } else if (file_replace(path, text, bytes, why, sizeof why) != FGPU_OK) {
        fprintf(stderr, "%s: %s\n", command, why);
        code = COMMAND_FAILED;
    } else if (fgpu_machine_get_info(machine, &info) == FGPU_OK) {
        printf("%s: %u devices in %u classes, %u links, %u routes, %u kernels with %u costs\n",
               path, info.device_count, info.class_count, info.link_count, info.route_count,
               info.kernel_count, info.cost_count);
    }
    fgpu_machine_text_free(text);
    return code;
}

/* ---- import ----------------------------------------------------------------------------- */

static const char import_text[] =
    "Makes a description from tables of measured figures: CSV files whose first line\n"
    "names their columns (docs/machine.md says which). Without links and routes\n"
    "copies take no time.";

enum { IMPORT_COSTS, IMPORT_DEVICES, IMPORT_LINKS, IMPORT_ROUTES, IMPORT_TABLES };

struct import_options {
    const char *paths[IMPORT_TABLES];
    const char *output; /* NULL: stdout */
    const char *name;   /* NULL: from the costs' file name */
    struct option_texts notes;
};

/* What stands before the first point of the file's name. */
static void import_name(const char *path, char name[64])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t length = strcspn(base, ".");

    (void)snprintf(name, 64, "%.*s", (int)(length < 63 ? length : 63), base);
    if (name[0] == '\0')
        (void)snprintf(name, 64, "imported");
}

/* All notes, a line each; NULL without memory. */
static char *import_notes(const struct option_texts *notes)
{
    size_t bytes = 1;

    for (uint32_t i = 0; i < notes->count; i++)
        bytes += strlen(notes->list[i]) + 1;
    char *text = malloc(bytes);
    if (!text)
        return NULL;
    size_t used = 0;
    for (uint32_t i = 0; i < notes->count; i++) {
        size_t length = strlen(notes->list[i]);
        memcpy(text + used, notes->list[i], length);
        used += length;
        text[used++] = '\n';
    }
    text[used] = '\0';
    return text;
}

static int import_make(const struct import_options *chosen, const struct file_bytes *files)
{
    char name[64];
    fgpu_machine *machine = NULL;
    char *note = import_notes(&chosen->notes);
    const fgpu_machine_tables tables = {
        .struct_bytes = sizeof tables,
        .costs = (const char *)files[IMPORT_COSTS].data,
        .costs_bytes = files[IMPORT_COSTS].size_bytes,
        .costs_name = chosen->paths[IMPORT_COSTS],
        .devices = (const char *)files[IMPORT_DEVICES].data,
        .devices_bytes = files[IMPORT_DEVICES].size_bytes,
        .devices_name = chosen->paths[IMPORT_DEVICES],
        .links = chosen->paths[IMPORT_LINKS] ? (const char *)files[IMPORT_LINKS].data : NULL,
        .links_bytes = files[IMPORT_LINKS].size_bytes,
        .links_name = chosen->paths[IMPORT_LINKS],
        .routes = chosen->paths[IMPORT_ROUTES] ? (const char *)files[IMPORT_ROUTES].data : NULL,
        .routes_bytes = files[IMPORT_ROUTES].size_bytes,
        .routes_name = chosen->paths[IMPORT_ROUTES],
        .note = note,
    };

    import_name(chosen->paths[IMPORT_COSTS], name);
    fgpu_status status =
        note ? fgpu_machine_import(chosen->name ? chosen->name : name, &tables, &machine)
             : FGPU_E_NOMEM;
    int code = machines_code(status);
    if (status == FGPU_OK)
        code = machines_write("fastgpu machine import", machine, chosen->output);
    else
        fprintf(stderr, "fastgpu machine import: %s\n", note ? fgpu_last_error() : "no memory");
    fgpu_machine_destroy(machine);
    free(note);
    return code;
}

static int import_run(const struct import_options *chosen)
{
    struct file_bytes files[IMPORT_TABLES] = {{0}};
    int code = COMMAND_OK;

    for (int i = 0; i < IMPORT_TABLES && code == COMMAND_OK; i++)
        if (chosen->paths[i] &&
            machines_read("fastgpu machine import", chosen->paths[i], &files[i], &code) &&
            files[i].size_bytes == 0) {
            fprintf(stderr, "fastgpu machine import: %s: the table is empty\n", chosen->paths[i]);
            code = COMMAND_NO_INPUT;
        }
    if (code == COMMAND_OK)
        code = import_make(chosen, files);
    for (int i = 0; i < IMPORT_TABLES; i++)
        file_bytes_fini(&files[i]);
    return code;
}

int machines_import(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct import_options chosen = {.notes.list = calloc((size_t)argc, sizeof(char *))};
    const struct option table[] = {
        {"costs", 0, OPTION_TEXT, &chosen.paths[IMPORT_COSTS], "FILE", "what kernels take", 0, 0,
         NULL},
        {"devices", 0, OPTION_TEXT, &chosen.paths[IMPORT_DEVICES], "FILE",
         "devices, their number and memory", 0, 0, NULL},
        {"links", 0, OPTION_TEXT, &chosen.paths[IMPORT_LINKS], "FILE", "bandwidths and latencies",
         0, 0, NULL},
        {"routes", 0, OPTION_TEXT, &chosen.paths[IMPORT_ROUTES], "FILE",
         "which links a copy crosses", 0, 0, NULL},
        {"output", 'o', OPTION_TEXT, &chosen.output, "FILE",
         "write it there (default: to the standard output)", 0, 0, NULL},
        {"name", 0, OPTION_TEXT, &chosen.name, "NAME",
         "of the machine (default: from the name of\nthe costs' file)", 0, 0, NULL},
        {"note", 0, OPTION_TEXTS, &chosen.notes, "TEXT",
         "a line for the description, where the\nfigures come from; again for more", 0, 0, NULL},
    };
    const struct options_page page = {
        .command = "fastgpu machine import",
        .text = import_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
    };

    (void)stop;
    if (!chosen.notes.list) {
        fprintf(stderr, "fastgpu machine import: no memory\n");
        return COMMAND_FAILED;
    }
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && (!chosen.paths[IMPORT_COSTS] || !chosen.paths[IMPORT_DEVICES]))
        outcome = options_refuse(&page, "--%s FILE is missing; see fastgpu machine import --help",
                                 chosen.paths[IMPORT_COSTS] ? "devices" : "costs");
    if (outcome == OPTIONS_GO && !chosen.paths[IMPORT_LINKS] != !chosen.paths[IMPORT_ROUTES])
        outcome = options_refuse(&page, "--links and --routes are given together, or neither");
    int code = outcome == OPTIONS_GO ? import_run(&chosen) : options_code(outcome);
    free(chosen.notes.list);
    return code;
}

/* ---- synth ------------------------------------------------------------------------------ */

static const char synth_text[] =
    "Makes up a machine. MACHINE is a list of KIND:COUNT, KIND:COUNTxMEMORY or\n"
    "KIND:NAME:COUNTxMEMORY with a KIND of cpu, gpu or accelerator; behind each may\n"
    "follow settings, @KEY=VALUE: flops (GFlop/s), inside (GB/s of its memory),\n"
    "launch (us), link (GB/s), latency (us), group (devices behind one switch),\n"
    "host, peer, net (GB/s), idle, busy (watt). Example: gpu:8x80GiB@link=50,cpu:64";

int machines_synth(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    const char *output = NULL;
    uint32_t count = 0;
    fgpu_machine *machine = NULL;
    char **words = calloc((size_t)argc, sizeof *words);
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &output, "FILE",
         "write it there (default: to the standard output)", 0, 0, NULL},
    };
    const struct options_page page = {
        .command = "fastgpu machine synth",
        .text = synth_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "MACHINE",
        .word_list = words,
        .word_count = &count,
    };

    (void)stop;
    if (!words) {
        fprintf(stderr, "fastgpu machine synth: no memory\n");
        return COMMAND_FAILED;
    }
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count != 1)
        outcome = options_refuse(
            &page, "want one machine, not %u; see fastgpu machine synth --help", count);
    int code = options_code(outcome);
    if (outcome == OPTIONS_GO) {
        fgpu_status status = fgpu_machine_synth(words[0], &machine);
        if (status == FGPU_OK)
            code = machines_write("fastgpu machine synth", machine, output);
        else
            fprintf(stderr, "fastgpu machine synth: %s\n", fgpu_last_error());
        if (status != FGPU_OK)
            code = machines_code(status) == COMMAND_NO_INPUT ? COMMAND_USAGE : COMMAND_FAILED;
    }
    fgpu_machine_destroy(machine);
    free(words);
    return code;
}
