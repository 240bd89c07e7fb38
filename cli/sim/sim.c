/* `fastgpu sim`: a task graph on a described machine, in virtual time, under one policy or several.
 * Runs on the main thread. */
#include "cli/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/common/commands.h"
#include "cli/common/nearest.h"
#include "cli/common/options.h"
#include "cli/sim/sim_generate.h"
#include "cli/sim/sim_read.h"
#include "cli/sim/sim_words.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

/* The words as typed, until they are numbers. */
struct sim_typed {
    const char *policies, *noise, *cost_error, *memory, *fail_rate, *loss, *objective, *cap;
    bool no_transfers, no_priorities, is_checked;
};

/* ---- help */

static const char sim_text_head[] =
    "Runs a task graph on a described machine in virtual time, with the very core\n"
    "that runs real devices, and says how long it took and how far that is from the\n"
    "best possible. Nothing is computed; equal seeds give equal runs. Several\n"
    "policies, joined by commas, are compared in a table; \"all\" takes every one.\n"
    "\n"
    "The machine is a file (docs/machine.md), or a text that `fastgpu machine synth`\n"
    "takes: gpu:8x80GiB,cpu:64. A graph is a file (docs/graph.md), our own JSON or a\n"
    "WfCommons instance, or is made up: NAME, or NAME:PARAMETER=VALUE,... The names,\n"
    "their parameters with the usual values, and what they may be:\n";

/* Text that grows in given memory. */
struct sim_page {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void sim_page_add(struct sim_page *page,
                                                               const char *format, ...)
{
    va_list values;

    va_start(values, format);
    int length = vsnprintf(page->at, page->room, format, values);
    va_end(values);
    if (length > 0 && (size_t)length < page->room) {
        page->at += length;
        page->room -= (size_t)length;
    }
}

static void sim_help_generator(struct sim_page *page, const struct sim_generator *generator)
{
    sim_page_add(page, "    %-12s %s\n", generator->name, generator->help);
    for (uint32_t i = 0; i < generator->param_count; i++) {
        const struct sim_param *param = &generator->params[i];
        sim_page_add(page, "      %s=%s: %s", param->name, param->usual, param->help);
        if (param->kind != SIM_NAMES)
            sim_page_add(page, "; %.10g to %.10g", param->low, param->high);
        sim_page_add(page, "\n");
    }
}

/* The page's text with the generators and the policies, from their tables. */
static void sim_help(char *text, size_t room)
{
    struct sim_page page = {text, room};
    const char *name, *summary;

    sim_page_add(&page, "%s", sim_text_head);
    for (uint32_t i = 0; sim_generator_at(i); i++)
        sim_help_generator(&page, sim_generator_at(i));
    sim_page_add(&page, "\nPolicies:");
    for (uint32_t i = 0; fgpu_sim_policy_at(i, &name, &summary) == FGPU_OK; i++)
        sim_page_add(&page, "\n    %-12s %s", name, summary);
}

static bool sim_wants_list(const struct sim_typed *typed)
{
    return typed->policies && strcmp(typed->policies, "list") == 0;
}

static int sim_list_policies(void)
{
    const char *name, *summary;

    for (uint32_t i = 0; fgpu_sim_policy_at(i, &name, &summary) == FGPU_OK; i++)
        printf("%-12s %s\n", name, summary);
    return COMMAND_OK;
}

/* ---- words */

static enum options_outcome sim_add_policy(const struct options_page *page, const char *text,
                                           size_t length, struct sim_choice *choice)
{
    struct nearest nearest;
    const char *name;
    char all[256] = "", word[64];

    if (choice->policy_count == CLI_SIM_POLICIES_LIMIT)
        return options_refuse(page, "--policy: want at most %d policies", CLI_SIM_POLICIES_LIMIT);
    (void)snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), text);
    nearest_init(&nearest, word);
    for (uint32_t i = 0; fgpu_sim_policy_at(i, &name, NULL) == FGPU_OK; i++) {
        size_t used = strlen(all);
        if (strcmp(name, word) == 0) {
            choice->policies[choice->policy_count++] = name;
            return OPTIONS_GO;
        }
        nearest_try(&nearest, name);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? ", " : "", name);
    }
    const char *found = nearest_found(&nearest);
    return options_refuse(page, "--policy %s: want one of %s, or all%s%s", word, all,
                          found ? "; the nearest is " : "", found ? found : "");
}

