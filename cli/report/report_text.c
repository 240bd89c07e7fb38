/* The text of a report: see report_text.h. */
#include "cli/report/report_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/json_out.h"
#include "cli/common/text_cut.h"

#define REPORT_TEXT_LINE_BYTES 1024

/* What stands for what cannot be shown: U+FFFD. */
static const char report_text_unknown_character[] = "\xef\xbf\xbd";

void report_text_add_bytes(struct report_text *text, const void *data, size_t size_bytes)
{
    if (size_bytes > 0 && !text->is_short && !file_bytes_append(&text->bytes, data, size_bytes))
        text->is_short = true;
}

void report_text_add(struct report_text *text, const char *html)
{
    report_text_add_bytes(text, html, strlen(html));
}

void report_text_format(struct report_text *text, const char *format, ...)
{
    char line[REPORT_TEXT_LINE_BYTES];
    va_list list;

    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length < 0)
        text->is_short = true;
    else
        report_text_add_bytes(text, line,
                              (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* What HTML wants to be written otherwise; NULL: as it is. */
static const char *report_text_entity(unsigned char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f
                   ? report_text_unknown_character
                   : NULL;
    }
}

void report_text_escape(struct report_text *text, const char *outside)
{
    if (!outside)
        outside = "unknown";
    while (*outside) {
        const char *entity = report_text_entity((unsigned char)*outside);
        size_t length = json_out_character(outside);
        if (length == 0)
            entity = report_text_unknown_character;
        if (entity)
            report_text_add(text, entity);
        else
            report_text_add_bytes(text, outside, length);
        outside += length > 0 ? length : 1;
    }
}

void report_text_json(struct report_text *text, const char *outside)
{
    report_text_add(text, "\"");
    while (*outside) {
        size_t length = json_out_character(outside);
        unsigned char byte = (unsigned char)*outside;
        if (length == 0)
            report_text_add(text, report_text_unknown_character);
        else if (length == 1 && (byte < 0x20 || strchr("\"\\<>&'\x7f", byte)))
            report_text_format(text, "\\u%04x", byte);
        else
            report_text_add_bytes(text, outside, length);
        outside += length > 0 ? length : 1;
    }
    report_text_add(text, "\"");
}

void report_text_base64(struct report_text *text, const void *data, size_t size_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = data;
    char line[1024];
    size_t used = 0;

    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        if (left > 1)
            bits |= (uint32_t)from[i + 1] << 8;
        if (left > 2)
            bits |= from[i + 2];
        line[used++] = digits[bits >> 18];
        line[used++] = digits[bits >> 12 & 63];
        line[used++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        line[used++] = left > 2 ? digits[bits & 63] : '=';
        if (used == sizeof line) {
            report_text_add_bytes(text, line, used);
            used = 0;
        }
    }
    report_text_add_bytes(text, line, used);
}

void report_text_varint(struct report_text *text, uint64_t number)
{
    unsigned char bytes[10];
    size_t used = 0;

    while (number >= 0x80) {
        bytes[used++] = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    bytes[used++] = (unsigned char)number;
    report_text_add_bytes(text, bytes, used);
}

void report_text_signed(struct report_text *text, int64_t number)
{
    report_text_varint(text, ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0));
}

void report_text_fini(struct report_text *text)
{
    file_bytes_fini(&text->bytes);
    *text = (struct report_text){0};
}

/* Three figures and a unit. */
static void report_number_put(char room[REPORT_NUMBER_BYTES], double value, const char *unit)
{
    double size = fabs(value);
    int decimals = size >= 99.95 || size == 0 ? 0 : size >= 9.995 ? 1 : 2;

    (void)snprintf(room, REPORT_NUMBER_BYTES, "%.*f%s", decimals, value, unit);
}

const char *report_number_ns(char room[REPORT_NUMBER_BYTES], double ns, bool is_known)
{
    if (!is_known)
        (void)snprintf(room, REPORT_NUMBER_BYTES, "unknown");
    else if (ns < 999.5)
        (void)snprintf(room, REPORT_NUMBER_BYTES, "%.0f ns", ns);
    else if (ns < 999.5e3)
        report_number_put(room, ns / 1e3, " µs");
    else if (ns < 999.5e6)
        report_number_put(room, ns / 1e6, " ms");
    else
        report_number_put(room, ns / 1e9, " s");
    return room;
}

const char *report_number_bytes(char room[REPORT_NUMBER_BYTES], double bytes, bool is_known)
{
    static const char *const units[] = {" kB", " MB", " GB", " TB"};
    uint32_t unit = 0;

    if (!is_known) {
        (void)snprintf(room, REPORT_NUMBER_BYTES, "unknown");
        return room;
    }
    if (bytes < 999.5) {
        (void)snprintf(room, REPORT_NUMBER_BYTES, "%.0f B", bytes);
        return room;
    }
    for (bytes /= 1e3; unit < 3 && bytes >= 999.5; unit++)
        bytes /= 1e3;
    report_number_put(room, bytes, units[unit]);
    return room;
}

const char *report_number_share(char room[REPORT_NUMBER_BYTES], double share, bool is_known)
{
    if (is_known)
        (void)snprintf(room, REPORT_NUMBER_BYTES, "%.0f %%", 100.0 * share);
    else
        (void)snprintf(room, REPORT_NUMBER_BYTES, "unknown");
    return room;
}

const char *report_number_ratio(char room[REPORT_NUMBER_BYTES], double ratio, bool is_known)
{
    if (is_known)
        report_number_put(room, ratio, " ×");
    else
        (void)snprintf(room, REPORT_NUMBER_BYTES, "unknown");
    return room;
}

const char *report_number_count(char room[REPORT_NUMBER_BYTES], uint64_t count)
{
    char digits[REPORT_NUMBER_BYTES];
    size_t used = 0, length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count);

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            room[used++] = ',';
        room[used++] = digits[i];
    }
    room[used] = '\0';
    return room;
}

