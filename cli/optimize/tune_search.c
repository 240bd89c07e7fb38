/* The search of `fastgpu optimize`: see tune_search.h. */
#include "cli/optimize/tune_search.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"

/* Contests of two dimensions at once, for each dimension there is. */
#define TUNE_PAIRS 2

#define TUNE_PAIRS_LIMIT 99

/* SplitMix64. */
static uint64_t tune_random(struct tune_search *search)
{
    uint64_t z = search->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint32_t tune_below(struct tune_search *search, uint32_t count)
{
    return (uint32_t)(tune_random(search) % count);
}

void tune_search_init(struct tune_search *search, const uint32_t *counts, uint32_t dims,
                      uint64_t seed)
{
    *search = (struct tune_search){.dims = dims, .random = seed};
    for (uint32_t i = 0; i < dims; i++) {
        search->counts[i] = (uint8_t)counts[i];
        search->order[i] = (uint8_t)i;
    }
    search->pairs_left = TUNE_PAIRS * dims;
}

/* ---- contests */

static void tune_add_rival(struct tune_search *search, const struct tune_point *point)
{
    struct tune_rival *rival = &search->rivals[search->rival_count++];

    *rival = (struct tune_rival){.point = *point};
}

static void tune_begin_contest(struct tune_search *search)
{
    search->rival_count = 0;
    search->turn = 0;
    search->target = TUNE_STAGE_SAMPLES;
    tune_add_rival(search, &search->best);
}

/* All values of one dimension. False where there is no other. */
static bool tune_contest_dim(struct tune_search *search, uint32_t dim)
{
    tune_begin_contest(search);
    for (uint8_t value = 0; value < search->counts[dim]; value++) {
        struct tune_point point = search->best;
        if (value == search->best.at[dim] || search->is_refused[dim][value])
            continue;
        point.at[dim] = value;
        tune_add_rival(search, &point);
    }
    return search->rival_count > 1;
}

/* Another value of `dim`, or the one there is where no other may be taken. */
static uint8_t tune_other_value(struct tune_search *search, uint32_t dim)
{
    uint8_t value = (uint8_t)tune_below(search, search->counts[dim]);

    return search->is_refused[dim][value] ? search->best.at[dim] : value;
}

/* Some points that differ in two dimensions. */
static bool tune_contest_pair(struct tune_search *search)
{
    tune_begin_contest(search);
    for (uint32_t i = 0; i < 3; i++) {
        struct tune_point point = search->best;
        uint32_t one = tune_below(search, search->dims), other = tune_below(search, search->dims);
        point.at[one] = tune_other_value(search, one);
        point.at[other] = tune_other_value(search, other);
        bool is_new = one != other && point.at[one] != search->best.at[one] &&
                      point.at[other] != search->best.at[other];
        for (uint32_t k = 1; k < search->rival_count; k++)
            is_new &= memcmp(&search->rivals[k].point, &point, sizeof point) != 0;
        if (is_new)
            tune_add_rival(search, &point);
    }
    return search->rival_count > 1;
}

/* The first sweep goes in the order given, where what promises most comes first. */
static void tune_shuffle(struct tune_search *search)
{
    for (uint32_t i = search->dims; i > 1; i--) {
        uint32_t k = tune_below(search, i);
        uint8_t kept = search->order[i - 1];
        search->order[i - 1] = search->order[k];
        search->order[k] = kept;
    }
}

static bool tune_open_contest(struct tune_search *search)
{
    while (search->place < search->dims)
        if (tune_contest_dim(search, search->order[search->place++]))
            return true;
    if (search->has_changed) {
        search->has_changed = false;
        search->place = 0;
        tune_shuffle(search);
        return tune_open_contest(search);
    }
    while (search->pairs_left > 0) {
        search->pairs_left--;
        if (tune_contest_pair(search))
            return true;
    }
    return false;
}

static uint32_t tune_challengers(const struct tune_search *search)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < search->rival_count; i++)
        count += !search->rivals[i].is_out;
    return count;
}

static double tune_median(const struct tune_rival *rival)
{
    double sorted[TUNE_SAMPLES_LIMIT];

    memcpy(sorted, rival->times, rival->count * sizeof sorted[0]);
    return figures_median(sorted, rival->count);
}

