/* Runs a workload and measures it: see evaluate.h for the order of things. What the trace says is
 * read in evaluate_trace.c. Runs on the caller's thread. */
#include "cli/evaluate/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/evaluate/evaluate_machine.h"
#include "cli/evaluate/evaluate_trace.h"
#include "cli/common/text_cut.h"
#include "cli/common/thread_time.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"

/* Rounds through the pool before the first that counts. */
#define EVALUATE_WARM_ROUNDS 3

/* Between two samples: in the traced round, whose picture they make; and in the others, whose time
 * counts, so few that they do not cost it (each wakes a thread). */
#define EVALUATE_SAMPLE_NS 1000000u
#define EVALUATE_SAMPLES 8u

/* Room in the trace for one round: what a task leaves, and twice that where it is copied for. */
#define EVALUATE_EVENTS_PER_TASK 20u
#define EVALUATE_EVENTS_LEAST ((uint32_t)1 << 18)
#define EVALUATE_EVENTS_LIMIT ((uint32_t)1 << 24)

/* Devices that the work is also run on without the pool. */
#define EVALUATE_BASELINES_LIMIT (EVALUATION_SIDES_LIMIT / 2)

/* What one device did in one round. */
struct evaluate_share {
    uint64_t task_count, busy_ns;
    double cpu_share; /* negative: not known */
};

struct evaluate_state {
    struct evaluation *out;
    const struct evaluate_options *options;
    const struct evaluate_taker *taker;
    const struct watch *watch;
    struct watch silent; /* stop alone */
    struct workload_session session;
    struct evaluate_costs costs;
    struct baseline *baselines[EVALUATE_BASELINES_LIMIT];
    uint32_t baseline_count;
    uint32_t step_count, steps_done; /* of measuring */
    uint64_t round_ns;               /* how long the last one took */
    bool is_tracing;
    /* By round; the last is the traced one's. */
    struct evaluate_share shares[EVALUATION_ROUNDS_LIMIT + 1][EVALUATION_DEVICES_LIMIT];
    uint64_t side_cpu_ns[EVALUATION_SIDES_LIMIT][EVALUATION_ROUNDS_LIMIT];
    uint64_t side_work_ns[EVALUATION_SIDES_LIMIT][EVALUATION_ROUNDS_LIMIT];
};

static fgpu_status evaluate_fail(struct evaluate_state *state, fgpu_status status, const char *what)
{
    const char *said = fgpu_last_error();

    return why_fail(status, state->out->error, sizeof state->out->error, "%s: %s", what,
                    said[0] ? said : fgpu_status_text(status));
}

static bool evaluate_is_over(const struct evaluate_state *state)
{
    return state->out->is_interrupted || state->out->error[0];
}

/* ---- opening */

static bool evaluate_is_traced(const struct evaluate_options *options)
{
    return options->rounds > 0 || options->is_traced || options->trace_path != NULL;
}

static uint32_t evaluate_events(const struct workload *workload)
{
    uint64_t wanted = (uint64_t)workload->task_count * EVALUATE_EVENTS_PER_TASK;

    if (wanted > EVALUATE_EVENTS_LIMIT)
        return EVALUATE_EVENTS_LIMIT;
    return wanted > EVALUATE_EVENTS_LEAST ? (uint32_t)wanted : EVALUATE_EVENTS_LEAST;
}

static fgpu_status evaluate_open_pool(struct evaluate_state *state, fgpu_pool *pool)
{
    fgpu_pool_options options;

    fgpu_pool_options_init(&options);
    options.devices = state->options->devices;
    options.policy = state->options->policy;
    if (state->options->pool) {
        fgpu_status read = fgpu_pool_options_parse(state->options->pool, &options);
        if (read != FGPU_OK)
            return evaluate_fail(state, read, "--pool");
    }
    if (evaluate_is_traced(state->options))
        options.trace_events = evaluate_events(state->out->workload);
    if (state->options->log)
        log_options_apply(state->options->log, &options);
    fgpu_status status = fgpu_pool_open(&options, pool);
    return status == FGPU_OK ? FGPU_OK : evaluate_fail(state, status, "the pool cannot be opened");
}

