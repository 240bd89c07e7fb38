/* What image.c asks of a file format: decode from memory, encode to memory.
 *
 * The text in `why` is the reason alone; image.c puts the file's name before it. Both libraries
 * report errors by longjmp: inside each codec all state lives in one struct outside the frame that
 * called setjmp, so that nothing depends on what a jump does to local variables, and one function
 * frees it whatever happened.
 */
#ifndef FASTGPU_CLI_IMAGE_IMAGE_CODEC_H
#define FASTGPU_CLI_IMAGE_IMAGE_CODEC_H

#include "cli/common/file.h"
#include "cli/image/image.h"

fgpu_status image_png_decode(const uint8_t *data, size_t size_bytes, struct image *image, char *why,
                             size_t why_bytes);
fgpu_status image_png_encode(const struct image *image, struct file_bytes *out, char *why,
                             size_t why_bytes);

fgpu_status image_jpeg_decode(const uint8_t *data, size_t size_bytes, struct image *image,
                              char *why, size_t why_bytes);
fgpu_status image_jpeg_encode(const struct image *image, struct file_bytes *out, char *why,
                              size_t why_bytes);

#endif
