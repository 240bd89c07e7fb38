/* .npy files: see npy.h for what is read and written. The text of the header, a dictionary in
 * Python's notation, is read in npy_header.c; here are the bytes around it.
 *
 * Layout (numpy.lib.format): the magic bytes \x93NUMPY, two bytes of version, the length of the
 * header in two bytes (1.0) or four (2.0, 3.0), little endian, the header, the elements. Runs on
 * the caller's thread; owns nothing.
 */
#include "cli/image/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/image/npy_header.h"
#include "cli/common/stopping.h"
#include "cli/common/why.h"

#define NPY_MAGIC "\x93NUMPY"
#define NPY_MAGIC_BYTES 6
#define NPY_ALIGNMENT 64
#define NPY_TEXT_BYTES 1024 /* 32 sizes of 19 digits, ", " between them, and 60 bytes around */

static const struct {
    const char *name;
    size_t bytes;
} npy_dtypes[NPY_DTYPE_COUNT] = {
#define NPY_DTYPE_ROW(name, bytes) [NPY_##name] = {#name, (bytes)},
    NPY_DTYPE_LIST(NPY_DTYPE_ROW)
#undef NPY_DTYPE_ROW
};

const char *npy_dtype_name(enum npy_dtype dtype)
{
    return (unsigned)dtype < NPY_DTYPE_COUNT ? npy_dtypes[dtype].name : "?";
}

size_t npy_dtype_bytes(enum npy_dtype dtype)
{
    return (unsigned)dtype < NPY_DTYPE_COUNT ? npy_dtypes[dtype].bytes : 0;
}

/* Product of the sizes; a size of 0 makes it 0 whatever the others are. False when it is beyond 64
 * bits. */
static bool npy_multiply(uint32_t rank, const uint64_t *shape, uint64_t *count)
{
    bool is_empty = false;

    *count = 1;
    for (uint32_t i = 0; i < rank; i++)
        is_empty = is_empty || shape[i] == 0;
    for (uint32_t i = 0; i < rank && !is_empty; i++)
        if (__builtin_mul_overflow(*count, shape[i], count))
            return false;
    if (is_empty)
        *count = 0;
    return true;
}

fgpu_status npy_form_init(struct npy_form *form, enum npy_dtype dtype, uint32_t rank,
                          const uint64_t *shape, char *why, size_t why_bytes)
{
    struct npy_form made = {.dtype = dtype, .rank = rank};
    char text[128];

    *form = (struct npy_form){0};
    if (npy_dtype_bytes(dtype) == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "%d is no element type", (int)dtype);
    if (rank > CLI_NPY_DIMENSIONS_LIMIT)
        return why_fail(FGPU_E_LIMIT, why, why_bytes,
                        "an array of %" PRIu32 " dimensions; at most %d are possible", rank,
                        CLI_NPY_DIMENSIONS_LIMIT);
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] > INT64_MAX)
            return why_fail(FGPU_E_LIMIT, why, why_bytes,
                            "an array of size %" PRIu64 " in dimension %" PRIu32 "; %" PRId64
                            " is the limit",
                            shape[i], i + 1, INT64_MAX);
        made.shape[i] = shape[i];
    }
    bool fits = npy_multiply(rank, made.shape, &made.count);
    if (!fits || made.count > CLI_DATA_BYTES_LIMIT / npy_dtype_bytes(dtype))
        return why_fail(FGPU_E_LIMIT, why, why_bytes,
                        "an array of shape %s has too many elements; %zu bytes of %s are the limit",
                        npy_shape_text(&made, text, sizeof text), CLI_DATA_BYTES_LIMIT,
                        npy_dtype_name(dtype));
    made.size_bytes = (size_t)made.count * npy_dtype_bytes(dtype);
    *form = made;
    return FGPU_OK;
}

char *npy_shape_text(const struct npy_form *form, char *text, size_t text_bytes)
{
    size_t used = 0;

    (void)snprintf(text, text_bytes, "(");
    for (uint32_t i = 0; i < form->rank; i++) {
        used = strlen(text);
        (void)snprintf(text + used, text_bytes - used, "%s%" PRIu64, i > 0 ? ", " : "",
                       form->shape[i]);
    }
    used = strlen(text);
    (void)snprintf(text + used, text_bytes - used, form->rank == 1 ? ",)" : ")");
    return text;
}

