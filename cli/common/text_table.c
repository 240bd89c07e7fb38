/* Tables for people: see text_table.h. */
#include "cli/common/text_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/text_cut.h"

void text_table_init(struct text_table *table, const struct text_table_column *columns,
                     uint32_t column_count)
{
    *table = (struct text_table){.columns = columns, .column_count = column_count};
}

void text_table_fini(struct text_table *table)
{
    free(table->rows);
    table->rows = NULL;
}

struct text_table_row *text_table_add(struct text_table *table)
{
    if (table->row_count == table->room) {
        uint32_t room = table->room ? 2 * table->room : 8;
        struct text_table_row *rows = realloc(table->rows, room * sizeof *rows);
        if (!rows)
            return NULL;
        table->rows = rows;
        table->room = room;
    }
    struct text_table_row *row = &table->rows[table->row_count++];
    memset(row, 0, sizeof *row);
    return row;
}

void text_table_set(struct text_table_row *row, uint32_t column, const char *format, ...)
{
    va_list values;

    if (!row)
        return;
    va_start(values, format);
    (void)text_cut_list(row->cells[column], sizeof row->cells[column], format, values);
    va_end(values);
    for (char *at = row->cells[column]; *at; at++) /* drivers may say anything */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

/* Characters of UTF-8, each taken to be as wide as a letter. */
static int text_table_length(const char *text)
{
    int length = 0;

    for (; *text; text++)
        length += ((unsigned char)*text & 0xc0) != 0x80;
    return length;
}

static int text_table_width(const struct text_table *table, uint32_t column)
{
    int width = text_table_length(table->columns[column].heading);

    for (uint32_t i = 0; i < table->row_count; i++)
        if (text_table_length(table->rows[i].cells[column]) > width)
            width = text_table_length(table->rows[i].cells[column]);
    return width;
}

/* One line, without spaces at its end. */
static void text_table_print_line(const struct text_table *table, const struct text_table_row *row)
{
    int owed = 0; /* spaces before the next cell that is not empty */

    for (uint32_t c = 0; c < table->column_count; c++) {
        const char *cell = row ? row->cells[c] : table->columns[c].heading;
        int pad = text_table_width(table, c) - text_table_length(cell);
        owed += c > 0 ? 2 : 0;
        if (cell[0])
            printf("%*s%s", owed + (table->columns[c].is_right ? pad : 0), "", cell);
        owed = cell[0] ? (table->columns[c].is_right ? 0 : pad) : owed + pad;
    }
    printf("\n");
}

void text_table_print(const struct text_table *table)
{
    text_table_print_line(table, NULL);
    for (uint32_t i = 0; i < table->row_count; i++)
        text_table_print_line(table, &table->rows[i]);
}