/* Devices that only pretend to compute. */
static bool evaluate_computes(const fgpu_device_info *info)
{
    return info->type != FGPU_DEVICE_NULL && info->type != FGPU_DEVICE_SIMULATED;
}

static fgpu_status evaluate_list_devices(struct evaluate_state *state, fgpu_pool pool)
{
    struct evaluation *out = state->out;
    uint32_t count = 0;

    (void)fgpu_device_count(pool, &count);
    for (uint32_t i = 0; i < count && i < EVALUATION_DEVICES_LIMIT; i++) {
        struct evaluation_device *device = &out->devices[i];
        device->info.struct_bytes = sizeof device->info;
        device->cpu_share = -1.0;
        fgpu_status status = fgpu_device_at(pool, i, &device->handle);
        if (status == FGPU_OK)
            status = fgpu_device_get_info(device->handle, &device->info);
        if (status != FGPU_OK)
            return evaluate_fail(state, status, "a device's properties cannot be read");
        if (!evaluate_computes(&device->info) && out->workload->output_count > 0)
            return why_fail(FGPU_E_NODEVICE, out->error, sizeof out->error,
                            "the device %s computes nothing, so it cannot make the outputs; "
                            "choose others with --devices",
                            device->info.id);
        out->device_count++;
    }
    return FGPU_OK;
}

/* Compilations are traced, and read before anything else fills the trace. An end that the user asks
 * for meanwhile is no failure: nothing is run then. */
static fgpu_status evaluate_build(struct evaluate_state *state, fgpu_pool pool)
{
    struct evaluation *out = state->out;
    bool is_traced = evaluate_is_traced(state->options);

    out->step = EVALUATION_BUILDING;
    if (is_traced && fgpu_trace_enable(pool, true) != FGPU_OK)
        return evaluate_fail(state, FGPU_E_NOMEM, "the trace");
    fgpu_status status =
        workload_session_build(&state->session, state->watch, out->error, sizeof out->error);
    if (status == FGPU_OK && is_traced)
        status = evaluate_read_builds(out, pool);
    if (state->options->rounds > 0)
        (void)fgpu_trace_enable(pool, false);
    if (status != FGPU_E_CANCELLED)
        return status;
    out->is_interrupted = true;
    out->error[0] = '\0';
    return FGPU_OK;
}

/* Each baseline needs what the buffers hold once for the device and once for the host; not more
 * than half of the machine's memory is taken. */
static uint32_t evaluate_count_baselines(const struct evaluate_state *state)
{
    const struct evaluation *out = state->out;
    uint64_t count = out->machine.memory_bytes / 2 / (out->workload->buffer_bytes + 1);

    count = count > 2 ? (count - 2) / 2 : 0;
    count = count < EVALUATE_BASELINES_LIMIT ? count : EVALUATE_BASELINES_LIMIT;
    return count < out->device_count ? (uint32_t)count : out->device_count;
}

/* Adds one device alone, in both ways; what it cannot do is said in its own line, the rest goes on.
 */
static void evaluate_open_baseline(struct evaluate_state *state, uint32_t device)
{
    struct evaluation *out = state->out;
    char why[CLI_WHY_BYTES] = "";
    struct baseline *baseline = NULL;

    if (!evaluate_computes(&out->devices[device].info))
        return;
    (void)baseline_open(out->workload, state->session.data, &out->devices[device].info, &baseline,
                        why, sizeof why);
    state->baselines[state->baseline_count++] = baseline;
    for (uint32_t i = 0; i < 2; i++) {
        struct evaluation_side *side = &out->sides[out->side_count++];
        side->way = i == 0 ? BASELINE_BY_HAND : BASELINE_QUEUE;
        side->device = device;
        (void)text_cut(side->error, sizeof side->error, "%s", why);
    }
}

static fgpu_status evaluate_open(struct evaluate_state *state, const struct workload_data *data,
                                 fgpu_pool *pool)
{
    struct evaluation *out = state->out;

    out->step = EVALUATION_OPENING;
    fgpu_status status = evaluate_open_pool(state, pool);
    if (status == FGPU_OK)
        status = evaluate_list_devices(state, *pool);
    if (status != FGPU_OK)
        return status;
    out->step = EVALUATION_LOADING;
    status = workload_session_init(&state->session, out->workload, data, *pool, out->error,
                                   sizeof out->error);
    if (status == FGPU_OK &&
        evaluate_costs_init(&state->costs, out->workload, out->device_count) != FGPU_OK)
        status = why_fail(FGPU_E_NOMEM, out->error, sizeof out->error, "no memory for the costs");
    if (status == FGPU_OK)
        status = evaluate_build(state, *pool);
    return status;
}

