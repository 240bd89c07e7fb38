/* See share.h. */
#include "policy/share.h"

#include "base/assert.h"

#define SHARE_WINDOW_NS INT64_C(1000000000) /* of a floor's memory */

uint32_t share_add(struct share *share, uint32_t weight)
{
    FGPU_ASSERT(weight > 0 && weight <= SHARE_WEIGHT_MOST);
    if (share->count == LIMITS_TENANTS)
        return SHARE_NONE;
    share->tenants[share->count] = (struct share_tenant){.weight = weight};
    return share->count++;
}

/* Of those that are there the one most behind; where nobody is, the furthest of those that were. */
static uint64_t share_now(const struct share *share)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < share->count; i++) {
        const struct share_tenant *tenant = &share->tenants[i];
        if (tenant->present > 0 && tenant->virtual_time < least)
            least = tenant->virtual_time;
    }
    return least != UINT64_MAX ? least : share->last;
}

void share_come(struct share *share, uint32_t tenant, uint64_t stamp)
{
    struct share_tenant *t = &share->tenants[tenant];
    bool was_away = t->present == 0 && (stamp == 0 || t->left < stamp - 1);
    uint64_t now = was_away ? share_now(share) : 0;
    if (t->virtual_time < now)
        t->virtual_time = now;
    t->present++;
}

void share_go(struct share *share, uint32_t tenant, uint64_t stamp)
{
    struct share_tenant *t = &share->tenants[tenant];
    FGPU_ASSERT(t->present > 0);
    if (--t->present > 0)
        return;
    t->left = stamp;
    if (t->virtual_time > share->last)
        share->last = t->virtual_time;
}

void share_charge(struct share *share, uint32_t tenant, int64_t ns)
{
    struct share_tenant *t = &share->tenants[tenant];
    uint64_t size = ns < 0 ? (uint64_t)-ns : (uint64_t)ns;
    uint64_t units = size / t->weight * SHARE_SCALE + size % t->weight * SHARE_SCALE / t->weight;
    if (ns >= 0)
        t->virtual_time += units;
    else
        t->virtual_time -= units < t->virtual_time ? units : t->virtual_time;
}

uint32_t share_least(const struct share *share, const uint64_t set[SHARE_WORDS])
{
    uint32_t least = SHARE_NONE;
    for (uint32_t word = 0; word < SHARE_WORDS; word++)
        for (uint64_t bits = set[word]; bits != 0; bits &= bits - 1) {
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (least == SHARE_NONE ||
                share->tenants[i].virtual_time < share->tenants[least].virtual_time)
                least = i;
        }
    return least;
}

void share_floor_init(struct share_floor *floor, uint32_t permille)
{
    FGPU_ASSERT(permille <= 1000);
    floor->permille = permille;
    floor->owed_ns = 0;
}

void share_floor_ran(struct share_floor *floor, bool theirs, bool waits, int64_t ns)
{
    int64_t part = (int64_t)floor->permille;
    if (theirs)
        floor->owed_ns -= ns / 1000 * (1000 - part) + ns % 1000 * (1000 - part) / 1000;
    else if (waits)
        floor->owed_ns += ns / 1000 * part + ns % 1000 * part / 1000;
    int64_t least = -SHARE_WINDOW_NS / 1000 * part;
    if (floor->owed_ns < least)
        floor->owed_ns = least;
    if (!waits && floor->owed_ns > 0)
        floor->owed_ns = 0;
}

void share_floor_refund(struct share_floor *floor, uint64_t ns)
{
    int64_t part = 1000 - (int64_t)floor->permille, most = floor->owed_ns > 0 ? floor->owed_ns : 0;
    floor->owed_ns += (int64_t)(ns / 1000) * part;
    if (floor->owed_ns > most)
        floor->owed_ns = most;
}
