/* A workload in a pool: results of runs one after another, what is said of tasks that fail and
 * which buffers are whole then, an end that is asked for; and the line of progress.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/workload/progress.h"
#include "cli/workload/workload_session.h"

/* Grey in bands of one row, then its edges; the bands are named, the edges are not. */
static const char text[] =
    "{\"fastgpu\": 1, \"constants\": {\"n\": 40}, \"buffers\": {"
    "\"photo\": {\"picture\": {\"width\": 30, \"height\": \"n\"}, \"random\": {\"seed\": 9}}, "
    "\"grey\": {\"like\": \"photo\", \"channels\": 1}, \"edges\": {\"like\": \"grey\"}, "
    "\"alone\": {\"like\": \"grey\"}}, "
    "\"kernels\": {\"g\": {\"filter\": \"grey\"}, \"s\": {\"filter\": \"sobel\"}}, \"tasks\": ["
    "{\"name\": \"last\", \"kernel\": \"g\", \"after\": \"band-3\", "
    "\"args\": {\"src\": \"photo\", \"dst\": \"alone\"}}, "
    "{\"name\": \"band-{i}\", \"kernel\": \"g\", \"args\": {\"src\": \"photo\", "
    "\"dst\": {\"buffer\": \"grey\", \"rows\": [\"i\", \"i + 1\"]}}, \"repeat\": {\"i\": \"n\"}}, "
    "{\"kernel\": \"s\", \"args\": {\"src\": \"grey\", \"dst\": \"edges\"}}], "
    "\"outputs\": [{\"buffer\": \"grey\", \"raw\": \"g\"}, {\"buffer\": \"edges\", \"raw\": "
    "\"e\"}, "
    "{\"buffer\": \"alone\", \"raw\": \"a\"}]}";

#define BUFFER_GREY 1
#define BUFFER_EDGES 2
#define BUFFER_ALONE 3
#define TASKS 42

static struct workload workload;
static struct workload_data data;
static struct workload_session session;
static const struct watch silent;
static fgpu_pool pool;

static void open_session(const char *faults)
{
    fgpu_pool_options options;
    char why[CLI_WHY_BYTES] = "";

    fgpu_pool_options_init(&options);
    options.devices = "cpu";
    options.cpu_workers = 2;
    options.cache_dir = "";
    options.faults = faults;
    options.log_level = FGPU_LOG_ERROR;
    assert_int_equal(workload_parse(text, sizeof text - 1, "", NULL, &workload), FGPU_OK);
    assert_int_equal(workload.task_count, TASKS);
    assert_int_equal(workload_data_init(&data, &workload, NULL, why, sizeof why), FGPU_OK);
    assert_int_equal(fgpu_pool_open(&options, &pool), FGPU_OK);
    if (workload_session_init(&session, &workload, &data, pool, why, sizeof why) != FGPU_OK)
        fail_msg("%s", why);
}

static void close_session(void)
{
    workload_session_fini(&session);
    (void)fgpu_pool_close(pool);
    workload_data_fini(&data);
    workload_fini(&workload);
}

static void check_grey(uint32_t buffer)
{
    const unsigned char *found, *photo = data.memory[0];
    uint64_t pitch = workload.buffers[0].pitch, found_pitch = workload.buffers[buffer].pitch;

    assert_int_equal(workload_session_map(&session, buffer, &found, NULL, 0), FGPU_OK);
    for (uint64_t y = 0; y < 40; y++)
        for (uint64_t x = 0; x < 30; x++) {
            const unsigned char *rgb = photo + y * pitch + 3 * x;
            assert_int_equal(found[y * found_pitch + x],
                             (77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) / 256);
        }
    workload_session_unmap(&session, buffer, found);
}

static uint32_t told_count, told_done;
static enum watch_phase told_phase;

static void tell(void *user, enum watch_phase phase, uint32_t done_count, uint32_t count)
{
    (void)user;
    told_phase = phase;
    told_done = done_count;
    told_count = count;
}

static void test_runs(void **state)
{
    const struct watch watch = {.progress = tell};
    struct workload_session_index *index;
    struct workload_run run;
    char why[CLI_WHY_BYTES] = "";

    (void)state;
    open_session(NULL);
    assert_string_equal(workload.tasks[0].place, "$.tasks[0]");
    assert_string_equal(workload.tasks[8].place, "$.tasks[1], i = 7");
    assert_false(workload_session_is_whole(&session, BUFFER_GREY));
    assert_int_equal(workload_session_build(&session, &watch, why, sizeof why), FGPU_OK);
    assert_int_equal(told_phase, WATCH_COMPILING);
    assert_int_equal(10 * told_done + told_count, 12); /* the second of two */
    fgpu_task before = {0};
    for (uint32_t i = 0; i < 3; i++) {
        workload_session_run(&session, &silent, &run);
        assert_string_equal(run.error, "");
        assert_int_equal(run.done_count, TASKS);
        assert_int_equal(run.failed_count + run.cancelled_count, 0);
        assert_true(run.end_ns > run.start_ns);
        assert_true(workload_session_is_whole(&session, BUFFER_EDGES));
        check_grey(BUFFER_GREY);
        check_grey(BUFFER_ALONE);
        assert_int_equal(workload_session_index_make(&session, &index), FGPU_OK);
        for (uint32_t t = 0; t < TASKS; t++)
            assert_int_equal(workload_session_find(index, session.tasks[t]), t);
        assert_int_equal(workload_session_find(index, before), UINT32_MAX);
        before = session.tasks[5];
        workload_session_index_free(index);
    }
    close_session();
}

