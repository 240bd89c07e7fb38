/* What may be chosen for a workload, choices put into effect, fingerprints, and profiles: written,
 * read again, refused where they are for something else. No device is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/bench/bench_tiles.h"
#include "cli/common/file.h"
#include "cli/evaluate/profile.h"
#include "cli/optimize/tune_space.h"
#include "tests/lib/tiled_cholesky.h"

static const char text[] =
    "{\"fastgpu\": 1, \"constants\": {\"bands\": 6, \"quarter\": 64, \"depth\": 2.5},"
    " \"buffers\": {\"photo\": {\"picture\": {\"width\": 300, \"height\": 200},"
    "   \"random\": {\"seed\": 3}}, \"grey\": {\"like\": \"photo\", \"channels\": 1},"
    "   \"edges\": {\"like\": \"grey\"}},"
    " \"kernels\": {\"to_grey\": {\"filter\": \"grey\"}, \"find\": {\"filter\": \"sobel\"}},"
    " \"tasks\": [{\"kernel\": \"to_grey\", \"args\": {\"src\": \"photo\", \"dst\":"
    "   {\"buffer\": \"grey\", \"rows\": [\"200 * i // bands\", \"200 * (i + 1) // bands\"]}},"
    "   \"repeat\": {\"i\": \"bands\"}},"
    "  {\"kernel\": \"find\", \"args\": {\"src\": \"grey\", \"dst\": \"edges\"}}],"
    " \"outputs\": [{\"buffer\": \"edges\", \"raw\": \"edges.raw\"}]}";

static char why[CLI_WHY_BYTES];

static void load(struct workload *workload)
{
    assert_int_equal(workload_parse(text, strlen(text), "", NULL, workload), FGPU_OK);
}

static const fgpu_device_info two_devices[] = {
    {.backend = "opencl", .id = "opencl:0", .name = "one", .driver = "1"},
    {.backend = "cpu", .id = "cpu", .name = "other", .driver = "1"}};

static fgpu_status make(struct tune_space *space, const struct workload *workload,
                        struct tune_source source)
{
    cJSON *file = cJSON_Parse(text);

    source.workload = workload;
    source.file = file;
    fgpu_status status = tune_space_make(space, &source, why, sizeof why);
    cJSON_Delete(file);
    return status;
}

static const struct tune_dim *find(const struct tune_space *space, enum tune_kind kind,
                                   const char *name)
{
    for (uint32_t i = 0; i < space->count; i++)
        if (space->dims[i].kind == kind && strcmp(space->dims[i].name, name) == 0)
            return &space->dims[i];
    return NULL;
}

static void test_space(void **state)
{
    struct tune_space *space = calloc(1, sizeof *space);
    struct workload workload;

    (void)state;
    assert_non_null(space);
    load(&workload);
    assert_int_equal(
        make(space, &workload, (struct tune_source){.devices = two_devices, .device_count = 2}),
        FGPU_OK);
    const struct tune_dim *bands = find(space, TUNE_CONSTANT, "bands");
    assert_non_null(bands);
    assert_string_equal(bands->values[0], "");
    for (uint32_t i = 1; i < bands->count; i++)
        assert_string_not_equal(bands->values[i], "6"); /* what it is now */
    assert_null(find(space, TUNE_CONSTANT, "quarter"));
    assert_non_null(find(space, TUNE_POLICY, ""));
    assert_int_equal(find(space, TUNE_DEVICES, "")->count, 3);
    assert_non_null(find(space, TUNE_VARIANT, "*"));
    assert_non_null(find(space, TUNE_VARIANT, "find"));
    assert_non_null(find(space, TUNE_LOCAL, "to_grey"));

    /* One device, a policy and a constant that are given, another constant that is named. */
    const char *sets[] = {"bands=4"}, *pieces[] = {"quarter"};
    assert_int_equal(make(space, &workload,
                          (struct tune_source){.devices = two_devices,
                                               .device_count = 1,
                                               .sets = sets,
                                               .set_count = 1,
                                               .pieces = pieces,
                                               .piece_count = 1,
                                               .is_policy_fixed = true}),
                     FGPU_OK);
    assert_null(find(space, TUNE_CONSTANT, "bands"));
    assert_non_null(find(space, TUNE_CONSTANT, "quarter"));
    assert_null(find(space, TUNE_POLICY, ""));
    assert_null(find(space, TUNE_DEVICES, ""));
    assert_null(find(space, TUNE_VARIANT, "find"));

    /* A name that is no whole number. */
    pieces[0] = "depth";
    assert_int_equal(
        make(space, &workload, (struct tune_source){.pieces = pieces, .piece_count = 1}),
        FGPU_E_INVAL);
    assert_non_null(strstr(why, "--pieces depth"));
    workload_fini(&workload);
    free(space);
}

