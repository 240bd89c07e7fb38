/* Pages put together from parts: see report_page.h. */
#include "cli/report/report_page.h"

#include <string.h>

static void page_mark(struct report_text *text, const char *name, size_t length,
                      const struct report_mark *mark, void *user)
{
    if (strncmp(name, mark->name, length) != 0 || mark->name[length] != '\0')
        return;
    if (mark->text)
        report_text_add(text, mark->text);
    else
        mark->write(user);
}

void report_page_fill(struct report_text *text, const char *page, const struct report_mark *marks,
                      uint32_t count, void *user)
{
    static const char open[] = "<!--@", close[] = "-->";

    for (;;) {
        const char *mark = strstr(page, open);
        if (!mark)
            break;
        report_text_add_bytes(text, page, (size_t)(mark - page));
        mark += sizeof open - 1;
        page = strstr(mark, close);
        for (uint32_t i = 0; i < count; i++)
            page_mark(text, mark, (size_t)(page - mark), &marks[i], user);
        page += sizeof close - 1;
    }
    report_text_add(text, page);
}
