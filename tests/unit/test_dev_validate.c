/* The validate layer: each breach of the contract is found and named, by the caller and by a device
 * of the test's own that breaks it; legal use is left alone. And the trace layer: it tells every
 * call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "dev/layer/trace.h"
#include "dev/layer/validate.h"
#include "dev/null/null.h"
#include "dev/sim/sim.h"
#include "lib/device_kernels.h"

static const struct rig_target sim = {
    .name = "sim+validate", .backend = &sim_backend, .validate = true, .executes = true};

/* ---- the caller's breaches ------------------------------------------------------------------ */

static uint32_t value = 1;
static fgpu_cmd_arg args[2];

/* Everything that a row of the table may change; all of it legal to begin with. */
struct bodies {
    fgpu_cmd cmd;
    fgpu_cmd_launch launch;
    fgpu_cmd_copy copy;
    fgpu_cmd_fill fill;
    fgpu_cmd_host host;
};

static void bodies_fill(struct bodies *bodies, fgpu_mem mem, fgpu_code code)
{
    static unsigned char host[64];

    memset(bodies, 0, sizeof *bodies);
    args[0] = kernel_buffer(mem, 0, 64);
    args[1] = kernel_scalar(&value, 4);
    bodies->launch = kernel_launch(code, args, 2, 16, 8);
    bodies->copy = (fgpu_cmd_copy){.src = (uintptr_t)host,
                                   .src_is_host = 1,
                                   .dst = mem,
                                   .src_pitch_bytes = 16,
                                   .dst_pitch_bytes = 16,
                                   .row_bytes = 16,
                                   .rows = 4};
    bodies->fill = (fgpu_cmd_fill){
        .mem = mem, .pitch_bytes = 16, .row_bytes = 16, .rows = 4, .pattern_bytes = 8};
}

static void b_kind(struct bodies *b)
{
    b->cmd = (fgpu_cmd){9, 0, &b->fill};
}
static void b_flags(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_FILL, 16, &b->fill};
}
static void b_body(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_FILL, 0, NULL};
}
static void b_host(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_HOST, 0, &b->host};
}
static void launch_of(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_LAUNCH, 0, &b->launch};
}
static void b_code(struct bodies *b)
{
    launch_of(b);
    b->launch.code += 8;
}
static void b_dims(struct bodies *b)
{
    launch_of(b);
    b->launch.dims = 4;
}
static void b_empty(struct bodies *b)
{
    launch_of(b);
    b->launch.global[0] = 0;
}
static void b_group(struct bodies *b)
{
    launch_of(b);
    b->launch.dims = 2;
    b->launch.local[0] = 1024;
    b->launch.local[1] = 2;
}
static void b_arg_count(struct bodies *b)
{
    launch_of(b);
    b->launch.arg_count = 65;
}
static void b_arg_null(struct bodies *b)
{
    launch_of(b);
    b->launch.args = NULL;
}
static void b_arg_kind(struct bodies *b)
{
    launch_of(b);
    args[1].kind = 4;
}
static void b_arg_scalar(struct bodies *b)
{
    launch_of(b);
    args[1].u.value = NULL;
}
static void b_arg_local(struct bodies *b)
{
    launch_of(b);
    args[1] = kernel_local(0);
}
static void b_arg_range(struct bodies *b)
{
    launch_of(b);
    args[0].u.buffer.offset_bytes = 1;
}
static void b_arg_wrap(struct bodies *b)
{
    launch_of(b);
    args[0].u.buffer.offset_bytes = UINT64_MAX;
}
static void b_arg_mem(struct bodies *b)
{
    launch_of(b);
    args[0].u.buffer.mem += 1;
}
static void copy_of(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_COPY, 0, &b->copy};
}
static void b_copy_pitch(struct bodies *b)
{
    copy_of(b);
    b->copy.src_pitch_bytes = 15;
}
static void b_copy_range(struct bodies *b)
{
    copy_of(b);
    b->copy.dst_pitch_bytes = 17;
}
static void b_copy_source(struct bodies *b)
{
    copy_of(b);
    b->copy.src_is_host = 0;
    b->copy.src = b->copy.dst;
    b->copy.src_offset_bytes = 1;
}
static void b_copy_wrap(struct bodies *b)
{
    copy_of(b);
    b->copy.dst_pitch_bytes = UINT64_MAX / 2;
}
static void b_copy_hosts(struct bodies *b)
{
    copy_of(b);
    b->copy.dst_is_host = 1;
}
static void b_copy_none(struct bodies *b)
{
    copy_of(b);
    b->copy.src = 0;
}
static void fill_of(struct bodies *b)
{
    b->cmd = (fgpu_cmd){FGPU_CMD_FILL, 0, &b->fill};
}
static void b_fill_pattern(struct bodies *b)
{
    fill_of(b);
    b->fill.pattern_bytes = 3;
}
static void b_fill_range(struct bodies *b)
{
    fill_of(b);
    b->fill.offset_bytes = 1;
}
static void b_fill_wrap(struct bodies *b)
{
    fill_of(b);
    b->fill.offset_bytes = UINT64_MAX;
}
static void b_fill_mem(struct bodies *b)
{
    fill_of(b);
    b->fill.mem = 0;
}