void npy_array_fini(struct npy_array *array)
{
    if (!array)
        return;
    free(array->data);
    *array = (struct npy_array){0};
}

static fgpu_status npy_refuse_magic(const uint8_t *data, size_t size_bytes, char *why,
                                    size_t why_bytes)
{
    if (size_bytes == 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "the file is empty (0 bytes)");
    if (size_bytes >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                        "a ZIP archive (.npz, perhaps), not a .npy file; unpack it first");
    return why_fail(FGPU_E_INVAL, why, why_bytes,
                    "no .npy file: such a file begins with the bytes \\x93NUMPY");
}

/* Finds the header's text. [out] begin_bytes, text_bytes: where in the file it is. */
static fgpu_status npy_find_header(const uint8_t *data, size_t size_bytes, size_t *begin_bytes,
                                   size_t *text_bytes, char *why, size_t why_bytes)
{
    size_t magic_bytes = size_bytes < NPY_MAGIC_BYTES ? size_bytes : NPY_MAGIC_BYTES;

    if (magic_bytes == 0 || memcmp(data, NPY_MAGIC, magic_bytes) != 0)
        return npy_refuse_magic(data, size_bytes, why, why_bytes);
    if (size_bytes > NPY_MAGIC_BYTES + 1 && (data[6] < 1 || data[6] > 3 || data[7] != 0))
        return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                        "version %d.%d of the format; 1.0, 2.0 and 3.0 are known", data[6],
                        data[7]);
    bool is_short = size_bytes > NPY_MAGIC_BYTES && data[6] == 1;
    size_t length_bytes = is_short ? 2 : 4, length = 0;
    *begin_bytes = NPY_MAGIC_BYTES + 2 + length_bytes;
    if (size_bytes < *begin_bytes)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "the file ends after %zu bytes, before its header (cut short)", size_bytes);
    for (size_t i = length_bytes; i-- > 0;)
        length = length << 8 | data[NPY_MAGIC_BYTES + 2 + i];
    if (length > CLI_NPY_HEADER_BYTES_LIMIT)
        return why_fail(FGPU_E_LIMIT, why, why_bytes,
                        "a header of %zu bytes; %d are the limit, and plain arrays need 118",
                        length, CLI_NPY_HEADER_BYTES_LIMIT);
    if (length > size_bytes - *begin_bytes)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "a header of %zu bytes is announced, and %zu follow (cut short)", length,
                        size_bytes - *begin_bytes);
    *text_bytes = length;
    return FGPU_OK;
}

/* The file has exactly the elements that its header announces. */
static fgpu_status npy_check_size(const struct npy_form *form, size_t found_bytes, char *why,
                                  size_t why_bytes)
{
    char shape[128];

    if (found_bytes == form->size_bytes)
        return FGPU_OK;
    (void)npy_shape_text(form, shape, sizeof shape);
    if (found_bytes < form->size_bytes)
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "shape %s of %s needs %zu bytes, and %zu follow the header (cut short)",
                        shape, npy_dtype_name(form->dtype), form->size_bytes, found_bytes);
    return why_fail(FGPU_E_INVAL, why, why_bytes,
                    "shape %s of %s needs %zu bytes, and %zu follow the header: %zu too many",
                    shape, npy_dtype_name(form->dtype), form->size_bytes, found_bytes,
                    found_bytes - form->size_bytes);
}

