/* JPEG: decode from memory and encode to memory with libjpeg (libjpeg-turbo).
 *
 * Errors of libjpeg jump out of it: everything that must survive the jump lives in struct
 * jpeg_read_state / jpeg_write_state in the caller's frame, and the functions that call setjmp have
 * no local variable. libjpeg repairs damaged data silently; here a file that ends early or whose
 * data are corrupt is an error, because half a grey picture is worse than a message. Source and
 * destination are our own, since the library's memory destination leaks when an error jumps past
 * it. Source of the format: ITU-T T.81; CMYK of Adobe files is stored inverted (Adobe Technical
 * Note 5116).
 */
#include "cli/image/image_codec.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "cli/common/cli_limits.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"

#define JPEG_ENCODE_QUALITY 92
#define JPEG_OUT_BYTES 65536

/* A block of 8 x 8 samples takes at least one bit with Huffman codes: 512 samples a byte of the
 * file. */
#define JPEG_SAMPLES_A_BYTE 512

/* First member as libjpeg wants it: a pointer to `base` is a pointer to this. */
struct jpeg_errors {
    struct jpeg_error_mgr base;
    jmp_buf jump;
    fgpu_status status;
    char text[CLI_WHY_BYTES];
};

struct jpeg_read_state {
    struct jpeg_decompress_struct codec;
    struct jpeg_errors errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    struct image image;
    uint8_t *cmyk_row;
};

struct jpeg_write_state {
    struct jpeg_compress_struct codec;
    struct jpeg_errors errors;
    struct jpeg_destination_mgr destination;
    const struct image *image;
    struct file_bytes *out;
    uint8_t *row; /* RGBA laid over white */
    uint8_t chunk[JPEG_OUT_BYTES];
};

/* Leaves libjpeg with our own status and sentence. */
static _Noreturn void jpeg_refuse(j_common_ptr codec, fgpu_status status, const char *text)
{
    struct jpeg_errors *errors = (struct jpeg_errors *)codec->err;

    errors->status = status;
    (void)snprintf(errors->text, sizeof errors->text, "%s", text);
    longjmp(errors->jump, 1);
}

static void jpeg_error_exit(j_common_ptr codec)
{
    static const char intro[] = "libjpeg refuses it: ";
    char text[sizeof intro + JMSG_LENGTH_MAX];

    memcpy(text, intro, sizeof intro);
    codec->err->format_message(codec, text + sizeof intro - 1);
    jpeg_refuse(codec, codec->err->msg_code == JERR_OUT_OF_MEMORY ? FGPU_E_NOMEM : FGPU_E_INVAL,
                text);
}

/* Warnings (negative levels) mean damaged data, but for these, which real cameras and editors
 * write. */
static bool jpeg_is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_TOO_MUCH_DATA || code == JWRN_BOGUS_ICC;
}

static void jpeg_emit_message(j_common_ptr codec, int level)
{
    if (level < 0 && !jpeg_is_harmless(codec->err->msg_code))
        jpeg_error_exit(codec);
}

static void jpeg_output_nothing(j_common_ptr codec)
{
    (void)codec;
}

static void jpeg_errors_init(struct jpeg_errors *errors)
{
    (void)jpeg_std_error(&errors->base);
    errors->base.error_exit = jpeg_error_exit;
    errors->base.emit_message = jpeg_emit_message;
    errors->base.output_message = jpeg_output_nothing;
}

static void jpeg_source_nothing(j_decompress_ptr codec)
{
    (void)codec;
}

static boolean jpeg_source_ended(j_decompress_ptr codec)
{
    jpeg_refuse((j_common_ptr)codec, FGPU_E_INVAL, "the JPEG file ends too early (truncated)");
}

static void jpeg_source_skip(j_decompress_ptr codec, long count)
{
    if (count <= 0)
        return;
    if ((size_t)count > codec->src->bytes_in_buffer)
        (void)jpeg_source_ended(codec);
    codec->src->next_input_byte += count;
    codec->src->bytes_in_buffer -= (size_t)count;
}

/* Called at each row of blocks, and at each scan. */
static void jpeg_watch(j_common_ptr codec)
{
    if (stopping_is_wanted())
        jpeg_refuse(codec, FGPU_E_CANCELLED, "stopped while it was read");
    if (((j_decompress_ptr)codec)->input_scan_number > CLI_JPEG_SCANS_LIMIT)
        jpeg_refuse(codec, FGPU_E_LIMIT, "the JPEG file has more than 100 scans, the limit");
}

_Static_assert(CLI_JPEG_SCANS_LIMIT == 100, "the sentence above names the limit");

