/* .npy files: headers against bytes written out by hand from the description of the format (NEP 1
 * and numpy.lib.format), every type and version, everything a file can have wrong, and NumPy itself
 * where it is installed. Files in memory end exactly where the file does, so that the address
 * sanitizer sees a read beyond the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/common/cli_limits.h"
#include "cli/image/npy.h"
#include "lib/npy_files.h"
#include "lib/temp_folder.h"

#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "

static char why[CLI_WHY_BYTES];

static fgpu_status load_bytes(const void *data, size_t size_bytes, struct npy_array *array)
{
    void *exact = malloc(size_bytes ? size_bytes : 1);

    assert_non_null(exact);
    memcpy(exact, data, size_bytes);
    why[0] = '\0';
    fgpu_status status = npy_load_memory(exact, size_bytes, "name", array, why, sizeof why);
    free(exact);
    if (status != FGPU_OK) {
        assert_null(array->data);
        assert_memory_equal(why, "name: ", 6);
    }
    return status;
}

/* A file of version `major` with this header and `data_bytes` bytes 1, 2, 3... behind it. */
static fgpu_status load_text(int major, const char *header, size_t data_bytes,
                             struct npy_array *array)
{
    struct file_bytes file = {0};

    npy_file_make(major, header, strlen(header), data_bytes, &file);
    fgpu_status status = load_bytes(file.data, file.size_bytes, array);
    file_bytes_fini(&file);
    return status;
}

static void expect_text(const char *header, size_t data_bytes, fgpu_status want, const char *text)
{
    struct npy_array array;
    fgpu_status status = load_text(1, header, data_bytes, &array);

    if (status != want || !strstr(why, text))
        fail_msg("%s: status %d instead of %d, text \"%s\" wants \"%s\"", header, status, want, why,
                 text);
    npy_array_fini(&array);
}

static void expect_header(enum npy_dtype dtype, uint32_t rank, const uint64_t *shape,
                          const char *want, size_t want_bytes)
{
    struct file_bytes out = {0};
    struct npy_form form;

    assert_int_equal(npy_form_init(&form, dtype, rank, shape, why, sizeof why), FGPU_OK);
    assert_int_equal(npy_encode_header(&form, &out, why, sizeof why), FGPU_OK);
    assert_int_equal(out.size_bytes, want_bytes);
    assert_memory_equal(out.data, want, want_bytes);
    file_bytes_fini(&out);
}

#define EIGHT "        "
#define FORTY EIGHT EIGHT EIGHT EIGHT EIGHT

/* Magic 6 + version 2 + length 2 + header 118 (0x76) = 128 = 2 * 64. */
static void test_headers_by_hand(void **state)
{
    static const char scalar[] =
        "\x93NUMPY\x01\x00\x76\x00"
        "{'descr': '|u1', 'fortran_order': False, 'shape': (), }" FORTY EIGHT EIGHT "      \n";
    static const char row[] =
        "\x93NUMPY\x01\x00\x76\x00"
        "{'descr': '<f8', 'fortran_order': False, 'shape': (7,), }" FORTY EIGHT EIGHT "    \n";
    static const char table[] =
        "\x93NUMPY\x01\x00\x76\x00"
        "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 100), }" FORTY EIGHT EIGHT "\n";
    /* 10 + 52 + 67 + 1 = 130 bytes: padded to 192 = 3 * 64, so 182 = 0xb6 for the header. */
    static const char deep[] =
        "\x93NUMPY\x01\x00\xb6\x00"
        "{'descr': '<f2', 'fortran_order': False, 'shape': "
        "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }" FORTY EIGHT EIGHT
        "      \n";
    uint64_t ones[22];

    (void)state;
    for (size_t i = 0; i < 22; i++)
        ones[i] = 1;
    expect_header(NPY_u1, 0, NULL, scalar, 128);
    expect_header(NPY_f8, 1, (const uint64_t[]){7}, row, 128);
    expect_header(NPY_i2, 2, (const uint64_t[]){3, 100}, table, 128);
    expect_header(NPY_f2, 22, ones, deep, 192);
}

