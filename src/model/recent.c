/* The robust mean of the last few measurements; see recent.h.
 *
 * A full window goes through a selection network without branches, since this is done for every
 * finished task. The network is the front of R. Floyd's for sorting 9 (D. Knuth, The Art of
 * Computer Programming 3, 5.3.4): the comparators that only order the middle five among themselves
 * are left out. tests/unit/test_recent.c tries all 0-1 inputs.
 */
#include "model/recent.h"
#include <string.h>

#define RECENT_DROPPED 2   /* on each side */
#define RECENT_AGREE 2.0f  /* factor between the values of one step at most */
#define RECENT_OUTLIERS 1u /* earlier values that may look like those after the step */

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

static void recent_sort(const float *samples, uint32_t count, float *sorted)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > samples[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = samples[i];
    }
}

/* The same for a window that is not full, and the lower median of up to 4. */
static float recent_middle_of_few(const float *samples, uint32_t count)
{
    float sorted[RECENT_SAMPLES] = {0};
    recent_sort(samples, count, sorted);
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

static void recent_push(struct recent *recent, float value)
{
    if (recent->count == RECENT_SAMPLES && recent->inherited > 0)
        recent->inherited--; /* the oldest goes */
    recent->samples[recent->next] = value;
    recent->next = (uint8_t)((recent->next + 1) % RECENT_SAMPLES);
    if (recent->count < RECENT_SAMPLES)
        recent->count++;
}

float recent_add(struct recent *recent, float value)
{
    recent_push(recent, value);
    return recent_estimate(recent);
}

/* ---- changes */

/* The value `age` before the last. */
static float recent_past(const struct recent *recent, uint32_t age)
{
    uint32_t last = recent->next + RECENT_SAMPLES - 1u;
    return recent->samples[(last - age) % RECENT_SAMPLES];
}

static void recent_keep(struct recent *recent, uint32_t count)
{
    float kept[RECENT_SAMPLES];
    for (uint32_t i = 0; i < count; i++)
        kept[i] = recent_past(recent, count - 1 - i);
    memcpy(recent->samples, kept, count * sizeof kept[0]);
    recent->count = (uint8_t)count;
    recent->next = (uint8_t)(count % RECENT_SAMPLES);
    recent->inherited = 0;
    recent->run = 0;
}

/* Have the last `run` values left the others behind? One of more than RECENT_CHANGE may be a spike.
 */
static int recent_has_changed(const struct recent *recent, uint32_t run)
{
    float values[RECENT_SAMPLES], sorted[RECENT_SAMPLES] = {0};
    for (uint32_t age = 0; age < run; age++)
        values[age] = recent_past(recent, age);
    recent_sort(values, run, sorted);
    float low = sorted[0], high = sorted[run - 1];
    float most = run > RECENT_CHANGE ? sorted[run - 2] : high;
    uint32_t among = 0;
    for (uint32_t age = run; age < recent->count; age++) {
        float value = recent_past(recent, age);
        among += recent->run > 0 ? value >= low : value <= high;
    }
    return among <= RECENT_OUTLIERS && most <= RECENT_AGREE * low;
}

/* How many in a row were off, this one included. */
static int8_t recent_count_run(const struct recent *recent, float value)
{
    int8_t run = recent->run;
    if (recent->count == 0)
        return 0;
    if (value > RECENT_OFF * recent->estimate)
        return run > 0 ? (int8_t)(run + (run < RECENT_SAMPLES)) : 1;
    if (value * RECENT_OFF < recent->estimate)
        return run < 0 ? (int8_t)(run - (run > -RECENT_SAMPLES)) : -1;
    return 0;
}

float recent_follow(struct recent *recent, float value)
{
    recent->run = recent_count_run(recent, value);
    recent_push(recent, value);
    uint32_t run = (uint32_t)(recent->run < 0 ? -recent->run : recent->run);
    uint32_t own = (uint32_t)recent->count - recent->inherited;
    uint32_t enough = RECENT_CHANGE;
    /* Much may slow down one run, nothing makes it faster than it can be. */
    if (recent->inherited > 0)
        enough = recent->run < 0 ? 1 : RECENT_CHANGE - 1;
    if (run >= enough && run <= own && recent_has_changed(recent, run))
        recent_keep(recent, run);
    else if (recent->inherited > 0 && own >= RECENT_OWN)
        recent_keep(recent, own);
    recent->estimate = recent_estimate(recent);
    return recent->estimate;
}

void recent_inherit(struct recent *recent)
{
    recent->inherited = recent->count;
    recent->run = 0;
    recent->estimate = recent_estimate(recent);
}

float recent_spread(const struct recent *recent)
{
    /* Expected range of n values of a normal distribution with deviation 1; from 5 on without the
     * lowest and the highest (H. Harter: Expected values of normal order statistics, 1961). */
    static const float range[RECENT_SAMPLES + 1] = {0.0f,   0.0f,   1.128f, 1.693f, 2.059f,
                                                    0.990f, 1.283f, 1.515f, 1.704f, 1.864f};
    float sorted[RECENT_SAMPLES] = {0};
    uint32_t count = recent->count, drop = count < 5 ? 0 : 1;
    if (count < 2)
        return -1.0f;
    recent_sort(recent->samples, count, sorted);
    float middle = recent_estimate(recent);
    return middle > 0 ? (sorted[count - 1 - drop] - sorted[drop]) / range[count] / middle : 0.0f;
}
