/* Loading and saving pictures: every form of PNG and JPEG against samples known beforehand, and
 * every way in which a file can be wrong. Under the address sanitizer the loops over truncated and
 * damaged files also look for reads beyond the end and for leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <png.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/image/image.h"
#include "lib/picture_files.h"
#include "lib/temp_folder.h"

/* A flat or block-aligned JPEG at quality >= 92: the DC step is at most 3, so a sample is off by 3
 * / 2 / 8 before, and 1/2 after each of two roundings; chroma is amplified by at most 1.772: (0.19
 * + 1) * 2.772 < 4. */
#define JPEG_TOLERANCE 4

static char why[CLI_WHY_BYTES];

static void write_file(const char *path, const void *data, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

/* Loads from memory that ends exactly where the file does. */
static fgpu_status load_bytes(const void *data, size_t size_bytes, struct image *image)
{
    void *exact = malloc(size_bytes ? size_bytes : 1);

    assert_non_null(exact);
    memcpy(exact, data, size_bytes);
    why[0] = '\0';
    fgpu_status status = image_load_memory(exact, size_bytes, "name", image, why, sizeof why);
    free(exact);
    if (status != FGPU_OK) {
        assert_null(image->pixels);
        assert_memory_equal(why, "name: ", 6);
        assert_true(strlen(why) > 10);
    }
    return status;
}

/* Expects the status and a word of the sentence. */
static void expect_failure(const void *data, size_t size_bytes, fgpu_status want, const char *word)
{
    struct image image;
    fgpu_status status = load_bytes(data, size_bytes, &image);

    if (status != want || !strstr(why, word))
        fail_msg("status %d instead of %d, text \"%s\" wants \"%s\"", status, want, why, word);
}

static void fill_random(uint8_t *bytes, size_t count, struct rng *rng)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)rng_below(rng, 256);
}

static void test_png_round_trip(void **state)
{
    static const uint32_t channels[] = {1, 3, 4};
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 60; i++) {
        struct image saved, loaded;
        uint32_t width = 1 + (uint32_t)rng_below(&rng, 90);
        uint32_t height = 1 + (uint32_t)rng_below(&rng, 40);
        assert_int_equal(image_init(&saved, width, height, channels[i % 3], why, sizeof why), 0);
        fill_random(saved.pixels, image_size_bytes(&saved), &rng);
        assert_int_equal(image_save(temp_folder_path("a.png"), &saved, why, sizeof why), 0);
        assert_int_equal(image_load(temp_folder_path("a.png"), &loaded, why, sizeof why), 0);
        assert_int_equal(loaded.width, width);
        assert_int_equal(loaded.height, height);
        assert_int_equal(loaded.channels, channels[i % 3]);
        assert_memory_equal(loaded.pixels, saved.pixels, image_size_bytes(&saved));
        image_fini(&saved);
        image_fini(&loaded);
    }
}

static void expect_near(const struct image *image, uint32_t x, uint32_t y, const uint8_t *want)
{
    const uint8_t *got = image->pixels + ((size_t)y * image->width + x) * image->channels;

    for (uint32_t c = 0; c < image->channels; c++)
        if (abs(got[c] - want[c]) > JPEG_TOLERANCE)
            fail_msg("(%u, %u, %u): %d instead of about %d", x, y, c, got[c], want[c]);
}

/* Four flat quarters, each a multiple of 16 pixels, so that a block has one colour; colour is
 * stored at half the resolution and interpolated, so the two pixels at a seam are left out. */
static void test_jpeg_round_trip(void **state)
{
    static const uint8_t colors[4][4] = {
        {200, 30, 90, 255}, {10, 10, 250, 255}, {0, 128, 0, 255}, {255, 255, 255, 0}};
    static const uint32_t channels[] = {1, 3, 4};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct image saved, loaded;
        assert_int_equal(image_init(&saved, 64, 32, channels[i], why, sizeof why), 0);
        for (uint32_t y = 0; y < 32; y++)
            for (uint32_t x = 0; x < 64; x++)
                memcpy(saved.pixels + (y * 64 + x) * channels[i], colors[(y >= 16) * 2 + (x >= 32)],
                       channels[i]);
        assert_int_equal(image_save(temp_folder_path("a.JPG"), &saved, why, sizeof why), 0);
        assert_int_equal(image_load(temp_folder_path("a.JPG"), &loaded, why, sizeof why), 0);
        assert_int_equal(loaded.width, 64);
        assert_int_equal(loaded.height, 32);
        assert_int_equal(loaded.channels, channels[i] == 1 ? 1 : 3);
        for (uint32_t y = 0; y < 32; y++)
            for (uint32_t x = 0; x < 64 && y != 15 && y != 16; x += x == 30 ? 3 : 1)
                expect_near(&loaded, x, y, colors[(y >= 16) * 2 + (x >= 32)]);
        image_fini(&saved);
        image_fini(&loaded);
    }
}

