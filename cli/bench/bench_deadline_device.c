/* `fastgpu bench deadline` on a device; see bench_deadline.h. Runs on the main thread, with the
 * batch of cli/latency/urgent.h beside it.
 *
 * A task is a kernel of 4 to 76 work groups, each as long as the others, so that its length is
 * known from their number. When tasks end is read from the trace, to the clock of the pool.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_deadline.h"
#include "cli/common/figures.h"
#include "cli/common/json_out.h"
#include "cli/common/waiting.h"
#include "cli/common/why.h"
#include "cli/latency/urgent.h"

#define DEADLINE_MEAN_GROUPS 40u
#define DEADLINE_MOST_GROUPS 76u
#define DEADLINE_GROUP_NS 50000u
#define DEADLINE_STRIDE_BYTES 512u /* of a task's results: devices want regions aligned */
#define DEADLINE_BATCH_GROUPS 256u
#define DEADLINE_WARM 64u
#define DEADLINE_WARM_TIMES 3u

static const char deadline_source[] = "__kernel void work(__global uint *out, uint rounds)\n"
                                      "{\n"
                                      "    barrier(CLK_LOCAL_MEM_FENCE);\n"
                                      "    uint x = (uint)get_global_id(0);\n"
                                      "    for (uint r = 0; r < rounds; r++)\n"
                                      "        x = x * 1664525u + 1013904223u;\n"
                                      "    if (get_local_id(0) == 0)\n"
                                      "        out[get_group_id(0)] = x;\n"
                                      "}\n";

struct deadline_task {
    uint64_t task;                          /* bits of its handle; 0: refused */
    uint64_t since_ns, deadline_ns, end_ns; /* end_ns 0: it did not end well */
    uint32_t groups;
};

struct deadline_bench {
    const struct deadline_options *options;
    const volatile sig_atomic_t *stop;
    struct urgent_pool pool;
    fgpu_kernel kernel;
    fgpu_buffer out;
    double group_ns; /* of the whole device, in a stream of tasks */
    struct deadline_task *tasks;
    uint64_t random;
    char why[CLI_WHY_BYTES];
};

struct deadline_figures {
    double together, together_over;
    uint64_t on_time, late, beyond, refused; /* of those that arrive; late: admitted */
};

/* ---- tasks */

static int deadline_native(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *out = args[0], rounds, x[URGENT_ITEMS];
    (void)user;
    memcpy(&rounds, args[1], sizeof rounds);
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        for (uint32_t i = 0; i < URGENT_ITEMS; i++)
            x[i] = (uint32_t)(g * URGENT_ITEMS + i);
        for (uint32_t r = 0; r < rounds; r++)
            for (uint32_t i = 0; i < URGENT_ITEMS; i++)
                x[i] = x[i] * 1664525u + 1013904223u;
        out[g] = x[0];
    }
    return 0;
}

static fgpu_status deadline_kernel(struct deadline_bench *bench)
{
    fgpu_kernel *kernel = &bench->kernel;
    fgpu_status status = fgpu_kernel_create(bench->pool.pool, "work", kernel);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, deadline_source, "work", NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, deadline_native, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(*kernel, 0, FGPU_ARG_BUFFER, FGPU_WRITE, 0);
    if (status == FGPU_OK)
        status =
            fgpu_kernel_set_arg(*kernel, 1, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, sizeof(uint32_t));
    return status;
}

