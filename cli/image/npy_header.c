/* Reading the header of a .npy file: see npy_header.h.
 *
 * Of Python's notation just what NumPy has written there since 2007 is understood: strings in
 * single or double quotes without escapes, True and False, tuples of whole numbers (with the L that
 * Python 2 put behind some), spaces anywhere between them, a comma after the last. The keys may
 * come in any order ("a reader MUST NOT depend on this", numpy.lib.format). One pass, no recursion,
 * no allocation; owns nothing.
 */
#include "cli/image/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/common/why.h"

#define NPY_TYPES "u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8"
#define NPY_SHOWN_BYTES 24

/* A string inside the header. [borrow] */
struct npy_span {
    const char *text;
    size_t length;
};

struct npy_reader {
    const char *at;
    const char *end;
    char *why;
    size_t why_bytes;
    char shown[NPY_SHOWN_BYTES + 4];
};

/* The three fields; a field that has not come yet is not there. */
struct npy_fields {
    bool has_descr, has_order, has_shape;
    bool is_swapped;
    enum npy_dtype dtype;
    uint32_t rank;
    uint64_t shape[CLI_NPY_DIMENSIONS_LIMIT];
};

static bool npy_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool npy_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void npy_skip_spaces(struct npy_reader *reader)
{
    while (reader->at < reader->end && npy_is_space(*reader->at))
        reader->at++;
}

/* Some bytes for a sentence: what is not printable ASCII becomes '?'. */
static const char *npy_show(struct npy_reader *reader, const char *text, size_t length)
{
    size_t shown = length < NPY_SHOWN_BYTES ? length : NPY_SHOWN_BYTES;

    for (size_t i = 0; i < shown; i++)
        reader->shown[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    (void)snprintf(reader->shown + shown, 4, "%s", length > shown ? "..." : "");
    return reader->shown;
}

/* What stands at the reader, up to the header's last byte that is no space. */
static const char *npy_show_rest(struct npy_reader *reader)
{
    const char *end = reader->end;

    while (end > reader->at && npy_is_space(end[-1]))
        end--;
    return npy_show(reader, reader->at, (size_t)(end - reader->at));
}

static fgpu_status npy_expected(struct npy_reader *reader, const char *field, const char *what)
{
    npy_skip_spaces(reader);
    if (reader->at == reader->end)
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "%s: the header ends where %s is needed", field, what);
    return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                    "%s: \"%s\" stands where %s is needed", field, npy_show_rest(reader), what);
}

/* Takes one character, after any spaces, if it is the next. */
static bool npy_take(struct npy_reader *reader, char c)
{
    npy_skip_spaces(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* Takes a word, if it is the next and ends there. */
static bool npy_take_word(struct npy_reader *reader, const char *word)
{
    size_t length = strlen(word), left = (size_t)(reader->end - reader->at);

    if (left < length || memcmp(reader->at, word, length) != 0)
        return false;
    if (left > length && !npy_is_space(reader->at[length]) && reader->at[length] != ',' &&
        reader->at[length] != '}')
        return false;
    reader->at += length;
    return true;
}

static fgpu_status npy_read_string(struct npy_reader *reader, const char *field, const char *what,
                                   struct npy_span *span)
{
    npy_skip_spaces(reader);
    const char *start = reader->at;
    if (start == reader->end || (*start != '\'' && *start != '"'))
        return npy_expected(reader, field, what);
    const char *end = memchr(start + 1, *start, (size_t)(reader->end - start - 1));
    if (!end || memchr(start, '\\', (size_t)(end - start)))
        return npy_expected(reader, field, what);
    *span = (struct npy_span){start + 1, (size_t)(end - start - 1)};
    reader->at = end + 1;
    return FGPU_OK;
}

static fgpu_status npy_refuse_type(struct npy_reader *reader, const struct npy_span *span)
{
    return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                    "descr: elements of type '%s' are not read; " NPY_TYPES
                    " with < or > before them are (astype() in NumPy converts)",
                    npy_show(reader, span->text, span->length));
}

static fgpu_status npy_read_descr(struct npy_reader *reader, struct npy_fields *fields)
{
    static const char orders[4] = {'<', '>', '|', '='};
    struct npy_span span = {"", 0};
    char order = NPY_ORDER;

    npy_skip_spaces(reader);
    if (reader->at < reader->end && (*reader->at == '[' || *reader->at == '('))
        return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                        "descr: a structured type (%s) is not read; save its fields one by one",
                        npy_show_rest(reader));
    fgpu_status status = npy_read_string(reader, "descr", "a type such as '<f4'", &span);
    if (status != FGPU_OK)
        return status;
    struct npy_span type = span;
    if (span.length == 3) {
        order = span.text[0];
        type = (struct npy_span){span.text + 1, 2};
    }
    /* No mark, or =, is the order of the machine that reads. */
    if (type.length != 2 || !memchr(orders, order, sizeof orders))
        return npy_refuse_type(reader, &span);
    fields->dtype = NPY_DTYPE_COUNT;
    for (int dtype = 0; dtype < NPY_DTYPE_COUNT; dtype++)
        if (memcmp(type.text, npy_dtype_name((enum npy_dtype)dtype), 2) == 0)
            fields->dtype = (enum npy_dtype)dtype;
    if (fields->dtype == NPY_DTYPE_COUNT)
        return npy_refuse_type(reader, &span);
    if (order == '|' && npy_dtype_bytes(fields->dtype) > 1)
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "descr: '%s' has no byte order; elements of %zu bytes need < or >",
                        npy_show(reader, span.text, span.length), npy_dtype_bytes(fields->dtype));
    fields->is_swapped = order == NPY_OTHER_ORDER;
    return FGPU_OK;
}

