/* The image filters: see filters.h. The order of arguments is that of the kernels in cli/kernels:
 * sources, destination, weights, from, to, shape, scale. */
#include "cli/filters/filters.h"

#include <string.h>

#include "cli/filters/filters_native.h"
#include "cli/filters/kernels.h"

const struct filter filters[] = {
    {"grey", "grey", filters_native_grey, 1, 1, 1, 16, 1, false, FILTER_PICTURE, FILTER_HALO_NONE,
     FILTER_NO_WEIGHTS},
    {"to_float", "convert", filters_native_to_float, 1, 1, 4, 1, 0, true, FILTER_PICTURE,
     FILTER_HALO_NONE, FILTER_NO_WEIGHTS},
    {"from_float", "convert", filters_native_from_float, 1, 4, 1, 1, 0, true, FILTER_PICTURE,
     FILTER_HALO_NONE, FILTER_NO_WEIGHTS},
    {"blur_horizontal", "blur", filters_native_blur_horizontal, 1, 1, 2, 16, 0, false,
     FILTER_PICTURE, FILTER_HALO_ROW, FILTER_LINE_WEIGHTS},
    {"blur_vertical", "blur", filters_native_blur_vertical, 1, 2, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_COLUMN, FILTER_LINE_WEIGHTS},
    {"blur_2d", "blur_2d", filters_native_blur_2d, 1, 1, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_SQUARE, FILTER_SQUARE_WEIGHTS},
    {"sobel", "sobel", filters_native_sobel, 1, 1, 1, 16, 0, false, FILTER_PICTURE, FILTER_HALO_ONE,
     FILTER_NO_WEIGHTS},
    {"median3x3", "median3x3", filters_native_median3x3, 1, 1, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_ONE, FILTER_NO_WEIGHTS},
    {"sharpen", "sharpen", filters_native_sharpen, 2, 1, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_NONE, FILTER_NO_WEIGHTS},
    {"conv3x3", "conv3x3", filters_native_conv3x3, 1, 1, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_ONE, FILTER_WINDOW_WEIGHTS},
    {"conv3x3x3", "conv3x3x3", filters_native_conv3x3x3, 1, 1, 1, 16, 3, false, FILTER_PICTURE,
     FILTER_HALO_ONE, FILTER_MIX_WEIGHTS},
    {"lookup", "lookup", filters_native_lookup, 1, 1, 1, 16, 0, false, FILTER_PICTURE,
     FILTER_HALO_NONE, FILTER_VALUE_TABLE},
    {"halve", "halve", filters_native_halve, 1, 1, 1, 16, 0, false, FILTER_HALF, FILTER_HALO_ONE,
     FILTER_NO_WEIGHTS},
    {"histogram", "histogram", filters_native_histogram, 1, 1, 4, 16, 0, false, FILTER_HISTOGRAM,
     FILTER_HALO_NONE, FILTER_NO_WEIGHTS},
    {"equalise_table", "histogram", filters_native_equalise_table, 1, 4, 1, 16, 0, false,
     FILTER_EQUALISER, FILTER_HALO_NONE, FILTER_NO_WEIGHTS},
};

const uint32_t filter_count = sizeof filters / sizeof filters[0];

const struct filter *filter_find(const char *name)
{
    for (uint32_t i = 0; i < filter_count; i++)
        if (strcmp(filters[i].name, name) == 0)
            return &filters[i];
    return NULL;
}

static const char *filter_text(const char *file)
{
    for (size_t i = 0; i < kernel_text_count; i++)
        if (strcmp(kernel_texts[i].name, file) == 0)
            return kernel_texts[i].text;
    return NULL;
}

static void filter_add_param(struct filter_kernel *kernel, struct filter_param param)
{
    kernel->params[kernel->param_count++] = param;
}

