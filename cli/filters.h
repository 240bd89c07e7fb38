/* The image filters: one table of what each is, and the arguments of a tile.
 *
 * A filter is an OpenCL C kernel (cli/kernels) and a native function (filters_native.h) that give
 * the same bits. Pictures in buffers have padded rows: the pitch is a multiple of FILTER_GROUP
 * elements, so that a row is a whole number of work groups and every row begins where devices allow
 * an argument to begin. Pure.
 */
#ifndef FASTGPU_CLI_FILTERS_H
#define FASTGPU_CLI_FILTERS_H

#include "plan.h"

/* A row is padded to a multiple of so many elements: a whole number of work groups for every
 * filter. A group is a piece of one row, of FILTER_ITEMS_PLAIN or FILTER_ITEMS_VECTOR work items.
 */
#define FILTER_GROUP 512
#define FILTER_ITEMS_PLAIN 256
#define FILTER_ITEMS_VECTOR 32

/* Largest radius of a blur. */
#define FILTER_RADIUS_LIMIT 64

enum filter_halo {
    FILTER_HALO_NONE,   /* a sample depends on the same place alone */
    FILTER_HALO_ONE,    /* on 3 x 3 pixels */
    FILTER_HALO_COLUMN, /* on `option` rows above and below */
    FILTER_HALO_ROW     /* on `option` pixels left and right */
};

struct filter {
    const char *name; /* of the kernel */
    const char *file; /* in cli/kernels, without .cl */
    fgpu_native_fn native;
    uint8_t src_count;    /* pictures that it reads: 1 or 2 */
    uint8_t src_bytes;    /* of one element */
    uint8_t dst_bytes;    /* of one element */
    uint8_t item;         /* elements that a work item makes: 1 or 16 */
    uint8_t dst_channels; /* 0: as many as the source */
    bool has_weights;
    bool has_scale;
    enum filter_halo halo;
};

extern const struct filter filters[];
extern const uint32_t filter_count;

/* The filter of that name, or NULL. */
const struct filter *filter_find(const char *name);

/* The kernel with its variants and declared arguments. Returns false when the text is not part of
 * the command. */
bool filter_describe(const struct filter *filter, struct plan_kernel *kernel);

/* A picture in a buffer. */
struct filter_picture {
    uint32_t buffer; /* number in the plan */
    uint32_t width, height, channels;
    uint32_t element_bytes;
    uint32_t pitch; /* elements from row to row */
};

/* Pitch of a picture: its row, rounded up to whole groups and to `align_bytes` (a power of two). */
uint32_t filter_pitch(uint32_t row_elements, uint32_t element_bytes, uint32_t align_bytes);

/* One launch: rows row_begin <= y < row_end of `to`, whole (a contiguous range), or of these the
 * elements column_begin <= e < column_end (a 2-D region). */
struct filter_tile {
    const struct filter *filter;
    const struct filter_picture *from; /* src_count pictures of the same shape */
    const struct filter_picture *to;
    uint32_t weights; /* buffer, where the filter has weights */
    int32_t option;   /* radius, amount; see cli/kernels */
    float scale;
    uint32_t row_begin, row_end;
    uint32_t column_begin, column_end; /* multiples of column_step, or the end is the pitch */
    uint32_t column_step; /* filter_pitch(1, smallest element, align_bytes); 0: whole rows */
};

/* Writes grid and arguments of the tile into `task`; its kernel, output and name are the caller's.
 * Source regions cover exactly the rows that the tile depends on, and the columns rounded to
 * column_step. */
void filter_fill_task(const struct filter_tile *tile, struct plan_task *task);

#endif
