/* Evaluations made up for reports: see report_cases.h. Times are those of a run that a list
 * schedule could have given: nothing starts before what it waits for has ended, nor two at once on
 * a queue.
 */
#include "report_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGAN UINT64_C(5000000000)

const char *const report_case_names[] = {"empty", "one",   "unknown", "failed",
                                         "demo",  "large", "hostile", NULL};

const char report_case_hostile[] = "</script><img src=x onerror=\"document.title='pwned'\">&'";

static uint32_t case_next(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static bool case_room(struct report_case *of, uint32_t tasks, uint32_t kernels, uint32_t buffers)
{
    struct workload *workload = &of->workload;

    workload->tasks = calloc((size_t)tasks + 1, sizeof workload->tasks[0]);
    workload->order = calloc((size_t)tasks + 1, sizeof workload->order[0]);
    workload->kernels = calloc((size_t)kernels + 1, sizeof workload->kernels[0]);
    workload->buffers = calloc((size_t)buffers + 1, sizeof workload->buffers[0]);
    of->evaluation.tasks = calloc((size_t)tasks + 1, sizeof of->evaluation.tasks[0]);
    of->evaluation.edges.items = calloc((size_t)tasks * 2 + 1, sizeof(struct workload_edge));
    of->evaluation.copies = calloc((size_t)tasks + 1, sizeof of->evaluation.copies[0]);
    of->evaluation.builds = calloc((size_t)kernels + 1, sizeof of->evaluation.builds[0]);
    workload->task_count = tasks;
    workload->kernel_count = kernels;
    workload->buffer_count = buffers;
    for (uint32_t i = 0; workload->order && i < tasks; i++)
        workload->order[i] = i;
    return workload->tasks && workload->order && workload->kernels && workload->buffers &&
           of->evaluation.tasks && of->evaluation.edges.items && of->evaluation.copies &&
           of->evaluation.builds;
}

static void case_machine(struct evaluation *evaluation)
{
    struct evaluation_machine *machine = &evaluation->machine;

    (void)snprintf(machine->name, sizeof machine->name, "Example processor with 2 cores");
    (void)snprintf(machine->system, sizeof machine->system, "Linux 6.1 x86_64");
    (void)snprintf(machine->version, sizeof machine->version, "0.1.0");
    (void)snprintf(machine->started, sizeof machine->started, "2026-01-02T03:04:05+00:00");
    machine->cores = 2;
    machine->memory_bytes = UINT64_C(8) << 30;
}

static void case_device(struct evaluation *evaluation, const char *id, const char *name,
                        uint32_t node, uint32_t queues)
{
    struct evaluation_device *device = &evaluation->devices[evaluation->device_count];
    fgpu_device_info *info = &device->info;

    info->index = evaluation->device_count++;
    info->type = node == 0 ? FGPU_DEVICE_CPU : FGPU_DEVICE_GPU;
    info->valid = FGPU_INFO_UNITS | FGPU_INFO_MEMORY | FGPU_INFO_RESOURCE_GROUP;
    info->compute_units = 2;
    info->memory_bytes = UINT64_C(4) << 30;
    info->memory_node = node;
    info->resource_group = node;
    info->queue_count = queues;
    (void)snprintf(info->id, sizeof info->id, "%s", id);
    (void)snprintf(info->name, sizeof info->name, "%s", name);
    (void)snprintf(info->backend, sizeof info->backend, "%s", node == 0 ? "cpu" : "opencl");
}

static void case_kernels(struct workload *workload)
{
    static const char *const names[] = {"grey",    "blur_horizontal", "blur_vertical", "sobel",
                                        "sharpen", "conv3x3",         "median3x3",     "halve"};

    for (uint32_t i = 0; i < workload->kernel_count; i++)
        (void)snprintf(workload->kernels[i].name, sizeof workload->kernels[i].name, "%s",
                       names[i % 8]);
    for (uint32_t i = 0; i < workload->buffer_count; i++) {
        struct workload_buffer *buffer = &workload->buffers[i];
        (void)snprintf(buffer->name, sizeof buffer->name, "picture_%u", i);
        buffer->type = ELEMENT_UINT8;
        buffer->dims = 3;
        buffer->shape[0] = 427;
        buffer->shape[1] = 640;
        buffer->shape[2] = 3;
        buffer->size_bytes = 427 * 640 * 3 + i;
        workload->buffer_bytes += buffer->size_bytes;
    }
}

static void case_edge(struct evaluation *evaluation, uint32_t from, uint32_t to)
{
    evaluation->edges.items[evaluation->edges.count++] = (struct workload_edge){from, to};
}

/* Chains of four that share their first task with a neighbour, like filters of one photograph. */
static void case_tasks(struct report_case *of, uint32_t chain)
{
    struct workload *workload = &of->workload;

    for (uint32_t i = 0; i < workload->task_count; i++) {
        struct workload_task *task = &workload->tasks[i];
        task->kernel = i % chain % workload->kernel_count;
        (void)snprintf(task->name, sizeof task->name, "%s-%.32s-%u", i % 2 ? "flower" : "china",
                       workload->kernels[task->kernel].name, i / chain);
        if (i % chain > 0)
            case_edge(&of->evaluation, i % chain > 2 && i % 3 == 0 ? i - 2 : i - 1, i);
    }
}

static void case_copy(struct evaluation *evaluation, uint32_t task, uint32_t device, uint64_t end)
{
    struct evaluation_copy *copy = &evaluation->copies[evaluation->copy_count++];

    *copy = (struct evaluation_copy){
        task, device, 0, evaluation->devices[device].info.memory_node, 0, end - 30000, end, 819840};
}

/* When everything ran: in order, each on the queue that is free first. */
static void case_run(struct report_case *of, uint64_t mean_ns)
{
    struct evaluation *evaluation = &of->evaluation;
    struct workload *workload = &of->workload;
    uint64_t ends[8] = {0};
    uint32_t seed = 7, edge = 0;

    for (uint32_t i = 0; i < 8; i++)
        ends[i] = BEGAN + 200000;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        struct evaluation_task *task = &evaluation->tasks[i];
        uint32_t device = ends[0] <= ends[1] || evaluation->device_count < 2 ? 0 : 1;
        uint64_t run = mean_ns / 4 + case_next(&seed) % (mean_ns * 3 / 2);
        task->device = device;
        task->submit_ns = BEGAN + 1000 * (uint64_t)(i < 5000 ? i : 5000);
        task->ready_ns = task->submit_ns + 500;
        for (; edge < evaluation->edges.count && evaluation->edges.items[edge].to == i; edge++) {
            uint64_t end = evaluation->tasks[evaluation->edges.items[edge].from].end_ns;
            task->ready_ns = end + 300 > task->ready_ns ? end + 300 : task->ready_ns;
        }
        task->start_ns = task->ready_ns > ends[device] + 800 ? task->ready_ns : ends[device] + 800;
        if (evaluation->devices[device].info.memory_node > 0 && i % 5 == 0) {
            task->start_ns += 40000;
            case_copy(evaluation, i, device, task->start_ns - 2000);
        }
        task->end_ns = task->start_ns + run;
        task->done_ns = task->end_ns + 3000;
        task->predicted_ns = i < 10 ? 0 : run * 9 / 10 + case_next(&seed) % (run / 3 + 1);
        ends[device] = task->end_ns;
        evaluation->devices[device].task_count++;
        evaluation->devices[device].busy_ns += run;
    }
    evaluation->traced.start_ns = BEGAN;
    evaluation->traced.end_ns = (ends[0] > ends[1] ? ends[0] : ends[1]) + 100000;
    evaluation->traced.done_count = workload->task_count;
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        struct evaluation_device *device = &evaluation->devices[i];
        device->is_busy_known = true;
        device->busy_share = (double)device->busy_ns / (double)(evaluation->traced.end_ns - BEGAN) /
                             device->info.queue_count;
        device->memory_peak_bytes = 40000000;
    }
}

