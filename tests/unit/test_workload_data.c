/* What is put into buffers: pictures with their channels converted and rows apart, arrays, raw
 * bytes, values, patterns, and random numbers against the published outputs of SplitMix64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/common/file.h"
#include "cli/image/image.h"
#include "cli/image/npy.h"
#include "cli/workload/workload_data.h"

#define TASKS                                                                                      \
    "}, \"kernels\": {\"k\": {\"filter\": \"grey\"}}, \"tasks\": [{\"kernel\": \"k\", \"args\": {" \
    "\"src\": \"p\", \"dst\": \"g\"}}]}"
#define HEAD                                                                                       \
    "{\"fastgpu\": 1, \"buffers\": {\"p\": {\"picture\": {\"width\": 4, \"height\": 2}}, "         \
    "\"g\": {\"like\": \"p\", \"channels\": 1}, "

static char folder[64];
static struct workload workload;
static struct workload_data data;

static void load(const char *buffers)
{
    char text[4096], why[CLI_WHY_BYTES] = "";

    (void)snprintf(text, sizeof text, HEAD "%s" TASKS, buffers);
    if (workload_parse(text, strlen(text), folder, NULL, &workload) != FGPU_OK)
        fail_msg("%s: %s: %s", text, workload.mistakes->path, workload.mistakes->text);
    if (workload_data_init(&data, &workload, NULL, why, sizeof why) != FGPU_OK)
        fail_msg("%s: %s", text, why);
}

static void unload(void)
{
    workload_data_fini(&data);
    workload_fini(&workload);
}

static const char *name_of(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int set_up(void **state)
{
    static const uint16_t table[6] = {1, 2, 3, 40000, 5, 6};
    struct npy_form form;
    struct image image;

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/fastgpu-data-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    if (image_init(&image, 2, 2, 3, NULL, 0) != FGPU_OK)
        return -1;
    for (uint8_t i = 0; i < 12; i++)
        image.pixels[i] = (uint8_t)(10 * i);
    fgpu_status status = image_save(name_of("p.png"), &image, NULL, 0);
    image_fini(&image);
    if (status != FGPU_OK ||
        npy_form_init(&form, NPY_u2, 2, (const uint64_t[2]){2, 3}, NULL, 0) != FGPU_OK ||
        npy_save(name_of("t.npy"), &form, table, NULL, 0) != FGPU_OK ||
        file_replace(name_of("r.bin"), table, sizeof table, NULL, 0) != FGPU_OK)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(name_of("p.png"));
    (void)unlink(name_of("t.npy"));
    (void)unlink(name_of("r.bin"));
    return rmdir(folder);
}

static void test_pictures(void **state)
{
    (void)state;
    load("\"a\": {\"image\": \"p.png\"}, \"b\": {\"image\": \"p.png\", \"channels\": 4}, "
         "\"c\": {\"image\": \"p.png\", \"channels\": 1}");
    const unsigned char *a = data.memory[2], *b = data.memory[3], *c = data.memory[4];
    assert_null(data.memory[0]);
    assert_int_equal(workload.buffers[2].pitch, 512);
    assert_int_equal(a[5], 50);
    assert_int_equal(a[6], 0); /* between rows */
    assert_int_equal(a[511], 0);
    assert_int_equal(a[512], 60);
    assert_int_equal(a[512 + 5], 110);
    assert_int_equal(b[4], 30);
    assert_int_equal(b[7], 255);
    assert_int_equal(b[512 + 2], 80);
    /* (77 R + 150 G + 29 B + 128) / 256 */
    assert_int_equal(c[1], (77 * 30 + 150 * 40 + 29 * 50 + 128) / 256);
    assert_int_equal(c[2], 0);
    unsigned char packed[12];
    workload_data_pack(&workload.buffers[2], a, packed);
    for (uint8_t i = 0; i < 12; i++)
        assert_int_equal(packed[i], 10 * i);
    unload();
}

static void test_files(void **state)
{
    static const uint16_t table[6] = {1, 2, 3, 40000, 5, 6};

    (void)state;
    load("\"a\": {\"npy\": \"t.npy\"}, \"b\": {\"npy\": \"t.npy\", \"pitch\": 5}, "
         "\"c\": {\"raw\": \"r.bin\", \"type\": \"uint16\"}, "
         "\"d\": {\"raw\": \"r.bin\", \"shape\": [3, 4], \"pitch\": 7, \"type\": \"uint8\"}");
    assert_memory_equal(data.memory[2], table, sizeof table);
    assert_memory_equal(data.memory[3], table, 6);
    assert_memory_equal(data.memory[3] + 10, table + 3, 6);
    assert_int_equal(data.memory[3][6] + data.memory[3][9] + data.memory[3][19], 0);
    assert_memory_equal(data.memory[4], table, sizeof table);
    assert_memory_equal(data.memory[5] + 7, (const unsigned char *)table + 4, 4);
    assert_int_equal(data.memory[5][4] + data.memory[5][13], 0);
    assert_int_equal(workload_data_rows(&workload.buffers[5]), 3);
    assert_int_equal(workload_data_row_bytes(&workload.buffers[5]), 4);
    assert_true(workload_data_equal(&workload.buffers[5], data.memory[5], data.memory[5]));
    unsigned char other[21];
    memcpy(other, data.memory[5], sizeof other);
    other[4] = 1; /* between rows */
    assert_true(workload_data_equal(&workload.buffers[5], data.memory[5], other));
    other[14]++;
    assert_false(workload_data_equal(&workload.buffers[5], data.memory[5], other));
    unload();
}

