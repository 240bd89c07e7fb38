/* Windows and chains in one linear programme; see bound_joined.h. */
#include "plan/bound_joined.h"
#include <math.h>
#include <string.h>
#include "plan/bound_lp.h"
#include "plan/bound_window.h"

#define JOINED_NONE UINT32_MAX
#define JOINED_STARTS 6u       /* windows tried first: on each side */
#define JOINED_FEW_STARTS 3u   /* ... of a large graph */
#define JOINED_LARGE 100000u   /* tasks of one */
#define JOINED_REFINE 6u       /* rounds of "the best weights for it, the best window for them" */
#define JOINED_ROUNDS 40u      /* of new rows */
#define JOINED_ENOUGH 1e-4     /* relative: less is no progress, and no violation */
#define JOINED_AREA_WORK 3e8   /* multiplications: about 0.3 s */
#define JOINED_TRY_WORK 2e6    /* ... for one window */
#define JOINED_WORK 2e7        /* ... for all windows and chains together: about 30 ms */
#define JOINED_TASK_WORK 250.0 /* ... and for each task of a large graph */

struct joined {
    const struct bound_problem *problem;
    struct arena *arena;  /* for all of it */
    struct arena scratch; /* for one programme */
    struct bound_grid grid;
    double best_ns;
    bool exact;
    double work;
    struct bound_window window; /* the best single one, when there is one */
    bool has_window;
    double *weights; /* [class] its, or the area's */
    /* the programme of rows */
    uint32_t set_count, row_count, row_limit, group_count;
    struct bound_row *rows;
    double *row_weights;
    struct bound_group *groups; /* capacity: tasks */
    uint32_t *group_type;       /* [group] */
    uint32_t *group_of;         /* [task] */
    uint32_t *twin;             /* [group] scratch: its part inside the new set */
    double *numbers;            /* [group] scratch */
    double *path;               /* [task] scratch */
};

/* ---- the area, and single windows */

static void joined_even_weights(double *weights, uint32_t count)
{
    for (uint32_t r = 0; r < count; r++)
        weights[r] = 1.0 / count;
}

/* One window's programme. */
struct joined_try {
    const double *counts; /* [type] of its tasks */
    double offset_ns;
    double *weights; /* [class] in: where to start; out */
    double value_ns;
    bool exact;
};

static bool joined_solve(const struct bound_problem *problem, struct arena *scratch,
                         struct joined_try *try, double *work)
{
    uint32_t classes = problem->class_count;
    struct bound_row *rows = arena_alloc(scratch, classes * sizeof *rows, 16);
    struct bound_group *groups = arena_alloc(scratch, problem->type_count * sizeof *groups, 16);
    if (rows == NULL || groups == NULL)
        return false;
    for (uint32_t c = 0; c < classes; c++)
        rows[c] = (struct bound_row){0, c, problem->workers[c], try->offset_ns};
    uint32_t count = 0;
    for (uint32_t t = 0; t < problem->type_count; t++) {
        if (try->counts[t] > 0)
            groups[count++] =
                (struct bound_group){problem->cost_ns + (size_t)t * classes, try->counts[t], 1};
    }
    struct bound_lp lp = {classes, classes, count, rows, groups, try->weights, NULL};
    return bound_lp_solve(&lp, scratch, work, &try->value_ns, &try->exact);
}

bool bound_joined_area(const struct bound_problem *problem, double *weights, double *area_ns,
                       bool *exact)
{
    struct arena scratch;
    struct joined_try try = {.counts = problem->counts, .weights = weights};
    double work = JOINED_AREA_WORK;
    arena_init(&scratch, 0, NULL);
    joined_even_weights(weights, problem->class_count);
    bool ok = joined_solve(problem, &scratch, &try, &work);
    arena_fini(&scratch);
    *area_ns = try.value_ns;
    *exact = try.exact;
    return ok;
}

/* What a task of each type costs at the weights. */
static void joined_type_prices(const struct joined *j, const double *weights, double *prices)
{
    const struct bound_problem *problem = j->problem;
    for (uint32_t t = 0; t < problem->type_count; t++) {
        const double *cost = problem->cost_ns + (size_t)t * problem->class_count;
        prices[t] = HUGE_VAL;
        for (uint32_t c = 0; c < problem->class_count; c++) {
            if (cost[c] >= 0)
                prices[t] = fmin(prices[t], cost[c] * weights[c] / problem->workers[c]);
        }
    }
}

static void joined_count(const struct joined *j, const struct bound_window *window, double *counts)
{
    memset(counts, 0, j->problem->type_count * sizeof *counts);
    for (uint32_t i = 0; i < j->problem->task_count; i++) {
        if (bound_window_has(&j->grid, window, i))
            counts[j->problem->type_of[i]]++;
    }
}

