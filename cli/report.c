/* The report as one HTML file: fills the marks of cli/report/report.html. See report.h. */
#include "report.h"

#include <string.h>

#include "report_parts.h"
#include "why.h"

static void report_css_text(struct report *report)
{
    report_text_add(&report->text, report_css);
}

static void report_js_text(struct report *report)
{
    report_text_add(&report->text, report_js);
}

static void report_js_hash(struct report *report)
{
    report_text_add(&report->text, report_js_sha256);
}

/* `<!--@name-->` in the page. */
static const struct {
    const char *name;
    void (*write)(struct report *report);
} report_marks[] = {
    {"title", report_title},     {"css", report_css_text},      {"js", report_js_text},
    {"hash", report_js_hash},    {"head", report_head},         {"clocks", report_clocks},
    {"assess", report_assess},   {"schedule", report_schedule}, {"memory", report_memory},
    {"balance", report_balance}, {"evaluate", report_evaluate}, {"graph", report_graph},
    {"gallery", report_gallery}, {"appendix", report_appendix}, {"data", report_data},
};

static void report_fill(struct report *report)
{
    static const char open[] = "<!--@", close[] = "-->";
    const char *page = report_html;

    for (;;) {
        const char *mark = strstr(page, open);
        if (!mark)
            break;
        report_text_add_bytes(&report->text, page, (size_t)(mark - page));
        mark += sizeof open - 1;
        page = strstr(mark, close);
        for (size_t i = 0; i < sizeof report_marks / sizeof report_marks[0]; i++)
            if (strncmp(mark, report_marks[i].name, (size_t)(page - mark)) == 0 &&
                report_marks[i].name[page - mark] == '\0')
                report_marks[i].write(report);
        page += sizeof close - 1;
    }
    report_text_add(&report->text, page);
}

fgpu_status report_write(const char *path, const struct evaluation *evaluation,
                         const struct report_picture *pictures, uint32_t picture_count, char *why,
                         size_t why_bytes)
{
    struct report report = {.pictures = pictures, .picture_count = picture_count};

    fgpu_status status = report_facts_init(&report, evaluation);
    if (status == FGPU_OK) {
        report_fill(&report);
        status = report.text.is_short ? FGPU_E_NOMEM : FGPU_OK;
    }
    if (status == FGPU_OK)
        status = file_replace(path, report.text.bytes.data, report.text.bytes.size_bytes, why,
                              why_bytes);
    else
        status = why_fail(status, why, why_bytes, "%s: no memory for the report", path);
    report_text_fini(&report.text);
    report_facts_fini(&report);
    return status;
}
