/* The record of a run in words and as JSON: the five steps assess, schedule, memory, balance and
 * evaluate. What was not measured is "unknown" there and null here, never 0. Main thread; pure but
 * for stdout.
 */
#ifndef FASTGPU_CLI_RUN_RUN_PRINT_H
#define FASTGPU_CLI_RUN_RUN_PRINT_H

#include "cli/evaluate/evaluation.h"
#include "cli/common/json_out.h"

/* Five sections for people, to stdout. */
void run_print_text(const struct evaluation *evaluation);

/* Adds the five steps and what is common to them to an object. docs/man/fastgpu-run.1 names the
 * keys.
 */
void run_add_json(cJSON *root, const struct evaluation *evaluation);

/* The same, printed to stdout. False without memory. */
bool run_print_json(const struct evaluation *evaluation);

/* Time of a side over that of the pool: above 1 the pool is faster; 0: not known. */
double run_ratio(const struct evaluation *evaluation, const struct evaluation_side *side);

/* Nanoseconds of the shown round; 0: nothing was run. */
uint64_t run_wall_ns(const struct evaluation *evaluation);

/* Joules of the shown round; negative: not known. run_energy_why() says why not. */
double run_joule(const struct evaluation *evaluation);
const char *run_energy_why(const struct evaluation *evaluation);

/* All tasks of the shown round were done: only then its time compares with other times. */
bool run_is_whole(const struct evaluation *evaluation);

/* "one by one", "one queue": what people call a way. Static. */
const char *run_way_name(enum baseline_way way);

#endif