static bool case_samples(struct evaluation *evaluation)
{
    uint64_t wall = evaluation->traced.end_ns - BEGAN, cpu = 900;

    evaluation->samples = calloc(400, sizeof evaluation->samples[0]);
    if (!evaluation->samples)
        return false;
    for (uint32_t i = 0; i < 400; i++) {
        double at = (i - 20.0) / 360.0;
        evaluation->samples[i].time_ns = BEGAN + (uint64_t)((double)wall * (i / 399.0));
        evaluation->samples[i].cpu_ns = cpu;
        cpu += (uint64_t)((double)wall / 399.0 * 2.0 *
                          (at < 0 || at > 1 ? 0.2 : 0.95 - 0.1 * fabs(sin(at * 40))));
    }
    evaluation->sample_count = 400;
    return true;
}

/* Rounds, baselines, bound, latency. */
static void case_results(struct evaluation *evaluation)
{
    uint64_t wall = evaluation->traced.end_ns - evaluation->traced.start_ns;

    evaluation->round_count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        evaluation->rounds[i] = evaluation->traced;
        evaluation->rounds[i].end_ns -= wall / 20 * (i + 1);
        evaluation->rounds[i].copied_bytes = 31000000;
        evaluation->rounds[i].copies = 48;
        evaluation->rounds[i].cpu_share = 0.91;
        evaluation->rounds[i].cpu_share_middle = 0.96;
    }
    evaluation->traced.cpu_share = 0.9;
    evaluation->traced.cpu_share_middle = 0.95;
    evaluation->shown = 1;
    for (uint32_t i = 0; i < 4; i++) {
        struct evaluation_side *side = &evaluation->sides[evaluation->side_count++];
        side->way = i < 2 ? BASELINE_BY_HAND : BASELINE_QUEUE;
        side->device = i % 2;
        side->round_count = 3;
        side->median_ns = wall * (i < 2 ? 150 : 112) / 100 + i % 2 * wall / 10;
        side->cpu_share = 0.7;
        side->copied_bytes = i < 2 ? 190000000 : 0;
        side->is_equal = true;
    }
    evaluation->latency = (struct evaluation_latency){wall / 2, wall / 2, wall - 5000, wall, true};
    evaluation->is_bound_known = true;
    evaluation->bound.area_ns = wall * 82 / 100;
    evaluation->bound.path_ns = wall / 9;
    evaluation->bound.lower_ns = wall * 82 / 100;
}

