/* Is what fgpu_trace_read() tells true of itself and of the pool? Random tasks on real threads and
 * on simulated devices with memory of their own; some fail, some are cancelled. Checked: every task
 * that submit returned is told of once, with its name and status; a task that ended well ran inside
 * its own time, where its last decision said; nothing overlaps on a queue; edges point forward;
 * records come in the order of their ends. Also where the ring has wrapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "lib/api_rig.h"
#include "lib/seed.h"

#define TASKS 120u
#define BUFFERS 6u
#define RECORDS 20000u
#define QUEUES 64u

struct made {
    fgpu_task task;
    char name[32];
    bool runs; /* it has something to run */
};

static struct made made[TASKS];
static fgpu_trace_record records[RECORDS];
static char names[RECORDS][64];
static uint32_t record_count;

static void take(void *user, const fgpu_trace_record *record)
{
    (void)user;
    assert_true(record_count < RECORDS);
    assert_int_equal(record->struct_bytes, sizeof *record);
    (void)snprintf(names[record_count], sizeof names[0], "%s", record->name);
    records[record_count] = *record;
    records[record_count].name = names[record_count];
    record_count++;
}

static int fail_on_the_host(void *const *args, void *user)
{
    (void)args;
    (void)user;
    return 7;
}

/* Writes a buffer, reads another; some are host functions that fail, some have nothing to run. */
static void submit_one(struct rng *rng, fgpu_kernel kernel, const fgpu_buffer *buffers,
                       struct made *one, uint32_t number)
{
    uint64_t to = rng_below(rng, BUFFERS), kind = rng_below(rng, 12);
    fgpu_arg arg = fgpu_arg_buffer(buffers[to]);
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    (void)snprintf(one->name, sizeof one->name, "task %u", number);
    desc.name = one->name;
    desc.kind = kind == 0 ? FGPU_TASK_EMPTY : kind == 1 ? FGPU_TASK_HOST : FGPU_TASK_KERNEL;
    one->runs = kind != 0;
    if (kind == 1)
        desc.host_fn = fail_on_the_host;
    if (kind > 1) {
        desc.kernel = kernel;
        desc.dims = 1;
        desc.global[0] = RIG_WORDS;
        desc.args = &arg;
        desc.arg_count = 1;
    }
    if (number > 0 && rng_below(rng, 3) == 0) {
        desc.after = &made[rng_below(rng, number)].task;
        desc.after_count = 1;
    }
    rig_need(fgpu_task_submit(rig_pool, &desc, &one->task));
    if (rng_below(rng, 20) == 0)
        (void)fgpu_task_cancel(one->task);
}

static void run_tasks(uint64_t seed, const char *options)
{
    fgpu_buffer buffers[BUFFERS];
    static const uint32_t zero[RIG_WORDS];
    struct rng rng;
    rng_init(&rng, seed);
    rig_open(options);
    fgpu_kernel kernel = rig_new_kernel();
    for (uint32_t i = 0; i < BUFFERS; i++) {
        buffers[i] = rig_buffer(sizeof zero);
        rig_need(fgpu_buffer_write(buffers[i], NULL, zero, 0));
    }
    for (uint32_t i = 0; i < TASKS; i++)
        submit_one(&rng, kernel, buffers, &made[i], i);
    (void)fgpu_pool_wait(rig_pool, FGPU_FOREVER);
    record_count = 0;
    rig_need(fgpu_trace_read(rig_pool, take, NULL));
}

/* ---- what must hold --------------------------------------------------------------------- */

static const fgpu_trace_record *task_record(fgpu_task task)
{
    const fgpu_trace_record *found = NULL;
    for (uint32_t i = 0; i < record_count; i++) {
        if (records[i].kind != FGPU_TRACE_TASK || records[i].task.bits != task.bits)
            continue;
        assert_null(found);
        found = &records[i];
    }
    return found;
}

