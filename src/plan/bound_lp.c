/* Bounds from weights, and the search for the best weights; see bound_lp.h.
 *
 * Inside, every group is one unit that is shared out (its count is in its coefficients) and every
 * row is divided by its workers and by the makespan of the start, so that all numbers are near 1.
 * In the basis are: for each group one class, its key (what the others leave), and for each row one
 * of the makespan, a row's slack, or a second, third ... class of a group. `inverse` is that of the
 * latter with the keys substituted; the row of the makespan in it is minus the weights.
 */
#include "plan/bound_lp.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define LP_SLACK UINT32_MAX           /* basic: the slack of row `class_index` */
#define LP_MAKESPAN (UINT32_MAX - 1u) /* basic: the makespan */
#define LP_TINY 1e-12                 /* a reduced cost that is none */
#define LP_PIVOT 1e-9                 /* too small to divide by */
#define LP_GAP 1e-9                   /* relative, between the sharing out and what is proven */
#define LP_BLOCKS 32u                 /* candidates that one pass over the groups gives */
#define LP_REFRESH 64u                /* pivots until the inverse is made anew */
#define LP_ROWS 512u                  /* more: no pivots, only the weights of the warming up */
#define LP_WARM_ROUNDS 24u
#define LP_WARM_GROUPS 256u
#define LP_START_LEAST 1e-3 /* weight of a row at the start: what weighs nothing would take all */

struct lp_column {
    uint32_t group; /* or LP_SLACK, LP_MAKESPAN */
    uint32_t class_index;
};

struct lp_state {
    const struct bound_lp *lp;
    uint32_t rows, classes;
    double scale;            /* ns */
    double *inverse;         /* [rows][rows] */
    double *value;           /* [rows] of the basic columns */
    double *direction;       /* [rows] */
    double *column;          /* [rows] */
    double *prices;          /* [classes] */
    double *factor;          /* [rows]: 1 / (workers * scale) */
    struct lp_column *basic; /* [rows] */
    uint32_t *key;           /* [groups] */
    uint32_t *others;        /* [groups]: how many basics beside the key */
    uint32_t makespan;       /* where in `basic` */
    uint32_t idle;           /* pivots in a row that did not move */
    uint32_t turn;           /* blocks are visited in turn when it does not move */
    double *work;
};

void bound_lp_prices(const struct bound_lp *lp, const double *weights, uint64_t sets,
                     double *prices)
{
    for (uint32_t c = 0; c < lp->class_count; c++)
        prices[c] = 0;
    double any = 0;
    for (uint32_t r = 0; r < lp->row_count; r++) {
        const struct bound_row *row = &lp->rows[r];
        if ((sets >> row->set & 1) == 0)
            continue;
        if (row->class_index == BOUND_LP_ANY)
            any += weights[r] / row->workers;
        else
            prices[row->class_index] += weights[r] / row->workers;
    }
    for (uint32_t c = 0; c < lp->class_count; c++)
        prices[c] += any;
}

/* The class where the group costs least at these prices. */
static uint32_t lp_cheapest(const struct bound_lp *lp, const struct bound_group *group,
                            const double *prices, double *price)
{
    uint32_t best = 0;
    *price = HUGE_VAL;
    for (uint32_t c = 0; c < lp->class_count; c++) {
        if (group->cost_ns[c] >= 0 && group->cost_ns[c] * prices[c] < *price) {
            *price = group->cost_ns[c] * prices[c];
            best = c;
        }
    }
    return best;
}

/* All terms are >= 0, so that each operation adds one rounding of its result at most: n additions
 * of terms made by m operations are off by (n + m) * DBL_EPSILON / 2 at most, relatively. What is
 * taken off is more than twice as much. */
static double lp_round_down(const struct bound_lp *lp, double value)
{
    double operations = 2.0 * (double)lp->row_count + (double)lp->group_count + 16.0;
    return value * (1.0 - operations * DBL_EPSILON);
}