static fgpu_status npy_read_order(struct npy_reader *reader)
{
    npy_skip_spaces(reader);
    if (npy_take_word(reader, "False"))
        return FGPU_OK;
    if (npy_take_word(reader, "True"))
        return why_fail(FGPU_E_UNSUPPORTED, reader->why, reader->why_bytes,
                        "fortran_order: True is not read, only False (C order); "
                        "numpy.ascontiguousarray() converts");
    return npy_expected(reader, "fortran_order", "True or False");
}

/* A whole number from 0 to 2^63 - 1, the largest size that NumPy has. */
static fgpu_status npy_read_size(struct npy_reader *reader, uint64_t *size)
{
    static const char what[] = "a size (a whole number from 0)";

    npy_skip_spaces(reader);
    const char *start = reader->at, *at = start;
    uint64_t value = 0;
    for (; at < reader->end && npy_is_digit(*at); at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value) || value > INT64_MAX)
            return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                            "shape: the size \"%s\" is above %" PRId64 ", the largest",
                            npy_show_rest(reader), INT64_MAX);
    if (at == start || (*start == '0' && at > start + 1))
        return npy_expected(reader, "shape", what);
    if (at < reader->end && *at == 'L')
        at++;
    if (at < reader->end && !npy_is_space(*at) && *at != ',' && *at != ')')
        return npy_expected(reader, "shape", what);
    reader->at = at;
    *size = value;
    return FGPU_OK;
}

static fgpu_status npy_read_shape(struct npy_reader *reader, struct npy_fields *fields)
{
    bool has_comma = true;

    if (!npy_take(reader, '('))
        return npy_expected(reader, "shape", "a tuple such as (3, 4)");
    fields->rank = 0;
    while (!npy_take(reader, ')')) {
        if (!has_comma)
            return npy_expected(reader, "shape", "a comma or the closing bracket");
        if (fields->rank == CLI_NPY_DIMENSIONS_LIMIT)
            return why_fail(FGPU_E_LIMIT, reader->why, reader->why_bytes,
                            "shape: it has more than %d sizes, the limit",
                            CLI_NPY_DIMENSIONS_LIMIT);
        fgpu_status status = npy_read_size(reader, &fields->shape[fields->rank]);
        if (status != FGPU_OK)
            return status;
        fields->rank++;
        has_comma = npy_take(reader, ',');
    }
    if (fields->rank == 1 && !has_comma)
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "shape: (%" PRIu64 ") is a number; the tuple of one size is (%" PRIu64 ",)",
                        fields->shape[0], fields->shape[0]);
    return FGPU_OK;
}

static bool npy_is(const struct npy_span *span, const char *text)
{
    return span->length == strlen(text) && memcmp(span->text, text, span->length) == 0;
}

/* One `key: value`. */
static fgpu_status npy_read_field(struct npy_reader *reader, struct npy_fields *fields)
{
    struct npy_span key = {"", 0};

    fgpu_status status =
        npy_read_string(reader, "header", "one of 'descr', 'fortran_order', 'shape'", &key);
    if (status != FGPU_OK)
        return status;
    bool is_descr = npy_is(&key, "descr"), is_order = npy_is(&key, "fortran_order");
    if (!is_descr && !is_order && !npy_is(&key, "shape"))
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "header: it has the field '%s'; descr, fortran_order and shape are all "
                        "that the format has",
                        npy_show(reader, key.text, key.length));
    bool *has = is_descr ? &fields->has_descr : is_order ? &fields->has_order : &fields->has_shape;
    if (*has)
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "header: it has the field '%s' twice; once is right",
                        npy_show(reader, key.text, key.length));
    *has = true;
    if (!npy_take(reader, ':'))
        return npy_expected(reader, "header", "a colon");
    if (is_descr)
        return npy_read_descr(reader, fields);
    return is_order ? npy_read_order(reader) : npy_read_shape(reader, fields);
}

static fgpu_status npy_read_fields(struct npy_reader *reader, struct npy_fields *fields)
{
    bool has_comma = true;

    if (!npy_take(reader, '{'))
        return npy_expected(reader, "header", "a dictionary, which begins with {,");
    while (!npy_take(reader, '}')) {
        if (!has_comma)
            return npy_expected(reader, "header", "a comma or the closing brace");
        fgpu_status status = npy_read_field(reader, fields);
        if (status != FGPU_OK)
            return status;
        has_comma = npy_take(reader, ',');
    }
    npy_skip_spaces(reader);
    if (reader->at < reader->end)
        return npy_expected(reader, "header", "its end");
    const char *missing = !fields->has_descr   ? "descr"
                          : !fields->has_order ? "fortran_order"
                          : !fields->has_shape ? "shape"
                                               : NULL;
    if (missing)
        return why_fail(FGPU_E_INVAL, reader->why, reader->why_bytes,
                        "header: it has no field '%s'; descr, fortran_order and shape are needed",
                        missing);
    return FGPU_OK;
}

fgpu_status npy_header_read(const char *text, size_t length, struct npy_header *header, char *why,
                            size_t why_bytes)
{
    struct npy_reader reader = {text, text + length, why, why_bytes, ""};
    struct npy_fields fields = {0};

    fgpu_status status = npy_read_fields(&reader, &fields);
    if (status != FGPU_OK)
        return status;
    header->is_swapped = fields.is_swapped;
    return npy_form_init(&header->form, fields.dtype, fields.rank, fields.shape, why, why_bytes);
}