/* [in] late: fgpu_late, with a deadline. A refused task is no failure. */
static fgpu_status deadline_submit(struct deadline_bench *bench, uint64_t place, uint32_t late)
{
    struct deadline_task *task = &bench->tasks[place];
    const fgpu_arg args[2] = {fgpu_arg_span(bench->out, FGPU_WRITE, place * DEADLINE_STRIDE_BYTES,
                                            task->groups * sizeof(uint32_t)),
                              fgpu_arg_scalar(&bench->pool.size.request_rounds, sizeof(uint32_t))};
    fgpu_task_desc desc;
    fgpu_terms terms;
    fgpu_task handle = {0};

    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    terms.deadline_ns = task->deadline_ns;
    terms.estimate_ns = (uint64_t)(task->groups * bench->group_ns);
    terms.late = task->deadline_ns > 0 ? late : 0;
    fgpu_task_desc_init(&desc);
    desc.kernel = bench->kernel;
    desc.device = bench->pool.device;
    desc.dims = 1;
    desc.global[0] = (uint64_t)task->groups * URGENT_ITEMS;
    desc.local[0] = URGENT_ITEMS;
    desc.args = args;
    desc.arg_count = 2;
    desc.terms = &terms;
    task->since_ns = figures_wall_ns();
    fgpu_status status = fgpu_task_submit(bench->pool.pool, &desc, &handle);
    task->task = handle.bits;
    if (waiting_is_stopped(bench->stop))
        return FGPU_E_CANCELLED;
    return status == FGPU_E_DEADLINE ? FGPU_OK : status;
}

/* All that are under way; when the user wants an end the rest is cancelled. Those that were dropped
 * are no failure. */
static fgpu_status deadline_wait(struct deadline_bench *bench, uint64_t count)
{
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < count && status == FGPU_OK; i++) {
        fgpu_task handle = {bench->tasks[i].task};
        if (handle.bits == 0)
            continue;
        status = waiting_task(handle, FGPU_FOREVER, bench->stop);
        if (status == FGPU_E_DEADLINE)
            status = fgpu_task_forget(handle);
    }
    if (!waiting_is_stopped(bench->stop))
        return status;
    for (uint64_t i = 0; i < count; i++)
        if (bench->tasks[i].task != 0)
            (void)fgpu_task_cancel((fgpu_task){bench->tasks[i].task});
    return FGPU_E_CANCELLED;
}

/* What the trace tells. Runs come in the order of their ends. */
struct deadline_ends {
    struct deadline_task *tasks;
    uint64_t count;
    uint64_t busy_ns, busy_until_ns, groups; /* of the runs: time of any of them; what ran */
};

static struct deadline_task *deadline_find(const struct deadline_ends *ends, uint64_t bits)
{
    for (uint64_t i = 0; i < ends->count; i++)
        if (ends->tasks[i].task == bits && bits != 0)
            return &ends->tasks[i];
    return NULL;
}

static void deadline_end(void *user, const fgpu_trace_record *record)
{
    struct deadline_ends *ends = user;
    struct deadline_task *task = deadline_find(ends, record->task.bits);

    if (task && record->kind == FGPU_TRACE_TASK && record->status == FGPU_OK)
        task->end_ns = record->end_ns;
    if (!task || record->kind != FGPU_TRACE_RUN || record->end_ns <= ends->busy_until_ns)
        return;
    uint64_t from_ns =
        record->start_ns > ends->busy_until_ns ? record->start_ns : ends->busy_until_ns;
    ends->busy_ns += record->end_ns - from_ns;
    ends->busy_until_ns = record->end_ns;
    ends->groups += task->groups;
}

/* When they ended; and whether those that did have computed what they must. [out] group_ns: how
 * fast the device was while any of them ran. */
static fgpu_status deadline_look(struct deadline_bench *bench, uint64_t count, double *group_ns)
{
    struct deadline_ends ends = {.tasks = bench->tasks, .count = count};
    uint32_t results[DEADLINE_MOST_GROUPS];
    uint64_t place;
    fgpu_status status = fgpu_trace_read(bench->pool.pool, deadline_end, &ends);

    *group_ns = ends.groups > 0 ? (double)ends.busy_ns / (double)ends.groups : bench->group_ns;
    for (uint64_t i = 0; i < count && status == FGPU_OK; i++) {
        const struct deadline_task *task = &bench->tasks[i];
        const fgpu_region region =
            fgpu_region_span(i * DEADLINE_STRIDE_BYTES, task->groups * sizeof(uint32_t));
        if (task->end_ns == 0)
            continue;
        status = fgpu_buffer_read(bench->out, &region, results, 0);
        for (uint32_t g = 0; g < task->groups && status == FGPU_OK; g++)
            if (!urgent_is_right(&results[g], 1, g * URGENT_ITEMS, bench->pool.size.request_rounds,
                                 &place))
                return why_fail(FGPU_E_TASK, bench->why, sizeof bench->why,
                                "task %" PRIu64 ": group %u is wrong", i, g);
    }
    return status;
}

