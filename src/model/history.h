/* How long does a kernel of this size run on this device? Learned from what was measured.
 *
 * What can be relied on, of measurements within e <= 8 % of the truth (tests/unit/test_history.c):
 * one stray run moves a prediction by e at most; after a step by a factor of 1.5 or more it is
 * within 10 % after 3 runs of that size; a loaded history that is wrong by that much after 2 (after
 * 1 where it said more), by less after 5; and where a device as a whole is slower or faster than
 * its loaded history, kernels and sizes that have not run yet are corrected after 3 others have,
 * once each (model/recent.h has the rules).
 *
 * On the walk: place asks (history_predict, or the slot of a kernel record), learn answers
 * (history_learn). One entry per (kernel, device, size bucket), eight buckets to a doubling
 * of the size, each a robust mean of the last runs (model/recent.h). A bucket without runs is
 * predicted from its neighbours of the same kernel and device by a straight line in log-log,
 * weighted by nearness. What was loaded and not yet run again is scaled by what the device's other
 * loaded entries turned out to be wrong by, where these agree. "size" is whatever the caller
 * counts: bytes, or work items. Thread: one at a time (engine). Pure: no clock, no I/O; allocates
 * only when an entry is new. Owns its tables. Keeps true: at most `limit` entries; entries of one
 * (kernel, device) are linked in order of their size.
 */
#ifndef FASTGPU_MODEL_HISTORY_H
#define FASTGPU_MODEL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fastgpu/status.h>
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/recent.h"

#define HISTORY_NONE UINT32_MAX /* no slot: nothing is known and nothing can be learned */
#define HISTORY_BLOB_MAX_BYTES                                                                     \
    (64u + LIMITS_HISTORY_ENTRIES * 64u) /* no blob is larger: the limit when reading a file */

/* In order of trust. */
enum history_trust {
    HISTORY_UNKNOWN = 0, /* no run of this kernel on this device: *ns is 0 */
    HISTORY_GUESS,       /* one size known, or far outside the known ones */
    HISTORY_FIT,         /* from neighbouring sizes */
    HISTORY_LOADED,      /* measured by an earlier process, not yet in this one */
    HISTORY_FEW,         /* measured, once or twice */
    HISTORY_MEASURED
};

struct history_entry {
    uint64_t ns; /* the prediction */
    uint32_t trust;
    uint32_t fitted_at; /* the group's and the device's runs, when trust <= LOADED: the prediction
                           is good while they are equal */
    uint32_t group;
    uint32_t smaller, larger; /* neighbours in the group; HISTORY_NONE */
    uint16_t bucket;
    uint16_t idle; /* how many processes loaded it since it was last measured; 0: measured here */
    struct recent recent;
    bool asked; /* history_slot_ask() */
};

/* All sizes of one kernel on one device. */
struct history_group {
    uint64_t kernel;
    uint64_t device;
    uint32_t first; /* entry of the smallest size */
    uint32_t runs;  /* counts what was learned (wraps) */
    uint32_t device_index;
};

/* How wrong what was loaded turned out to be. */
struct history_device {
    uint64_t device;
    struct recent ratios; /* measured to loaded, one for each entry, the last ones */
    double factor;        /* for what has not been measured; 1 while the ratios disagree */
    uint32_t runs;        /* changes of the factor (wraps) */
};

/* What a planner wants to know of one prediction. */
struct history_stats {
    double mean_ns;
    double spread; /* standard deviation of one run over the mean; a guess below HISTORY_FEW */
    enum history_trust trust;
    uint32_t runs; /* measurements behind it, of this size */
};

struct history {
    struct map slots;     /* group << 16 | bucket -> entry */
    struct map group_ids; /* hash of kernel and device -> group */
    struct vec entries;   /* struct history_entry */
    struct vec groups;    /* struct history_group */
    struct vec devices;   /* struct history_device: few */
    uint32_t limit;
    bool changed; /* something was learned since the last history_save */
};

