/* Pictures: 8 bits a sample, interleaved channels, rows packed; loaded from and saved as PNG and
 * JPEG.
 *
 * What is in a file is told by its first bytes, not by its name. Everything becomes 1 (grey), 3
 * (RGB) or 4 (RGBA) channels of 8 bits: 16-bit samples are scaled, palettes and 1-, 2- and 4-bit
 * greys expanded, grey with alpha becomes RGBA, CMYK becomes RGB without a colour profile. Colour
 * profiles, gamma and the orientation tag are not applied. A picture has at most
 * CLI_IMAGE_PIXELS_LIMIT pixels. A damaged or truncated file is an error, never half a picture.
 * Thread: any; loading and saving block on the disk. A saved file is whole or absent (file.h).
 */
#ifndef FASTGPU_CLI_IMAGE_IMAGE_H
#define FASTGPU_CLI_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

/* All zero is the empty picture. `pixels` is aligned to 64 bytes and owned by the picture. */
struct image {
    uint32_t width;
    uint32_t height;
    uint32_t channels; /* 1 grey, 3 RGB, 4 RGBA */
    uint8_t *pixels;   /* sample (x, y, c) at (y * width + x) * channels + c */
};

/* Bytes of a row, and of the whole picture. */
size_t image_row_bytes(const struct image *image);
size_t image_size_bytes(const struct image *image);

/* Gives `image` uninitialised pixels. Checks width, height (both above 0), the pixel limit and the
 * channel count. Returns FGPU_OK, FGPU_E_INVAL, FGPU_E_LIMIT or FGPU_E_NOMEM; on failure the
 * picture is empty. */
fgpu_status image_init(struct image *image, uint32_t width, uint32_t height, uint32_t channels,
                       char *why, size_t why_bytes);

/* Frees the pixels and makes the picture empty; NULL is allowed. */
void image_fini(struct image *image);

/* Loads a PNG or JPEG file.
 * [out] image: filled on success (the caller frees it with image_fini()), empty on failure.
 * Returns FGPU_OK; FGPU_E_IO (cannot be read), FGPU_E_UNSUPPORTED (neither PNG nor JPEG),
 * FGPU_E_INVAL (damaged), FGPU_E_LIMIT (too large), FGPU_E_NOMEM, FGPU_E_CANCELLED (a signal came
 * while it waited for a pipe); `why` names the file and what is wrong. */
fgpu_status image_load(const char *path, struct image *image, char *why, size_t why_bytes);

/* The same from memory. [borrow] data; `name` stands for the path in `why`. */
fgpu_status image_load_memory(const void *data, size_t size_bytes, const char *name,
                              struct image *image, char *why, size_t why_bytes);

/* Saves as JPEG (quality 92) where the name ends in .jpg or .jpeg, as PNG where it ends in .png;
 * anything else is FGPU_E_INVAL. JPEG has no alpha: RGBA is laid over white first. */
fgpu_status image_save(const char *path, const struct image *image, char *why, size_t why_bytes);

/* Makes `to` a copy of `from` with another number of channels: grey to RGB repeats, RGB to grey
 * weighs like the grey filter ((77 R + 150 G + 29 B + 128) / 256), alpha is dropped or 255. [out]
 * to: empty on failure. */
fgpu_status image_convert(const struct image *from, uint32_t channels, struct image *to, char *why,
                          size_t why_bytes);

#endif
