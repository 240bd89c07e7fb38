/* Pictures: memory, choice of the format, conversion between channel counts. The formats themselves
 * are in image_png.c and image_jpeg.c. See image.h for what is promised; runs on the caller's
 * thread. */
#include "cli/image/image.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/common/file.h"
#include "cli/image/image_codec.h"
#include "cli/common/cli_limits.h"
#include "cli/common/why.h"

#define IMAGE_ALIGNMENT 64

size_t image_row_bytes(const struct image *image)
{
    return (size_t)image->width * image->channels;
}

size_t image_size_bytes(const struct image *image)
{
    return image_row_bytes(image) * image->height;
}

fgpu_status image_init(struct image *image, uint32_t width, uint32_t height, uint32_t channels,
                       char *why, size_t why_bytes)
{
    *image = (struct image){0};
    if (width == 0 || height == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "the picture is empty (%" PRIu32 " x %" PRIu32 ")", width, height);
    if (channels != 1 && channels != 3 && channels != 4)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "a picture of %" PRIu32 " channels; 1, 3 and 4 are possible", channels);
    if ((uint64_t)width * height > CLI_IMAGE_PIXELS_LIMIT)
        return why_fail(FGPU_E_LIMIT, why, why_bytes,
                        "the picture has %" PRIu32 " x %" PRIu32 " pixels; the limit is %" PRIu64
                        " (64 Mpixel)",
                        width, height, CLI_IMAGE_PIXELS_LIMIT);
    size_t size = (size_t)width * height * channels;
    size_t rounded = (size + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT;
    uint8_t *pixels = aligned_alloc(IMAGE_ALIGNMENT, rounded);
    if (!pixels)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for %zu bytes of pixels", size);
    *image = (struct image){width, height, channels, pixels};
    return FGPU_OK;
}

void image_fini(struct image *image)
{
    if (!image)
        return;
    free(image->pixels);
    *image = (struct image){0};
}

static bool image_is_png(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

    return size_bytes >= sizeof signature && memcmp(data, signature, sizeof signature) == 0;
}

static bool image_is_jpeg(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t signature[3] = {0xff, 0xd8, 0xff};

    return size_bytes >= sizeof signature && memcmp(data, signature, sizeof signature) == 0;
}

static fgpu_status image_decode(const void *data, size_t size_bytes, struct image *image, char *why,
                                size_t why_bytes)
{
    if (size_bytes == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "the file is empty (0 bytes)");
    if (image_is_png(data, size_bytes))
        return image_png_decode(data, size_bytes, image, why, why_bytes);
    if (image_is_jpeg(data, size_bytes))
        return image_jpeg_decode(data, size_bytes, image, why, why_bytes);
    return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                    "neither a PNG nor a JPEG file, by its first bytes (%zu bytes in all)",
                    size_bytes);
}

fgpu_status image_load_memory(const void *data, size_t size_bytes, const char *name,
                              struct image *image, char *why, size_t why_bytes)
{
    char reason[CLI_WHY_BYTES] = "";

    *image = (struct image){0};
    fgpu_status status = image_decode(data, size_bytes, image, reason, sizeof reason);
    if (status != FGPU_OK) {
        image_fini(image);
        return why_fail(status, why, why_bytes, "%s: %s", name, reason);
    }
    return FGPU_OK;
}

fgpu_status image_load(const char *path, struct image *image, char *why, size_t why_bytes)
{
    struct file_bytes bytes;

    *image = (struct image){0};
    fgpu_status status = file_read(path, CLI_IMAGE_FILE_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status = image_load_memory(bytes.data, bytes.size_bytes, path, image, why, why_bytes);
    file_bytes_fini(&bytes);
    return status;
}

static bool image_name_ends(const char *path, const char *ending)
{
    size_t length = strlen(path), ending_length = strlen(ending);

    return length > ending_length && strcasecmp(path + length - ending_length, ending) == 0;
}

fgpu_status image_save(const char *path, const struct image *image, char *why, size_t why_bytes)
{
    char reason[CLI_WHY_BYTES] = "";
    struct file_bytes bytes = {0};
    fgpu_status status;

    if (!image->pixels)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%s: there are no pixels to save", path);
    if (image_name_ends(path, ".png"))
        status = image_png_encode(image, &bytes, reason, sizeof reason);
    else if (image_name_ends(path, ".jpg") || image_name_ends(path, ".jpeg"))
        status = image_jpeg_encode(image, &bytes, reason, sizeof reason);
    else
        return why_fail(
            FGPU_E_INVAL, why, why_bytes,
            "%s: the name does not end in .png, .jpg or .jpeg, so the format is unknown", path);
    if (status != FGPU_OK)
        status = why_fail(status, why, why_bytes, "%s: %s", path, reason);
    else
        status = file_replace(path, bytes.data, bytes.size_bytes, why, why_bytes);
    file_bytes_fini(&bytes);
    return status;
}

static void image_convert_pixel(const uint8_t *from, uint32_t from_channels, uint8_t *to,
                                uint32_t to_channels)
{
    uint8_t red = from[0];
    uint8_t green = from_channels == 1 ? from[0] : from[1];
    uint8_t blue = from_channels == 1 ? from[0] : from[2];

    if (to_channels == 1) {
        to[0] = (uint8_t)((77u * red + 150u * green + 29u * blue + 128u) >> 8);
        return;
    }
    to[0] = red;
    to[1] = green;
    to[2] = blue;
    if (to_channels == 4)
        to[3] = from_channels == 4 ? from[3] : 255;
}

fgpu_status image_convert(const struct image *from, uint32_t channels, struct image *to, char *why,
                          size_t why_bytes)
{
    fgpu_status status = image_init(to, from->width, from->height, channels, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    size_t pixel_count = (size_t)from->width * from->height;
    for (size_t i = 0; i < pixel_count; i++)
        image_convert_pixel(from->pixels + i * from->channels, from->channels,
                            to->pixels + i * channels, channels);
    return FGPU_OK;
}
