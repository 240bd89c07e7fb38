/* The header of .npy files: see npy.h. The header is a Python literal, a dictionary of exactly the
 * keys descr, fortran_order and shape; the reader takes them in any order. */
#include "npy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_limits.h"
#include "why.h"

#define NPY_MAGIC "\x93NUMPY"
#define NPY_MAGIC_BYTES 6u
#define NPY_DESCR_BYTES 16

struct npy_reader {
    const char *at; /* closed by a 0 */
    struct npy *npy;
    bool has_descr, has_order, has_shape;
    char *why;
    size_t why_bytes;
};

static fgpu_status npy_damaged(struct npy_reader *reader, const char *wanted)
{
    return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                    "its header is damaged: %s is wanted before \"%.20s\"", wanted, reader->at);
}

static bool npy_take(struct npy_reader *reader, const char *text)
{
    size_t length = strlen(text);

    reader->at += strspn(reader->at, " \n");
    if (strncmp(reader->at, text, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* A text in single or double quotes without escapes. */
static bool npy_take_text(struct npy_reader *reader, char *out, size_t out_bytes)
{
    reader->at += strspn(reader->at, " \n");
    char quote = reader->at[0];
    if (quote != '\'' && quote != '"')
        return false;
    const char *end = strchr(reader->at + 1, quote);
    if (!end || (size_t)(end - reader->at) > out_bytes)
        return false;
    size_t length = (size_t)(end - reader->at) - 1;
    memcpy(out, reader->at + 1, length);
    out[length] = '\0';
    reader->at = end + 1;
    return true;
}

static fgpu_status npy_read_descr(struct npy_reader *reader)
{
    static const char *const descrs[ELEMENT_TYPES] = {
        [ELEMENT_INT8] = "i1",    [ELEMENT_UINT8] = "u1",  [ELEMENT_INT16] = "i2",
        [ELEMENT_UINT16] = "u2",  [ELEMENT_INT32] = "i4",  [ELEMENT_UINT32] = "u4",
        [ELEMENT_INT64] = "i8",   [ELEMENT_UINT64] = "u8", [ELEMENT_FLOAT32] = "f4",
        [ELEMENT_FLOAT64] = "f8",
    };
    char text[NPY_DESCR_BYTES];

    if (!npy_take_text(reader, text, sizeof text))
        return npy_damaged(reader, "one type name in quotes");
    const char *name = text[0] == '|' && strcmp(text, "|b1") == 0 ? "|u1" : text;
    bool is_one_byte = name[0] != '\0' && name[1] != '\0' && name[2] == '1';
    for (uint32_t i = 0; i < ELEMENT_TYPES; i++)
        if ((name[0] == '<' || (is_one_byte && name[0] == '|')) &&
            strcmp(name + 1, descrs[i]) == 0) {
            reader->npy->type = (enum element_type)i;
            return FGPU_OK;
        }
    return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                    "its element type is \"%s\"; whole and real numbers of 1 to 8 bytes, little "
                    "endian, are possible (no float16)",
                    text);
}

static fgpu_status npy_read_order(struct npy_reader *reader)
{
    if (npy_take(reader, "False"))
        return FGPU_OK;
    if (!npy_take(reader, "True"))
        return npy_damaged(reader, "True or False");
    return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                    "it is stored column by column; numpy.ascontiguousarray() makes it row by row");
}

static fgpu_status npy_read_shape(struct npy_reader *reader)
{
    struct npy *npy = reader->npy;

    if (!npy_take(reader, "("))
        return npy_damaged(reader, "(");
    while (!npy_take(reader, ")")) {
        char *end;
        if (npy->dims == NPY_DIMS)
            return why_fail(FGPU_E_LIMIT, reader->why, reader->why_bytes,
                            "it has more than %d axes", NPY_DIMS);
        if (*reader->at < '0' || *reader->at > '9')
            return npy_damaged(reader, "a length");
        errno = 0;
        unsigned long long length = strtoull(reader->at, &end, 10);
        if (errno || length == 0 || length > CLI_WORKLOAD_BYTES_LIMIT)
            return why_fail(FGPU_E_LIMIT, reader->why, reader->why_bytes,
                            "an axis has the length %.20s; 1 to 2^46 is possible", reader->at);
        npy->shape[npy->dims++] = length;
        reader->at = end;
        if (!npy_take(reader, ",") && reader->at[strspn(reader->at, " \n")] != ')')
            return npy_damaged(reader, "a comma or )");
    }
    if (npy->dims == 0)
        return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                        "it is a single number without an axis; numpy.atleast_1d() gives it one");
    return FGPU_OK;
}

