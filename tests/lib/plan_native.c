/* Runs a plan by its kernels' native functions: see plan_native.h. */
#include "lib/plan_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of noise before and behind a region: more than the rows that a filter could reach by
 * mistake in test pictures. */
#define NATIVE_GUARD_BYTES 32768
#define NATIVE_NOISE 0xc3

/* A region of a buffer, copied out: noise, the bytes from the region's first to its last, noise. */
struct native_window {
    unsigned char *bytes; /* NULL: the argument is no buffer */
    fgpu_region region;
    size_t extent_bytes;
};

static fgpu_region native_whole(fgpu_region region, uint64_t size_bytes)
{
    return region.row_bytes == 0 ? fgpu_region_span(0, size_bytes) : region;
}

/* Copies the rows of the region between its buffer and the window. */
static void native_copy_rows(const struct native_window *window, unsigned char *buffer, bool is_out)
{
    for (uint64_t row = 0; row < window->region.rows; row++) {
        unsigned char *inside =
            window->bytes + NATIVE_GUARD_BYTES + row * window->region.pitch_bytes;
        unsigned char *outside =
            buffer + window->region.offset_bytes + row * window->region.pitch_bytes;
        memcpy(is_out ? outside : inside, is_out ? inside : outside, window->region.row_bytes);
    }
}

static void native_open_window(struct native_window *window, const struct plan_buffer *buffer,
                               fgpu_region region, unsigned char *memory)
{
    window->region = native_whole(region, buffer->size_bytes);
    window->extent_bytes =
        (window->region.rows - 1) * window->region.pitch_bytes + window->region.row_bytes;
    window->bytes = malloc(window->extent_bytes + 2 * NATIVE_GUARD_BYTES);
    if (!window->bytes) {
        fprintf(stderr, "no memory for a region\n");
        exit(1);
    }
    memset(window->bytes, NATIVE_NOISE, window->extent_bytes + 2 * NATIVE_GUARD_BYTES);
    native_copy_rows(window, memory, false);
}

static bool native_is_noise(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != NATIVE_NOISE)
            return false;
    return true;
}

/* Writes back what the task may write; false when anything beside the region was touched. */
static bool native_close_window(struct native_window *window, bool is_write, unsigned char *memory)
{
    const fgpu_region *region = &window->region;
    const unsigned char *inside = window->bytes + NATIVE_GUARD_BYTES;
    bool is_clean = native_is_noise(window->bytes, NATIVE_GUARD_BYTES) &&
                    native_is_noise(inside + window->extent_bytes, NATIVE_GUARD_BYTES);

    for (uint64_t row = 0; row < region->rows; row++) {
        const unsigned char *bytes = inside + row * region->pitch_bytes;
        size_t gap = row + 1 < region->rows ? region->pitch_bytes - region->row_bytes : 0;
        is_clean = is_clean && native_is_noise(bytes + region->row_bytes, gap);
        if (!is_write)
            is_clean =
                is_clean && memcmp(bytes, memory + region->offset_bytes + row * region->pitch_bytes,
                                   region->row_bytes) == 0;
    }
    if (is_write)
        native_copy_rows(window, memory, true);
    free(window->bytes);
    return is_clean;
}

/* Calls the function for all groups, cut in two at a random place. */
static int native_call(const struct plan_task *task, fgpu_native_fn function, void *const *args,
                       struct rng *rng)
{
    fgpu_range range = {.dims = 2,
                        .global = {task->launch.global[0], task->launch.global[1], 1},
                        .local = {task->launch.local[0], task->launch.local[1], 1},
                        .groups = {1, 1, 1}};

    /* A pool may choose other groups than the plan asks for, also such that do not divide the grid.
     */
    if (rng_below(rng, 2)) {
        range.local[0] = 1 + rng_below(rng, 700);
        range.local[1] = 1 + rng_below(rng, 5);
    }
    for (int i = 0; i < 2; i++)
        range.groups[i] = (range.global[i] + range.local[i] - 1) / range.local[i];
    uint64_t count = range.groups[0] * range.groups[1];
    uint64_t middle = rng_below(rng, count + 1);
    range.group_begin = middle;
    range.group_end = count;
    int failed = function(&range, args, NULL);
    range.group_begin = 0;
    range.group_end = middle;
    return failed ? failed : function(&range, args, NULL);
}

static int native_run_task(const struct plan *plan, const struct plan_task *task,
                           unsigned char *const *memory, struct rng *rng)
{
    const struct filter_kernel *kernel = &plan->kernels[task->kernel];
    struct native_window windows[FILTER_PARAM_LIMIT] = {0};
    void *args[FILTER_PARAM_LIMIT];

    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct filter_arg *arg = &task->launch.args[i];
        args[i] = (void *)(uintptr_t)arg->value;
        if (kernel->params[i].kind != FGPU_ARG_BUFFER)
            continue;
        native_open_window(&windows[i], &plan->buffers[arg->buffer], arg->region,
                           memory[arg->buffer]);
        args[i] = windows[i].bytes + NATIVE_GUARD_BYTES;
    }
    int failed = native_call(task, kernel->native, args, rng);
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (windows[i].bytes &&
            !native_close_window(&windows[i], kernel->params[i].access == FGPU_WRITE,
                                 memory[task->launch.args[i].buffer])) {
            fprintf(stderr, "%s: argument %u: written outside its region\n", kernel->name, i);
            failed = 1;
        }
    return failed;
}

int plan_native_run(const struct plan *plan, unsigned char *const *memory, struct rng *rng)
{
    int failed = 0;

    for (uint32_t i = 0; i < plan->task_count && !failed; i++)
        failed = native_run_task(plan, &plan->tasks[i], memory, rng);
    return failed;
}
