/* The report as one HTML file: fills the marks of cli/report/report.html. See report.h. */
#include "cli/report/report.h"

#include <string.h>

#include "cli/report/report_parts.h"
#include "cli/common/why.h"

/* The parts take what they tell of as it is; the page knows only that it is something. */
#define REPORT_PART(part)                                                                          \
    static void report_fill_##part(void *user)                                                     \
    {                                                                                              \
        report_##part(user);                                                                       \
    }
REPORT_PART(title)
REPORT_PART(head)
REPORT_PART(clocks)
REPORT_PART(assess)
REPORT_PART(schedule)
REPORT_PART(memory)
REPORT_PART(balance)
REPORT_PART(evaluate)
REPORT_PART(graph)
REPORT_PART(gallery)
REPORT_PART(appendix)
REPORT_PART(data)

/* `<!--@name-->` in the page. */
static const struct report_mark report_marks[] = {
    {"css", report_css, NULL},
    {"js", report_js, NULL},
    {"hash", report_js_sha256, NULL},
    {"timeline", report_timeline, NULL},
    {"title", NULL, report_fill_title},
    {"head", NULL, report_fill_head},
    {"clocks", NULL, report_fill_clocks},
    {"assess", NULL, report_fill_assess},
    {"schedule", NULL, report_fill_schedule},
    {"memory", NULL, report_fill_memory},
    {"balance", NULL, report_fill_balance},
    {"evaluate", NULL, report_fill_evaluate},
    {"graph", NULL, report_fill_graph},
    {"gallery", NULL, report_fill_gallery},
    {"appendix", NULL, report_fill_appendix},
    {"data", NULL, report_fill_data},
};

fgpu_status report_write(const char *path, const struct evaluation *evaluation,
                         const struct report_picture *pictures, uint32_t picture_count, char *why,
                         size_t why_bytes)
{
    struct report report = {.pictures = pictures, .picture_count = picture_count};

    fgpu_status status = report_facts_init(&report, evaluation);
    if (status == FGPU_OK) {
        report_page_fill(&report.text, report_html, report_marks,
                         sizeof report_marks / sizeof report_marks[0], &report);
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
