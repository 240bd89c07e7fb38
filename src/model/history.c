/* The performance model: entries, groups and the fit over neighbouring sizes; see history.h. How it
 * becomes bytes and back: history_blob.c.
 */
#include "model/history.h"
#include <math.h>
#include "base/assert.h"
#include "model/history_entry.h"

#define HISTORY_SUB_BITS 3 /* buckets to a doubling: 8 */
#define HISTORY_MEASURED_RUNS 3
#define HISTORY_FIT_SIDE 3      /* neighbours on each side */
#define HISTORY_FIT_FAR 4.0     /* doublings to the nearest one that still count as a fit ... */
#define HISTORY_FIT_OUTSIDE 2.0 /* ... outside the known sizes */
#define HISTORY_FIT_SPREAD 1.0  /* doublings that the neighbours must span there */
#define HISTORY_LINEAR 0.05     /* weight of "time grows with size", in doublings squared */
#define HISTORY_SLOPE_MAX 3.0   /* a cubic algorithm */
#define HISTORY_NS_MAX 9.0e18
#define HISTORY_RATIOS 3           /* loaded entries that must have been measured again ... */
#define HISTORY_RATIO_SPREAD 0.2f  /* ... and agree that well, before others are corrected */
#define HISTORY_ONCE_SPREAD 0.3    /* what to expect before it is known: measured once, */
#define HISTORY_LOADED_SPREAD 0.25 /* loaded (added to its own), */
#define HISTORY_FIT_ERROR 0.35     /* fitted, */
#define HISTORY_GUESS_ERROR 1.0    /* guessed */

void history_init(struct history *history, uint32_t limit, const struct alloc_hooks *hooks)
{
    *history = (struct history){.limit = limit != 0 ? limit : LIMITS_HISTORY_ENTRIES};
    map_init(&history->slots, hooks);
    map_init(&history->group_ids, hooks);
    vec_init(&history->entries, sizeof(struct history_entry), hooks);
    vec_init(&history->groups, sizeof(struct history_group), hooks);
    vec_init(&history->devices, sizeof(struct history_device), hooks);
}

void history_fini(struct history *history)
{
    if (history == NULL)
        return;
    map_fini(&history->slots);
    map_fini(&history->group_ids);
    vec_fini(&history->entries);
    vec_fini(&history->groups);
    vec_fini(&history->devices);
}

static struct history_entry *history_entry_at(const struct history *history, uint32_t slot)
{
    return (struct history_entry *)history->entries.items + slot;
}

static struct history_group *history_group_at(const struct history *history, uint32_t group)
{
    return (struct history_group *)history->groups.items + group;
}

static struct history_device *history_device_of(const struct history *history,
                                                const struct history_entry *entry)
{
    uint32_t index = history_group_at(history, entry->group)->device_index;
    return (struct history_device *)history->devices.items + index;
}

/* The highest bit of the size and the HISTORY_SUB_BITS below it; small sizes stand for themselves.
 */
static uint16_t history_bucket(uint64_t size)
{
    if (size < (1u << HISTORY_SUB_BITS))
        return (uint16_t)size;
    uint32_t high = 63u - (uint32_t)__builtin_clzll(size);
    uint32_t sub = (uint32_t)(size >> (high - HISTORY_SUB_BITS)) & ((1u << HISTORY_SUB_BITS) - 1);
    return (uint16_t)((high << HISTORY_SUB_BITS) + sub);
}

/* Logarithm (base 2) of the middle of a bucket. */
static double history_log_size(uint16_t bucket)
{
    if (bucket < (1u << HISTORY_SUB_BITS))
        return bucket == 0 ? -1.0 : log2((double)bucket);
    double sub = (double)(bucket & ((1u << HISTORY_SUB_BITS) - 1));
    return (double)(bucket >> HISTORY_SUB_BITS) +
           log2(1.0 + (sub + 0.5) / (double)(1u << HISTORY_SUB_BITS));
}

static uint64_t history_group_key(uint64_t kernel, uint64_t device)
{
    return hash_u64(kernel) ^ hash_u64(hash_u64(device) + 1);
}

/* The group of kernel and device, or HISTORY_NONE. [out] key: where it is, or where it would be
 * put. */
static uint32_t history_find_group(const struct history *history, uint64_t kernel, uint64_t device,
                                   uint64_t *key)
{
    uint64_t id = 0;
    /* Two pairs with one hash: look on under the hash of the hash. */
    for (*key = history_group_key(kernel, device); map_get(&history->group_ids, *key, &id);
         *key = hash_u64(*key + 1)) {
        const struct history_group *group = history_group_at(history, (uint32_t)id);
        if (group->kernel == kernel && group->device == device)
            return (uint32_t)id;
    }
    return HISTORY_NONE;
}

