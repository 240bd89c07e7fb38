/* Asking a machine, sealing it, and what is wrong with it said in words.
 *
 * The machine of most tests has a class in host memory between two with memory of their own, so
 * that numbers of devices and nodes differ.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "machine/machine.h"

static struct machine m;

static int start(void **state)
{
    (void)state;
    machine_init(&m);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    uint64_t live = alloc_live_bytes();
    machine_fini(&m);
    assert_true(alloc_live_bytes() <= live);
    return 0;
}

static int parse(const char *text)
{
    machine_fini(&m);
    machine_init(&m);
    return machine_parse(&m, "t", text, strlen(text));
}

/* It is refused, and the text says that. */
static void refuse(const char *text, const char *what)
{
    int status = parse(text);
    if (status == FGPU_OK)
        fail_msg("taken:\n%s", text);
    if (status != FGPU_E_INVAL && status != FGPU_E_LIMIT)
        fail_msg("status %d: %s", status, error_text());
    if (strstr(error_text(), what) == NULL)
        fail_msg("'%s' is not in '%s'; the text:\n%s", what, error_text(), text);
}

#define THREE                                                                                      \
    "fgm 1\n"                                                                                      \
    "class fast\n kind gpu\n count 5\n memory 1GiB\n"                                              \
    "class core\n kind cpu\n count 3\n"                                                            \
    "class slow\n kind accelerator\n count 4\n memory unlimited\n"
#define LINKS                                                                                      \
    "link up\n each fast\n bytes_per_ns 2\n latency_ns 100\n"                                      \
    "link down\n each fast\n bytes_per_ns 3\n latency_ns 10\n"                                     \
    "link switch\n each fast per 2\n bytes_per_ns 4\n"                                             \
    "link bus\n bytes_per_ns 5\n latency_ns 1000\n"                                                \
    "link side\n each slow\n bytes_per_ns 0.5\n"
#define ROUTES                                                                                     \
    "route host -> fast\n over bus\n over switch of target\n over down of target\n"                \
    "route fast -> host\n over up of source\n over switch of source\n over bus\n"                  \
    "route fast -> fast\n over up of source\n over bus\n over bus\n over down of target\n"         \
    "route fast -> fast within 2\n over up of source\n over down of target\n"                      \
    "route host -> slow\n over side of target\n"                                                   \
    "route slow -> host\n over side of source\n"
#define WHOLE THREE LINKS ROUTES

/* ---- numbers of devices, nodes and links */

static void numbers(void **state)
{
    (void)state;
    static const uint32_t class_of[] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2};
    static const uint32_t node_of[] = {1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9};
    assert_int_equal(parse(WHOLE), FGPU_OK);
    assert_int_equal(m.device_count, 12);
    assert_int_equal(m.node_count, 10);
    assert_int_equal(m.instance_count, 5 + 5 + 3 + 1 + 4);
    for (uint32_t device = 0; device < 12; device++) {
        assert_int_equal(machine_device_class(&m, device), class_of[device]);
        assert_int_equal(machine_device_node(&m, device), node_of[device]);
    }
    assert_int_equal(machine_node_class(&m, 0), MACHINE_HOST);
    for (uint32_t node = 1; node < 10; node++)
        assert_int_equal(machine_node_class(&m, node), node < 6 ? 0 : 2);
}

/* Every sequence of three classes with and without memory of their own, against counting. */
static void numbers_of_all_mixtures(void **state)
{
    (void)state;
    for (uint32_t mix = 0; mix < 8; mix++) {
        machine_fini(&m);
        machine_init(&m);
        uint32_t nodes = 1;
        for (uint32_t i = 0; i < 3; i++) {
            struct machine_class class;
            machine_class_init(&class);
            snprintf(class.name, sizeof class.name, "c%u", i);
            class.kind = MACHINE_GPU;
            class.count = i + 1;
            class.first_node = mix >> i & 1;
            assert_non_null(vec_push(&m.classes, &class));
            for (uint32_t way = 0; way < 2 && class.first_node; way++) {
                struct machine_route route = {way ? i : MACHINE_HOST, way ? MACHINE_HOST : i, 0, 0,
                                              0};
                assert_non_null(vec_push(&m.routes, &route));
            }
        }
        assert_int_equal(machine_seal(&m), FGPU_OK);
        for (uint32_t device = 0; device < 6; device++) {
            uint32_t class = device == 0 ? 0 : device < 3 ? 1 : 2;
            assert_int_equal(machine_device_class(&m, device), class);
            if (!(mix >> class & 1)) {
                assert_int_equal(machine_device_node(&m, device), 0);
                continue;
            }
            assert_int_equal(machine_device_node(&m, device), nodes);
            assert_int_equal(machine_node_class(&m, nodes), class);
            nodes++;
        }
        assert_int_equal(m.node_count, nodes);
    }
}

