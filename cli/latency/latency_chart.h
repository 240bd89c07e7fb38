/* A chart for terminals: latencies over time on a logarithmic scale, in two bands side by side.
 * Pure: text in memory, for any width; main thread.
 */
#ifndef FASTGPU_CLI_LATENCY_LATENCY_CHART_H
#define FASTGPU_CLI_LATENCY_LATENCY_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/latency/urgent.h"

#define LATENCY_CHART_BANDS 2

/* With fewer columns there are the figures alone. */
#define LATENCY_CHART_COLUMNS 36u

struct latency_band {
    const char *title;                   /* [borrow] */
    const struct urgent_sample *samples; /* [borrow] */
    uint32_t count;
    double p50_ms, p99_ms; /* where count > 0 */
    double batch;          /* work groups a second; 0: not known yet */
};

struct latency_chart {
    const char *heading; /* [borrow] */
    struct latency_band bands[LATENCY_CHART_BANDS];
    uint64_t length_ns; /* of each band */
    uint32_t columns;   /* of the terminal */
    uint32_t rows;      /* of the bands; 0: the figures alone */
    bool has_color, is_utf8;
};

/* Median and 99th percentile of the samples. False without memory. */
bool latency_band_look(struct latency_band *band);

/* Lines without blanks at their end, each closed by a newline and none wider than the columns.
 * [give] for free(); NULL without memory. */
char *latency_chart_draw(const struct latency_chart *chart);

#endif
