/* The parts that a report is put together from: one file each, one function for each mark in
 * cli/report/report.html. All of them take the facts below and add to the text; they look at
 * nothing else, and their only failure is memory (report_text.is_short).
 */
#ifndef FASTGPU_CLI_REPORT_REPORT_PARTS_H
#define FASTGPU_CLI_REPORT_REPORT_PARTS_H

#include "cli/report/report.h"
#include "cli/report/report_page.h"
#include "cli/report/report_text.h"

/* Colours of kernels: those that took the longest have one each, the others share the last. */
#define REPORT_COLOURS 12

/* Tasks of which the graph is drawn. */
#define REPORT_GRAPH_TASKS 300

struct report_kernel {
    uint64_t task_count, run_ns, predicted_ns, predicted_run_ns;
    uint32_t colour;
};

/* A line of the timeline: a queue of a device, a link between memory nodes, or the compiler. */
enum report_row_kind { REPORT_ROW_QUEUE, REPORT_ROW_LINK, REPORT_ROW_BUILD };

struct report_row {
    enum report_row_kind kind;
    uint32_t major, minor; /* device and queue; memory node from and to */
};

struct report_slice {
    uint32_t row;
    uint32_t item; /* task, copy or build */
    uint64_t start_ns, end_ns;
};

struct report {
    struct report_text text;
    const struct evaluation *evaluation;
    const struct workload *workload;
    const struct report_picture *pictures;
    uint32_t picture_count;
    bool is_run;             /* the traced round was measured */
    uint64_t from_ns, to_ns; /* its time */
    struct report_row *rows;
    uint32_t row_count;
    struct report_slice *slices; /* by row, then start */
    uint32_t slice_count;
    uint32_t run_count, failed_count; /* tasks with times; tasks that did not end well */
    struct report_kernel *kernels;    /* as in the workload */
    uint32_t *ranks;                  /* kernels, the one that took longest first */
};

/* What task `i` of the traced round did; NULL where nothing is known. */
const struct evaluation_task *report_task(const struct report *report, uint32_t i);
bool report_task_ran(const struct evaluation_task *task);

/* "opencl:0"; "device 7" for one that is not in the list. */
const char *report_device(const struct report *report, uint32_t device,
                          char room[REPORT_NUMBER_BYTES]);

/* The time of the round that figures are shown of; 0: unknown. */
uint64_t report_wall_ns(const struct evaluation *evaluation);

/* Rows, slices, kernels. FGPU_OK or FGPU_E_NOMEM. (report_facts.c) */
fgpu_status report_facts_init(struct report *report, const struct evaluation *evaluation);
void report_facts_fini(struct report *report);

/* The marks of report.html. */
void report_title(struct report *report);
void report_head(struct report *report);
void report_clocks(struct report *report);
void report_assess(struct report *report);
void report_schedule(struct report *report);
void report_memory(struct report *report);
void report_balance(struct report *report);
void report_evaluate(struct report *report);
void report_graph(struct report *report);
void report_gallery(struct report *report);
void report_appendix(struct report *report);
void report_data(struct report *report);

/* Figures that follow the page's width: report_figures.c. */

/* A word of ours and its figure, escaped, within <dl class="facts">; NULL is "unknown". */
void report_fact(struct report_text *text, const char *word, const char *figure);

struct report_bar {
    const char *label; /* escaped here */
    double value;      /* length; below 0: unknown */
    const char *text;  /* what is said at its end */
    const char *shade; /* our own: class of its colour */
};
void report_bars(struct report_text *text, const struct report_bar *bars, uint32_t count);

/* The share of something over time, from 0 to 1, as an area. [in] alt: our own. */
void report_area(struct report_text *text, const float *shares, uint32_t count, const char *alt);

/* How often values fell between powers of two. [in] is_time: nanoseconds, else ratios. */
void report_histogram(struct report_text *text, const double *values, uint32_t count, bool is_time,
                      const char *alt);

#endif
