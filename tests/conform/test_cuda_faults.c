/* What goes wrong with CUDA: libraries that are missing, old or broken, memory that is full,
 * kernels that break the context or never end. Each is a clear error, and nothing hangs. Runs
 * against the fake driver alone.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "dev/cuda/loader.h"
#include "dev/cuda/queue.h"
#include "lib/fakecuda_rig.h"

static struct rig_target target = {.name = "cuda", .backend = &cuda_backend, .executes = true};

static int setup(void **state)
{
    (void)state;
    fake.reset();
    rig_cuda_library(fake.path);
    target.cuda_library = fake.path;
    target.index = 0;
    return 0;
}

static fgpu_status probe(char *why, size_t why_bytes)
{
    uint32_t count = 0;

    why[0] = '\0';
    return cuda_backend.probe(&target.options, NULL, 0, &count, why, why_bytes);
}

static void expect_probe(fgpu_status expected, const char *part)
{
    char why[512];
    fgpu_status status = probe(why, sizeof why);

    if (status != expected || strstr(why, part) == NULL)
        fail_msg("%s \"%s\" instead of %s with \"%s\"", fgpu_status_name(status), why,
                 fgpu_status_name(expected), part);
}

/* ---- libraries ------------------------------------------------------------------------------ */

/* First of all: a driver that has started stays so. */
static void test_start(void **state)
{
    (void)state;
    (void)setenv("FASTGPU_CUDA_LIBRARY", "/nonexistent/libcuda.so.1", 1);
    expect_probe(FGPU_E_NOTFOUND, "/nonexistent/libcuda.so.1 (FASTGPU_CUDA_LIBRARY)");
    (void)setenv("FASTGPU_CUDA_LIBRARY", "libm.so.6", 1);
    expect_probe(FGPU_E_UNSUPPORTED, "lacks cuInit");
    (void)setenv("FASTGPU_CUDA_LIBRARY", fake.path, 1);
    fake.set("version", 11040);
    expect_probe(FGPU_E_UNSUPPORTED, "CUDA 11.4, 12.0 is needed; install driver 525");
    fake.set("version", 13000);
    fake.set("init_error", 803);
    expect_probe(FGPU_E_DEVICE, "load the new module or restart");
    fake.set("init_error", 100);
    expect_probe(FGPU_E_NODEVICE, "CUDA_ERROR_NO_DEVICE (100)");
    fake.set("init_error", 0);
    fake.set("devices", 0);
    expect_probe(FGPU_E_NODEVICE, "CUDA_ERROR_NO_DEVICE");
    fake.set("devices", 2);
    expect_probe(FGPU_OK, "");
}

static void test_no_driver(void **state)
{
    char why[512];
    fgpu_status status;

    (void)state;
    (void)unsetenv("FASTGPU_CUDA_LIBRARY");
    status = probe(why, sizeof why);
    if (status == FGPU_OK)
        skip(); /* this machine has one */
    if (dlopen("libcuda.so.1", RTLD_LAZY) == NULL) {
        assert_int_equal(status, FGPU_E_NODEVICE);
        assert_string_equal(why, "there is no libcuda.so.1: install the NVIDIA driver");
    }
}

