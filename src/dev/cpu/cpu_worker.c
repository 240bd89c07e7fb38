/* A worker thread of the CPU device: see cpu_worker.h. */
#include "dev/cpu/cpu_worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/role.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/futex.h"

#define CPU_WORKER_SPIN_LEAST_NS 1000u
#define CPU_WORKER_PAUSES 16         /* looks at the ring between two looks at the clock */
#define CPU_WORKER_WATCH_EVERY 7     /* odd: meets both of two kinds of launches that alternate */
#define CPU_WORKER_NAP_NS 50000      /* with the kernel's slack a tenth of a millisecond at most */
#define CPU_WORKER_GROUP_PS 1000000u /* a group of which nothing is known */
#define CPU_WORKER_FETCH_AHEAD 2u    /* commands whose bodies are fetched before their turn */

fgpu_status cpu_crew_init(struct cpu_crew *crew, uint32_t worker_count, const fgpu_doorbell *bell)
{
    *crew = (struct cpu_crew){.worker_count = worker_count, .bell = bell};
    crew->workers = alloc_get_zeroed(NULL, worker_count * sizeof *crew->workers, LIMITS_CACHE_LINE);
    if (crew->workers == NULL)
        return FGPU_E_NOMEM;
    for (uint32_t i = 0; i < worker_count; i++) {
        crew->workers[i].crew = crew;
        crew->workers[i].index = i;
        crew->workers[i].cpu = -1;
    }
    return FGPU_OK;
}

void cpu_crew_fini(struct cpu_crew *crew)
{
    if (crew == NULL || crew->workers == NULL)
        return;
    for (uint32_t i = 0; i < crew->worker_count; i++)
        cpu_worker_stop(&crew->workers[i]);
    alloc_put(NULL, crew->workers, crew->worker_count * sizeof *crew->workers);
    crew->workers = NULL;
}

/* ---- waking ----------------------------------------------------------------------------- */

/* After publishing and fencing: wakes the worker if it sleeps. */
static bool cpu_worker_wake(struct cpu_worker *worker)
{
    if (atomic_load_relaxed_u32(&worker->sleeping) == CPU_WORKER_AWAKE)
        return false;
    if (atomic_exchange_seqcst_u32(&worker->sleeping, CPU_WORKER_AWAKE) == CPU_WORKER_AWAKE)
        return false; /* somebody else wakes it */
    (void)futex_wake(&worker->sleeping, 1);
    return true;
}

uint32_t cpu_worker_submit(struct cpu_worker *worker, const fgpu_cmd *cmds, uint32_t count,
                           uint64_t *last)
{
    uint64_t taken = spsc_push_n(&worker->ring, cmds, count);

    *last = atomic_load_relaxed_u64(&worker->ring.tail);
    if (taken == 0 && count > 0)
        return 0;
    atomic_fence_seqcst();
    bool lazy = taken > 0 && (cmds[taken - 1].flags & FGPU_CMD_LAZY) != 0;
    if (!lazy || atomic_load_relaxed_u32(&worker->sleeping) != CPU_WORKER_NAPS)
        (void)cpu_worker_wake(worker);
    return (uint32_t)taken;
}

/* Tells the crew of an open share, and wakes at most `want` sleepers for it. */
static void cpu_worker_call_helpers(const struct cpu_worker *owner, uint32_t want)
{
    struct cpu_crew *crew = owner->crew;

    (void)atomic_add_seqcst_u32(&crew->epoch, 1);
    atomic_fence_seqcst();
    for (uint32_t i = 1; i < crew->worker_count && want > 0; i++) {
        uint32_t other = (owner->index + i) % crew->worker_count;
        want -= cpu_worker_wake(&crew->workers[other]);
    }
}

/* ---- launches --------------------------------------------------------------------------- */

static bool cpu_worker_has_commands(void *arg)
{
    struct cpu_worker *worker = arg;

    return atomic_load_acquire_u64(&worker->ring.tail) !=
           atomic_load_relaxed_u64(&worker->ring.head);
}

/* Runs the groups of *range here, and learns what one takes. */
static fgpu_status cpu_worker_run_timed(struct cpu_worker *worker, struct cpu_code *code,
                                        const fgpu_range *range, uint64_t *group_ps)
{
    uint64_t begin_ns = clock_now_ns();
    fgpu_status status = yield_run(code->fn, code->user, range, worker->scratch.args);
    uint64_t took_ns = clock_now_ns() - begin_ns;

    *group_ps = took_ns * 1000 / (range->group_end - range->group_begin) + 1;
    atomic_store_relaxed_u64(&code->group_ps, *group_ps);
    return status;
}

