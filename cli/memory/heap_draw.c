/* See heap_draw.h. A canvas takes rectangles and short texts, and is an SVG or a PNG in the end. */
#include "cli/memory/heap_draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/common/file.h"
#include "cli/common/why.h"
#include "cli/image/image.h"

#define DRAW_WIDTH 1280u
#define DRAW_HEIGHT 760u
#define DRAW_LEFT 90.0 /* of the chart in the picture */
#define DRAW_TOP 20.0
#define DRAW_RIGHT 1260.0
#define DRAW_BOTTOM 720.0
#define DRAW_ROWS 50u /* of a moment */
#define DRAW_TICKS 8u
#define DRAW_THIN 0.15 /* pixels on both sides: what is smaller is left out of an SVG */
#define DRAW_COLOR_SLAB 0xd8dde3u
#define DRAW_COLOR_TEXT 0x333333u

static const uint32_t draw_colors[] = {0x4e79a7, 0xf28e2b, 0x59a14f, 0xe15759, 0x76b7b2, 0xb07aa1,
                                       0xedc948, 0x9c755f, 0xff9da7, 0x2f6f8f, 0x86bc86, 0xc2853c};

/* Figures of three by five dots, rows from the top. */
static const char draw_letters[] = "0123456789.KMGTiB";
static const uint16_t draw_dots[] = {0x7b6f, 0x2c97, 0x73e7, 0x73cf, 0x5bc9, 0x79cf,
                                     0x79ef, 0x7249, 0x7bef, 0x7bcf, 0x0002, 0x5bad,
                                     0x5fed, 0x796f, 0x7492, 0x2092, 0x6bae};

struct canvas {
    bool svg, failed;
    struct file_bytes text;
    struct image image;
};

struct box {
    double x, y, width, height;
};

static void canvas_add(struct canvas *canvas, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void canvas_add(struct canvas *canvas, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < sizeof line)
        canvas->failed |= !file_bytes_append(&canvas->text, line, (size_t)length);
}

/* As it is to stand in XML. */
static void canvas_add_title(struct canvas *canvas, const char *title)
{
    canvas_add(canvas, "<title>");
    for (; *title != '\0'; title++) {
        if (*title == '<' || *title == '&' || *title == '>')
            canvas_add(canvas, "&#%d;", *title);
        else if ((unsigned char)*title >= ' ')
            canvas_add(canvas, "%c", *title);
    }
    canvas_add(canvas, "</title>");
}

static void canvas_dot(struct canvas *canvas, uint32_t x, uint32_t y, uint32_t color)
{
    uint8_t *pixel = canvas->image.pixels + ((size_t)y * DRAW_WIDTH + x) * 3;
    pixel[0] = (uint8_t)(color >> 16);
    pixel[1] = (uint8_t)(color >> 8);
    pixel[2] = (uint8_t)color;
}

static uint32_t canvas_clip(double at, uint32_t most)
{
    return at <= 0 ? 0 : at >= most ? most : (uint32_t)(at + 0.5);
}

/* [in] title: shown where the pointer rests, in SVG; NULL. */
static void canvas_box(struct canvas *canvas, const struct box *box, uint32_t color,
                       const char *title)
{
    if (canvas->svg) {
        if (box->width < DRAW_THIN || box->height < DRAW_THIN)
            return;
        canvas_add(canvas, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" ", box->x,
                   box->y, box->width, box->height);
        canvas_add(canvas, "fill=\"#%06x\"%s", color, title != NULL ? ">" : "/>\n");
        if (title != NULL) {
            canvas_add_title(canvas, title);
            canvas_add(canvas, "</rect>\n");
        }
        return;
    }
    uint32_t x = canvas_clip(box->x, DRAW_WIDTH), y = canvas_clip(box->y, DRAW_HEIGHT);
    uint32_t right = canvas_clip(box->x + box->width, DRAW_WIDTH);
    uint32_t bottom = canvas_clip(box->y + box->height, DRAW_HEIGHT);
    for (uint32_t row = y; row < bottom || (row == y && row < DRAW_HEIGHT); row++)
        for (uint32_t column = x; column < right || (column == x && column < DRAW_WIDTH); column++)
            canvas_dot(canvas, column, row, color);
}