static bool deadline_is_on_time(const struct deadline_task *task)
{
    return task->end_ns > 0 && task->end_ns <= task->since_ns + task->deadline_ns;
}

/* ---- series */

static uint32_t deadline_groups(uint64_t *random)
{
    return 4 + (uint32_t)(virtual_random(random) % (DEADLINE_MOST_GROUPS - 4 + 1));
}

/* The speed of a stream of tasks: the median of some. */
static fgpu_status deadline_warm(struct deadline_bench *bench)
{
    uint64_t count = bench->options->count < DEADLINE_WARM ? bench->options->count : DEADLINE_WARM;
    double group_ns[DEADLINE_WARM_TIMES + 1] = {0};
    fgpu_status status = FGPU_OK;

    for (uint32_t t = 0; t <= DEADLINE_WARM_TIMES && status == FGPU_OK; t++) {
        uint64_t groups = 0, start_ns = figures_wall_ns();
        for (uint64_t i = 0; i < count && status == FGPU_OK; i++) {
            bench->tasks[i] = (struct deadline_task){.groups = deadline_groups(&bench->random)};
            groups += bench->tasks[i].groups;
            status = deadline_submit(bench, i, 0);
        }
        fgpu_status waited = deadline_wait(bench, count);
        status = status == FGPU_OK ? waited : status;
        group_ns[t] = (double)(figures_wall_ns() - start_ns) / (double)groups;
    }
    bench->group_ns = figures_median(group_ns + 1, DEADLINE_WARM_TIMES); /* the first compiles */
    return status;
}

/* The optimum, had all run as fast as those that did. */
static uint32_t deadline_optimum(const struct deadline_bench *bench, uint64_t count,
                                 double group_ns)
{
    struct virtual_plan plan = {.devices = 1};
    bool is_good = true;

    for (uint64_t i = 0; i < count && is_good; i++) {
        const struct deadline_task *task = &bench->tasks[i];
        const struct virtual_task one = {.work_ns = (uint64_t)(task->groups * group_ns),
                                         .deadline_ns = task->since_ns + task->deadline_ns -
                                                        bench->tasks[0].since_ns,
                                         .after = VIRTUAL_NONE};
        is_good = virtual_add(&plan, &one) != VIRTUAL_NONE;
    }
    uint32_t best = is_good ? deadline_best(&plan) : 0;
    virtual_fini(&plan);
    return best;
}

static fgpu_status deadline_at_once(struct deadline_bench *bench, uint64_t percent, double *ratio)
{
    uint64_t count = bench->options->count, on_time = 0;
    double group_ns = bench->group_ns;
    double span_ns = DEADLINE_MEAN_GROUPS * bench->group_ns * (double)count * 100 / (double)percent;
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < count; i++) {
        uint32_t groups = deadline_groups(&bench->random);
        bench->tasks[i] = (struct deadline_task){
            .groups = groups,
            .deadline_ns =
                (uint64_t)(groups * bench->group_ns + span_ns * virtual_unit(&bench->random)) + 1};
    }
    for (uint64_t i = 0; i < count && status == FGPU_OK; i++)
        status = deadline_submit(bench, i, FGPU_LATE_DROP);
    fgpu_status waited = deadline_wait(bench, count);
    status = status == FGPU_OK ? waited : status;
    if (status == FGPU_OK)
        status = deadline_look(bench, count, &group_ns);
    for (uint64_t i = 0; i < count; i++)
        on_time += deadline_is_on_time(&bench->tasks[i]);
    uint32_t best = deadline_optimum(bench, count, group_ns);
    *ratio = best > 0 ? (double)on_time / best : 1;
    return status;
}