static void test_explain(void **state)
{
    static const struct {
        cuda_result error;
        enum cuda_nodes nodes;
        const char *part;
    } cases[] = {
        {100, CUDA_NODES_DENIED, "no permission on /dev/nvidiactl"},
        {100, CUDA_NODES_ABSENT, "modprobe nvidia"},
        {100, CUDA_NODES_THERE, "CUDA_VISIBLE_DEVICES"},
        {34, CUDA_NODES_ABSENT, "for linking only"},
        {802, CUDA_NODES_THERE, "nvidia-fabricmanager"},
        {804, CUDA_NODES_THERE, "compatibility library"},
        {46, CUDA_NODES_THERE, "another process"},
        {12345, CUDA_NODES_THERE, "an unknown CUDA error (12345)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[300] = "";
        cuda_loader_explain(cases[i].error, cases[i].nodes, why, sizeof why);
        if (strstr(why, cases[i].part) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", why, cases[i].part);
    }
    assert_int_equal(cuda_loader_nodes("/nonexistent"), CUDA_NODES_ABSENT);
}

static fgpu_status build(struct rig *rig, const char *text, const char *entry, uint32_t args,
                         fgpu_code_built *built)
{
    fgpu_code_source source = {
        .kind = FGPU_VARIANT_CUDA, .arg_count = args, .text = text, .entry = entry, .options = ""};

    return device_code_build(&rig->device, &source, built);
}

static void expect_build(struct rig *rig, const char *text, uint32_t args, fgpu_status expected,
                         const char *part)
{
    fgpu_code_built built;
    fgpu_status status = build(rig, text, "k", args, &built);
    const char *log = built.log != NULL ? built.log : "";

    if (status != expected || (strstr(log, part) == NULL && strstr(error_text(), part) == NULL))
        fail_msg("%s \"%s\" log \"%s\" instead of %s with \"%s\"", fgpu_status_name(status),
                 error_text(), log, fgpu_status_name(expected), part);
    device_code_free(&rig->device, built.code);
    free(built.log);
}

static const char twice[] =
    "extern \"C\" __global__ void k(unsigned *p, unsigned n) { unsigned i = blockIdx.x * "
    "blockDim.x + threadIdx.x; if (i < n) p[i] *= 2; }";

static void test_nvrtc(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    (void)setenv("FASTGPU_NVRTC_LIBRARY", "/nonexistent/libnvrtc.so.12", 1);
    expect_build(&rig, twice, 2, FGPU_E_UNSUPPORTED, "install NVRTC 12 or 13");
    (void)setenv("FASTGPU_NVRTC_LIBRARY", "libm.so.6", 1);
    expect_build(&rig, twice, 2, FGPU_E_UNSUPPORTED, "lacks nvrtcVersion");
    (void)setenv("FASTGPU_NVRTC_LIBRARY", fake.path, 1);
    fake.set("nvrtc_least", 100);
    expect_build(&rig, twice, 2, FGPU_E_UNSUPPORTED, "capability 10.0 and newer, the card has 9.0");
    fake.reset();
    fake.set("nvrtc_most", 80); /* older than the card: by way of PTX */
    expect_build(&rig, twice, 2, FGPU_OK, "");
    fake.reset();
    expect_build(&rig, "__global__ void k(int *p) { p[0] = ; }", 1, FGPU_E_BUILD, "kernel.cu:1");
    expect_build(&rig, "__global__ void other(int *p) { }", 1, FGPU_E_BUILD, "\"k\" is not");
    expect_build(&rig, twice, 3, FGPU_E_BUILD, "takes 2 arguments, 3 are declared");
    fake.set("param_error", CUDA_ERROR_NOT_SUPPORTED); /* then it is not known */
    expect_build(&rig, twice, 2, FGPU_OK, "");
    fake.set("param_error", 0);
    fake.set("load_error_once", CUDA_ERROR_INVALID_PTX);
    expect_build(&rig, twice, 2, FGPU_E_BUILD, "fake log of the driver");
    fake.set("load_error_once", CUDA_ERROR_OUT_OF_MEMORY);
    expect_build(&rig, twice, 2, FGPU_E_DEVMEM, "CUDA_ERROR_OUT_OF_MEMORY");
    rig_close(&rig);
    fake_check_clean();
}

/* ---- opening -------------------------------------------------------------------------------- */

static void expect_open(fgpu_status expected, const char *part)
{
    struct registry_match match = {.backend = &cuda_backend, .index = target.index};
    struct doorbell bell;
    fgpu_doorbell ringer = {NULL, &bell};
    void *device = NULL;

    ringer.ring = (void (*)(void *))doorbell_ring;
    (void)match;
    doorbell_init(&bell);
    assert_int_equal(cuda_backend.open(&target.options, target.index, &ringer, &device), expected);
    if (strstr(error_text(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error_text(), part);
}

static void test_open(void **state)
{
    (void)state;
    fake.set("retain_error", CUDA_ERROR_DEVICE_UNAVAILABLE);
    expect_open(FGPU_E_DEVICE, "another process has it for itself");
    fake.set("compute_mode", 2);
    expect_open(FGPU_E_DEVICE, "its compute mode lets no process use it");
    fake.set("compute_mode", 0);
    fake.set("retain_error", CUDA_ERROR_OUT_OF_MEMORY);
    expect_open(FGPU_E_DEVMEM, "CUDA_ERROR_OUT_OF_MEMORY");
    fake.set("retain_error", CUDA_ERROR_ILLEGAL_ADDRESS);
    expect_open(FGPU_E_DEVICE, "start the process anew");
    fake.reset();
    target.index = 7;
    expect_open(FGPU_E_RANGE, "there is no device 7, only 2");
    fake_check_clean();
}

static void test_fork(void **state)
{
    int status = 0;
    char why[512];
    pid_t child;

    (void)state;
    (void)registry_backend("none"); /* from here on forks are counted, as in any pool */
    assert_int_equal(probe(why, sizeof why), FGPU_OK);
    child = fork();
    if (child == 0)
        _exit(probe(why, sizeof why) == FGPU_E_NODEVICE && strstr(why, "fork") != NULL ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void memory_full(long pools)
{
    struct rig rig;
    fgpu_mem mem = 0;
    int before = fake.blocks(), blocks = 0;

    fake.set("pools", pools);
    rig_open(&rig, &target);
    blocks = fake.blocks();
    fake.set("alloc_error", CUDA_ERROR_OUT_OF_MEMORY);
    assert_int_equal(device_mem_alloc(&rig.device, 4096, &mem), FGPU_E_DEVMEM);
    fake.set("alloc_error", 0);
    fgpu_mem kept = rig_alloc(&rig, 4096);
    assert_int_equal(device_mem_alloc(&rig.device, 1 << 28, &mem), FGPU_E_DEVMEM);
    assert_non_null(strstr(error_text(), "4096 of 268435456 in use"));
    rig_free(&rig, mem);
    assert_int_equal(fake.blocks(), blocks + 1);
    rig_free(&rig, kept);
    rig_close(&rig);
    assert_int_equal(fake.blocks(), before);
    fake.set("pools", 1);
}

static void test_memory(void **state)
{
    struct rig rig;

    (void)state;
    for (long pools = 0; pools < 2; pools++) {
        fgpu_mem mem[3];
        fake.set("pools", pools);
        rig_open(&rig, &target);
        int blocks = fake.blocks(); /* pinned ones of its queues */
        for (int i = 0; i < 3; i++)
            mem[i] = rig_alloc(&rig, 1000u << i);
        assert_int_equal(fake.blocks(), blocks + 3);
        for (int i = 0; i < 3; i++)
            rig_free(&rig, mem[i]);
        rig_close(&rig);
        fake_check_clean();
    }
}

/* ---- commands that fail alone --------------------------------------------------------------- */

static fgpu_status launch_once(struct rig *rig, const fgpu_cmd_launch *launch)
{
    fgpu_cmd_launch copy = *launch;

    return rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &copy);
}

static void test_launches(void **state)
{
    struct rig rig;
    uint32_t n = 100, values[100];
    fgpu_code_built built;

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, sizeof values);
    for (uint32_t i = 0; i < n; i++)
        values[i] = i;
    rig_write(&rig, mem, 0, values, sizeof values);
    assert_int_equal(build(&rig, twice, "k", 2, &built), FGPU_OK);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, sizeof values), kernel_scalar(&n, 4)};
    fgpu_cmd_launch launch = kernel_launch(built.code, args, 2, 100, 0);
    assert_int_equal(launch_once(&rig, &launch), FGPU_OK); /* the size is ours to choose */
    launch.global[0] = 97;                                 /* of no divisor but 1 */
    assert_int_equal(launch_once(&rig, &launch), FGPU_OK);
    launch.local[0] = 10;
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_INVAL);
    launch.global[0] = launch.local[0] = 2048; /* larger than a block may be */
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_INVAL);
    launch.global[0] = launch.local[0] = 100;
    args[1].size_bytes = 8;
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_INVAL);
    args[1] = kernel_local(200000);
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_INVAL);
    args[1] = kernel_scalar(&n, 4);
    fake.set("launch_error_once", CUDA_ERROR_OUT_OF_MEMORY); /* no room at the moment */
    assert_int_equal(launch_once(&rig, &launch), FGPU_OK);
    fake.set("launch_error_once", CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_INVAL);
    fake.set("launch_error", CUDA_ERROR_OUT_OF_MEMORY); /* never any */
    assert_int_equal(launch_once(&rig, &launch), FGPU_E_DEVMEM);
    fake.set("launch_error", 0);
    assert_int_equal(launch_once(&rig, &launch), FGPU_OK);
    rig_read(&rig, mem, 0, values, sizeof values);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(values[i], i * (i < 97 ? 16 : 8));
    device_code_free(&rig.device, built.code);
    rig_free(&rig, mem);
    rig_close(&rig);
    fake_check_clean();
}