/* The format is told by content: a PNG under a JPEG's name, and the other way round. */
static void test_content_decides(void **state)
{
    struct image image, other;

    (void)state;
    assert_int_equal(image_init(&image, 16, 16, 3, why, sizeof why), 0);
    memset(image.pixels, 77, image_size_bytes(&image));
    assert_int_equal(image_save(temp_folder_path("b.png"), &image, why, sizeof why), 0);
    assert_int_equal(image_save(temp_folder_path("c.jpeg"), &image, why, sizeof why), 0);
    char png[300], jpeg[300];
    (void)snprintf(png, sizeof png, "%s", temp_folder_path("c.png"));
    (void)snprintf(jpeg, sizeof jpeg, "%s", temp_folder_path("b.jpeg"));
    assert_int_equal(rename(temp_folder_path("b.png"), jpeg), 0);
    assert_int_equal(rename(temp_folder_path("c.jpeg"), png), 0);
    assert_int_equal(image_load(jpeg, &other, why, sizeof why), 0);
    assert_memory_equal(other.pixels, image.pixels, image_size_bytes(&image));
    image_fini(&other);
    assert_int_equal(image_load(png, &other, why, sizeof why), 0);
    expect_near(&other, 3, 3, image.pixels);
    image_fini(&other);
    image_fini(&image);
}

/* Sample `index` of a packed row of `bits` bits each. */
static unsigned row_sample(const uint8_t *row, size_t index, int bits)
{
    if (bits == 16)
        return (unsigned)row[2 * index] << 8 | row[2 * index + 1];
    size_t bit = index * (size_t)bits;
    return (unsigned)row[bit / 8] >> (8 - (size_t)bits - bit % 8) & ((1u << bits) - 1);
}

/* What a pixel of the form shall become: its channels in `want`; returns how many there are. */
static uint32_t form_pixel(const struct png_form *form, const uint8_t *row, uint32_t x,
                           uint8_t *want)
{
    bool has_color = (form->color_type & PNG_COLOR_MASK_COLOR) != 0;
    bool has_alpha = (form->color_type & PNG_COLOR_MASK_ALPHA) != 0;
    uint32_t in = (has_color ? 3u : 1u) + (has_alpha ? 1u : 0u);
    unsigned most = (1u << form->bit_depth) - 1;
    bool is_key = form->has_key;

    if (form->palette) {
        unsigned index = row_sample(row, x, form->bit_depth);
        memcpy(want, form->palette + 3 * index, 3);
        want[3] = form->alphas && index < 4 ? form->alphas[index] : 255;
        return form->alphas ? 4 : 3;
    }
    for (uint32_t c = 0; c < in; c++) {
        unsigned sample = row_sample(row, (size_t)x * in + c, form->bit_depth);
        is_key = is_key && sample == 1;
        want[c] = (uint8_t)((sample * 255u * 2 + most) / (2 * most));
    }
    uint8_t alpha = has_alpha ? want[in - 1] : is_key ? 0 : 255;
    bool is_grey = !has_color && !has_alpha && !form->has_key;
    if (is_grey)
        return 1;
    if (!has_color)
        want[1] = want[2] = want[0];
    want[3] = alpha;
    return has_alpha || form->has_key ? 4 : 3;
}

static void check_form(const struct png_form *form, size_t row_bytes)
{
    struct file_bytes file;
    struct image image;
    uint8_t want[4] = {0};

    png_form_encode(form, &file);
    if (load_bytes(file.data, file.size_bytes, &image) != FGPU_OK)
        fail_msg("type %d, %d bits: %s", form->color_type, form->bit_depth, why);
    for (uint32_t y = 0; y < form->height; y++)
        for (uint32_t x = 0; x < form->width; x++) {
            uint32_t channels = form_pixel(form, form->rows + y * row_bytes, x, want);
            const uint8_t *got = image.pixels + ((size_t)y * form->width + x) * channels;
            assert_int_equal(image.channels, channels);
            if (memcmp(got, want, channels) != 0)
                fail_msg("type %d, %d bits, key %d, (%u, %u): %d %d %d instead of %d %d %d",
                         form->color_type, form->bit_depth, form->has_key, x, y, got[0], got[1],
                         got[2], want[0], want[1], want[2]);
        }
    image_fini(&image);
    file_bytes_fini(&file);
}

