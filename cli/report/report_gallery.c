/* Pictures before and after: scaled down by a box filter, as data within the page, each once; what
 * an output was made from, by the tasks of the workload, is laid over it by the page's script. See
 * report_parts.h.
 *
 * A picture is stored as PNG or JPEG, whichever is smaller. Those that no longer fit into
 * REPORT_PICTURES_BYTES are left out, and the page says how many. Alpha and colours are averaged
 * alike, as samples.
 */
#include "cli/report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/image/image_codec.h"

#define REPORT_PICTURE_WIDTH 480
#define REPORT_PICTURE_HEIGHT 960
#define REPORT_PICTURES_BYTES ((size_t)3 << 20) /* as text */
#define REPORT_PICTURES 64

struct gallery_span {
    uint32_t first, last; /* samples that have a part in it */
    double low, high;     /* its borders */
};

/* What of the old axis is the new sample `i`. */
static struct gallery_span gallery_span(uint32_t i, uint32_t from, uint32_t to)
{
    double low = (double)i * from / to, high = (double)(i + 1) * from / to;
    uint32_t last = (uint32_t)high;

    last = (double)last < high ? last : last - 1;
    return (struct gallery_span){(uint32_t)low, last < from ? last : from - 1, low, high};
}

/* How much of sample `at` is within. */
static double gallery_part(const struct gallery_span *span, uint32_t at)
{
    double low = span->low > at ? span->low : at;
    double high = span->high < at + 1.0 ? span->high : at + 1.0;

    return high - low;
}

static void gallery_pixel(const struct image *from, struct gallery_span down,
                          struct gallery_span across, uint8_t *to)
{
    double sums[4] = {0}, weight = 0;

    for (uint32_t y = down.first; y <= down.last; y++) {
        double part = gallery_part(&down, y);
        const uint8_t *row = from->pixels + (size_t)y * image_row_bytes(from);
        for (uint32_t x = across.first; x <= across.last; x++) {
            double share = part * gallery_part(&across, x);
            weight += share;
            for (uint32_t c = 0; c < from->channels; c++)
                sums[c] += share * row[(size_t)x * from->channels + c];
        }
    }
    for (uint32_t c = 0; c < from->channels; c++)
        to[c] = (uint8_t)(sums[c] / weight + 0.5);
}

/* At most REPORT_PICTURE_WIDTH wide; a smaller picture stays as it is. */
static fgpu_status gallery_scale(const struct image *from, struct image *to)
{
    double by_width = (double)REPORT_PICTURE_WIDTH / from->width;
    double by_height = (double)REPORT_PICTURE_HEIGHT / from->height;
    double scale = by_width < by_height ? by_width : by_height;

    scale = scale < 1 ? scale : 1;
    uint32_t width = (uint32_t)(from->width * scale + 0.5);
    uint32_t height = (uint32_t)(from->height * scale + 0.5);
    fgpu_status status =
        image_init(to, width > 0 ? width : 1, height > 0 ? height : 1, from->channels, NULL, 0);
    for (uint32_t y = 0; status == FGPU_OK && y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++)
            gallery_pixel(from, gallery_span(y, from->height, to->height),
                          gallery_span(x, from->width, to->width),
                          to->pixels + ((size_t)y * to->width + x) * to->channels);
    return status;
}

/* The smaller of PNG and JPEG; no JPEG where it would lose alpha. */
static fgpu_status gallery_encode(const struct image *image, struct file_bytes *out,
                                  const char **type)
{
    struct file_bytes jpeg = {0};
    fgpu_status status = image_png_encode(image, out, NULL, 0);

    *type = "image/png";
    if (status != FGPU_OK || image->channels == 4)
        return status;
    if (image_jpeg_encode(image, &jpeg, NULL, 0) == FGPU_OK && jpeg.size_bytes < out->size_bytes) {
        file_bytes_fini(out);
        *out = jpeg;
        *type = "image/jpeg";
    } else {
        file_bytes_fini(&jpeg);
    }
    return FGPU_OK;
}

/* The buffer that a picture shows; EVALUATION_NONE where the workload has none of its name. */
static uint32_t gallery_buffer(const struct workload *workload,
                               const struct report_picture *picture)
{
    for (uint32_t i = 0; !picture->is_input && i < workload->output_count; i++)
        if (strcmp(workload->outputs[i].path, picture->name) == 0)
            return workload->outputs[i].buffer;
    for (uint32_t i = 0; picture->is_input && i < workload->buffer_count; i++)
        if (strcmp(workload->buffers[i].name, picture->name) == 0)
            return i;
    return EVALUATION_NONE;
}

