/* Native functions that give way: see yield.h. */
#include "dev/host/yield.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "dev/host/native.h"

#define YIELD_BITS 32u
#define YIELD_RETURNED (-0x5969656c) /* nobody returns that by chance */

static const _Atomic uint32_t yield_never;
static _Thread_local const _Atomic uint32_t *yield_flag = &yield_never;
static _Thread_local uint64_t yield_next;

bool fgpu_should_yield(void)
{
    return atomic_load_relaxed_u32(yield_flag) != 0;
}

int fgpu_yield_at(uint64_t next_group)
{
    yield_next = next_group;
    return YIELD_RETURNED;
}

/* Where a function goes on that was called for `range` and has yielded. */
static uint64_t yield_begin(const fgpu_range *range)
{
    if (yield_next < range->group_begin)
        return range->group_begin;
    return yield_next < range->group_end ? yield_next : range->group_end;
}

fgpu_status yield_again(fgpu_native_fn fn, void *user, fgpu_range range, void *const *args,
                        int returned)
{
    while (returned == YIELD_RETURNED) {
        range.group_begin = yield_begin(&range);
        if (range.group_begin == range.group_end)
            return FGPU_OK;
        returned = fn(&range, args, user);
    }
    return returned == 0 ? FGPU_OK : FGPU_E_TASK;
}

/* ---- guards ----------------------------------------------------------------------------- */

static size_t yield_bytes(uint64_t groups)
{
    return sizeof(struct yield_guard) +
           (groups + YIELD_BITS - 1) / YIELD_BITS * sizeof(_Atomic uint32_t);
}

fgpu_status yield_guard_open(void *device, uint64_t groups, fgpu_guard *made)
{
    struct yield_guard *guard;

    (void)device;
    *made = 0;
    if (groups == 0 || groups > UINT64_C(1) << 31)
        return error_set(FGPU_E_LIMIT, "a guard for %llu groups, at most 2^31",
                         (unsigned long long)groups);
    guard = alloc_get_zeroed(NULL, yield_bytes(groups), LIMITS_CACHE_LINE);
    if (guard == NULL)
        return error_set(FGPU_E_NOMEM, "no memory for a guard of %llu groups",
                         (unsigned long long)groups);
    guard->groups = groups;
    *made = (fgpu_guard)(uintptr_t)guard;
    return FGPU_OK;
}

static struct yield_guard *yield_guard_get(fgpu_guard guard)
{
    return (struct yield_guard *)(uintptr_t)guard;
}

void yield_guard_close(void *device, fgpu_guard closed)
{
    struct yield_guard *guard = yield_guard_get(closed);

    (void)device;
    if (guard != NULL)
        alloc_put(NULL, guard, yield_bytes(guard->groups));
}

void yield_guard_stop(void *device, fgpu_guard guard, uint32_t stop)
{
    (void)device;
    atomic_store_release_u32(&yield_guard_get(guard)->stop, stop);
}

static bool yield_is_done(const struct yield_guard *guard, uint64_t group)
{
    uint32_t word = atomic_load_relaxed_u32(&guard->done[group / YIELD_BITS]);

    return (word >> group % YIELD_BITS & 1) != 0;
}

/* Several threads mark neighbours; what they mark is theirs alone. */
static void yield_mark(struct yield_guard *guard, uint64_t begin, uint64_t end)
{
    while (begin < end) {
        uint64_t bit = begin % YIELD_BITS;
        uint64_t count = YIELD_BITS - bit < end - begin ? YIELD_BITS - bit : end - begin;
        uint32_t mask = (uint32_t)(((UINT64_C(1) << count) - 1) << bit);
        (void)atomic_or_acqrel_u32(&guard->done[begin / YIELD_BITS], mask);
        begin += count;
    }
}

uint64_t yield_guard_left(void *device, fgpu_guard asked, uint64_t first, uint64_t count)
{
    const struct yield_guard *guard = yield_guard_get(asked);
    uint64_t left = 0;

    (void)device;
    if (first >= guard->groups)
        return 0;
    if (count > guard->groups - first)
        count = guard->groups - first;
    for (uint64_t g = first; g < first + count; g++)
        left += !yield_is_done(guard, g);
    return left;
}

/* The next groups to run, at most `most` of them; false when none is left. */
static bool yield_take(const struct yield_guard *guard, fgpu_range *range, uint64_t end,
                       uint64_t most)
{
    uint64_t begin = range->group_begin;

    while (begin < end && yield_is_done(guard, begin))
        begin++;
    range->group_begin = range->group_end = begin;
    while (range->group_end < end && range->group_end - begin < most &&
           !yield_is_done(guard, range->group_end))
        range->group_end++;
    return begin < end;
}

/* How many groups to give next, by what the last ones took: twice as many at most. */
static uint64_t yield_pace(uint64_t groups, uint64_t took_ns)
{
    double fit = (double)groups * YIELD_CHUNK_NS / (double)(took_ns + 1);

    if (fit > 2.0 * (double)groups)
        return 2 * groups;
    return fit < 1 ? 1 : (uint64_t)fit;
}

fgpu_status yield_run_guarded(fgpu_native_fn fn, void *user, const fgpu_range *whole,
                              void *const *args, struct yield_guard *guard)
{
    fgpu_range range = *whole;
    uint64_t most = 1;
    int returned = 0;

    while (atomic_load_acquire_u32(&guard->stop) == 0 &&
           yield_take(guard, &range, whole->group_end, most)) {
        uint64_t begin_ns = clock_now_ns();
        uint64_t end = range.group_end;
        yield_flag = &guard->stop;
        returned = fn(&range, args, user);
        yield_flag = &yield_never;
        if (returned == YIELD_RETURNED)
            end = yield_begin(&range);
        else if (returned != 0)
            return FGPU_E_TASK;
        else
            most = yield_pace(end - range.group_begin, clock_now_ns() - begin_ns);
        yield_mark(guard, range.group_begin, end);
        range.group_begin = end;
    }
    return FGPU_OK;
}
