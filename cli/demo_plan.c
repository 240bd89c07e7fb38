/* From photographs to a plan: see demo_plan.h. The work is the table `demo_steps`: a step applies
 * one filter to what earlier steps made, tile by tile; a tile is a band of whole rows, so that its
 * data is one contiguous range. What is here decides and runs nothing. */
#include "demo_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_limits.h"
#include "filters.h"
#include "weights.h"
#include "why.h"

/* What a step reads: the photograph itself, or what the step of that number in the table has made.
 */
#define DEMO_PHOTO (-1)
#define DEMO_NO_SOURCE (-2)

enum demo_table { DEMO_NO_TABLE, DEMO_GAUSSIAN, DEMO_EMBOSS, DEMO_SEPIA, DEMO_TABLE_COUNT };

/* Deviation of the demo's blur in pixels, and the radius that holds 99.7 % of it. */
#define DEMO_BLUR_SIGMA 3.0
#define DEMO_BLUR_RADIUS 9

/* Unsharp mask: add 5/4 of what the blur took away (in 1/256). */
#define DEMO_SHARPEN_AMOUNT 320

struct demo_step {
    const char *name;
    const char *filter;
    int sources[2];
    enum demo_table table;
    int32_t option; /* radius or amount: see cli/kernels */
    bool is_saved;
};

static const struct demo_step demo_steps[] = {
    {"grey", "grey", {DEMO_PHOTO, DEMO_NO_SOURCE}, DEMO_NO_TABLE, 0, true},
    {"blur-rows",
     "blur_horizontal",
     {DEMO_PHOTO, DEMO_NO_SOURCE},
     DEMO_GAUSSIAN,
     DEMO_BLUR_RADIUS,
     false},
    {"blur", "blur_vertical", {1, DEMO_NO_SOURCE}, DEMO_GAUSSIAN, DEMO_BLUR_RADIUS, true},
    {"sobel", "sobel", {0, DEMO_NO_SOURCE}, DEMO_NO_TABLE, 0, true},
    {"sharpen", "sharpen", {DEMO_PHOTO, 2}, DEMO_NO_TABLE, DEMO_SHARPEN_AMOUNT, true},
    {"sepia", "conv3x3x3", {DEMO_PHOTO, DEMO_NO_SOURCE}, DEMO_SEPIA, 0, true},
    {"emboss", "conv3x3", {DEMO_PHOTO, DEMO_NO_SOURCE}, DEMO_EMBOSS, 0, true},
};

#define DEMO_STEP_COUNT (sizeof demo_steps / sizeof demo_steps[0])

/* At least so many tasks in a run and tiles in a step, and no tile much larger than so many pixels.
 */
#define DEMO_TASKS_WANTED 64
#define DEMO_TILES_WANTED 4
#define DEMO_TILE_PIXELS 262144

/* What is being put together. */
struct demo_builder {
    struct demo_plan *out;
    const struct demo_photo *photo;
    uint32_t align_bytes;
    uint32_t tables[DEMO_TABLE_COUNT]; /* buffers */
    struct filter_picture
        pictures[DEMO_STEP_COUNT + 1]; /* the photograph, then what each step makes */
    char *why;
    size_t why_bytes;
};

static fgpu_status demo_no_memory(struct demo_builder *builder)
{
    return why_fail(FGPU_E_NOMEM, builder->why, builder->why_bytes,
                    "no memory for the demo's plan");
}

/* Memory that the plan's buffers are made over. NULL: none is left. */
static void *demo_new_content(struct demo_plan *plan, size_t size_bytes)
{
    void **grown = reallocarray(plan->contents, plan->content_count + 1, sizeof *grown);

    if (!grown)
        return NULL;
    plan->contents = grown;
    void *content = fgpu_host_alloc(size_bytes);
    if (content)
        plan->contents[plan->content_count++] = content;
    return content;
}

static fgpu_status demo_add_table(struct demo_builder *builder, enum demo_table table,
                                  const void *values, size_t size_bytes)
{
    static const char *const names[DEMO_TABLE_COUNT] = {"", "gaussian", "emboss", "sepia"};
    struct plan_buffer buffer = {.size_bytes = size_bytes, .is_constant = true};
    void *content = demo_new_content(builder->out, size_bytes);

    if (!content)
        return demo_no_memory(builder);
    memcpy(content, values, size_bytes);
    buffer.content = content;
    (void)snprintf(buffer.name, sizeof buffer.name, "weights-%s", names[table]);
    if (plan_add_buffer(&builder->out->plan, &buffer, &builder->tables[table]) != FGPU_OK)
        return demo_no_memory(builder);
    return FGPU_OK;
}