/* One `key: value` of the dictionary. */
static fgpu_status npy_read_entry(struct npy_reader *reader)
{
    char key[NPY_DESCR_BYTES];

    if (!npy_take_text(reader, key, sizeof key) || !npy_take(reader, ":"))
        return npy_damaged(reader, "a key and a colon");
    if (strcmp(key, "descr") == 0 && !reader->has_descr) {
        reader->has_descr = true;
        return npy_read_descr(reader);
    }
    if (strcmp(key, "fortran_order") == 0 && !reader->has_order) {
        reader->has_order = true;
        return npy_read_order(reader);
    }
    if (strcmp(key, "shape") == 0 && !reader->has_shape) {
        reader->has_shape = true;
        return npy_read_shape(reader);
    }
    return npy_damaged(reader, "descr, fortran_order and shape, once each,");
}

static fgpu_status npy_read_literal(struct npy_reader *reader)
{
    if (!npy_take(reader, "{"))
        return npy_damaged(reader, "{");
    while (!npy_take(reader, "}")) {
        fgpu_status status = npy_read_entry(reader);
        if (status != FGPU_OK)
            return status;
        if (!npy_take(reader, ",") && *reader->at != '}')
            return npy_damaged(reader, "a comma or }");
    }
    if (!reader->has_descr || !reader->has_order || !reader->has_shape)
        return npy_damaged(reader, "descr, fortran_order and shape");
    return FGPU_OK;
}

static fgpu_status npy_check_size(struct npy *npy, uint64_t file_bytes, char *why, size_t why_bytes)
{
    uint64_t bytes = elements[npy->type].size_bytes;

    for (uint32_t i = 0; i < npy->dims; i++)
        if (__builtin_mul_overflow(bytes, npy->shape[i], &bytes) ||
            bytes > CLI_WORKLOAD_BYTES_LIMIT)
            return why_fail(FGPU_E_LIMIT, why, why_bytes, "its shape has more than 2^46 bytes");
    npy->data_bytes = bytes;
    if (file_bytes < npy->data_offset || file_bytes - npy->data_offset != bytes)
        return why_fail(
            FGPU_E_INVAL, why, why_bytes,
            "its header promises %llu bytes of data, the file has %llu", (unsigned long long)bytes,
            (unsigned long long)(file_bytes < npy->data_offset ? 0
                                                               : file_bytes - npy->data_offset));
    return FGPU_OK;
}

fgpu_status npy_read_header(const void *data, size_t size_bytes, uint64_t file_bytes,
                            struct npy *npy, char *why, size_t why_bytes)
{
    const unsigned char *bytes = data;

    *npy = (struct npy){0};
    if (size_bytes < 12 || memcmp(bytes, NPY_MAGIC, NPY_MAGIC_BYTES) != 0)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "it is no .npy file");
    if (bytes[6] < 1 || bytes[6] > 3)
        return why_fail(FGPU_E_UNSUPPORTED, why, why_bytes,
                        "it has format version %u; 1 to 3 are known", bytes[6]);
    size_t begin = bytes[6] == 1 ? 10 : 12;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > CLI_NPY_HEADER_BYTES_LIMIT - 12)
        return why_fail(FGPU_E_LIMIT, why, why_bytes, "its header has %zu bytes", length);
    if (length > size_bytes - begin)
        return why_fail(FGPU_E_INVAL, why, why_bytes, "it ends inside its header");
    char *text = strndup((const char *)bytes + begin, length);
    if (!text)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    struct npy_reader reader = {.at = text, .npy = npy, .why = why, .why_bytes = why_bytes};
    fgpu_status status = npy_read_literal(&reader);
    free(text);
    npy->data_offset = begin + length;
    return status == FGPU_OK ? npy_check_size(npy, file_bytes, why, why_bytes) : status;
}

fgpu_status npy_load_header(const char *path, struct npy *npy, char *why, size_t why_bytes)
{
    struct stat info;

    *npy = (struct npy){0};
    if (stat(path, &info) != 0)
        return why_fail(FGPU_E_IO, why, why_bytes, "it cannot be read: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return why_fail(FGPU_E_IO, why, why_bytes, "it is no plain file");
    FILE *file = fopen(path, "rb");
    char *data = malloc(CLI_NPY_HEADER_BYTES_LIMIT);
    if (!file || !data) {
        fgpu_status status = why_fail(file ? FGPU_E_NOMEM : FGPU_E_IO, why, why_bytes,
                                      "it cannot be read: %s", strerror(errno));
        free(data);
        if (file)
            (void)fclose(file);
        return status;
    }
    size_t got = fread(data, 1, CLI_NPY_HEADER_BYTES_LIMIT, file);
    (void)fclose(file);
    fgpu_status status = npy_read_header(data, got, (uint64_t)info.st_size, npy, why, why_bytes);
    free(data);
    return status;
}