/* The bytes 1, 2, 3, 4... as two numbers of each type, in both orders. */
static void test_types_and_orders(void **state)
{
    static const char *const names[] = {"u1", "i1", "u2", "i2", "u4", "i4",
                                        "u8", "i8", "f2", "f4", "f8"};
    struct npy_array array;
    char header[100];

    (void)state;
    assert_int_equal(sizeof names / sizeof names[0], NPY_DTYPE_COUNT);
    for (size_t t = 0; t < NPY_DTYPE_COUNT; t++) {
        size_t bytes = (size_t)(names[t][1] - '0');
        for (const char *order = "<>=_|"; *order; order++) {
            bool has_order = *order != '_';
            (void)snprintf(header, sizeof header,
                           "{'descr': '%.*s%s', 'fortran_order': False, 'shape': (2,), }\n",
                           has_order, order, names[t]);
            if (*order == '|' && bytes > 1) {
                expect_text(header, 2 * bytes, FGPU_E_INVAL, "has no byte order");
                continue;
            }
            assert_int_equal(load_text(1, header, 2 * bytes, &array), FGPU_OK);
            assert_int_equal(array.form.dtype, t);
            assert_string_equal(npy_dtype_name(array.form.dtype), names[t]);
            assert_int_equal(array.form.size_bytes, 2 * bytes);
            for (size_t i = 0; i < 2 * bytes; i++) {
                size_t from = *order == '>' ? i / bytes * bytes + bytes - 1 - i % bytes : i;
                assert_int_equal(array.data[i], 1 + from);
            }
            npy_array_fini(&array);
        }
    }
    assert_string_equal(npy_dtype_name(NPY_DTYPE_COUNT), "?");
    assert_int_equal(npy_dtype_bytes(NPY_DTYPE_COUNT), 0);
}

static void expect_shape(int major, const char *header, size_t data_bytes, const char *want)
{
    struct npy_array array;
    char text[200];

    if (load_text(major, header, data_bytes, &array) != FGPU_OK)
        fail_msg("%s: %s", header, why);
    assert_string_equal(npy_shape_text(&array.form, text, sizeof text), want);
    assert_int_equal(array.form.size_bytes, data_bytes);
    assert_int_equal(array.form.count, data_bytes / 4);
    npy_array_fini(&array);
}

/* Whatever Python's notation allows for the same dictionary. */
static void test_accepts(void **state)
{
    (void)state;
    for (int major = 1; major <= 3; major++) {
        expect_shape(major, HEAD "(), }\n", 4, "()");
        expect_shape(major, HEAD "(3,), }           \n", 12, "(3,)");
        expect_shape(major, HEAD "(3, 4), }\n", 48, "(3, 4)");
    }
    expect_shape(1, HEAD "(3,)}", 12, "(3,)"); /* nothing behind it, no comma */
    expect_shape(1, HEAD "(3, 4,), }", 48, "(3, 4)");
    expect_shape(1, HEAD "(3L, 4L), }\n", 48, "(3, 4)"); /* Python 2 */
    expect_shape(1, HEAD "(0,), }\n", 0, "(0,)");
    expect_shape(1, HEAD "(9223372036854775807, 0, 9223372036854775807), }", 0,
                 "(9223372036854775807, 0, 9223372036854775807)");
    expect_shape(1, HEAD "(9223372036854775807, 9223372036854775807, 0)}", 0,
                 "(9223372036854775807, 9223372036854775807, 0)");
    expect_shape(1, "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}", 8, "(2,)");
    expect_shape(1, " { 'fortran_order' : False , 'shape' : ( 2 , 1 ) ,\n 'descr' : '<f4' , } \n\t",
                 8, "(2, 1)");
}