static double lp_value(const struct bound_lp *lp, const double *weights, double *prices)
{
    double sum = 0, value = 0, price = 0;
    for (uint32_t r = 0; r < lp->row_count; r++) {
        sum += weights[r];
        value += weights[r] * lp->rows[r].offset_ns;
    }
    if (!(sum > 0) || !isfinite(sum))
        return 0;
    for (uint32_t g = 0; g < lp->group_count; g++) {
        if (g == 0 || lp->groups[g].sets != lp->groups[g - 1].sets)
            bound_lp_prices(lp, weights, lp->groups[g].sets, prices);
        lp_cheapest(lp, &lp->groups[g], prices, &price);
        value += lp->groups[g].count * price;
    }
    value = lp_round_down(lp, value / sum);
    return isfinite(value) ? value : 0;
}

double bound_lp_value(const struct bound_lp *lp, const double *weights)
{
    double prices[64];
    if (lp->class_count <= 64)
        return lp_value(lp, weights, prices);
    struct arena arena;
    arena_init(&arena, 0, NULL);
    double *many = arena_alloc(&arena, lp->class_count * sizeof *many, _Alignof(double));
    double value = many != NULL ? lp_value(lp, weights, many) : 0;
    arena_fini(&arena);
    return value;
}

/* ---- columns */

static bool lp_row_takes(const struct bound_row *row, uint64_t sets, uint32_t class_index)
{
    return (sets >> row->set & 1) != 0 &&
           (row->class_index == class_index || row->class_index == BOUND_LP_ANY);
}

/* column += sign * that of the group in the class, in the scaled rows */
static void lp_add_column(const struct lp_state *s, double *column, uint32_t group,
                          uint32_t class_index, double sign)
{
    const struct bound_group *g = &s->lp->groups[group];
    double amount = sign * g->count * g->cost_ns[class_index];
    for (uint32_t r = 0; r < s->rows; r++) {
        if (lp_row_takes(&s->lp->rows[r], g->sets, class_index))
            column[r] += amount * s->factor[r];
    }
}

static void lp_make_column(const struct lp_state *s, struct lp_column what, double *column)
{
    for (uint32_t r = 0; r < s->rows; r++)
        column[r] = what.group == LP_MAKESPAN ? -1.0 : 0.0;
    if (what.group == LP_SLACK) {
        column[what.class_index] = 1.0;
    } else if (what.group != LP_MAKESPAN) {
        lp_add_column(s, column, what.group, what.class_index, 1.0);
        lp_add_column(s, column, what.group, s->key[what.group], -1.0);
    }
}

/* What the keys alone demand of the rows. */
static void lp_demand(const struct lp_state *s, double *demand)
{
    for (uint32_t r = 0; r < s->rows; r++)
        demand[r] = s->lp->rows[r].offset_ns / s->scale;
    for (uint32_t g = 0; g < s->lp->group_count; g++)
        lp_add_column(s, demand, g, s->key[g], 1.0);
}

/* ---- the inverse */

static void lp_pivot_inverse(struct lp_state *s, uint32_t place)
{
    double *pivot = s->inverse + (size_t)place * s->rows;
    double by = 1.0 / s->direction[place];
    for (uint32_t k = 0; k < s->rows; k++)
        pivot[k] *= by;
    for (uint32_t i = 0; i < s->rows; i++) {
        double *row = s->inverse + (size_t)i * s->rows;
        double times = s->direction[i];
        if (i == place || times == 0)
            continue;
        for (uint32_t k = 0; k < s->rows; k++)
            row[k] -= times * pivot[k];
    }
    *s->work -= (double)s->rows * s->rows;
}

static void lp_multiply(const struct lp_state *s, const double *column, double *product)
{
    for (uint32_t i = 0; i < s->rows; i++) {
        const double *row = s->inverse + (size_t)i * s->rows;
        double sum = 0;
        for (uint32_t k = 0; k < s->rows; k++)
            sum += row[k] * column[k];
        product[i] = sum;
    }
    *s->work -= (double)s->rows * s->rows;
}

/* Makes the inverse and the values anew from the list of what is basic: column by column into the
 * unit matrix, each at the place of the largest pivot that is still free. False: singular. */
