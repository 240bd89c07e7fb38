/* What callers do wrong: every public function with handles that are zero, invented, of another
 * kind, of another pool, destroyed, or of a pool that is closed; NULL where something must be
 * given; sizes, regions, arguments and grids outside of what is allowed.
 *
 * On the cpu device. Each test ends with a task that must still give the right numbers. What the
 * texts must name is listed beside each call. Failures of tasks are in test_api_failures.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/handle.h"
#include "base/limits.h"
#include "dev/null/null.h"
#include "lib/api_rig.h"

#define MANY_POOLS 3000u
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *source_text = "__kernel void k(__global int *a) { a[get_global_id(0)] = 1; }";

/* ---- every function that takes a handle -------------------------------------------------- */

static char given_bytes[64];
static fgpu_task_desc given_desc; /* an empty task */

#define CALL(name, type, expression)                                                               \
    static fgpu_status call_##name(uint64_t bits)                                                  \
    {                                                                                              \
        type handle = {bits};                                                                      \
        return expression;                                                                         \
    }

static uint32_t given_u32;
static uint64_t given_u64;
static fgpu_device given_device;
static fgpu_buffer given_buffer, made_buffer;
static fgpu_kernel given_kernel;
static fgpu_graph given_graph;
static fgpu_graph_exec given_exec;
static fgpu_task given_task;
static fgpu_task_state given_state;
static fgpu_status given_status;
static void *given_ptr;
static fgpu_pool_stats given_stats = {.struct_bytes = sizeof given_stats};
static fgpu_device_stats given_device_stats = {.struct_bytes = sizeof given_device_stats};
static fgpu_device_info given_info = {.struct_bytes = sizeof given_info};
static fgpu_device_sample given_sample = {.struct_bytes = sizeof given_sample};

CALL(close, fgpu_pool, fgpu_pool_close(handle))
CALL(wait, fgpu_pool, fgpu_pool_wait(handle, 0))
CALL(count, fgpu_pool, fgpu_device_count(handle, &given_u32))
CALL(at, fgpu_pool, fgpu_device_at(handle, 0, &given_device))
CALL(create, fgpu_pool, fgpu_buffer_create(handle, 64, &made_buffer))
CALL(create_from, fgpu_pool, fgpu_buffer_create_from(handle, given_bytes, 64, &made_buffer))
CALL(kernel, fgpu_pool, fgpu_kernel_create(handle, "k", &given_kernel))
CALL(opencl, fgpu_pool, fgpu_kernel_create_opencl(handle, source_text, "k", "", &given_kernel))
CALL(graph, fgpu_pool, fgpu_graph_create(handle, &given_graph))
CALL(submit, fgpu_pool, fgpu_task_submit(handle, &given_desc, NULL))
CALL(stats, fgpu_pool, fgpu_pool_get_stats(handle, &given_stats))
CALL(trace_on, fgpu_pool, fgpu_trace_enable(handle, true))
static void no_record(void *user, const fgpu_trace_record *record)
{
    (void)user;
    (void)record;
}

