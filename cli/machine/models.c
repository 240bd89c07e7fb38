/* The models of the founding documents: see models.h for what each takes and gives.
 *
 * Stands outside the walk of a task: pure functions over the caller's numbers, no state, no I/O,
 * any thread. Source of the formulas and of the worked examples: the founding documents, five steps
 * (assess, schedule, memory, balance, evaluate). Where a worked example there does not follow from
 * its own formula, the formula is kept and the example's note says so.
 */
#include "cli/machine/models.h"

#include <math.h>
#include <stdio.h>

#include "cli/common/why.h"

#define MODELS_LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* An input with the name that the documents give it and the range that makes sense for it. */
struct models_input {
    const char *symbol;
    struct models_list list;
    double least;
    double most;
};

static fgpu_status models_check_range(const struct models_input *input, const char *name,
                                      double value, char *why, size_t why_bytes)
{
    if (!isfinite(value))
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s is %g; it has to be a finite number",
                        name, value);
    if (value >= input->least && value <= input->most)
        return FGPU_OK;
    if (isinf(input->most))
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s is %g; it has to be at least %g", name,
                        value, input->least);
    return why_fail(FGPU_E_INVAL, why, why_bytes, "%s is %g; it has to be from %g to %g", name,
                    value, input->least, input->most);
}

/* One number alone. */
static fgpu_status models_check_value(const char *symbol, double value, char *why, size_t why_bytes)
{
    struct models_input input = {.symbol = symbol, .least = 0, .most = INFINITY};

    return models_check_range(&input, symbol, value, why, why_bytes);
}

/* One list: not empty, every value in its range. */
static fgpu_status models_check_list(const struct models_input *input, char *why, size_t why_bytes)
{
    char name[48];

    if (!input->list.values || input->list.count == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s has no value; it needs at least one",
                        input->symbol);
    for (size_t i = 0; i < input->list.count; i++) {
        (void)snprintf(name, sizeof name, "%s_%zu", input->symbol, i + 1);
        fgpu_status status = models_check_range(input, name, input->list.values[i], why, why_bytes);
        if (status != FGPU_OK)
            return status;
    }
    return FGPU_OK;
}

/* Lists that belong together: as many values in each. */
static fgpu_status models_check_lists(const struct models_input *inputs, size_t count, char *why,
                                      size_t why_bytes)
{
    for (size_t i = 0; i < count; i++) {
        fgpu_status status = models_check_list(&inputs[i], why, why_bytes);
        if (status != FGPU_OK)
            return status;
        if (inputs[i].list.count != inputs[0].list.count)
            return why_fail(FGPU_E_INVAL, why, why_bytes,
                            "%s has %zu values and %s has %zu; they have to be as many",
                            inputs[0].symbol, inputs[0].list.count, inputs[i].symbol,
                            inputs[i].list.count);
    }
    return FGPU_OK;
}

/* Hands a result over, unless it left the range of a double on the way. */
static fgpu_status models_give(const char *symbol, double value, double *result, char *why,
                               size_t why_bytes)
{
    if (!isfinite(value))
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "%s is beyond the range of a double; the inputs are too large", symbol);
    *result = value;
    return FGPU_OK;
}

static double models_sum(struct models_list list)
{
    double sum = 0;

    for (size_t i = 0; i < list.count; i++)
        sum += list.values[i];
    return sum;
}

static double models_sum_products(struct models_list left, struct models_list right)
{
    double sum = 0;

    for (size_t i = 0; i < left.count; i++)
        sum += left.values[i] * right.values[i];
    return sum;
}

fgpu_status models_assess(struct models_list work, struct models_list capacity,
                          struct models_ratio *ratio, char *why, size_t why_bytes)
{
    const struct models_input inputs[] = {{"T", work, 0, INFINITY}, {"G", capacity, 0, INFINITY}};
    struct models_ratio found = {0};