static void test_refuses_fields(void **state)
{
    (void)state;
    expect_text(HEAD "(2,), 'x': 1}", 8, FGPU_E_INVAL, "it has the field 'x'");
    expect_text(HEAD "(2,), 'shape': (2,)}", 8, FGPU_E_INVAL, "the field 'shape' twice");
    expect_text("{'descr': '<f4', 'shape': (2,)}", 8, FGPU_E_INVAL, "no field 'fortran_order'");
    expect_text("{'fortran_order': False, 'shape': (2,)}", 8, FGPU_E_INVAL, "no field 'descr'");
    expect_text("{}", 8, FGPU_E_INVAL, "no field 'descr'");
    expect_text("{'descr': '<f4', 'fortran_order': False}", 8, FGPU_E_INVAL, "no field 'shape'");
    expect_text("", 0, FGPU_E_INVAL, "the header ends where a dictionary");
    expect_text("   \n", 0, FGPU_E_INVAL, "the header ends where a dictionary");
    expect_text("[1]", 0, FGPU_E_INVAL, "\"[1]\" stands where a dictionary");
    expect_text("{", 0, FGPU_E_INVAL, "the header ends where one of 'descr'");
    expect_text("{,}", 0, FGPU_E_INVAL, "\",}\" stands where one of 'descr'");
    expect_text("{descr: '<f4'}", 0, FGPU_E_INVAL, "\"descr: '<f4'}\" stands where one of");
    expect_text("{'descr", 0, FGPU_E_INVAL, "stands where one of");
    expect_text("{'descr' '<f4'}", 0, FGPU_E_INVAL, "where a colon is needed");
    expect_text("{'descr': '<f4' 'shape': ()}", 4, FGPU_E_INVAL, "where a comma or the closing");
    expect_text(HEAD "(2,)} x", 8, FGPU_E_INVAL, "header: \"x\" stands where its end is needed");
    expect_text(HEAD "(2,)", 8, FGPU_E_INVAL, "the header ends where a comma or the closing brace");
    expect_text("{'\xc3\xa4\x1b': 1}", 0, FGPU_E_INVAL,
                "the field '?"
                "?"
                "?'");
}

static void test_refuses_types(void **state)
{
    static const char *const types[] = {"|O",   "<c8",  "<U5", "|S3", "|b1",   "<f16", "<f1",
                                        "<u3",  "<M8",  "f",   "",    "<f",    "4f",   "!f4",
                                        "<f4 ", "<<f4", "<g4", "<i0", "<f4[s]"};
    char header[100];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char want[60];
        (void)snprintf(header, sizeof header,
                       "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}", types[i]);
        (void)snprintf(want, sizeof want, "descr: elements of type '%s' are not read; u1",
                       types[i]);
        expect_text(header, 8, FGPU_E_UNSUPPORTED, want);
    }
    expect_text("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8,
                FGPU_E_UNSUPPORTED, "descr: a structured type ([('x', '<f4')], 'fortran");
    expect_text("{'descr': 4, 'fortran_order': False, 'shape': (2,)}", 8, FGPU_E_INVAL,
                "where a type such as '<f4' is needed");
    expect_text("{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2,)}", 8, FGPU_E_INVAL,
                "where a type such as '<f4' is needed");
    expect_text("{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", 8, FGPU_E_UNSUPPORTED,
                "fortran_order: True is not read, only False");
    expect_text("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 8, FGPU_E_INVAL,
                "fortran_order: \"0, 'shape': (2,)}\" stands where True or False is needed");
    expect_text("{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (2,)}", 8, FGPU_E_INVAL,
                "where True or False is needed");
    /* A zero byte is no mark of an order. */
    struct npy_array array;
    struct file_bytes file = {0};
    char zero[] = "{'descr': '?f4', 'fortran_order': False, 'shape': (2,)}";
    *strchr(zero, '?') = '\0';
    npy_file_make(1, zero, sizeof zero - 1, 8, &file);
    assert_int_equal(load_bytes(file.data, file.size_bytes, &array), FGPU_E_UNSUPPORTED);
    file_bytes_fini(&file);
}

