/* PNG: decode from memory and encode to memory with libpng.
 *
 * Errors of libpng jump out of it: everything that must survive the jump (the picture, the
 * position, the reason) lives in struct png_read_state / png_write_state in the caller's frame, and
 * the function that calls setjmp has no local variable. Source of the format: PNG specification,
 * second edition (W3C 2003); deflate never expands more than 1032 : 1 (zlib, "technical details"),
 * so a header that promises more than the file can hold is refused before any pixel memory is
 * taken.
 */
#include "cli/image/image_codec.h"

#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"

#define PNG_DEFLATE_EXPANSION 1032
#define PNG_CHUNK_BYTES_LIMIT ((png_alloc_size_t)8 << 20)
#define PNG_ENCODE_LEVEL 4

/* The two sentences of libpng: what stopped it, and the last warning, which often says why. */
struct png_messages {
    char error[160];
    char warning[160];
    fgpu_status status;
    bool is_ours; /* a sentence of this file, not one of libpng */
};

struct png_read_state {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t size_bytes;
    size_t position;
    struct image image;
    struct png_messages messages;
};

struct png_write_state {
    png_structp png;
    png_infop info;
    const struct image *image;
    struct file_bytes *out;
    struct png_messages messages;
};

static void png_keep_warning(png_structp png, png_const_charp text)
{
    struct png_messages *messages = png_get_error_ptr(png);

    (void)snprintf(messages->warning, sizeof messages->warning, "%s", text);
}

static _Noreturn void png_keep_error(png_structp png, png_const_charp text)
{
    struct png_messages *messages = png_get_error_ptr(png);

    (void)snprintf(messages->error, sizeof messages->error, "%s", text);
    if (messages->status == FGPU_OK)
        messages->status = FGPU_E_INVAL;
    png_longjmp(png, 1);
}

/* Leaves libpng with our own status and sentence. */
static _Noreturn void png_refuse(png_structp png, fgpu_status status, const char *text)
{
    struct png_messages *messages = png_get_error_ptr(png);

    messages->status = status;
    messages->is_ours = true;
    png_error(png, text);
}

static void png_read_memory(png_structp png, png_bytep to, png_size_t size_bytes)
{
    struct png_read_state *state = png_get_io_ptr(png);

    if (size_bytes > state->size_bytes - state->position)
        png_refuse(png, FGPU_E_INVAL, "the PNG file ends too early (truncated)");
    memcpy(to, state->data + state->position, size_bytes);
    state->position += size_bytes;
}

/* A header may promise what the file cannot hold: then no memory is taken. */
static void png_check_promise(struct png_read_state *state)
{
    uint64_t width = png_get_image_width(state->png, state->info);
    uint64_t height = png_get_image_height(state->png, state->info);
    uint64_t row_bytes = png_get_rowbytes(state->png, state->info);

    if (width * height > CLI_IMAGE_PIXELS_LIMIT)
        return; /* image_init() says it better */
    if (row_bytes * height / PNG_DEFLATE_EXPANSION > state->size_bytes)
        png_refuse(state->png, FGPU_E_INVAL,
                   "the header promises more pixels than the file can hold");
}

/* Asks libpng for 8-bit grey, RGB or RGBA whatever is in the file; returns the channel count. */
static uint32_t png_set_conversions(struct png_read_state *state)
{
    png_byte color_type = png_get_color_type(state->png, state->info);
    bool has_transparency = png_get_valid(state->png, state->info, PNG_INFO_tRNS) != 0;
    bool has_alpha = (color_type & PNG_COLOR_MASK_ALPHA) != 0 || has_transparency;

    png_set_expand(state->png);
    png_set_scale_16(state->png);
    if ((color_type & PNG_COLOR_MASK_COLOR) == 0 && !has_alpha)
        return 1;
    png_set_gray_to_rgb(state->png);
    return has_alpha ? 4 : 3;
}

/* The picture comes first: its limit also bounds what libpng takes for a row. */
static void png_make_picture(struct png_read_state *state, uint32_t channels)
{
    char reason[CLI_WHY_BYTES] = "";

    fgpu_status status =
        image_init(&state->image, png_get_image_width(state->png, state->info),
                   png_get_image_height(state->png, state->info), channels, reason, sizeof reason);
    if (status != FGPU_OK)
        png_refuse(state->png, status, reason);
}