static fgpu_status demo_add_tables(struct demo_builder *builder)
{
    int32_t gaussian[2 * DEMO_BLUR_RADIUS + 1];

    weights_gaussian(DEMO_BLUR_SIGMA, DEMO_BLUR_RADIUS, gaussian);
    fgpu_status status = demo_add_table(builder, DEMO_GAUSSIAN, gaussian, sizeof gaussian);
    if (status == FGPU_OK)
        status = demo_add_table(builder, DEMO_EMBOSS, weights_emboss, sizeof weights_emboss);
    if (status == FGPU_OK)
        status = demo_add_table(builder, DEMO_SEPIA, weights_sepia, sizeof weights_sepia);
    return status;
}

/* Adds the buffer of one picture. [in] content: NULL where tasks make it. */
static fgpu_status demo_add_picture(struct demo_builder *builder, struct filter_picture *picture,
                                    const char *name, const void *content)
{
    uint64_t row_bytes = (uint64_t)picture->pitch * picture->element_bytes;
    struct plan_buffer buffer = {.size_bytes = row_bytes * picture->height, .content = content};

    (void)snprintf(buffer.name, sizeof buffer.name, "%s-%s", builder->photo->name, name);
    if (plan_add_buffer(&builder->out->plan, &buffer, &picture->buffer) != FGPU_OK)
        return demo_no_memory(builder);
    return FGPU_OK;
}

/* The photograph with padded rows, the padding zero. */
static fgpu_status demo_add_photo(struct demo_builder *builder)
{
    const struct image *image = &builder->photo->image;
    struct filter_picture *picture = &builder->pictures[0];
    size_t row_bytes = image_row_bytes(image);

    *picture = (struct filter_picture){.width = image->width,
                                       .height = image->height,
                                       .channels = image->channels,
                                       .element_bytes = 1};
    picture->pitch = filter_pitch(image->width * image->channels, 1, builder->align_bytes);
    uint64_t size_bytes = (uint64_t)picture->pitch * image->height;
    if (size_bytes > CLI_PADDED_BYTES_LIMIT)
        return why_fail(FGPU_E_LIMIT, builder->why, builder->why_bytes,
                        "%s: a picture of %u x %u pixels has rows so short that padded ones need "
                        "%llu bytes; the limit is %llu",
                        builder->photo->name, image->width, image->height,
                        (unsigned long long)size_bytes, (unsigned long long)CLI_PADDED_BYTES_LIMIT);
    uint8_t *padded = demo_new_content(builder->out, size_bytes);
    if (!padded)
        return demo_no_memory(builder);
    for (uint32_t y = 0; y < image->height; y++) {
        uint8_t *row = padded + (size_t)y * picture->pitch;
        memcpy(row, image->pixels + y * row_bytes, row_bytes);
        memset(row + row_bytes, 0, picture->pitch - row_bytes);
    }
    return demo_add_picture(builder, picture, "photo", padded);
}

/* What the step makes: the shape of its source, the channels and the element of its filter. */
static fgpu_status demo_add_result(struct demo_builder *builder, const struct demo_step *step,
                                   const struct filter *filter, struct filter_picture *picture)
{
    *picture = builder->pictures[step->sources[0] + 1];
    if (filter->dst_channels != 0)
        picture->channels = filter->dst_channels;
    picture->element_bytes = filter->dst_bytes;
    picture->pitch = filter_pitch(picture->width * picture->channels, picture->element_bytes,
                                  builder->align_bytes);
    return demo_add_picture(builder, picture, step->name, NULL);
}

static fgpu_status demo_add_output(struct demo_builder *builder, const struct demo_step *step,
                                   const struct filter_picture *picture, uint32_t *number)
{
    struct plan_output output = {
        .buffer = picture->buffer,
        .width = picture->width,
        .height = picture->height,
        .channels = picture->channels,
        .pitch_bytes = picture->pitch * picture->element_bytes,
    };

    *number = PLAN_NONE;
    if (!step->is_saved)
        return FGPU_OK;
    (void)snprintf(output.name, sizeof output.name, "%s-%s", builder->photo->name, step->name);
    if (plan_add_output(&builder->out->plan, &output, number) != FGPU_OK)
        return demo_no_memory(builder);
    return FGPU_OK;
}

