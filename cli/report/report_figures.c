/* Small figures that follow the width of the page: bars of HTML, areas and histograms of SVG whose
 * words stand beside them as HTML, so that they stay readable on a phone. See report_parts.h. */
#include "cli/report/report_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REPORT_BINS 64

void report_fact(struct report_text *text, const char *word, const char *figure)
{
    bool is_unknown = !figure || strcmp(figure, "unknown") == 0;

    report_text_format(text, "<div><dt>%s</dt><dd%s><bdi>", word,
                       is_unknown ? " class=\"unknown\"" : "");
    report_text_escape(text, figure);
    report_text_add(text, "</bdi></dd></div>\n");
}

void report_bars(struct report_text *text, const struct report_bar *bars, uint32_t count)
{
    double most = 0;

    for (uint32_t i = 0; i < count; i++)
        most = bars[i].value > most ? bars[i].value : most;
    report_text_add(text, "<dl class=\"bars\">\n");
    for (uint32_t i = 0; i < count; i++) {
        report_text_add(text, "<dt>");
        report_text_escape(text, bars[i].label);
        report_text_format(text, "</dt><dd><i class=\"%s\" style=\"--part:%.4f\"></i><span>",
                           bars[i].shade,
                           most > 0 && bars[i].value > 0 ? bars[i].value / most : 0.0);
        report_text_escape(text, bars[i].text);
        report_text_add(text, "</span></dd>\n");
    }
    report_text_add(text, "</dl>\n");
}

void report_area(struct report_text *text, const float *shares, uint32_t count, const char *alt)
{
    report_text_format(text,
                       "<svg class=\"area\" viewBox=\"0 0 %u 100\" preserveAspectRatio=\"none\" "
                       "role=\"img\" aria-label=\"%s\"><path class=\"grid\" d=\"M0 50H%u\"/>"
                       "<path class=\"fill\" d=\"M0 100",
                       count, alt, count);
    for (uint32_t i = 0; i < count; i++) {
        double share = fmin(fmax((double)shares[i], 0), 1);
        report_text_format(text, "V%.1fH%u", 100.0 * (1.0 - share), i + 1);
    }
    report_text_add(text, "V100Z\"/></svg>\n");
}

/* "1 µs" or "1/4 ×" */
static void report_histogram_label(struct report_text *text, int power, bool is_time)
{
    char room[REPORT_NUMBER_BYTES];

    if (is_time)
        report_text_add(text, report_number_ns(room, ldexp(1.0, power), true));
    else if (power < 0)
        report_text_format(text, "1/%.0f", ldexp(1.0, -power));
    else
        report_text_format(text, "%.0f ×", ldexp(1.0, power));
}

void report_histogram(struct report_text *text, const double *values, uint32_t count, bool is_time,
                      const char *alt)
{
    uint32_t bins[REPORT_BINS] = {0}, most = 0;
    int low = REPORT_BINS, high = -1;
    const int shift = is_time ? 0 : REPORT_BINS / 2;

    for (uint32_t i = 0; i < count; i++) {
        if (!(values[i] > 0))
            continue;
        int bin = (int)fmin(fmax(floor(log2(values[i])) + shift, 0), REPORT_BINS - 1);
        bins[bin]++;
        most = bins[bin] > most ? bins[bin] : most;
        low = bin < low ? bin : low;
        high = bin > high ? bin : high;
    }
    if (high < low) {
        report_text_add(text, "<p class=\"unknown\">unknown</p>\n");
        return;
    }
    low = low > 0 ? low - 1 : low; /* so that one bin alone is not the whole width */
    high = high < REPORT_BINS - 1 ? high + 1 : high;
    high += (high - low) % 2 == 0; /* so that the middle is the border of two */
    report_text_format(text,
                       "<svg class=\"histogram\" viewBox=\"0 0 %d 100\" "
                       "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">",
                       (high - low + 1) * 10, alt);
    for (int bin = low; bin <= high; bin++)
        if (bins[bin] > 0) {
            double height = fmax(100.0 * bins[bin] / most, 2);
            report_text_format(text,
                               "<rect x=\"%d\" y=\"%.1f\" width=\"9\" height=\"%.1f\"><title>%u"
                               "</title></rect>",
                               (bin - low) * 10, 100 - height, height, bins[bin]);
        }
    report_text_add(text, "</svg>\n<p class=\"ends\"><span>");
    report_histogram_label(text, low - shift, is_time);
    report_text_add(text, "</span><span>");
    report_histogram_label(text, (low + high + 1) / 2 - shift, is_time);
    report_text_add(text, "</span><span>");
    report_histogram_label(text, high + 1 - shift, is_time);
    report_text_add(text, "</span></p>\n");
}