/* Every colour type and depth of the PNG specification, with and without interlacing and
 * transparency. */
static void test_png_forms(void **state)
{
    static const struct {
        int type, bits[5];
        uint32_t channels;
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}, 1},
                 {PNG_COLOR_TYPE_RGB, {8, 16}, 3},
                 {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}, 1},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, {8, 16}, 2},
                 {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}, 4}};
    static const uint8_t alphas[4] = {0, 85, 200, 255};
    uint8_t rows[23 * 8 * 13], palette[768];
    struct rng rng;

    (void)state;
    rng_init(&rng, 2);
    fill_random(palette, sizeof palette, &rng);
    for (size_t k = 0; k < 5; k++)
        for (int b = 0; b < 5 && kinds[k].bits[b]; b++)
            for (int variant = 0; variant < 4; variant++) {
                struct png_form form = {.width = 23,
                                        .height = 13,
                                        .bit_depth = kinds[k].bits[b],
                                        .color_type = kinds[k].type,
                                        .is_interlaced = variant & 1,
                                        .rows = rows};
                bool is_palette = kinds[k].type == PNG_COLOR_TYPE_PALETTE;
                form.palette = is_palette ? palette : NULL;
                form.alphas = is_palette && variant & 2 ? alphas : NULL;
                form.has_key = variant & 2 && k < 2;
                size_t row_bytes = (23 * kinds[k].channels * (size_t)form.bit_depth + 7) / 8;
                fill_random(rows, row_bytes * 13, &rng);
                if (form.has_key && form.bit_depth >= 8)
                    for (size_t i = 0; i < row_bytes * 4; i++) /* some pixels are the key */
                        rows[i] = form.bit_depth == 16 ? (uint8_t)(i & 1) : 1;
                check_form(&form, row_bytes);
            }
}

/* CMYK: (1 - ink) (1 - black), and inverted where an Adobe marker says so. */
static void test_jpeg_cmyk(void **state)
{
    static const uint8_t ink[4] = {200, 100, 30, 60};
    uint8_t samples[16 * 16 * 4], want[3];

    (void)state;
    for (size_t i = 0; i < sizeof samples; i++)
        samples[i] = ink[i % 4];
    for (int has_adobe = 0; has_adobe < 2; has_adobe++) {
        struct jpeg_form form = {16, 16, 4, has_adobe != 0, false, false, samples};
        struct file_bytes file;
        struct image image;
        jpeg_form_encode(&form, &file);
        assert_int_equal(load_bytes(file.data, file.size_bytes, &image), FGPU_OK);
        assert_int_equal(image.channels, 3);
        for (int c = 0; c < 3; c++)
            want[c] = has_adobe ? (uint8_t)(ink[c] * ink[3] / 255)
                                : (uint8_t)((255 - ink[c]) * (255 - ink[3]) / 255);
        expect_near(&image, 5, 7, want);
        image_fini(&image);
        file_bytes_fini(&file);
    }
}

/* A small PNG and JPEG with some structure. */
static void make_small(struct file_bytes *png, struct file_bytes *jpeg, bool is_progressive)
{
    static uint8_t samples[24 * 17 * 3];

    for (size_t i = 0; i < sizeof samples; i++)
        samples[i] = (uint8_t)(i * i / 7);
    struct png_form png_form = {.width = 24,
                                .height = 17,
                                .bit_depth = 8,
                                .color_type = PNG_COLOR_TYPE_RGB,
                                .is_interlaced = is_progressive,
                                .rows = samples};
    struct jpeg_form jpeg_form = {24, 17, 3, false, is_progressive, false, samples};
    png_form_encode(&png_form, png);
    jpeg_form_encode(&jpeg_form, jpeg);
}

static void test_truncated(void **state)
{
    struct file_bytes files[2];
    struct image image;

    (void)state;
    for (int is_progressive = 0; is_progressive < 2; is_progressive++) {
        make_small(&files[0], &files[1], is_progressive != 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(load_bytes(files[i].data, files[i].size_bytes, &image), FGPU_OK);
            image_fini(&image);
            for (size_t size = 0; size < files[i].size_bytes; size++)
                if (load_bytes(files[i].data, size, &image) == FGPU_OK)
                    fail_msg("%zu of %zu bytes were accepted", size, files[i].size_bytes);
            file_bytes_fini(&files[i]);
        }
    }
}