/* Chooses what libjpeg gives out: grey, RGB or CMYK samples. */
static void jpeg_choose_output(struct jpeg_read_state *state)
{
    switch (state->codec.jpeg_color_space) {
    case JCS_GRAYSCALE:
        state->codec.out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_RGB:
    case JCS_YCbCr:
        state->codec.out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        state->codec.out_color_space = JCS_CMYK;
        break;
    default:
        jpeg_refuse((j_common_ptr)&state->codec, FGPU_E_UNSUPPORTED,
                    "the JPEG file has a colour space other than grey, RGB, YCbCr, CMYK, YCCK");
    }
}

/* A header may promise what the file cannot hold: then no memory is taken. Arithmetic coding knows
 * no such bound. */
static void jpeg_check_promise(struct jpeg_read_state *state, size_t size_bytes)
{
    uint64_t pixel_count = (uint64_t)state->codec.image_width * state->codec.image_height;

    if (pixel_count > CLI_IMAGE_PIXELS_LIMIT || state->codec.arith_code)
        return; /* image_init() tells the first better */
    if (pixel_count / JPEG_SAMPLES_A_BYTE > size_bytes)
        jpeg_refuse((j_common_ptr)&state->codec, FGPU_E_INVAL,
                    "the header promises more pixels than the file can hold");
}

static void jpeg_prepare_picture(struct jpeg_read_state *state)
{
    char reason[CLI_WHY_BYTES] = "";
    j_common_ptr codec = (j_common_ptr)&state->codec;

    fgpu_status status =
        image_init(&state->image, state->codec.image_width, state->codec.image_height,
                   state->codec.out_color_space == JCS_GRAYSCALE ? 1 : 3, reason, sizeof reason);
    if (status != FGPU_OK)
        jpeg_refuse(codec, status, reason);
    if (state->codec.out_color_space != JCS_CMYK)
        return;
    state->cmyk_row = malloc((size_t)state->image.width * 4);
    if (!state->cmyk_row)
        jpeg_refuse(codec, FGPU_E_NOMEM, "no memory for a row of CMYK pixels");
}

/* Ink to light, without a colour profile: light = (1 - ink) (1 - black). Adobe files hold 1 - ink
 * already. */
static void jpeg_convert_cmyk(const uint8_t *cmyk, uint8_t *rgb, uint32_t width, bool inverted)
{
    for (uint32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        unsigned black = inverted ? cmyk[3] : 255u - cmyk[3];
        for (int c = 0; c < 3; c++) {
            unsigned light = inverted ? cmyk[c] : 255u - cmyk[c];
            rgb[c] = (uint8_t)((light * black + 127u) / 255u);
        }
    }
}

static void jpeg_read_pixels(struct jpeg_read_state *state)
{
    size_t row_bytes = image_row_bytes(&state->image);

    while (state->codec.output_scanline < state->codec.output_height) {
        uint8_t *row = state->image.pixels + state->codec.output_scanline * row_bytes;
        JSAMPROW target = state->cmyk_row ? state->cmyk_row : row;
        if (jpeg_read_scanlines(&state->codec, &target, 1) != 1)
            (void)jpeg_source_ended(&state->codec);
        if (state->cmyk_row)
            jpeg_convert_cmyk(state->cmyk_row, row, state->image.width,
                              state->codec.saw_Adobe_marker != 0);
    }
}

static void jpeg_set_source(struct jpeg_read_state *state, const uint8_t *data, size_t size_bytes)
{
    state->source = (struct jpeg_source_mgr){
        .next_input_byte = data,
        .bytes_in_buffer = size_bytes,
        .init_source = jpeg_source_nothing,
        .fill_input_buffer = jpeg_source_ended,
        .skip_input_data = jpeg_source_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = jpeg_source_nothing,
    };
    state->codec.src = &state->source;
    state->progress.progress_monitor = jpeg_watch;
    state->codec.progress = &state->progress;
    state->codec.mem->max_memory_to_use = CLI_JPEG_WORK_BYTES_LIMIT;
}

/* No local variable lives across setjmp here. */
static bool jpeg_try_read(struct jpeg_read_state *state, const uint8_t *data, size_t size_bytes)
{
    if (setjmp(state->errors.jump))
        return false;
    jpeg_create_decompress(&state->codec);
    jpeg_set_source(state, data, size_bytes);
    (void)jpeg_read_header(&state->codec, TRUE);
    jpeg_choose_output(state);
    jpeg_check_promise(state, size_bytes);
    jpeg_prepare_picture(state);
    (void)jpeg_start_decompress(&state->codec);
    jpeg_read_pixels(state);
    (void)jpeg_finish_decompress(&state->codec);
    return true;
}

