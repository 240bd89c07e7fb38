/* Fair shares of tenants by device time, and guaranteed minimum shares. Pure: no clock, no I/O.
 *
 * Each tenant has a virtual time: the device time that it was charged, over its weight. Whoever is
 * most behind among those that wait is served next; ties go to the lower index. A tenant that comes
 * back is lifted to the one most behind of those that are there, so that it collects no credit for
 * its absence, and a newcomer owes nothing.
 *
 * Sources: start-time fair queueing (P. Goyal, H. Vin, H. Cheng: Start-time fair queuing, IEEE/ACM
 * ToN 1997): charging a task when it is chosen keeps the difference of the time chosen for two
 * tenants that wait within one task of the largest; the lift and the correction by what was
 * measured are those of the virtual token counter (Y. Sheng et al.: Fairness in serving large
 * language models, OSDI 2024).
 * Keeps true: while two tenants both wait, their virtual times differ by no more than the largest
 * charge over the smaller weight, corrections apart.
 */
#ifndef FASTGPU_POLICY_SHARE_H
#define FASTGPU_POLICY_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define SHARE_NONE UINT32_MAX
#define SHARE_WORDS (LIMITS_TENANTS / 64)
#define SHARE_SCALE 1024u /* virtual units in a nanosecond at weight 1 */
#define SHARE_WEIGHT_MOST 10000u

struct share_tenant {
    uint64_t virtual_time; /* device time over weight, SHARE_SCALE units a nanosecond */
    uint64_t left;         /* the caller's stamp when it last had nothing */
    uint32_t weight;
    uint32_t present; /* tasks that wait or are under way */
};

struct share {
    struct share_tenant tenants[LIMITS_TENANTS];
    uint32_t count;
    uint64_t last; /* the largest virtual time of those that have left */
};

/* [in] weight: 1..SHARE_WEIGHT_MOST. Returns the tenant's index; SHARE_NONE: there are too many. */
uint32_t share_add(struct share *share, uint32_t weight);

/* A task of the tenant is there; a task has ended. [in] stamp: numbers moments; one that has left
 * at `stamp` or at the one before it and comes at `stamp` was never away. */
void share_come(struct share *share, uint32_t tenant, uint64_t stamp);
void share_go(struct share *share, uint32_t tenant, uint64_t stamp);

/* The tenant is charged; negative: a charge was too high. */
void share_charge(struct share *share, uint32_t tenant, int64_t ns);

/* Of the tenants in the set, the one most behind; SHARE_NONE: the set is empty. */
uint32_t share_least(const struct share *share, const uint64_t set[SHARE_WORDS]);

static inline void share_set(uint64_t set[SHARE_WORDS], uint32_t tenant, bool in)
{
    uint64_t bit = UINT64_C(1) << (tenant % 64);
    set[tenant / 64] = in ? set[tenant / 64] | bit : set[tenant / 64] & ~bit;
}

/* A guaranteed minimum of the device time for what others would go before. What it had in the last
 * second beyond its share is taken into account, so that a burst of the others is not disturbed
 * while the share is kept on the whole. */
struct share_floor {
    uint32_t permille;
    int64_t owed_ns; /* of its share, by the time that the devices worked */
};

void share_floor_init(struct share_floor *floor, uint32_t permille);
/* Device time went to the guaranteed ones (theirs), or to the others; waits: some of the former
 * had work then. A negative time corrects. */
void share_floor_ran(struct share_floor *floor, bool theirs, bool waits, int64_t ns);
/* Of time that went to the guaranteed ones so much was not used yet. They do not become owed
 * something by that: what was too much of it has been forgotten. */
void share_floor_refund(struct share_floor *floor, uint64_t ns);
/* Is it their turn, though others wait that go before? */
static inline bool share_floor_is_owed(const struct share_floor *floor)
{
    return floor->owed_ns > 0;
}

#endif
