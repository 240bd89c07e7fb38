/* `fastgpu explain`: why a task ran where and when, from a trace that a pool has written. Nothing
 * is run. Runs on the main thread. */
#include "cli/trace/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/commands.h"
#include "cli/common/options.h"

static const char explain_text[] =
    "Tells from a trace why a task ran where and when: what it waited for, the\n"
    "queues that were looked at and what was predicted of each, the copies made for\n"
    "it, what delayed its start. TASK is its number or its name. Without TASK those\n"
    "are listed that waited longest and that ended last.";

struct explain_options {
    const char *path; /* of the trace */
    const char *task; /* NULL: none */
    bool is_json;
};

static int explain_one(const struct trace_in *trace, const struct explain_options *chosen)
{
    struct explain explain = {0};
    uint32_t namesakes;
    const char *nearest;

    const struct trace_in_task *task = explain_named(trace, chosen->task, &namesakes, &nearest);
    if (!task) {
        fprintf(stderr, "fastgpu explain: %s: no such task in %s%s%s%s\n", chosen->task,
                chosen->path, nearest ? "; the nearest is '" : "", nearest ? nearest : "",
                nearest ? "'" : "");
        return COMMAND_USAGE;
    }
    if (namesakes > 1)
        fprintf(stderr, "fastgpu explain: %u tasks have this name; this is the first\n", namesakes);
    fgpu_status status = explain_find(trace, task, &explain);
    bool is_good = status == FGPU_OK;
    if (is_good && chosen->is_json)
        is_good = explain_print_json(&explain);
    else if (is_good)
        explain_print(&explain);
    if (status == FGPU_E_INVAL)
        fprintf(stderr, "fastgpu explain: %s: the record of the task is damaged\n", chosen->path);
    else if (!is_good)
        fprintf(stderr, "fastgpu explain: no memory\n");
    explain_fini(&explain);
    return is_good ? COMMAND_OK : status == FGPU_E_INVAL ? COMMAND_NO_INPUT : COMMAND_FAILED;
}

static int explain_trace(const struct explain_options *chosen)
{
    struct trace_in trace;
    char why[CLI_WHY_BYTES];
    int code = COMMAND_OK;

    fgpu_status status = trace_in_load(chosen->path, &trace, why, sizeof why);
    if (status != FGPU_OK) {
        size_t length = strlen(chosen->path);
        bool is_named = strncmp(why, chosen->path, length) == 0 && why[length] == ':';
        fprintf(stderr, "fastgpu explain: %s%s%s\n", is_named ? "" : chosen->path,
                is_named ? "" : ": ", why);
        code = status == FGPU_E_NOMEM ? COMMAND_FAILED : COMMAND_NO_INPUT;
    } else {
        if (trace.overwritten > 0)
            fprintf(stderr,
                    "fastgpu explain: the trace has lost its %llu oldest events; the pool option "
                    "trace-events keeps more\n",
                    (unsigned long long)trace.overwritten);
        if (chosen->task)
            code = explain_one(&trace, chosen);
        else if (chosen->is_json)
            code = explain_print_hints_json(&trace) ? COMMAND_OK : COMMAND_FAILED;
        else
            explain_print_hints(&trace);
    }
    trace_in_fini(&trace);
    return code;
}

int command_explain(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct explain_options chosen = {0};
    uint32_t count = 0;
    char **words = calloc((size_t)argc, sizeof *words);
    const struct option table[] = {
        {"trace", 't', OPTION_TEXT, &chosen.path, "FILE",
         "the trace: JSON that fgpu_trace_write() or\n`fastgpu run --trace` has written", 0, 0,
         NULL},
        {"json", 0, OPTION_FLAG, &chosen.is_json, NULL, "print one JSON object", 0, 0, NULL},
    };
    const struct options_page page = {
        .command = "fastgpu explain",
        .text = explain_text,
        .options = table,
        .count = sizeof table / sizeof table[0],
        .words = "[TASK]",
        .word_list = words,
        .word_count = &count,
    };

    if (!words) {
        fprintf(stderr, "fastgpu explain: no memory\n");
        return COMMAND_FAILED;
    }
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome == OPTIONS_GO && count > 1)
        outcome = options_refuse(&page, "want one task, not %u; see fastgpu explain --help", count);
    if (outcome == OPTIONS_GO && !chosen.path)
        outcome = options_refuse(&page, "--trace FILE is missing; see fastgpu explain --help");
    int code = options_code(outcome);
    if (outcome == OPTIONS_GO) {
        chosen.task = count > 0 ? words[0] : NULL;
        code = explain_trace(&chosen);
    }
    if (outcome == OPTIONS_GO && stop && *stop)
        code = COMMAND_INTERRUPTED;
    free(words);
    return code;
}
