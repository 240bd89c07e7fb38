/* The models of the founding documents, as pure functions: what they predict stands in the report's
 * appendix, beside the measured figure that supersedes each.
 *
 * They are kept as the documents state them, for comparison; nothing in the pool decides by them.
 * All numbers are doubles, sums run in the order of the lists. Every input must be a finite number
 * within the range that the function names; an empty list, lists of different lengths, NaN, a
 * division by zero and a result beyond the range of a double are FGPU_E_INVAL with a sentence in
 * `why` that names the input, its value and what is possible. On failure the result is left alone.
 *
 * Thread: any; nothing blocks, nothing is kept, nothing is allocated.
 */
#ifndef FASTGPU_CLI_MACHINE_MODELS_H
#define FASTGPU_CLI_MACHINE_MODELS_H

#include <stddef.h>

#include <fastgpu/status.h>

/* One value for each task (or device, where a function says so). [borrow] values. */
struct models_list {
    const double *values;
    size_t count;
};

/* Assess: P = T / G with T = sum T_i and G = sum G_i. */
struct models_ratio {
    double work;     /* T, in the unit of T_i */
    double capacity; /* G, in the unit of G_i */
    double ratio;    /* P, in units of T_i for each unit of G_i */
};

/* What an argmin picks: the candidate with the least score, of equal ones that with the lower
 * index. The documents count candidates from 1: their number is index + 1. */
struct models_pick {
    size_t index;
    double score;
};

/* [in] work: T_i of each task, >= 0 (for example seconds of one device)
 * [in] capacity: G_i of each device, >= 0 and not all 0 (for example devices)
 * The lists may differ in length. [out] ratio. */
fgpu_status models_assess(struct models_list work, struct models_list capacity,
                          struct models_ratio *ratio, char *why, size_t why_bytes);

/* R = sum u_j r_j, the rate at which the pool works; in the unit of r_j.
 * [in] shares: u_j, the utilisation of each task, 0 to 1
 * [in] rates: r_j, the rate of each task at full utilisation, >= 0; as many */
fgpu_status models_rate(struct models_list shares, struct models_list rates, double *rate,
                        char *why, size_t why_bytes);

/* T = min(sum p_i R_i, C), in seconds.
 * [in] weights: p_i, the share of each task, 0 to 1
 * [in] rates: R_i, in seconds for a whole share, >= 0; as many
 * [in] cap: C, the longest time that is allowed, in seconds, >= 0 */
fgpu_status models_time(struct models_list weights, struct models_list rates, double cap,
                        double *seconds, char *why, size_t why_bytes);

/* M = m C / R, in the unit of m.
 * [in] each: m, the memory of one task, >= 0
 * [in] tasks: C, the number of tasks, >= 0; need not be whole
 * [in] rate: R of models_rate(), > 0 */
fgpu_status models_memory(double each, double tasks, double rate, double *memory, char *why,
                          size_t why_bytes);

/* LB = sum L_j P_j, the load weighted by priority; in the unit of L_j.
 * [in] loads: L_j of each task, >= 0
 * [in] priorities: P_j, >= 0, without a unit; as many */
fgpu_status models_balance(struct models_list loads, struct models_list priorities, double *balance,
                           char *why, size_t why_bytes);

/* What models_allocate() weighs; three lists of one length, any finite numbers. */
struct models_costs {
    struct models_list priorities; /* P_j */
    struct models_list quantities; /* Q_j */
    struct models_list costs;      /* C_j */
};

/* a = argmin over j of P_j - Q_j C_j. The documents write Q_i and C_i, with one value of each for
 * every candidate; they are read as belonging to the candidate itself. */
fgpu_status models_allocate(const struct models_costs *costs, struct models_pick *pick, char *why,
                            size_t why_bytes);

/* S = argmin over j of T_i + T_j - P_j for one task i. T_i is the same for all candidates: it
 * shifts the scores and never changes the pick.
 * [in] own: T_i, in seconds, >= 0
 * [in] times: T_j of the candidates, in seconds, >= 0
 * [in] priorities: P_j, any finite number; as many
 * A candidate that shall not be picked (the task itself, say) is left out of the lists. */
fgpu_status models_schedule(double own, struct models_list times, struct models_list priorities,
                            struct models_pick *pick, char *why, size_t why_bytes);

/* D = argmin over j of T_i - T_j for one task i, that is: the candidate with the longest T_j.
 * [in] own: T_i, in seconds, >= 0
 * [in] times: T_j of the candidates, in seconds, >= 0 */
fgpu_status models_distribute(double own, struct models_list times, struct models_pick *pick,
                              char *why, size_t why_bytes);

/* The models in the order of the report. */
enum models_id {
    MODELS_ASSESS,
    MODELS_RATE,
    MODELS_TIME,
    MODELS_MEMORY,
    MODELS_BALANCE,
    MODELS_ALLOCATE,
    MODELS_SCHEDULE,
    MODELS_DISTRIBUTE,
    MODELS_COUNT
};

/* One row of the appendix; all texts are UTF-8 in ASCII alone, static, never NULL. */
struct models_entry {
    const char *symbol;
    const char *name;
    const char *formula;
    const char *unit;
    const char *measured; /* the figure of the report that supersedes it */
};

/* NULL for a number that is none of the list. */
const struct models_entry *models_entry(enum models_id id);

/* A worked example of the documents. */
struct models_example {
    enum models_id model;
    const char *inputs;
    const char *printed; /* the answer as the documents print it, with its unit */
    const char *note;    /* how that differs from what the formula gives; NULL where it does not */
};

/* What the formula gives for an example. */
struct models_answer {
    double value; /* of the sum, or the score of the pick */
    size_t task;  /* number of the task picked, from 1; 0 where the model picks none */
};

size_t models_example_count(void);

/* [in] index: below models_example_count(); NULL beyond. Static. */
const struct models_example *models_example(size_t index);

/* Computes an example with the functions above; FGPU_E_INVAL beyond the last. */
fgpu_status models_example_solve(size_t index, struct models_answer *answer, char *why,
                                 size_t why_bytes);

#endif
