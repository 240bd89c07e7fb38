/* One launch on several workers: the owner opens a share, idle workers help, the owner collects.
 *
 * Part of launching on the walk of a task. The groups [0, end) are handed out by an atomic cursor
 * in guided chunks (C. Polychronopoulos, D. Kuck: Guided self-scheduling, IEEE ToC 1987), each
 * between about 10 and 200 us long, by what the taker's previous chunk took: the lower bound keeps
 * the traffic small, the upper one lets a helper return to its own queue soon.
 *
 * The life of a share is one word: open, owner sleeps, how many helpers may be and are inside.
 *   closed, 0 helpers --owner opens--> open --whoever takes the last chunk--> closed, helpers
 *   inside --each helper leaves--> closed, 0 helpers
 * A helper enters only by compare-and-swap on an open word, so the owner may rewrite the rest as
 * soon as it has seen the word closed with no helper. Whatever helpers wrote is visible to the
 * owner then (release on leaving, acquire on seeing), and through the owner's completion to all.
 */
#ifndef FASTGPU_DEV_CPU_CPU_SHARE_H
#define FASTGPU_DEV_CPU_CPU_SHARE_H

#include "dev/cpu/cpu_run.h"
#include "dev/host/native.h"
#include "dev/host/yield.h"

/* Bounds on how long a launch is thought to take. Shorter than MIN: its owner runs it alone. From
 * WAKE on sleepers are woken for it, which costs the owner a few us and takes 20 to 50 us to bear
 * fruit on virtual machines (bench_cpu_device); below, only workers that happen to be awake help.
 * Shorter than TINY: reading the clock costs more than the launch is worth. */
#define CPU_SHARE_TINY_NS 2500u
#define CPU_SHARE_MIN_NS 20000u
#define CPU_SHARE_WAKE_NS 100000u
#define CPU_SHARE_CHUNK_MIN_NS 10000u
#define CPU_SHARE_CHUNK_MAX_NS 200000u

struct cpu_share {
    /* Written by the owner while closed and empty; helpers read it while inside. */
    const fgpu_cmd_launch *launch;
    const struct cpu_code *code;
    fgpu_range range;  /* its shape; group_end is the end of the share */
    uint64_t group_ps; /* what a group is thought to take */
    uint32_t helpers_max;
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint32_t state;
    _Atomic uint32_t failed;                             /* a call returned other than 0 */
    _Alignas(LIMITS_CACHE_LINE) _Atomic uint64_t cursor; /* first group not handed out */
};

/* The state word: two flags, 15 bits for how many helpers may enter, 15 for how many are inside. */
#define CPU_SHARE_OPEN (1u << 31)
#define CPU_SHARE_OWNER_SLEEPS (1u << 30)
#define CPU_SHARE_ALLOWED_SHIFT 15
#define CPU_SHARE_COUNT ((1u << CPU_SHARE_ALLOWED_SHIFT) - 1)
_Static_assert(LIMITS_CPU_WORKERS <= CPU_SHARE_COUNT, "helpers are counted in 15 bits");

/* How a worker takes part in a share. */
struct cpu_share_member {
    struct native_scratch *scratch; /* args resolved already for the owner */
    uint32_t worker;
    bool (*wanted)(void *arg); /* helpers: true when its own queue has work; NULL for the owner */
    void *wanted_arg;
};

/* Owner: makes the launch's groups [range->group_begin, range->group_end) available to at most
 * helpers_max others. */
void cpu_share_open(struct cpu_share *share, const fgpu_cmd_launch *launch,
                    const struct cpu_code *code, const fgpu_range *range, uint32_t helpers_max);

/* Owner: takes chunks until there are none, waits for the helpers, gives FGPU_OK or FGPU_E_TASK.
 * [out] group_ps: what a group took here. */
fgpu_status cpu_share_finish(struct cpu_share *share, const struct cpu_share_member *owner,
                             uint64_t *group_ps);

/* Helper: false when the share was closed or full, else it has worked until there was nothing left
 * or its own queue had work. */
bool cpu_share_help(struct cpu_share *share, const struct cpu_share_member *helper);

static inline bool cpu_share_is_open(const struct cpu_share *share)
{
    return (atomic_load_relaxed_u32(&share->state) & CPU_SHARE_OPEN) != 0;
}

#endif