static void assert_path(uint32_t from, uint32_t to, bool is_direct, uint64_t latency_ns,
                        const char *want)
{
    uint32_t instances[MACHINE_HOPS];
    uint64_t latency = 77;
    char text[512] = "";
    uint32_t count = machine_path(&m, from, to, instances, &latency);
    for (uint32_t i = 0; i < count; i++) {
        char name[96];
        machine_instance_name(&m, instances[i], name);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", name);
    }
    assert_string_equal(text, want);
    assert_int_equal(latency, latency_ns);
    assert_int_equal(machine_path_direct(&m, from, to), is_direct);
}

static void paths(void **state)
{
    (void)state;
    assert_int_equal(parse(WHOLE), FGPU_OK);
    assert_path(0, 0, true, 0, "");
    assert_path(3, 3, true, 0, "");
    assert_path(0, 1, true, 1010, "bus switch[0] down[0]");
    assert_path(0, 5, true, 1010, "bus switch[2] down[4]");
    assert_path(4, 0, true, 1100, "up[3] switch[1] bus");
    assert_path(1, 2, true, 110, "up[0] down[1]");          /* of one group */
    assert_path(2, 3, true, 2110, "up[1] bus bus down[2]"); /* of two; twice stays twice */
    assert_path(6, 9, false, 0, "side[0] side[3]");         /* through the host */
    assert_path(2, 7, false, 1100, "up[1] switch[0] bus side[1]");
    assert_path(7, 2, false, 1010, "side[1] bus switch[0] down[1]");
    static const double rates[] = {2, 3, 4, 5, 0.5};
    static const uint32_t firsts[] = {0, 5, 10, 13, 14};
    for (uint32_t i = 0; i < 5; i++)
        assert_true(machine_instance_bytes_per_ns(&m, firsts[i]) == rates[i]);
    assert_true(machine_instance_bytes_per_ns(&m, 17) == 0.5);
    assert_true(machine_instance_bytes_per_ns(&m, 9) == 3);
}

static void copies_that_take_no_time(void **state)
{
    (void)state;
    assert_int_equal(parse("fgm 1\nclass g\nkind gpu\ncount 2\nmemory 1\nroute host -> g\n"
                           "route g -> host\n"),
                     FGPU_OK);
    assert_path(0, 2, true, 0, "");
    assert_path(1, 2, false, 0, "");
}

/* ---- costs */

static void assert_cost(const char *kernel, uint32_t class, uint64_t size, double mean_ns,
                        double deviation_ns)
{
    double mean = -5.0, deviation = -5.0;
    bool known =
        machine_cost_ns(&m, machine_kernel_find(&m, kernel), class, size, &mean, &deviation);
    if (mean_ns < 0.0) {
        assert_false(known);
        return;
    }
    assert_true(known);
    /* log, exp and the quotients cost some ulps each */
    assert_true(fabs(mean - mean_ns) <= 1e-13 * mean_ns);
    assert_true(fabs(deviation - deviation_ns) <= 1e-12 * (deviation_ns + 1e-3));
}

#define TWO "fgm 1\nclass a\nkind cpu\ncount 1\nclass b\nkind cpu\ncount 1\n"

static void interpolation(void **state)
{
    (void)state;
    assert_int_equal(parse(TWO "cost k on a size 400 mean_ns 1600 deviation_ns 320\n"
                               "cost k on a size 100 mean_ns 100 deviation_ns 10\n"
                               "cost k on a size 1600 mean_ns 12800\n"
                               "cost one on b size 7 mean_ns 9 deviation_ns 2\n"
                               "cost any on a size any mean_ns 55.5 deviation_ns 1\n"),
                     FGPU_OK);
    assert_int_equal(machine_kernel_find(&m, "absent"), MACHINE_NONE);
    assert_cost("k", 0, 100, 100, 10);
    assert_cost("k", 0, 400, 1600, 320);
    assert_cost("k", 0, 1600, 12800, 0);
    assert_cost("k", 0, 200, 400, 400 * 0.15); /* slope 2; half way from 10 % to 20 % */
    assert_cost("k", 0, 800, 1600 * pow(8, 0.5), 1600 * pow(8, 0.5) * 0.1); /* slope 3 / 2 */
    assert_cost("k", 0, 50, 25, 2.5);        /* slope 2 goes on, 10 % stay */
    assert_cost("k", 0, 6400, 12800 * 8, 0); /* slope 3 / 2 goes on, 0 % stay */
    assert_cost("k", 1, 100, -1, 0);         /* another class */
    assert_cost("k", 0, 0, -1, 0);
    assert_cost("one", 1, 7, 9, 2);
    assert_cost("one", 1, 8, -1, 0); /* one size says nothing of others */
    assert_cost("one", 1, 6, -1, 0);
    assert_cost("any", 0, 1, 55.5, 1);
    assert_cost("any", 0, 0, 55.5, 1);
    assert_cost("any", 0, UINT64_MAX, 55.5, 1);
}