/* A file that has become another since the workload was read. */
static void test_changed_files(void **state)
{
    static const char *const buffers[] = {"\"a\": {\"npy\": \"t.npy\"}",
                                          "\"a\": {\"raw\": \"r.bin\", \"type\": \"uint16\"}",
                                          "\"a\": {\"image\": \"p.png\"}"};
    char why[CLI_WHY_BYTES];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        load(buffers[i]);
        workload_data_fini(&data);
        workload.buffers[2].shape[0]++;
        assert_int_equal(workload_data_init(&data, &workload, NULL, why, sizeof why), FGPU_E_INVAL);
        assert_non_null(strstr(why, "$.buffers.a: "));
        assert_null(data.memory);
        workload.buffers[2].path = "missing";
        assert_int_not_equal(workload_data_init(&data, &workload, NULL, why, sizeof why), FGPU_OK);
        assert_non_null(strstr(why, "missing"));
        unload();
    }
}

static void test_values(void **state)
{
    static const int16_t values[6] = {1, -2, 3, 4, 5, 6};
    static const float ones[7] = {1, 1, 1, 1, 1, 1, 1};

    (void)state;
    load("\"a\": {\"values\": [1, -2, 3, 4, 5, 6], \"shape\": [2, 3], \"pitch\": 4, "
         "\"type\": \"int16\"}, \"b\": {\"fill\": 1, \"shape\": 7, \"type\": \"float32\"}, "
         "\"c\": {\"fill\": [1, 2, 3, 4], \"shape\": [2, 6], \"pitch\": 8, \"type\": \"uint8\"}");
    assert_memory_equal(data.memory[2], values, 6);
    assert_memory_equal(data.memory[2] + 8, values + 3, 6);
    assert_memory_equal(data.memory[3], ones, sizeof ones);
    assert_memory_equal(data.memory[4], "\1\2\3\4\1\2\0\0\1\2\3\4\1\2\0\0", 16);
    unload();
}

/* The first five outputs for the seed 1234567, as they are published (Rosetta Code, "Pseudo-random
 * numbers/Splitmix64"). */
static const uint64_t splitmix[5] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                     UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                     UINT64_C(16408922859458223821)};

static void test_random(void **state)
{
    (void)state;
    load("\"a\": {\"random\": {\"seed\": 1234567}, \"shape\": 5, \"type\": \"uint64\"}, "
         "\"b\": {\"random\": {\"seed\": 1234567}, \"shape\": 5, \"type\": \"float64\"}, "
         "\"c\": {\"random\": {\"seed\": 1234567, \"from\": -1, \"to\": 1}, \"shape\": [2, 2], "
         "\"pitch\": 3, \"type\": \"float32\"}, "
         "\"d\": {\"random\": {\"seed\": 1234567, \"from\": -5, \"to\": 5}, \"shape\": 5, "
         "\"type\": \"int8\"}");
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t whole;
        double real;
        memcpy(&whole, data.memory[2] + i * 8, 8);
        memcpy(&real, data.memory[3] + i * 8, 8);
        assert_true(whole == splitmix[i] >> 11); /* z * 2^53 / 2^64 */
        assert_true(real == (double)(splitmix[i] >> 11) / 9007199254740992.0);
        int8_t small = (int8_t)data.memory[5][i];
        double share = (double)splitmix[i] / 18446744073709551616.0 * 10.0 - 5.0;
        assert_true(small <= share && share < small + 1);
    }
    float first, third;
    memcpy(&first, data.memory[4], 4);
    memcpy(&third, data.memory[4] + 12, 4); /* the second row */
    double u = (double)(splitmix[0] >> 11) / 9007199254740992.0;
    assert_true(first == (float)(-1.0 * (1.0 - u) + 1.0 * u));
    u = (double)(splitmix[2] >> 11) / 9007199254740992.0;
    assert_true(third == (float)(-1.0 * (1.0 - u) + 1.0 * u));
    unload();
}

/* Bounds hold where rounding leads beyond them. */
static void test_random_bounds(void **state)
{
    (void)state;
    load("\"a\": {\"random\": {\"seed\": 5, \"from\": 0.1, \"to\": 0.10000001}, "
         "\"shape\": 1000, \"type\": \"float64\"}, "
         "\"b\": {\"random\": {\"seed\": 5, \"from\": 16777216, \"to\": 16777220}, "
         "\"shape\": 1000, \"type\": \"float32\"}, "
         "\"c\": {\"random\": {\"seed\": 5, \"from\": -1e308, \"to\": 1e308}, "
         "\"shape\": 1000, \"type\": \"float64\"}");
    for (uint32_t i = 0; i < 1000; i++) {
        double a, c;
        float b;
        memcpy(&a, data.memory[2] + i * 8, 8);
        memcpy(&b, data.memory[3] + i * 4, 4);
        memcpy(&c, data.memory[4] + i * 8, 8);
        assert_true(a >= 0.1 && a < 0.10000001);
        assert_true(b >= 16777216.0F && b < 16777220.0F);
        assert_true(c >= -1e308 && c < 1e308);
    }
    unload();
}

static void test_stop(void **state)
{
    const volatile sig_atomic_t stop = 1;
    char why[CLI_WHY_BYTES];

    (void)state;
    load("\"a\": {\"fill\": 1, \"shape\": 7, \"type\": \"float32\"}");
    workload_data_fini(&data);
    assert_int_equal(workload_data_init(&data, &workload, &stop, why, sizeof why),
                     FGPU_E_CANCELLED);
    assert_null(data.memory);
    unload();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures),      cmocka_unit_test(test_files),
        cmocka_unit_test(test_changed_files), cmocka_unit_test(test_values),
        cmocka_unit_test(test_random),        cmocka_unit_test(test_random_bounds),
        cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