static bool cpu_worker_is_short(uint64_t groups, uint64_t group_ps, uint64_t than_ns)
{
    return (double)groups * (double)group_ps < (double)than_ns * 1000.0;
}

/* How many sleepers to wake for it: each must bring more than it costs. */
static uint32_t cpu_worker_wake_count(uint64_t groups, uint64_t group_ps, uint32_t helpers_max)
{
    double worth = (double)groups * (double)group_ps / (CPU_SHARE_WAKE_NS * 500.0) - 1;
    uint64_t count = worth < helpers_max ? (uint64_t)(worth > 0 ? worth : 0) : helpers_max;

    return (uint32_t)(count < groups ? count : groups - 1);
}

static fgpu_status cpu_worker_run_shared(struct cpu_worker *worker, const fgpu_cmd_launch *launch,
                                         const fgpu_range *range, uint32_t helpers_max)
{
    const struct cpu_share_member self = {.scratch = &worker->scratch, .worker = worker->index};
    struct cpu_code *code = (struct cpu_code *)(uintptr_t)launch->code;
    uint64_t groups = range->group_end - range->group_begin;
    uint64_t group_ps = atomic_load_relaxed_u64(&code->group_ps);
    fgpu_status status;

    cpu_share_open(&worker->share, launch, code, range, helpers_max);
    cpu_worker_call_helpers(worker, cpu_worker_wake_count(groups, group_ps, helpers_max));
    status = cpu_share_finish(&worker->share, &self, &group_ps);
    atomic_store_relaxed_u64(&code->group_ps, group_ps + 1); /* 0 would say unknown */
    return status;
}

/* A launch of several groups that others may help with. What a group takes is known from an earlier
 * launch of the same code, but its arguments may differ: where it promises a short launch (or
 * nothing) an eighth is run first and believed instead. Where it promises a very short one, reading
 * the clock twice would cost more than the launch: then only every seventh is looked at. */
static fgpu_status cpu_worker_run_wide(struct cpu_worker *worker, const fgpu_cmd_launch *launch,
                                       fgpu_range *range, uint32_t helpers_max)
{
    struct cpu_code *code = (struct cpu_code *)(uintptr_t)launch->code;
    uint64_t end = range->group_end, groups = end - range->group_begin;
    uint64_t group_ps = atomic_load_relaxed_u64(&code->group_ps);

    if (group_ps != 0 && cpu_worker_is_short(groups, group_ps, CPU_SHARE_TINY_NS) &&
        ++worker->unwatched < CPU_WORKER_WATCH_EVERY)
        return yield_run(code->fn, code->user, range, worker->scratch.args);
    worker->unwatched = 0;
    if (group_ps == 0 || cpu_worker_is_short(groups, group_ps, CPU_SHARE_MIN_NS)) {
        range->group_end = range->group_begin + (groups < 8 ? 1 : groups / 8);
        fgpu_status status = cpu_worker_run_timed(worker, code, range, &group_ps);
        if (status != FGPU_OK)
            return status;
        range->group_begin = range->group_end;
        range->group_end = end;
        if (cpu_worker_is_short(end - range->group_begin, group_ps, CPU_SHARE_MIN_NS))
            return yield_run(code->fn, code->user, range, worker->scratch.args);
    }
    return cpu_worker_run_shared(worker, launch, range, helpers_max);
}

/* A slice with a guard: what its groups take is learned from the first one, where nobody knows, and
 * never from a launch that may have stopped. */
