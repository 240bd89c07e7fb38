/* FGPU_CMD_BATCH on the devices that take it, bare and under all layers: order, the first failure
 * ends it, what the two counters say, skipping behind it, faults in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "dev/cpu/cpu.h"
#include "dev/null/null.h"
#include "lib/device_rig.h"

#define COUNT 20u

static const struct rig_target targets[] = {
    {.name = "cpu", .backend = &cpu_backend, .options = {.cpu_workers = 2}, .executes = true},
    {.name = "cpu with layers",
     .backend = &cpu_backend,
     .options = {.cpu_workers = 2},
     .executes = true,
     .validate = true,
     .trace = true,
     .faults = "seed=1"},
    {.name = "null", .backend = &null_backend, .options = {.cpu_workers = 1}},
    {.name = "null with layers",
     .backend = &null_backend,
     .options = {.cpu_workers = 1},
     .validate = true,
     .trace = true,
     .faults = "seed=1"},
};

/* Appends its scalar to a log; 99 fails. */
static int batch_note(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *log = args[0], value;
    (void)range;
    (void)user;
    memcpy(&value, args[1], sizeof value);
    if (value == 99)
        return 1;
    log[++log[0]] = value;
    return 0;
}

struct batch_rig {
    struct rig rig;
    fgpu_code_built built;
    uint32_t log[COUNT + 1];
    uint32_t values[COUNT];
    fgpu_cmd_arg args[COUNT][2];
    fgpu_cmd_launch launches[COUNT];
    fgpu_cmd cmds[COUNT];
    fgpu_cmd_batch batch;
};

static void batch_open(struct batch_rig *batch, const struct rig_target *target)
{
    memset(batch, 0, sizeof *batch);
    rig_open(&batch->rig, target);
    fgpu_code_source source = {.kind = FGPU_VARIANT_NATIVE,
                               .arg_count = 2,
                               .entry = "note",
                               .options = "",
                               .native = batch_note};
    assert_int_equal(device_code_build(&batch->rig.device, &source, &batch->built), FGPU_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        batch->values[i] = i;
        batch->args[i][0] = (fgpu_cmd_arg){.kind = FGPU_ARG_BUFFER,
                                           .size_bytes = sizeof batch->log,
                                           .u.buffer = {(uintptr_t)batch->log, 0}};
        batch->args[i][1] =
            (fgpu_cmd_arg){.kind = FGPU_ARG_SCALAR, .size_bytes = 4, .u.value = &batch->values[i]};
        batch->launches[i] = (fgpu_cmd_launch){.code = batch->built.code,
                                               .args = batch->args[i],
                                               .arg_count = 2,
                                               .dims = 1,
                                               .global = {1, 1, 1},
                                               .local = {1, 1, 1}};
        batch->cmds[i] = (fgpu_cmd){.kind = FGPU_CMD_LAUNCH, .body = &batch->launches[i]};
    }
    batch->batch = (fgpu_cmd_batch){.cmds = batch->cmds, .count = COUNT};
}

static void batch_close(struct batch_rig *batch)
{
    device_code_free(&batch->rig.device, batch->built.code);
    rig_close(&batch->rig);
}

static void test_in_order(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        struct batch_rig batch;
        batch_open(&batch, &targets[t]);
        assert_int_equal(batch.rig.device.caps.batches, 1);
        assert_int_equal(
            rig_run(&batch.rig, 0, FGPU_CMD_BATCH, FGPU_CMD_TIMED | FGPU_CMD_NOTIFY, &batch.batch),
            FGPU_OK);
        assert_int_equal(batch.batch.done, COUNT);
        assert_int_equal(batch.batch.begun, COUNT);
        for (uint32_t i = 0; targets[t].executes && i < COUNT; i++)
            assert_int_equal(batch.log[i + 1], i);
        if (targets[t].executes)
            assert_true(batch.batch.result.timed &&
                        batch.batch.result.end_ns >= batch.batch.result.start_ns);
        fgpu_cmd_batch none = {.count = 0};
        assert_int_equal(rig_run(&batch.rig, 0, FGPU_CMD_BATCH, FGPU_CMD_NOTIFY, &none), FGPU_OK);
        batch_close(&batch);
    }
}

static void test_the_first_failure_ends_it(void **state)
{
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        struct batch_rig batch;
        batch_open(&batch, &targets[t]);
        batch.values[7] = 99;
        fgpu_cmd_batch behind = {.cmds = batch.cmds, .count = 3};
        fgpu_cmd_result fence;
        fgpu_cmd_batch after = {.cmds = batch.cmds, .count = 2};
        fgpu_cmd cmds[] = {
            {FGPU_CMD_BATCH, 0, &batch.batch},
            {FGPU_CMD_BATCH, FGPU_CMD_CHAINED, &behind},
            {FGPU_CMD_FENCE, 0, &fence},
            {FGPU_CMD_BATCH, FGPU_CMD_CHAINED | FGPU_CMD_NOTIFY, &after},
        };
        rig_wait(&batch.rig, 0, rig_submit(&batch.rig, 0, cmds, 4));
        assert_int_equal(batch.batch.result.status, FGPU_E_TASK);
        assert_int_equal(batch.batch.done, 7);
        assert_int_equal(batch.batch.begun, 8);
        assert_int_equal(behind.result.status, FGPU_E_CANCELLED);
        assert_int_equal(behind.done + behind.begun, 0);
        assert_int_equal(after.result.status, FGPU_OK);
        assert_int_equal(batch.log[0], 7 + 2);
        batch_close(&batch);
    }
}

