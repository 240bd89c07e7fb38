/* Energy of runs from samples of power; see energy.h. */
#include "model/energy.h"
#include <math.h>
#include "base/assert.h"

#define ENERGY_NANOJOULE 1e9 /* of a joule; watt times nanoseconds are nanojoules */

void energy_init(struct energy *energy, const struct alloc_hooks *hooks)
{
    *energy = (struct energy){.hooks = hooks};
    history_init(&energy->nanojoule, 0, hooks);
}

void energy_fini(struct energy *energy)
{
    if (energy == NULL)
        return;
    for (uint32_t d = 0; d < LIMITS_DEVICES; d++) {
        alloc_put(energy->hooks, energy->devices[d], sizeof *energy->devices[d]);
        energy->devices[d] = NULL;
    }
    history_fini(&energy->nanojoule);
}

/* The sample `age` before the last. */
static const struct energy_sample *energy_past(const struct energy_device *device, uint32_t age)
{
    return &device->samples[(device->count - 1 - age) % ENERGY_SAMPLES];
}

void energy_add_sample(struct energy *energy, uint32_t device, uint64_t time_ns, double watt)
{
    FGPU_ASSERT(device < LIMITS_DEVICES);
    if (!(watt >= 0) || !isfinite(watt))
        return;
    if (energy->devices[device] == NULL)
        energy->devices[device] = alloc_get_zeroed(energy->hooks, sizeof(struct energy_device),
                                                   _Alignof(struct energy_device));
    struct energy_device *d = energy->devices[device];
    if (d == NULL || (d->count > 0 && time_ns <= energy_past(d, 0)->time_ns))
        return;
    d->samples[d->count % ENERGY_SAMPLES] = (struct energy_sample){time_ns, watt};
    d->count = d->count + 1 != 0 ? d->count + 1 : ENERGY_SAMPLES;
}

/* Of the straight line between two samples, over the part of the span that lies between them. */
static double energy_between(const struct energy_sample *from, const struct energy_sample *to,
                             uint64_t start_ns, uint64_t end_ns)
{
    uint64_t start = start_ns > from->time_ns ? start_ns : from->time_ns;
    uint64_t end = end_ns < to->time_ns ? end_ns : to->time_ns;
    if (start >= end)
        return 0;
    double length = (double)(to->time_ns - from->time_ns);
    double middle = (double)(start - from->time_ns) + (double)(end - start) / 2;
    return (from->watt + (to->watt - from->watt) * (middle / length)) * (double)(end - start);
}

double energy_span_joule(const struct energy *energy, uint32_t device, uint64_t start_ns,
                         uint64_t end_ns)
{
    FGPU_ASSERT(device < LIMITS_DEVICES);
    const struct energy_device *d = energy->devices[device];
    if (d == NULL || end_ns <= start_ns || energy_past(d, 0)->time_ns < end_ns)
        return ENERGY_UNKNOWN;
    double sum = 0;
    uint32_t held = d->count < ENERGY_SAMPLES ? d->count : ENERGY_SAMPLES;
    for (uint32_t age = 1; age < held; age++) {
        const struct energy_sample *to = energy_past(d, age - 1), *from = energy_past(d, age);
        if (from->time_ns >= end_ns)
            continue;
        if (to->time_ns - from->time_ns > ENERGY_GAP_NS)
            return ENERGY_UNKNOWN;
        sum += energy_between(from, to, start_ns, end_ns);
        if (from->time_ns <= start_ns)
            return sum / ENERGY_NANOJOULE;
    }
    return ENERGY_UNKNOWN; /* it began before the oldest */
}

bool energy_learn(struct energy *energy, const struct energy_run *run)
{
    FGPU_ASSERT(run->share >= 0 && run->share <= 1);
    double joule = energy_span_joule(energy, run->device, run->start_ns, run->end_ns);
    if (joule < 0)
        return false;
    history_learn(&energy->nanojoule, run->kernel, run->device_key, run->size,
                  (uint64_t)fmin(joule * run->share * ENERGY_NANOJOULE + 0.5, 9e18));
    return true;
}

double energy_predict(const struct energy *energy, uint64_t kernel, uint64_t device_key,
                      uint64_t size, enum history_trust *trust)
{
    uint64_t nanojoule = 0;
    enum history_trust known =
        history_predict(&energy->nanojoule, kernel, device_key, size, &nanojoule);
    if (trust != NULL)
        *trust = known;
    return known == HISTORY_UNKNOWN ? ENERGY_UNKNOWN : (double)nanojoule / ENERGY_NANOJOULE;
}