static const struct {
    void (*breach)(struct bodies *bodies);
    const char *reason;
} breaches[] = {
    {b_kind, "unknown kind (9"},
    {b_flags, "unknown flags (16"},
    {b_body, "body is NULL"},
    {b_host, "host call"},
    {b_code, "code handle is not known"},
    {b_dims, "launch dimensions (4"},
    {b_empty, "0 items"},
    {b_group, "items of a work group (2048, limit 1024)"},
    {b_arg_count, "arguments of a launch (65"},
    {b_arg_null, "arguments are NULL"},
    {b_arg_kind, "argument of unknown kind (4"},
    {b_arg_scalar, "scalar argument"},
    {b_arg_local, "local argument of 0"},
    {b_arg_range, "argument ends behind its allocation (65, limit 64)"},
    {b_arg_wrap, "argument range wraps"},
    {b_arg_mem, "memory handle is not known"},
    {b_copy_pitch, "rows of a copy overlap (16, limit 15)"},
    {b_copy_range, "copy writes behind the allocation (67, limit 64)"},
    {b_copy_source, "copy reads behind the allocation (65, limit 64)"},
    {b_copy_wrap, "range of a copy wraps"},
    {b_copy_hosts, "copy from host to host"},
    {b_copy_none, "copy without memory"},
    {b_fill_pattern, "pattern or pitch of a fill (3"},
    {b_fill_range, "fill ends behind the allocation (65, limit 64)"},
    {b_fill_wrap, "range of a fill wraps"},
    {b_fill_mem, "memory handle is not known (0"},
};

static void expect_reason(struct rig *rig, const char *text)
{
    char reason[300];

    device_reason(&rig->device, reason, sizeof reason);
    if (strstr(reason, "validate layer: ") != reason || strstr(reason, text) == NULL)
        fail_msg("reason is \"%s\", expected \"%s\"", reason, text);
}

/* Past the checked calls, whose assertions would be first. */
static uint32_t submit_raw(struct rig *rig, const fgpu_cmd *cmd)
{
    struct device_queue *queue = &rig->queues[0];

    return rig->device.backend->submit(queue->self, cmd, 1, &queue->accepted);
}

static void test_breaches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
        struct bodies bodies;
        struct rig rig;

        rig_open(&rig, &sim);
        fgpu_mem mem = rig_alloc(&rig, 64);
        fgpu_code code = kernel_build(&rig, KERNEL_STAMP);
        bodies_fill(&bodies, mem, code);
        assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, 0, &bodies.fill), FGPU_OK);
        uint32_t seen = doorbell_read(&rig.bell);
        breaches[i].breach(&bodies);
        assert_int_equal(submit_raw(&rig, &bodies.cmd), 0);
        assert_true(doorbell_read(&rig.bell) != seen);
        for (uint32_t queue = 0; queue < 2; queue++) /* all queues stop */
            assert_int_equal(device_poll(&rig.queues[queue]), FGPU_E_DEVICE);
        assert_true(rig.queues[0].finished == 1);
        expect_reason(&rig, breaches[i].reason);
        device_code_free(&rig.device, code);
        rig_free(&rig, mem);
        rig_close(&rig);
    }
}

