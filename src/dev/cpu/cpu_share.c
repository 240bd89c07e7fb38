/* One launch on several workers: see cpu_share.h. */
#include "dev/cpu/cpu_share.h"

#include "base/clock.h"
#include "base/futex.h"

#define CPU_SHARE_WAIT_SPIN_NS 20000u /* a helper's last chunk is rarely longer */

void cpu_share_open(struct cpu_share *share, const fgpu_cmd_launch *launch,
                    const struct cpu_code *code, const fgpu_range *range, uint32_t helpers_max)
{
    share->launch = launch;
    share->code = code;
    share->range = *range;
    share->group_ps = atomic_load_relaxed_u64(&code->group_ps);
    share->helpers_max = helpers_max;
    atomic_store_relaxed_u32(&share->failed, 0);
    atomic_store_relaxed_u64(&share->cursor, range->group_begin);
    atomic_store_release_u32(&share->state,
                             CPU_SHARE_OPEN | helpers_max << CPU_SHARE_ALLOWED_SHIFT);
}

static void cpu_share_close(struct cpu_share *share)
{
    (void)atomic_and_acqrel_u32(&share->state, ~CPU_SHARE_OPEN);
}

/* How many of the groups from `begin` on to take next. */
static uint64_t cpu_share_chunk(const struct cpu_share *share, uint64_t begin, uint64_t group_ps)
{
    uint64_t left = share->range.group_end - begin;
    uint64_t pace = group_ps != 0 ? group_ps : 1;
    uint64_t least = CPU_SHARE_CHUNK_MIN_NS * 1000ull / pace;
    uint64_t most = CPU_SHARE_CHUNK_MAX_NS * 1000ull / pace;
    uint64_t chunk = left / (2ull * (share->helpers_max + 1ull));

    if (chunk > most)
        chunk = most;
    if (chunk < least)
        chunk = least;
    if (chunk == 0)
        chunk = 1;
    return chunk < left ? chunk : left;
}

/* The next chunk for this member: false when all is handed out. Who takes the last one closes. */
static bool cpu_share_take(struct cpu_share *share, uint64_t group_ps, fgpu_range *range)
{
    uint64_t end = share->range.group_end;
    uint64_t seen = atomic_load_relaxed_u64(&share->cursor);

    if (seen >= end)
        return false;
    uint64_t chunk = cpu_share_chunk(share, seen, group_ps);
    uint64_t begin = atomic_add_relaxed_u64(&share->cursor, chunk);
    if (begin >= end)
        return false;
    range->group_begin = begin;
    range->group_end = chunk < end - begin ? begin + chunk : end;
    if (range->group_end == end)
        cpu_share_close(share);
    return true;
}

/* A call failed: nothing more is handed out. */
static void cpu_share_fail(struct cpu_share *share)
{
    uint64_t end = share->range.group_end;

    atomic_store_relaxed_u32(&share->failed, 1);
    if (atomic_exchange_acqrel_u64(&share->cursor, end) < end)
        cpu_share_close(share);
}

static fgpu_status cpu_share_run(const struct cpu_share *share,
                                 const struct cpu_share_member *member, const fgpu_range *range,
                                 struct yield_guard *guard)
{
    const struct cpu_code *code = share->code;

    if (guard == NULL)
        return yield_run(code->fn, code->user, range, member->scratch->args);
    return yield_run_guarded(code->fn, code->user, range, member->scratch->args, guard);
}

/* Works until nothing is left; returns what a group took in the last chunk. */
static uint64_t cpu_share_work(struct cpu_share *share, const struct cpu_share_member *member)
{
    struct yield_guard *guard = yield_guard_of(share->launch);
    uint64_t group_ps = share->group_ps;
    fgpu_range range = share->range;
    uint64_t begin_ns = clock_now_ns();

    range.worker = member->worker;
    while (cpu_share_take(share, group_ps, &range)) {
        if (cpu_share_run(share, member, &range, guard) != FGPU_OK) {
            cpu_share_fail(share);
            break;
        }
        uint64_t end_ns = clock_now_ns();
        if (guard == NULL) /* else some may have been skipped */
            group_ps = (end_ns - begin_ns) * 1000 / (range.group_end - range.group_begin);
        begin_ns = end_ns;
        if (member->wanted != NULL && member->wanted(member->wanted_arg))
            break;
    }
    return group_ps;
}

static void cpu_share_await_helpers(struct cpu_share *share)
{
    uint64_t begin_ns = clock_now_ns();
    uint32_t state = atomic_load_acquire_u32(&share->state);

    while ((state & CPU_SHARE_COUNT) != 0) {
        atomic_pause();
        if (clock_now_ns() - begin_ns > CPU_SHARE_WAIT_SPIN_NS) {
            state = atomic_or_acqrel_u32(&share->state, CPU_SHARE_OWNER_SLEEPS);
            state |= CPU_SHARE_OWNER_SLEEPS;
            if ((state & CPU_SHARE_COUNT) != 0)
                (void)futex_wait(&share->state, state, -1);
        }
        state = atomic_load_acquire_u32(&share->state);
    }
}

fgpu_status cpu_share_finish(struct cpu_share *share, const struct cpu_share_member *owner,
                             uint64_t *group_ps)
{
    *group_ps = cpu_share_work(share, owner);
    cpu_share_await_helpers(share);
    return atomic_load_relaxed_u32(&share->failed) == 0 ? FGPU_OK : FGPU_E_TASK;
}

static bool cpu_share_enter(struct cpu_share *share)
{
    uint32_t state = atomic_load_relaxed_u32(&share->state);

    while ((state & CPU_SHARE_OPEN) != 0) {
        uint32_t allowed = state >> CPU_SHARE_ALLOWED_SHIFT & CPU_SHARE_COUNT;
        if ((state & CPU_SHARE_COUNT) >= allowed)
            return false;
        if (atomic_cas_weak_acqrel_u32(&share->state, &state, state + 1))
            return true;
    }
    return false;
}

static void cpu_share_leave(struct cpu_share *share)
{
    uint32_t before = atomic_sub_acqrel_u32(&share->state, 1);

    if ((before & CPU_SHARE_OWNER_SLEEPS) != 0 && (before & CPU_SHARE_COUNT) == 1)
        (void)futex_wake(&share->state, 1);
}

bool cpu_share_help(struct cpu_share *share, const struct cpu_share_member *helper)
{
    bool helped = false;

    if (!cpu_share_enter(share))
        return false;
    if (native_args(helper->scratch, share->launch->args, share->launch->arg_count) == FGPU_OK) {
        (void)cpu_share_work(share, helper);
        helped = true;
    }
    cpu_share_leave(share);
    return helped;
}