/* Two sizes that lie close together, or were measured badly, have any slope by chance. */
static void wild_slopes_end_at_the_last_size(void **state)
{
    (void)state;
    assert_int_equal(parse(TWO "cost up on a size 100 mean_ns 1\n"
                               "cost up on a size 200 mean_ns 1000\n"
                               "cost down on a size 100 mean_ns 1000\n"
                               "cost down on a size 200 mean_ns 10\n"),
                     FGPU_OK);
    assert_cost("up", 0, 400, 8000, 0); /* cube, not 1000 times */
    assert_cost("up", 0, 50, 0.125, 0);
    assert_cost("down", 0, 400, 10, 0);
    assert_cost("down", 0, 50, 1000, 0);
    assert_cost("down", 0, 141, 1000 * pow(1.41, -2 / log10(2)), 0); /* between: as measured */
}

/* ---- sealing: what is missing or does not fit */

static void refused_classes(void **state)
{
    (void)state;
    refuse("fgm 1\n", "there is no device");
    refuse("fgm 1\nclass host\nkind cpu\ncount 1\n", "cannot be called host");
    refuse("fgm 1\nclass a\nkind cpu\ncount 1\nflops_per_ns 0\n", "class a: flops_per_ns is 0");
    refuse("fgm 1\nclass a\nkind cpu\ncount 1\nbytes_per_ns 1e13\n", "bytes_per_ns is 1e+13");
    refuse("fgm 1\nclass a\nkind cpu\ncount 1\nlaunch_ns 1000000000000001\n", "launch_ns");
    refuse("fgm 1\nclass a\nkind cpu\ncount 1048576\nclass b\nkind cpu\ncount 1\n",
           "more than 1048576 devices");
    refuse("fgm 1\nclass a\nkind gpu\ncount 1\nmemory 1GiB\n",
           "\"route host -> a\" is missing (without links it takes no time)");
    refuse("fgm 1\nclass a\nkind gpu\ncount 1\nmemory 1GiB\nroute host -> a\n",
           "nothing leads back to the host; \"route a -> host\" is missing");
}

static void refused_links(void **state)
{
    (void)state;
    refuse(THREE "link l\n bytes_per_ns 0\n", "link l: bytes_per_ns is 0; it is from 1e-09");
    refuse(THREE "link l\n bytes_per_ns 1\n latency_ns 1000000000000001\n",
           "latency_ns is 1000000000000001, at most 1000000000000000");
    refuse(THREE "link l\n bytes_per_ns 1\n each core\n", "core, which works in the host's memory");
    refuse("fgm 1\nclass a\nkind gpu\ncount 1048576\nmemory 1\n"
           "link l1\neach a\nbytes_per_ns 1\nlink l2\neach a\nbytes_per_ns 1\n"
           "link l3\neach a\nbytes_per_ns 1\nlink l4\neach a\nbytes_per_ns 1\n"
           "link l5\neach a\nbytes_per_ns 1\nlink l6\neach a\nbytes_per_ns 1\n"
           "link l7\neach a\nbytes_per_ns 1\nlink l8\neach a\nbytes_per_ns 1\n"
           "link l9\neach a\nbytes_per_ns 1\nlink la\neach a\nbytes_per_ns 1\n"
           "link lb\neach a\nbytes_per_ns 1\nlink lc\neach a\nbytes_per_ns 1\n"
           "link ld\neach a\nbytes_per_ns 1\nlink le\neach a\nbytes_per_ns 1\n"
           "link lf\neach a\nbytes_per_ns 1\nlink l0\neach a\nbytes_per_ns 1\n"
           "link one\nbytes_per_ns 1\n",
           "link one: more than 16777216 links");
}