static void test_refuses_shapes(void **state)
{
    (void)state;
    expect_text(HEAD "(2)}", 8, FGPU_E_INVAL, "shape: (2) is a number; the tuple of one size is");
    expect_text(HEAD "2}", 8, FGPU_E_INVAL, "where a tuple such as (3, 4) is needed");
    expect_text(HEAD "[2]}", 8, FGPU_E_INVAL, "where a tuple such as (3, 4) is needed");
    expect_text(HEAD "(-2,)}", 8, FGPU_E_INVAL, "\"-2,)}\" stands where a size");
    expect_text(HEAD "(2.5,)}", 8, FGPU_E_INVAL, "\"2.5,)}\" stands where a size");
    expect_text(HEAD "(0x2,)}", 8, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(02,)}", 8, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(2LL,)}", 8, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(,)}", 4, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(2,,)}", 8, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(True,)}", 4, FGPU_E_INVAL, "where a size");
    expect_text(HEAD "(2 3)}", 24, FGPU_E_INVAL, "where a comma or the closing bracket");
    expect_text(HEAD "(2", 8, FGPU_E_INVAL, "header ends where a comma or the closing bracket");
    expect_text(HEAD "(2,", 8, FGPU_E_INVAL, "the header ends where a size");
    expect_text(HEAD "(9223372036854775808,)}", 8, FGPU_E_INVAL, "is above 9223372036854775807");
    expect_text(HEAD "(99999999999999999999999999,)}", 8, FGPU_E_INVAL, "is above");
    expect_text(HEAD "(2, 3)}", 23, FGPU_E_INVAL,
                "shape (2, 3) of f4 needs 24 bytes, and 23 follow the header (cut short)");
    expect_text(HEAD "(2, 3)}", 25, FGPU_E_INVAL,
                "shape (2, 3) of f4 needs 24 bytes, and 25 follow the header: 1 too many");
    expect_text(HEAD "(0,)}", 3, FGPU_E_INVAL, "3 too many");
}

/* Products that leave 64 bits, also those that come back to what the file has. */
static void test_refuses_overflow(void **state)
{
    (void)state;
    expect_text(HEAD "(4294967296, 4294967296)}", 0, FGPU_E_LIMIT,
                "shape (4294967296, 4294967296) has too many elements; 4294967296 bytes of f4");
    expect_text(HEAD "(4611686018427387904,)}", 0, FGPU_E_LIMIT, "too many elements");
    expect_text(HEAD "(4611686018427387905,)}", 4, FGPU_E_LIMIT, "too many elements");
    expect_text(HEAD "(8589934593, 8589934593)}", 4, FGPU_E_LIMIT, "too many elements");
    expect_text(HEAD "(1073741825,)}", 8, FGPU_E_LIMIT, "too many elements");
    expect_text(HEAD "(1073741824,)}", 8, FGPU_E_INVAL, "needs 4294967296 bytes, and 8 follow");
}

static void test_limits(void **state)
{
    struct file_bytes file = {0};
    struct npy_array array;
    uint64_t shape[33] = {0};
    struct npy_form form;
    char header[300];

    (void)state;
    for (uint32_t rank = 32; rank <= 33; rank++) {
        size_t used = (size_t)snprintf(header, sizeof header, HEAD "(");
        for (uint32_t i = 0; i < rank; i++)
            used += (size_t)snprintf(header + used, sizeof header - used, "1,");
        (void)snprintf(header + used, sizeof header - used, ")}");
        fgpu_status status = load_text(1, header, 4, &array);
        assert_int_equal(status, rank == 32 ? FGPU_OK : FGPU_E_LIMIT);
        npy_array_fini(&array);
    }
    assert_non_null(strstr(why, "shape: it has more than 32 sizes"));
    assert_int_equal(npy_form_init(&form, NPY_f4, 33, shape, why, sizeof why), FGPU_E_LIMIT);
    assert_non_null(strstr(why, "33 dimensions"));
    shape[1] = (uint64_t)INT64_MAX + 1;
    assert_int_equal(npy_form_init(&form, NPY_f4, 2, shape, why, sizeof why), FGPU_E_LIMIT);
    assert_non_null(strstr(why, "size 9223372036854775808 in dimension 2"));
    assert_int_equal(npy_form_init(&form, NPY_DTYPE_COUNT, 0, NULL, why, sizeof why), FGPU_E_INVAL);

    size_t text_bytes = CLI_NPY_HEADER_BYTES_LIMIT;
    char *text = malloc(text_bytes + 1);
    assert_non_null(text);
    memset(text, ' ', text_bytes + 1);
    memcpy(text, HEAD "(1,)}", strlen(HEAD "(1,)}"));
    for (size_t more = 0; more < 2; more++) {
        npy_file_make(2, text, text_bytes + more, 4, &file);
        assert_int_equal(load_bytes(file.data, file.size_bytes, &array),
                         more ? FGPU_E_LIMIT : FGPU_OK);
        npy_array_fini(&array);
        file_bytes_fini(&file);
    }
    assert_non_null(strstr(why, "a header of 65537 bytes; 65536 are the limit"));
    free(text);
}