CALL(trace_read, fgpu_pool, fgpu_trace_read(handle, no_record, NULL))
CALL(trace_write, fgpu_pool, fgpu_trace_write(handle, "/nonexistent/trace.json"))
CALL(info, fgpu_device, fgpu_device_get_info(handle, &given_info))
CALL(sample, fgpu_device, fgpu_device_get_sample(handle, &given_sample))
CALL(status, fgpu_device, fgpu_device_status(handle))
CALL(device_stats, fgpu_device, fgpu_device_get_stats(handle, &given_device_stats))
CALL(destroy, fgpu_buffer, fgpu_buffer_destroy(handle))
CALL(size, fgpu_buffer, fgpu_buffer_size(handle, &given_u64))
CALL(name, fgpu_buffer, fgpu_buffer_set_name(handle, "name"))
CALL(read, fgpu_buffer, fgpu_buffer_read(handle, NULL, given_bytes, 0))
CALL(write, fgpu_buffer, fgpu_buffer_write(handle, NULL, given_bytes, 0))
CALL(fill, fgpu_buffer, fgpu_buffer_fill(handle, NULL, given_bytes, 4))
CALL(copy_to, fgpu_buffer, fgpu_buffer_copy(handle, NULL, given_buffer, NULL))
CALL(copy_from, fgpu_buffer, fgpu_buffer_copy(given_buffer, NULL, handle, NULL))
CALL(read_async, fgpu_buffer, fgpu_buffer_read_async(handle, NULL, given_bytes, 0, NULL))
CALL(write_async, fgpu_buffer, fgpu_buffer_write_async(handle, NULL, given_bytes, 0, NULL))
CALL(fill_async, fgpu_buffer, fgpu_buffer_fill_async(handle, NULL, given_bytes, 4, NULL))
CALL(copy_async, fgpu_buffer, fgpu_buffer_copy_async(given_buffer, NULL, handle, NULL, NULL))
CALL(map, fgpu_buffer, fgpu_buffer_map(handle, 0, 64, FGPU_READ, &given_ptr))
CALL(unmap, fgpu_buffer, fgpu_buffer_unmap(handle, given_bytes))
CALL(add_opencl, fgpu_kernel, fgpu_kernel_add_opencl(handle, source_text, "k", ""))
CALL(add_cuda, fgpu_kernel, fgpu_kernel_add_cuda(handle, source_text, "k", ""))
CALL(add_native, fgpu_kernel, fgpu_kernel_add_native(handle, rig_kernel_add_one, NULL))
CALL(set_arg, fgpu_kernel, fgpu_kernel_set_arg(handle, 0, FGPU_ARG_BUFFER, FGPU_READ, 0))
CALL(build, fgpu_kernel, fgpu_kernel_build(handle))
CALL(build_log, fgpu_kernel, fgpu_kernel_build_log(handle, (fgpu_device){0}, NULL, 0, NULL))
CALL(kernel_destroy, fgpu_kernel, fgpu_kernel_destroy(handle))
CALL(run, fgpu_kernel, fgpu_task_run(handle, 1, NULL, 0, NULL))
CALL(task_wait, fgpu_task, fgpu_task_wait(handle, FGPU_FOREVER))
CALL(state, fgpu_task, fgpu_task_get_state(handle, &given_state))
CALL(error, fgpu_task, fgpu_task_get_error(handle, &given_status, &given_task, NULL, 0))
CALL(cancel, fgpu_task, fgpu_task_cancel(handle))
CALL(forget, fgpu_task, fgpu_task_forget(handle))
CALL(graph_add, fgpu_graph, fgpu_graph_add(handle, &given_desc, &given_u32))
CALL(depend, fgpu_graph, fgpu_graph_depend(handle, 1, 0))
CALL(instantiate, fgpu_graph, fgpu_graph_instantiate(handle, &given_exec))
CALL(graph_destroy, fgpu_graph, fgpu_graph_destroy(handle))
CALL(launch, fgpu_graph_exec, fgpu_graph_launch(handle, NULL))
CALL(exec_destroy, fgpu_graph_exec, fgpu_graph_exec_destroy(handle))

struct call {
    enum handle_kind kind;
    fgpu_status (*make)(uint64_t bits);
    const char *function;
    bool takes_zero;
};