static fgpu_status deadline_submit_arriving(struct deadline_bench *bench)
{
    uint64_t count = bench->options->count, start_ns = figures_wall_ns(), now_ns;
    double mean_ns = DEADLINE_MEAN_GROUPS * bench->group_ns, due_ns = 0;
    fgpu_status status = FGPU_OK;

    for (uint64_t i = 0; i < count && status == FGPU_OK; i++) {
        uint32_t groups = deadline_groups(&bench->random);
        bench->tasks[i] = (struct deadline_task){
            .groups = groups,
            .deadline_ns = (uint64_t)(groups * bench->group_ns +
                                      mean_ns * (1 + 4 * virtual_unit(&bench->random)))};
        due_ns += urgent_pause_ns(&bench->random, mean_ns * 100 / (double)bench->options->load);
        now_ns = figures_wall_ns() - start_ns;
        if ((double)now_ns < due_ns && !waiting_sleep((uint64_t)due_ns - now_ns, bench->stop))
            status = FGPU_E_CANCELLED;
        else
            status = deadline_submit(bench, i, FGPU_LATE_REFUSE);
    }
    return status;
}

/* At random moments, beside the batch. */
static fgpu_status deadline_arriving(struct deadline_bench *bench, struct deadline_figures *figures)
{
    volatile sig_atomic_t over = 0;
    struct urgent_run run = {.pool = &bench->pool,
                             .load = {.has_batch = true, .run_ns = FGPU_FOREVER, .depth = 2},
                             .stop = &over};
    uint64_t count = bench->options->count;
    double group_ns;

    memset(bench->tasks, 0, count * sizeof *bench->tasks);
    fgpu_status status = urgent_start(&run);
    if (status == FGPU_OK)
        status = deadline_submit_arriving(bench);
    fgpu_status waited = deadline_wait(bench, count);
    over = 1;
    fgpu_status batch = urgent_finish(&run);
    urgent_fini(&run);
    status = status == FGPU_OK ? waited : status;
    if (status == FGPU_OK && batch != FGPU_E_CANCELLED) { /* the usual end here */
        memcpy(bench->why, run.why[0], sizeof bench->why);
        status = batch;
    }
    if (status == FGPU_OK)
        status = urgent_check(&bench->pool, bench->why, sizeof bench->why);
    if (status == FGPU_OK)
        status = deadline_look(bench, count, &group_ns);
    for (uint64_t i = 0; i < count && status == FGPU_OK; i++) {
        const struct deadline_task *task = &bench->tasks[i];
        uint64_t due_ns = task->since_ns + task->deadline_ns;
        figures->refused += task->task == 0;
        figures->on_time += deadline_is_on_time(task);
        figures->late += task->task != 0 && !deadline_is_on_time(task);
        figures->beyond += task->task != 0 && task->end_ns > due_ns + DEADLINE_GROUP_NS;
    }
    return status;
}

/* ---- the command */

static fgpu_status deadline_open(struct deadline_bench *bench)
{
    const struct urgent_size size = {.groups = DEADLINE_BATCH_GROUPS, .request_groups = 1};
    fgpu_status status =
        urgent_open(&bench->pool, bench->options->device, FGPU_POOL_PREEMPT_AUTO, &size);

    if (status != FGPU_OK)
        return status;
    status = urgent_calibrate(&bench->pool, DEADLINE_GROUP_NS, DEADLINE_GROUP_NS);
    if (status == FGPU_OK)
        status = deadline_kernel(bench);
    if (status == FGPU_OK)
        status = fgpu_buffer_create(bench->pool.pool, bench->options->count * DEADLINE_STRIDE_BYTES,
                                    &bench->out);
    if (status == FGPU_OK)
        status = fgpu_trace_enable(bench->pool.pool, true);
    if (status == FGPU_OK)
        status = deadline_warm(bench);
    return status;
}