static fgpu_status cpu_worker_run_guarded(struct cpu_worker *worker, const fgpu_cmd_launch *launch,
                                          const fgpu_range *range, uint32_t helpers_max)
{
    const struct cpu_share_member self = {.scratch = &worker->scratch, .worker = worker->index};
    struct cpu_code *code = (struct cpu_code *)(uintptr_t)launch->code;
    struct yield_guard *guard = yield_guard_of(launch);
    uint64_t group_ps = atomic_load_relaxed_u64(&code->group_ps);
    fgpu_range first = *range;

    if (helpers_max > 0 && group_ps == 0 && range->group_end - range->group_begin > 1) {
        uint64_t begin_ns = clock_now_ns();
        first.group_end = first.group_begin + 1;
        fgpu_status status =
            yield_run_guarded(code->fn, code->user, &first, worker->scratch.args, guard);
        if (status != FGPU_OK)
            return status;
        group_ps = (clock_now_ns() - begin_ns) * 1000;
        if (group_ps < CPU_WORKER_GROUP_PS) /* perhaps it was done already */
            group_ps = CPU_WORKER_GROUP_PS;
        atomic_store_relaxed_u64(&code->group_ps, group_ps);
    }
    uint64_t groups = range->group_end - range->group_begin;
    if (helpers_max == 0 || cpu_worker_is_short(groups, group_ps, CPU_SHARE_MIN_NS))
        return yield_run_guarded(code->fn, code->user, range, worker->scratch.args, guard);
    cpu_share_open(&worker->share, launch, code, range, helpers_max);
    cpu_worker_call_helpers(worker, cpu_worker_wake_count(groups, group_ps, helpers_max));
    return cpu_share_finish(&worker->share, &self, &group_ps);
}

static fgpu_status cpu_worker_run_launch(struct cpu_worker *worker, const fgpu_cmd_launch *launch)
{
    const struct cpu_code *code = (const struct cpu_code *)(uintptr_t)launch->code;
    uint32_t width = worker->crew->worker_count;
    fgpu_range range;
    fgpu_status status;

    if (code == NULL)
        return FGPU_E_INVAL;
    status = native_range(&range, launch);
    if (status == FGPU_OK)
        status = native_args(&worker->scratch, launch->args, launch->arg_count);
    if (status != FGPU_OK)
        return status;
    range.worker = worker->index;
    if (launch->width != 0 && launch->width < width)
        width = launch->width;
    if (__builtin_expect(yield_guard_of(launch) != NULL, 0))
        return cpu_worker_run_guarded(worker, launch, &range, width - 1);
    if (width > 1 && range.group_end - range.group_begin > 1)
        return cpu_worker_run_wide(worker, launch, &range, width - 1);
    return yield_run(code->fn, code->user, &range, worker->scratch.args);
}

/* ---- the queue -------------------------------------------------------------------------- */

static fgpu_status cpu_worker_run_batch(struct cpu_worker *worker, fgpu_cmd_batch *batch)
{
    fgpu_status status = FGPU_OK;

    for (uint32_t i = 0; i < batch->count && status == FGPU_OK; i++) {
        const fgpu_cmd *cmd = &batch->cmds[i];
        if (i + CPU_WORKER_FETCH_AHEAD < batch->count)
            __builtin_prefetch(cmd[CPU_WORKER_FETCH_AHEAD].body, 0);
        batch->begun = i + 1;
        if (cmd->kind == FGPU_CMD_LAUNCH)
            status = cpu_worker_run_launch(worker, cmd->body);
        else
            status = cmd->kind == FGPU_CMD_COPY || cmd->kind == FGPU_CMD_FILL ? cpu_run_simple(cmd)
                                                                              : FGPU_E_INVAL;
        batch->done += status == FGPU_OK;
    }
    return status;
}

static fgpu_status cpu_worker_run_command(struct cpu_worker *worker, const fgpu_cmd *cmd)
{
    if (cmd->kind == FGPU_CMD_FENCE)
        worker->skipping = false;
    else if (worker->skipping && (cmd->flags & FGPU_CMD_CHAINED) != 0)
        return FGPU_E_CANCELLED;
    if (cmd->kind == FGPU_CMD_BATCH)
        return cpu_worker_run_batch(worker, cmd->body);
    return cmd->kind == FGPU_CMD_LAUNCH ? cpu_worker_run_launch(worker, cmd->body)
                                        : cpu_run_simple(cmd);
}

static void cpu_worker_tell_left(fgpu_cmd_slice *slice)
{
    slice->left = yield_guard_left(NULL, slice->guard, slice->first, slice->count);
}