/* [in] text: NULL for the usual one. */
static enum options_outcome sim_take_policies(const struct options_page *page, const char *text,
                                              struct sim_choice *choice)
{
    enum options_outcome outcome = OPTIONS_GO;
    const char *name;

    if (!text) {
        choice->policies[0] = "auto"; /* what NULL means to fgpu_sim_open() */
        choice->policy_count = 1;
        return OPTIONS_GO;
    }
    if (strcmp(text, "all") == 0) {
        for (uint32_t i = 0; fgpu_sim_policy_at(i, &name, NULL) == FGPU_OK; i++)
            if (outcome == OPTIONS_GO)
                outcome = sim_add_policy(page, name, strlen(name), choice);
        return outcome;
    }
    for (bool is_more = true; is_more && outcome == OPTIONS_GO;) {
        size_t length = strcspn(text, ",");
        outcome = sim_add_policy(page, text, length, choice);
        is_more = text[length] == ',';
        text += length + is_more;
    }
    return outcome;
}

static enum options_outcome sim_take_real(const struct options_page *page, const char *option,
                                          const char *text, double high, double *number)
{
    if (!text || sim_words_real(text, 0, high, number))
        return OPTIONS_GO;
    return options_refuse(page, "--%s %s: want a number from 0 to %g", option, text, high);
}

static enum options_outcome sim_take_numbers(const struct options_page *page,
                                             const struct sim_typed *typed,
                                             struct sim_choice *choice)
{
    enum options_outcome outcome = OPTIONS_GO;

    if (typed->noise && strcmp(typed->noise, "table") == 0)
        choice->noise = SIM_NOISE_LISTED;
    else if (typed->noise && !sim_words_real(typed->noise, 0, 1, &choice->noise))
        return options_refuse(page, "--noise %s: want a number from 0 to 1, or table",
                              typed->noise);
    outcome = sim_take_real(page, "cost-error", typed->cost_error, 0.99, &choice->cost_error);
    if (outcome == OPTIONS_GO)
        outcome = sim_take_real(page, "fail-rate", typed->fail_rate, 1, &choice->fail_rate);
    if (outcome == OPTIONS_GO)
        outcome = sim_take_real(page, "loss", typed->loss, 1e9, &choice->loss_per_s);
    if (outcome == OPTIONS_GO && typed->memory &&
        (!sim_words_bytes(typed->memory, &choice->memory_bytes) || choice->memory_bytes == 0))
        return options_refuse(page,
                              "--memory %s: want bytes, from 1 to 2^60, with KiB, MiB, GiB, TiB, "
                              "kB, MB, GB or TB behind the number where you like",
                              typed->memory);
    return outcome;
}

static enum options_outcome sim_take_objective(const struct options_page *page,
                                               const struct sim_typed *typed,
                                               struct sim_choice *choice)
{
    while (typed->objective && choice->objective <= FGPU_OBJECTIVE_EDP &&
           strcmp(typed->objective, sim_objective_word(choice->objective)) != 0)
        choice->objective++;
    if (choice->objective > FGPU_OBJECTIVE_EDP)
        return options_refuse(page, "--objective %s: want makespan, latency, energy or edp",
                              typed->objective);
    for (uint32_t i = 0; choice->objective > 0 && i < choice->policy_count; i++)
        if (strcmp(choice->policies[i], "auto") != 0)
            return options_refuse(page,
                                  "--objective %s: the policy %s decides without one; auto alone "
                                  "does not",
                                  typed->objective, choice->policies[i]);
    if (typed->cap &&
        (!sim_words_real(typed->cap, 0, 1e12, &choice->cap_watt) || choice->cap_watt <= 0))
        return options_refuse(page, "--power-cap %s: want watts, above 0 and at most 1e12",
                              typed->cap);
    return OPTIONS_GO;
}