/* One byte wrong, everywhere: an error or another picture, but nothing beyond memory and nothing
 * leaked. */
static void test_damaged(void **state)
{
    struct file_bytes files[2];
    struct image image;
    unsigned refused = 0;

    (void)state;
    make_small(&files[0], &files[1], false);
    for (int i = 0; i < 2; i++) {
        for (size_t at = 0; at < files[i].size_bytes; at++) {
            static const uint8_t changes[] = {0x01, 0x80, 0xff};
            for (int c = 0; c < 3; c++) {
                files[i].data[at] ^= changes[c];
                if (load_bytes(files[i].data, files[i].size_bytes, &image) != FGPU_OK)
                    refused++;
                image_fini(&image);
                files[i].data[at] ^= changes[c];
            }
        }
        file_bytes_fini(&files[i]);
    }
    /* PNG guards every byte with a sum; a JPEG's headers alone are some hundred bytes. */
    assert_true(refused > 1000);
}

/* Rewrites the IHDR of a PNG, sum included (CRC-32 of ISO 3309, bit by bit). */
static void set_png_size(struct file_bytes *png, uint32_t width, uint32_t height)
{
    uint32_t crc = 0xffffffffu;
    uint8_t *header = png->data + 16;

    for (int i = 0; i < 4; i++) {
        header[i] = (uint8_t)(width >> (24 - 8 * i));
        header[4 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    for (const uint8_t *byte = header - 4; byte < header + 13; byte++) {
        crc ^= *byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; i++)
        header[13 + i] = (uint8_t)(~crc >> (24 - 8 * i));
}

/* Rewrites the size in the frame header of a baseline JPEG. */
static void set_jpeg_size(struct file_bytes *jpeg, unsigned width, unsigned height)
{
    for (size_t i = 0; i + 8 < jpeg->size_bytes; i++)
        if (jpeg->data[i] == 0xff && jpeg->data[i + 1] == 0xc0) {
            jpeg->data[i + 5] = (uint8_t)(height >> 8);
            jpeg->data[i + 6] = (uint8_t)height;
            jpeg->data[i + 7] = (uint8_t)(width >> 8);
            jpeg->data[i + 8] = (uint8_t)width;
            return;
        }
    fail_msg("no frame header");
}

static void test_wrong_sizes(void **state)
{
    struct file_bytes png, jpeg;

    (void)state;
    make_small(&png, &jpeg, false);
    set_png_size(&png, 0, 17);
    expect_failure(png.data, png.size_bytes, FGPU_E_INVAL, "width is zero");
    set_png_size(&png, 24, 0);
    expect_failure(png.data, png.size_bytes, FGPU_E_INVAL, "height is zero");
    set_png_size(&png, 8193, 8192);
    expect_failure(png.data, png.size_bytes, FGPU_E_LIMIT, "8193 x 8192");
    expect_failure(png.data, png.size_bytes, FGPU_E_LIMIT, "67108864");
    set_png_size(&png, 0x7fffffff, 0x7fffffff);
    expect_failure(png.data, png.size_bytes, FGPU_E_LIMIT, "2147483647 x 2147483647");
    set_png_size(&png, 8000, 8000);
    expect_failure(png.data, png.size_bytes, FGPU_E_INVAL, "promises more pixels");
    set_png_size(&png, 24, 18);
    expect_failure(png.data, png.size_bytes, FGPU_E_INVAL, "");
    set_jpeg_size(&jpeg, 0, 17);
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_INVAL, "mpty");
    set_jpeg_size(&jpeg, 24, 0);
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_INVAL, "mpty");
    set_jpeg_size(&jpeg, 65500, 65500);
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_LIMIT, "65500 x 65500");
    set_jpeg_size(&jpeg, 8000, 8000);
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_INVAL, "promises more pixels");
    set_jpeg_size(&jpeg, 24, 40);
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_INVAL, "");
    file_bytes_fini(&png);
    file_bytes_fini(&jpeg);
}