/* ---- a context that breaks ------------------------------------------------------------------ */

static void expect_lost(struct rig *rig, uint32_t queue, const char *part)
{
    char reason[300];

    assert_int_equal(rig_await(rig, queue, rig->queues[queue].accepted + 1), FGPU_E_DEVICE_LOST);
    device_reason(&rig->device, reason, sizeof reason);
    if (strstr(reason, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", reason, part);
}

/* Kernel after kernel, one of which breaks the context; those before it are told as done. */
static void lost_by(int error, const char *part)
{
    struct rig rig;
    fgpu_cmd_fill fills[4];
    fgpu_cmd cmds[4];
    uint32_t n = 4;
    fgpu_code_built built;

    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    assert_int_equal(build(&rig, twice, "k", 2, &built), FGPU_OK);
    for (int i = 0; i < 4; i++) {
        fills[i] = (fgpu_cmd_fill){
            .mem = mem, .row_bytes = 64, .pitch_bytes = 64, .rows = 1, .pattern_bytes = 4};
        cmds[i] = (fgpu_cmd){FGPU_CMD_FILL, FGPU_CMD_NOTIFY, &fills[i]};
    }
    rig_wait(&rig, 0, rig_submit(&rig, 0, cmds, 2));
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, 64), kernel_scalar(&n, 4)};
    fgpu_cmd_launch launch = kernel_launch(built.code, args, 2, 4, 4);
    cmds[2] = (fgpu_cmd){FGPU_CMD_LAUNCH, FGPU_CMD_TIMED, &launch};
    fake.set("run_error_once", error);
    (void)device_submit(&rig.queues[0], cmds + 2, 2); /* the kernel may be faster */
    expect_lost(&rig, 0, part);
    assert_true(rig.queues[0].finished == 2);
    /* The other queue of the context learns it with its next command. */
    (void)device_submit(&rig.queues[1], cmds, 1);
    expect_lost(&rig, 1, part);
    device_code_free(&rig.device, built.code);
    rig_free(&rig, mem);
    rig_close(&rig);
    assert_int_equal(fake.held(), 0);
    assert_int_equal(fake.pushed(), 0);
}