/* Leaves the faster half of the challengers, one at least. */
static void tune_halve(struct tune_search *search)
{
    uint32_t wanted = (tune_challengers(search) + 1) / 2;

    while (tune_challengers(search) > wanted) {
        struct tune_rival *slowest = NULL;
        for (uint32_t i = 1; i < search->rival_count; i++) {
            struct tune_rival *rival = &search->rivals[i];
            if (!rival->is_out && (!slowest || tune_median(rival) > tune_median(slowest)))
                slowest = rival;
        }
        slowest->is_out = true;
    }
}

/* Whether the last one left beats the best point so far. */
static bool tune_wins(const struct tune_rival *best, const struct tune_rival *rival)
{
    uint32_t wins = 0;

    for (uint32_t i = 0; i < rival->count; i++)
        wins += rival->times[i] < best->times[i];
    return tune_median(rival) < (1.0 - TUNE_LEAST_GAIN) * tune_median(best) &&
           wins >= TUNE_LEAST_WINS * rival->count;
}

/* Everybody has been measured as often as the stage asks for. */
static void tune_end_stage(struct tune_search *search)
{
    if (tune_challengers(search) > 1) {
        tune_halve(search);
    } else if (search->target >= TUNE_LEAST_SAMPLES || tune_challengers(search) == 0) {
        for (uint32_t i = 1; i < search->rival_count; i++)
            if (!search->rivals[i].is_out && tune_wins(&search->rivals[0], &search->rivals[i])) {
                search->best = search->rivals[i].point;
                search->has_changed = true;
                search->change_count++;
            }
        search->rival_count = 0;
        return;
    }
    search->target += TUNE_STAGE_SAMPLES;
    search->turn = 0;
}

/* Goes to the next that is to be measured; everybody once, then everybody again. */
static void tune_advance(struct tune_search *search)
{
    for (;;) {
        search->turn++;
        if (search->turn == search->rival_count) {
            search->turn = 0;
            if (search->rivals[0].count == search->target || tune_challengers(search) == 0) {
                tune_end_stage(search);
                return;
            }
        }
        if (!search->rivals[search->turn].is_out)
            return;
    }
}

bool tune_search_next(struct tune_search *search, struct tune_point *point)
{
    if (!search->is_over && search->rival_count == 0)
        search->is_over = !tune_open_contest(search);
    if (search->is_over)
        return false;
    *point = search->rivals[search->turn].point;
    return true;
}

void tune_search_tell(struct tune_search *search, double time)
{
    struct tune_rival *rival = &search->rivals[search->turn];

    rival->times[rival->count++] = time;
    search->told_count++;
    tune_advance(search);
}

void tune_search_refuse(struct tune_search *search)
{
    struct tune_rival *rival = &search->rivals[search->turn];
    uint32_t differences = 0, dim = 0;

    if (search->turn == 0) {
        search->is_over = true;
        return;
    }
    rival->is_out = true;
    for (uint32_t i = 0; i < search->dims; i++)
        if (rival->point.at[i] != search->best.at[i]) {
            differences++;
            dim = i;
        }
    if (differences == 1) /* else nobody knows which of them it was */
        search->is_refused[dim][rival->point.at[dim]] = true;
    tune_advance(search);
}

/* ---- before and after */

static int tune_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* How many of `count` sorted values may be left out at each end so that the true median is still
 * between the rest with 95 % certainty: the most k with P(Bin(count, 1/2) < k) <= 2.5 %. */
static uint32_t tune_outside(uint32_t count)
{
    double share = 1.0, sum = 0.0;
    uint32_t outside = 0;

    for (uint32_t i = 0; i < count; i++)
        share /= 2.0;
    for (uint32_t k = 0; k < count; k++) { /* share: P(Bin = k) */
        sum += share;
        if (sum > 0.025)
            break;
        outside = k + 1;
        share = share * (count - k) / (k + 1);
    }
    return outside;
}

bool tune_is_faster(const double *before, const double *after, uint32_t count, double *low,
                    double *high)
{
    double ratios[TUNE_PAIRS_LIMIT];

    count = count < TUNE_PAIRS_LIMIT ? count : TUNE_PAIRS_LIMIT;
    for (uint32_t i = 0; i < count; i++)
        ratios[i] = before[i] / after[i];
    qsort(ratios, count, sizeof ratios[0], tune_compare);
    uint32_t outside = tune_outside(count);
    uint32_t first = outside > 0 ? outside - 1 : 0;
    if (low)
        *low = count > 0 ? ratios[first] : 0.0;
    if (high)
        *high = count > 0 ? ratios[count - 1 - first] : 0.0;
    return outside > 0 && ratios[first] > 1.0 &&
           figures_median(ratios, count) > 1.0 + TUNE_LEAST_GAIN;
}