static void joined_spend(struct joined *j, double times)
{
    j->work -= times * (3.0 * j->problem->task_count + (double)BOUND_GRID * BOUND_GRID);
}

/* From one window: its best weights, the best window for them, and so on while it gets better.
 * `weights`: [class] scratch. */
static bool joined_climb(struct joined *j, struct bound_window window, double *weights)
{
    double *counts = j->numbers, *prices = j->numbers + j->problem->type_count, last = 0;
    for (uint32_t round = 0; round < JOINED_REFINE && j->work > 0; round++) {
        double work = fmin(JOINED_TRY_WORK, j->work), before = work;
        struct joined_try try = {counts, window.offset_ns, weights, 0, false};
        joined_count(j, &window, counts);
        arena_reset(&j->scratch);
        if (!joined_solve(j->problem, &j->scratch, &try, &work))
            return false;
        j->work -= before - work;
        joined_spend(j, 1.0);
        if (try.value_ns > j->best_ns) {
            j->best_ns = try.value_ns;
            j->exact = try.exact;
            j->window = window;
            j->has_window = true;
            memcpy(j->weights, weights, j->problem->class_count * sizeof *weights);
        }
        if (try.value_ns <= last * (1.0 + JOINED_ENOUGH))
            break;
        last = try.value_ns;
        joined_type_prices(j, weights, prices);
        window = bound_grid_best(&j->grid, j->problem->type_of, prices);
        if (window.need_ns <= last * (1.0 + JOINED_ENOUGH))
            break;
    }
    return true;
}

static bool joined_windows(struct joined *j, const double *area_weights)
{
    uint32_t classes = j->problem->class_count;
    uint32_t starts = j->problem->task_count < JOINED_LARGE ? JOINED_STARTS : JOINED_FEW_STARTS;
    double *weights = arena_alloc(j->arena, classes * sizeof *weights, 16);
    if (weights == NULL)
        return false;
    double budget = j->work, *prices = j->numbers + j->problem->type_count;
    joined_type_prices(j, area_weights, prices);
    memcpy(weights, area_weights, classes * sizeof *weights);
    if (!joined_climb(j, bound_grid_best(&j->grid, j->problem->type_of, prices), weights))
        return false;
    for (uint32_t s = 1; s < starts * starts && j->work > budget / 2; s++) {
        struct bound_window window = {s / starts * BOUND_GRID / starts,
                                      s % starts * BOUND_GRID / starts, 0, 0};
        window.offset_ns = j->grid.head_ns[window.head] + j->grid.tail_ns[window.tail];
        double *counts = j->numbers;
        joined_count(j, &window, counts);
        bool is_empty = true;
        for (uint32_t t = 0; t < j->problem->type_count; t++)
            is_empty = is_empty && !(counts[t] > 0);
        if (is_empty)
            continue;
        memcpy(weights, area_weights, classes * sizeof *weights);
        if (!joined_climb(j, window, weights))
            return false;
    }
    return true;
}

/* ---- the programme of rows */

/* Splits every group into what is inside the new set and what is not. in_set: [task]. */
static void joined_split(struct joined *j, const uint8_t *in_set)
{
    uint32_t old = j->group_count;
    uint64_t bit = UINT64_C(1) << j->set_count++;
    for (uint32_t g = 0; g < old; g++)
        j->twin[g] = JOINED_NONE;
    for (uint32_t i = 0; i < j->problem->task_count; i++) {
        uint32_t g = j->group_of[i];
        if (in_set[i] == 0)
            continue;
        if (j->twin[g] == JOINED_NONE) {
            /* The last of a group does not leave it: so groups are never more than tasks. */
            uint32_t twin = j->groups[g].count > 1 ? j->group_count++ : g;
            j->twin[g] = twin;
            if (twin == g) {
                j->groups[g].sets |= bit;
                continue;
            }
            j->groups[twin] = j->groups[g];
            j->groups[twin].sets |= bit;
            j->groups[twin].count = 0;
            j->group_type[twin] = j->group_type[g];
        }
        uint32_t twin = j->twin[g];
        j->groups[g].count -= 1;
        j->groups[twin].count += 1;
        j->group_of[i] = twin;
    }
}

/* Groups that lost all their tasks go. */
static void joined_compact(struct joined *j)
{
    uint32_t count = 0;
    for (uint32_t g = 0; g < j->group_count; g++) {
        j->twin[g] = count;
        if (!(j->groups[g].count > 0))
            continue;
        j->groups[count] = j->groups[g];
        j->group_type[count] = j->group_type[g];
        count++;
    }
    j->group_count = count;
    for (uint32_t i = 0; i < j->problem->task_count; i++)
        j->group_of[i] = j->twin[j->group_of[i]];
}

