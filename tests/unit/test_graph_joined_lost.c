/* A device dies in the middle of a recorded graph that runs as one task: what it had done stays,
 * what had begun runs again or fails, the rest runs on another device. The device is a backend of
 * this test, which stops wherever it is told to.
 */
#include "api/lookup.h"
#include <stdio.h>
#include <stdlib.h>
#include "dev/host/region.h"
#include "lib/graph_rig.h"

#define NODES 30u

/* ---- a device that stops */

static struct {
    fgpu_native_fn fns[64]; /* by code */
    uint32_t fn_count;
    const fgpu_doorbell *bell;
    uint64_t number;
    uint32_t stop_at; /* in a batch, after so many commands; UINT32_MAX: never */
    uint32_t begun;   /* and so many more have begun */
    uint32_t batches;
    bool is_lost;
} torn;

static fgpu_status torn_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                              uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    (void)options;
    (void)why;
    (void)why_bytes;
    *count = 1;
    if (capacity > 0) {
        infos[0] = (fgpu_device_info){.struct_bytes = sizeof infos[0], .type = FGPU_DEVICE_CPU};
        snprintf(infos[0].name, sizeof infos[0].name, "torn");
        snprintf(infos[0].backend, sizeof infos[0].backend, "torn");
        snprintf(infos[0].id, sizeof infos[0].id, "torn#0");
        infos[0].queue_count = 1;
    }
    return FGPU_OK;
}

static fgpu_status torn_open(const fgpu_backend_options *options, uint32_t index,
                             const fgpu_doorbell *bell, void **device)
{
    (void)options;
    (void)index;
    torn.bell = bell;
    torn.number = 0;
    torn.is_lost = false;
    *device = &torn;
    return FGPU_OK;
}

static void torn_close(void *device)
{
    (void)device;
}

static void torn_caps(void *device, fgpu_device_caps *caps)
{
    (void)device;
    *caps = (fgpu_device_caps){.struct_bytes = sizeof *caps,
                               .queue_count = 1,
                               .variants = 1u << FGPU_VARIANT_NATIVE,
                               .host_memory = 1,
                               .suballocate = 1,
                               .offset_align_bytes = 1,
                               .max_group_items = 1024,
                               .max_queue_commands = 4096,
                               .resource_group = 0x74000000u,
                               .batches = 1,
                               .memory_bytes = 1u << 30,
                               .memory_max_alloc_bytes = 1u << 30};
}

static fgpu_status torn_mem_alloc(void *device, uint64_t bytes, fgpu_mem *mem)
{
    (void)device;
    *mem = (uintptr_t)aligned_alloc(64, (bytes + 63) / 64 * 64);
    return *mem != 0 ? FGPU_OK : FGPU_E_DEVMEM;
}

static void torn_mem_free(void *device, fgpu_mem mem)
{
    (void)device;
    free((void *)(uintptr_t)mem);
}

static fgpu_status torn_code_build(void *device, const fgpu_code_source *source,
                                   fgpu_code_built *built)
{
    (void)device;
    torn.fns[torn.fn_count] = source->native;
    *built = (fgpu_code_built){.code = ++torn.fn_count};
    return FGPU_OK;
}

static void torn_code_free(void *device, fgpu_code code)
{
    (void)device;
    (void)code;
}

static fgpu_status torn_queue_open(void *device, uint32_t index, void **queue)
{
    (void)index;
    *queue = device;
    return FGPU_OK;
}

static void torn_queue_close(void *queue)
{
    (void)queue;
}

static fgpu_status torn_run(const fgpu_cmd *cmd)
{
    const fgpu_cmd_launch *launch = cmd->body;
    void *args[4];
    fgpu_range range = {
        .dims = 1, .global = {1, 1, 1}, .local = {1, 1, 1}, .groups = {1, 1, 1}, .group_end = 1};
    if (cmd->kind == FGPU_CMD_FILL) {
        const fgpu_cmd_fill *fill = cmd->body;
        region_fill(
            (struct region){(void *)(uintptr_t)(fill->mem + fill->offset_bytes), fill->pitch_bytes},
            fill);
        return FGPU_OK;
    }
    if (cmd->kind != FGPU_CMD_LAUNCH)
        return FGPU_OK;
    for (uint32_t i = 0; i < launch->arg_count; i++)
        args[i] = launch->args[i].kind == FGPU_ARG_BUFFER
                      ? (void *)(uintptr_t)(launch->args[i].u.buffer.mem +
                                            launch->args[i].u.buffer.offset_bytes)
                      : (void *)(uintptr_t)launch->args[i].u.value;
    return torn.fns[launch->code - 1](&range, args, NULL) == 0 ? FGPU_OK : FGPU_E_TASK;
}