static void refused_routes(void **state)
{
    (void)state;
    refuse(WHOLE "route host -> host\n", "route host -> host: the host has one memory");
    refuse(WHOLE "route host -> core\n", "a class with memory of its own");
    refuse(WHOLE "route host -> fast\n", "route host -> fast: it is there twice");
    refuse(WHOLE "route fast -> fast within 2\n", "it is there twice");
    refuse(WHOLE "route fast -> slow within 2\n", "groups are of one class");
    refuse(WHOLE "route fast -> slow\nover bus of source\n", "link bus is shared");
    refuse(WHOLE "route fast -> slow\nover up\n", "say \"of source\" or \"of target\"");
    refuse(WHOLE "route fast -> slow\nover up of target\n", "one of fast, not of the target");
    refuse(WHOLE "route fast -> slow\nover side of source\n", "one of slow, not of the source");
    char text[4096];
    int used = snprintf(text, sizeof text, "%s", THREE LINKS "route slow -> host\n");
    for (int i = 0; i < 17; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "over bus\n");
    refuse(text, "17 links, at most 16 to or from the host");
    used = snprintf(text, sizeof text, "%s", WHOLE "route slow -> fast\n");
    for (int i = 0; i < 33; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "over bus\n");
    refuse(text, "at most 32 links");
}

static void refused_costs(void **state)
{
    (void)state;
    refuse(TWO "cost k on a size 1 mean_ns 0\n", "cost of k on a at size 1: mean 0 ns");
    refuse(TWO "cost k on a size 1 mean_ns 1e19\n", "the mean is from 1e-06 to 1e+18");
    refuse(TWO "cost k on a size 1 mean_ns 1\ncost k on a size 1 mean_ns 2\n",
           "cost of k on a at size 1 is there twice");
    refuse(TWO "cost k on a size any mean_ns 1\ncost k on a size 1 mean_ns 2\n",
           "one for any size and others beside it");
    assert_int_equal(parse(TWO "cost k on a size any mean_ns 1\ncost k on b size 1 mean_ns 2\n"),
                     FGPU_OK);
}

/* What no text can say. */
static void refused_in_memory(void **state)
{
    (void)state;
    assert_int_equal(parse(WHOLE), FGPU_OK);
    struct machine_cost cost = {.kernel = 0, .size = 1, .mean_ns = 1};
    assert_non_null(vec_push(&m.costs, &cost));
    assert_int_equal(machine_seal(&m), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "kernel 0 of 0"));
    vec_pop(&m.costs);
    assert_non_null(vec_push(&m.kernels, NULL));
    strcpy(((struct machine_kernel *)vec_at(&m.kernels, 0))->name, "k");
    assert_int_equal(machine_seal(&m), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "kernel k has no cost"));
    vec_pop(&m.kernels);
    struct machine_class *class = vec_at(&m.classes, 0);
    class->flops_per_ns = NAN;
    assert_int_equal(machine_seal(&m), FGPU_E_INVAL);
    class->flops_per_ns = MACHINE_UNKNOWN;
    struct machine_route *route = vec_at(&m.routes, 0);
    route->hop_count = 30;
    assert_int_equal(machine_seal(&m), FGPU_E_INVAL);
    assert_non_null(strstr(error_text(), "not in the list"));
}

/* ---- made up */

static void synth(void **state)
{
    (void)state;
    assert_int_equal(machine_synth(&m, "gpu:20x80GiB@group=8@link=30@host=40@net=12.5,cpu:64"),
                     FGPU_OK);
    assert_int_equal(m.device_count, 84);
    assert_int_equal(m.node_count, 21);
    const struct machine_class *gpu = vec_at(&m.classes, 0), *cpu = vec_at(&m.classes, 1);
    assert_true(gpu->memory_bytes == UINT64_C(80) << 30);
    assert_true(gpu->launch_ns == 5000 && gpu->flops_per_ns == 15000 && gpu->bytes_per_ns == 1500);
    assert_true(cpu->first_node == 0 && cpu->kind == MACHINE_CPU && cpu->flops_per_ns == 50);
    assert_path(0, 20, true, 10000, "gpu host[2] gpu down[19]");
    assert_path(1, 8, true, 20000, "gpu up[0] gpu down[7]");
    assert_path(8, 9, true, 30000, "gpu up[7] gpu net out[0] gpu net in[1] gpu down[8]");
    assert_true(machine_instance_bytes_per_ns(&m, 0) == 30);
}

