/* Picture files made for tests: see picture_files.h. One thread. */
#include "lib/picture_files.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static void picture_append(png_structp png, png_bytep data, png_size_t size_bytes)
{
    if (!file_bytes_append(png_get_io_ptr(png), data, size_bytes))
        abort();
}

static void picture_flush(png_structp png)
{
    (void)png;
}

static size_t png_form_row_bytes(const struct png_form *form)
{
    size_t channels = form->color_type & PNG_COLOR_MASK_PALETTE ? 1
                      : form->color_type & PNG_COLOR_MASK_COLOR ? 3
                                                                : 1;

    channels += form->color_type & PNG_COLOR_MASK_ALPHA ? 1 : 0;
    return (form->width * channels * (size_t)form->bit_depth + 7) / 8;
}

void png_form_encode(const struct png_form *form, struct file_bytes *out)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color_16 key = {1, 1, 1, 1, 1};
    size_t row_bytes = png_form_row_bytes(form);

    *out = (struct file_bytes){0};
    png_set_write_fn(png, out, picture_append, picture_flush);
    png_set_IHDR(png, info, form->width, form->height, form->bit_depth, form->color_type,
                 form->is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (form->palette)
        png_set_PLTE(png, info, (png_const_colorp)(const void *)form->palette,
                     1 << form->bit_depth);
    if (form->alphas)
        png_set_tRNS(png, info, form->alphas, form->bit_depth == 1 ? 2 : 4, NULL);
    if (form->has_key)
        png_set_tRNS(png, info, NULL, 0, &key);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < form->height; y++)
            png_write_row(png, form->rows + y * row_bytes);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

/* One sequential scan a component: first and last coefficient, bit positions. */
static const jpeg_scan_info separate_scans[3] = {
    {1, {0, 0, 0, 0}, 0, 63, 0, 0}, {1, {1, 0, 0, 0}, 0, 63, 0, 0}, {1, {2, 0, 0, 0}, 0, 63, 0, 0}};

void jpeg_form_encode(const struct jpeg_form *form, struct file_bytes *out)
{
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    unsigned char *memory = NULL;
    unsigned long size = 0;
    size_t row_bytes = (size_t)form->width * (size_t)form->components;

    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &memory, &size);
    codec.image_width = form->width;
    codec.image_height = form->height;
    codec.input_components = form->components;
    codec.in_color_space = form->components == 1   ? JCS_GRAYSCALE
                           : form->components == 3 ? JCS_RGB
                                                   : JCS_CMYK;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, 95, TRUE);
    for (int i = 0; i < codec.num_components; i++)
        codec.comp_info[i].h_samp_factor = codec.comp_info[i].v_samp_factor = 1;
    if (form->components == 4)
        codec.write_Adobe_marker = form->has_adobe;
    if (form->is_progressive)
        jpeg_simple_progression(&codec);
    if (form->is_separate) {
        codec.scan_info = separate_scans;
        codec.num_scans = form->components;
    }
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(form->samples + codec.next_scanline * row_bytes);
        (void)jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    *out = (struct file_bytes){0};
    if (!file_bytes_append(out, memory, size))
        abort();
    free(memory);
}