/* A JPEG that repeats its last scan again and again: each is cheap in bytes and dear in time. */
static void test_too_many_scans(void **state)
{
    static uint8_t samples[16 * 16 * 3];
    struct jpeg_form form = {16, 16, 3, false, false, true, samples};
    struct file_bytes jpeg;
    struct image image;
    size_t last = 0;

    (void)state;
    jpeg_form_encode(&form, &jpeg);
    for (size_t i = 0; i + 1 < jpeg.size_bytes; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xda)
            last = i;
    size_t scan_bytes = jpeg.size_bytes - 2 - last;
    uint8_t *scan = malloc(scan_bytes + 1);
    assert_non_null(scan);
    memcpy(scan, jpeg.data + last, scan_bytes);
    for (int count = 3; count <= CLI_JPEG_SCANS_LIMIT + 1; count++) {
        if (count == CLI_JPEG_SCANS_LIMIT || count == 3) {
            assert_int_equal(load_bytes(jpeg.data, jpeg.size_bytes, &image), FGPU_OK);
            image_fini(&image);
        }
        jpeg.size_bytes -= 2;
        assert_true(file_bytes_append(&jpeg, scan, scan_bytes));
        assert_true(file_bytes_append(&jpeg, "\xff\xd9", 2));
    }
    expect_failure(jpeg.data, jpeg.size_bytes, FGPU_E_LIMIT, "100 scans");
    free(scan);
    file_bytes_fini(&jpeg);
}

static void test_no_picture(void **state)
{
    static const char text[] = "P6 1 1 255 abc";
    struct image image;

    (void)state;
    expect_failure("", 0, FGPU_E_INVAL, "empty (0 bytes)");
    expect_failure(text, sizeof text, FGPU_E_UNSUPPORTED, "neither a PNG nor a JPEG");
    assert_int_equal(image_load(temp_folder_path("missing.png"), &image, why, sizeof why),
                     FGPU_E_IO);
    assert_non_null(strstr(why, "missing.png: cannot be opened: No such file"));
    assert_int_equal(image_load(temp_folder_path(""), &image, why, sizeof why), FGPU_E_IO);
    assert_non_null(strstr(why, "Is a directory"));
    write_file(temp_folder_path("empty.png"), "", 0);
    assert_int_equal(image_load(temp_folder_path("empty.png"), &image, why, sizeof why),
                     FGPU_E_INVAL);
    assert_non_null(strstr(why, "empty.png: the file is empty"));
    /* Without a place for the sentence, and with a short one. */
    assert_int_equal(image_load(temp_folder_path(""), &image, NULL, 0), FGPU_E_IO);
    assert_int_equal(image_load(temp_folder_path(""), &image, why, 5), FGPU_E_IO);
    assert_int_equal(strlen(why), 4);
}

static void test_init_refuses(void **state)
{
    struct image image;

    (void)state;
    assert_int_equal(image_init(&image, 0, 5, 3, why, sizeof why), FGPU_E_INVAL);
    assert_non_null(strstr(why, "0 x 5"));
    assert_int_equal(image_init(&image, 5, 0, 3, why, sizeof why), FGPU_E_INVAL);
    assert_int_equal(image_init(&image, 5, 5, 2, why, sizeof why), FGPU_E_INVAL);
    assert_non_null(strstr(why, "2 channels"));
    assert_int_equal(image_init(&image, UINT32_MAX, UINT32_MAX, 4, why, sizeof why), FGPU_E_LIMIT);
    assert_null(image.pixels);
    image_fini(&image);
    image_fini(NULL);
}

static void test_convert(void **state)
{
    static const uint8_t rgba[8] = {255, 0, 0, 7, 10, 200, 30, 255};
    static const uint32_t channels[] = {1, 3, 4};
    struct image from, to;

    (void)state;
    assert_int_equal(image_init(&from, 2, 1, 4, why, sizeof why), 0);
    memcpy(from.pixels, rgba, sizeof rgba);
    assert_int_equal(image_convert(&from, 1, &to, why, sizeof why), 0);
    /* 77 * 255 / 256 = 76.7; (770 + 30000 + 870) / 256 = 123.6 */
    assert_int_equal(to.pixels[0], 77);
    assert_int_equal(to.pixels[1], 124);
    image_fini(&from);
    for (int i = 0; i < 3; i++) {
        struct image wide, back;
        assert_int_equal(image_convert(&to, channels[i], &wide, why, sizeof why), 0);
        assert_int_equal(wide.pixels[channels[i]], 124);
        if (channels[i] == 4)
            assert_int_equal(wide.pixels[7], 255);
        assert_int_equal(image_convert(&wide, 1, &back, why, sizeof why), 0);
        assert_memory_equal(back.pixels, to.pixels, 2);
        image_fini(&wide);
        image_fini(&back);
    }
    image_fini(&to);
}

