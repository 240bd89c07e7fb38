/* The robust mean of the last few measurements: what a model believes about one number.
 *
 * Keeps the last RECENT_SAMPLES values; the estimate is the mean of what is left after dropping the
 * two lowest and the two highest (P. Huber, E. Ronchetti: Robust Statistics, 2009, trimmed mean).
 * One spike of any height moves it by no more than the spread of the rest; a lasting change has
 * replaced it after RECENT_SAMPLES - 2 samples. With fewer than 5 samples: the lower median, so
 * that a slow first run is forgotten at the second. Thread: one. Pure.
 */
#ifndef FASTGPU_MODEL_RECENT_H
#define FASTGPU_MODEL_RECENT_H

#include <stdint.h>

#define RECENT_SAMPLES 9

struct recent {
    float samples[RECENT_SAMPLES]; /* a ring: [0, count) are filled */
    uint8_t count;
    uint8_t next;
};

/* Adds one value and returns the new estimate. */
float recent_add(struct recent *recent, float value);

/* The estimate; 0 when there are no samples. */
float recent_estimate(const struct recent *recent);

#endif