static bool lp_refresh(struct lp_state *s, struct lp_column *old)
{
    memcpy(old, s->basic, s->rows * sizeof *old);
    for (uint32_t r = 0; r < s->rows; r++) {
        memset(s->inverse + (size_t)r * s->rows, 0, s->rows * sizeof(double));
        s->inverse[(size_t)r * s->rows + r] = 1.0;
        s->basic[r] = (struct lp_column){LP_SLACK, UINT32_MAX};
    }
    for (uint32_t i = 0; i < s->rows; i++) {
        lp_make_column(s, old[i], s->column);
        lp_multiply(s, s->column, s->direction);
        uint32_t place = UINT32_MAX;
        for (uint32_t r = 0; r < s->rows; r++) {
            bool is_free = s->basic[r].group == LP_SLACK && s->basic[r].class_index == UINT32_MAX;
            if (is_free &&
                (place == UINT32_MAX || fabs(s->direction[r]) > fabs(s->direction[place])))
                place = r;
        }
        if (place == UINT32_MAX || fabs(s->direction[place]) < LP_PIVOT)
            return false;
        lp_pivot_inverse(s, place);
        s->basic[place] = old[i];
        if (old[i].group == LP_MAKESPAN)
            s->makespan = place;
    }
    lp_demand(s, s->column);
    lp_multiply(s, s->column, s->value);
    for (uint32_t r = 0; r < s->rows; r++)
        s->value[r] = fmax(-s->value[r], 0.0);
    return true;
}

/* ---- one step */

/* The key's value of a group and how fast it changes with the entering column. */
static void lp_key_rate(const struct lp_state *s, uint32_t group, struct lp_column entering,
                        double *value, double *rate)
{
    *value = 1.0;
    *rate = entering.group == group ? -1.0 : 0.0;
    for (uint32_t i = 0; i < s->rows && s->others[group] > 0; i++) {
        if (s->basic[i].group == group) {
            *value -= s->value[i];
            *rate += s->direction[i];
        }
    }
    *value = fmax(*value, 0.0);
}

/* Another class of the group becomes its key; the old key takes its place among the basics. */
static void lp_swap_key(struct lp_state *s, uint32_t group, uint32_t place, double key_value)
{
    double *mine = s->inverse + (size_t)place * s->rows;
    for (uint32_t i = 0; i < s->rows; i++) {
        if (i == place || s->basic[i].group != group)
            continue;
        const double *other = s->inverse + (size_t)i * s->rows;
        for (uint32_t k = 0; k < s->rows; k++)
            mine[k] += other[k];
    }
    for (uint32_t k = 0; k < s->rows; k++)
        mine[k] = -mine[k];
    uint32_t old = s->key[group];
    s->key[group] = s->basic[place].class_index;
    s->basic[place].class_index = old;
    s->value[place] = key_value;
}

struct lp_leaving {
    double step;
    uint32_t place; /* in `basic`; UINT32_MAX: the key of `group` */
    uint32_t group;
    double pivot;
};

static void lp_offer(struct lp_leaving *leaving, struct lp_leaving offer)
{
    if (offer.step < leaving->step - LP_TINY ||
        (offer.step <= leaving->step + LP_TINY && offer.pivot > leaving->pivot))
        *leaving = offer;
}

/* Who becomes 0 first. */
static struct lp_leaving lp_ratio_test(const struct lp_state *s, struct lp_column entering)
{
    struct lp_leaving leaving = {HUGE_VAL, UINT32_MAX, UINT32_MAX, 0};
    double value = 0, rate = 0;
    if (entering.group < LP_MAKESPAN) {
        lp_key_rate(s, entering.group, entering, &value, &rate);
        if (rate < -LP_PIVOT)
            lp_offer(&leaving,
                     (struct lp_leaving){value / -rate, UINT32_MAX, entering.group, -rate});
    }
    for (uint32_t i = 0; i < s->rows; i++) {
        double d = s->direction[i];
        if (d > LP_PIVOT)
            lp_offer(&leaving, (struct lp_leaving){s->value[i] / d, i, UINT32_MAX, d});
        uint32_t group = s->basic[i].group;
        if (group >= LP_MAKESPAN || group == entering.group || fabs(d) <= LP_PIVOT)
            continue;
        lp_key_rate(s, group, entering, &value, &rate);
        if (rate < -LP_PIVOT)
            lp_offer(&leaving, (struct lp_leaving){value / -rate, UINT32_MAX, group, -rate});
    }
    return leaving;
}

