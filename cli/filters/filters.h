/* The image filters: one table of what each is, and the arguments of a launch.
 *
 * A filter is an OpenCL C kernel (cli/kernels) and a native function (filters_native.h) that give
 * the same bits. Pictures in buffers have padded rows: the pitch is a multiple of FILTER_GROUP
 * elements, so that a row is a whole number of work groups and every row begins where devices allow
 * an argument to begin. Pure.
 */
#ifndef FASTGPU_CLI_FILTERS_FILTERS_H
#define FASTGPU_CLI_FILTERS_FILTERS_H

#include <stdbool.h>

#include <fastgpu/fastgpu.h>

/* A row is padded to a multiple of so many elements: a whole number of work groups for every
 * filter. A group is a piece of one row, of FILTER_ITEMS_PLAIN or FILTER_ITEMS_VECTOR work items.
 */
#define FILTER_GROUP 512
#define FILTER_ITEMS_PLAIN 256
#define FILTER_ITEMS_VECTOR 32

/* Values of a sample, and so entries of a histogram or a table. */
#define FILTER_VALUES 256

/* Work items that make the histogram, and the table, of a channel. */
#define FILTER_ITEMS_HISTOGRAM 16

/* Largest radius of a blur, and of one with a window of rows and columns. */
#define FILTER_RADIUS_LIMIT 64
#define FILTER_SQUARE_RADIUS_LIMIT 15

/* Parameters of a filter's kernel, and bytes of a scalar one. */
#define FILTER_PARAM_LIMIT 8
#define FILTER_SCALAR_BYTES 16

/* What a task of the filter makes. */
enum filter_form {
    FILTER_PICTURE,   /* rows of a picture, from the same place of another */
    FILTER_HALF,      /* rows of a picture of half the size */
    FILTER_HISTOGRAM, /* a table of counts, from rows of a picture */
    FILTER_EQUALISER  /* a table for `lookup`, from tables of counts */
};

enum filter_halo {
    FILTER_HALO_NONE,   /* a sample depends on the same place alone */
    FILTER_HALO_ONE,    /* on 3 x 3 pixels */
    FILTER_HALO_COLUMN, /* on `option` rows above and below */
    FILTER_HALO_ROW,    /* on `option` pixels left and right */
    FILTER_HALO_SQUARE  /* on both */
};

/* What stands in the table that a filter has beside its pictures. */
enum filter_weights {
    FILTER_NO_WEIGHTS,
    FILTER_LINE_WEIGHTS,   /* int32: 2 `option` + 1 */
    FILTER_SQUARE_WEIGHTS, /* int32: (2 `option` + 1) squared */
    FILTER_WINDOW_WEIGHTS, /* int32: 9, a shift and a bias */
    FILTER_MIX_WEIGHTS,    /* float32: 81 */
    FILTER_VALUE_TABLE     /* uint8: 256, or with `option` 1 so many for each channel */
};

struct filter {
    const char *name; /* of the kernel */
    const char *file; /* in cli/kernels, without .cl */
    fgpu_native_fn native;
    uint8_t src_count;    /* pictures that it reads: 1 or 2 */
    uint8_t src_bytes;    /* of one element */
    uint8_t dst_bytes;    /* of one element */
    uint8_t item;         /* elements that a work item makes: 1 or 16 */
    uint8_t dst_channels; /* 0: as many as the source; 3: the source has three too */
    bool has_scale;
    enum filter_form form;
    enum filter_halo halo;
    enum filter_weights weights;
};

extern const struct filter filters[];
extern const uint32_t filter_count;

/* The filter of that name, or NULL. */
const struct filter *filter_find(const char *name);

/* One argument as a kernel declares it. */
struct filter_param {
    fgpu_arg_kind kind;
    fgpu_access access;  /* buffers */
    uint32_t size_bytes; /* scalars */
};

/* A filter's kernel; its name is also the entry of the text. */
struct filter_kernel {
    const char *name;
    const char *text; /* OpenCL C */
    fgpu_native_fn native;
    uint32_t param_count;
    struct filter_param params[FILTER_PARAM_LIMIT];
};

/* One argument of a launch: a region of a buffer, or a value. */
struct filter_arg {
    uint32_t buffer;
    fgpu_region region;
    unsigned char value[FILTER_SCALAR_BYTES];
};

struct filter_launch {
    uint64_t global[2];
    uint32_t local[2];
    struct filter_arg args[FILTER_PARAM_LIMIT];
};

/* The kernel with its variants and declared arguments. Returns false when the text is not part of
 * the command. */
bool filter_describe(const struct filter *filter, struct filter_kernel *kernel);

/* A picture in a buffer. */
struct filter_picture {
    uint32_t buffer; /* its number, which stands in the launch */
    uint32_t width, height, channels;
    uint32_t element_bytes;
    uint32_t pitch; /* elements from row to row */
};

/* Pitch of a picture: its row, rounded up to whole groups and to `align_bytes` (a power of two). */
uint32_t filter_pitch(uint32_t row_elements, uint32_t element_bytes, uint32_t align_bytes);

/* One launch of a filter of pictures: rows row_begin <= y < row_end of `to`, whole (a contiguous
 * range), or of these the elements column_begin <= e < column_end (a 2-D region). */
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

/* Writes grid and arguments of the tile. Source regions cover exactly the rows that the tile
 * depends on, and the columns rounded to column_step. */
void filter_fill_tile(const struct filter_tile *tile, struct filter_launch *launch);

/* A part of a buffer that holds tables, one for each channel. */
struct filter_table {
    uint32_t buffer;
    fgpu_region region;
};

/* The histogram of the rows begin <= y < end; `to` has 256 uint32 for each channel. */
void filter_fill_histogram(const struct filter_picture *from, uint32_t begin, uint32_t end,
                           const struct filter_table *to, struct filter_launch *launch);

/* The table that equalises, from `count` histograms one behind the other; `to` has 256 uint8 for
 * each channel. */
void filter_fill_equaliser(const struct filter_table *from, uint32_t count, uint32_t channels,
                           const struct filter_table *to, struct filter_launch *launch);

#endif
