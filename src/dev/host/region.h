/* Copies and fills of 2-D regions in host memory: what the devices that work in host memory share.
 *
 * Stands below the devices on the walk of a task (launch): takes resolved addresses, moves bytes.
 * Pure functions; the calling worker runs them. Regions do not overlap; nothing is checked here but
 * what region_fill_status and region_end say, for only the caller knows the allocation.
 */
#ifndef FASTGPU_DEV_HOST_REGION_H
#define FASTGPU_DEV_HOST_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fastgpu/backend.h>

/* One side of a copy, or what a fill writes. */
struct region {
    void *base; /* first byte of the first row */
    uint64_t pitch_bytes;
};

/* rows x row_bytes from src to dst; rows of 0 bytes and 0 rows do nothing. */
void region_copy(struct region dst, struct region src, uint64_t row_bytes, uint64_t rows);

/* Repeats the command's pattern over rows x row_bytes at dst. The command has passed
 * region_fill_status. */
void region_fill(struct region dst, const fgpu_cmd_fill *fill);

/* FGPU_OK, or FGPU_E_INVAL: a pattern size other than 1, 2, 4, 8, 16, rows that are no multiple of
 * it, or rows that overlap (pitch below the row). */
fgpu_status region_fill_status(const fgpu_cmd_fill *fill);

/* FGPU_OK, or FGPU_E_INVAL when rows overlap on one side. */
fgpu_status region_copy_status(const fgpu_cmd_copy *copy);

/* Offset behind the last byte of rows x row_bytes that begin at `offset_bytes`; false when it does
 * not fit 64 bits. No rows, or rows of no bytes, end at their offset. */
bool region_end(uint64_t offset_bytes, uint64_t pitch_bytes, uint64_t row_bytes, uint64_t rows,
                uint64_t *end_bytes);

#endif