static void torn_run_batch(fgpu_cmd_batch *batch)
{
    torn.batches++;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->done >= torn.stop_at) {
            batch->begun += torn.begun;
            torn.is_lost = true;
            return;
        }
        batch->begun++;
        (void)torn_run(&batch->cmds[i]);
        batch->done++;
    }
}

static uint32_t torn_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    (void)queue;
    for (uint32_t i = 0; i < count && !torn.is_lost; i++) {
        fgpu_cmd_result *result = cmds[i].body;
        uint32_t commands = 1;
        if (cmds[i].kind == FGPU_CMD_BATCH) {
            commands = ((fgpu_cmd_batch *)cmds[i].body)->count;
            torn_run_batch(cmds[i].body);
        } else {
            (void)torn_run(&cmds[i]);
        }
        /* Faster than any other. */
        *result = (fgpu_cmd_result){.status = FGPU_OK, .timed = 1, .end_ns = commands};
    }
    torn.number += count;
    *last = torn.number;
    torn.bell->ring(torn.bell->arg);
    return count;
}

static fgpu_status torn_poll(void *queue, uint64_t *number)
{
    static uint64_t good;
    (void)queue;
    if (!torn.is_lost)
        good = torn.number;
    *number = torn.is_lost && good > torn.number ? 0 : good;
    return torn.is_lost ? FGPU_E_DEVICE_LOST : FGPU_OK;
}

static const fgpu_backend torn_backend = {
    .struct_bytes = sizeof(fgpu_backend),
    .version = FGPU_BACKEND_VERSION,
    .name = "torn",
    .probe = torn_probe,
    .open = torn_open,
    .close = torn_close,
    .caps = torn_caps,
    .mem_alloc = torn_mem_alloc,
    .mem_free = torn_mem_free,
    .code_build = torn_code_build,
    .code_free = torn_code_free,
    .queue_open = torn_queue_open,
    .queue_close = torn_queue_close,
    .submit = torn_submit,
    .poll = torn_poll,
};

/* ---- graphs */

static int body_count(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)user;
    ++*(uint32_t *)args[0];
    return 0;
}

/* Overwrites. */
static int body_set(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)user;
    memcpy(args[0], args[1], 4);
    return 0;
}

/* Even nodes use the first buffer, odd ones the second. */
static fgpu_graph_exec torn_graph(bool overwrites, fgpu_buffer buffers[2])
{
    fgpu_kernel kernel;
    fgpu_graph graph = rig_graph();
    fgpu_graph_exec exec;
    uint32_t zero = 0;
    rig_need(fgpu_kernel_create(rig_pool, overwrites ? "set" : "count", &kernel));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER,
                                 overwrites ? FGPU_WRITE : FGPU_READ_WRITE, 0));
    if (overwrites)
        rig_need(fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 4));
    rig_need(fgpu_kernel_add_native(kernel, overwrites ? body_set : body_count, NULL));
    for (uint32_t i = 0; i < 2; i++) {
        buffers[i] = rig_buffer(64);
        rig_need(fgpu_buffer_fill(buffers[i], NULL, &zero, 4));
    }
    for (uint32_t i = 0; i < NODES; i++) {
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        fgpu_arg args[2] = {fgpu_arg_span(buffers[i % 2], FGPU_ACCESS_DEFAULT, 0, 4),
                            fgpu_arg_scalar(&i, 4)};
        desc.kernel = kernel;
        desc.dims = 1;
        desc.global[0] = 1;
        desc.args = args;
        desc.arg_count = overwrites ? 2 : 1;
        rig_add(graph, &desc);
    }
    rig_need(fgpu_graph_instantiate(graph, &exec));
    return exec;
}

static fgpu_status torn_read(fgpu_buffer buffer, uint32_t *value)
{
    fgpu_region region = fgpu_region_span(0, 4);
    return fgpu_buffer_read(buffer, &region, value, 0);
}