static uint32_t history_find_entry(const struct history *history, uint32_t group, uint16_t bucket)
{
    uint64_t slot = HISTORY_NONE;
    map_get(&history->slots, (uint64_t)group << 16 | bucket, &slot);
    return (uint32_t)slot;
}

static uint32_t history_find_device(struct history *history, uint64_t device)
{
    for (size_t i = 0; i < history->devices.count; i++) {
        const struct history_device *known = vec_at(&history->devices, i);
        if (known->device == device)
            return (uint32_t)i;
    }
    const struct history_device fresh = {.device = device, .factor = 1.0};
    return vec_push(&history->devices, &fresh) != NULL ? (uint32_t)history->devices.count - 1
                                                       : HISTORY_NONE;
}

static uint32_t history_new_group(struct history *history, uint64_t kernel, uint64_t device,
                                  uint64_t key)
{
    uint32_t id = (uint32_t)history->groups.count;
    const struct history_group group = {kernel, device, HISTORY_NONE, 1,
                                        history_find_device(history, device)};
    if (group.device_index == HISTORY_NONE || vec_push(&history->groups, &group) == NULL)
        return HISTORY_NONE;
    if (map_put(&history->group_ids, key, id) != FGPU_OK) {
        vec_pop(&history->groups);
        return HISTORY_NONE;
    }
    return id;
}

/* Hangs the entry into its group's list, in order of size. */
static void history_link_entry(struct history *history, uint32_t slot)
{
    struct history_entry *entry = history_entry_at(history, slot);
    struct history_group *group = history_group_at(history, entry->group);
    uint32_t before = HISTORY_NONE, after = group->first;
    while (after != HISTORY_NONE && history_entry_at(history, after)->bucket < entry->bucket) {
        before = after;
        after = history_entry_at(history, after)->larger;
    }
    entry->smaller = before;
    entry->larger = after;
    if (before != HISTORY_NONE)
        history_entry_at(history, before)->larger = slot;
    else
        group->first = slot;
    if (after != HISTORY_NONE)
        history_entry_at(history, after)->smaller = slot;
}

uint32_t history_make_entry(struct history *history, uint64_t kernel, uint64_t device,
                            uint16_t bucket)
{
    uint64_t key = 0;
    uint32_t group = history_find_group(history, kernel, device, &key);
    uint32_t slot = HISTORY_NONE;
    if (group != HISTORY_NONE)
        slot = history_find_entry(history, group, bucket);
    if (slot != HISTORY_NONE || history->entries.count >= history->limit)
        return slot;
    if (group == HISTORY_NONE)
        group = history_new_group(history, kernel, device, key);
    if (group == HISTORY_NONE)
        return HISTORY_NONE;
    slot = (uint32_t)history->entries.count;
    const struct history_entry entry = {.group = group, .bucket = bucket};
    if (vec_push(&history->entries, &entry) == NULL)
        return HISTORY_NONE;
    if (map_put(&history->slots, (uint64_t)group << 16 | bucket, slot) != FGPU_OK) {
        vec_pop(&history->entries);
        return HISTORY_NONE;
    }
    history_link_entry(history, slot);
    return slot;
}

uint32_t history_slot(struct history *history, uint64_t kernel, uint64_t device, uint64_t size)
{
    return history_make_entry(history, kernel, device, history_bucket(size));
}

/* ---- learning */

static bool history_is_loaded(const struct history_entry *entry)
{
    return entry->recent.count > 0 && entry->recent.inherited == entry->recent.count;
}

/* What the entry itself says, of one with runs. */
static uint64_t history_entry_ns(const struct history *history, const struct history_entry *entry)
{
    double ns = (double)entry->recent.estimate;
    if (history_is_loaded(entry))
        ns *= history_device_of(history, entry)->factor;
    return ns < HISTORY_NS_MAX ? (uint64_t)(ns + 0.5) : (uint64_t)HISTORY_NS_MAX;
}

void history_settle_entry(struct history *history, uint32_t slot)
{
    struct history_entry *entry = history_entry_at(history, slot);
    struct history_group *group = history_group_at(history, entry->group);
    group->runs++;
    entry->ns = history_entry_ns(history, entry);
    entry->trust = history_is_loaded(entry)                       ? HISTORY_LOADED
                   : entry->recent.count >= HISTORY_MEASURED_RUNS ? HISTORY_MEASURED
                                                                  : HISTORY_FEW;
    entry->fitted_at = group->runs + history_device_of(history, entry)->runs;
}