/* Adds the tasks of one step on the current photograph: one a tile. */
static fgpu_status demo_add_tiles(struct demo_builder *builder, const struct demo_step *step,
                                  const struct filter_tile *model, struct plan_task *task)
{
    uint32_t height = model->to->height;
    uint32_t tiles = builder->out->tile_count < height ? builder->out->tile_count : height;
    struct filter_tile tile = *model;
    uint32_t number;

    for (uint32_t i = 0; i < tiles; i++) {
        tile.row_begin = (uint32_t)((uint64_t)height * i / tiles);
        tile.row_end = (uint32_t)((uint64_t)height * (i + 1) / tiles);
        filter_fill_tile(&tile, &task->launch);
        (void)snprintf(task->name, sizeof task->name, "%s-%s-%u", builder->photo->name, step->name,
                       i);
        if (plan_add_task(&builder->out->plan, task, &number) != FGPU_OK)
            return demo_no_memory(builder);
    }
    return FGPU_OK;
}

static fgpu_status demo_add_step(struct demo_builder *builder, uint32_t number)
{
    const struct demo_step *step = &demo_steps[number];
    const struct filter *filter = filter_find(step->filter);
    struct filter_picture *result = &builder->pictures[number + 1];
    struct filter_picture sources[2];
    struct filter_tile tile = {.filter = filter,
                               .from = sources,
                               .to = result,
                               .weights = builder->tables[step->table],
                               .option = step->option};
    struct plan_task task = {.kernel = plan_find_kernel(&builder->out->plan, filter->name)};

    for (uint32_t i = 0; i < filter->src_count; i++)
        sources[i] = builder->pictures[step->sources[i] + 1];
    fgpu_status status = demo_add_result(builder, step, filter, result);
    if (status == FGPU_OK)
        status = demo_add_output(builder, step, result, &task.output);
    if (status == FGPU_OK)
        status = demo_add_tiles(builder, step, &tile, &task);
    return status;
}

static fgpu_status demo_add_kernels(struct demo_builder *builder)
{
    struct plan *plan = &builder->out->plan;
    struct filter_kernel kernel;
    uint32_t number;

    for (uint32_t i = 0; i < DEMO_STEP_COUNT; i++) {
        const struct filter *filter = filter_find(demo_steps[i].filter);
        if (!filter || !filter_describe(filter, &kernel))
            return why_fail(FGPU_E_NOTFOUND, builder->why, builder->why_bytes,
                            "the command was built without the filter %s", demo_steps[i].filter);
        if (plan_find_kernel(plan, filter->name) == PLAN_NONE &&
            plan_add_kernel(plan, &kernel, &number) != FGPU_OK)
            return demo_no_memory(builder);
    }
    return FGPU_OK;
}

/* Enough tiles for the tasks that are wanted, more where the largest photograph is large. */
static uint32_t demo_choose_tiles(const struct demo_photos *photos)
{
    uint64_t tasks_a_tile = (uint64_t)photos->count * DEMO_STEP_COUNT;
    uint64_t tiles = (DEMO_TASKS_WANTED + tasks_a_tile - 1) / tasks_a_tile;

    if (tiles < DEMO_TILES_WANTED)
        tiles = DEMO_TILES_WANTED;
    for (uint32_t i = 0; i < photos->count; i++) {
        const struct image *image = &photos->list[i].image;
        uint64_t pixels = (uint64_t)image->width * image->height;
        uint64_t wanted = (pixels + DEMO_TILE_PIXELS - 1) / DEMO_TILE_PIXELS;
        if (tiles < wanted)
            tiles = wanted;
    }
    return (uint32_t)tiles;
}

static fgpu_status demo_build(struct demo_builder *builder, const struct demo_photos *photos)
{
    fgpu_status status = demo_add_kernels(builder);

    if (status == FGPU_OK)
        status = demo_add_tables(builder);
    for (uint32_t i = 0; i < photos->count && status == FGPU_OK; i++) {
        builder->photo = &photos->list[i];
        status = demo_add_photo(builder);
        for (uint32_t step = 0; step < DEMO_STEP_COUNT && status == FGPU_OK; step++)
            status = demo_add_step(builder, step);
    }
    return status;
}

fgpu_status demo_plan_init(const struct demo_photos *photos, uint32_t align_bytes,
                           uint32_t tile_count, struct demo_plan *plan, char *why, size_t why_bytes)
{
    struct demo_builder builder = {
        .out = plan, .align_bytes = align_bytes, .why = why, .why_bytes = why_bytes};

    *plan =
        (struct demo_plan){.tile_count = tile_count > 0 ? tile_count : demo_choose_tiles(photos)};
    fgpu_status status = demo_build(&builder, photos);
    if (status != FGPU_OK)
        demo_plan_fini(plan);
    return status;
}

void demo_plan_fini(struct demo_plan *plan)
{
    if (!plan)
        return;
    plan_fini(&plan->plan);
    for (uint32_t i = 0; i < plan->content_count; i++)
        fgpu_host_free(plan->contents[i]);
    free(plan->contents);
    *plan = (struct demo_plan){0};
}