    for (size_t i = 0; i < MODELS_LENGTH(inputs); i++) {
        fgpu_status status = models_check_list(&inputs[i], why, why_bytes);
        if (status != FGPU_OK)
            return status;
    }
    fgpu_status status = models_give("T", models_sum(work), &found.work, why, why_bytes);
    if (status == FGPU_OK)
        status = models_give("G", models_sum(capacity), &found.capacity, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    if (found.capacity <= 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "the sum of G is 0, and P = T / G divides by it; one G_i has to be "
                        "above 0");
    status = models_give("P", found.work / found.capacity, &found.ratio, why, why_bytes);
    if (status == FGPU_OK)
        *ratio = found;
    return status;
}

fgpu_status models_rate(struct models_list shares, struct models_list rates, double *rate,
                        char *why, size_t why_bytes)
{
    const struct models_input inputs[] = {{"u", shares, 0, 1}, {"r", rates, 0, INFINITY}};

    fgpu_status status = models_check_lists(inputs, MODELS_LENGTH(inputs), why, why_bytes);
    if (status != FGPU_OK)
        return status;
    return models_give("R", models_sum_products(shares, rates), rate, why, why_bytes);
}

fgpu_status models_time(struct models_list weights, struct models_list rates, double cap,
                        double *seconds, char *why, size_t why_bytes)
{
    const struct models_input inputs[] = {{"p", weights, 0, 1}, {"R", rates, 0, INFINITY}};

    fgpu_status status = models_check_lists(inputs, MODELS_LENGTH(inputs), why, why_bytes);
    if (status == FGPU_OK)
        status = models_check_value("C", cap, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    /* A sum beyond the range of a double is above every cap. */
    *seconds = fmin(models_sum_products(weights, rates), cap);
    return FGPU_OK;
}

fgpu_status models_memory(double each, double tasks, double rate, double *memory, char *why,
                          size_t why_bytes)
{
    fgpu_status status = models_check_value("m", each, why, why_bytes);
    if (status == FGPU_OK)
        status = models_check_value("C", tasks, why, why_bytes);
    if (status == FGPU_OK)
        status = models_check_value("R", rate, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    if (rate <= 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "R is 0, and M = m C / R divides by it; it has to be above 0");
    return models_give("M", each * tasks / rate, memory, why, why_bytes);
}

fgpu_status models_balance(struct models_list loads, struct models_list priorities, double *balance,
                           char *why, size_t why_bytes)
{
    const struct models_input inputs[] = {{"L", loads, 0, INFINITY},
                                          {"P", priorities, 0, INFINITY}};

    fgpu_status status = models_check_lists(inputs, MODELS_LENGTH(inputs), why, why_bytes);
    if (status != FGPU_OK)
        return status;
    return models_give("LB", models_sum_products(loads, priorities), balance, why, why_bytes);
}

/* Takes candidate `index` into the pick that has been made among those before it. */
static fgpu_status models_consider(struct models_pick *pick, size_t index, double score, char *why,
                                   size_t why_bytes)
{
    if (!isfinite(score))
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "the score of candidate %zu is beyond the range of a double; its inputs "
                        "are too large",
                        index + 1);
    if (index == 0 || score < pick->score)
        *pick = (struct models_pick){index, score};
    return FGPU_OK;
}

fgpu_status models_allocate(const struct models_costs *costs, struct models_pick *pick, char *why,
                            size_t why_bytes)
{
    const struct models_input inputs[] = {{"P", costs->priorities, -INFINITY, INFINITY},
                                          {"Q", costs->quantities, -INFINITY, INFINITY},
                                          {"C", costs->costs, -INFINITY, INFINITY}};
    struct models_pick found = {0};

    fgpu_status status = models_check_lists(inputs, MODELS_LENGTH(inputs), why, why_bytes);
    for (size_t j = 0; status == FGPU_OK && j < costs->costs.count; j++)
        status = models_consider(&found, j,
                                 costs->priorities.values[j] -
                                     costs->quantities.values[j] * costs->costs.values[j],
                                 why, why_bytes);
    if (status == FGPU_OK)
        *pick = found;
    return status;
}

fgpu_status models_schedule(double own, struct models_list times, struct models_list priorities,
                            struct models_pick *pick, char *why, size_t why_bytes)
{
    const struct models_input inputs[] = {{"T", times, 0, INFINITY},
                                          {"P", priorities, -INFINITY, INFINITY}};
    struct models_pick found = {0};

    fgpu_status status = models_check_value("T_i", own, why, why_bytes);
    if (status == FGPU_OK)
        status = models_check_lists(inputs, MODELS_LENGTH(inputs), why, why_bytes);
    for (size_t j = 0; status == FGPU_OK && j < times.count; j++)
        status = models_consider(&found, j, own + times.values[j] - priorities.values[j], why,
                                 why_bytes);
    if (status == FGPU_OK)
        *pick = found;
    return status;
}

fgpu_status models_distribute(double own, struct models_list times, struct models_pick *pick,
                              char *why, size_t why_bytes)
{
    const struct models_input input = {"T", times, 0, INFINITY};
    struct models_pick found = {0};

    fgpu_status status = models_check_value("T_i", own, why, why_bytes);
    if (status == FGPU_OK)
        status = models_check_list(&input, why, why_bytes);
    for (size_t j = 0; status == FGPU_OK && j < times.count; j++)
        status = models_consider(&found, j, own - times.values[j], why, why_bytes);
    if (status == FGPU_OK)
        *pick = found;
    return status;
}

/* The appendix's rows. */
static const struct models_entry models_entries[MODELS_COUNT] = {
    [MODELS_ASSESS] = {"P", "assess: work for each unit of capacity",
                       "P = T / G, T = sum T_i, G = sum G_i", "unit of T_i / unit of G_i",
                       "area bound: predicted work over the devices that can run it"},
    [MODELS_RATE] = {"R", "rate of the pool", "R = sum u_j r_j", "unit of r_j",
                     "CPU-time utilisation of each device, measured over the run"},
    [MODELS_TIME] = {"T", "time of the run", "T = min(sum p_i R_i, C)", "s",
                     "time of the run, measured, and the lower bound max(area bound, critical "
                     "path)"},
    [MODELS_MEMORY] = {"M", "memory of the run", "M = m C / R", "unit of m",
                       "bytes moved, and the most bytes present on each memory node"},
    [MODELS_BALANCE] = {"LB", "load, weighted by priority", "LB = sum L_j P_j", "unit of L_j",
                        "busy time of each device"},
    [MODELS_ALLOCATE] = {"a", "allocate: which task gets the resource",
                         "a = argmin_j (P_j - Q_j C_j)", "number of a task",
                         "the device each task ran on, with the times predicted for the others"},
    [MODELS_SCHEDULE] = {"S", "schedule: which task comes next", "S = argmin_j (T_i + T_j - P_j)",
                         "number of a task", "mean and p99 task latency, measured"},
    [MODELS_DISTRIBUTE] = {"D", "distribute: which task moves", "D = argmin_j (T_i - T_j)",
                           "number of a task", "distance of the run to the lower bound"},
};

const struct models_entry *models_entry(enum models_id id)
{
    return (unsigned)id < MODELS_COUNT ? &models_entries[id] : NULL;
}

/* The documents' inputs. */
static const double models_load[] = {0.6, 0.4, 0.5, 0.3};
static const double models_rates[] = {0.8, 0.8, 0.8, 0.8};
static const double models_weights[] = {0.6, 0.4};
static const double models_pool_rate[] = {1.44, 1.44};
static const double models_equal[] = {1, 1, 1, 1};
static const double models_ranks[] = {1, 2, 3, 4, 5};
static const double models_priorities[] = {30, 20, 10, 5, 0};
static const double models_costs_each[] = {10, 20, 15, 25, 30};

#define MODELS_LIST(array) ((struct models_list){(array), MODELS_LENGTH(array)})

enum models_example_id {
    MODELS_EXAMPLE_RATE,
    MODELS_EXAMPLE_TIME,
    MODELS_EXAMPLE_MEMORY,
    MODELS_EXAMPLE_BALANCE,
    MODELS_EXAMPLE_BALANCE_RANKED,
    MODELS_EXAMPLE_ALLOCATE,
    MODELS_EXAMPLE_COUNT
};

static const struct models_example models_examples[MODELS_EXAMPLE_COUNT] = {
    [MODELS_EXAMPLE_RATE] = {MODELS_RATE, "u = 0.6 0.4 0.5 0.3; r = 0.8 for each", "1.44", NULL},
    [MODELS_EXAMPLE_TIME] = {MODELS_TIME, "p = 0.6 0.4; R = 1.44 for each; C = 10 s", "1.44 s",
                             NULL},
    [MODELS_EXAMPLE_MEMORY] = {MODELS_MEMORY, "m = 100 MB; C = 10; R = 1.44", "694.44 MB", NULL},
    [MODELS_EXAMPLE_BALANCE] = {MODELS_BALANCE, "L = 0.6 0.4 0.5 0.3; P = 1 for each", "1.8", NULL},
    [MODELS_EXAMPLE_BALANCE_RANKED] = {MODELS_BALANCE, "L = 0.6 0.4 0.5 0.3; P = 1 2 3 4", "1.8",
                                       "The documents give the tasks the priorities 1 2 3 4 and "
                                       "print 1.8, the answer for priorities of 1. With their own "
                                       "priorities the formula gives 4.1."},
    [MODELS_EXAMPLE_ALLOCATE] = {MODELS_ALLOCATE,
                                 "P = 30 20 10 5 0; Q = 1 2 3 4 5; C = 10 20 15 25 30", "task 3",
                                 "The documents print task 3. The scores are 20 -20 -35 -95 -150; "
                                 "the least is that of task 5, which the formula picks."},
};

size_t models_example_count(void)
{
    return MODELS_EXAMPLE_COUNT;
}

const struct models_example *models_example(size_t index)
{
    return index < MODELS_EXAMPLE_COUNT ? &models_examples[index] : NULL;
}

static fgpu_status models_solve_allocate(struct models_answer *answer, char *why, size_t why_bytes)
{
    const struct models_costs costs = {MODELS_LIST(models_priorities), MODELS_LIST(models_ranks),
                                       MODELS_LIST(models_costs_each)};
    struct models_pick pick;

    fgpu_status status = models_allocate(&costs, &pick, why, why_bytes);
    if (status == FGPU_OK)
        *answer = (struct models_answer){pick.score, pick.index + 1};
    return status;
}

fgpu_status models_example_solve(size_t index, struct models_answer *answer, char *why,
                                 size_t why_bytes)
{
    struct models_list loads = MODELS_LIST(models_load);
    struct models_list ranks = {models_ranks, loads.count};
    fgpu_status status = FGPU_E_INVAL;
    double value = 0;

    if (index == MODELS_EXAMPLE_ALLOCATE)
        return models_solve_allocate(answer, why, why_bytes);
    if (index == MODELS_EXAMPLE_RATE)
        status = models_rate(loads, MODELS_LIST(models_rates), &value, why, why_bytes);
    else if (index == MODELS_EXAMPLE_TIME)
        status = models_time(MODELS_LIST(models_weights), MODELS_LIST(models_pool_rate), 10, &value,
                             why, why_bytes);
    else if (index == MODELS_EXAMPLE_MEMORY)
        status = models_memory(100, 10, 1.44, &value, why, why_bytes);
    else if (index == MODELS_EXAMPLE_BALANCE)
        status = models_balance(loads, MODELS_LIST(models_equal), &value, why, why_bytes);
    else if (index == MODELS_EXAMPLE_BALANCE_RANKED)
        status = models_balance(loads, ranks, &value, why, why_bytes);
    else
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "there is no example %zu; the last is number %d", index,
                        MODELS_EXAMPLE_COUNT - 1);
    if (status == FGPU_OK)
        *answer = (struct models_answer){.value = value};
    return status;
}