/* Reads everything but the elements. [out] header, offset_bytes: where the elements begin. */
static fgpu_status npy_decode(const uint8_t *data, size_t size_bytes, struct npy_header *header,
                              size_t *offset_bytes, char *why, size_t why_bytes)
{
    size_t begin_bytes = 0, text_bytes = 0;

    fgpu_status status =
        npy_find_header(data, size_bytes, &begin_bytes, &text_bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status = npy_header_read((const char *)data + begin_bytes, text_bytes, header, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    *offset_bytes = begin_bytes + text_bytes;
    return npy_check_size(&header->form, size_bytes - *offset_bytes, why, why_bytes);
}

/* Turns every element around, in place. False where it was cut short. */
static bool npy_swap(uint8_t *data, const struct npy_form *form)
{
    size_t bytes = npy_dtype_bytes(form->dtype);

    for (size_t at = 0; at < form->size_bytes; at += bytes) {
        if (at % STOPPING_PIECE_BYTES == 0 && stopping_is_wanted())
            return false;
        for (size_t i = 0; i < bytes / 2; i++) {
            uint8_t kept = data[at + i];
            data[at + i] = data[at + bytes - 1 - i];
            data[at + bytes - 1 - i] = kept;
        }
    }
    return true;
}

/* Puts the file's name before the reason. */
static fgpu_status npy_name_failure(fgpu_status status, const char *name, const char *reason,
                                    char *why, size_t why_bytes)
{
    return why_fail(status, why, why_bytes, "%s: %s", name, reason);
}

fgpu_status npy_load_memory(const void *data, size_t size_bytes, const char *name,
                            struct npy_array *array, char *why, size_t why_bytes)
{
    char reason[CLI_WHY_BYTES] = "";
    struct npy_header header;
    size_t offset_bytes = 0;

    *array = (struct npy_array){0};
    fgpu_status status =
        npy_decode(data, size_bytes, &header, &offset_bytes, reason, sizeof reason);
    if (status != FGPU_OK)
        return npy_name_failure(status, name, reason, why, why_bytes);
    uint8_t *copy = malloc(header.form.size_bytes > 0 ? header.form.size_bytes : 1);
    if (!copy)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory for %zu bytes of elements",
                        name, header.form.size_bytes);
    memcpy(copy, (const uint8_t *)data + offset_bytes, header.form.size_bytes);
    if (header.is_swapped && !npy_swap(copy, &header.form)) {
        free(copy);
        return stopping_fail(name, why, why_bytes);
    }
    *array = (struct npy_array){header.form, copy};
    return FGPU_OK;
}

fgpu_status npy_load(const char *path, struct npy_array *array, char *why, size_t why_bytes)
{
    char reason[CLI_WHY_BYTES] = "";
    struct file_bytes bytes;
    struct npy_header header;
    size_t offset_bytes = 0;

    *array = (struct npy_array){0};
    fgpu_status status =
        file_read(path, CLI_DATA_BYTES_LIMIT + CLI_NPY_HEADER_BYTES_LIMIT, &bytes, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    status =
        npy_decode(bytes.data, bytes.size_bytes, &header, &offset_bytes, reason, sizeof reason);
    if (status != FGPU_OK) {
        file_bytes_fini(&bytes);
        return npy_name_failure(status, path, reason, why, why_bytes);
    }
    /* The elements move to the front of the memory that they are in: no second copy, and aligned.
     */
    memmove(bytes.data, bytes.data + offset_bytes, header.form.size_bytes);
    if (header.is_swapped && !npy_swap(bytes.data, &header.form)) {
        file_bytes_fini(&bytes);
        return stopping_fail(path, why, why_bytes);
    }
    *array = (struct npy_array){header.form, bytes.data};
    return FGPU_OK;
}

fgpu_status npy_encode_header(const struct npy_form *form, struct file_bytes *out, char *why,
                              size_t why_bytes)
{
    char shape[NPY_TEXT_BYTES], text[NPY_TEXT_BYTES + NPY_ALIGNMENT];
    uint8_t start[10] = NPY_MAGIC "\1";
    char order = npy_dtype_bytes(form->dtype) == 1 ? '|' : NPY_ORDER;

    size_t length = (size_t)snprintf(
        text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': %s, }", order,
        npy_dtype_name(form->dtype), npy_shape_text(form, shape, NPY_TEXT_BYTES - 64));
    while ((sizeof start + length + 1) % NPY_ALIGNMENT != 0)
        text[length++] = ' ';
    text[length++] = '\n';
    start[8] = (uint8_t)length;
    start[9] = (uint8_t)(length >> 8);
    if (!file_bytes_append(out, start, sizeof start) || !file_bytes_append(out, text, length))
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory for the header of a .npy file");
    return FGPU_OK;
}

fgpu_status npy_save(const char *path, const struct npy_form *form, const void *data, char *why,
                     size_t why_bytes)
{
    struct file_bytes header = {0};

    fgpu_status status = npy_encode_header(form, &header, why, why_bytes);
    if (status == FGPU_OK) {
        const struct file_part parts[] = {{header.data, header.size_bytes},
                                          {data, form->size_bytes}};
        status = file_replace_parts(path, parts, 2, why, why_bytes);
    }
    file_bytes_fini(&header);
    return status;
}
