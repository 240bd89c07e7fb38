/* Evaluations made up for reports: what a run could have been like, by name. */
#ifndef FASTGPU_TESTS_LIB_REPORT_CASES_H
#define FASTGPU_TESTS_LIB_REPORT_CASES_H

#include "cli/report/report.h"

struct report_case {
    struct workload workload;
    struct evaluation evaluation;
    struct image images[4];
    struct report_picture pictures[4];
    uint32_t picture_count;
};

/* "empty": no task, nothing known. "one": a task. "unknown": tasks and devices of which nothing was
 * measured. "failed": some ended badly, the run was stopped. "demo": 240 tasks of photographs on
 * two devices, baselines, samples, pictures. "large": 100,000 tasks. "hostile": names that try to
 * be markup. The names, NULL at their end: */
extern const char *const report_case_names[];

/* The text that stands in every name of "hostile". */
extern const char report_case_hostile[];

/* NULL for a name that is none of these, or without memory. [give] */
struct report_case *report_case_create(const char *name);
void report_case_destroy(struct report_case *of);

#endif