static const struct call calls[] = {
    {HANDLE_POOL, call_close, "fgpu_pool_close", true},
    {HANDLE_POOL, call_wait, "fgpu_pool_wait", false},
    {HANDLE_POOL, call_count, "fgpu_device_count", false},
    {HANDLE_POOL, call_at, "fgpu_device_at", false},
    {HANDLE_POOL, call_create, "fgpu_buffer_create", false},
    {HANDLE_POOL, call_create_from, "fgpu_buffer_create_from", false},
    {HANDLE_POOL, call_kernel, "fgpu_kernel_create", false},
    {HANDLE_POOL, call_opencl, "fgpu_kernel_create", false},
    {HANDLE_POOL, call_graph, "fgpu_graph_create", false},
    {HANDLE_POOL, call_submit, "fgpu_task_submit", false},
    {HANDLE_POOL, call_stats, "fgpu_pool_get_stats", false},
    {HANDLE_POOL, call_trace_on, "fgpu_trace_enable", false},
    {HANDLE_POOL, call_trace_read, "fgpu_trace_read", false},
    {HANDLE_POOL, call_trace_write, "fgpu_trace_write", false},
    {HANDLE_DEVICE, call_info, "fgpu_device_get_info", false},
    {HANDLE_DEVICE, call_sample, "fgpu_device_get_sample", false},
    {HANDLE_DEVICE, call_status, "fgpu_device_status", false},
    {HANDLE_DEVICE, call_device_stats, "fgpu_device_get_stats", false},
    {HANDLE_BUFFER, call_destroy, "fgpu_buffer_destroy", true},
    {HANDLE_BUFFER, call_size, "fgpu_buffer_size", false},
    {HANDLE_BUFFER, call_name, "fgpu_buffer_set_name", false},
    {HANDLE_BUFFER, call_read, "fgpu_buffer_read", false},
    {HANDLE_BUFFER, call_write, "fgpu_buffer_write", false},
    {HANDLE_BUFFER, call_fill, "fgpu_buffer_fill", false},
    {HANDLE_BUFFER, call_copy_to, "fgpu_buffer_copy: dst", false},
    {HANDLE_BUFFER, call_copy_from, "fgpu_buffer_copy: src", false},
    {HANDLE_BUFFER, call_read_async, "fgpu_buffer_read", false},
    {HANDLE_BUFFER, call_write_async, "fgpu_buffer_write", false},
    {HANDLE_BUFFER, call_fill_async, "fgpu_buffer_fill", false},
    {HANDLE_BUFFER, call_copy_async, "fgpu_buffer_copy: src", false},
    {HANDLE_BUFFER, call_map, "fgpu_buffer_map", false},
    {HANDLE_BUFFER, call_unmap, "fgpu_buffer_unmap", false},
    {HANDLE_KERNEL, call_add_opencl, "fgpu_kernel_add_opencl", false},
    {HANDLE_KERNEL, call_add_cuda, "fgpu_kernel_add_cuda", false},
    {HANDLE_KERNEL, call_add_native, "fgpu_kernel_add_native", false},
    {HANDLE_KERNEL, call_set_arg, "fgpu_kernel_set_arg", false},
    {HANDLE_KERNEL, call_build, "fgpu_kernel_build", false},
    {HANDLE_KERNEL, call_build_log, "fgpu_kernel_build_log", false},
    {HANDLE_KERNEL, call_kernel_destroy, "fgpu_kernel_destroy", true},
    {HANDLE_KERNEL, call_run, "fgpu_task_", false},
    {HANDLE_TASK, call_task_wait, "fgpu_task_wait", false},
    {HANDLE_TASK, call_state, "fgpu_task_get_state", false},
    {HANDLE_TASK, call_error, "fgpu_task_get_error", false},
    {HANDLE_TASK, call_cancel, "fgpu_task_cancel", false},
    {HANDLE_TASK, call_forget, "fgpu_task_forget", false},
    {HANDLE_GRAPH, call_graph_add, "fgpu_graph_add", false},
    {HANDLE_GRAPH, call_depend, "fgpu_graph_depend", false},
    {HANDLE_GRAPH, call_instantiate, "fgpu_graph_instantiate", false},
    {HANDLE_GRAPH, call_graph_destroy, "fgpu_graph_destroy", true},
    {HANDLE_EXEC, call_launch, "fgpu_graph_launch", false},
    {HANDLE_EXEC, call_exec_destroy, "fgpu_graph_exec_destroy", true},
};

static const char *const kind_names[] = {"",       "pool", "device", "buffer",
                                         "kernel", "task", "graph",  "instantiated graph"};