static void expect_bytes(const char *data, size_t size_bytes, fgpu_status want, const char *text)
{
    struct npy_array array;
    fgpu_status status = load_bytes(data, size_bytes, &array);

    if (status != want || !strstr(why, text))
        fail_msg("status %d instead of %d, text \"%s\" wants \"%s\"", status, want, why, text);
}

static void test_refuses_files(void **state)
{
    struct npy_array array;

    (void)state;
    expect_bytes("", 0, FGPU_E_INVAL, "the file is empty (0 bytes)");
    expect_bytes("\x89PNG\r\n", 6, FGPU_E_INVAL, "no .npy file");
    expect_bytes("PK\3\4....", 8, FGPU_E_UNSUPPORTED, ".npz");
    expect_bytes("\x93NUM", 4, FGPU_E_INVAL, "ends after 4 bytes, before its header");
    expect_bytes("\x93NUMPY\1", 7, FGPU_E_INVAL, "ends after 7 bytes");
    expect_bytes("\x93NUMPY\0\0\1\0{", 11, FGPU_E_UNSUPPORTED, "version 0.0");
    expect_bytes("\x93NUMPY\4\0\1\0{", 11, FGPU_E_UNSUPPORTED, "version 4.0");
    expect_bytes("\x93NUMPY\1\1\1\0{", 11, FGPU_E_UNSUPPORTED, "version 1.1 of the format; 1.0");
    expect_bytes("\x93NUMPY\1\0\5\0{}", 12, FGPU_E_INVAL,
                 "a header of 5 bytes is announced, and 2 follow");
    expect_bytes("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, FGPU_E_LIMIT, "a header of 4294967295");
    expect_bytes("\x93NUMPY\3\0\1\0\0", 11, FGPU_E_INVAL, "ends after 11 bytes");
    assert_int_equal(npy_load(temp_folder_path("none.npy"), &array, why, sizeof why), FGPU_E_IO);
    assert_non_null(strstr(why, "none.npy: cannot be opened: No such file"));
    assert_int_equal(npy_load(temp_folder_path(""), &array, NULL, 0), FGPU_E_IO);
    assert_null(array.data);
    npy_array_fini(&array);
    npy_array_fini(NULL);
}

/* Every cut, one byte more, and every byte wrong in three ways: refused or an array of the size
 * that its form says. */
static void test_cut_and_damaged(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct file_bytes file = {0};
    struct npy_array array;
    size_t refused = 0;

    (void)state;
    npy_file_make(1, HEAD "(2, 3), }\n", strlen(HEAD "(2, 3), }\n"), 24, &file);
    for (size_t size = 0; size < file.size_bytes; size++)
        if (load_bytes(file.data, size, &array) != FGPU_E_INVAL)
            fail_msg("%zu of %zu bytes: %s", size, file.size_bytes, why);
    for (size_t at = 0; at < file.size_bytes; at++)
        for (size_t c = 0; c < 3; c++) {
            file.data[at] ^= changes[c];
            if (load_bytes(file.data, file.size_bytes, &array) == FGPU_OK)
                assert_int_equal(array.form.size_bytes, 24);
            else
                refused++;
            npy_array_fini(&array);
            file.data[at] ^= changes[c];
        }
    /* All of the header but few of its bytes: '<' to '=', spaces. */
    assert_true(refused > 3 * (file.size_bytes - 24) - 10);
    file_bytes_fini(&file);
}

static void test_round_trip(void **state)
{
    static const struct {
        uint32_t rank;
        uint64_t shape[3];
    } shapes[] = {{0, {0}}, {1, {5}}, {1, {0}}, {2, {3, 4}}, {3, {2, 0, 3}}, {3, {2, 3, 4}}};
    uint8_t data[24 * 8];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 1);
    for (int dtype = 0; dtype < NPY_DTYPE_COUNT; dtype++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            struct npy_array array;
            struct npy_form form;
            assert_int_equal(npy_form_init(&form, (enum npy_dtype)dtype, shapes[s].rank,
                                           shapes[s].shape, why, sizeof why),
                             FGPU_OK);
            assert_int_equal(npy_save(temp_folder_path("a.npy"), &form, data, why, sizeof why),
                             FGPU_OK);
            assert_int_equal(npy_load(temp_folder_path("a.npy"), &array, why, sizeof why), FGPU_OK);
            assert_memory_equal(&array.form, &form, sizeof form);
            assert_memory_equal(array.data, data, form.size_bytes);
            assert_int_equal((uintptr_t)array.data % 8, 0);
            npy_array_fini(&array);
        }
}