/* The first run of what was loaded: how wrong was it? */
static void history_compare(struct history *history, const struct history_entry *entry, float ns)
{
    struct history_device *device = history_device_of(history, entry);
    recent_add(&device->ratios, ns / entry->recent.estimate);
    bool agree = device->ratios.count >= HISTORY_RATIOS &&
                 recent_spread(&device->ratios) <= HISTORY_RATIO_SPREAD;
    device->factor = agree ? (double)recent_estimate(&device->ratios) : 1.0;
    device->runs++;
}

void history_slot_learn(struct history *history, uint32_t slot, uint64_t measured_ns)
{
    if (slot == HISTORY_NONE)
        return;
    FGPU_ASSERT(slot < history->entries.count);
    struct history_entry *entry = history_entry_at(history, slot);
    float ns = fminf(fmaxf((float)measured_ns, 1.0f), (float)HISTORY_NS_MAX);
    if (history_is_loaded(entry))
        history_compare(history, entry, ns);
    recent_follow(&entry->recent, ns);
    entry->idle = 0;
    history->changed = true;
    history_settle_entry(history, slot);
}

void history_learn(struct history *history, uint64_t kernel, uint64_t device, uint64_t size,
                   uint64_t measured_ns)
{
    history_slot_learn(history, history_slot(history, kernel, device, size), measured_ns);
}

/* ---- the fit */

/* Measured neighbours of a size, as points (x, y) = logarithms of size and time, x relative to the
 * size asked for. */
struct history_points {
    double x[2 * HISTORY_FIT_SIDE], y[2 * HISTORY_FIT_SIDE];
    uint32_t count;
    double below, above; /* y of the nearest on each side */
    bool has_below, has_above;
};

/* The nearest HISTORY_FIT_SIDE below and above. The list is in order: a ring keeps the last ones
 * before the size. */
static void history_gather(const struct history *history, const struct history_group *group,
                           uint16_t bucket, struct history_points *points)
{
    double x0 = history_log_size(bucket);
    uint32_t below = 0, above = 0;
    *points = (struct history_points){0};
    for (uint32_t i = group->first; i != HISTORY_NONE && above < HISTORY_FIT_SIDE;
         i = history_entry_at(history, i)->larger) {
        const struct history_entry *entry = history_entry_at(history, i);
        if (entry->recent.count == 0)
            continue;
        double y = log2((double)history_entry_ns(history, entry));
        uint32_t at =
            entry->bucket < bucket ? below++ % HISTORY_FIT_SIDE : HISTORY_FIT_SIDE + above;
        if (entry->bucket < bucket) {
            points->below = y;
            points->has_below = true;
        } else if (above++ == 0) {
            points->above = y;
            points->has_above = true;
        }
        points->x[at] = history_log_size(entry->bucket) - x0;
        points->y[at] = y;
    }
    uint32_t low = below < HISTORY_FIT_SIDE ? below : HISTORY_FIT_SIDE;
    for (uint32_t i = 0; i < above; i++) {
        points->x[low + i] = points->x[HISTORY_FIT_SIDE + i];
        points->y[low + i] = points->y[HISTORY_FIT_SIDE + i];
    }
    points->count = low + above;
}

/* Value at x = 0 of the line through the points, near ones weighing more. Its slope leans towards 1
 * (time grows with size) where the points are too close together to tell, and stays within what
 * algorithms have. */
static double history_line(const struct history_points *points)
{
    double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (uint32_t i = 0; i < points->count; i++) {
        double distance = fabs(points->x[i]) + 0.1;
        double w = 1.0 / (distance * distance);
        sw += w;
        sx += w * points->x[i];
        sy += w * points->y[i];
    }
    double mx = sx / sw, my = sy / sw;
    for (uint32_t i = 0; i < points->count; i++) {
        double distance = fabs(points->x[i]) + 0.1;
        double w = 1.0 / (distance * distance) / sw;
        sxx += w * (points->x[i] - mx) * (points->x[i] - mx);
        sxy += w * (points->x[i] - mx) * (points->y[i] - my);
    }
    double slope = (sxy + HISTORY_LINEAR) / (sxx + HISTORY_LINEAR);
    slope = fmin(fmax(slope, 0.0), HISTORY_SLOPE_MAX);
    double y = my - slope * mx;
    if (points->has_below && points->has_above)
        y = fmin(fmax(y, fmin(points->below, points->above)), fmax(points->below, points->above));
    return y;
}