/* A point becomes the choices of its dimensions, in their order. */
static void test_choices(void **state)
{
    struct tune_space *space = calloc(1, sizeof *space);
    struct tune_choices choices;
    struct tune_point point = {{0}};
    struct workload workload;
    char said[192];

    (void)state;
    assert_non_null(space);
    load(&workload);
    assert_int_equal(
        make(space, &workload, (struct tune_source){.devices = two_devices, .device_count = 2}),
        FGPU_OK);
    tune_space_choices(space, &point, &choices);
    assert_int_equal(choices.count, 0);
    point.at[0] = 1;
    point.at[1] = 2;
    tune_space_choices(space, &point, &choices);
    assert_int_equal(choices.count, 2);
    tune_choice_text(&choices.list[0], said);
    assert_string_equal(said, "bands = 1");
    tune_choice_text(&choices.list[1], said);
    assert_string_equal(said, "policy fifo");
    assert_string_equal(tune_choices_find(&choices, TUNE_POLICY), "fifo");
    assert_null(tune_choices_find(&choices, TUNE_DEVICES));
    workload_fini(&workload);
    free(space);
}

static struct tune_choices one(enum tune_kind kind, const char *name, const char *value)
{
    struct tune_choices choices = {.count = 1};

    choices.list[0].kind = kind;
    (void)snprintf(choices.list[0].name, sizeof choices.list[0].name, "%s", name);
    (void)snprintf(choices.list[0].value, sizeof choices.list[0].value, "%s", value);
    return choices;
}

static fgpu_status apply(struct workload *workload, enum tune_kind kind, const char *name,
                         const char *value)
{
    struct tune_choices choices = one(kind, name, value);

    return tune_choices_apply(&choices, workload, why, sizeof why);
}

static void test_apply(void **state)
{
    struct workload workload;

    (void)state;
    load(&workload);
    assert_int_equal(apply(&workload, TUNE_VARIANT, "*", "native"), FGPU_OK);
    assert_int_equal(workload.kernels[0].variant, WORKLOAD_NATIVE);
    assert_int_equal(apply(&workload, TUNE_VARIANT, "find", "opencl"), FGPU_OK);
    assert_int_equal(workload.kernels[0].variant, WORKLOAD_NATIVE);
    assert_int_equal(workload.kernels[1].variant, WORKLOAD_OPENCL);
    assert_int_equal(apply(&workload, TUNE_LOCAL, "to_grey", "16x1"), FGPU_OK);
    assert_int_equal(workload.tasks[0].local[0], 16);
    assert_int_equal(workload.tasks[6].local[0] == 16, 0); /* another kernel's */
    assert_int_equal(apply(&workload, TUNE_LOCAL, "to_grey", "0"), FGPU_OK);
    assert_int_equal(workload.tasks[0].local[0], 0);
    /* The last task comes after all others: it has the least work behind it, and most before. */
    assert_int_equal(apply(&workload, TUNE_ORDER, "", "critical"), FGPU_OK);
    assert_true(workload.tasks[0].priority > workload.tasks[6].priority);
    assert_int_equal(apply(&workload, TUNE_ORDER, "", "deep"), FGPU_OK);
    assert_true(workload.tasks[0].priority < workload.tasks[6].priority);
    assert_true(workload.tasks[6].priority <= 1000);

    assert_int_equal(apply(&workload, TUNE_VARIANT, "nobody", "native"), FGPU_E_INVAL);
    assert_non_null(strstr(why, "no kernel nobody"));
    assert_int_equal(apply(&workload, TUNE_VARIANT, "find", "cuda"), FGPU_E_INVAL);
    assert_int_equal(apply(&workload, TUNE_LOCAL, "find", "7"), FGPU_E_INVAL);
    assert_non_null(strstr(why, "does not divide"));
    for (const char *const *bad = (const char *const[]){"", "x", "16x", "4x0", "16x4y", NULL}; *bad;
         bad++)
        assert_int_equal(apply(&workload, TUNE_LOCAL, "find", *bad), FGPU_E_INVAL);
    workload_fini(&workload);
}