static void lp_move(struct lp_state *s, double step)
{
    for (uint32_t i = 0; i < s->rows; i++)
        s->value[i] = fmax(s->value[i] - step * s->direction[i], 0.0);
}

/* Of the group's basics the one with the largest pivot for the entering column. */
static uint32_t lp_widest(const struct lp_state *s, uint32_t group)
{
    uint32_t widest = UINT32_MAX;
    for (uint32_t i = 0; i < s->rows; i++) {
        if (s->basic[i].group == group &&
            (widest == UINT32_MAX || fabs(s->direction[i]) > fabs(s->direction[widest])))
            widest = i;
    }
    return widest;
}

/* False: no way on (rounding). */
static bool lp_enter(struct lp_state *s, struct lp_column entering)
{
    lp_make_column(s, entering, s->column);
    lp_multiply(s, s->column, s->direction);
    struct lp_leaving leaving = lp_ratio_test(s, entering);
    if (leaving.step >= HUGE_VAL || leaving.place == s->makespan)
        return false;
    s->idle = leaving.step > LP_TINY ? 0 : s->idle + 1;
    if (leaving.place == UINT32_MAX && s->others[leaving.group] == 0) {
        lp_move(s, leaving.step);
        s->key[entering.group] = entering.class_index;
        return true;
    }
    if (leaving.place == UINT32_MAX) {
        double value = 0, rate = 0;
        leaving.place = lp_widest(s, leaving.group);
        lp_key_rate(s, leaving.group, entering, &value, &rate);
        lp_swap_key(s, leaving.group, leaving.place, value);
        lp_make_column(s, entering, s->column);
        lp_multiply(s, s->column, s->direction);
        if (fabs(s->direction[leaving.place]) < LP_PIVOT)
            return false;
    }
    lp_move(s, leaving.step);
    if (s->basic[leaving.place].group < LP_MAKESPAN)
        s->others[s->basic[leaving.place].group]--;
    if (entering.group < LP_MAKESPAN)
        s->others[entering.group]++;
    lp_pivot_inverse(s, leaving.place);
    s->basic[leaving.place] = entering;
    s->value[leaving.place] = leaving.step;
    return true;
}

/* ---- which column enters */

/* The weights as the basis has them; some may be < 0. In the programme's own rows. */
static void lp_read_weights(const struct lp_state *s, double *weights)
{
    const double *row = s->inverse + (size_t)s->makespan * s->rows;
    for (uint32_t r = 0; r < s->rows; r++)
        weights[r] = -row[r];
}

/* What one unit of the group saves in its best class against its key. */
static double lp_saving(struct lp_state *s, uint32_t group, uint32_t *class_index)
{
    const struct bound_group *g = &s->lp->groups[group];
    double price;
    *class_index = lp_cheapest(s->lp, g, s->prices, &price);
    return (g->cost_ns[s->key[group]] * s->prices[s->key[group]] - price) * g->count / s->scale;
}

/* The best column of groups [from, to); group LP_MAKESPAN when none saves. */
static struct lp_column lp_best(struct lp_state *s, const double *weights, uint32_t from,
                                uint32_t to)
{
    struct lp_column best = {LP_MAKESPAN, 0};
    double most = LP_TINY;
    uint64_t sets = 0;
    for (uint32_t g = from; g < to; g++) {
        if (g == from || s->lp->groups[g].sets != sets) {
            sets = s->lp->groups[g].sets;
            bound_lp_prices(s->lp, weights, sets, s->prices);
            *s->work -= s->rows;
        }
        uint32_t class_index;
        double saving = lp_saving(s, g, &class_index);
        if (saving > most && class_index != s->key[g]) {
            most = saving;
            best = (struct lp_column){g, class_index};
        }
    }
    *s->work -= (double)(to - from) * s->classes;
    return best;
}

static bool lp_slack_enters(struct lp_state *s, const double *weights)
{
    uint32_t lowest = 0;
    for (uint32_t r = 1; r < s->rows; r++) {
        if (weights[r] < weights[lowest])
            lowest = r;
    }
    return weights[lowest] < -LP_TINY && lp_enter(s, (struct lp_column){LP_SLACK, lowest});
}

/* One pass: the slacks, then the best of each block of groups, each with the weights of its time.
 * Returns whether anything entered. */