/* limit: entries at most, 0: LIMITS_HISTORY_ENTRIES. Allocates nothing yet. [borrow] hooks. */
void history_init(struct history *history, uint32_t limit, const struct alloc_hooks *hooks);
void history_fini(struct history *history);

/* The slot for a kernel, device and size, made when it is new; it stays valid until history_fini.
 * HISTORY_NONE at the limit or without memory. Sizes within 1/8 of a doubling share one. About 50
 * ns: resolve once, keep it. */
uint32_t history_slot(struct history *history, uint64_t kernel, uint64_t device, uint64_t size);

/* Slow half of history_slot_predict: fits the neighbours, corrects what was loaded. */
enum history_trust history_slot_fit(struct history *history, uint32_t slot, uint64_t *ns);

/* Predicted nanoseconds. HISTORY_NONE is accepted: unknown. Two loads when the size was measured.
 */
static inline enum history_trust history_slot_predict(struct history *history, uint32_t slot,
                                                      uint64_t *ns)
{
    if (slot != HISTORY_NONE) {
        const struct history_entry *e = (const struct history_entry *)history->entries.items + slot;
        if (e->trust >= HISTORY_FEW) {
            *ns = e->ns;
            return (enum history_trust)e->trust;
        }
    }
    return history_slot_fit(history, slot, ns);
}

/* One measured run. HISTORY_NONE is ignored. */
void history_slot_learn(struct history *history, uint32_t slot, uint64_t measured_ns);

/* Is the next run worth a measurement? Also while a change is being noticed. */
static inline bool history_slot_is_wanted(const struct history *history, uint32_t slot)
{
    if (slot == HISTORY_NONE)
        return false;
    const struct history_entry *e = (const struct history_entry *)history->entries.items + slot;
    return e->trust < HISTORY_MEASURED || e->recent.run != 0 || e->recent.inherited > 0;
}

/* Is what is known of that size not from this process alone? */
static inline bool history_slot_is_inherited(const struct history *history, uint32_t slot)
{
    if (slot == HISTORY_NONE)
        return false;
    const struct history_entry *e = (const struct history_entry *)history->entries.items + slot;
    return e->recent.inherited > 0 || e->recent.count == 0;
}

/* Was it loaded, and has this process neither measured nor asked it yet (history_slot_ask)? */
static inline bool history_slot_is_doubted(const struct history *history, uint32_t slot)
{
    if (slot == HISTORY_NONE)
        return false;
    const struct history_entry *e = (const struct history_entry *)history->entries.items + slot;
    return e->trust == HISTORY_LOADED && !e->asked;
}

/* Somebody has been sent to measure it. HISTORY_NONE is ignored. */
static inline void history_slot_ask(struct history *history, uint32_t slot)
{
    if (slot != HISTORY_NONE)
        ((struct history_entry *)history->entries.items + slot)->asked = true;
}

/* Mean, spread and trust together. HISTORY_UNKNOWN: all 0. */
struct history_stats history_slot_stats(struct history *history, uint32_t slot);
struct history_stats history_stats_of(const struct history *history, uint64_t kernel,
                                      uint64_t device, uint64_t size);

/* The same by key. Predicting makes no entry. */
enum history_trust history_predict(const struct history *history, uint64_t kernel, uint64_t device,
                                   uint64_t size, uint64_t *ns);
void history_learn(struct history *history, uint64_t kernel, uint64_t device, uint64_t size,
                   uint64_t measured_ns);

/* Appends everything measured to `out` (a vec of 1-byte items) as one blob: version, checksum, the
 * same on all machines. Entries that LIMITS_HISTORY_IDLE processes in a row did not measure are
 * left out, and above half the limit the longest idle ones. FGPU_E_NOMEM, without a text. */
fgpu_status history_save(struct history *history, struct vec *out);

/* Adds what a blob holds; entries measured in this process stay as they are, and nothing goes
 * beyond the limit. FGPU_E_VERSION (another version: ignore it) and FGPU_E_INVAL (no blob, or
 * damaged) change nothing; FGPU_E_NOMEM may have added a part. Without a text. */
fgpu_status history_load(struct history *history, const void *bytes, size_t size_bytes);

#endif
