/* Tables for people: columns as wide as what stands in them, numbers to the right. Printed when all
 * rows are known. Owns copies of its cells. Main thread.
 */
#ifndef FASTGPU_CLI_COMMON_TEXT_TABLE_H
#define FASTGPU_CLI_COMMON_TEXT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#define TEXT_TABLE_COLUMNS 12
#define TEXT_TABLE_CELL_BYTES 48 /* longer cells are cut */

struct text_table_column {
    const char *heading;
    bool is_right;
};

struct text_table_row {
    char cells[TEXT_TABLE_COLUMNS][TEXT_TABLE_CELL_BYTES];
};

struct text_table {
    const struct text_table_column *columns; /* [borrow] */
    uint32_t column_count;
    uint32_t row_count;
    uint32_t room;
    struct text_table_row *rows;
};

void text_table_init(struct text_table *table, const struct text_table_column *columns,
                     uint32_t column_count);
void text_table_fini(struct text_table *table);

/* A new row with empty cells; NULL without memory. Valid until the next one is made. */
struct text_table_row *text_table_add(struct text_table *table);

__attribute__((format(printf, 3, 4))) void text_table_set(struct text_table_row *row,
                                                          uint32_t column, const char *format, ...);

/* To stdout. */
void text_table_print(const struct text_table *table);

#endif
