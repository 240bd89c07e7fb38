/* The parts of the cpu device that the conformance suite does not see: what it says of the machine,
 * sensors, sharing of launches, threads, idling, allocations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "dev/cpu/cpu.h"
#include "dev/cpu/cpu_facts.h"
#include "dev/cpu/cpu_sensors.h"
#include "dev/cpu/cpu_share.h"
#include "lib/device_kernels.h"

#define GROUPS_MAX 4096u

/* ---- the machine ---------------------------------------------------------------------------- */

static void test_facts(void **state)
{
    struct cpu_facts all;
    struct cpu_facts one;
    cpu_set_t before;
    cpu_set_t single;
    size_t first = 0;

    (void)state;
    cpu_facts_read(&all);
    assert_true(all.core_count >= 1);
    assert_true(all.core_count <= (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
    assert_true(all.memory_bytes >= 1 << 20);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&single);
    CPU_SET(first, &single);
    assert_int_equal(sched_setaffinity(0, sizeof single, &single), 0);
    cpu_facts_read(&one);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(one.core_count, 1);
    assert_true(one.confined || CPU_COUNT(&before) == 1);
    assert_string_equal(one.name, all.name);
}

/* ---- sensors -------------------------------------------------------------------------------- */

static char folder[128];

static void put(const char *path, const char *text)
{
    char full[256];
    FILE *file;

    (void)snprintf(full, sizeof full, "%s/%s", folder, path);
    for (char *slash = strchr(full + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    (void)fprintf(file, "%s\n", text);
    (void)fclose(file);
}

static void test_sensors(void **state)
{
    const uint32_t all = FGPU_SAMPLE_POWER | FGPU_SAMPLE_TEMPERATURE | FGPU_SAMPLE_CLOCK;
    fgpu_device_sample sample = {0};
    struct cpu_sensors sensors;
    char command[160];

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_dev_cpu.XXXXXX");
    assert_non_null(mkdtemp(folder));
    cpu_sensors_init(&sensors, folder);
    cpu_sensors_read(&sensors, 1000, &sample);
    assert_int_equal(sample.valid, 0);

    put("class/hwmon/hwmon0/name", "nvme");
    put("class/hwmon/hwmon0/temp1_input", "99000");
    put("class/hwmon/hwmon2/name", "k10temp");
    put("class/hwmon/hwmon2/temp1_input", "45500");
    put("class/powercap/intel-rapl:0/energy_uj", "1000000");
    put("class/powercap/intel-rapl:0/max_energy_range_uj", "5000000");
    put("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2345678");
    cpu_sensors_init(&sensors, folder);
    cpu_sensors_read(&sensors, 1000000000, &sample);
    assert_int_equal(sample.valid, FGPU_SAMPLE_TEMPERATURE | FGPU_SAMPLE_CLOCK);
    assert_true(sample.temperature_celsius == 45.5);
    assert_int_equal(sample.clock_mhz, 2345);

    put("class/powercap/intel-rapl:0/energy_uj", "4000000");
    cpu_sensors_read(&sensors, 1500000000, &sample);
    assert_int_equal(sample.valid, all);
    assert_true(sample.power_watt == 6); /* 3 J in half a second */
    put("class/powercap/intel-rapl:0/energy_uj", "1000000");
    cpu_sensors_read(&sensors, 2500000000, &sample);
    assert_true(sample.power_watt == 2); /* wrapped: 5 - 4 + 1 J in a second */
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- one share, by hand --------------------------------------------------------------------- */

static _Atomic uint32_t hits[GROUPS_MAX];
static _Atomic uint32_t calls;
static uint64_t fail_at = UINT64_MAX;

static int count_groups(const fgpu_range *range, void *const *args, void *user)
{
    (void)args;
    (void)user;
    (void)atomic_add_relaxed_u32(&calls, 1);
    for (uint64_t g = range->group_begin; g < range->group_end; g++) {
        (void)atomic_add_relaxed_u32(&hits[g], 1);
        if (g == fail_at)
            return 1;
    }
    return 0;
}

static void hits_clear(void)
{
    atomic_store_relaxed_u32(&calls, 0);
    for (uint32_t i = 0; i < GROUPS_MAX; i++)
        atomic_store_relaxed_u32(&hits[i], 0);
}

/* Every group once: from begin to end, and none beyond. */
static void hits_check(uint64_t begin, uint64_t end)
{
    for (uint64_t i = 0; i < GROUPS_MAX; i++)
        assert_int_equal(atomic_load_relaxed_u32(&hits[i]), i >= begin && i < end);
}

struct helper {
    struct cpu_share *share;
    struct native_scratch scratch;
    _Atomic uint32_t *stop;
    uint32_t helped;
};

static void *help(void *arg)
{
    struct helper *helper = arg;
    const struct cpu_share_member member = {.scratch = &helper->scratch, .worker = 1};

    while (atomic_load_acquire_u32(helper->stop) == 0)
        helper->helped += cpu_share_help(helper->share, &member);
    return NULL;
}

static void test_share(void **state)
{
    static struct cpu_share share;
    struct cpu_code code = {.fn = count_groups};
    const fgpu_cmd_launch launch = {.dims = 1};
    struct native_scratch scratch = {0};
    const struct cpu_share_member owner = {.scratch = &scratch};
    _Atomic uint32_t stop = 0;
    struct helper helpers[2] = {{.share = &share, .stop = &stop}, {.share = &share, .stop = &stop}};
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, help, &helpers[i]), 0);
    for (uint32_t round = 0; round < 400; round++) {
        fgpu_range range = {.dims = 1, .group_begin = round % 7, .group_end = 8 + round * 5 % 3000};
        uint64_t group_ps;

        atomic_store_relaxed_u64(&code.group_ps, round % 3 == 0 ? 1 : 2000000);
        fail_at = UINT64_MAX;
        hits_clear();
        cpu_share_open(&share, &launch, &code, &range, round % 4);
        assert_int_equal(cpu_share_finish(&share, &owner, &group_ps), FGPU_OK);
        hits_check(range.group_begin, range.group_end);
        assert_false(cpu_share_is_open(&share));

        fail_at = range.group_end - 1 - round % 3;
        hits_clear();
        cpu_share_open(&share, &launch, &code, &range, 2);
        assert_int_equal(cpu_share_finish(&share, &owner, &group_ps), FGPU_E_TASK);
        assert_false(cpu_share_is_open(&share));
        for (uint32_t i = 0; i < GROUPS_MAX; i++)
            assert_true(atomic_load_relaxed_u32(&hits[i]) <= 1);
    }
    atomic_store_release_u32(&stop, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    fail_at = UINT64_MAX;
}

/* A helper that is not allowed does not enter; nor does one after the end. */
static void test_share_closed(void **state)
{
    static struct cpu_share share;
    struct cpu_code code = {.fn = count_groups};
    const fgpu_cmd_launch launch = {.dims = 1};
    const fgpu_range range = {.dims = 1, .group_end = 10};
    struct native_scratch scratch = {0};
    const struct cpu_share_member member = {.scratch = &scratch};
    uint64_t group_ps;

    (void)state;
    hits_clear();
    assert_false(cpu_share_help(&share, &member));
    cpu_share_open(&share, &launch, &code, &range, 0);
    assert_true(cpu_share_is_open(&share));
    assert_false(cpu_share_help(&share, &member));
    assert_int_equal(cpu_share_finish(&share, &member, &group_ps), FGPU_OK);
    cpu_share_open(&share, &launch, &code, &range, 1);
    assert_true(cpu_share_help(&share, &member)); /* does all of it */
    assert_false(cpu_share_help(&share, &member));
    assert_int_equal(cpu_share_finish(&share, &member, &group_ps), FGPU_OK);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(atomic_load_relaxed_u32(&hits[i]), 2);
}

/* ---- the device ----------------------------------------------------------------------------- */

static const struct rig_target cpu4 = {
    .name = "cpu:4", .backend = &cpu_backend, .options.cpu_workers = 4, .executes = true};

static _Atomic uint32_t workers_seen;

static int slow_groups(const fgpu_range *range, void *const *args, void *user)
{
    (void)atomic_or_acqrel_u32(&workers_seen, 1u << range->worker);
    if (range->worker >= 4)
        return 1;
    uint64_t until_ns = clock_now_ns() + (range->group_end - range->group_begin) * 2000;
    while (clock_now_ns() < until_ns)
        atomic_pause();
    return count_groups(range, args, user);
}

static fgpu_code build(struct rig *rig, fgpu_native_fn fn)
{
    const fgpu_code_source source = {.kind = FGPU_VARIANT_NATIVE, .options = "", .native = fn};
    fgpu_code_built built;

    assert_int_equal(device_code_build(&rig->device, &source, &built), FGPU_OK);
    return built.code;
}

/* Launches long enough to be shared, of every width: each group once, no more workers than asked.
 */
static void test_width(void **state)
{
    struct rig rig;
    uint32_t most = 0;

    (void)state;
    rig_open(&rig, &cpu4);
    fgpu_code code = build(&rig, slow_groups);
    for (uint32_t round = 0; round < 40 || (most <= 1 && round < 1000); round++) {
        fgpu_cmd_launch launch = kernel_launch(code, NULL, 0, 100 + round % 100, 1);
        launch.width = round % 6;
        hits_clear();
        atomic_store_relaxed_u32(&workers_seen, 0);
        assert_int_equal(rig_run(&rig, 1, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
        hits_check(0, 100 + round % 100);
        uint32_t seen = (uint32_t)__builtin_popcount(atomic_load_relaxed_u32(&workers_seen));
        assert_true(launch.width == 0 || seen <= launch.width);
        assert_true((atomic_load_relaxed_u32(&workers_seen) & 2) != 0 || launch.width != 1);
        most = seen > most ? seen : most;
    }
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        assert_true(most > 1); /* somebody has helped */
    device_code_free(&rig.device, code);
    rig_close(&rig);
}

static int look_at_thread(void *const *args, void *user)
{
    char name[16];
    sigset_t mask;

    (void)user;
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0 ||
        pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
        return 1;
    return strcmp(name, args[0]) != 0 || !sigismember(&mask, SIGINT) ||
           !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGUSR1);
}

static void test_threads(void **state)
{
    char expected[16];
    void *args[] = {expected};
    fgpu_cmd_host host = {.fn = look_at_thread, .args = args};
    void *again;
    struct rig rig;
    sigset_t mask;

    (void)state;
    rig_open(&rig, &cpu4);
    for (uint32_t queue = 0; queue < 4; queue++) {
        (void)snprintf(expected, sizeof expected, "fgpu-cpu-%u", queue);
        assert_int_equal(rig_run(&rig, queue, FGPU_CMD_HOST, 0, &host), FGPU_OK);
    }
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGUSR1)); /* ours is as it was */
    assert_int_equal(cpu_backend.queue_open(rig.device.self, 0, &again), FGPU_E_BUSY);
    assert_int_equal(cpu_backend.queue_open(rig.device.self, 4, &again), FGPU_E_RANGE);
    rig_close(&rig);
}

/* An idle device sleeps: at most 1 % of a core. Its utilisation is that of the processors: a
 * process that spins beside the idle device is seen. (Whoever keeps it from one makes another
 * busy.) */
static void test_idle_and_busy(void **state)
{
    fgpu_device_sample sample = {.struct_bytes = sizeof sample};
    struct timespec pause = {0, 400000000};
    cpu_set_t cpus;
    struct rig rig;

    (void)state;
    rig_open(&rig, &cpu4);
    (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    while (child == 0)
        atomic_pause();
    (void)device_sample(&rig.device, &sample);
    uint64_t cpu_ns = clock_cpu_process_ns();
    (void)nanosleep(&pause, NULL);
    cpu_ns = clock_cpu_process_ns() - cpu_ns;
    assert_int_equal(device_sample(&rig.device, &sample), FGPU_OK);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    assert_true(cpu_ns < 4000000);
    if ((sample.valid & FGPU_SAMPLE_UTILISATION) != 0) /* there is a /proc/stat */
        assert_true(sample.utilisation * CPU_COUNT(&cpus) > 0.5);
    rig_close(&rig);
}

static int touch_local(const fgpu_range *range, void *const *args, void *user)
{
    (void)range;
    (void)user;
    memset(args[0], 1, 1000);
    return 0;
}

static void test_no_allocation(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, &cpu4);
    fgpu_code code = build(&rig, touch_local);
    fgpu_cmd_arg arg = kernel_local(1000);
    uint64_t before = 0;
    for (int i = 0; i < 500; i++) {
        fgpu_cmd_launch launch = kernel_launch(code, &arg, 1, 100, 1);
        launch.width = 1;
        assert_int_equal(rig_run(&rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
        if (i == 0)
            before = alloc_count();
    }
    assert_true(alloc_count() == before);
    device_code_free(&rig.device, code);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),         cmocka_unit_test(test_sensors),
        cmocka_unit_test(test_share),         cmocka_unit_test(test_share_closed),
        cmocka_unit_test(test_width),         cmocka_unit_test(test_threads),
        cmocka_unit_test(test_idle_and_busy), cmocka_unit_test(test_no_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