static enum history_trust history_judge(const struct history_points *points)
{
    double nearest = HUGE_VAL, lowest = HUGE_VAL, highest = -HUGE_VAL;
    for (uint32_t i = 0; i < points->count; i++) {
        nearest = fmin(nearest, fabs(points->x[i]));
        lowest = fmin(lowest, points->x[i]);
        highest = fmax(highest, points->x[i]);
    }
    if (points->has_below && points->has_above)
        return nearest <= HISTORY_FIT_FAR ? HISTORY_FIT : HISTORY_GUESS;
    return nearest <= HISTORY_FIT_OUTSIDE && highest - lowest >= HISTORY_FIT_SPREAD ? HISTORY_FIT
                                                                                    : HISTORY_GUESS;
}

static enum history_trust history_fit(const struct history *history,
                                      const struct history_group *group, uint16_t bucket,
                                      uint64_t *ns)
{
    struct history_points points;
    history_gather(history, group, bucket, &points);
    *ns = 0;
    if (points.count == 0)
        return HISTORY_UNKNOWN;
    double value = exp2(history_line(&points));
    if (value < 1.0)
        value = 1.0;
    *ns = value < HISTORY_NS_MAX ? (uint64_t)value : (uint64_t)HISTORY_NS_MAX;
    return history_judge(&points);
}

enum history_trust history_slot_fit(struct history *history, uint32_t slot, uint64_t *ns)
{
    *ns = 0;
    if (slot == HISTORY_NONE)
        return HISTORY_UNKNOWN;
    FGPU_ASSERT(slot < history->entries.count);
    struct history_entry *entry = history_entry_at(history, slot);
    const struct history_group *group = history_group_at(history, entry->group);
    uint32_t runs = group->runs + history_device_of(history, entry)->runs;
    if (entry->trust < HISTORY_FEW && entry->fitted_at != runs) {
        if (history_is_loaded(entry))
            entry->ns = history_entry_ns(history, entry);
        else
            entry->trust = history_fit(history, group, entry->bucket, &entry->ns);
        entry->fitted_at = runs;
    }
    *ns = entry->ns;
    return (enum history_trust)entry->trust;
}

/* The entry of a size where it has runs, NULL. [out] group: HISTORY_NONE when there is none. */
static const struct history_entry *history_look_up(const struct history *history, uint64_t kernel,
                                                   uint64_t device, uint16_t bucket,
                                                   uint32_t *group)
{
    uint64_t key = 0;
    *group = history_find_group(history, kernel, device, &key);
    if (*group == HISTORY_NONE)
        return NULL;
    uint32_t slot = history_find_entry(history, *group, bucket);
    if (slot == HISTORY_NONE || history_entry_at(history, slot)->recent.count == 0)
        return NULL;
    return history_entry_at(history, slot);
}

enum history_trust history_predict(const struct history *history, uint64_t kernel, uint64_t device,
                                   uint64_t size, uint64_t *ns)
{
    uint32_t group;
    uint16_t bucket = history_bucket(size);
    const struct history_entry *entry = history_look_up(history, kernel, device, bucket, &group);
    *ns = 0;
    if (group == HISTORY_NONE)
        return HISTORY_UNKNOWN;
    if (entry == NULL)
        return history_fit(history, history_group_at(history, group), bucket, ns);
    *ns = history_entry_ns(history, entry);
    return (enum history_trust)entry->trust;
}

/* ---- for planners */

static struct history_stats history_judge_stats(enum history_trust trust, uint64_t ns,
                                                const struct history_entry *entry)
{
    struct history_stats stats = {(double)ns, 0, trust, entry != NULL ? entry->recent.count : 0};
    double spread = entry != NULL ? (double)recent_spread(&entry->recent) : -1.0;
    if (trust == HISTORY_GUESS)
        stats.spread = HISTORY_GUESS_ERROR;
    else if (trust == HISTORY_FIT)
        stats.spread = HISTORY_FIT_ERROR;
    else if (trust >= HISTORY_LOADED)
        stats.spread = (spread < 0 ? HISTORY_ONCE_SPREAD : spread) +
                       (trust == HISTORY_LOADED ? HISTORY_LOADED_SPREAD : 0);
    return stats;
}

struct history_stats history_slot_stats(struct history *history, uint32_t slot)
{
    uint64_t ns = 0;
    enum history_trust trust = history_slot_predict(history, slot, &ns);
    return history_judge_stats(trust, ns,
                               slot != HISTORY_NONE ? history_entry_at(history, slot) : NULL);
}

struct history_stats history_stats_of(const struct history *history, uint64_t kernel,
                                      uint64_t device, uint64_t size)
{
    uint32_t group;
    uint64_t ns = 0;
    enum history_trust trust = history_predict(history, kernel, device, size, &ns);
    return history_judge_stats(
        trust, ns, history_look_up(history, kernel, device, history_bucket(size), &group));
}