static fgpu_status deadline_measure(struct deadline_bench *bench, struct deadline_figures *figures)
{
    const struct deadline_options *options = bench->options;
    fgpu_status status = deadline_at_once(bench, options->load, &figures->together);
    if (status == FGPU_OK)
        status = deadline_at_once(bench, options->over, &figures->together_over);
    if (status == FGPU_OK)
        status = deadline_arriving(bench, figures);
    return status;
}

static bool deadline_device_json(const struct deadline_bench *bench,
                                 const struct deadline_figures *figures)
{
    const struct deadline_options *options = bench->options;
    cJSON *root = cJSON_CreateObject();

    json_out_text(root, "benchmark", "deadline");
    json_out_bool(root, "simulated", false);
    json_out_text(root, "device", bench->pool.info.id);
    json_out_text(root, "name", bench->pool.info.name);
    json_out_number(root, "tasks", (double)options->count);
    json_out_number(root, "mean_task_us", DEADLINE_MEAN_GROUPS * bench->group_ns / 1000);
    json_out_number(root, "load", (double)options->load / 100);
    json_out_number(root, "over", (double)options->over / 100);
    json_out_number(root, "together_over_optimum", figures->together);
    json_out_number(root, "together_overloaded_over_optimum", figures->together_over);
    json_out_number(root, "on_time", (double)figures->on_time);
    json_out_number(root, "missed", (double)figures->late);
    json_out_number(root, "missed_beyond_a_group", (double)figures->beyond);
    json_out_number(root, "refused", (double)figures->refused);
    return json_out_print(root);
}

static void deadline_device_text(const struct deadline_bench *bench,
                                 const struct deadline_figures *figures)
{
    const struct deadline_options *options = bench->options;

    printf("%s (%s): %" PRIu64 " tasks of %.2f ms on average\n", bench->pool.info.id,
           bench->pool.info.name, options->count, DEADLINE_MEAN_GROUPS * bench->group_ns / 1e6);
    printf("  all at once, load %.2f: %.4f of the most that can end in time\n",
           (double)options->load / 100, figures->together);
    printf("  all at once, load %.2f: %.4f\n", (double)options->over / 100, figures->together_over);
    printf("  arriving, load %.2f, beside a batch: %" PRIu64 " in time, %" PRIu64 " late (%" PRIu64
           " by more than a\n  work group), %" PRIu64 " refused at once\n",
           (double)options->load / 100, figures->on_time, figures->late, figures->beyond,
           figures->refused);
}

static int deadline_fail(const struct deadline_bench *bench, fgpu_status status)
{
    if (waiting_is_stopped(bench->stop))
        return bench_stopped(deadline_command);
    if (!bench->why[0])
        return commands_fail(deadline_command, "the tasks", status);
    fprintf(stderr, "%s: %s\n", deadline_command, bench->why);
    return COMMAND_FAILED;
}

int deadline_on_device(const struct deadline_options *options, const volatile sig_atomic_t *stop)
{
    struct deadline_bench *bench = calloc(1, sizeof *bench);
    struct deadline_figures figures = {0};
    int code = COMMAND_OK;

    if (bench) {
        *bench = (struct deadline_bench){.options = options, .stop = stop, .random = options->seed};
        bench->tasks = calloc(options->count, sizeof *bench->tasks);
    }
    if (!bench || !bench->tasks) {
        free(bench);
        return commands_fail(deadline_command, "memory", FGPU_E_NOMEM);
    }
    fgpu_status status = deadline_open(bench);
    bool is_open = bench->pool.pool.bits != 0;
    if (status == FGPU_OK)
        status = deadline_measure(bench, &figures);
    if (!is_open)
        code = commands_fail_open(deadline_command, status);
    else if (status != FGPU_OK)
        code = deadline_fail(bench, status);
    else if (!options->is_json)
        deadline_device_text(bench, &figures);
    else if (!deadline_device_json(bench, &figures))
        code = COMMAND_FAILED;
    if (is_open)
        (void)urgent_close(&bench->pool);
    free(bench->tasks);
    free(bench);
    return code;
}