static void test_lost(void **state)
{
    (void)state;
    lost_by(
        CUDA_ERROR_ILLEGAL_ADDRESS,
        "failed: CUDA_ERROR_ILLEGAL_ADDRESS (700): a kernel touched memory that is not its own");
    lost_by(CUDA_ERROR_ECC_UNCORRECTABLE, "memory error that could not be corrected");
    lost_by(54321, "an unknown CUDA error (54321)");
    /* The driver lets this process open it anew. */
    struct rig rig;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    rig_free(&rig, mem);
    rig_close(&rig);
}

static void test_trap(void **state)
{
    static const char text[] = "__global__ void k(int *p) { if (p) __trap(); }";
    struct rig rig;
    fgpu_code_built built;

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    assert_int_equal(build(&rig, text, "k", 1, &built), FGPU_OK);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, 64)};
    fgpu_cmd_launch launch = kernel_launch(built.code, args, 1, 1, 1);
    fgpu_cmd cmd = {FGPU_CMD_LAUNCH, 0, &launch};
    (void)device_submit(&rig.queues[0], &cmd, 1);
    expect_lost(&rig, 0, "CUDA_ERROR_LAUNCH_FAILED (719): a kernel failed");
    device_code_free(&rig.device, built.code);
    rig_free(&rig, mem);
    rig_close(&rig);
}