static enum options_outcome sim_check(const struct options_page *page,
                                      const struct sim_typed *typed, struct sim_choice *choice)
{
    if (!choice->machine)
        return options_refuse(page, "--machine M is missing; see fastgpu sim --help");
    if (!choice->graph && !choice->generate)
        return options_refuse(page, "want --graph FILE or --generate TEXT; see fastgpu sim --help");
    if (choice->graph && choice->generate)
        return options_refuse(page, "want --graph or --generate, not both");
    choice->flags = (typed->no_transfers ? FGPU_SIM_NO_TRANSFERS : 0u) |
                    (typed->no_priorities ? FGPU_SIM_NO_PRIORITIES : 0u) |
                    (typed->is_checked ? FGPU_SIM_CHECK : 0u);
    enum options_outcome outcome = sim_take_policies(page, typed->policies, choice);
    if (outcome == OPTIONS_GO)
        outcome = sim_take_objective(page, typed, choice);
    return outcome == OPTIONS_GO ? sim_take_numbers(page, typed, choice) : outcome;
}

/* ---- runs */

static int sim_say(const char *why, int code)
{
    fprintf(stderr, "fastgpu sim: %s\n", why);
    return code;
}

static int sim_code(fgpu_status status)
{
    switch (status) {
    case FGPU_E_NODEVICE:
        return COMMAND_NO_DEVICE;
    case FGPU_E_INVAL: /* what is asked for comes from the user's words */
    case FGPU_E_LIMIT:
        return COMMAND_USAGE;
    case FGPU_E_CANCELLED:
        return COMMAND_INTERRUPTED;
    default:
        return COMMAND_FAILED;
    }
}

/* Machine and graph. Returns an exit code. */
static int sim_prepare(struct sim_work *work)
{
    const struct sim_choice *choice = work->choice;

    work->graph.wants_names = choice->report || choice->trace;
    fgpu_status status =
        sim_machine_load(choice->machine, &work->machine, work->why, sizeof work->why);
    if (status == FGPU_OK)
        status = choice->graph ? sim_read(choice->graph, &work->graph, work->why, sizeof work->why)
                               : FGPU_OK;
    if (status != FGPU_OK)
        return sim_say(work->why, status == FGPU_E_NOMEM       ? COMMAND_FAILED
                                  : status == FGPU_E_CANCELLED ? COMMAND_INTERRUPTED
                                                               : COMMAND_NO_INPUT);
    if (work->graph.left_out > 0)
        (void)snprintf(work->note, sizeof work->note,
                       "%llu files are left out: a task has at most %d, the largest are kept",
                       (unsigned long long)work->graph.left_out, CLI_WORKLOAD_ARGS_LIMIT);
    if (choice->generate &&
        sim_generate(choice->generate, &work->graph, work->why, sizeof work->why) != FGPU_OK) {
        fprintf(stderr, "fastgpu sim: --generate %s\n", work->why);
        return work->graph.status == FGPU_E_NOMEM ? COMMAND_FAILED : COMMAND_USAGE;
    }
    if (work->graph.cost_count > 0 &&
        sim_machine_extend(&work->machine, &work->graph, work->why, sizeof work->why) != FGPU_OK)
        return sim_say(work->why, COMMAND_NO_INPUT);
    return COMMAND_OK;
}

static int sim_know_machine(struct sim_work *work)
{
    work->info.struct_bytes = sizeof work->info;
    fgpu_status status = fgpu_machine_get_info(work->machine, &work->info);
    if (status == FGPU_OK)
        status = sim_machine_devices(work);
    if (status != FGPU_OK)
        return commands_fail("fastgpu sim", work->choice->machine, status);
    return COMMAND_OK;
}

/* What the user looks for, of a run: the less the better. */
static double sim_score(const struct sim_work *work, const struct sim_outcome *outcome)
{
    const fgpu_sim_result *result = &outcome->result;

    switch (work->choice->objective) {
    case FGPU_OBJECTIVE_LATENCY:
        return (double)result->response_ns;
    case FGPU_OBJECTIVE_ENERGY:
        return result->energy_joule;
    case FGPU_OBJECTIVE_EDP:
        return result->energy_joule * (double)result->makespan_ns;
    default:
        return (double)result->makespan_ns;
    }
}

/* The quickest run, or the best by the objective. */
static const struct sim_outcome *sim_best(const struct sim_work *work)
{
    const struct sim_outcome *best = &work->outcomes[0];

    for (uint32_t i = 1; i < work->outcome_count; i++)
        if (sim_score(work, &work->outcomes[i]) < sim_score(work, best))
            best = &work->outcomes[i];
    return best;
}