/* Each call on `bits` gives `expected` and a text with the function's name and `part`. */
static void refuse_calls(const struct call *call, uint64_t bits, fgpu_status expected,
                         const char *part)
{
    fgpu_status status = call->make(bits);
    if (status != expected || strstr(fgpu_last_error(), call->function) == NULL ||
        strstr(fgpu_last_error(), part) == NULL)
        fail_msg("%s on 0x%016llx: %s instead of %s, or without '%s': %s", call->function,
                 (unsigned long long)bits, fgpu_status_name(status), fgpu_status_name(expected),
                 part, fgpu_last_error());
}

/* One live object of each kind in rig_pool. */
static void new_objects(uint64_t handles[HANDLE_EXEC + 1])
{
    fgpu_device device;
    fgpu_task task;
    fgpu_graph_exec exec;
    fgpu_graph graph = rig_graph();
    rig_need(fgpu_device_at(rig_pool, 0, &device));
    rig_add_empty(graph, "node");
    rig_need(fgpu_graph_instantiate(graph, &exec));
    fgpu_task_desc_init(&given_desc);
    given_desc.kind = FGPU_TASK_EMPTY;
    rig_need(fgpu_task_submit(rig_pool, &given_desc, &task));
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    handles[HANDLE_NONE] = 0;
    handles[HANDLE_POOL] = rig_pool.bits;
    handles[HANDLE_DEVICE] = device.bits;
    handles[HANDLE_BUFFER] = rig_buffer(64).bits;
    handles[HANDLE_KERNEL] = rig_new_kernel().bits;
    handles[HANDLE_TASK] = task.bits;
    handles[HANDLE_GRAPH] = graph.bits;
    handles[HANDLE_EXEC] = exec.bits;
    given_buffer.bits = handles[HANDLE_BUFFER];
}

static void test_zero_and_other_kinds(void **state)
{
    (void)state;
    uint64_t handles[HANDLE_EXEC + 1];
    new_objects(handles);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        const struct call *call = &calls[i];
        if (call->takes_zero)
            rig_need(call->make(0));
        else
            refuse_calls(call, 0, FGPU_E_HANDLE, kind_names[call->kind]);
        for (uint32_t kind = HANDLE_POOL; kind <= HANDLE_EXEC; kind++) {
            if (kind != (uint32_t)call->kind)
                refuse_calls(call, handles[kind], FGPU_E_HANDLE, kind_names[kind]);
        }
        refuse_calls(call, UINT64_MAX, FGPU_E_HANDLE, "no handle of this library");
        refuse_calls(call, 1, FGPU_E_HANDLE, "no handle of this library");
        refuse_calls(call, 0x9123456789abcdef, FGPU_E_HANDLE, "no handle of this library");
    }
    rig_works();
}

/* Bits turned in a live handle: an error, whatever it says, and never another object. */
static void test_invented(void **state)
{
    (void)state;
    uint64_t handles[HANDLE_EXEC + 1];
    new_objects(handles);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        for (uint32_t bit = 0; bit < 60; bit++) {
            uint64_t bits = handles[calls[i].kind] ^ UINT64_C(1) << bit;
            /* A task's older generations have ended well: no error. */
            if (calls[i].kind == HANDLE_TASK && bit >= HANDLE_INDEX_BITS && bit < 50)
                continue;
            /* Of a pool and a device only some bits count. */
            if (calls[i].kind == HANDLE_POOL && bit < HANDLE_INDEX_BITS)
                continue;
            fgpu_status status = calls[i].make(bits);
            if (status != FGPU_E_HANDLE && status != FGPU_E_STALE && status != FGPU_E_FOREIGN)
                fail_msg("%s on 0x%016llx: %s", calls[i].function, (unsigned long long)bits,
                         fgpu_status_name(status));
        }
    }
    rig_works();
}