static void synth_settings(void **state)
{
    (void)state;
    assert_int_equal(machine_synth(&m, "gpu:a:2x1GiB@peer=300@launch=0.25@idle=60@busy=400,"
                                       "gpu:b:3@peer=0,accelerator:1x512MiB,cpu:numa:2x64GiB"),
                     FGPU_OK);
    assert_path(1, 2, true, 10000, "a peer out[0] a peer in[1]");
    assert_path(3, 4, false, 20000, "b up[0] b host[0] b host[0] b down[1]");
    const struct machine_class *a = vec_at(&m.classes, 0), *b = vec_at(&m.classes, 1);
    const struct machine_class *numa = vec_at(&m.classes, 3);
    assert_true(a->launch_ns == 250 && a->idle_watt == 60 && a->busy_watt == 400);
    assert_true(b->memory_bytes == 0 && b->first_node == 3 && b->idle_watt == MACHINE_UNKNOWN);
    assert_true(numa->first_node == 7 && numa->kind == MACHINE_CPU);
}

static void refuse_synth(const char *text, const char *what)
{
    machine_fini(&m);
    machine_init(&m);
    assert_int_equal(machine_synth(&m, text), FGPU_E_INVAL);
    if (strstr(error_text(), what) == NULL)
        fail_msg("'%s' is not in '%s'", what, error_text());
}

static void refused_synth(void **state)
{
    (void)state;
    refuse_synth("", "part 1 of the machine (): want KIND:COUNT");
    refuse_synth("cpu:4,", "part 2 of the machine (): want KIND:COUNT");
    refuse_synth("tpu:4", "there is no kind 'tpu'");
    refuse_synth("cpu:0", "'0' is no number of devices from 1 to 1048576");
    refuse_synth("cpu:1048577", "is no number of devices");
    refuse_synth("gpu:4x", "'' is no size of a memory");
    refuse_synth("gpu:4x80GB", "'80GB' is no size of a memory; write something like 80GiB");
    refuse_synth("gpu::4x80GiB", "its name has 0 letters");
    refuse_synth("gpu:4,cpu:2,gpu:2",
                 "part 3 of the machine (gpu:2): there is a class gpu already");
    refuse_synth("gpu:4@link", "'@link' is no setting; write @KEY=VALUE");
    refuse_synth("gpu:4@wheels=3", "there is no setting 'wheels'; there are flops, inside");
    refuse_synth("gpu:4@link=fast", "link is 'fast', which is no number");
    refuse_synth("gpu:4@link=0", "link is 0; a link has a bandwidth");
    refuse_synth("gpu:4@group=2.5", "group is 2.5");
    refuse_synth("gpu:4@flops=0", "flops_per_ns is 0");
    refuse_synth("gpu:4@latency=1e13", "latency is 1e+13 us");
}

/* Sizes grow with classes: ten thousand devices are as little text as eight. */
static void ten_thousand_devices(void **state)
{
    (void)state;
    struct vec few, many;
    vec_init(&few, 1, NULL);
    vec_init(&many, 1, NULL);
    assert_int_equal(machine_synth(&m, "gpu:9x80GiB,cpu:64"), FGPU_OK);
    assert_int_equal(machine_print(&m, &few), FGPU_OK);
    machine_fini(&m);
    machine_init(&m);
    uint64_t before = alloc_live_bytes();
    assert_int_equal(machine_synth(&m, "gpu:10000x80GiB,cpu:64"), FGPU_OK);
    assert_in_range(alloc_live_bytes() - before, 1, 16384);
    assert_int_equal(machine_print(&m, &many), FGPU_OK);
    assert_in_range(many.count - few.count, 0, 8); /* the digits of the count, twice */
    assert_int_equal(m.device_count, 10064);
    assert_path(1, 10000, true, 30000, "gpu up[0] gpu net out[0] gpu net in[1249] gpu down[9999]");
    vec_fini(&few);
    vec_fini(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers, start, stop),
        cmocka_unit_test_setup_teardown(numbers_of_all_mixtures, start, stop),
        cmocka_unit_test_setup_teardown(paths, start, stop),
        cmocka_unit_test_setup_teardown(copies_that_take_no_time, start, stop),
        cmocka_unit_test_setup_teardown(interpolation, start, stop),
        cmocka_unit_test_setup_teardown(wild_slopes_end_at_the_last_size, start, stop),
        cmocka_unit_test_setup_teardown(refused_classes, start, stop),
        cmocka_unit_test_setup_teardown(refused_links, start, stop),
        cmocka_unit_test_setup_teardown(refused_routes, start, stop),
        cmocka_unit_test_setup_teardown(refused_costs, start, stop),
        cmocka_unit_test_setup_teardown(refused_in_memory, start, stop),
        cmocka_unit_test_setup_teardown(synth, start, stop),
        cmocka_unit_test_setup_teardown(synth_settings, start, stop),
        cmocka_unit_test_setup_teardown(refused_synth, start, stop),
        cmocka_unit_test_setup_teardown(ten_thousand_devices, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