fgpu_status image_jpeg_decode(const uint8_t *data, size_t size_bytes, struct image *image,
                              char *why, size_t why_bytes)
{
    struct jpeg_read_state state = {0};

    jpeg_errors_init(&state.errors);
    state.codec.err = &state.errors.base;
    bool done = jpeg_try_read(&state, data, size_bytes);
    jpeg_destroy_decompress(&state.codec);
    free(state.cmyk_row);
    if (!done) {
        image_fini(&state.image);
        return why_fail(state.errors.status, why, why_bytes, "%s", state.errors.text);
    }
    *image = state.image;
    return FGPU_OK;
}

static void jpeg_flush_chunk(struct jpeg_write_state *state, size_t size_bytes)
{
    if (!file_bytes_append(state->out, state->chunk, size_bytes))
        jpeg_refuse((j_common_ptr)&state->codec, FGPU_E_NOMEM, "no memory for the JPEG file");
    state->destination.next_output_byte = state->chunk;
    state->destination.free_in_buffer = sizeof state->chunk;
}

static void jpeg_destination_init(j_compress_ptr codec)
{
    struct jpeg_write_state *state = codec->client_data;

    jpeg_flush_chunk(state, 0);
}

static boolean jpeg_destination_empty(j_compress_ptr codec)
{
    struct jpeg_write_state *state = codec->client_data;

    jpeg_flush_chunk(state, sizeof state->chunk);
    return TRUE;
}

static void jpeg_destination_term(j_compress_ptr codec)
{
    struct jpeg_write_state *state = codec->client_data;

    jpeg_flush_chunk(state, sizeof state->chunk - state->destination.free_in_buffer);
}

static void jpeg_set_destination(struct jpeg_write_state *state)
{
    state->destination = (struct jpeg_destination_mgr){
        .init_destination = jpeg_destination_init,
        .empty_output_buffer = jpeg_destination_empty,
        .term_destination = jpeg_destination_term,
    };
    state->codec.dest = &state->destination;
    state->codec.client_data = state;
}

static void jpeg_set_format(struct jpeg_write_state *state)
{
    bool grey = state->image->channels == 1;

    state->codec.image_width = state->image->width;
    state->codec.image_height = state->image->height;
    state->codec.input_components = grey ? 1 : 3;
    state->codec.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&state->codec);
    jpeg_set_quality(&state->codec, JPEG_ENCODE_QUALITY, TRUE);
    if (state->image->channels != 4)
        return;
    state->row = malloc((size_t)state->image->width * 3);
    if (!state->row)
        jpeg_refuse((j_common_ptr)&state->codec, FGPU_E_NOMEM, "no memory for a row of pixels");
}

static void jpeg_lay_over_white(const uint8_t *rgba, uint8_t *rgb, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, rgba += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((rgba[c] * rgba[3] + 255u * (255u - rgba[3]) + 127u) / 255u);
}

static void jpeg_write_pixels(struct jpeg_write_state *state)
{
    size_t row_bytes = image_row_bytes(state->image);

    while (state->codec.next_scanline < state->codec.image_height) {
        JSAMPROW row = state->image->pixels + state->codec.next_scanline * row_bytes;
        if (state->row) {
            jpeg_lay_over_white(row, state->row, state->image->width);
            row = state->row;
        }
        (void)jpeg_write_scanlines(&state->codec, &row, 1);
    }
}

/* No local variable lives across setjmp here. */
static bool jpeg_try_write(struct jpeg_write_state *state)
{
    if (setjmp(state->errors.jump))
        return false;
    jpeg_create_compress(&state->codec);
    jpeg_set_destination(state);
    jpeg_set_format(state);
    jpeg_start_compress(&state->codec, TRUE);
    jpeg_write_pixels(state);
    jpeg_finish_compress(&state->codec);
    return true;
}

fgpu_status image_jpeg_encode(const struct image *image, struct file_bytes *out, char *why,
                              size_t why_bytes)
{
    struct jpeg_write_state *state = calloc(1, sizeof *state);

    if (!state)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the JPEG encoder");
    state->image = image;
    state->out = out;
    jpeg_errors_init(&state->errors);
    state->codec.err = &state->errors.base;
    bool done = jpeg_try_write(state);
    jpeg_destroy_compress(&state->codec);
    fgpu_status status = FGPU_OK;
    if (!done)
        status = why_fail(state->errors.status, why, why_bytes, "%s", state->errors.text);
    free(state->row);
    free(state);
    return status;
}
