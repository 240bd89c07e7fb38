/* The text of a report as it grows: what is ours as it is, what comes from outside (names of tasks,
 * files, devices) escaped, numbers with their unit, tables.
 *
 * A text that ran out of memory takes nothing more and says so at the end (`is_short`), so that
 * those who write need not look. Thread: one at a time; nothing blocks.
 */
#ifndef FASTGPU_CLI_REPORT_REPORT_TEXT_H
#define FASTGPU_CLI_REPORT_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/common/file.h"

/* All zero is the empty text. */
struct report_text {
    struct file_bytes bytes;
    bool is_short; /* memory ran out */
};

/* Our own HTML, as it is. */
void report_text_add(struct report_text *text, const char *html);
void report_text_add_bytes(struct report_text *text, const void *data, size_t size_bytes);

/* The same with numbers, and with texts of our own alone: %s is not escaped. */
__attribute__((format(printf, 2, 3))) void report_text_format(struct report_text *text,
                                                              const char *format, ...);

/* A text from outside, for content and for attributes in double quotes: markup is inert, control
 * characters and bytes that are no UTF-8 become U+FFFD. NULL is "unknown". */
void report_text_escape(struct report_text *text, const char *outside);

/* The same in quotes, for JSON within a script element: no `<` is in it. */
void report_text_json(struct report_text *text, const char *outside);

void report_text_base64(struct report_text *text, const void *data, size_t size_bytes);

/* A whole number in bytes of 7 bits, the lowest first (LEB128), and one with a sign (zigzag). */
void report_text_varint(struct report_text *text, uint64_t number);
void report_text_signed(struct report_text *text, int64_t number);

void report_text_fini(struct report_text *text);

#define REPORT_NUMBER_BYTES 48

/* Numbers for people, three figures: "12.3 ms", "1.50 MB", "unknown" where there is none. They
 * return `room`. */
const char *report_number_ns(char room[REPORT_NUMBER_BYTES], double ns, bool is_known);
const char *report_number_bytes(char room[REPORT_NUMBER_BYTES], double bytes, bool is_known);
const char *report_number_share(char room[REPORT_NUMBER_BYTES], double share, bool is_known);
const char *report_number_count(char room[REPORT_NUMBER_BYTES], uint64_t count); /* 100,000 */
const char *report_number_ratio(char room[REPORT_NUMBER_BYTES], double ratio, bool is_known);

/* A table that becomes a list of cards where the page is narrow. */
struct report_column {
    const char *title;
    bool is_number;
};

struct report_table {
    struct report_text *text;
    const struct report_column *columns;
    uint32_t column_count, column;
    bool is_row_open;
};

/* [in] caption: our own. [borrow] columns: until closed. */
void report_table_open(struct report_table *table, struct report_text *text, const char *caption,
                       const struct report_column *columns, uint32_t column_count);
void report_table_row(struct report_table *table);

/* The next cell of the row; escaped. NULL and "" are "unknown". */
void report_table_cell(struct report_table *table, const char *outside);
__attribute__((format(printf, 2, 3))) void report_table_format(struct report_table *table,
                                                               const char *format, ...);
void report_table_close(struct report_table *table);

#endif