static void joined_add_row(struct joined *j, uint32_t set, uint32_t class_index, double offset_ns,
                           double weight)
{
    double workers = class_index == BOUND_LP_ANY ? 1.0 : j->problem->workers[class_index];
    j->row_weights[j->row_count] = weight;
    j->rows[j->row_count++] = (struct bound_row){set, class_index, workers, offset_ns};
}

/* Numbers of tasks grow by one set; 0: no set is left. */
static bool joined_add_set(struct joined *j, const uint8_t *in_set)
{
    if (j->set_count == BOUND_LP_SETS)
        return false;
    joined_split(j, in_set);
    joined_compact(j);
    return true;
}

static void joined_mark_window(const struct joined *j, const struct bound_window *window,
                               uint8_t *in_set)
{
    for (uint32_t i = 0; i < j->problem->task_count; i++)
        in_set[i] = bound_window_has(&j->grid, window, i) ? 1 : 0;
}

/* The rows of the area and of the best single window. */
static void joined_first_rows(struct joined *j, const double *area_weights, uint8_t *in_set)
{
    const struct bound_problem *problem = j->problem;
    j->group_count = problem->type_count;
    for (uint32_t t = 0; t < problem->type_count; t++) {
        j->groups[t] = (struct bound_group){problem->cost_ns + (size_t)t * problem->class_count,
                                            problem->counts[t], 1};
        j->group_type[t] = t;
    }
    memcpy(j->group_of, problem->type_of, problem->task_count * sizeof *j->group_of);
    j->set_count = 1;
    bool has_window = j->has_window;
    for (uint32_t c = 0; c < problem->class_count; c++)
        joined_add_row(j, 0, c, 0, has_window ? 0.0 : area_weights[c]);
    if (!has_window)
        return;
    joined_mark_window(j, &j->window, in_set);
    joined_add_set(j, in_set);
    for (uint32_t c = 0; c < problem->class_count; c++)
        joined_add_row(j, 1, c, j->window.offset_ns, j->weights[c]);
}

/* For every class the window that the solution fills most. */
static void joined_cut_windows(struct joined *j, const double *shares, double value_ns,
                               uint8_t *in_set)
{
    uint32_t classes = j->problem->class_count, groups = j->group_count;
    struct bound_window *windows = arena_alloc(&j->scratch, classes * sizeof *windows, 16);
    if (windows == NULL)
        return;
    for (uint32_t c = 0; c < classes; c++) {
        for (uint32_t g = 0; g < groups; g++)
            j->numbers[g] = shares[(size_t)g * classes + c] > 0
                                ? shares[(size_t)g * classes + c] * j->groups[g].cost_ns[c] /
                                      j->problem->workers[c]
                                : 0.0;
        windows[c] = bound_grid_best(&j->grid, j->group_of, j->numbers);
        joined_spend(j, 1.0);
    }
    for (uint32_t c = 0; c < classes; c++) {
        if (windows[c].need_ns <= value_ns * (1.0 + JOINED_ENOUGH) || j->row_count == j->row_limit)
            continue;
        joined_mark_window(j, &windows[c], in_set);
        if (joined_add_set(j, in_set))
            joined_add_row(j, j->set_count - 1, c, windows[c].offset_ns, 0);
    }
}

/* The chain that takes longest when each task takes the mean of where its group runs. */
static void joined_cut_chain(struct joined *j, const double *shares, double value_ns,
                             uint8_t *in_set)
{
    const struct bound_problem *problem = j->problem;
    uint32_t classes = problem->class_count, first = JOINED_NONE;
    double longest = 0;
    for (uint32_t g = 0; g < j->group_count; g++) {
        bool divisible = problem->divisible[j->group_type[g]];
        j->numbers[g] = divisible ? problem->cheapest_ns[j->group_type[g]] : 0;
        for (uint32_t c = 0; c < classes && !divisible; c++) {
            double share = shares[(size_t)g * classes + c];
            if (share > 0)
                j->numbers[g] += share * j->groups[g].cost_ns[c];
        }
    }
    for (uint32_t next = problem->task_count; next-- > 0;) {
        uint32_t task = problem->order[next];
        double after = 0;
        for (uint32_t e = problem->first_successor[task]; e < problem->first_successor[task + 1];
             e++)
            after = fmax(after, j->path[problem->successors[e]]);
        j->path[task] = after + j->numbers[j->group_of[task]];
        if (j->path[task] > longest) {
            longest = j->path[task];
            first = task;
        }
    }
    joined_spend(j, 2.0);
    if (longest <= value_ns * (1.0 + JOINED_ENOUGH) || j->row_count == j->row_limit)
        return;
    memset(in_set, 0, problem->task_count);
    double apart_ns = 0; /* of what runs on many workers at once: it takes so much at least */
    while (first != JOINED_NONE) {
        uint32_t task = first;
        first = JOINED_NONE;
        in_set[task] = !problem->divisible[problem->type_of[task]];
        apart_ns += in_set[task] ? 0 : problem->cheapest_ns[problem->type_of[task]];
        for (uint32_t e = problem->first_successor[task]; e < problem->first_successor[task + 1];
             e++) {
            uint32_t successor = problem->successors[e];
            if (first == JOINED_NONE || j->path[successor] > j->path[first])
                first = successor;
        }
    }
    if (joined_add_set(j, in_set))
        joined_add_row(j, j->set_count - 1, BOUND_LP_ANY, apart_ns, 0);
}