static void evaluate_close(struct evaluate_state *state, fgpu_pool pool)
{
    for (uint32_t i = 0; i < state->baseline_count; i++)
        if (state->baselines[i])
            baseline_close(state->baselines[i]);
    workload_session_fini(&state->session);
    evaluate_costs_fini(&state->costs);
    (void)fgpu_pool_close(pool);
}

/* ---- one round of the pool */

struct evaluate_counters {
    fgpu_pool_stats pool;
    struct evaluate_share shares[EVALUATION_DEVICES_LIMIT];
};

static void evaluate_read_counters(struct evaluate_state *state, struct evaluate_counters *counters)
{
    counters->pool = (fgpu_pool_stats){.struct_bytes = sizeof counters->pool};
    (void)fgpu_pool_get_stats(state->session.pool, &counters->pool);
    for (uint32_t i = 0; i < state->out->device_count; i++) {
        fgpu_device_stats stats = {.struct_bytes = sizeof stats};
        (void)fgpu_device_get_stats(state->out->devices[i].handle, &stats);
        counters->shares[i] = (struct evaluate_share){stats.tasks, stats.busy_ns, -1.0};
        state->out->devices[i].memory_peak_bytes = stats.memory_peak_bytes;
    }
}

static uint64_t evaluate_copied(const fgpu_pool_stats *stats)
{
    return stats->bytes_to_device + stats->bytes_to_host + stats->bytes_device_device;
}

static void evaluate_take_samples(struct evaluate_state *state, struct sampler *sampler,
                                  struct evaluation_round *round)
{
    struct evaluation *out = state->out;
    uint64_t quarter_ns = (round->end_ns - round->start_ns) / 4;
    struct sample *samples = NULL;
    uint32_t count = 0;

    if (!sampler || sampler_stop(sampler, &samples, &count) != FGPU_OK)
        return;
    if (count >= 2 && round->end_ns > round->start_ns) {
        round->cpu_share =
            sampler_share(samples, count, out->machine.cores, round->start_ns, round->end_ns);
        round->cpu_share_middle =
            sampler_share(samples, count, out->machine.cores, round->start_ns + quarter_ns,
                          round->end_ns - quarter_ns);
    }
    free(out->samples);
    out->samples = samples;
    out->sample_count = count;
}

static void evaluate_take_memory(const fgpu_pool_stats *before, const fgpu_pool_stats *after,
                                 struct evaluation_round *round)
{
    round->copied_bytes = evaluate_copied(after) - evaluate_copied(before);
    round->copies = after->copies - before->copies;
    round->evictions = after->evictions - before->evictions;
    round->bytes_evicted = after->bytes_evicted - before->bytes_evicted;
    round->bytes_reloaded = after->bytes_reloaded - before->bytes_reloaded;
    round->bytes_spilled = after->bytes_spilled - before->bytes_spilled;
    round->thrashes = after->thrashes - before->thrashes;
    round->blocks_planned = after->blocks_planned - before->blocks_planned;
    round->blocks_stitched = after->blocks_stitched - before->blocks_stitched;
}

/* CPU time of the threads that compute for each device. An OpenCL library tells nobody which of its
 * threads work for which of its devices, so it must have one alone. */
static void evaluate_take_threads(struct evaluation *out, const struct thread_times times[2],
                                  struct evaluation_round *round, struct evaluate_share *shares)
{
    double wall_ns = (double)(round->end_ns - round->start_ns);
    uint32_t library_count = 0;