/* Figures, from x on, or up to x with `before`. */
static void canvas_figures(struct canvas *canvas, double x, double y, const char *text, bool before)
{
    if (canvas->svg) {
        canvas_add(canvas, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y + 10,
                   before ? "end" : "middle", text);
        return;
    }
    size_t length = strlen(text);
    x -= (double)length * (before ? 8 : 4);
    for (size_t i = 0; i < length; i++) {
        const char *letter = strchr(draw_letters, text[i]);
        uint32_t dots = letter != NULL ? draw_dots[letter - draw_letters] : 0;
        for (uint32_t d = 0; d < 15; d++) {
            uint32_t row = d / 3;
            const struct box dot = {x + 8 * (double)i + 2.0 * (d % 3), y + 2.0 * row, 2, 2};
            if ((dots >> (14 - d)) & 1)
                canvas_box(canvas, &dot, DRAW_COLOR_TEXT, NULL);
        }
    }
}

static fgpu_status canvas_begin(struct canvas *canvas, bool svg, char *why, size_t why_bytes)
{
    memset(canvas, 0, sizeof *canvas);
    canvas->svg = svg;
    if (svg) {
        canvas_add(canvas,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
                   "viewBox=\"0 0 %u %u\" font-family=\"sans-serif\" font-size=\"12\" "
                   "fill=\"#%06x\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                   DRAW_WIDTH, DRAW_HEIGHT, DRAW_WIDTH, DRAW_HEIGHT, DRAW_COLOR_TEXT);
        return FGPU_OK;
    }
    fgpu_status status = image_init(&canvas->image, DRAW_WIDTH, DRAW_HEIGHT, 3, why, why_bytes);
    if (status == FGPU_OK)
        memset(canvas->image.pixels, 255, image_size_bytes(&canvas->image));
    return status;
}

static fgpu_status canvas_end(struct canvas *canvas, const char *path, char *why, size_t why_bytes)
{
    fgpu_status status;
    if (canvas->svg) {
        canvas_add(canvas, "</svg>\n");
        status = canvas->failed ? why_fail(FGPU_E_NOMEM, why, why_bytes, "%s: no memory", path)
                                : file_replace(path, canvas->text.data, canvas->text.size_bytes,
                                               why, why_bytes);
    } else {
        status = image_save(path, &canvas->image, why, why_bytes);
    }
    file_bytes_fini(&canvas->text);
    image_fini(&canvas->image);
    return status;
}

/* ---- what is drawn ---------------------------------------------------------------------- */

void heap_draw_bytes(uint64_t bytes, char *text, size_t text_bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    uint32_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, text_bytes, unit == 0 || value >= 99.95 ? "%.0f%s" : "%.1f%s", value,
             units[unit]);
}

static void draw_title(const struct heap_view *view, uint32_t block, char *text, size_t text_bytes)
{
    const fgpu_replay_span *span = &view->blocks[block];
    char bytes[32];
    heap_draw_bytes(span->bytes, bytes, sizeof bytes);
    if (view->names != NULL)
        snprintf(text, text_bytes, "%.100s: %s at %llu",
                 view->names[block] != NULL ? view->names[block] : "", bytes,
                 (unsigned long long)span->address);
    else
        snprintf(text, text_bytes, "%llu: %s at %llu, from %llu until %llu",
                 (unsigned long long)(view->ids != NULL ? view->ids[block] : block), bytes,
                 (unsigned long long)span->address, (unsigned long long)span->from,
                 (unsigned long long)span->until);
}