static const fgpu_trace_record *last_of(uint32_t kind, fgpu_task task)
{
    const fgpu_trace_record *found = NULL;
    for (uint32_t i = 0; i < record_count; i++)
        if (records[i].kind == kind && records[i].task.bits == task.bits &&
            (kind != FGPU_TRACE_CANDIDATE || records[i].chosen))
            found = &records[i];
    return found;
}

/* Returns whether the ring still knew the task. */
static bool check_task(const struct made *one)
{
    const fgpu_trace_record *task = task_record(one->task);
    const fgpu_trace_record *run = last_of(FGPU_TRACE_RUN, one->task);
    fgpu_status status = FGPU_OK;
    if (task == NULL)
        return false;
    assert_string_equal(task->name, one->name);
    assert_true(task->start_ns > 0 && task->end_ns >= task->start_ns);
    (void)fgpu_task_get_error(one->task, &status, NULL, NULL, 0);
    assert_int_equal(task->status, status);
    if (run == NULL) {
        assert_false(status == FGPU_OK && one->runs);
        return true;
    }
    assert_string_equal(run->name, one->name);
    if (run->start_ns < task->start_ns || run->end_ns > task->end_ns)
        fail_msg("%s ran from %llu to %llu, but lived from %llu to %llu", one->name,
                 (unsigned long long)run->start_ns, (unsigned long long)run->end_ns,
                 (unsigned long long)task->start_ns, (unsigned long long)task->end_ns);
    const fgpu_trace_record *placed = last_of(FGPU_TRACE_CANDIDATE, one->task);
    assert_non_null(placed);
    assert_int_equal(placed->device, run->device);
    assert_int_equal(placed->queue, run->queue);
    assert_true(placed->start_ns >= task->start_ns && placed->start_ns <= task->end_ns);
    assert_true(placed->placed >= FGPU_PLACED_POLICY && placed->placed <= FGPU_PLACED_PIECE);
    return true;
}

static void check_queues(void)
{
    static uint64_t busy_ns[64][QUEUES];
    memset(busy_ns, 0, sizeof busy_ns);
    for (uint32_t i = 0; i < record_count; i++) {
        const fgpu_trace_record *r = &records[i];
        if (r->kind != FGPU_TRACE_RUN && r->kind != FGPU_TRACE_COPY)
            continue;
        assert_true(r->device < 64 && r->queue < QUEUES && r->start_ns <= r->end_ns);
        assert_true(r->start_ns >= busy_ns[r->device][r->queue]);
        busy_ns[r->device][r->queue] = r->end_ns;
    }
}

/* Returns how many edges lie between two runs. */
static uint32_t check_edges(void)
{
    uint32_t both = 0;
    for (uint32_t i = 0; i < record_count; i++) {
        const fgpu_trace_record *edge = &records[i];
        if (edge->kind != FGPU_TRACE_EDGE)
            continue;
        const fgpu_trace_record *from = task_record(edge->task), *to = task_record(edge->other);
        const fgpu_trace_record *ran = last_of(FGPU_TRACE_RUN, edge->task),
                                *runs = last_of(FGPU_TRACE_RUN, edge->other);
        assert_true(edge->task.bits != edge->other.bits);
        if (from != NULL && to != NULL)
            assert_true(from->start_ns <= to->start_ns && from->end_ns <= to->end_ns);
        if (ran == NULL || runs == NULL)
            continue;
        assert_true(ran->end_ns <= runs->start_ns);
        both++;
    }
    return both;
}

static void check_order(void)
{
    uint64_t before_ns = 0;
    for (uint32_t i = 0; i < record_count; i++) {
        uint64_t end_ns = records[i].end_ns == 0 ? UINT64_MAX : records[i].end_ns;
        assert_true(end_ns >= before_ns);
        before_ns = end_ns;
    }
}

static void check_seeds(const char *options, uint64_t count, bool wraps)
{
    uint64_t first = seed_get(1), edges = 0, known = 0;
    for (uint64_t seed = first; seed < first + seed_count(count); seed++) {
        run_tasks(seed, options);
        uint32_t told = 0;
        for (uint32_t i = 0; i < TASKS; i++)
            told += check_task(&made[i]);
        assert_true(wraps ? told < TASKS : told == TASKS);
        known += told;
        check_queues();
        check_order();
        edges += check_edges();
        (void)fgpu_pool_close(rig_pool);
    }
    assert_true(known > 0 && edges > 0);
}