    if (!times[0].is_known || !times[1].is_known || !(wall_ns > 0.0))
        return;
    round->own_share = (double)thread_times_between(&times[0], &times[1], THREAD_POOL) / wall_ns;
    for (uint32_t i = 0; i < out->device_count; i++)
        library_count += strcmp(out->devices[i].info.backend, "opencl") == 0;
    for (uint32_t i = 0; i < out->device_count; i++) {
        const fgpu_device_info *info = &out->devices[i].info;
        bool is_cpu = strcmp(info->backend, "cpu") == 0;
        bool is_library = strcmp(info->backend, "opencl") == 0 && library_count == 1;
        if (info->type != FGPU_DEVICE_CPU || !(is_cpu || is_library) ||
            !(info->valid & FGPU_INFO_UNITS) || info->compute_units == 0)
            continue;
        uint64_t cpu_ns =
            thread_times_between(&times[0], &times[1], is_cpu ? THREAD_CPU_DEVICE : THREAD_LIBRARY);
        shares[i].cpu_share = (double)cpu_ns / (wall_ns * info->compute_units);
    }
}

/* False: why is in out->energy_why. */
static bool evaluate_read_energy(struct evaluation *out, fgpu_energy *energy)
{
    *energy = (fgpu_energy){.struct_bytes = sizeof *energy};
    if (fgpu_energy_read(energy) == FGPU_OK) {
        (void)text_cut(out->energy_sources, sizeof out->energy_sources, "%s", energy->sources);
        return true;
    }
    const char *said = fgpu_last_error(), *why = strstr(said, ": "); /* behind the call's name */
    (void)text_cut(out->energy_why, sizeof out->energy_why, "%s", why ? why + 2 : said);
    return false;
}

/* Of a round, from before it to now. */
static double evaluate_joule(struct evaluation *out, const fgpu_energy *before)
{
    fgpu_energy after;

    if (before->counters == 0 || !evaluate_read_energy(out, &after))
        return -1.0;
    if (after.epoch == before->epoch)
        return after.joule - before->joule;
    (void)text_cut(out->energy_why, sizeof out->energy_why,
                   "a counter went back without having wrapped");
    return -1.0;
}

/* [out] shares: what each device did. */
static void evaluate_run_round(struct evaluate_state *state, const struct watch *watch,
                               struct evaluation_round *round, struct evaluate_share *shares)
{
    struct evaluation *out = state->out;
    struct evaluate_counters before = {0}, after = {0};
    uint64_t period_ns = EVALUATE_SAMPLE_NS;
    struct thread_times times[2];
    struct sampler *sampler = NULL;
    struct workload_run run;
    fgpu_energy energy;

    (void)evaluate_read_energy(out, &energy);
    evaluate_read_counters(state, &before);
    thread_times_read(&times[0]);
    if (!state->is_tracing && state->round_ns / EVALUATE_SAMPLES > period_ns)
        period_ns = state->round_ns / EVALUATE_SAMPLES;
    if (sampler_start(state->session.pool, period_ns, &sampler) != FGPU_OK)
        sampler = NULL; /* shares stay unknown */
    workload_session_run(&state->session, watch, &run);
    state->round_ns = run.end_ns - run.start_ns;
    *round = (struct evaluation_round){
        .start_ns = run.start_ns,
        .end_ns = run.end_ns,
        .done_count = run.done_count,
        .failed_count = run.failed_count,
        .cancelled_count = run.cancelled_count,
        .cpu_share = -1.0,
        .own_share = -1.0,
        .cpu_share_middle = -1.0,
        .joule = evaluate_joule(out, &energy),
    };
    if (run.done_count + run.failed_count == 0) /* stopped before anything ran: no time of a run */
        round->end_ns = round->start_ns;
    thread_times_read(&times[1]);
    evaluate_take_samples(state, sampler, round);
    evaluate_read_counters(state, &after);
    evaluate_take_memory(&before.pool, &after.pool, round);
    for (uint32_t i = 0; i < out->device_count; i++)
        shares[i] =
            (struct evaluate_share){after.shares[i].task_count - before.shares[i].task_count,
                                    after.shares[i].busy_ns - before.shares[i].busy_ns, -1.0};
    evaluate_take_threads(out, times, round, shares);
    out->is_interrupted |= run.is_interrupted;
    if (run.error[0] && !out->error[0])
        (void)text_cut(out->error, sizeof out->error, "%s", run.error);
}

