/* Arrays as NumPy keeps them in .npy files: loaded from any of the three versions of the format,
 * saved as version 1.0.
 *
 * What is read: the element types of npy_dtype in either byte order (the data comes back in the
 * machine's), in C order, of any shape within the limits of cli_limits.h. Everything else, also
 * data that is cut short or followed by something, is refused with a sentence that names the file,
 * the field of its header, the value and what would be right; objects (pickles) are never read.
 * Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays" (R. Kern, 2007), as
 * continued in the documentation of numpy.lib.format (versions 1.0, 2.0, 3.0).
 *
 * Thread: any; loading and saving block on the disk. The caller owns an array and frees it with
 * npy_array_fini().
 */
#ifndef FASTGPU_CLI_IMAGE_NPY_H
#define FASTGPU_CLI_IMAGE_NPY_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/status.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"

/* X(name, bytes) of each element type: u unsigned, i signed, f IEEE 754; f2 is kept as its two
 * bytes. */
#define NPY_DTYPE_LIST(X)                                                                          \
    X(u1, 1)                                                                                       \
    X(i1, 1) X(u2, 2) X(i2, 2) X(u4, 4) X(i4, 4) X(u8, 8) X(i8, 8) X(f2, 2) X(f4, 4) X(f8, 8)

enum npy_dtype {
#define NPY_DTYPE_ENUM(name, bytes) NPY_##name,
    NPY_DTYPE_LIST(NPY_DTYPE_ENUM)
#undef NPY_DTYPE_ENUM
        NPY_DTYPE_COUNT
};

/* What an array looks like, without its data. */
struct npy_form {
    enum npy_dtype dtype;
    uint32_t rank; /* 0: a single element, shape () */
    uint64_t shape[CLI_NPY_DIMENSIONS_LIMIT];
    uint64_t count;    /* of elements; 1 for rank 0 */
    size_t size_bytes; /* of all elements */
};

/* All zero is the empty value. */
struct npy_array {
    struct npy_form form;
    uint8_t *data; /* first byte of the elements, aligned for any of them; never NULL once loaded */
};

/* "f4"; static. "?" for a number that is no type. */
const char *npy_dtype_name(enum npy_dtype dtype);
size_t npy_dtype_bytes(enum npy_dtype dtype);

/* Fills in a form with its count and size.
 * [in] shape: `rank` sizes; may be NULL for rank 0. [out] form: all zero on failure.
 * Returns FGPU_OK, FGPU_E_INVAL for a type that is none, FGPU_E_LIMIT for too many dimensions or
 * bytes, or a size above INT64_MAX; an array without elements is none of these. */
fgpu_status npy_form_init(struct npy_form *form, enum npy_dtype dtype, uint32_t rank,
                          const uint64_t *shape, char *why, size_t why_bytes);

/* The shape as Python writes it, "(3, 4)", cut to fit.
 * [in] text_bytes: at least 2. Returns `text`. */
char *npy_shape_text(const struct npy_form *form, char *text, size_t text_bytes);

/* Loads a file. [out] array: empty on failure.
 * Returns FGPU_OK, FGPU_E_IO, FGPU_E_INVAL for what is no .npy file or a broken one,
 * FGPU_E_UNSUPPORTED for what NumPy reads and this does not, FGPU_E_LIMIT, FGPU_E_NOMEM,
 * FGPU_E_CANCELLED. */
fgpu_status npy_load(const char *path, struct npy_array *array, char *why, size_t why_bytes);

/* The same from memory. [borrow] data; `name` stands for the path in `why`. */
fgpu_status npy_load_memory(const void *data, size_t size_bytes, const char *name,
                            struct npy_array *array, char *why, size_t why_bytes);

/* Appends the header that npy_save() writes: version 1.0, keys in alphabetic order, padded with
 * spaces so that the data begins at a multiple of 64 bytes. FGPU_E_NOMEM alone can go wrong. */
fgpu_status npy_encode_header(const struct npy_form *form, struct file_bytes *out, char *why,
                              size_t why_bytes);

/* Saves `form->size_bytes` bytes of data in the machine's byte order; the file is whole or absent.
 * [in] form: from npy_form_init(). Returns FGPU_OK, FGPU_E_IO or FGPU_E_NOMEM. */
fgpu_status npy_save(const char *path, const struct npy_form *form, const void *data, char *why,
                     size_t why_bytes);

void npy_array_fini(struct npy_array *array); /* NULL is allowed */

#endif