/* npy_load() on a big-endian file with an odd header, through the file. */
static void test_load_swaps(void **state)
{
    static const char header[] = "{'descr': '>u2', 'fortran_order': False, 'shape': (3,)}";
    static const uint16_t want[] = {0x0102, 0x0304, 0x0506};
    struct file_bytes file = {0};
    struct npy_array array;

    (void)state;
    npy_file_make(1, header, strlen(header), 6, &file);
    assert_int_equal(file_replace(temp_folder_path("b.npy"), file.data, file.size_bytes, NULL, 0),
                     0);
    assert_int_equal(npy_load(temp_folder_path("b.npy"), &array, why, sizeof why), FGPU_OK);
    assert_memory_equal(array.data, want, 6);
    npy_array_fini(&array);
    assert_int_equal(
        file_replace(temp_folder_path("b.npy"), file.data, file.size_bytes - 1, NULL, 0), 0);
    assert_int_equal(npy_load(temp_folder_path("b.npy"), &array, why, sizeof why), FGPU_E_INVAL);
    assert_non_null(strstr(why, "b.npy: shape (3,) of u2 needs 6 bytes, and 5 follow"));
    assert_null(array.data);
    file_bytes_fini(&file);
}

/* What cannot be written leaves the old file whole and nothing else behind. */
static void test_save_refuses(void **state)
{
    static const float data[1000] = {1};
    const uint64_t shape = 1000, two = 2;
    struct npy_array array;
    struct npy_form form, small;

    (void)state;
    assert_int_equal(npy_form_init(&form, NPY_f4, 1, &shape, why, sizeof why), FGPU_OK);
    assert_int_equal(npy_form_init(&small, NPY_f4, 1, &two, why, sizeof why), FGPU_OK);
    assert_int_equal(npy_save(temp_folder_path("none/x.npy"), &form, data, why, sizeof why),
                     FGPU_E_IO);
    assert_int_equal(npy_save(temp_folder_path("c.npy"), &small, data, why, sizeof why), FGPU_OK);
    size_t before = temp_folder_count();
    temp_folder_fill_disk(2000);
    assert_int_equal(npy_save(temp_folder_path("c.npy"), &form, data, why, sizeof why), FGPU_E_IO);
    temp_folder_empty_disk();
    assert_non_null(strstr(why, "c.npy: cannot be written (4128 bytes)"));
    assert_int_equal(temp_folder_count(), before);
    assert_int_equal(npy_load(temp_folder_path("c.npy"), &array, why, sizeof why), FGPU_OK);
    assert_int_equal(array.form.count, 2);
    npy_array_fini(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_by_hand),  cmocka_unit_test(test_types_and_orders),
        cmocka_unit_test(test_accepts),          cmocka_unit_test(test_refuses_fields),
        cmocka_unit_test(test_refuses_types),    cmocka_unit_test(test_refuses_shapes),
        cmocka_unit_test(test_refuses_overflow), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_refuses_files),    cmocka_unit_test(test_cut_and_damaged),
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_load_swaps),
        cmocka_unit_test(test_save_refuses),
    };

    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
