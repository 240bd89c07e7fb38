/* Ending early: how often what is long looks whether the user wants the end, and that each of these
 * looks ends it. A look is counted, not timed: so many pieces there are, so many looks at least.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/image/image.h"
#include "cli/image/npy.h"
#include "cli/common/stopping.h"
#include "cli/workload/workload_data.h"
#include "lib/npy_files.h"
#include "lib/picture_files.h"

#define PIECES 4u
#define HEIGHT 64u

static char path[] = "/tmp/fastgpu-stopping-XXXXXX";
static char why[CLI_WHY_BYTES];
static uint32_t look_count, last_look; /* the look that wants the end; 0: none */

static bool look(void)
{
    look_count++;
    return last_look > 0 && look_count >= last_look;
}

/* What `act` looks while nobody wants the end; then each of some looks must end it. */
static void expect_looks(fgpu_status (*act)(void), uint32_t least)
{
    stopping_ask(look);
    last_look = look_count = 0;
    why[0] = '\0';
    fgpu_status status = act();
    uint32_t count = look_count;
    if (status != FGPU_OK || count < least)
        fail_msg("status %d (%s), %u looks; %u are wanted", status, why, count, least);
    for (uint32_t at = 1; at <= count; at += count / 7 + 1) {
        last_look = at;
        look_count = 0;
        status = act();
        /* Each entry of a file that follows looks once more. */
        if (status != FGPU_E_CANCELLED || look_count > at + 4)
            fail_msg("look %u of %u: status %d, %u looks", at, count, status, look_count);
    }
    stopping_ask(NULL);
}

/* ---- files */

static void write_file(const struct file_bytes *bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->size_bytes, file), bytes->size_bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_zeros(size_t size_bytes)
{
    struct file_bytes zeros = {calloc(size_bytes, 1), size_bytes, size_bytes};

    assert_non_null(zeros.data);
    write_file(&zeros);
    file_bytes_fini(&zeros);
}

static fgpu_status read_all(void)
{
    struct file_bytes bytes;
    fgpu_status status = file_read(path, SIZE_MAX, &bytes, why, sizeof why);

    file_bytes_fini(&bytes);
    return status;
}

static fgpu_status read_range(void)
{
    struct file_bytes bytes;
    fgpu_status status = file_read_range(path, (struct file_range){0, FILE_TO_END}, SIZE_MAX,
                                         &bytes, why, sizeof why);

    file_bytes_fini(&bytes);
    return status;
}

static void test_files(void **state)
{
    (void)state;
    write_zeros(PIECES * STOPPING_PIECE_BYTES);
    expect_looks(read_all, PIECES);
    expect_looks(read_range, PIECES);
}

static struct file_bytes encoded;

static fgpu_status decode_picture(void)
{
    struct image image;
    fgpu_status status =
        image_load_memory(encoded.data, encoded.size_bytes, "name", &image, why, sizeof why);

    image_fini(&image);
    return status;
}

static void test_pictures(void **state)
{
    static uint8_t samples[HEIGHT * HEIGHT * 3];
    const struct png_form png = {
        .width = HEIGHT, .height = HEIGHT, .bit_depth = 8, .color_type = 2, .rows = samples};
    struct jpeg_form jpeg = {
        .width = HEIGHT, .height = HEIGHT, .components = 3, .samples = samples};

    (void)state;
    png_form_encode(&png, &encoded);
    expect_looks(decode_picture, HEIGHT);
    file_bytes_fini(&encoded);
    for (int i = 0; i < 2; i++) {
        jpeg.is_progressive = i == 1;
        jpeg_form_encode(&jpeg, &encoded);
        expect_looks(decode_picture, HEIGHT / 8);
        file_bytes_fini(&encoded);
    }
}

static fgpu_status decode_array(void)
{
    struct npy_array array;
    fgpu_status status =
        npy_load_memory(encoded.data, encoded.size_bytes, "name", &array, why, sizeof why);

    npy_array_fini(&array);
    return status;
}