static void test_cpu(void **state)
{
    (void)state;
    check_seeds("devices=cpu;workers=2;cache=;log=off;trace", 20, false);
    check_seeds("devices=cpu;workers=2;policy=fifo;cache=;log=off;trace", 5, false);
}

static void test_devices_with_memory(void **state)
{
    (void)state;
    check_seeds("devices=sim:2;cache=;log=off;trace", 20, false);
    uint32_t copies = 0;
    for (uint32_t i = 0; i < record_count; i++) {
        if (records[i].kind != FGPU_TRACE_COPY)
            continue;
        assert_true(records[i].node != records[i].node_to && records[i].bytes > 0);
        copies += task_record(records[i].task) != NULL;
    }
    assert_true(copies > 0); /* and known for which task */
}

static void test_a_ring_that_wraps(void **state)
{
    (void)state;
    check_seeds("devices=cpu;workers=2;cache=;log=off;trace;trace-events=200", 20, true);
}

/* ---- one by one ------------------------------------------------------------------------- */

static void take_and_ask(void *user, const fgpu_trace_record *record)
{
    fgpu_pool_stats stats = {.struct_bytes = sizeof stats};
    uint32_t *asked = user;
    (void)record;
    rig_need(fgpu_pool_get_stats(rig_pool, &stats));
    rig_need(fgpu_buffer_write(rig_buffer(64), NULL, &stats, 64));
    (*asked)++;
}

static void take_and_close(void *user, const fgpu_trace_record *record)
{
    uint32_t *closed = user;
    assert_true(strlen(record->name) < 64);
    if ((*closed)++ == 0)
        (void)fgpu_pool_close(rig_pool);
}

static void test_calls_inside(void **state)
{
    (void)state;
    uint32_t asked = 0, told = 0;
    run_tasks(1, "devices=cpu;workers=2;cache=;log=off;trace");
    rig_need(fgpu_trace_read(rig_pool, take_and_ask, &asked));
    assert_true(asked >= TASKS);
    rig_need(fgpu_trace_read(rig_pool, take_and_close, &told));
    assert_true(told > asked); /* what take_and_ask did was traced too */
    rig_refused(fgpu_trace_read(rig_pool, take, NULL), FGPU_E_STALE, "fgpu_trace_read: pool");
}

static void test_nothing_traced(void **state)
{
    (void)state;
    rig_open("devices=null;cache=;log=off");
    rig_refused(fgpu_trace_read(rig_pool, NULL, NULL), FGPU_E_INVAL, "fn is NULL");
    record_count = 0;
    rig_need(fgpu_trace_read(rig_pool, take, NULL));
    assert_int_equal(record_count, 0);
    rig_need(fgpu_pool_close(rig_pool));
}

/* A task that waits for a mapping has not ended: end_ns 0, behind all others. */
static void test_not_ended(void **state)
{
    (void)state;
    static const uint32_t zero[RIG_WORDS];
    fgpu_task task;
    void *ptr;
    rig_open("devices=cpu;workers=1;cache=;log=off;trace");
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_buffer buffer = rig_buffer(sizeof zero);
    rig_need(fgpu_buffer_write(buffer, NULL, zero, 0));
    rig_need(fgpu_buffer_map(buffer, 0, sizeof zero, FGPU_READ_WRITE, &ptr));
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    rig_need(fgpu_task_run(kernel, RIG_WORDS, &arg, 1, &task));
    record_count = 0;
    rig_need(fgpu_trace_read(rig_pool, take, NULL));
    const fgpu_trace_record *record = task_record(task);
    assert_non_null(record);
    assert_true(record->start_ns > 0 && record->end_ns == 0 && record->ready_ns == 0);
    assert_string_equal(record->name, "add_one");
    assert_true(records[record_count - 1].end_ns == 0);
    rig_need(fgpu_buffer_unmap(buffer, ptr));
    rig_need(fgpu_pool_close(rig_pool));
}