bool filter_describe(const struct filter *filter, struct filter_kernel *kernel)
{
    const struct filter_param read = {FGPU_ARG_BUFFER, FGPU_READ, 0};
    const struct filter_param write = {FGPU_ARG_BUFFER, FGPU_WRITE, 0};
    const struct filter_param place = {FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 16};
    const struct filter_param scale = {FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, sizeof(float)};

    *kernel = (struct filter_kernel){
        .name = filter->name, .text = filter_text(filter->file), .native = filter->native};
    for (uint32_t i = 0; i < filter->src_count; i++)
        filter_add_param(kernel, read);
    filter_add_param(kernel, write);
    if (filter->weights != FILTER_NO_WEIGHTS)
        filter_add_param(kernel, read);
    for (int i = 0; i < 3; i++)
        filter_add_param(kernel, place);
    if (filter->has_scale)
        filter_add_param(kernel, scale);
    return kernel->text != NULL;
}

uint32_t filter_pitch(uint32_t row_elements, uint32_t element_bytes, uint32_t align_bytes)
{
    uint32_t step = FILTER_GROUP;

    while (step * element_bytes % align_bytes != 0)
        step *= 2;
    return (row_elements + step - 1) / step * step;
}

/* A tile of one picture. */
struct filter_area {
    uint32_t row_begin, row_end;
    uint32_t column_begin, column_end;
};

static fgpu_region filter_region(const struct filter_picture *picture,
                                 const struct filter_area *area)
{
    uint64_t element = picture->element_bytes, pitch = picture->pitch * element;
    uint64_t rows = area->row_end - area->row_begin;
    uint64_t row_bytes = (area->column_end - area->column_begin) * element;

    if (row_bytes == pitch)
        return fgpu_region_span(area->row_begin * pitch, rows * pitch);
    return fgpu_region_rect(area->row_begin * pitch + area->column_begin * element, row_bytes,
                            pitch, rows);
}

static struct filter_area filter_to_area(const struct filter_tile *tile)
{
    struct filter_area area = {tile->row_begin, tile->row_end, 0, tile->to->pitch};

    if (tile->column_step > 0) {
        area.column_begin = tile->column_begin;
        area.column_end = tile->column_end;
    }
    return area;
}

/* Rows above and below the tile that it depends on. */
static uint32_t filter_halo_rows(const struct filter_tile *tile)
{
    enum filter_halo halo = tile->filter->halo;

    if (halo == FILTER_HALO_ONE)
        return tile->filter->form == FILTER_HALF ? 0 : 1;
    return halo == FILTER_HALO_COLUMN || halo == FILTER_HALO_SQUARE ? (uint32_t)tile->option : 0;
}

/* Elements left and right of the tile that it depends on. Two pixels, not one, for 3 x 3: a filter
 * that mixes channels reads the whole neighbour also where the tile begins inside a pixel. */
static uint32_t filter_halo_columns(const struct filter_tile *tile)
{
    enum filter_halo halo = tile->filter->halo;
    uint32_t channels = tile->from->channels;

    if (halo == FILTER_HALO_ONE)
        return 2 * channels;
    return halo == FILTER_HALO_ROW || halo == FILTER_HALO_SQUARE ? (uint32_t)tile->option * channels
                                                                 : 0;
}

/* The tile's place in the source, with halo, inside the picture. */
static struct filter_area filter_from_area(const struct filter_tile *tile)
{
    const struct filter_picture *from = tile->from;
    struct filter_area area = {0, from->height, 0, from->pitch};
    uint32_t rows = filter_halo_rows(tile), times = tile->filter->form == FILTER_HALF ? 2 : 1;
    uint32_t begin_row = tile->row_begin * times, end_row = tile->row_end * times;

    if (begin_row > rows)
        area.row_begin = begin_row - rows;
    if (end_row < from->height && from->height - end_row > rows)
        area.row_end = end_row + rows;
    if (tile->column_step == 0)
        return area;
    uint64_t wider = from->channels / tile->to->channels * times; /* than what it writes */
    uint64_t halo = filter_halo_columns(tile), step = tile->column_step;
    uint64_t begin = tile->column_begin * wider, end = tile->column_end * wider + halo;
    begin = begin > halo ? (begin - halo) / step * step : 0;
    end = (end + step - 1) / step * step;
    if (begin >= from->pitch) { /* a tile of padding alone reads nothing, but names a region */
        begin = 0;
        end = step;
    }
    area.column_begin = (uint32_t)begin;
    area.column_end = end < from->pitch ? (uint32_t)end : from->pitch;
    return area;
}

