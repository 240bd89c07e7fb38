/* See latency_chart.h. */
#include "cli/latency/latency_chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/figures.h"

#define CHART_LABEL 7u /* columns left of the bands, with their border */
#define CHART_COLUMNS_LIMIT 160u
#define CHART_ROWS_LIMIT 40u
#define CHART_MANY 3 /* samples of a cell that is drawn fat */

static const char *const chart_colors[LATENCY_CHART_BANDS] = {"\x1b[31m", "\x1b[32m"};

/* What stands in a cell. */
enum chart_mark { CHART_NONE, CHART_MEDIAN, CHART_FEW, CHART_MORE, CHART_MARKS };

static const char *const chart_marks[2][CHART_MARKS] = {
    {" ", "-", "o", "@"}, {" ", "\xe2\x94\x80", "\xe2\x80\xa2", "\xe2\x97\x8f"}};

/* The two bands as cells, and the scale: powers of ten in milliseconds. */
struct chart_grid {
    const struct latency_chart *chart;
    uint32_t rows, width; /* of one band */
    double low, high; /* log10 of ms at the lower edge of the lowest row, upper of the highest */
    uint16_t counts[CHART_ROWS_LIMIT][LATENCY_CHART_BANDS][CHART_COLUMNS_LIMIT];
};

bool latency_band_look(struct latency_band *band)
{
    double *ms = malloc((band->count + 1u) * sizeof *ms);
    if (!ms)
        return false;
    for (uint32_t i = 0; i < band->count; i++)
        ms[i] = (double)band->samples[i].latency_ns / 1e6;
    band->p50_ms = band->count > 0 ? figures_median(ms, band->count) : 0;
    band->p99_ms = band->count > 0 ? figures_quantile(ms, band->count, 0.99) : 0;
    free(ms);
    return true;
}

/* ---- the grid */

static double chart_log(uint64_t latency_ns)
{
    return log10(fmax(1, (double)latency_ns) / 1e6);
}

/* Whole powers of ten; at least from 0.1 ms to 1 s, so that the scale rests. */
static void chart_scale(struct chart_grid *grid)
{
    grid->low = -1;
    grid->high = 3;
    for (int b = 0; b < LATENCY_CHART_BANDS; b++) {
        const struct latency_band *band = &grid->chart->bands[b];
        for (uint32_t i = 0; i < band->count; i++) {
            double at = chart_log(band->samples[i].latency_ns);
            grid->low = fmin(grid->low, floor(at));
            grid->high = fmax(grid->high, ceil(at));
        }
    }
}

/* Row 0 is the highest. */
static uint32_t chart_row(const struct chart_grid *grid, double at)
{
    double row = (grid->high - at) / (grid->high - grid->low) * grid->rows;
    return row < 0 ? 0 : row >= grid->rows ? grid->rows - 1 : (uint32_t)row;
}

static void chart_fill(struct chart_grid *grid)
{
    for (int b = 0; b < LATENCY_CHART_BANDS; b++) {
        const struct latency_band *band = &grid->chart->bands[b];
        for (uint32_t i = 0; i < band->count; i++) {
            double x =
                (double)band->samples[i].at_ns / (double)grid->chart->length_ns * grid->width;
            uint32_t column = x >= grid->width ? grid->width - 1 : (uint32_t)x;
            uint16_t *cell =
                &grid->counts[chart_row(grid, chart_log(band->samples[i].latency_ns))][b][column];
            *cell = (uint16_t)(*cell + (*cell < UINT16_MAX));
        }
    }
}

static enum chart_mark chart_mark(const struct chart_grid *grid, uint32_t row, int b,
                                  uint32_t column)
{
    const struct latency_band *band = &grid->chart->bands[b];
    uint16_t count = grid->counts[row][b][column];

    if (count > 0)
        return count < CHART_MANY ? CHART_FEW : CHART_MORE;
    return band->count > 0 && chart_row(grid, log10(fmax(1e-6, band->p50_ms))) == row ? CHART_MEDIAN
                                                                                      : CHART_NONE;
}

/* The name of the power of ten that a row holds; "" for rows that hold none. */
static const char *chart_label(const struct chart_grid *grid, uint32_t row)
{
    static const char *const names[] = {"1 ns",   "10 ns", "100 ns", "1 us",   "10 us",
                                        "100 us", "1 ms",  "10 ms",  "100 ms", "1 s",
                                        "10 s",   "100 s", "1000 s"};
    for (int power = -6; power <= 6; power++)
        if (power >= (int)grid->low && power <= (int)grid->high &&
            chart_row(grid, (double)power) == row)
            return names[power + 6];
    return "";
}

/* ---- lines */

static void chart_bar(const struct chart_grid *grid, FILE *out)
{
    (void)fputs(grid->chart->is_utf8 ? "\xe2\x94\x82" : "|", out);
}

static void chart_row_line(const struct chart_grid *grid, uint32_t row, FILE *out)
{
    const struct latency_chart *chart = grid->chart;

    (void)fprintf(out, "%*s", (int)CHART_LABEL - 1, chart_label(grid, row));
    for (int b = 0; b < LATENCY_CHART_BANDS; b++) {
        uint32_t last = grid->width;
        chart_bar(grid, out);
        while (b == LATENCY_CHART_BANDS - 1 && last > 0 &&
               chart_mark(grid, row, b, last - 1) == CHART_NONE)
            last--; /* no blanks at the line's end */
        if (chart->has_color && last > 0)
            (void)fputs(chart_colors[b], out);
        for (uint32_t c = 0; c < last; c++)
            (void)fputs(chart_marks[chart->is_utf8][chart_mark(grid, row, b, c)], out);
        if (chart->has_color && last > 0)
            (void)fputs("\x1b[0m", out);
    }
    (void)fputc('\n', out);
}

