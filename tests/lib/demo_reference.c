/* What the pictures of `fastgpu demo` must be: see demo_reference.h. The steps are told by the
 * output's name, their parameters are written down here once more. */
#include "lib/demo_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/weights.h"
#include "lib/image_reference.h"

void demo_reference_photos(const uint32_t (*sizes)[2], uint32_t count, struct rng *rng,
                           struct demo_photos *photos)
{
    *photos = (struct demo_photos){.list = calloc(count, sizeof *photos->list), .count = count};
    if (!photos->list)
        exit(1);
    for (uint32_t i = 0; i < count; i++) {
        struct image *image = &photos->list[i].image;
        (void)snprintf(photos->list[i].name, sizeof photos->list[i].name, "random-%u", i);
        if (image_init(image, sizes[i][0], sizes[i][1], 3, NULL, 0) != FGPU_OK)
            exit(1);
        for (size_t at = 0; at < image_size_bytes(image); at++)
            image->pixels[at] = (uint8_t)rng_u64(rng);
    }
}

/* The photograph that the output is made from, and the step's name behind it. */
static const struct demo_photo *demo_find_photo(const struct demo_photos *photos,
                                                const char *output, const char **step)
{
    for (uint32_t i = 0; i < photos->count; i++) {
        size_t length = strlen(photos->list[i].name);
        if (strncmp(output, photos->list[i].name, length) == 0 && output[length] == '-') {
            *step = output + length + 1;
            return &photos->list[i];
        }
    }
    return NULL;
}

static void demo_unpack(const struct image *image, struct reference_picture *out)
{
    reference_init(out, (int)image->width, (int)image->height, (int)image->channels);
    for (size_t i = 0; i < image_size_bytes(image); i++)
        out->samples[i] = image->pixels[i];
}

/* Deviation 3, radius 9, and an unsharp mask that adds 5/4 of what it takes away. */
static void demo_expect_blur(const struct reference_picture *photo, bool is_sharpen,
                             struct reference_picture *want)
{
    struct reference_picture rows, blurred;
    int32_t weights[19];

    weights_gaussian(3.0, 9, weights);
    reference_blur_horizontal(photo, weights, 9, &rows);
    if (!is_sharpen) {
        reference_blur_vertical(&rows, weights, 9, want);
    } else {
        reference_blur_vertical(&rows, weights, 9, &blurred);
        reference_sharpen(photo, &blurred, 320, want);
        reference_fini(&blurred);
    }
    reference_fini(&rows);
}

/* The exact values of a sepia: rounded here, since its sums are exact. */
static void demo_expect_sepia(const struct reference_picture *photo, struct reference_picture *want)
{
    struct reference_picture tolerance;
    size_t count = (size_t)photo->width * (size_t)photo->height * 3;

    reference_conv3x3x3(photo, weights_sepia, want, &tolerance);
    for (size_t i = 0; i < count; i++)
        want->samples[i] = floor(fmin(fmax(want->samples[i], 0.0), 255.0) + 0.5);
    reference_fini(&tolerance);
}

static void demo_expect_sobel(const struct reference_picture *photo, struct reference_picture *want)
{
    struct reference_picture grey;

    reference_grey(photo, &grey);
    reference_sobel(&grey, want);
    reference_fini(&grey);
}

static bool demo_expect(const struct image *image, const char *step, struct reference_picture *want)
{
    static const int32_t emboss[11] = {-2, -1, 0, -1, 1, 1, 0, 1, 2, 0, 0};
    struct reference_picture photo;
    bool is_known = true;

    demo_unpack(image, &photo);
    if (strcmp(step, "grey") == 0)
        reference_grey(&photo, want);
    else if (strcmp(step, "blur") == 0 || strcmp(step, "sharpen") == 0)
        demo_expect_blur(&photo, step[0] == 's', want);
    else if (strcmp(step, "sobel") == 0)
        demo_expect_sobel(&photo, want);
    else if (strcmp(step, "sepia") == 0)
        demo_expect_sepia(&photo, want);
    else if (strcmp(step, "emboss") == 0)
        reference_conv3x3(&photo, emboss, want);
    else
        is_known = false;
    reference_fini(&photo);
    return is_known;
}

bool demo_reference_check(const struct demo_photos *photos, const struct plan *plan,
                          uint32_t number, const unsigned char *pixels)
{
    const struct plan_output *output = &plan->outputs[number];
    const char *step = "";
    const struct demo_photo *photo = demo_find_photo(photos, output->name, &step);
    struct reference_picture want;
    size_t row = (size_t)output->width * output->channels, wrong = SIZE_MAX;

    if (!photo || !demo_expect(&photo->image, step, &want)) {
        fprintf(stderr, "%s: nothing is known about this output\n", output->name);
        return false;
    }
    bool is_equal = want.width == (int)output->width && want.height == (int)output->height &&
                    want.channels == (int)output->channels;
    for (size_t i = 0; i < row * output->height && is_equal; i++)
        if (want.samples[i] != pixels[i]) {
            is_equal = false;
            wrong = i;
        }
    if (!is_equal && wrong == SIZE_MAX)
        fprintf(stderr, "%s: has another shape\n", output->name);
    else if (!is_equal)
        fprintf(stderr, "%s: row %zu, element %zu: %d instead of %.0f\n", output->name, wrong / row,
                wrong % row, pixels[wrong], want.samples[wrong]);
    reference_fini(&want);
    return is_equal;
}