static void filter_set_place(struct filter_arg *arg, const int32_t place[4])
{
    memcpy(arg->value, place, 16);
}

/* from, to and shape: the last arguments but for a scale. Returns the one behind them. */
static struct filter_arg *filter_set_places(struct filter_arg *arg, const int32_t places[3][4])
{
    for (int i = 0; i < 3; i++)
        filter_set_place(arg++, places[i]);
    return arg;
}

void filter_fill_tile(const struct filter_tile *tile, struct filter_launch *launch)
{
    const struct filter_picture *from = tile->from, *to = tile->to;
    struct filter_area source = filter_from_area(tile), target = filter_to_area(tile);
    struct filter_arg *arg = launch->args;
    const int32_t places[3][4] = {{(int32_t)source.column_begin, (int32_t)source.row_begin,
                                   (int32_t)from->pitch, (int32_t)(from->width * from->channels)},
                                  {(int32_t)target.column_begin, (int32_t)target.row_begin,
                                   (int32_t)to->pitch, (int32_t)from->height},
                                  {(int32_t)(to->width * to->channels), (int32_t)to->height,
                                   (int32_t)from->channels, tile->option}};

    for (uint32_t i = 0; i < tile->filter->src_count; i++, arg++) {
        arg->buffer = from[i].buffer;
        arg->region = filter_region(&from[i], &source);
    }
    arg->buffer = to->buffer;
    arg++->region = filter_region(to, &target);
    if (tile->filter->weights != FILTER_NO_WEIGHTS) {
        arg->buffer = tile->weights;
        arg++->region = fgpu_region_whole();
    }
    arg = filter_set_places(arg, places);
    if (tile->filter->has_scale)
        memcpy(arg->value, &tile->scale, sizeof tile->scale);
    launch->global[0] = (target.column_end - target.column_begin) / tile->filter->item;
    launch->global[1] = target.row_end - target.row_begin;
    launch->local[0] = tile->filter->item == 1 ? FILTER_ITEMS_PLAIN : FILTER_ITEMS_VECTOR;
    launch->local[1] = 1;
}

/* A launch that makes a table for each channel, by a group of `items` each. */
static void filter_fill_tables(const struct filter_table *from, const struct filter_table *to,
                               const int32_t places[3][4], uint32_t items,
                               struct filter_launch *launch)
{
    launch->args[0].buffer = from->buffer;
    launch->args[0].region = from->region;
    launch->args[1].buffer = to->buffer;
    launch->args[1].region = to->region;
    (void)filter_set_places(&launch->args[2], places);
    launch->global[0] = items;
    launch->global[1] = (uint64_t)places[2][2];
    launch->local[0] = items;
    launch->local[1] = 1;
}

void filter_fill_histogram(const struct filter_picture *from, uint32_t begin, uint32_t end,
                           const struct filter_table *to, struct filter_launch *launch)
{
    const struct filter_area area = {begin, end, 0, from->pitch};
    const struct filter_table source = {from->buffer, filter_region(from, &area)};
    const int32_t elements = (int32_t)(from->width * from->channels);
    const int32_t places[3][4] = {{0, (int32_t)begin, (int32_t)from->pitch, elements},
                                  {0, 0, FILTER_VALUES, (int32_t)from->height},
                                  {elements, (int32_t)(end - begin), (int32_t)from->channels, 0}};

    filter_fill_tables(&source, to, places, FILTER_ITEMS_HISTOGRAM, launch);
}

void filter_fill_equaliser(const struct filter_table *from, uint32_t count, uint32_t channels,
                           const struct filter_table *to, struct filter_launch *launch)
{
    const int32_t elements = (int32_t)(FILTER_VALUES * channels);
    const int32_t places[3][4] = {{0, 0, elements, elements},
                                  {0, 0, FILTER_VALUES, (int32_t)count},
                                  {elements, (int32_t)count, (int32_t)channels, 0}};

    filter_fill_tables(from, to, places, FILTER_VALUES, launch);
}
