/* The image filters: see filters.h. The order of arguments is that of the kernels in cli/kernels:
 * sources, destination, weights, from, to, shape, scale. */
#include "filters.h"

#include <stdio.h>
#include <string.h>

#include "filters_native.h"
#include "kernels.h"

const struct filter filters[] = {
    {"grey", "grey", filters_native_grey, 1, 1, 1, 1, 1, false, false, FILTER_HALO_NONE},
    {"to_float", "convert", filters_native_to_float, 1, 1, 4, 1, 0, false, true, FILTER_HALO_NONE},
    {"from_float", "convert", filters_native_from_float, 1, 4, 1, 1, 0, false, true,
     FILTER_HALO_NONE},
    {"blur_horizontal", "blur", filters_native_blur_horizontal, 1, 1, 2, 16, 0, true, false,
     FILTER_HALO_ROW},
    {"blur_vertical", "blur", filters_native_blur_vertical, 1, 2, 1, 16, 0, true, false,
     FILTER_HALO_COLUMN},
    {"sobel", "sobel", filters_native_sobel, 1, 1, 1, 16, 0, false, false, FILTER_HALO_ONE},
    {"sharpen", "sharpen", filters_native_sharpen, 2, 1, 1, 1, 0, false, false, FILTER_HALO_NONE},
    {"conv3x3", "conv3x3", filters_native_conv3x3, 1, 1, 1, 16, 0, true, false, FILTER_HALO_ONE},
    {"conv3x3x3", "conv3x3x3", filters_native_conv3x3x3, 1, 1, 1, 16, 3, true, false,
     FILTER_HALO_ONE},
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

static void filter_add_param(struct plan_kernel *kernel, struct plan_param param)
{
    kernel->params[kernel->param_count++] = param;
}

bool filter_describe(const struct filter *filter, struct plan_kernel *kernel)
{
    const struct plan_param read = {FGPU_ARG_BUFFER, FGPU_READ, 0};
    const struct plan_param write = {FGPU_ARG_BUFFER, FGPU_WRITE, 0};
    const struct plan_param place = {FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 16};
    const struct plan_param scale = {FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, sizeof(float)};

    *kernel = (struct plan_kernel){.text = filter_text(filter->file), .native = filter->native};
    (void)snprintf(kernel->name, sizeof kernel->name, "%s", filter->name);
    for (uint32_t i = 0; i < filter->src_count; i++)
        filter_add_param(kernel, read);
    filter_add_param(kernel, write);
    if (filter->has_weights)
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
    if (tile->filter->halo == FILTER_HALO_ONE)
        return 1;
    return tile->filter->halo == FILTER_HALO_COLUMN ? (uint32_t)tile->option : 0;
}

/* Elements left and right of the tile that it depends on. Two pixels, not one, for 3 x 3: a filter
 * that mixes channels reads the whole neighbour also where the tile begins inside a pixel. */
static uint32_t filter_halo_columns(const struct filter_tile *tile)
{
    uint32_t channels = tile->from->channels;

    if (tile->filter->halo == FILTER_HALO_ONE)
        return 2 * channels;
    return tile->filter->halo == FILTER_HALO_ROW ? (uint32_t)tile->option * channels : 0;
}

/* The tile's place in the source, with halo, inside the picture. */
static struct filter_area filter_from_area(const struct filter_tile *tile)
{
    const struct filter_picture *from = tile->from;
    struct filter_area area = {0, from->height, 0, from->pitch};
    uint32_t rows = filter_halo_rows(tile);

    if (tile->row_begin > rows)
        area.row_begin = tile->row_begin - rows;
    if (from->height - tile->row_end > rows)
        area.row_end = tile->row_end + rows;
    if (tile->column_step == 0)
        return area;
    uint64_t wider = from->channels / tile->to->channels; /* grey reads more than it writes */
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

static void filter_set_place(struct plan_arg *arg, const int32_t place[4])
{
    memcpy(arg->value, place, 16);
}

void filter_fill_task(const struct filter_tile *tile, struct plan_task *task)
{
    const struct filter_picture *from = tile->from, *to = tile->to;
    struct filter_area source = filter_from_area(tile), target = filter_to_area(tile);
    struct plan_arg *arg = task->args;

    for (uint32_t i = 0; i < tile->filter->src_count; i++, arg++) {
        arg->buffer = from[i].buffer;
        arg->region = filter_region(&from[i], &source);
    }
    arg->buffer = to->buffer;
    arg++->region = filter_region(to, &target);
    if (tile->filter->has_weights) {
        arg->buffer = tile->weights;
        arg++->region = fgpu_region_whole();
    }
    filter_set_place(arg++, (const int32_t[4]){(int32_t)source.column_begin,
                                               (int32_t)source.row_begin, (int32_t)from->pitch, 0});
    filter_set_place(arg++, (const int32_t[4]){(int32_t)target.column_begin,
                                               (int32_t)target.row_begin, (int32_t)to->pitch, 0});
    filter_set_place(arg++,
                     (const int32_t[4]){(int32_t)(to->width * to->channels), (int32_t)to->height,
                                        (int32_t)from->channels, tile->option});
    if (tile->filter->has_scale)
        memcpy(arg->value, &tile->scale, sizeof tile->scale);
    task->global[0] = (target.column_end - target.column_begin) / tile->filter->item;
    task->global[1] = target.row_end - target.row_begin;
    task->local[0] = tile->filter->item == 1 ? FILTER_ITEMS_PLAIN : FILTER_ITEMS_VECTOR;
    task->local[1] = 1;
}
