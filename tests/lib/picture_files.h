/* Picture files made for tests with the libraries' own encoders, in all the forms that cli/image
 * must read: the bytes of a file in memory, from samples as they shall stand in it.
 */
#ifndef FASTGPU_TESTS_LIB_PICTURE_FILES_H
#define FASTGPU_TESTS_LIB_PICTURE_FILES_H

#include "cli/common/file.h"

/* A PNG as libpng writes it. */
struct png_form {
    uint32_t width, height;
    int bit_depth;
    int color_type; /* PNG_COLOR_TYPE_... */
    bool is_interlaced;
    const uint8_t *rows;    /* packed rows, samples most significant first, as in the file */
    const uint8_t *palette; /* 256 colours of three bytes; NULL: none */
    const uint8_t *alphas;  /* of a palette's first 4 colours; NULL: none */
    bool has_key;           /* the sample value 1 (of every channel) is transparent */
};

/* A JPEG as libjpeg writes it, quality 95, chroma not subsampled. */
struct jpeg_form {
    uint32_t width, height;
    int components; /* 1, 3 or 4 (CMYK, stored as given) */
    bool has_adobe;
    bool is_progressive;
    bool is_separate;       /* a scan for each component */
    const uint8_t *samples; /* interleaved, packed */
};

/* Both end the process when the library refuses. The caller frees `out` with file_bytes_fini(). */
void png_form_encode(const struct png_form *form, struct file_bytes *out);
void jpeg_form_encode(const struct jpeg_form *form, struct file_bytes *out);

#endif
