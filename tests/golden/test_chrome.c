/* The exported trace: one small trace against tests/golden/chrome.json byte by byte, and random
 * ones, wrapped ones too, against rules that a parser of the test's own checks: legal JSON, slices
 * of a queue that do not overlap, every flow with both ends inside slices, asynchronous spans
 * paired, counters in order, everything named.
 *
 * FASTGPU_GOLDEN_UPDATE=1 writes the golden file anew; look at the difference before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "base/vec.h"
#include "lib/parse_json.h"
#include "lib/poor_alloc.h"
#include "lib/seed.h"
#include "trace/chrome.h"
#include "trace/trace.h"

static fgpu_status take(void *user, const char *piece, size_t bytes)
{
    struct vec *text = user;
    if (!vec_reserve(text, text->count + bytes + 1 > 2 * text->capacity ? text->count + bytes + 1
                                                                        : 2 * text->capacity))
        return FGPU_E_NOMEM;
    memcpy(text->items + text->count, piece, bytes);
    text->count += bytes;
    text->items[text->count] = '\0';
    return FGPU_OK;
}

/* ---- the golden trace */

static struct trace_event candidate(uint64_t time_ns, uint64_t task, uint8_t device,
                                    const struct trace_candidate *what)
{
    struct trace_event event = {
        .kind = TRACE_CANDIDATE, .time_ns = time_ns, .task = task, .device = device};
    trace_candidate_put(&event, what);
    return event;
}

/* Two devices, a decision, a copy, a build, a dependency between queues, a failure, an eviction, a
 * task that never ran, a lost device; names that need escapes; an end without its begin. */