/* ---- decisions --------------------------------------------------------------------------- */

/* Runs one kernel `count` times on one buffer, and reads the trace. */
static void run_kernels(const char *options, uint32_t count, bool is_pinned)
{
    fgpu_task_desc desc;
    rig_open(options);
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_buffer buffer = rig_buffer(4 * RIG_WORDS);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_task_desc_init(&desc);
    desc.kind = FGPU_TASK_KERNEL;
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = RIG_WORDS;
    desc.args = &arg;
    desc.arg_count = 1;
    if (is_pinned)
        rig_need(fgpu_device_at(rig_pool, 1, &desc.device));
    rig_need(fgpu_buffer_fill(buffer, NULL, &(uint32_t){0}, 4));
    for (uint32_t i = 0; i < count; i++)
        rig_need(fgpu_task_submit(rig_pool, &desc, &made[i].task));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    record_count = 0;
    rig_need(fgpu_trace_read(rig_pool, take, NULL));
    rig_need(fgpu_pool_close(rig_pool));
}

/* Candidates of the task's last decision; the chosen one is the first. Checks that all are placed
 * by `placed`. */
static uint32_t candidates_of(fgpu_task task, uint32_t placed)
{
    const fgpu_trace_record *last = last_of(FGPU_TRACE_CANDIDATE, task);
    uint32_t count = 0;
    assert_non_null(last);
    for (const fgpu_trace_record *r = last; r < records + record_count; r++) {
        if (r->kind != FGPU_TRACE_CANDIDATE || r->task.bits != task.bits ||
            (r != last && r->chosen))
            continue;
        assert_int_equal(r->placed, placed);
        count++;
    }
    return count;
}

static void test_decisions(void **state)
{
    (void)state;
    run_kernels("devices=null;workers=1;cache=;log=off;trace", 1, false);
    assert_int_equal(candidates_of(made[0].task, FGPU_PLACED_ONLY), 1);
    run_kernels("devices=null:3;workers=1;cache=;log=off;trace", 1, false);
    assert_int_equal(candidates_of(made[0].task, FGPU_PLACED_POLICY), 3);
    run_kernels("devices=null:3;policy=fifo;cache=;log=off;trace", 1, false);
    assert_int_equal(candidates_of(made[0].task, FGPU_PLACED_POLICY), 3);
    run_kernels("devices=null:3;workers=2;cache=;log=off;trace", 1, true);
    assert_int_equal(candidates_of(made[0].task, FGPU_PLACED_PINNED), 2);
    assert_int_equal(last_of(FGPU_TRACE_RUN, made[0].task)->device, 1);
    run_kernels("devices=null:3;workers=10;cache=;log=off;trace", 1, false);
    assert_int_equal(candidates_of(made[0].task, FGPU_PLACED_POLICY), 16); /* of 30 */
}

/* Tasks that wait for each other go behind each other; that is said, and the edges are there. */
static void test_chains(void **state)
{
    (void)state;
    uint32_t chained = 0;
    for (uint32_t tries = 0; tries < 50 && chained == 0; tries++) {
        run_kernels("devices=cpu;workers=1;cache=;log=off;trace", 100, false);
        for (uint32_t i = 0; i < record_count; i++) {
            const fgpu_trace_record *r = &records[i];
            if (r->kind != FGPU_TRACE_CANDIDATE || r->placed != FGPU_PLACED_CHAINED)
                continue;
            bool has_edge = false;
            for (uint32_t k = 0; k < record_count; k++)
                has_edge |=
                    records[k].kind == FGPU_TRACE_EDGE && records[k].other.bits == r->task.bits;
            assert_true(r->chosen && has_edge);
            chained++;
        }
    }
    assert_true(chained > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_devices_with_memory),
        cmocka_unit_test(test_a_ring_that_wraps),
        cmocka_unit_test(test_calls_inside),
        cmocka_unit_test(test_nothing_traced),
        cmocka_unit_test(test_not_ended),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