/* Runs one command and completes it: result first, then the number, then the doorbell. */
static void cpu_worker_execute(struct cpu_worker *worker, const fgpu_cmd *cmd)
{
    fgpu_cmd_result *result = cmd->body;
    bool timed = (cmd->flags & FGPU_CMD_TIMED) != 0;
    bool notify = (cmd->flags & FGPU_CMD_NOTIFY) != 0;
    uint64_t begin_ns = timed ? clock_now_ns() : 0;
    fgpu_status status = cpu_worker_run_command(worker, cmd);

    if (timed) {
        result->start_ns = begin_ns;
        result->end_ns = clock_now_ns();
    }
    result->timed = timed;
    result->status = status;
    if (__builtin_expect(cmd->kind == FGPU_CMD_LAUNCH && yield_guard_of(cmd->body) != NULL, 0))
        cpu_worker_tell_left(cmd->body);
    if (status != FGPU_OK)
        worker->skipping = true;
    worker->lazy = (cmd->flags & FGPU_CMD_LAZY) != 0;
    spsc_pop_n(&worker->ring, 1);
    worker->bell_owed = !notify && status == FGPU_OK;
    if (!worker->bell_owed)
        worker->crew->bell->ring(worker->crew->bell->arg);
}

/* Runs what is in the ring; false when there was nothing. */
static bool cpu_worker_run_queue(struct cpu_worker *worker)
{
    uint64_t ready;
    const fgpu_cmd *next = spsc_peek(&worker->ring, &ready);

    if (next == NULL)
        return false;
    while (next != NULL) {
        for (uint64_t i = 0; i < ready && i < CPU_WORKER_FETCH_AHEAD; i++)
            __builtin_prefetch(next[i].body, 1);
        for (uint64_t i = 0; i < ready; i++) {
            fgpu_cmd cmd = next[i];
            if (i + CPU_WORKER_FETCH_AHEAD < ready)
                __builtin_prefetch(next[i + CPU_WORKER_FETCH_AHEAD].body, 1);
            cpu_worker_execute(worker, &cmd);
        }
        next = spsc_peek(&worker->ring, &ready);
    }
    if (worker->bell_owed)
        worker->crew->bell->ring(worker->crew->bell->arg);
    worker->bell_owed = false;
    return true;
}

/* Looks once at every share of the crew; true when it helped somewhere. */
static bool cpu_worker_help(struct cpu_worker *worker)
{
    struct cpu_crew *crew = worker->crew;
    uint32_t epoch = atomic_load_acquire_u32(&crew->epoch);
    const struct cpu_share_member self = {.scratch = &worker->scratch,
                                          .worker = worker->index,
                                          .wanted = cpu_worker_has_commands,
                                          .wanted_arg = worker};

    if (epoch == worker->seen_epoch)
        return false;
    for (uint32_t i = 1; i < crew->worker_count; i++) {
        struct cpu_share *share = &crew->workers[(worker->index + i) % crew->worker_count].share;
        if (cpu_share_is_open(share) && cpu_share_help(share, &self))
            return true; /* seen_epoch stays: there may be more to help with */
    }
    worker->seen_epoch = epoch;
    return false;
}

/* ---- idling ----------------------------------------------------------------------------- */

static bool cpu_worker_is_wanted(struct cpu_worker *worker)
{
    return cpu_worker_has_commands(worker) ||
           atomic_load_acquire_u32(&worker->crew->epoch) != worker->seen_epoch ||
           atomic_load_acquire_u32(&worker->stop) != 0;
}

static void cpu_worker_sleep(struct cpu_worker *worker)
{
    atomic_store_seqcst_u32(&worker->sleeping, CPU_WORKER_SLEEPS);
    atomic_fence_seqcst();
    while (!cpu_worker_is_wanted(worker) &&
           atomic_load_relaxed_u32(&worker->sleeping) != CPU_WORKER_AWAKE)
        (void)futex_wait(&worker->sleeping, CPU_WORKER_SLEEPS, -1);
    atomic_store_seqcst_u32(&worker->sleeping, CPU_WORKER_AWAKE);
}

/* What comes while tiny commands stream in is left to lie until it is worth being awake for: a
 * wake-up for each batch costs both sides more than the batch. */
static void cpu_worker_nap(struct cpu_worker *worker)
{
    atomic_store_seqcst_u32(&worker->sleeping, CPU_WORKER_NAPS);
    atomic_fence_seqcst();
    if (!cpu_worker_is_wanted(worker))
        (void)futex_wait(&worker->sleeping, CPU_WORKER_NAPS, CPU_WORKER_NAP_NS);
    atomic_store_seqcst_u32(&worker->sleeping, CPU_WORKER_AWAKE);
}

/* Spins, then sleeps, until there is something to do. Spinning pays only where work comes back
 * soon: each success doubles the time that the next one may take, each failure halves it. */