static void make_golden(struct trace *t)
{
    uint32_t gemm = trace_name(t, "gemm \"tiled\""),
             sum = trace_name(t, "sum\nof \xc3\xa9t\xc3\xa9");
    const struct trace_event events[] = {
        {.kind = TRACE_RUN_END, .time_ns = 1000, .task = 9, .device = 1, .lane = 0},
        {.kind = TRACE_MEMORY, .time_ns = 1500, .a = 4096, .b = 1},
        {.kind = TRACE_SUBMIT, .time_ns = 2000, .task = 1, .a = 1, .name = gemm},
        {.kind = TRACE_READY, .time_ns = 2100, .task = 1},
        {.kind = TRACE_SUBMIT, .time_ns = 2200, .task = 2, .a = 2, .name = sum},
        {.kind = TRACE_EDGE, .time_ns = 2250, .a = 1, .b = 2},
        {.kind = TRACE_EDGE, .time_ns = 2260, .a = 1, .b = 77},
        candidate(2300, 1, 0, &(struct trace_candidate){0, 600, 5000, true, true, 1}),
        candidate(2300, 1, 1, &(struct trace_candidate){7000, 0, 60000, false, false, 1}),
        {.kind = TRACE_BUILD_BEGIN, .time_ns = 2400, .name = gemm, .device = 0},
        {.kind = TRACE_MOVE_BEGIN,
         .time_ns = 2500,
         .task = 1,
         .a = 1 << 20,
         .b = trace_nodes(0, 1)},
        {.kind = TRACE_BUILD_END, .time_ns = 3400, .name = gemm, .device = 0},
        {.kind = TRACE_MOVE_END, .time_ns = 4000, .task = 1, .a = 2600, .b = 3900},
        {.kind = TRACE_RUN_BEGIN, .time_ns = 4100, .task = 1, .a = 5000, .name = gemm},
        {.kind = TRACE_RUN_BEGIN, .time_ns = 4150, .task = 3, .a = 10},
        {.kind = TRACE_RUN_END, .time_ns = 9500, .task = 1, .a = 4200, .b = 9300},
        {.kind = TRACE_DONE, .time_ns = 9500, .task = 1, .a = 1},
        {.kind = TRACE_READY, .time_ns = 9510, .task = 2},
        {.kind = TRACE_RUN_END, .time_ns = 9600, .task = 3},
        {.kind = TRACE_RUN_BEGIN,
         .time_ns = 9700,
         .task = 2,
         .a = 70,
         .name = sum,
         .device = 1,
         .lane = 1},
        {.kind = TRACE_RUN_END, .time_ns = 9900, .task = 2, .device = 1, .lane = 1},
        {.kind = TRACE_FAILED,
         .time_ns = 10000,
         .task = 4,
         .name = sum,
         .b = (uint64_t)-19,
         .device = TRACE_NO_DEVICE},
        {.kind = TRACE_EVICT, .time_ns = 10100, .a = 8192, .b = 1, .device = TRACE_NO_DEVICE},
        {.kind = TRACE_MEMORY, .time_ns = 10200, .a = 0, .b = 1},
        {.kind = TRACE_SUBMIT, .time_ns = 10300, .task = 5, .a = 1, .name = sum},
        {.kind = TRACE_EDGE, .time_ns = 10310, .a = 1, .b = 5},
        {.kind = TRACE_EDGE, .time_ns = 10320, .a = 2, .b = 5},
        {.kind = TRACE_FAILED, .time_ns = 10400, .task = 5, .b = (uint64_t)-20},
        {.kind = TRACE_DEVICE_LOST, .time_ns = 11000, .device = 1},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        trace_emit(t, events[i]);
}

static void golden_path(char *path, size_t bytes)
{
    const char *source = getenv("FASTGPU_SOURCE_DIR");
    snprintf(path, bytes, "%s/tests/golden/chrome.json", source != NULL ? source : ".");
}

static void compare_with_file(const struct vec *text)
{
    char path[4096];
    golden_path(path, sizeof path);
    if (getenv("FASTGPU_GOLDEN_UPDATE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text->items, 1, text->count, file), text->count);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", path);
    char *golden = calloc(1, 1 << 20);
    assert_non_null(golden);
    size_t bytes = fread(golden, 1, (1 << 20) - 1, file);
    fclose(file);
    assert_string_equal(text->items, golden);
    assert_int_equal(bytes, text->count);
    free(golden);
}

/* ---- the rules */

#define TRACKS_MAX 64

struct track {
    double process, thread, busy_until;
};

static struct track tracks[TRACKS_MAX];
static size_t track_count;

static struct track *track_of(double process, double thread)
{
    for (size_t i = 0; i < track_count; i++) {
        if (tracks[i].process == process && tracks[i].thread == thread)
            return &tracks[i];
    }
    assert_true(track_count < TRACKS_MAX);
    tracks[track_count] = (struct track){process, thread, 0};
    return &tracks[track_count++];
}

/* Is there a slice on the event's thread that contains its time? */
static bool inside_a_slice(const struct parse_json *events, const struct parse_json *event)
{
    double ts = parse_json_num(event, "ts");
    for (const struct parse_json *e = events->first; e != NULL; e = e->next) {
        if (strcmp(parse_json_text(e, "ph"), "X") == 0 &&
            parse_json_num(e, "pid") == parse_json_num(event, "pid") &&
            parse_json_num(e, "tid") == parse_json_num(event, "tid") &&
            parse_json_num(e, "ts") <= ts + 1e-6 &&
            ts <= parse_json_num(e, "ts") + parse_json_num(e, "dur") + 1e-6)
            return true;
    }
    return false;
}

/* The one event of phase `phase` with the id of `event`, behind it in the file. */
static const struct parse_json *partner(const struct parse_json *event, const char *phase)
{
    const struct parse_json *found = NULL;
    for (const struct parse_json *e = event->next; e != NULL; e = e->next) {
        if (parse_json_num(e, "id") != parse_json_num(event, "id"))
            continue;
        assert_null(found);
        assert_string_equal(parse_json_text(e, "ph"), phase);
        found = e;
    }
    assert_non_null(found);
    return found;
}

static bool is_named(const struct parse_json *events, const char *what, double pid, double tid)
{
    int names = 0;
    for (const struct parse_json *e = events->first; e != NULL; e = e->next) {
        if (strcmp(parse_json_text(e, "ph"), "M") == 0 &&
            strcmp(parse_json_text(e, "name"), what) == 0 && parse_json_num(e, "pid") == pid &&
            (tid < 0 || parse_json_num(e, "tid") == tid)) {
            names++;
            assert_true(parse_json_text(parse_json_get(e, "args"), "name")[0] != '\0');
        }
    }
    return names == 1;
}

static void check_slice(const struct parse_json *events, const struct parse_json *event)
{
    struct track *track = track_of(parse_json_num(event, "pid"), parse_json_num(event, "tid"));
    assert_true(parse_json_num(event, "dur") >= 0);
    assert_true(parse_json_num(event, "ts") >= track->busy_until - 1e-6);
    track->busy_until = parse_json_num(event, "ts") + parse_json_num(event, "dur");
    assert_true(is_named(events, "process_name", track->process, -1));
    assert_true(is_named(events, "thread_name", track->process, track->thread));
    assert_true(parse_json_num(parse_json_get(event, "args"), "task") >= 0);
}

static void check_counter(const struct parse_json *event)
{
    const struct parse_json *value = parse_json_get(event, "args");
    assert_non_null(value);
    assert_non_null(value->first);
    assert_true(value->first->type == 'n' && value->first->number >= 0);
    for (const struct parse_json *e = event->next; e != NULL; e = e->next) {
        if (strcmp(parse_json_text(e, "ph"), "C") == 0 &&
            strcmp(parse_json_text(e, "name"), parse_json_text(event, "name")) == 0) {
            assert_true(parse_json_num(e, "ts") >= parse_json_num(event, "ts"));
            return;
        }
    }
}

/* Counts phases while checking; [out] counts by the letter of the phase. */
static void check_rules(const char *text, int counts[128])
{
    struct parse_json *root = parse_json(text);
    assert_non_null(root);
    const struct parse_json *events = parse_json_get(root, "traceEvents");
    assert_non_null(events);
    assert_true(events->type == 'a');
    track_count = 0;
    memset(counts, 0, 128 * sizeof counts[0]);
    for (const struct parse_json *e = events->first; e != NULL; e = e->next) {
        const char *phase = parse_json_text(e, "ph");
        assert_int_equal(strlen(phase), 1);
        assert_non_null(strchr("XbesfiCM", phase[0]));
        assert_true(parse_json_text(e, "name")[0] != '\0');
        assert_true(parse_json_num(e, "pid") >= 1 && parse_json_num(e, "tid") >= 0);
        counts[(int)phase[0]]++;
        if (phase[0] != 'M')
            assert_true(parse_json_num(e, "ts") >= 0);
        if (phase[0] == 'X')
            check_slice(events, e);
        if (phase[0] == 'C')
            check_counter(e);
        if (phase[0] == 'b') {
            const struct parse_json *end = partner(e, "e");
            assert_string_equal(parse_json_text(e, "name"), parse_json_text(end, "name"));
            assert_true(parse_json_num(e, "ts") <= parse_json_num(end, "ts"));
        }
        if (phase[0] == 's') {
            const struct parse_json *end = partner(e, "f");
            assert_true(parse_json_num(e, "ts") <= parse_json_num(end, "ts"));
            assert_true(inside_a_slice(events, e) && inside_a_slice(events, end));
        }
    }
    assert_int_equal(counts['b'], counts['e']);
    assert_int_equal(counts['s'], counts['f']);
    parse_json_free(root);
}

/* ---- tests */

static void test_golden(void **state)
{
    (void)state;
    static const char *const devices[] = {"opencl:0: a card", NULL},
                             *const ids[] = {"opencl:0", NULL},
                             *const nodes[] = {"host", "card \\1/"};
    const struct chrome_options options = {.device_names = devices,
                                           .device_ids = ids,
                                           .device_count = 2,
                                           .node_names = nodes,
                                           .node_count = 2};
    struct trace t;
    struct vec text;
    int counts[128];
    trace_init(&t, 64, NULL);
    vec_init(&text, 1, NULL);
    assert_int_equal(trace_enable(&t, true), FGPU_OK);
    make_golden(&t);
    assert_int_equal(chrome_export(&t, &options, take, &text), FGPU_OK);
    check_rules(text.items, counts);
    assert_int_equal(counts['X'],
                     4); /* the copy and three runs; the end without a begin is not there */
    assert_int_equal(counts['s'], 2); /* from the copy, and between the tasks */
    assert_int_equal(counts['b'], 1);
    assert_int_equal(counts['i'], 5); /* task 5 and its failure too */
    assert_int_equal(counts['C'], 8);
    compare_with_file(&text);
    vec_fini(&text);
    trace_fini(&t);
}

static void test_nothing_traced(void **state)
{
    (void)state;
    struct trace t;
    struct vec text;
    int counts[128];
    trace_init(&t, 0, NULL);
    vec_init(&text, 1, NULL);
    assert_int_equal(chrome_export(&t, NULL, take, &text), FGPU_OK);
    check_rules(text.items, counts);
    assert_int_equal(counts['X'], 0);
    vec_fini(&text);
    trace_fini(&t);
}

#define LANES 6
#define PENDING_MAX 256

/* A made-up pool: what was handed to a queue and has not ended yet. */
struct fake_pool {
    struct trace *trace;
    struct rng *rng;
    uint64_t now_ns;
    uint64_t busy_ns[LANES];              /* on the device: a queue works in order */
    struct trace_event ends[PENDING_MAX]; /* in the order of submission */
    uint32_t pending;
    int ended; /* runs and copies that a reader can know the times of */
};

static void fake_emit(struct fake_pool *pool, struct trace_event event, uint8_t kind, uint64_t a,
                      uint64_t b)
{
    event.kind = kind;
    event.time_ns = pool->now_ns += rng_below(pool->rng, 50);
    event.a = a;
    event.b = b;
    trace_emit(pool->trace, event);
}

/* Tells of the oldest command of a random queue, or of the oldest one at all. */
static void fake_end_one(struct fake_pool *pool)
{
    uint32_t pick = (uint32_t)rng_below(pool->rng, pool->pending), i = 0;
    while (pool->ends[i].device != pool->ends[pick].device ||
           pool->ends[i].lane != pool->ends[pick].lane)
        i++;
    struct trace_event end = pool->ends[i];
    if (pool->now_ns < end.time_ns)
        pool->now_ns = end.time_ns;
    if (end.kind != TRACE_NONE)
        fake_emit(pool, end, end.kind, end.a, end.b);
    fake_emit(pool, end, TRACE_DONE, pool->pending, 0);
    memmove(&pool->ends[i], &pool->ends[i + 1], (pool->pending - i - 1) * sizeof pool->ends[0]);
    pool->pending--;
}

/* One task: submitted, ready, handed to a queue. Half of the ends carry no times; lossy: some
 * begins or ends are lost. */
static void fake_begin_one(struct fake_pool *pool, uint64_t task, uint32_t name, bool lossy)
{
    uint32_t lane = (uint32_t)rng_below(pool->rng, LANES);
    struct trace_event e = {
        .task = task, .name = name, .device = (uint8_t)(lane / 2), .lane = (uint16_t)(lane % 2)};
    fake_emit(pool, e, TRACE_SUBMIT, pool->pending, 0);
    for (uint64_t i = rng_below(pool->rng, 3); i > 0 && task > 1; i--)
        fake_emit(pool, e, TRACE_EDGE, 1 + rng_below(pool->rng, task - 1), task);
    fake_emit(pool, e, TRACE_READY, 0, 0);
    if (rng_below(pool->rng, 10) == 0) {
        fake_emit(pool, e, TRACE_BUILD_BEGIN, 0, 0);
        fake_emit(pool, e, TRACE_BUILD_END, 0, 0);
    }
    bool copy = rng_below(pool->rng, 3) == 0, timed = rng_below(pool->rng, 2) == 0;
    bool lost_begin = lossy && rng_below(pool->rng, 10) == 0,
         lost_end = lossy && rng_below(pool->rng, 10) == 0;
    uint8_t begin = copy ? TRACE_MOVE_BEGIN : TRACE_RUN_BEGIN;
    if (!lost_begin)
        fake_emit(pool, e, begin, 100, trace_nodes(0, lane));
    uint64_t from = pool->now_ns > pool->busy_ns[lane] ? pool->now_ns : pool->busy_ns[lane];
    uint64_t to = pool->busy_ns[lane] = from + rng_below(pool->rng, 500);
    e.kind = lost_end ? TRACE_NONE : (uint8_t)(begin + 1);
    e.time_ns = to;
    e.a = timed ? from : 0;
    e.b = timed ? to : 0;
    pool->ends[pool->pending++] = e;
    pool->ended += !lost_end && (timed || !lost_begin);
    fake_emit(pool, e, TRACE_MEMORY, rng_below(pool->rng, 1000), lane / 2);
}

/* Tasks go to queues, each may wait for earlier ones; several are in flight. Returns how many
 * slices there should be. */
static int make_random(struct trace *t, struct rng *rng, uint32_t tasks, bool lossy)
{
    const uint32_t names[3] = {0, trace_name(t, "a"), trace_name(t, "b\\")};
    static struct fake_pool pool;
    pool = (struct fake_pool){.trace = t, .rng = rng, .now_ns = 1000 + rng_below(rng, 1000000)};
    uint32_t depth = 1 + (uint32_t)rng_below(rng, 20);
    for (uint64_t task = 1; task <= tasks; task++) {
        fake_begin_one(&pool, task, names[rng_below(rng, 3)], lossy);
        while (pool.pending > depth || (pool.pending > 0 && rng_below(rng, 3) == 0))
            fake_end_one(&pool);
    }
    while (pool.pending > 0)
        fake_end_one(&pool);
    return pool.ended;
}

static void test_random_traces(void **state)
{
    (void)state;
    uint64_t first = seed_get(1), count = seed_count(60);
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct rng rng;
        struct trace t;
        struct vec text;
        int counts[128];
        rng_init(&rng, seed);
        bool wraps = rng_below(&rng, 2) == 0, lossy = rng_below(&rng, 2) == 0;
        trace_init(&t, wraps ? 256 : 4096, NULL);
        vec_init(&text, 1, NULL);
        assert_int_equal(trace_enable(&t, true), FGPU_OK);
        int ends = make_random(&t, &rng, 1 + (uint32_t)rng_below(&rng, 200), lossy);
        assert_int_equal(chrome_export(&t, NULL, take, &text), FGPU_OK);
        check_rules(text.items, counts);
        if (t.count <= t.capacity && counts['X'] != ends) {
            seed_print("golden/test_chrome", seed);
            fail_msg("%d slices of %d runs and copies", counts['X'], ends);
        }
        vec_fini(&text);
        trace_fini(&t);
    }
}

static fgpu_status refuse(void *user, const char *piece, size_t bytes)
{
    int *left = user;
    (void)piece;
    (void)bytes;
    return (*left)-- > 0 ? FGPU_OK : FGPU_E_IO;
}

static void test_failures_are_passed_on(void **state)
{
    (void)state;
    struct poor_alloc poor;
    struct rng rng;
    struct trace t;
    poor_alloc_init(&poor);
    rng_init(&rng, 1);
    trace_init(&t, 4096, &poor.hooks);
    assert_int_equal(trace_enable(&t, true), FGPU_OK);
    make_random(&t, &rng, 200, false);
    for (int left = 0; left < 4; left++) {
        int writes = left;
        assert_int_equal(chrome_export(&t, NULL, refuse, &writes), FGPU_E_IO);
        assert_int_equal(writes, -1); /* and is not asked again */
    }
    for (long left = 0; left < 200; left++) {
        struct vec text;
        vec_init(&text, 1, NULL);
        poor.left = left;
        long live = poor.live_count;
        fgpu_status status = chrome_export(&t, NULL, take, &text);
        assert_int_equal(poor.live_count, live);
        vec_fini(&text);
        if (status == FGPU_OK)
            break;
        assert_int_equal(status, FGPU_E_NOMEM);
        assert_true(left < 199);
    }
    trace_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_nothing_traced),
        cmocka_unit_test(test_random_traces),
        cmocka_unit_test(test_failures_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