/* Solves the programme, adds what its solution violates, and so on. */
static bool joined_cuts(struct joined *j, uint8_t *in_set)
{
    uint32_t classes = j->problem->class_count, slow = 0;
    for (uint32_t round = 0; round < JOINED_ROUNDS && j->work > 0 && slow < 4; round++) {
        bool exact = false;
        double value = 0;
        uint32_t rows = j->row_count;
        arena_reset(&j->scratch);
        double *shares =
            arena_alloc(&j->scratch, (size_t)j->group_count * classes * sizeof *shares, 16);
        if (shares == NULL)
            return false;
        struct bound_lp lp = {classes,   rows,           j->group_count, j->rows,
                              j->groups, j->row_weights, shares};
        if (!bound_lp_solve(&lp, &j->scratch, &j->work, &value, &exact))
            return false;
        slow = value > j->best_ns * (1.0 + JOINED_ENOUGH) ? 0 : slow + 1;
        if (value > j->best_ns) {
            j->best_ns = value;
            j->exact = exact;
        }
        joined_cut_chain(j, shares, value, in_set);
        if (rows == j->row_count || (round & 1) == 0)
            joined_cut_windows(j, shares, value, in_set);
        if (rows == j->row_count)
            break;
    }
    return true;
}

static bool joined_init(struct joined *j, const struct bound_problem *problem, struct arena *arena)
{
    uint32_t n = problem->task_count, classes = problem->class_count;
    uint32_t most = n > 2 * problem->type_count ? n : 2 * problem->type_count;
    *j = (struct joined){.problem = problem, .arena = arena};
    arena_init(&j->scratch, 0, NULL);
    j->row_limit = 2 * classes + BOUND_LP_SETS;
    j->work = JOINED_WORK + JOINED_TASK_WORK * n;
    j->weights = arena_alloc(arena, classes * sizeof(double), 16);
    j->rows = arena_alloc(arena, j->row_limit * sizeof *j->rows, 16);
    j->row_weights = arena_alloc(arena, j->row_limit * sizeof(double), 16);
    j->groups = arena_alloc(arena, (size_t)n * sizeof *j->groups, 16);
    j->group_type = arena_alloc(arena, 3 * (size_t)n * sizeof(uint32_t), 16);
    j->numbers = arena_alloc(arena, (size_t)most * sizeof(double), 16);
    j->path = arena_alloc(arena, (size_t)n * sizeof(double), 16);
    if (j->weights == NULL || j->rows == NULL || j->row_weights == NULL || j->groups == NULL ||
        j->group_type == NULL || j->numbers == NULL || j->path == NULL)
        return false;
    j->group_of = j->group_type + n;
    j->twin = j->group_of + n;
    return bound_grid_make(&j->grid, arena, problem);
}

bool bound_joined(const struct bound_problem *problem, const double *weights, double area_ns,
                  double *joined_ns, bool *exact)
{
    struct arena arena;
    struct joined j;
    arena_init(&arena, 0, NULL);
    uint8_t *in_set = arena_alloc(&arena, problem->task_count, 16);
    bool ok = joined_init(&j, problem, &arena) && in_set != NULL;
    j.best_ns = area_ns;
    j.exact = *exact;
    ok = ok && joined_windows(&j, weights);
    if (ok) {
        joined_first_rows(&j, weights, in_set);
        ok = joined_cuts(&j, in_set);
    }
    *joined_ns = j.best_ns;
    *exact = j.exact;
    arena_fini(&j.scratch);
    arena_fini(&arena);
    return ok;
}