static void case_builds(struct report_case *of)
{
    for (uint32_t i = 0; i < of->workload.kernel_count; i++) {
        struct evaluation_build *build = &of->evaluation.builds[of->evaluation.build_count++];
        (void)snprintf(build->name, sizeof build->name, "%s", of->workload.kernels[i].name);
        build->start_ns = BEGAN - 900000000 + i * 90000000;
        build->end_ns = build->start_ns + 80000000;
    }
    of->evaluation.builds[0].start_ns = BEGAN + 100000; /* one in the middle of the round */
    of->evaluation.builds[0].end_ns = BEGAN + 1500000;
}

/* Rings around a place, in colour or grey. */
static bool case_picture(struct report_case *of, const char *name, bool is_input, uint32_t channels)
{
    const bool is_thin = strcmp(name, "thin") == 0;
    struct image *image = &of->images[of->picture_count];

    if (image_init(image, is_thin ? 16 : 640, is_thin ? 20000 : 427, channels, NULL, 0) != FGPU_OK)
        return false;
    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width; x++)
            for (uint32_t c = 0; c < channels; c++)
                image->pixels[((size_t)y * image->width + x) * channels + c] =
                    (uint8_t)(128 + 110 * sin(hypot(x - 300.0, y - 200.0) / (12.0 + 7 * c)));
    of->pictures[of->picture_count++] = (struct report_picture){name, image, is_input};
    return true;
}

static bool case_full(struct report_case *of, uint32_t tasks, uint32_t chain, uint64_t mean_ns)
{
    if (!case_room(of, tasks, 8, 12))
        return false;
    case_machine(&of->evaluation);
    case_device(&of->evaluation, "cpu", "native kernels", 0, 1);
    case_device(&of->evaluation, "opencl:0", "Example accelerator", 1, 1);
    case_kernels(&of->workload);
    case_tasks(of, chain);
    case_run(of, mean_ns);
    case_results(&of->evaluation);
    case_builds(of);
    return case_samples(&of->evaluation);
}

static bool case_unknown(struct report_case *of)
{
    if (!case_room(of, 5, 2, 1))
        return false;
    case_device(&of->evaluation, "cpu", "", 0, 1);
    of->evaluation.devices[0].info.valid = 0;
    case_kernels(&of->workload);
    for (uint32_t i = 0; i < 5; i++)
        of->evaluation.tasks[i].device = EVALUATION_NONE;
    return true;
}

static void case_fail(struct report_case *of)
{
    for (uint32_t i = 0; i < of->workload.task_count; i++)
        if (i % 7 == 3)
            of->evaluation.tasks[i].status = FGPU_E_DEVICE;
        else if (i % 7 > 3)
            of->evaluation.tasks[i] =
                (struct evaluation_task){.device = EVALUATION_NONE, .status = FGPU_E_POISONED};
    (void)snprintf(of->evaluation.error, sizeof of->evaluation.error,
                   "task 3: the device reported an error");
    (void)snprintf(of->evaluation.sides[0].error, sizeof of->evaluation.sides[0].error,
                   "no memory on the device");
    of->evaluation.sides[0].median_ns = 0;
    of->evaluation.is_interrupted = true;
}

/* As much of a text as fits. */
static void case_set(char *field, size_t size_bytes, const char *text)
{
    size_t length = strnlen(text, size_bytes - 1);

    memcpy(field, text, length);
    field[length] = '\0';
}

/* The first two buffers are photographs; each output is made from the second by way of a third
 * buffer, as tasks 0 to 3 say. */