/* One text a band, below it; cut to its width. */
static void chart_words(const struct chart_grid *grid, const char *name,
                        char texts[LATENCY_CHART_BANDS][64], FILE *out)
{
    (void)fprintf(out, "%*s %-*.*s %.*s\n", (int)CHART_LABEL - 1, name, (int)grid->width,
                  (int)grid->width, texts[0], (int)grid->width, texts[1]);
}

static void chart_border(const struct chart_grid *grid, FILE *out)
{
    bool is_utf8 = grid->chart->is_utf8;
    (void)fprintf(out, "%*s", (int)CHART_LABEL - 1, "");
    for (int b = 0; b < LATENCY_CHART_BANDS; b++) {
        (void)fputs(!is_utf8 ? "+" : b == 0 ? "\xe2\x94\x94" : "\xe2\x94\xb4", out);
        for (uint32_t c = 0; c < grid->width; c++)
            (void)fputs(is_utf8 ? "\xe2\x94\x80" : "-", out);
    }
    (void)fputc('\n', out);
}

static void chart_time(const struct latency_band *band, double ms, char text[64])
{
    if (band->count == 0)
        (void)snprintf(text, 64, "-");
    else
        (void)snprintf(text, 64, "%.*f ms", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void chart_batch(const struct latency_chart *chart, int b, char text[64])
{
    double off = chart->bands[0].batch, batch = chart->bands[b].batch;

    if (batch <= 0)
        (void)snprintf(text, 64, "-");
    else if (b > 0 && off > 0)
        (void)snprintf(text, 64, "%.0f groups/s, %.0f %%", batch, 100 * batch / off);
    else
        (void)snprintf(text, 64, "%.0f groups/s", batch);
}

static void chart_figures(const struct chart_grid *grid, FILE *out)
{
    const struct latency_chart *chart = grid->chart;
    char texts[LATENCY_CHART_BANDS][64];

    for (int b = 0; b < LATENCY_CHART_BANDS; b++)
        (void)snprintf(texts[b], sizeof texts[b], "%s", chart->bands[b].title);
    chart_words(grid, "", texts, out);
    for (int b = 0; b < LATENCY_CHART_BANDS; b++)
        chart_time(&chart->bands[b], chart->bands[b].p50_ms, texts[b]);
    chart_words(grid, "p50", texts, out);
    for (int b = 0; b < LATENCY_CHART_BANDS; b++)
        chart_time(&chart->bands[b], chart->bands[b].p99_ms, texts[b]);
    chart_words(grid, "p99", texts, out);
    for (int b = 0; b < LATENCY_CHART_BANDS; b++)
        chart_batch(chart, b, texts[b]);
    chart_words(grid, "batch", texts, out);
}

/* A band below the other, for terminals that have no room for two. */
static void chart_narrow(const struct latency_chart *chart, FILE *out)
{
    char p50[64], p99[64], batch[64], line[256];

    for (int b = 0; b < LATENCY_CHART_BANDS; b++) {
        const struct latency_band *band = &chart->bands[b];
        chart_time(band, band->p50_ms, p50);
        chart_time(band, band->p99_ms, p99);
        chart_batch(chart, b, batch);
        const char *const names[] = {"p50", "p99", "batch"}, *const texts[] = {p50, p99, batch};
        (void)fprintf(out, "%.*s\n", (int)chart->columns, band->title);
        for (int i = 0; i < 3; i++) {
            (void)snprintf(line, sizeof line, "%6s %s", names[i], texts[i]);
            (void)fprintf(out, "%.*s\n", (int)chart->columns, line);
        }
    }
}

static void chart_lines(struct chart_grid *grid, FILE *out)
{
    const struct latency_chart *chart = grid->chart;

    (void)fprintf(out, "%.*s\n", (int)chart->columns, chart->heading);
    if (chart->rows == 0 || chart->columns < LATENCY_CHART_COLUMNS) {
        chart_narrow(chart, out);
        return;
    }
    chart_scale(grid);
    chart_fill(grid);
    for (uint32_t row = 0; row < grid->rows; row++)
        chart_row_line(grid, row, out);
    chart_border(grid, out);
    chart_figures(grid, out);
}

char *latency_chart_draw(const struct latency_chart *chart)
{
    struct chart_grid *grid = calloc(1, sizeof *grid);
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = grid ? open_memstream(&text, &bytes) : NULL;

    if (!out) {
        free(grid);
        return NULL;
    }
    grid->chart = chart;
    grid->rows = chart->rows < CHART_ROWS_LIMIT ? chart->rows : CHART_ROWS_LIMIT;
    uint32_t columns = chart->columns < CHART_COLUMNS_LIMIT ? chart->columns : CHART_COLUMNS_LIMIT;
    grid->width = columns < LATENCY_CHART_COLUMNS ? 1 : (columns - CHART_LABEL - 1) / 2;
    chart_lines(grid, out);
    bool is_good = ferror(out) == 0;
    is_good = fclose(out) == 0 && is_good;
    free(grid);
    if (!is_good) {
        free(text);
        return NULL;
    }
    return text;
}