/* Launches until the device has died in one; returns how many launches there were. */
static uint32_t torn_launch(fgpu_graph_exec exec, uint32_t stop_at, uint32_t begun, fgpu_task *task)
{
    uint32_t launches = 0;
    torn.stop_at = UINT32_MAX;
    torn.batches = 0;
    while (torn.batches < 2 && launches < 200) {
        rig_need(fgpu_graph_launch(exec, task));
        rig_need(fgpu_task_wait(*task, FGPU_FOREVER));
        launches++;
    }
    torn.stop_at = stop_at;
    torn.begun = begun;
    while (!torn.is_lost && launches < 400) {
        rig_need(fgpu_graph_launch(exec, task));
        (void)fgpu_task_wait(*task, FGPU_FOREVER);
        launches++;
    }
    assert_true(torn.is_lost);
    return launches;
}

static void torn_begin(void)
{
    torn.fn_count = 0;
    rig_open("devices=torn,cpu;workers=1;policy=eft;cache=;log=off");
}

/* Whatever had not begun, and what only overwrites, is as if nothing had happened. */
static void test_goes_on_elsewhere(void **state)
{
    (void)state;
    for (uint32_t stop = 0; stop < NODES; stop += 7)
        for (uint32_t begun = 0; begun < 2; begun++) {
            fgpu_buffer buffers[2];
            fgpu_task task;
            uint32_t value = 0;
            torn_begin();
            fgpu_graph_exec exec = torn_graph(begun > 0, buffers);
            uint32_t launches = torn_launch(exec, stop, begun, &task);
            rig_need(fgpu_task_wait(task, FGPU_FOREVER));
            for (uint32_t i = 0; i < 2; i++) {
                rig_need(torn_read(buffers[i], &value));
                assert_int_equal(value, begun > 0 ? NODES - 2 + i : launches * NODES / 2);
            }
            /* And goes on there. */
            rig_need(fgpu_graph_launch(exec, &task));
            rig_need(fgpu_task_wait(task, FGPU_FOREVER));
            rig_need(fgpu_pool_close(rig_pool));
        }
}

/* A node that may have run in part, and reads what it writes, fails; so do those that need it. */
static void test_what_had_begun_fails(void **state)
{
    (void)state;
    for (uint32_t stop = 0; stop < NODES; stop += 7) {
        fgpu_buffer buffers[2];
        fgpu_task task;
        fgpu_status failure;
        char text[512];
        uint32_t value = 0;
        torn_begin();
        fgpu_graph_exec exec = torn_graph(false, buffers);
        uint32_t launches = torn_launch(exec, stop, 1, &task);
        assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
        rig_need(fgpu_task_get_error(task, &failure, NULL, text, sizeof text));
        assert_non_null(strstr(text, "it had started on device 0"));
        assert_int_equal(torn_read(buffers[stop % 2], &value), FGPU_E_POISONED);
        rig_need(torn_read(buffers[1 - stop % 2], &value));
        assert_int_equal(value, launches * NODES / 2);
        assert_int_equal(rig_stats().tasks_failed, (NODES - stop + 1) / 2 + 1);
        (void)fgpu_pool_close(rig_pool);
    }
}

/* Where it is not known how far the device was, all that may have begun fails. */
static void test_not_known_how_far(void **state)
{
    (void)state;
    fgpu_buffer buffers[2];
    fgpu_task task;
    uint32_t value = 0;
    torn_begin();
    fgpu_graph_exec exec = torn_graph(true, buffers);
    (void)torn_launch(exec, 10, 5, &task);
    assert_int_equal(fgpu_task_wait(task, FGPU_FOREVER), FGPU_E_POISONED);
    for (uint32_t i = 0; i < 2; i++) { /* overwritten by later nodes */
        rig_need(torn_read(buffers[i], &value));
        assert_int_equal(value, NODES - 2 + i);
    }
    assert_int_equal(rig_stats().tasks_failed, 5 + 1);
    (void)fgpu_pool_close(rig_pool);
}

int main(void)
{
    if (fgpu_backend_register(&torn_backend) != FGPU_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_elsewhere),
        cmocka_unit_test(test_what_had_begun_fails),
        cmocka_unit_test(test_not_known_how_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