static bool lp_pass(struct lp_state *s, double *weights, uint32_t *pivots)
{
    uint32_t groups = s->lp->group_count;
    uint32_t blocks = groups < LP_BLOCKS * 8 ? 1 : LP_BLOCKS;
    bool entered = false;
    for (uint32_t b = 0; b < blocks && *s->work >= 0; b++) {
        uint32_t block = (b + s->turn) % blocks;
        uint32_t from = (uint32_t)((uint64_t)groups * block / blocks);
        uint32_t to = (uint32_t)((uint64_t)groups * (block + 1) / blocks);
        lp_read_weights(s, weights);
        if (lp_slack_enters(s, weights)) {
            entered = true;
            ++*pivots;
            lp_read_weights(s, weights);
        }
        struct lp_column column = lp_best(s, weights, from, to);
        if (column.group != LP_MAKESPAN && lp_enter(s, column)) {
            entered = true;
            ++*pivots;
        }
    }
    if (s->idle > s->rows)
        s->turn++;
    return entered;
}

/* ---- the start */

/* Weights by repeated correction: a row that is fuller than the fullest weighs more. The best seen
 * stay in lp->weights. [out] value: what they prove. */
static void lp_warm_up(struct lp_state *s, double *weights, double *load, double *value)
{
    const struct bound_lp *lp = s->lp;
    *value = lp_value(lp, lp->weights, s->prices);
    if (lp->group_count < LP_WARM_GROUPS && lp->row_count <= LP_ROWS)
        return; /* pivots are quicker */
    memcpy(weights, lp->weights, s->rows * sizeof *weights);
    for (uint32_t round = 0; round < LP_WARM_ROUNDS && *s->work >= 0; round++) {
        double most = 0, sum = 0, price;
        for (uint32_t g = 0; g < lp->group_count; g++) {
            if (g == 0 || lp->groups[g].sets != lp->groups[g - 1].sets)
                bound_lp_prices(lp, weights, lp->groups[g].sets, s->prices);
            s->key[g] = lp_cheapest(lp, &lp->groups[g], s->prices, &price);
        }
        lp_demand(s, load);
        for (uint32_t r = 0; r < s->rows; r++)
            most = fmax(most, load[r]);
        if (!(most > 0))
            return;
        double power = 1.0 / (1.0 + round);
        for (uint32_t r = 0; r < s->rows; r++) {
            weights[r] = fmax(weights[r], 1e-6) * pow(fmax(load[r] / most, 1e-3), power);
            sum += weights[r];
        }
        for (uint32_t r = 0; r < s->rows; r++)
            weights[r] /= sum;
        double now = lp_value(lp, weights, s->prices);
        if (now > *value) {
            *value = now;
            memcpy(lp->weights, weights, s->rows * sizeof *weights);
        }
        *s->work -= (double)lp->group_count * (3.0 * s->classes + s->rows);
    }
}

/* Each group wholly where it is cheapest at the weights; the fullest row holds the makespan. */
static bool lp_start(struct lp_state *s, double *weights, double *load)
{
    const struct bound_lp *lp = s->lp;
    double price = 0;
    for (uint32_t r = 0; r < s->rows; r++)
        weights[r] = lp->weights[r] + LP_START_LEAST / s->rows;
    for (uint32_t g = 0; g < lp->group_count; g++) {
        if (g == 0 || lp->groups[g].sets != lp->groups[g - 1].sets)
            bound_lp_prices(lp, weights, lp->groups[g].sets, s->prices);
        s->key[g] = lp_cheapest(lp, &lp->groups[g], s->prices, &price);
        s->others[g] = 0;
    }
    lp_demand(s, load);
    uint32_t fullest = 0;
    for (uint32_t r = 1; r < s->rows; r++) {
        if (load[r] > load[fullest])
            fullest = r;
    }
    if (!(load[fullest] > 0) || !isfinite(load[fullest]))
        return false;
    double scale = load[fullest];
    s->scale *= scale;
    for (uint32_t r = 0; r < s->rows; r++) {
        s->factor[r] /= scale;
        s->basic[r] = (struct lp_column){LP_SLACK, r};
    }
    s->basic[fullest] = (struct lp_column){LP_MAKESPAN, 0};
    s->makespan = fullest;
    return true;
}