/* Destroyed objects; then all handles of a closed pool, also when another one is open. */
static void test_stale(void **state)
{
    (void)state;
    uint64_t handles[HANDLE_EXEC + 1];
    new_objects(handles);
    rig_need(fgpu_buffer_destroy((fgpu_buffer){handles[HANDLE_BUFFER]}));
    rig_need(fgpu_kernel_destroy((fgpu_kernel){handles[HANDLE_KERNEL]}));
    rig_need(fgpu_graph_destroy((fgpu_graph){handles[HANDLE_GRAPH]}));
    rig_need(fgpu_graph_exec_destroy((fgpu_graph_exec){handles[HANDLE_EXEC]}));
    given_buffer = rig_buffer(64); /* in the same place */
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        enum handle_kind kind = calls[i].kind;
        if (kind == HANDLE_BUFFER || kind == HANDLE_KERNEL || kind >= HANDLE_GRAPH)
            refuse_calls(&calls[i], handles[kind], FGPU_E_STALE, "destroyed");
    }
    rig_works();
    rig_need(fgpu_pool_close(rig_pool));
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        assert_int_equal(calls[i].make(handles[calls[i].kind]), FGPU_E_STALE);
    for (uint32_t round = 0; round < 3; round++) {
        rig_open("devices=cpu;workers=1;cache=;log=off");
        uint64_t fresh[HANDLE_EXEC + 1];
        new_objects(fresh);
        for (size_t i = 0; i < COUNT_OF(calls); i++)
            refuse_calls(&calls[i], handles[calls[i].kind], FGPU_E_STALE, "");
        rig_works();
        if (round < 2)
            rig_need(fgpu_pool_close(rig_pool));
    }
}

/* One null device, which does not need that of the processor for host functions: a pool of it opens
 * in half a millisecond. */
static fgpu_status quick_probe(const fgpu_backend_options *options, fgpu_device_info *infos,
                               uint32_t capacity, uint32_t *count, char *why, size_t why_bytes)
{
    fgpu_status status =
        null_backend.probe(options, infos, capacity < 1 ? 0 : 1, count, why, why_bytes);
    *count = 1;
    if (capacity > 0)
        snprintf(infos->id, sizeof infos->id, "quick");
    return status;
}

static void quick_caps(void *device, fgpu_device_caps *caps)
{
    null_backend.caps(device, caps);
    caps->host_calls = 1;
}

/* Places of pools are used again after LIMITS_POOLS opens. Whatever the pools did there, a handle
 * of one that was closed never fits an object of a later one. */
static void test_stale_after_many_pools(void **state)
{
    (void)state;
    static uint64_t kept[MANY_POOLS][HANDLE_EXEC + 1];
    static fgpu_backend quick;
    quick = null_backend;
    quick.name = "quick";
    quick.probe = quick_probe;
    quick.caps = quick_caps;
    rig_need(fgpu_backend_register(&quick));
    static const uint32_t ages[] = {1, 2, LIMITS_POOLS - 1, LIMITS_POOLS, 2 * LIMITS_POOLS};
    rig_need(fgpu_pool_close(rig_pool));
    for (uint32_t p = 0; p < MANY_POOLS; p++) {
        rig_open("devices=quick;workers=1;tasks=64;cache=;log=off");
        for (uint32_t i = p % 7; i > 0; i--) { /* slots are used differently often */
            uint64_t used[HANDLE_EXEC + 1];
            new_objects(used);
            rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
            rig_need(fgpu_buffer_destroy((fgpu_buffer){used[HANDLE_BUFFER]}));
            rig_need(fgpu_kernel_destroy((fgpu_kernel){used[HANDLE_KERNEL]}));
            rig_need(fgpu_graph_destroy((fgpu_graph){used[HANDLE_GRAPH]}));
            rig_need(fgpu_graph_exec_destroy((fgpu_graph_exec){used[HANDLE_EXEC]}));
        }
        if (p % 11 != 0) /* to a slot that was never used, too */
            new_objects(kept[p]);
        else
            given_buffer = rig_buffer(64);
        for (size_t a = 0; a < COUNT_OF(ages); a++) {
            const uint64_t *old = ages[a] <= p ? kept[p - ages[a]] : NULL;
            for (size_t i = 0; old != NULL && old[HANDLE_POOL] != 0 && i < COUNT_OF(calls); i++)
                refuse_calls(&calls[i], old[calls[i].kind], FGPU_E_STALE, "");
        }
        rig_need(fgpu_pool_close(rig_pool));
    }
    rig_open("devices=cpu;workers=1;cache=;log=off");
    rig_works();
}