static void cpu_worker_idle(struct cpu_worker *worker)
{
    uint64_t begin_ns = 0;
    uint64_t now_ns = 0;

    if (worker->lazy) {
        worker->lazy = false;
        cpu_worker_nap(worker);
        return;
    }
    for (uint32_t pauses = 1; !cpu_worker_is_wanted(worker); pauses++) {
        atomic_pause();
        if (pauses % CPU_WORKER_PAUSES != 0)
            continue;
        now_ns = clock_now_ns();
        if (begin_ns == 0)
            begin_ns = now_ns;
        if (now_ns - begin_ns < worker->spin_ns)
            continue;
        cpu_worker_sleep(worker);
        now_ns = clock_now_ns();
        worker->spin_ns /= 2;
        break;
    }
    if (begin_ns == 0)
        return; /* hardly idle */
    if (now_ns - begin_ns < worker->spin_ns)
        worker->spin_ns *= 2;
    if (worker->spin_ns > CPU_WORKER_SPIN_NS)
        worker->spin_ns = CPU_WORKER_SPIN_NS;
    if (worker->spin_ns < CPU_WORKER_SPIN_LEAST_NS)
        worker->spin_ns = CPU_WORKER_SPIN_LEAST_NS;
}

/* ---- life ------------------------------------------------------------------------------- */

static void *cpu_worker_main(void *arg)
{
    struct cpu_worker *worker = arg;

    role_now = ROLE_TASK; /* whatever user code it runs must not wait for the pool */
    for (;;) {
        if (cpu_worker_run_queue(worker) || cpu_worker_help(worker))
            continue;
        if (atomic_load_acquire_u32(&worker->stop) != 0 && !cpu_worker_has_commands(worker))
            return NULL;
        cpu_worker_idle(worker);
    }
}

static int cpu_worker_create(struct cpu_worker *worker)
{
    cpu_set_t core;
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int failed = pthread_attr_init(&attr);

    if (failed != 0)
        return failed;
    if (worker->cpu >= 0 && worker->cpu < CPU_SETSIZE) {
        CPU_ZERO(&core);
        CPU_SET((size_t)worker->cpu, &core);
        (void)pthread_attr_setaffinity_np(&attr, sizeof core, &core);
    }
    /* The new thread inherits the mask: signals of the process go to the program's own threads. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&worker->thread, &attr, cpu_worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return failed;
}

static fgpu_status cpu_worker_spawn(struct cpu_worker *worker)
{
    char name[16];
    int failed = cpu_worker_create(worker);

    if (failed != 0 && worker->cpu >= 0) {
        worker->cpu = -1; /* the core may be forbidden by now: then run anywhere */
        failed = cpu_worker_create(worker);
    }
    if (failed != 0)
        return error_set(FGPU_E_SYSTEM, "cpu: cannot start worker %u: %s", worker->index,
                         strerror(failed));
    (void)snprintf(name, sizeof name, "fgpu-cpu-%u", worker->index);
    (void)pthread_setname_np(worker->thread, name);
    return FGPU_OK;
}

fgpu_status cpu_worker_start(struct cpu_worker *worker, uint32_t queue_commands)
{
    fgpu_status status;

    if (worker->running)
        return error_set(FGPU_E_BUSY, "cpu: queue %u is open already", worker->index);
    status = spsc_init(&worker->ring, sizeof(fgpu_cmd), queue_commands, NULL);
    if (status != FGPU_OK)
        return error_set(status, "cpu: no ring of %u commands", queue_commands);
    worker->skipping = false;
    worker->bell_owed = false;
    worker->spin_ns = CPU_WORKER_SPIN_NS;
    worker->seen_epoch = atomic_load_acquire_u32(&worker->crew->epoch);
    atomic_store_relaxed_u32(&worker->stop, 0);
    atomic_store_relaxed_u32(&worker->sleeping, 0);
    status = cpu_worker_spawn(worker);
    if (status != FGPU_OK)
        spsc_fini(&worker->ring);
    worker->running = status == FGPU_OK;
    return status;
}

void cpu_worker_stop(struct cpu_worker *worker)
{
    if (!worker->running)
        return;
    atomic_store_release_u32(&worker->stop, 1);
    atomic_fence_seqcst();
    (void)cpu_worker_wake(worker);
    (void)pthread_join(worker->thread, NULL);
    worker->running = false;
    spsc_fini(&worker->ring);
    native_scratch_fini(&worker->scratch);
}