/* The same bodies unchanged pass, again and again. */
static void test_legal(void **state)
{
    struct bodies bodies;
    struct rig rig;

    (void)state;
    rig_open(&rig, &sim);
    fgpu_mem mem = rig_alloc(&rig, 64);
    fgpu_code code = kernel_build(&rig, KERNEL_STAMP);
    bodies_fill(&bodies, mem, code);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, FGPU_CMD_TIMED, &bodies.launch), 0);
        assert_int_equal(rig_run(&rig, 1, FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &bodies.copy), 0);
        assert_int_equal(rig_run(&rig, 0, FGPU_CMD_FILL, FGPU_CMD_CHAINED, &bodies.fill), 0);
    }
    device_code_free(&rig.device, code);
    rig_free(&rig, mem);
    rig_close(&rig);
}

/* Things that are in flight: a body twice, memory and code that are freed. */
static void test_in_flight(void **state)
{
    static const char *const reasons[] = {"body is in flight already", "is freed while in flight",
                                          "is freed while in flight", "is freed but not known",
                                          "is freed but not known"};

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct bodies bodies;
        struct rig rig;

        rig_open(&rig, &sim);
        fgpu_mem mem = rig_alloc(&rig, 64);
        fgpu_code code = kernel_build(&rig, KERNEL_STAMP);
        bodies_fill(&bodies, mem, code);
        launch_of(&bodies);
        assert_int_equal(submit_raw(&rig, &bodies.cmd), 1);
        if (i == 0)
            assert_int_equal(submit_raw(&rig, &bodies.cmd), 0);
        else if (i == 1)
            rig.device.backend->mem_free(rig.device.self, mem);
        else if (i == 2)
            rig.device.backend->code_free(rig.device.self, code);
        else if (i == 3)
            rig.device.backend->mem_free(rig.device.self, mem + 1);
        else
            rig.device.backend->code_free(rig.device.self, code + 8);
        expect_reason(&rig, reasons[i]);
        /* The launch below would use what is gone: the queue is closed first in real life. */
        for (uint32_t queue = 0; queue < rig.queue_count; queue++)
            if (i != 2)
                device_queue_close(&rig.queues[queue]);
        if (i == 2) { /* its code is gone: leave the command where it is */
            bodies.launch.code = 0;
            for (uint32_t queue = 0; queue < rig.queue_count; queue++)
                device_queue_close(&rig.queues[queue]);
        } else {
            device_code_free(&rig.device, code);
        }
        if (i != 1)
            rig_free(&rig, mem);
        device_close(&rig.device);
    }
}

/* ---- a device that breaks the contract ------------------------------------------------------ */

static enum { LIES_NONE, LIES_RESULT, LIES_NUMBER, LIES_BACKWARDS, LIES_SKIP, LIES_COUNT } lie;
static uint64_t liar_number;

static uint32_t liar_submit(void *queue, const fgpu_cmd *cmds, uint32_t count, uint64_t *last)
{
    uint32_t taken = null_backend.submit(queue, cmds, count, last);

    liar_number = *last;
    if (lie == LIES_RESULT)
        ((fgpu_cmd_result *)cmds[0].body)->status = 3;
    if (lie == LIES_SKIP)
        ((fgpu_cmd_result *)cmds[0].body)->status = FGPU_E_CANCELLED;
    if (lie == LIES_COUNT)
        ++*last;
    return taken;
}

static fgpu_status liar_poll(void *queue, uint64_t *number)
{
    fgpu_status status = null_backend.poll(queue, number);

    if (lie == LIES_NUMBER)
        *number = liar_number + 1;
    if (lie == LIES_BACKWARDS && liar_number > 1)
        *number = 0;
    return status;
}