/* Time to the right, addresses up. */
static void draw_over_time(struct canvas *canvas, const struct heap_view *view)
{
    double across = (DRAW_RIGHT - DRAW_LEFT) / (double)(view->end - view->begin);
    double up = (DRAW_BOTTOM - DRAW_TOP) / (double)(view->top > 0 ? view->top : 1);
    char text[256];
    for (uint32_t i = 0; i < view->slab_count + view->count; i++) {
        bool slab = i < view->slab_count;
        uint32_t b = i - view->slab_count;
        const fgpu_replay_span *span = slab ? &view->slabs[i] : &view->blocks[b];
        uint64_t until = span->until < view->end ? span->until : view->end;
        const struct box box = {DRAW_LEFT + (double)(span->from - view->begin) * across,
                                DRAW_BOTTOM - (double)(span->address + span->bytes) * up,
                                (double)(until - span->from) * across, (double)span->bytes * up};
        if (span->bytes == 0)
            continue;
        if (!slab && canvas->svg)
            draw_title(view, b, text, sizeof text);
        canvas_box(canvas, &box,
                   slab ? DRAW_COLOR_SLAB
                        : draw_colors[b % (sizeof draw_colors / sizeof draw_colors[0])],
                   slab ? NULL : text);
    }
    for (uint32_t i = 0; i <= DRAW_TICKS; i++) {
        uint64_t time = view->begin + (view->end - view->begin) / DRAW_TICKS * i;
        snprintf(text, sizeof text, "%llu", (unsigned long long)time);
        bool last = i == DRAW_TICKS; /* it ends where the picture does */
        double x = DRAW_LEFT + (double)(time - view->begin) * across;
        canvas_figures(canvas, last ? DRAW_RIGHT + 8 : x, DRAW_BOTTOM + 8, text, last);
        uint64_t address = view->top / DRAW_TICKS * i;
        heap_draw_bytes(address, text, sizeof text);
        canvas_figures(canvas, DRAW_LEFT - 8, DRAW_BOTTOM - (double)address * up - 5, text, true);
    }
}

/* A span of one moment: rows of equal length, addresses to the right and down. */
static void draw_rows(struct canvas *canvas, const struct heap_view *view,
                      const fgpu_replay_span *span, uint32_t color, const char *title)
{
    double row_bytes = (double)(view->top > 0 ? view->top : 1) / DRAW_ROWS;
    double across = (DRAW_RIGHT - DRAW_LEFT) / row_bytes,
           down = (DRAW_BOTTOM - DRAW_TOP) / DRAW_ROWS;
    double at = (double)span->address, end = at + (double)span->bytes;
    for (uint32_t row = (uint32_t)(at / row_bytes); row < DRAW_ROWS && at < end; row++) {
        double next = row_bytes * (row + 1.0) < end ? row_bytes * (row + 1.0) : end;
        const struct box box = {DRAW_LEFT + (at - row_bytes * row) * across,
                                DRAW_TOP + down * row + 1, (next - at) * across, down - 2};
        canvas_box(canvas, &box, color, title);
        at = next;
    }
}

static void draw_moment(struct canvas *canvas, const struct heap_view *view, uint64_t time)
{
    char text[256];
    for (uint32_t i = 0; i < view->slab_count; i++)
        if (heap_view_is_at(&view->slabs[i], time))
            draw_rows(canvas, view, &view->slabs[i], DRAW_COLOR_SLAB, NULL);
    for (uint32_t i = 0; i < view->count; i++) {
        if (!heap_view_is_at(&view->blocks[i], time))
            continue;
        draw_title(view, i, text, sizeof text);
        draw_rows(canvas, view, &view->blocks[i],
                  draw_colors[i % (sizeof draw_colors / sizeof draw_colors[0])], text);
    }
    for (uint32_t row = 0; row < DRAW_ROWS; row += 5) {
        heap_draw_bytes(view->top / DRAW_ROWS * row, text, sizeof text);
        canvas_figures(canvas, DRAW_LEFT - 8,
                       DRAW_TOP + (DRAW_BOTTOM - DRAW_TOP) / DRAW_ROWS * row + 1, text, true);
    }
}

fgpu_status heap_draw(const struct heap_view *view, bool moment, uint64_t time, const char *path,
                      char *why, size_t why_bytes)
{
    const char *end = strrchr(path, '.');
    bool svg = end != NULL && strcmp(end, ".svg") == 0;
    struct canvas canvas;
    if (!svg && (end == NULL || strcmp(end, ".png") != 0))
        return why_fail(FGPU_E_INVAL, why, why_bytes,
                        "%s: the name of a picture ends in .png or .svg", path);
    fgpu_status status = canvas_begin(&canvas, svg, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    if (moment)
        draw_moment(&canvas, view, time);
    else
        draw_over_time(&canvas, view);
    return canvas_end(&canvas, path, why, why_bytes);
}