/* The round that is traced: into out->traced. */
static void evaluate_run_traced(struct evaluate_state *state, const struct watch *watch)
{
    struct evaluation *out = state->out;
    fgpu_pool pool = state->session.pool;

    if (fgpu_trace_enable(pool, true) != FGPU_OK) {
        (void)evaluate_fail(state, FGPU_E_NOMEM, "the trace");
        return;
    }
    state->is_tracing = true;
    evaluate_run_round(state, watch, &out->traced, state->shares[EVALUATION_ROUNDS_LIMIT]);
    state->is_tracing = false;
    (void)fgpu_trace_enable(pool, false);
    fgpu_status status = evaluate_read_trace(out, &state->session, &state->costs, true);
    if (status != FGPU_OK && !out->error[0])
        (void)evaluate_fail(state, status, "the trace cannot be read");
    if (status == FGPU_OK && state->options->trace_path &&
        fgpu_trace_write(pool, state->options->trace_path) != FGPU_OK && !out->error[0])
        (void)evaluate_fail(state, FGPU_E_IO, "the trace cannot be written");
}

/* ---- outputs */

/* Gives every output away, those that are not whole as NULL. */
static void evaluate_give_outputs(struct evaluate_state *state)
{
    const struct workload *workload = state->out->workload;
    struct evaluation *out = state->out;
    char why[CLI_WHY_BYTES] = "";

    for (uint32_t i = 0; state->taker->take && i < workload->output_count; i++) {
        uint32_t buffer = workload->outputs[i].buffer;
        const unsigned char *memory = NULL;
        fgpu_status status = FGPU_OK;
        if (waiting_is_stopped(state->watch->stop))
            out->is_interrupted = true;
        if (out->is_interrupted)
            return;
        if (state->watch->progress)
            state->watch->progress(state->watch->user, WATCH_WRITING, i, workload->output_count);
        if (workload_session_is_whole(&state->session, buffer))
            status = workload_session_map(&state->session, buffer, &memory, why, sizeof why);
        if (status == FGPU_OK)
            status = state->taker->take(state->taker->user, i, memory, why, sizeof why);
        if (status == FGPU_OK && memory)
            out->written_count++;
        if (memory)
            workload_session_unmap(&state->session, buffer, memory);
        if (status == FGPU_OK)
            continue;
        if (!out->error[0])
            (void)text_cut(out->error, sizeof out->error, "%s", why);
        return;
    }
}

/* Whether the side's outputs are those that the pool has made. */
static bool evaluate_compare(struct evaluate_state *state, struct evaluation_side *side,
                             struct baseline *baseline)
{
    const struct workload *workload = state->out->workload;

    for (uint32_t i = 0; i < workload->output_count; i++) {
        uint32_t number = workload->outputs[i].buffer;
        const unsigned char *theirs = baseline_buffer(baseline, number), *ours;
        if (!theirs || workload_session_map(&state->session, number, &ours, side->error,
                                            sizeof side->error) != FGPU_OK)
            return false;
        bool is_equal = workload_data_equal(&workload->buffers[number], ours, theirs);
        workload_session_unmap(&state->session, number, ours);
        if (!is_equal) {
            (void)snprintf(side->error, sizeof side->error,
                           "$.outputs: the buffer %s is not what the pool made",
                           workload->buffers[number].name);
            return false;
        }
    }
    return true;
}

/* ---- measuring */

static void evaluate_step(struct evaluate_state *state)
{
    if (state->watch->progress)
        state->watch->progress(state->watch->user, WATCH_MEASURING, state->steps_done,
                               state->step_count);
    state->steps_done++;
}

/* One round of one side. The first is not counted: it warms up, and its outputs are compared. */
static void evaluate_run_side(struct evaluate_state *state, uint32_t number, bool is_first)
{
    struct evaluation_side *side = &state->out->sides[number];
    struct baseline *baseline = state->baselines[number / 2];
    struct baseline_result result = {0};

    if (evaluate_is_over(state))
        return;
    evaluate_step(state);
    if (side->error[0] || !baseline)
        return;
    fgpu_status status = baseline_run(baseline, side->way, state->watch->stop, &result, side->error,
                                      sizeof side->error);
    if (status == FGPU_E_CANCELLED) {
        state->out->is_interrupted = true;
        side->error[0] = '\0';
    }
    if (status != FGPU_OK)
        return;
    side->copied_bytes = result.copied_bytes;
    if (is_first) {
        side->is_equal = evaluate_compare(state, side, baseline);
        return;
    }
    state->side_cpu_ns[number][side->round_count] = result.cpu_ns;
    state->side_work_ns[number][side->round_count] =
        result.work_ns > 0 && result.work_ns < result.cpu_ns ? result.work_ns : result.cpu_ns;
    side->wall_ns[side->round_count++] = result.wall_ns;
}