/* A kernel that waits for what nobody writes: closing gives up, everything returns. */
static void test_endless(void **state)
{
    static const char text[] =
        "__global__ void k(volatile unsigned *p) { while (*p == 0) __nanosleep(1000); }";
    struct rig rig;
    fgpu_code_built built;
    char reason[300];
    uint32_t zero = 0;

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    rig_write(&rig, mem, 0, &zero, sizeof zero);
    assert_int_equal(build(&rig, text, "k", 1, &built), FGPU_OK);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, 64)};
    fgpu_cmd_launch launch = kernel_launch(built.code, args, 1, 1, 1);
    fgpu_cmd_copy *copies = calloc(400, sizeof *copies);
    fgpu_cmd *cmds = calloc(401, sizeof *cmds);
    unsigned char *bytes = calloc(1, 9 << 20);
    fgpu_mem large = rig_alloc(&rig, 9 << 20);
    cmds[0] = (fgpu_cmd){FGPU_CMD_LAUNCH, FGPU_CMD_NOTIFY, &launch};
    for (int i = 0; i < 400; i++) { /* nothing that follows waits in its call */
        copies[i] = (fgpu_cmd_copy){.src = large,
                                    .dst = (uintptr_t)bytes,
                                    .dst_is_host = 1,
                                    .row_bytes = 9 << 20,
                                    .rows = 1};
        cmds[i + 1] = (fgpu_cmd){FGPU_CMD_COPY, 0, &copies[i]};
    }
    assert_true(device_submit(&rig.queues[0], cmds, 401) < 401);
    assert_int_equal(fake.get("blocked"), 0);
    assert_int_equal(device_poll(&rig.queues[0]), FGPU_OK);
    uint64_t finished = rig.queues[0].finished;
    cuda_queue_drain_ns = 50000000;
    uint64_t begin_ns = clock_now_ns();
    device_queue_close(&rig.queues[0]);
    assert_true(clock_now_ns() - begin_ns < RIG_PATIENCE_NS);
    cuda_queue_drain_ns = LIMITS_CUDA_DRAIN_NS;
    device_reason(&rig.device, reason, sizeof reason);
    assert_non_null(strstr(reason, "did not end in time"));
    rig_free(&rig, large); /* stays: the card may still use it */
    rig_free(&rig, mem);
    *(volatile uint32_t *)(uintptr_t)mem = 1; /* as the card would be reset */
    for (int i = 0; i < 2000 && finished == 1; i++)
        (void)usleep(1000);
    device_code_free(&rig.device, built.code);
    rig_close(&rig);
    free(copies);
    free(cmds);
    (void)usleep(100000);
    free(bytes);
}

static void test_memory_full(void **state)
{
    (void)state;
    memory_full(0);
    memory_full(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_start, setup),
        cmocka_unit_test_setup(test_no_driver, setup),
        cmocka_unit_test_setup(test_explain, setup),
        cmocka_unit_test_setup(test_nvrtc, setup),
        cmocka_unit_test_setup(test_open, setup),
        cmocka_unit_test_setup(test_fork, setup),
        cmocka_unit_test_setup(test_memory, setup),
        cmocka_unit_test_setup(test_launches, setup),
        cmocka_unit_test_setup(test_lost, setup),
        cmocka_unit_test_setup(test_trap, setup),
        cmocka_unit_test_setup(test_endless, setup),
        cmocka_unit_test_setup(test_memory_full, setup),
    };

    if (!fake_open())
        return 77;
    return cmocka_run_group_tests_name("cuda faults", tests, NULL, NULL);
}