/* Marks every buffer that has a part in what is in `buffer` after the last task. */
static void gallery_trace(const struct workload *workload, uint32_t buffer, bool *has_part)
{
    memset(has_part, 0, workload->buffer_count * sizeof *has_part);
    has_part[buffer] = true;
    for (uint32_t i = workload->task_count; i-- > 0;) {
        const struct workload_task *task = &workload->tasks[workload->order[i]];
        const struct workload_arg *args = workload->args + task->arg_first;
        bool writes = false;
        for (uint32_t k = 0; k < task->arg_count; k++)
            writes = writes || (args[k].kind == FGPU_ARG_BUFFER && has_part[args[k].buffer] &&
                                args[k].access != FGPU_READ);
        for (uint32_t k = 0; writes && k < task->arg_count; k++)
            if (args[k].kind == FGPU_ARG_BUFFER)
                has_part[args[k].buffer] = true;
    }
}

/* The picture of the same size that an output was made from, the first where there are several;
 * EVALUATION_NONE. [in] has_part: room for every buffer. */
static uint32_t gallery_source(const struct report *report, uint32_t output, const bool *is_shown,
                               bool *has_part)
{
    const struct image *image = report->pictures[output].image;
    uint32_t buffer = gallery_buffer(report->workload, &report->pictures[output]);

    if (buffer >= report->workload->buffer_count)
        return EVALUATION_NONE;
    gallery_trace(report->workload, buffer, has_part);
    for (uint32_t i = 0; i < report->picture_count && i < REPORT_PICTURES; i++) {
        const struct report_picture *with = &report->pictures[i];
        if (!with->is_input || !is_shown[i] || with->image->width != image->width ||
            with->image->height != image->height)
            continue;
        uint32_t source = gallery_buffer(report->workload, with);
        if (source < report->workload->buffer_count && has_part[source])
            return i;
    }
    return EVALUATION_NONE;
}

/* False where it does not fit any more, or cannot be encoded. */
static bool gallery_write(struct report *report, uint32_t i, uint32_t source, size_t *left)
{
    const struct report_picture *picture = &report->pictures[i];
    struct report_text *text = &report->text;
    struct file_bytes bytes = {0};
    struct image small = {0};
    const char *type = NULL;
    bool is_done = false;

    if (gallery_scale(picture->image, &small) == FGPU_OK &&
        gallery_encode(&small, &bytes, &type) == FGPU_OK &&
        (bytes.size_bytes + 2) / 3 * 4 <= *left) {
        *left -= (bytes.size_bytes + 2) / 3 * 4;
        report_text_format(text, "<figure id=\"picture-%" PRIu32 "\"", i);
        if (source != EVALUATION_NONE)
            report_text_format(text, " data-before=\"picture-%" PRIu32 "\"", source);
        report_text_format(text,
                           "><div class=\"frame\"><img width=\"%" PRIu32 "\" height=\"%" PRIu32
                           "\" alt=\"%s ",
                           small.width, small.height, picture->is_input ? "Input" : "Output");
        report_text_escape(text, picture->name);
        report_text_format(text, "\" src=\"data:%s;base64,", type);
        report_text_base64(text, bytes.data, bytes.size_bytes);
        report_text_add(text, "\"></div><figcaption><bdi>");
        report_text_escape(text, picture->name);
        report_text_format(text, "</bdi>, %s, %" PRIu32 " × %" PRIu32 "</figcaption></figure>\n",
                           picture->is_input ? "before" : "after", picture->image->width,
                           picture->image->height);
        is_done = true;
    }
    file_bytes_fini(&bytes);
    image_fini(&small);
    return is_done;
}

/* Inputs, then outputs; returns how many are shown. */
static uint32_t gallery_write_all(struct report *report, bool *has_part)
{
    bool is_shown[REPORT_PICTURES] = {false};
    size_t left = REPORT_PICTURES_BYTES;
    uint32_t shown = 0;

    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < report->picture_count && i < REPORT_PICTURES; i++) {
            const struct report_picture *picture = &report->pictures[i];
            if (picture->is_input != (pass == 0) || !picture->image || !picture->image->pixels)
                continue;
            uint32_t source =
                pass == 0 ? EVALUATION_NONE : gallery_source(report, i, is_shown, has_part);
            is_shown[i] = gallery_write(report, i, source, &left);
            shown += is_shown[i];
        }
    return shown;
}

void report_gallery(struct report *report)
{
    bool *has_part = calloc((size_t)report->workload->buffer_count + 1, sizeof *has_part);

    if (report->picture_count > 0 && has_part) {
        report_text_add(&report->text,
                        "<h2 id=\"pictures\">Before and after</h2>\n<div class=\"gallery\">\n");
        uint32_t shown = gallery_write_all(report, has_part);
        report_text_add(&report->text, "</div>\n");
        if (shown < report->picture_count)
            report_text_format(&report->text,
                               "<p>%" PRIu32 " of %" PRIu32
                               " pictures are shown; the others did not fit.</p>\n",
                               shown, report->picture_count);
    }
    if (!has_part)
        report->text.is_short = true;
    free(has_part);
}