/* Copies and fills too; nothing else. */
static void test_kinds(void **state)
{
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        struct batch_rig batch;
        uint32_t from[4] = {0}, to[4] = {0};
        batch_open(&batch, &targets[t]);
        fgpu_cmd_fill fill = {.mem = (uintptr_t)from,
                              .pitch_bytes = sizeof from,
                              .row_bytes = sizeof from,
                              .rows = 1,
                              .pattern_bytes = 1,
                              .pattern = {5}};
        fgpu_cmd_copy copy = {.src = (uintptr_t)from,
                              .dst = (uintptr_t)to,
                              .src_is_host = 1,
                              .dst_is_host = 1,
                              .src_pitch_bytes = sizeof to,
                              .dst_pitch_bytes = sizeof to,
                              .row_bytes = sizeof to,
                              .rows = 1};
        fgpu_cmd cmds[] = {{FGPU_CMD_FILL, 0, &fill}, {FGPU_CMD_COPY, 0, &copy}};
        fgpu_cmd_batch both = {.cmds = cmds, .count = 2};
        assert_int_equal(rig_run(&batch.rig, 0, FGPU_CMD_BATCH, FGPU_CMD_NOTIFY, &both), FGPU_OK);
        assert_int_equal(to[3], 0x05050505);
        batch_close(&batch);
    }
    struct batch_rig batch;
    batch_open(&batch, &targets[0]);
    fgpu_cmd_result fence;
    fgpu_cmd inner = {FGPU_CMD_FENCE, 0, &fence};
    fgpu_cmd_batch bad = {.cmds = &inner, .count = 1};
    assert_int_equal(rig_run(&batch.rig, 0, FGPU_CMD_BATCH, FGPU_CMD_NOTIFY, &bad), FGPU_E_INVAL);
    assert_int_equal(bad.done, 0);
    batch_close(&batch);
}

/* The validate layer refuses what is wrong inside: the queue stops. */
static void test_validated(void **state)
{
    (void)state;
    for (uint32_t wrong = 0; wrong < 4; wrong++) {
        struct batch_rig batch;
        char text[256];
        batch_open(&batch, &targets[1]);
        if (wrong == 0)
            batch.launches[3].code = 12345;
        else if (wrong == 1)
            batch.cmds[3].flags = FGPU_CMD_CHAINED;
        else if (wrong == 2)
            batch.cmds[3].kind = FGPU_CMD_BATCH;
        else
            batch.batch.done = 1;
        uint64_t last = batch.rig.queues[0].accepted;
        fgpu_cmd cmd = {FGPU_CMD_BATCH, FGPU_CMD_NOTIFY, &batch.batch};
        assert_int_equal(device_submit(&batch.rig.queues[0], &cmd, 1), 0);
        assert_int_equal(rig_await(&batch.rig, 0, last + 1), FGPU_E_DEVICE);
        device_reason(&batch.rig.device, text, sizeof text);
        assert_non_null(strstr(text, "command"));
        assert_int_equal(batch.log[0], 0);
        batch_close(&batch);
    }
}

/* A fault strikes in the middle: what was before has run, what comes after has not. */
static void test_faults_in_the_middle(void **state)
{
    (void)state;
    struct rig_target target = targets[1];
    uint32_t failed = 0, middle = 0;
    target.faults = "seed=3,task=30";
    struct batch_rig batch;
    batch_open(&batch, &target);
    for (uint32_t i = 0; i < 200; i++) {
        batch.log[0] = 0;
        batch.batch.done = batch.batch.begun = 0;
        fgpu_status status = rig_run(&batch.rig, 0, FGPU_CMD_BATCH, FGPU_CMD_NOTIFY, &batch.batch);
        assert_true(status == FGPU_OK || status == FGPU_E_DEVICE);
        assert_int_equal(batch.batch.done, batch.log[0]);
        assert_int_equal(batch.batch.begun, batch.batch.done + (status != FGPU_OK));
        failed += status != FGPU_OK;
        middle += status != FGPU_OK && batch.batch.done > 0;
    }
    assert_true(failed > 20 && failed < 180 && middle > 20); /* 1 - 0.97^20 = 46 % of 200 */
    batch_close(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_the_first_failure_ends_it),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_validated),
        cmocka_unit_test(test_faults_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