static void test_fingerprint(void **state)
{
    struct workload workload, other;

    (void)state;
    load(&workload);
    load(&other);
    assert_true(tune_fingerprint(&workload) == tune_fingerprint(&other));
    other.tasks[1].priority++;
    assert_true(tune_fingerprint(&workload) != tune_fingerprint(&other));
    other.tasks[1].priority--;
    other.buffers[2].shape[0]++;
    assert_true(tune_fingerprint(&workload) != tune_fingerprint(&other));
    other.buffers[2].shape[0]--;
    other.kernels[1].source = "another";
    assert_true(tune_fingerprint(&workload) != tune_fingerprint(&other));
    workload_fini(&workload);
    workload_fini(&other);
}

/* ---- profiles */

static void write_text(const char *path, const char *content)
{
    assert_int_equal(file_replace(path, content, strlen(content), why, sizeof why), FGPU_OK);
}

static void test_profile(void **state)
{
    struct profile *made = calloc(1, sizeof *made), *read = calloc(1, sizeof *read);
    struct profile_place place, other;
    struct workload workload;

    (void)state;
    assert_non_null(made);
    assert_non_null(read);
    load(&workload);
    profile_place_set(&place, &workload, NULL, two_devices, 2);
    made->choices = one(TUNE_LOCAL, "find", "16x1");
    made->choices.list[made->choices.count++] = one(TUNE_POLICY, "", "auto").list[0];
    made->after_ns = 5e6;
    (void)snprintf(made->path, sizeof made->path, "profile-%d.json", (int)sizeof text);
    (void)snprintf(read->path, sizeof read->path, "%s", made->path);
    (void)snprintf(made->made, sizeof made->made, "today");
    assert_int_equal(profile_write(made, &place, why, sizeof why), FGPU_OK);
    assert_int_equal(profile_read(read, &place, why, sizeof why), FGPU_OK);
    assert_int_equal(read->choices.count, 2);
    assert_int_equal(read->choices.list[0].kind, TUNE_LOCAL);
    assert_string_equal(read->choices.list[0].name, "find");
    assert_string_equal(read->choices.list[0].value, "16x1");
    assert_string_equal(read->choices.list[1].value, "auto");
    assert_string_equal(read->made, "today");
    assert_true(read->after_ns > 4.9e6 && read->before_ns < 1.0);

    /* For something else, each in its own words. */
    other = place;
    other.workload++;
    assert_int_equal(profile_read(read, &other, why, sizeof why), FGPU_E_VERSION);
    assert_non_null(strstr(why, "workload"));
    profile_place_set(&other, &workload, "cpu", two_devices, 2);
    assert_int_equal(profile_read(read, &other, why, sizeof why), FGPU_E_VERSION);
    assert_non_null(strstr(why, "--devices"));
    profile_place_set(&other, &workload, NULL, two_devices, 1);
    assert_int_equal(profile_read(read, &other, why, sizeof why), FGPU_E_VERSION);
    assert_non_null(strstr(why, "2 devices, there are 1"));
    fgpu_device_info changed[] = {two_devices[0], two_devices[1]};
    (void)snprintf(changed[0].driver, sizeof changed[0].driver, "2");
    profile_place_set(&other, &workload, NULL, changed, 2);
    assert_int_equal(profile_read(read, &other, why, sizeof why), FGPU_E_VERSION);
    assert_non_null(strstr(why, "opencl:0, one, 1"));
    other = place;
    (void)snprintf(other.processor, sizeof other.processor, "another");
    assert_int_equal(profile_read(read, &other, why, sizeof why), FGPU_E_VERSION);
    assert_non_null(strstr(why, "processor"));

    /* Damaged files, and none. */
    static const char *const bad[] = {"", "[", "{}", "[1]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(read->path, bad[i]);
        assert_int_not_equal(profile_read(read, &place, why, sizeof why), FGPU_OK);
    }
    assert_int_equal(remove(read->path), 0);
    assert_int_equal(profile_read(read, &place, why, sizeof why), FGPU_E_NOTFOUND);
    (void)snprintf(made->path, sizeof made->path, "no/such/folder/p.json");
    assert_int_equal(profile_write(made, &place, why, sizeof why), FGPU_E_IO);
    workload_fini(&workload);
    free(made);
    free(read);
}