static void lp_read_shares(const struct lp_state *s)
{
    const struct bound_lp *lp = s->lp;
    if (lp->shares == NULL)
        return;
    memset(lp->shares, 0, (size_t)lp->group_count * s->classes * sizeof(double));
    for (uint32_t g = 0; g < lp->group_count; g++)
        lp->shares[(size_t)g * s->classes + s->key[g]] = 1.0;
    for (uint32_t i = 0; i < s->rows; i++) {
        uint32_t g = s->basic[i].group;
        if (g >= LP_MAKESPAN)
            continue;
        lp->shares[(size_t)g * s->classes + s->basic[i].class_index] += s->value[i];
        lp->shares[(size_t)g * s->classes + s->key[g]] -= s->value[i];
    }
}

static bool lp_init(struct lp_state *s, const struct bound_lp *lp, struct arena *arena,
                    double *work)
{
    uint32_t rows = lp->row_count, groups = lp->group_count;
    size_t matrix = rows <= LP_ROWS ? (size_t)rows * rows : 1;
    *s = (struct lp_state){
        .lp = lp, .rows = rows, .classes = lp->class_count, .scale = 1.0, .work = work};
    s->inverse = arena_alloc(arena, matrix * sizeof(double), 16);
    double *numbers = arena_alloc(arena, (4u * rows + lp->class_count) * sizeof(double), 16);
    s->basic = arena_alloc(arena, rows * sizeof *s->basic, 16);
    s->key = arena_alloc(arena, 2 * (size_t)groups * sizeof *s->key, 16);
    if (s->inverse == NULL || numbers == NULL || s->basic == NULL || s->key == NULL)
        return false;
    s->value = numbers;
    s->direction = numbers + rows;
    s->column = numbers + 2u * rows;
    s->factor = numbers + 3u * rows;
    s->prices = numbers + 4u * rows;
    s->others = s->key + groups;
    for (uint32_t r = 0; r < rows; r++)
        s->factor[r] = 1.0 / lp->rows[r].workers;
    return true;
}

/* Pivots to the end, or until the work is spent. [out] primal: what the sharing out needs. */
static double lp_pivot_all(struct lp_state *s, double *weights, struct lp_column *old)
{
    uint32_t pivots = 0, refreshed = 0, stuck = 0;
    if (!lp_refresh(s, old))
        return HUGE_VAL;
    while (*s->work >= 0 && s->idle < 20 * s->rows + 200) {
        if (pivots - refreshed > LP_REFRESH) {
            refreshed = pivots;
            if (!lp_refresh(s, old))
                return HUGE_VAL;
        }
        if (lp_pass(s, weights, &pivots)) {
            stuck = 0;
            continue;
        }
        if (stuck++ > 0 || !lp_refresh(s, old))
            break;
    }
    lp_read_weights(s, weights);
    for (uint32_t r = 0; r < s->rows; r++)
        weights[r] = fmax(weights[r], 0.0);
    return s->value[s->makespan] * s->scale;
}

bool bound_lp_solve(const struct bound_lp *lp, struct arena *arena, double *work, double *value_ns,
                    bool *exact)
{
    struct lp_state s;
    double *scratch = arena_alloc(arena, 2u * lp->row_count * sizeof(double), 16);
    struct lp_column *old = arena_alloc(arena, lp->row_count * sizeof *old, 16);
    if (scratch == NULL || old == NULL || !lp_init(&s, lp, arena, work))
        return false;
    lp_warm_up(&s, scratch, scratch + lp->row_count, value_ns);
    *exact = false;
    if (!lp_start(&s, scratch, scratch + lp->row_count)) {
        *exact = *value_ns == 0; /* nothing takes any time */
        return true;
    }
    if (lp->row_count > LP_ROWS) {
        lp_read_shares(&s);
        return true;
    }
    double primal = lp_pivot_all(&s, scratch, old);
    double value = lp_value(lp, scratch, s.prices);
    if (value > *value_ns) {
        *value_ns = value;
        memcpy(lp->weights, scratch, lp->row_count * sizeof(double));
    }
    *exact = primal - *value_ns <= LP_GAP * primal;
    lp_read_shares(&s);
    return true;
}
