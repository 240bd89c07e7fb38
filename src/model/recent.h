/* The robust mean of the last few measurements: what a model believes about one number.
 *
 * Keeps the last RECENT_SAMPLES values; the estimate is the mean of what is left after dropping the
 * two lowest and the two highest (P. Huber, E. Ronchetti: Robust Statistics, 2009, trimmed mean).
 * With fewer than 5 samples: the lower median, so that a slow first run is forgotten at the second.
 *
 * recent_follow() also notices when the number itself has changed: when the last RECENT_CHANGE
 * values were all more than RECENT_OFF away from the estimate of their time, on one side, within a
 * factor of 2 of each other, and beyond all earlier ones but one, the earlier ones go. Values
 * inherited from another time (recent_inherit) go after two such values, after a single one that is
 * less (much may slow down a run, nothing makes it faster than it can be), and in any case after
 * RECENT_OWN of one's own.
 *
 * What that guarantees, for measurements within e of the truth (tests/unit/test_recent.c):
 *   spikes   of any height, one or two among nine values of one's own: the estimate stays within e;
 *   a step   by a factor >= 1.5 (or <= 1 / 1.5), e <= 8 %: within e after RECENT_CHANGE values; any
 *            other step after RECENT_SAMPLES - 2, whatever e;
 *   wrong inheritance  by a factor >= 1.5, e <= 8 %: within e after 1 value; by <= 1 / 1.5 after 2;
 *            any other after RECENT_OWN, whatever e;
 *   two modes that take turns: the estimate stays between them;
 *   a drift  by the same amount at each value: 4 values behind.
 * Noise of 20 % (standard deviation): after RECENT_OWN values 11 % from the truth (root of the mean
 * square), after RECENT_SAMPLES 8 %.
 * Thread: one. Pure.
 */
#ifndef FASTGPU_MODEL_RECENT_H
#define FASTGPU_MODEL_RECENT_H

#include <stdint.h>

#define RECENT_SAMPLES 9
#define RECENT_CHANGE 3 /* values that make a change */
#define RECENT_OWN 5    /* values that outweigh everything inherited */
#define RECENT_OFF 1.25f

struct recent {
    uint8_t count;
    uint8_t next;
    uint8_t inherited;             /* that many of the oldest are from another time */
    int8_t run;                    /* so many values in a row were off; < 0: they were less */
    float estimate;                /* of recent_follow */
    float samples[RECENT_SAMPLES]; /* a ring: [0, count) are filled */
};

/* Adds one value and returns the new estimate. */
float recent_add(struct recent *recent, float value);

/* The same, watching for changes. value > 0. Not to be mixed with recent_add on one struct. */
float recent_follow(struct recent *recent, float value);

/* From here on all there is is inherited. */
void recent_inherit(struct recent *recent);

/* The estimate; 0 when there are no samples. */
float recent_estimate(const struct recent *recent);

/* The standard deviation of one value over the estimate, from the range of the samples without the
 * lowest and the highest (without dropping where there are fewer than 5). < 0: fewer than 2. */
float recent_spread(const struct recent *recent);

#endif
