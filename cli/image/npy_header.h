/* The header of a .npy file: a dictionary in Python's notation with the three fields descr,
 * fortran_order and shape.
 *
 * A pure function over the text; reasons name the field, the value and what would be right, without
 * the file's name, which npy.c puts before them. Thread: any.
 */
#ifndef FASTGPU_CLI_IMAGE_NPY_HEADER_H
#define FASTGPU_CLI_IMAGE_NPY_HEADER_H

#include <stdbool.h>

#include "cli/image/npy.h"

/* The mark of the machine's own byte order in a type, and of the other one. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NPY_ORDER '<'
#define NPY_OTHER_ORDER '>'
#else
#define NPY_ORDER '>'
#define NPY_OTHER_ORDER '<'
#endif

struct npy_header {
    struct npy_form form;
    bool is_swapped; /* the elements are in the other byte order */
};

/* Reads `length` bytes of text. [out] header: undefined on failure. Returns FGPU_OK, FGPU_E_INVAL,
 * FGPU_E_UNSUPPORTED or FGPU_E_LIMIT. */
fgpu_status npy_header_read(const char *text, size_t length, struct npy_header *header, char *why,
                            size_t why_bytes);

#endif