/* Elements that are to be turned around. */
static void test_arrays(void **state)
{
    char header[128];
    uint16_t one = 1;
    bool is_little = *(const uint8_t *)&one == 1;

    (void)state;
    (void)snprintf(header, sizeof header,
                   "{'descr': '%cf4', 'fortran_order': False, 'shape': (%zu,), }",
                   is_little ? '>' : '<', PIECES * STOPPING_PIECE_BYTES / 4);
    npy_file_make(1, header, strlen(header), PIECES * STOPPING_PIECE_BYTES, &encoded);
    expect_looks(decode_array, PIECES);
    file_bytes_fini(&encoded);
}

/* ---- workloads */

static struct workload workload;
static const char *text;

static fgpu_status read_workload(void)
{
    struct workload read;
    fgpu_status status = workload_parse(text, strlen(text), "", NULL, &read);

    workload_fini(&read);
    return status;
}

static fgpu_status fill_buffers(void)
{
    struct workload_data data;
    fgpu_status status = workload_data_init(&data, &workload, NULL, why, sizeof why);

    workload_data_fini(&data);
    return status;
}

static void test_workload(void **state)
{
    (void)state;
    text = "{\"fastgpu\": 1, \"buffers\": {"
           "\"p\": {\"picture\": {\"width\": 4, \"height\": 2}, \"fill\": 1}, "
           "\"g_{i}\": {\"like\": \"p\", \"channels\": 1, \"repeat\": {\"i\": 100}}}, "
           "\"kernels\": {\"k\": {\"filter\": \"grey\"}}, "
           "\"tasks\": [{\"kernel\": \"k\", \"args\": {\"src\": \"p\", \"dst\": \"g_{i}\"}, "
           "\"repeat\": {\"i\": 100}}]}";
    expect_looks(read_workload, 200);
}

/* One buffer with this content, in one row or in many. */
static void expect_buffer(const char *buffer, uint32_t least)
{
    char all[1024];

    (void)snprintf(all, sizeof all,
                   "{\"fastgpu\": 1, \"buffers\": {\"b\": %s, "
                   "\"p\": {\"picture\": {\"width\": 4, \"height\": 2}}, "
                   "\"g\": {\"like\": \"p\", \"channels\": 1}}, "
                   "\"kernels\": {\"k\": {\"filter\": \"grey\"}}, "
                   "\"tasks\": [{\"kernel\": \"k\", \"args\": {\"src\": \"p\", \"dst\": \"g\"}}]}",
                   buffer);
    if (workload_parse(all, strlen(all), "", NULL, &workload) != FGPU_OK)
        fail_msg("%s: %s", all, workload.mistakes->text);
    expect_looks(fill_buffers, least);
    workload_fini(&workload);
}

static void test_buffers(void **state)
{
    char buffer[256];
    size_t bytes = PIECES * STOPPING_PIECE_BYTES;

    (void)state;
    (void)snprintf(buffer, sizeof buffer, "{\"fill\": 1, \"shape\": %zu, \"type\": \"uint8\"}",
                   bytes);
    expect_buffer(buffer, 24 + PIECES); /* what is there is doubled 24 times */
    expect_buffer("{\"fill\": 1, \"shape\": [2000, 3], \"pitch\": 8, \"type\": \"uint8\"}", 2000);
    expect_buffer("{\"random\": {\"seed\": 1}, \"shape\": 1000000, \"type\": \"uint8\"}", 10);
    write_zeros(bytes);
    (void)snprintf(buffer, sizeof buffer, "{\"raw\": \"%s\", \"type\": \"uint8\"}", path);
    expect_buffer(buffer, 2 * PIECES); /* read, then copied */
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_arrays),  cmocka_unit_test(test_workload),
        cmocka_unit_test(test_buffers),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