static void test_liars(void **state)
{
    static const char *const reasons[] = {"",
                                          "result not written",
                                          "device finished 3",
                                          "device finished 0",
                                          "not to be skipped",
                                          "took 1 of 1, number 3"};
    fgpu_backend liar = null_backend;
    const struct rig_target target = {.name = "liar", .backend = &liar, .validate = true};

    (void)state;
    liar.submit = liar_submit;
    liar.poll = liar_poll;
    for (int i = LIES_NONE; i <= LIES_COUNT; i++) {
        fgpu_cmd_result results[2] = {0};
        fgpu_cmd cmds[2] = {{FGPU_CMD_FENCE, 0, &results[0]}, {FGPU_CMD_FENCE, 0, &results[1]}};
        uint64_t last;
        struct rig rig;

        lie = LIES_NONE;
        rig_open(&rig, &target);
        struct device_queue *queue = &rig.queues[0];
        (void)rig.device.backend->submit(queue->self, &cmds[0], 1, &last);
        assert_int_equal(device_poll(&(struct device_queue){
                             .device = &rig.device, .self = queue->self, .accepted = 1}),
                         FGPU_OK);
        lie = (unsigned)i;
        (void)rig.device.backend->submit(queue->self, &cmds[1], 1, &last);
        uint64_t number;
        fgpu_status status = rig.device.backend->poll(queue->self, &number);
        assert_int_equal(status, i == LIES_NONE ? FGPU_OK : FGPU_E_DEVICE);
        if (i != LIES_NONE)
            expect_reason(&rig, reasons[i]);
        lie = LIES_NONE;
        rig_close(&rig);
    }
}

/* ---- trace ---------------------------------------------------------------------------------- */

static char traced[512];

static void record(void *user, const struct layer_trace_event *event)
{
    static const char letters[] = "?AFBCQqcrpX";
    size_t used = strlen(traced);

    assert_ptr_equal(user, traced);
    (void)snprintf(traced + used, sizeof traced - used, "%c%llu%s ", letters[event->kind],
                   (unsigned long long)event->number, event->status != FGPU_OK ? "!" : "");
}

static void ring(void *arg)
{
    doorbell_ring(arg);
}

static void test_trace(void **state)
{
    const fgpu_backend_options options = {0};
    struct doorbell bell = {0};
    struct rig rig = {0};
    const struct layer_trace_sink sink = {record, traced};
    const struct registry_match match = {.backend = &null_backend};
    fgpu_cmd_fill fill = {.row_bytes = 4, .pitch_bytes = 4, .rows = 1, .pattern_bytes = 4};
    fgpu_cmd_result fence = {0};
    fgpu_cmd cmds[2] = {{FGPU_CMD_FILL, 0, &fill}, {FGPU_CMD_FENCE, 0, &fence}};
    struct device_queue queue;
    fgpu_mem mem;

    (void)state;
    doorbell_init(&bell);
    rig.ringer = (fgpu_doorbell){ring, &bell};
    assert_int_equal(device_open(&rig.device, &match, &options, &rig.ringer), FGPU_OK);
    assert_int_equal(device_wrap_trace(&rig.device, &sink), FGPU_OK);
    assert_int_equal(device_mem_alloc(&rig.device, 4, &mem), FGPU_OK);
    assert_int_equal(device_mem_alloc(&rig.device, UINT64_MAX, &fill.mem), FGPU_E_DEVMEM);
    assert_int_equal(device_queue_open(&rig.device, 0, &queue), FGPU_OK);
    assert_int_equal(device_submit(&queue, cmds, 2), 2);
    assert_int_equal(device_poll(&queue), FGPU_OK);
    assert_int_equal(device_poll(&queue), FGPU_OK); /* nothing new: not told */
    device_queue_close(&queue);
    device_mem_free(&rig.device, mem);
    device_close(&rig.device);
    assert_string_equal(traced, "A0 A0! Q0 c1 c2 p2 q0 F0 X0 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaches),  cmocka_unit_test(test_legal),
        cmocka_unit_test(test_in_flight), cmocka_unit_test(test_liars),
        cmocka_unit_test(test_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