/* Some of the bands fail, and what reads them with them; what does not is whole. */
static void test_failures(void **state)
{
    struct workload_run run;
    uint32_t failed = 0, poisoned = 0;
    bool grey_is_whole = true;

    (void)state;
    open_session("seed=3,task=300");
    workload_session_run(&session, &silent, &run);
    for (uint32_t i = 0; i < TASKS; i++) {
        failed += session.results[i] != FGPU_OK && session.results[i] != FGPU_E_POISONED;
        poisoned += session.results[i] == FGPU_E_POISONED;
        if (i >= 1 && i <= 40 && session.results[i] != FGPU_OK)
            grey_is_whole = false;
    }
    assert_true(failed > 0 && failed < TASKS); /* 300 in 1000 do: none or all is out of question */
    assert_false(grey_is_whole);
    assert_int_equal(run.failed_count, failed + poisoned);
    assert_int_equal(run.done_count, TASKS - failed - poisoned);
    assert_int_equal(session.results[TASKS - 1], FGPU_E_POISONED);
    assert_false(workload_session_is_whole(&session, BUFFER_GREY));
    assert_false(workload_session_is_whole(&session, BUFFER_EDGES));
    assert_int_equal(workload_session_is_whole(&session, BUFFER_ALONE),
                     session.results[0] == FGPU_OK);
    uint32_t first = 0;
    while (session.results[workload.order[first]] == FGPU_OK)
        first++;
    const struct workload_task *task = &workload.tasks[workload.order[first]];
    char head[256];
    (void)snprintf(head, sizeof head, "%s (%s): ", task->place, task->name);
    assert_int_equal(strncmp(run.error, head, strlen(head)), 0);
    close_session();
}

static volatile sig_atomic_t stop;

static void tell_to_stop(void *user, enum watch_phase phase, uint32_t done_count, uint32_t count)
{
    (void)user, (void)phase, (void)done_count, (void)count;
    stop = 1;
}

static void test_stop(void **state)
{
    const struct watch watch = {.stop = &stop, .progress = tell_to_stop};
    struct workload_run run;
    char why[CLI_WHY_BYTES] = "";

    (void)state;
    open_session(NULL);
    stop = 0;
    assert_int_equal(workload_session_build(&session, &watch, why, sizeof why), FGPU_E_CANCELLED);
    assert_string_equal(why, "1 of 2 kernels were compiled");
    workload_session_run(&session, &watch, &run);
    assert_true(run.is_interrupted);
    assert_int_equal(run.cancelled_count, TASKS);
    assert_string_equal(run.error, "");
    assert_false(workload_session_is_whole(&session, BUFFER_GREY));
    stop = 0; /* and on as if nothing had been */
    workload_session_run(&session, &silent, &run);
    assert_int_equal(run.done_count, TASKS);
    check_grey(BUFFER_GREY);
    close_session();
}

static void test_unknown_entry(void **state)
{
    static const char source[] = "kernel void other(global float *x) { x[0] = 1; }";
    struct workload_param param = {.name = "x", .kind = FGPU_ARG_BUFFER, .access = FGPU_WRITE};
    struct workload_kernel kernel = {
        .name = "k", .source = source, .entry = "k", .param_count = 1, .params = &param};
    const struct workload wrong = {.kernels = &kernel, .kernel_count = 1};
    const struct workload_data none = {0};
    struct workload_session made;
    char why[CLI_WHY_BYTES] = "";

    (void)state;
    open_session(NULL);
    assert_int_equal(workload_session_init(&made, &wrong, &none, pool, why, sizeof why),
                     FGPU_E_NOTFOUND);
    assert_non_null(strstr(why, "$.kernels.k: "));
    assert_non_null(strstr(why, "other")); /* that there is */
    assert_null(made.workload);
    workload_session_fini(&made);
    close_session();
}

static void test_progress(void **state)
{
    char line[100];

    (void)state;
    progress_text(WATCH_COMPILING, 0, 1, 4, 10, line);
    assert_string_equal(line, "compiling [######                  ] 1 of 4 kernels");
    progress_text(WATCH_RUNNING, 0, 25, 100, UINT64_C(2000000000), line);
    assert_string_equal(line, "running [######                  ] 25 of 100 tasks, 6 s left");
    progress_text(WATCH_RUNNING, 20, 30, 100, UINT64_C(2000000000), line);
    assert_non_null(strstr(line, " 14 s left"));
    progress_text(WATCH_WRITING, 0, 7, 4, 0, line); /* more than all is all */
    assert_string_equal(line, "writing [########################] 4 of 4 outputs");
    progress_text(WATCH_MEASURING, 0, 0, 0, 0, line);
    assert_string_equal(line, "measuring [                        ] 0 of 0 rounds");
    progress_text(WATCH_RUNNING, 0, 4000000000U, 4000000000U, UINT64_MAX / 2, line);
    assert_true(strlen(line) < 79);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_stop),     cmocka_unit_test(test_unknown_entry),
        cmocka_unit_test(test_progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
