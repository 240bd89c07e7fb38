/* What does a run of this kernel cost in energy? Learned where a device's power can be read.
 *
 * Power comes as samples (time, watt) of each device, runs as spans of the same clock. The energy
 * of a run is the integral of the power over its span, straight lines between samples, times the
 * run's share of the device; it counts only where samples cover the whole span with no gap longer
 * than ENERGY_GAP_NS: a run between two samples is covered by them, one that begins before the
 * first or ends after the last known sample is not (yet). What is not valid teaches nothing and is
 * said to be unknown. Entries are those of model/history.h, in nanojoules: the same guarantees
 * against spikes, steps and stale values, and the same fit between sizes. An optional model:
 * without samples it holds nothing and costs nothing. Thread: one at a time. Pure: no clock, no
 * I/O. Owns its tables.
 */
#ifndef FASTGPU_MODEL_ENERGY_H
#define FASTGPU_MODEL_ENERGY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/limits.h"
#include "model/history.h"

#define ENERGY_SAMPLES 64                  /* of a device: a ring */
#define ENERGY_GAP_NS UINT64_C(1000000000) /* longer: nobody knows what was in between */
#define ENERGY_UNKNOWN (-1.0)

struct energy_sample {
    uint64_t time_ns;
    double watt;
};

struct energy_device {
    struct energy_sample samples[ENERGY_SAMPLES];
    uint32_t count; /* ever; a ring by this */
};

struct energy {
    struct history nanojoule;                      /* by kernel, device key, size */
    struct energy_device *devices[LIMITS_DEVICES]; /* NULL: no sample yet */
    const struct alloc_hooks *hooks;
};

/* A run that has ended. */
struct energy_run {
    uint64_t kernel, device_key, size; /* as in the history */
    uint32_t device;                   /* whose samples */
    uint64_t start_ns, end_ns;
    double share; /* of the device's power that is this run's: 1 where it ran alone */
};

/* Allocates nothing yet. [borrow] hooks. */
void energy_init(struct energy *energy, const struct alloc_hooks *hooks);
void energy_fini(struct energy *energy);

/* A reading. Times that do not grow and readings that are no number >= 0 are ignored; so is
 * everything without memory. */
void energy_add_sample(struct energy *energy, uint32_t device, uint64_t time_ns, double watt);

/* Joules that the device took in the span; ENERGY_UNKNOWN where samples do not cover it. */
double energy_span_joule(const struct energy *energy, uint32_t device, uint64_t start_ns,
                         uint64_t end_ns);

/* False: not covered, nothing learned. Tell it when the sample after the end has been added. */
bool energy_learn(struct energy *energy, const struct energy_run *run);

/* Joules of one run, ENERGY_UNKNOWN with HISTORY_UNKNOWN. [out] trust: may be NULL. */
double energy_predict(const struct energy *energy, uint64_t kernel, uint64_t device_key,
                      uint64_t size, enum history_trust *trust);

#endif