/* Objects of another pool where one of this pool belongs. */
static void test_foreign(void **state)
{
    (void)state;
    fgpu_pool mine = rig_pool;
    uint64_t other[HANDLE_EXEC + 1];
    rig_open("devices=cpu;workers=1;cache=;log=off");
    new_objects(other);
    fgpu_pool others = rig_pool;
    rig_pool = mine;
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    desc.dims = 1;
    desc.global[0] = 16;
    desc.args = &arg;
    desc.arg_count = 1;
    desc.kernel.bits = other[HANDLE_KERNEL];
    rig_refused(fgpu_task_submit(mine, &desc, NULL), FGPU_E_FOREIGN, "kernel");
    desc.kernel = kernel;
    desc.device.bits = other[HANDLE_DEVICE];
    rig_refused(fgpu_task_submit(mine, &desc, NULL), FGPU_E_FOREIGN, "device");
    desc.device.bits = 0;
    fgpu_task after[2] = {{other[HANDLE_TASK]}, {0}};
    desc.after = after;
    desc.after_count = 1;
    rig_refused(fgpu_task_submit(mine, &desc, NULL), FGPU_E_FOREIGN, "after[0]");
    rig_need(fgpu_task_submit(
        mine, &(fgpu_task_desc){.struct_bytes = sizeof desc, .kind = FGPU_TASK_EMPTY}, &after[0]));
    desc.after_count = 2;
    rig_refused(fgpu_task_submit(mine, &desc, NULL), FGPU_E_HANDLE, "after[1]");
    desc.after_count = 0;
    arg.buffer.bits = other[HANDLE_BUFFER];
    rig_refused(fgpu_task_submit(mine, &desc, NULL), FGPU_E_FOREIGN, "argument 0");
    rig_refused(fgpu_task_run(kernel, 16, &arg, 1, NULL), FGPU_E_FOREIGN, "argument 0");
    rig_refused(fgpu_buffer_copy(buffer, NULL, arg.buffer, NULL), FGPU_E_FOREIGN, "buffer");
    rig_need(fgpu_kernel_build(kernel));
    rig_refused(fgpu_kernel_build_log(kernel, (fgpu_device){other[HANDLE_DEVICE]}, NULL, 0, NULL),
                FGPU_E_FOREIGN, "device");
    fgpu_graph graph = rig_graph();
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_FOREIGN, "argument 0");
    rig_works();
    rig_pool = others;
    rig_works();
    rig_need(fgpu_pool_close(others));
    rig_pool = mine;
}

/* The child of a process that has a pool may not use it; a pool of its own rig_works. */
static void test_fork(void **state)
{
    (void)state;
    uint64_t handles[HANDLE_EXEC + 1];
    new_objects(handles);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int wrong = 0;
        for (size_t i = 0; i < COUNT_OF(calls); i++) {
            wrong += calls[i].make(handles[calls[i].kind]) != FGPU_E_FORKED ||
                     strstr(fgpu_last_error(), "parent") == NULL;
        }
        fgpu_pool own;
        wrong += fgpu_pool_open_text("devices=cpu;workers=1;cache=;log=off", &own) != FGPU_OK;
        wrong += fgpu_task_submit(own, &given_desc, NULL) != FGPU_OK;
        wrong += fgpu_pool_close(own) != FGPU_OK;
        _exit(wrong > 100 ? 100 : wrong);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rig_works();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_zero_and_other_kinds),
        RIG_ON(cpu, test_invented),
        RIG_ON(cpu, test_stale),
        RIG_ON(cpu, test_stale_after_many_pools),
        RIG_ON(cpu, test_foreign),
        RIG_ON(cpu, test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