static bool case_outputs(struct report_case *of)
{
    static const uint32_t buffers[4][2] = {{0, 2}, {1, 3}, {3, 4}, {3, 5}};
    struct workload *workload = &of->workload;

    workload->args = calloc(8, sizeof workload->args[0]);
    workload->outputs = calloc(2, sizeof workload->outputs[0]);
    if (!workload->args || !workload->outputs)
        return false;
    for (uint32_t i = 0; i < 4; i++) {
        workload->tasks[i].arg_first = 2 * i;
        workload->tasks[i].arg_count = 2;
        for (uint32_t k = 0; k < 2; k++)
            workload->args[2 * i + k] =
                (struct workload_arg){.kind = FGPU_ARG_BUFFER,
                                      .access = k == 0 ? FGPU_READ : FGPU_WRITE,
                                      .buffer = buffers[i][k]};
    }
    for (uint32_t i = 0; i < 2; i++)
        workload->outputs[i] =
            (struct workload_output){.buffer = 4 + i, .path = of->pictures[2 + i].name};
    workload->output_count = 2;
    workload->arg_count = 8;
    return true;
}

#define CASE_NAME(field) case_set(field, sizeof(field), report_case_hostile)

static void case_hostile(struct report_case *of)
{
    struct evaluation *evaluation = &of->evaluation;

    evaluation->path = report_case_hostile;
    evaluation->policy = report_case_hostile;
    for (uint32_t i = 0; i < of->workload.task_count; i++)
        CASE_NAME(of->workload.tasks[i].name);
    for (uint32_t i = 0; i < of->workload.kernel_count; i++) {
        CASE_NAME(of->workload.kernels[i].name);
        CASE_NAME(evaluation->builds[i].name);
    }
    for (uint32_t i = 0; i < of->workload.buffer_count; i++)
        CASE_NAME(of->workload.buffers[i].name);
    for (uint32_t i = 0; i < evaluation->device_count; i++) {
        CASE_NAME(evaluation->devices[i].info.id);
        CASE_NAME(evaluation->devices[i].info.name);
        CASE_NAME(evaluation->devices[i].info.backend);
    }
    CASE_NAME(evaluation->machine.name);
    CASE_NAME(evaluation->machine.system);
    CASE_NAME(evaluation->machine.version);
    CASE_NAME(evaluation->machine.started);
    CASE_NAME(evaluation->error);
    CASE_NAME(evaluation->sides[0].error);
    of->workload.tasks[0].name[3] = '\x80'; /* no UTF-8 */
    of->workload.tasks[1].name[3] = '\x01';
    for (uint32_t i = 0; i < of->picture_count; i++)
        of->pictures[i].name = report_case_hostile;
}

static bool case_fill(struct report_case *of, const char *name)
{
    if (strcmp(name, "empty") == 0)
        return case_room(of, 0, 0, 0);
    if (strcmp(name, "unknown") == 0)
        return case_unknown(of);
    if (strcmp(name, "one") == 0)
        return case_full(of, 1, 1, 4000000) && case_picture(of, "thin", true, 1);
    if (strcmp(name, "large") == 0)
        return case_full(of, 100000, 4, 40000);
    if (strcmp(name, "failed") == 0) {
        if (!case_full(of, 60, 6, 2000000))
            return false;
        case_fail(of);
        return true;
    }
    bool is_hostile = strcmp(name, "hostile") == 0;
    if (!is_hostile && strcmp(name, "demo") != 0)
        return false;
    if (!case_full(of, is_hostile ? 24 : 240, 8, 1500000) ||
        !case_picture(of, "picture_0", true, 3) || !case_picture(of, "picture_1", true, 3) ||
        !case_picture(of, "grey.png", false, 1) || !case_picture(of, "blur.png", false, 3) ||
        !case_outputs(of))
        return false;
    if (is_hostile)
        case_hostile(of);
    return true;
}

struct report_case *report_case_create(const char *name)
{
    struct report_case *of = calloc(1, sizeof *of);

    if (!of)
        return NULL;
    of->evaluation.workload = &of->workload;
    of->evaluation.path = "examples/photographs.json";
    of->evaluation.policy = "eft";
    of->evaluation.shown = EVALUATION_NONE;
    of->evaluation.others_share = -1.0;
    if (!case_fill(of, name)) {
        report_case_destroy(of);
        return NULL;
    }
    return of;
}

void report_case_destroy(struct report_case *of)
{
    if (!of)
        return;
    free(of->workload.tasks);
    free(of->workload.order);
    free(of->workload.kernels);
    free(of->workload.buffers);
    free(of->workload.args);
    free(of->workload.outputs);
    free(of->evaluation.tasks);
    free(of->evaluation.edges.items);
    free(of->evaluation.copies);
    free(of->evaluation.builds);
    free(of->evaluation.samples);
    for (uint32_t i = 0; i < of->picture_count; i++)
        image_fini(&of->images[i]);
    free(of);
}