/* Choices in a file that are none. */
static void test_profile_choices(void **state)
{
    static const char *const bad[] = {
        "{\"what\": \"magic\", \"value\": \"1\"}", "{\"what\": \"policy\"}",
        "{\"what\": \"local\", \"value\": \"16\"}",
        "{\"what\": \"policy\", \"name\": \"x\", \"value\": \"auto\"}", "17"};
    struct profile *profile = calloc(1, sizeof *profile);
    struct file_bytes bytes = {0};
    struct profile_place place;
    struct workload workload;
    char content[4096];

    (void)state;
    assert_non_null(profile);
    load(&workload);
    profile_place_set(&place, &workload, NULL, NULL, 0);
    (void)snprintf(profile->path, sizeof profile->path, "choices-%d.json", (int)sizeof text);
    assert_int_equal(profile_write(profile, &place, why, sizeof why), FGPU_OK);
    assert_int_equal(profile_read(profile, &place, why, sizeof why), FGPU_OK);
    assert_int_equal(file_read(profile->path, sizeof content, &bytes, why, sizeof why), FGPU_OK);
    assert_true(file_bytes_append(&bytes, "", 1));
    const char *whole = (const char *)bytes.data;
    const char *list = strstr(whole, "\"choices\":");
    assert_non_null(list);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(content, sizeof content, "%.*s\"choices\": [%s]}", (int)(list - whole),
                       whole, bad[i]);
        write_text(profile->path, content);
        assert_int_equal(profile_read(profile, &place, why, sizeof why), FGPU_E_INVAL);
        assert_non_null(strstr(why, "$.choices[0] is no choice"));
    }
    assert_int_equal(remove(profile->path), 0);
    file_bytes_fini(&bytes);
    workload_fini(&workload);
    free(profile);
}

/* ---- the graphs of bench tiles */

/* The factorisation has the tasks and the edges of the published graph: as many, and each task's
 * predecessors those of the tile that it stands for. */
static void test_tiles_graph(void **state)
{
    struct tiled_cholesky known;
    struct tiles_graph graph;

    (void)state;
    for (uint32_t tiles = 1; tiles <= 8; tiles++) {
        tiled_cholesky_make(&known, tiles);
        assert_int_equal(tiles_graph_make(&graph, TILES_CHOLESKY, tiles), FGPU_OK);
        assert_int_equal(graph.task_count, known.task_count);
        assert_int_equal(graph.edges.count, known.edge_count);
        for (uint32_t i = 1; i < graph.edges.count; i++) {
            const struct workload_edge *a = &graph.edges.items[i - 1], *b = a + 1;
            assert_true(a->to < b->to || (a->to == b->to && a->from < b->from));
            assert_true(b->from < b->to);
        }
        tiles_graph_fini(&graph);
        tiled_cholesky_free(&known);
    }
    assert_int_equal(tiles_graph_make(&graph, TILES_PRODUCT, 3), FGPU_OK);
    assert_int_equal(graph.task_count, 27);
    assert_int_equal(graph.edges.count, 18); /* two steps behind the first, for nine tiles */
    tiles_graph_fini(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space),       cmocka_unit_test(test_choices),
        cmocka_unit_test(test_apply),       cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_profile),     cmocka_unit_test(test_profile_choices),
        cmocka_unit_test(test_tiles_graph),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
