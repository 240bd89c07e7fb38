/* Tables for people: see text_table.h. */
#include "text_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    (void)vsnprintf(row->cells[column], sizeof row->cells[column], format, values);
    va_end(values);
    for (char *at = row->cells[column]; *at; at++) /* drivers may say anything */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

static int text_table_width(const struct text_table *table, uint32_t column)
{
    size_t width = strlen(table->columns[column].heading);

    for (uint32_t i = 0; i < table->row_count; i++)
        if (strlen(table->rows[i].cells[column]) > width)
            width = strlen(table->rows[i].cells[column]);
    return (int)width;
}

static void text_table_print_cell(const struct text_table *table, uint32_t column, const char *cell)
{
    int width = text_table_width(table, column);

    if (column > 0)
        printf("  ");
    if (table->columns[column].is_right)
        printf("%*s", width, cell);
    else if (column + 1 < table->column_count)
        printf("%-*s", width, cell);
    else
        printf("%s", cell); /* no spaces at the end of a line */
}

void text_table_print(const struct text_table *table)
{
    for (uint32_t c = 0; c < table->column_count; c++)
        text_table_print_cell(table, c, table->columns[c].heading);
    printf("\n");
    for (uint32_t i = 0; i < table->row_count; i++) {
        for (uint32_t c = 0; c < table->column_count; c++)
            text_table_print_cell(table, c, table->rows[i].cells[c]);
        printf("\n");
    }
}