/* Report and trace are of the quickest run, which is run again to be watched: it is the same. */
static int sim_write(struct sim_work *work, struct sim_outcome *outcome, fgpu_sim *sim)
{
    fgpu_status status = FGPU_OK;

    if (work->choice->report)
        status = sim_report_write(work, outcome, sim);
    if (status == FGPU_OK && work->choice->trace)
        status = sim_trace_write(work, sim);
    return status == FGPU_OK ? COMMAND_OK : sim_say(work->why, COMMAND_FAILED);
}

static int sim_watch_best(struct sim_work *work)
{
    const struct sim_outcome *best = sim_best(work);
    struct sim_outcome again = {.policy = best->policy, .seed = best->seed};
    fgpu_sim *sim = NULL;

    fgpu_status status = sim_run(work, &again, &sim);
    int code = status == FGPU_OK            ? sim_write(work, &again, sim)
               : status == FGPU_E_CANCELLED ? COMMAND_INTERRUPTED
                                            : sim_say(work->why, sim_code(status));
    free(again.busy);
    fgpu_sim_close(sim);
    return code;
}

/* Runs all that are asked for. FGPU_E_CANCELLED where the user ended it before. */
static fgpu_status sim_run_all(struct sim_work *work)
{
    const struct sim_choice *choice = work->choice;
    fgpu_status status = FGPU_OK;

    for (uint32_t p = 0; p < choice->policy_count && status == FGPU_OK; p++)
        for (uint64_t i = 0; i < choice->repeat && status == FGPU_OK; i++) {
            struct sim_outcome *outcome = &work->outcomes[work->outcome_count];
            *outcome =
                (struct sim_outcome){.policy = choice->policies[p], .seed = choice->seed + i};
            status = sim_run(work, outcome, NULL);
            if (status == FGPU_OK)
                work->outcome_count++;
        }
    return status;
}

/* What is done; of several policies those that are. */
static int sim_tell(struct sim_work *work)
{
    const struct sim_choice *choice = work->choice;
    bool is_one = choice->policy_count == 1 && choice->repeat == 1;
    int code = COMMAND_OK;

    if (work->note[0] && !choice->is_quiet)
        fprintf(stderr, "fastgpu sim: %s\n", work->note);
    if (choice->is_json)
        code = sim_print_json(work) ? COMMAND_OK : COMMAND_FAILED;
    else if (is_one && !choice->is_quiet)
        sim_print(work);
    else if (!choice->is_quiet)
        sim_print_table(work);
    for (uint32_t i = 0; i < work->outcome_count && code == COMMAND_OK; i++)
        if (work->outcomes[i].result.failed_tasks > 0)
            code = COMMAND_FAILED;
    return code;
}

static int sim_go(struct sim_work *work)
{
    const struct sim_choice *choice = work->choice;
    bool is_watched = choice->report || choice->trace;
    int code = sim_prepare(work);

    if (code == COMMAND_OK)
        code = sim_know_machine(work);
    if (code != COMMAND_OK)
        return code;
    work->outcomes = calloc(choice->policy_count * choice->repeat, sizeof *work->outcomes);
    if (!work->outcomes)
        return sim_say("no memory", COMMAND_FAILED);
    progress_init(&work->progress, !choice->is_quiet);
    fgpu_status status = sim_run_settle(work);
    if (status == FGPU_OK)
        status = sim_run_all(work);
    if (work->outcome_count > 0)
        code = sim_tell(work);
    if (status == FGPU_E_CANCELLED)
        return sim_say(work->outcome_count > 0 ? "stopped before all was run"
                                               : "stopped before anything was run",
                       COMMAND_INTERRUPTED);
    if (status != FGPU_OK)
        return sim_say(work->why, sim_code(status));
    if (is_watched) {
        int written = sim_watch_best(work);
        code = written != COMMAND_OK ? written : code;
    }
    return code;
}

static int sim_start(const struct sim_choice *choice, const volatile sig_atomic_t *stop)
{
    struct sim_work *work = calloc(1, sizeof *work);

    if (!work)
        return sim_say("no memory", COMMAND_FAILED);
    work->choice = choice;
    work->stop = stop;
    sim_graph_init(&work->graph);
    int code = sim_go(work);
    for (uint32_t i = 0; i < work->outcome_count; i++)
        free(work->outcomes[i].busy);
    free(work->outcomes);
    free(work->devices);
    sim_graph_fini(&work->graph);
    fgpu_machine_destroy(work->machine);
    free(work);
    return code;
}