void report_table_open(struct report_table *table, struct report_text *text, const char *caption,
                       const struct report_column *columns, uint32_t column_count)
{
    *table = (struct report_table){text, columns, column_count, 0, false};
    report_text_format(text, "<table><caption>%s</caption><thead><tr>", caption);
    for (uint32_t i = 0; i < column_count; i++)
        report_text_format(text, "<th scope=\"col\"%s>%s</th>",
                           columns[i].is_number ? " class=\"n\"" : "", columns[i].title);
    report_text_add(text, "</tr></thead><tbody>\n");
}

void report_table_row(struct report_table *table)
{
    report_text_add(table->text, table->is_row_open ? "</tr>\n<tr>" : "<tr>");
    table->is_row_open = true;
    table->column = 0;
}

void report_table_cell(struct report_table *table, const char *outside)
{
    const struct report_column *column = &table->columns[table->column % table->column_count];
    bool is_unknown = !outside || !outside[0] || strcmp(outside, "unknown") == 0;

    report_text_format(table->text, table->column == 0 ? "<th scope=\"row\"" : "<td data-of=\"%s\"",
                       column->title);
    if (column->is_number || is_unknown)
        report_text_format(table->text, " class=\"%s%s\"", column->is_number ? "n" : "",
                           is_unknown ? " unknown" : "");
    report_text_add(table->text, "><bdi>");
    report_text_escape(table->text, is_unknown ? NULL : outside);
    report_text_add(table->text, table->column == 0 ? "</bdi></th>" : "</bdi></td>");
    table->column++;
}

void report_table_format(struct report_table *table, const char *format, ...)
{
    char cell[256];
    va_list list;

    va_start(list, format);
    (void)text_cut_list(cell, sizeof cell, format, list);
    va_end(list);
    report_table_cell(table, cell);
}

void report_table_close(struct report_table *table)
{
    report_text_add(table->text,
                    table->is_row_open ? "</tr></tbody></table>\n" : "</tbody></table>\n");
}