/* What cannot be written leaves the old file whole and nothing else behind. */
static void test_save_refuses(void **state)
{
    struct image image, old;
    unsigned before;

    (void)state;
    assert_int_equal(image_init(&image, 300, 300, 3, why, sizeof why), 0);
    struct rng rng;
    rng_init(&rng, 3);
    fill_random(image.pixels, image_size_bytes(&image), &rng);
    assert_int_equal(image_save(temp_folder_path("x.bmp"), &image, why, sizeof why), FGPU_E_INVAL);
    assert_non_null(strstr(why, "x.bmp: the name does not end in"));
    assert_int_equal(image_save(temp_folder_path("none/x.png"), &image, why, sizeof why),
                     FGPU_E_IO);
    assert_int_equal(mkfifo(temp_folder_path("pipe.png"), 0600), 0);
    assert_int_equal(image_save(temp_folder_path("pipe.png"), &image, why, sizeof why), FGPU_E_IO);
    assert_non_null(strstr(why, "no plain file") ? why : strstr(why, "not a plain file"));

    assert_int_equal(image_save(temp_folder_path("full.png"), &image, why, sizeof why), 0);
    before = temp_folder_count();
    memset(image.pixels, 0, 1000);
    temp_folder_fill_disk(1000);
    assert_int_equal(image_save(temp_folder_path("full.png"), &image, why, sizeof why), FGPU_E_IO);
    assert_int_equal(image_save(temp_folder_path("new.png"), &image, why, sizeof why), FGPU_E_IO);
    temp_folder_empty_disk();
    assert_non_null(strstr(why, "new.png: cannot be written"));
    assert_int_equal(temp_folder_count(), before);
    assert_int_equal(image_load(temp_folder_path("full.png"), &old, why, sizeof why), 0);
    assert_memory_not_equal(old.pixels, image.pixels, 1000);
    image_fini(&old);
    image_fini(&image);
    assert_int_equal(image_save(temp_folder_path("full.png"), &image, why, sizeof why),
                     FGPU_E_INVAL);
}

/* A link is followed and stays a link; a dangling one is refused. */
static void test_save_through_link(void **state)
{
    struct image image;
    struct stat info;
    char link_path[300];

    (void)state;
    assert_int_equal(image_init(&image, 4, 4, 1, why, sizeof why), 0);
    memset(image.pixels, 9, 16);
    (void)snprintf(link_path, sizeof link_path, "%s", temp_folder_path("link.png"));
    assert_int_equal(symlink("target.png", link_path), 0);
    assert_int_equal(image_save(link_path, &image, why, sizeof why), FGPU_E_IO);
    write_file(temp_folder_path("target.png"), "old", 3);
    assert_int_equal(image_save(link_path, &image, why, sizeof why), 0);
    assert_int_equal(lstat(link_path, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(temp_folder_path("target.png"), &info), 0);
    assert_true(info.st_size > 3);
    image_fini(&image);
}

static void abandon(int number)
{
    file_abandon();
    _exit(number == SIGXFSZ ? 42 : 43);
}

/* A handler that ends the process in the middle of a picture: the limit of the file's size raises
 * the signal inside write(2). */
static void test_abandon(void **state)
{
    static const uint8_t data[20000];
    static const struct rlimit limit = {10000, 10000};
    char path[300];
    int ended = 0;

    (void)state;
    write_file(temp_folder_path("kept.bin"), "old", 3);
    unsigned before = temp_folder_count();
    (void)snprintf(path, sizeof path, "%s", temp_folder_path("kept.bin"));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGXFSZ, abandon);
        if (setrlimit(RLIMIT_FSIZE, &limit) == 0)
            (void)file_replace(path, data, sizeof data, why, sizeof why);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 42);
    assert_int_equal(temp_folder_count(), before);
    file_abandon(); /* nothing is under way here */
    struct file_bytes bytes;
    assert_int_equal(file_read(path, 100, &bytes, why, sizeof why), FGPU_OK);
    assert_int_equal(bytes.size_bytes, 3);
    file_bytes_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_round_trip),  cmocka_unit_test(test_jpeg_round_trip),
        cmocka_unit_test(test_content_decides), cmocka_unit_test(test_png_forms),
        cmocka_unit_test(test_jpeg_cmyk),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),         cmocka_unit_test(test_wrong_sizes),
        cmocka_unit_test(test_too_many_scans),  cmocka_unit_test(test_no_picture),
        cmocka_unit_test(test_init_refuses),    cmocka_unit_test(test_convert),
        cmocka_unit_test(test_save_refuses),    cmocka_unit_test(test_save_through_link),
        cmocka_unit_test(test_abandon),
    };

    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