static enum options_outcome sim_take_options(int argc, char **argv, struct sim_typed *typed,
                                             struct sim_choice *to)
{
    static char text[8192];
    const struct option table[] = {
        {"machine", 'm', OPTION_TEXT, &to->machine, "FILE", "the machine, a file or a text", 0, 0,
         NULL},
        {"graph", 'g', OPTION_TEXT, &to->graph, "FILE", "the task graph, from a file", 0, 0, NULL},
        {"generate", 'G', OPTION_TEXT, &to->generate, "TEXT", "the task graph, made up", 0, 0,
         NULL},
        {"policy", 'p', OPTION_TEXT, &typed->policies, "P",
         "one or several, joined by commas, or all\n(default: auto); list says what they do", 0, 0,
         NULL},
        {"objective", 'o', OPTION_TEXT, &typed->objective, "O",
         "what auto looks for: makespan (default),\nlatency (mean time to the end of a task),\n"
         "energy, or edp (energy times makespan)",
         0, 0, NULL},
        {"power-cap", 0, OPTION_TEXT, &typed->cap, "WATT",
         "the machine draws no more than that on\naverage in any 100 ms", 0, 0, NULL},
        {"no-transfers", 0, OPTION_FLAG, &typed->no_transfers, NULL,
         "copies take no time and no memory", 0, 0, NULL},
        {"no-priorities", 0, OPTION_FLAG, &typed->no_priorities, NULL,
         "ignore the priorities of the tasks", 0, 0, NULL},
        {"noise", 'n', OPTION_TEXT, &typed->noise, "X",
         "standard deviation of a run's time,\nrelative to it, 0 to 1; table: what the\n"
         "cost tables say (default: 0)",
         0, 0, NULL},
        {"cost-error", 0, OPTION_TEXT, &typed->cost_error, "E",
         "the costs that a policy begins with are\noff by a factor from 1 - E to 1 + E\n"
         "(default: 0)",
         0, 0, NULL},
        {"memory", 0, OPTION_TEXT, &typed->memory, "BYTES",
         "of each device with memory of its own;\n100MiB is a number too", 0, 0, NULL},
        {"fail-rate", 0, OPTION_TEXT, &typed->fail_rate, "X", "share of the commands that fail", 0,
         0, NULL},
        {"loss", 0, OPTION_TEXT, &typed->loss, "X", "devices lost in a second of virtual time", 0,
         0, NULL},
        {"seed", 's', OPTION_NUMBER, &to->seed, "S", "what is drawn follows from it (default: 1)",
         0, UINT64_C(1) << 53, NULL},
        {"repeat", 'r', OPTION_NUMBER, &to->repeat, "N",
         "N runs of each policy with seeds S, S + 1,\n...; medians are shown", 1,
         CLI_SIM_REPEAT_LIMIT, NULL},
        {"check", 0, OPTION_FLAG, &typed->is_checked, NULL, "check the core while it runs (slow)",
         0, 0, NULL},
        {"report", 0, OPTION_TEXT, &to->report, "FILE",
         "write a page with the timeline of the\nquickest run, one HTML file", 0, 0, NULL},
        {"trace", 't', OPTION_TEXT, &to->trace, "FILE",
         "write it as a trace for Perfetto or\nchrome://tracing (JSON)", 0, 0, NULL},
        {"json", 0, OPTION_FLAG, &to->is_json, NULL, "print one JSON object", 0, 0, NULL},
        {"quiet", 'q', OPTION_FLAG, &to->is_quiet, NULL, "print mistakes and failures alone", 0, 0,
         NULL},
    };
    const struct options_page page = {.command = "fastgpu sim",
                                      .text = text,
                                      .options = table,
                                      .count = sizeof table / sizeof table[0]};

    sim_help(text, sizeof text);
    enum options_outcome outcome = options_read(&page, argc, argv);
    if (outcome != OPTIONS_GO || sim_wants_list(typed))
        return outcome;
    return sim_check(&page, typed, to);
}

int command_sim(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct sim_choice choice = {.seed = 1, .repeat = 1};
    struct sim_typed typed = {0};

    enum options_outcome outcome = sim_take_options(argc, argv, &typed, &choice);
    if (outcome != OPTIONS_GO)
        return options_code(outcome);
    return sim_wants_list(&typed) ? sim_list_policies() : sim_start(&choice, stop);
}
