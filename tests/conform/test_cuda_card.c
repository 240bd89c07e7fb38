/* What only a card can confirm: kernels that break its context or never end, each in a process of
 * its own, since drivers may not let one go on afterwards. Skips without a card.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "dev/cuda/queue.h"
#include "lib/device_kernels.h"

static struct rig_target target = {.name = "cuda:0", .backend = &cuda_backend, .executes = true};

static fgpu_code build(struct rig *rig, const char *text)
{
    fgpu_code_source source = {
        .kind = FGPU_VARIANT_CUDA, .arg_count = 1, .text = text, .entry = "k", .options = ""};
    fgpu_code_built built;

    if (device_code_build(&rig->device, &source, &built) != FGPU_OK)
        fail_msg("%s: %s", error_text(), built.log != NULL ? built.log : "");
    free(built.log);
    return built.code;
}

/* Runs `body` in a child; it must not take longer than a minute. */
static void apart(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void break_by(const char *text, const char *part)
{
    struct rig rig;
    char reason[300];

    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, 64)};
    fgpu_cmd_launch launch = kernel_launch(build(&rig, text), args, 1, 32, 32);
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launch};
    (void)device_submit(&rig.queues[0], &cmd, 1);
    fgpu_status status = rig_await(&rig, 0, rig.queues[0].accepted + 1);
    device_reason(&rig.device, reason, sizeof reason);
    if (status != FGPU_E_DEVICE_LOST || strstr(reason, part) == NULL) {
        (void)fprintf(stderr, "%s: \"%s\" lacks \"%s\"\n", fgpu_status_name(status), reason, part);
        _exit(1);
    }
    device_code_free(&rig.device, launch.code);
    rig_free(&rig, mem);
    rig_close(&rig);
}

static void illegal(void)
{
    break_by("__global__ void k(int *p) { ((volatile int *)16)[threadIdx.x] = *p; }",
             "CUDA_ERROR_ILLEGAL_ADDRESS");
}

static void trap(void)
{
    break_by("__global__ void k(int *p) { if (p) __trap(); }", "a kernel");
}

/* Nothing waits for it but the closing queue, and that gives up. */
static void endless(void)
{
    static const char text[] =
        "__global__ void k(volatile int *p) { while (*p == 0) __nanosleep(1000); }";
    struct rig rig;
    uint32_t zero[16] = {0};
    fgpu_cmd_copy copy = {
        .src = (uintptr_t)zero, .src_is_host = 1, .row_bytes = sizeof zero, .rows = 1};

    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64), other = rig_alloc(&rig, 64);
    rig_write(&rig, mem, 0, zero, sizeof zero);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, 64)};
    fgpu_cmd_launch launch = kernel_launch(build(&rig, text), args, 1, 1, 1);
    fgpu_cmd cmds[600];
    static fgpu_cmd_fill fills[600];
    cmds[0] = (fgpu_cmd){FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launch};
    for (int i = 1; i < 600; i++) {
        fills[i] = (fgpu_cmd_fill){
            .mem = other, .row_bytes = 64, .pitch_bytes = 64, .rows = 1, .pattern_bytes = 4};
        cmds[i] = (fgpu_cmd){FGPU_CMD_FILL, 0, &fills[i]};
    }
    (void)device_submit(&rig.queues[0], cmds, 600);
    copy.dst = other; /* another queue goes on beside it */
    (void)rig_run(&rig, 1, FGPU_CMD_COPY, 0, &copy);
    rig_close(&rig);
}

static void endless_short(void)
{
    cuda_queue_drain_ns = 2000000000;
    endless();
    _exit(0); /* the driver's own end would wait for the kernel */
}

static void test_illegal(void **state)
{
    (void)state;
    apart(illegal);
}

static void test_trap(void **state)
{
    (void)state;
    apart(trap);
}

static void test_endless(void **state)
{
    (void)state;
    apart(endless_short);
}

/* Asked in a child, so that this process stays one that has not used the driver. */
static bool card_is_there(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0) {
        uint32_t count = 0;
        char why[512] = "";
        fgpu_status found = cuda_backend.probe(&target.options, NULL, 0, &count, why, sizeof why);
        if (found != FGPU_OK)
            (void)fprintf(stderr, "skipped: %s\n", why);
        _exit(found == FGPU_OK ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_illegal),
        cmocka_unit_test(test_trap),
        cmocka_unit_test(test_endless),
    };

    target.cuda_library = getenv("FASTGPU_CUDA_LIBRARY");
    if (!card_is_there())
        return 77;
    return cmocka_run_group_tests_name("cuda card", tests, NULL, NULL);
}