static void png_read_pixels(struct png_read_state *state)
{
    png_check_promise(state);
    png_make_picture(state, png_set_conversions(state));
    int pass_count = png_set_interlace_handling(state->png);
    png_read_update_info(state->png, state->info);
    size_t row_bytes = image_row_bytes(&state->image);
    if (png_get_rowbytes(state->png, state->info) != row_bytes)
        png_refuse(state->png, FGPU_E_UNSUPPORTED, "the PNG file has an unusual row format");
    for (int pass = 0; pass < pass_count; pass++)
        for (uint32_t y = 0; y < state->image.height; y++) {
            if (stopping_is_wanted())
                png_refuse(state->png, FGPU_E_CANCELLED, "stopped while it was read");
            png_read_row(state->png, state->image.pixels + y * row_bytes, NULL);
        }
    png_read_end(state->png, NULL);
}

/* No local variable lives across setjmp here. */
static bool png_try_read(struct png_read_state *state)
{
    if (setjmp(png_jmpbuf(state->png)))
        return false;
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(state->png, PNG_CHUNK_BYTES_LIMIT);
    png_set_read_fn(state->png, state, png_read_memory);
    png_read_info(state->png, state->info);
    png_read_pixels(state);
    return true;
}

static fgpu_status png_explain(const struct png_messages *messages, char *why, size_t why_bytes)
{
    if (messages->is_ours)
        return why_fail(messages->status, why, why_bytes, "%s", messages->error);
    if (messages->warning[0] && strcmp(messages->warning, messages->error) != 0)
        return why_fail(messages->status, why, why_bytes, "libpng refuses it: %s (%s)",
                        messages->error, messages->warning);
    return why_fail(messages->status, why, why_bytes, "libpng refuses it: %s", messages->error);
}

fgpu_status image_png_decode(const uint8_t *data, size_t size_bytes, struct image *image, char *why,
                             size_t why_bytes)
{
    struct png_read_state state = {.data = data, .size_bytes = size_bytes};

    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state.messages, png_keep_error,
                                       png_keep_warning);
    state.info = state.png ? png_create_info_struct(state.png) : NULL;
    if (!state.info) {
        png_destroy_read_struct(&state.png, NULL, NULL);
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the PNG decoder");
    }
    bool done = png_try_read(&state);
    png_destroy_read_struct(&state.png, &state.info, NULL);
    if (!done) {
        image_fini(&state.image);
        return png_explain(&state.messages, why, why_bytes);
    }
    *image = state.image;
    return FGPU_OK;
}

static void png_write_memory(png_structp png, png_bytep data, png_size_t size_bytes)
{
    struct png_write_state *state = png_get_io_ptr(png);

    if (!file_bytes_append(state->out, data, size_bytes))
        png_refuse(png, FGPU_E_NOMEM, "no memory for the PNG file");
}

static void png_flush_memory(png_structp png)
{
    (void)png;
}

static int png_color_type(uint32_t channels)
{
    if (channels == 1)
        return PNG_COLOR_TYPE_GRAY;
    return channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGB_ALPHA;
}

static void png_write_pixels(struct png_write_state *state)
{
    const struct image *image = state->image;
    size_t row_bytes = image_row_bytes(image);

    for (uint32_t y = 0; y < image->height; y++)
        png_write_row(state->png, image->pixels + y * row_bytes);
    png_write_end(state->png, state->info);
}

/* No local variable lives across setjmp here. */
static bool png_try_write(struct png_write_state *state)
{
    if (setjmp(png_jmpbuf(state->png)))
        return false;
    png_set_write_fn(state->png, state, png_write_memory, png_flush_memory);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(state->png, PNG_ENCODE_LEVEL);
    png_set_IHDR(state->png, state->info, state->image->width, state->image->height, 8,
                 png_color_type(state->image->channels), PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(state->png, state->info);
    png_write_pixels(state);
    return true;
}

fgpu_status image_png_encode(const struct image *image, struct file_bytes *out, char *why,
                             size_t why_bytes)
{
    struct png_write_state state = {.image = image, .out = out};

    state.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state.messages, png_keep_error,
                                        png_keep_warning);
    state.info = state.png ? png_create_info_struct(state.png) : NULL;
    if (!state.info) {
        png_destroy_write_struct(&state.png, NULL);
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the PNG encoder");
    }
    bool done = png_try_write(&state);
    png_destroy_write_struct(&state.png, &state.info);
    return done ? FGPU_OK : png_explain(&state.messages, why, why_bytes);
}
