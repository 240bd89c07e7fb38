/* Pages put together from parts: a text with marks, `<!--@name-->`, and what stands in their place.
 *
 * Thread: one at a time; pure but for memory.
 */
#ifndef FASTGPU_CLI_REPORT_REPORT_PAGE_H
#define FASTGPU_CLI_REPORT_REPORT_PAGE_H

#include <stdint.h>

#include "cli/report/report_text.h"

/* Texts made at build time from cli/report/ (cli/report/report.cmake): the pages of a run and of a
 * simulation, what both have in common. */
extern const char report_html[];
extern const char report_sim[];
extern const char report_css[];
extern const char report_js[];
extern const char report_js_sha256[]; /* base64, for the content security policy */
extern const char report_timeline[];  /* what the script draws the timeline into */

struct report_mark {
    const char *name;
    const char *text; /* ours, as it is; NULL: `write` */
    void (*write)(void *user);
};

/* Adds the page with its marks filled; one that is not in the list becomes nothing. */
void report_page_fill(struct report_text *text, const char *page, const struct report_mark *marks,
                      uint32_t count, void *user);

#endif
