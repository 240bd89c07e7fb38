/* The robust mean of the last few measurements; see recent.h.
 *
 * A full window goes through a selection network without branches, since this is done for every
 * finished task. The network is the front of R. Floyd's for sorting 9 (D. Knuth, The Art of
 * Computer Programming 3, 5.3.4): the comparators that only order the middle five among themselves
 * are left out. tests/unit/test_recent.c tries all 0-1 inputs.
 */
#include "model/recent.h"

#define RECENT_DROPPED 2 /* on each side */

static inline void recent_order(float *low, float *high)
{
    float a = *low, b = *high;
    *low = a < b ? a : b;
    *high = a < b ? b : a;
}

/* Mean of the middle 5 of 9. */
static float recent_middle_of_nine(const float *samples)
{
    float s0 = samples[0], s1 = samples[1], s2 = samples[2];
    float s3 = samples[3], s4 = samples[4], s5 = samples[5];
    float s6 = samples[6], s7 = samples[7], s8 = samples[8];
    recent_order(&s0, &s1);
    recent_order(&s3, &s4);
    recent_order(&s6, &s7);
    recent_order(&s1, &s2);
    recent_order(&s4, &s5);
    recent_order(&s7, &s8);
    recent_order(&s0, &s1);
    recent_order(&s3, &s4);
    recent_order(&s6, &s7);
    recent_order(&s0, &s3);
    recent_order(&s3, &s6);
    recent_order(&s0, &s3);
    recent_order(&s1, &s4);
    recent_order(&s4, &s7);
    recent_order(&s1, &s4);
    recent_order(&s2, &s5);
    recent_order(&s5, &s8);
    recent_order(&s2, &s5);
    recent_order(&s1, &s3);
    recent_order(&s5, &s7);
    return (s2 + s3 + s4 + s5 + s6) / 5.0f;
}

/* The same for a window that is not full, and the lower median of up to 4. */
static float recent_middle_of_few(const float *samples, uint32_t count)
{
    float sorted[RECENT_SAMPLES] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > samples[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = samples[i];
    }
    if (count <= 2 * RECENT_DROPPED)
        return sorted[(count - 1) / 2];
    float sum = 0.0f;
    for (uint32_t i = RECENT_DROPPED; i < count - RECENT_DROPPED; i++)
        sum += sorted[i];
    return sum / (float)(count - 2 * RECENT_DROPPED);
}

float recent_estimate(const struct recent *recent)
{
    if (recent->count == RECENT_SAMPLES)
        return recent_middle_of_nine(recent->samples);
    return recent->count == 0 ? 0.0f : recent_middle_of_few(recent->samples, recent->count);
}

float recent_add(struct recent *recent, float value)
{
    recent->samples[recent->next] = value;
    recent->next = (uint8_t)((recent->next + 1) % RECENT_SAMPLES);
    if (recent->count < RECENT_SAMPLES)
        recent->count++;
    return recent_estimate(recent);
}