static int evaluate_compare_times(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* The place of the median; of an even count the shorter of the two in the middle. */
static uint32_t evaluate_median(const uint64_t *times, uint32_t count)
{
    uint64_t sorted[EVALUATION_ROUNDS_LIMIT] = {0};
    uint32_t place = 0;

    memcpy(sorted, times, count * sizeof *times);
    qsort(sorted, count, sizeof *sorted, evaluate_compare_times);
    while (place + 1 < count && times[place] != sorted[(count - 1) / 2])
        place++;
    return place;
}

static void evaluate_find_medians(struct evaluate_state *state)
{
    struct evaluation *out = state->out;
    uint64_t times[EVALUATION_ROUNDS_LIMIT];

    for (uint32_t i = 0; i < out->round_count; i++)
        times[i] = out->rounds[i].end_ns - out->rounds[i].start_ns;
    if (out->round_count > 0)
        out->shown = evaluate_median(times, out->round_count);
    for (uint32_t i = 0; i < out->side_count; i++) {
        struct evaluation_side *side = &out->sides[i];
        if (side->round_count == 0)
            continue;
        uint32_t place = evaluate_median(side->wall_ns, side->round_count);
        side->median_ns = side->wall_ns[place];
        double whole_ns = (double)side->median_ns * out->machine.cores;
        double share = (double)state->side_cpu_ns[i][place] / whole_ns;
        double work = (double)state->side_work_ns[i][place] / whole_ns;
        /* the kernel adds threads' time at its ticks */
        side->cpu_share = share < 1.0 ? share : 1.0;
        side->work_share = work < 1.0 ? work : 1.0;
    }
}

/* A warm-up round: what runs in it counts for the costs, but where the trace goes to a file it
 * shows one round alone. */
static void evaluate_run_warm(struct evaluate_state *state, const struct watch *watch)
{
    struct evaluation *out = state->out;
    struct evaluation_round spare;
    struct evaluate_share shares[EVALUATION_DEVICES_LIMIT];
    bool is_traced = state->options->trace_path == NULL;
    fgpu_pool pool = state->session.pool;

    if (evaluate_is_over(state))
        return;
    if (is_traced)
        is_traced = fgpu_trace_enable(pool, true) == FGPU_OK;
    evaluate_run_round(state, watch, &spare, shares);
    if (is_traced) {
        (void)fgpu_trace_enable(pool, false);
        (void)evaluate_read_trace(out, &state->session, &state->costs, false);
    }
    if (evaluate_is_over(state)) { /* this is the round that there is, then */
        out->traced = spare;
        memcpy(state->shares[EVALUATION_ROUNDS_LIMIT], shares, sizeof shares);
    }
}

static void evaluate_measure(struct evaluate_state *state)
{
    struct machine_load before, after;
    struct evaluation *out = state->out;
    uint32_t baseline_count = state->options->has_baseline ? evaluate_count_baselines(state) : 0;

    for (uint32_t i = 0; i < baseline_count && !waiting_is_stopped(state->watch->stop); i++)
        evaluate_open_baseline(state, i);
    evaluate_run_warm(state, state->watch);
    evaluate_give_outputs(state);
    state->step_count =
        EVALUATE_WARM_ROUNDS + out->side_count + state->options->rounds * (1 + out->side_count);
    for (uint32_t i = 0; i < out->side_count; i++)
        evaluate_run_side(state, i, true);
    for (uint32_t i = 1; i < EVALUATE_WARM_ROUNDS && !evaluate_is_over(state); i++) {
        evaluate_step(state);
        evaluate_run_warm(state, &state->silent);
    }
    machine_load_read(&before);
    for (uint32_t i = 0; i < state->options->rounds && !evaluate_is_over(state); i++) {
        evaluate_step(state);
        evaluate_run_round(state, &state->silent, &out->rounds[i], state->shares[i]);
        if (!evaluate_is_over(state))
            out->round_count++;
        for (uint32_t j = 0; j < out->side_count; j++)
            evaluate_run_side(state, j, false);
    }
    machine_load_read(&after);
    out->others_share =
        machine_load_of_others(&before, &after, (double)sysconf(_SC_NPROCESSORS_ONLN));
    evaluate_find_medians(state);
    if (!evaluate_is_over(state)) {
        evaluate_step(state);
        evaluate_run_traced(state, &state->silent);
    }
}

/* The job alone. */
static void evaluate_once(struct evaluate_state *state)
{
    struct evaluation *out = state->out;

    if (state->options->is_traced || state->options->trace_path) {
        evaluate_run_traced(state, state->watch);
    } else {
        evaluate_run_round(state, state->watch, &out->rounds[0], state->shares[0]);
        out->round_count = 1;
        out->shown = 0;
    }
    evaluate_give_outputs(state);
}

/* What the devices did in the round that is shown. */
static void evaluate_show_devices(struct evaluate_state *state)
{
    struct evaluation *out = state->out;
    const struct evaluation_round *round = evaluation_shown(out);
    uint32_t number = out->shown == EVALUATION_NONE ? EVALUATION_ROUNDS_LIMIT : out->shown;
    double wall_ns = (double)(round->end_ns - round->start_ns);

    for (uint32_t i = 0; i < out->device_count; i++) {
        const struct evaluate_share *share = &state->shares[number][i];
        struct evaluation_device *device = &out->devices[i];
        uint32_t queues = device->info.queue_count > 0 ? device->info.queue_count : 1;
        device->task_count = share->task_count;
        device->busy_ns = share->busy_ns;
        /* One that runs tasks but counts no time does not measure it. */
        device->is_busy_known = wall_ns > 0.0 && (share->task_count == 0 || share->busy_ns > 0);
        device->busy_share = wall_ns > 0.0 ? (double)share->busy_ns / (wall_ns * queues) : 0.0;
        device->cpu_share = wall_ns > 0.0 ? share->cpu_share : -1.0;
    }
}

static fgpu_status evaluate_all(struct evaluate_state *state, const struct workload_data *data)
{
    struct evaluation *out = state->out;
    fgpu_pool pool = {0};

    fgpu_status status = evaluate_open(state, data, &pool);
    if (status == FGPU_OK && !out->is_interrupted) {
        out->step = EVALUATION_RUNNING;
        if (state->options->rounds > 0)
            evaluate_measure(state);
        else
            evaluate_once(state);
        if (out->is_traced)
            evaluate_find_bound(out, &state->costs);
        evaluate_show_devices(state);
    }
    evaluate_close(state, pool);
    return status;
}

fgpu_status evaluate_workload(const struct workload *workload, const struct workload_data *data,
                              const struct evaluate_options *options,
                              const struct evaluate_taker *taker, const struct watch *watch,
                              struct evaluation *evaluation)
{
    struct evaluate_state *state = calloc(1, sizeof *state);

    *evaluation = (struct evaluation){
        .workload = workload,
        .policy = options->policy ? options->policy : "auto",
        .shown = EVALUATION_NONE,
        .others_share = -1.0,
        .traced = {.cpu_share = -1.0, .own_share = -1.0, .cpu_share_middle = -1.0}};
    evaluate_machine(&evaluation->machine);
    if (!state)
        return why_fail(FGPU_E_NOMEM, evaluation->error, sizeof evaluation->error, "no memory");
    for (uint32_t i = 0; i < EVALUATION_DEVICES_LIMIT; i++) /* until the round is there */
        state->shares[EVALUATION_ROUNDS_LIMIT][i].cpu_share = -1.0;
    state->out = evaluation;
    state->options = options;
    state->taker = taker;
    state->watch = watch;
    state->silent = (struct watch){.stop = watch->stop};
    fgpu_status status = evaluate_all(state, data);
    free(state);
    return status;
}
