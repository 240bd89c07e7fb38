/* The map in letters: see heap_draw.h. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/memory/heap_draw.h"

#define MAP_COLUMNS 64u
#define MAP_ROWS 24u

/* How much of each cell the spans of that time take. */
static void map_cover(const fgpu_replay_span *spans, uint32_t count, uint64_t time, double cell,
                      double *cover)
{
    for (uint32_t i = 0; i < count; i++) {
        double at = (double)spans[i].address, end = at + (double)spans[i].bytes;
        if (!heap_view_is_at(&spans[i], time))
            continue;
        for (uint32_t c = (uint32_t)(at / cell); c < MAP_COLUMNS * MAP_ROWS && at < end; c++) {
            double next = cell * (c + 1.0) < end ? cell * (c + 1.0) : end;
            cover[c] += (next - at) / cell;
            at = next;
        }
    }
}

bool heap_draw_map(const struct heap_view *view, uint64_t time)
{
    const uint32_t cells = MAP_COLUMNS * MAP_ROWS;
    double *used = calloc(2 * (size_t)cells, sizeof *used), *held = used + cells;
    double cell = (double)(view->top > 0 ? view->top : 1) / cells;
    char text[32];
    if (used == NULL)
        return false;
    map_cover(view->blocks, view->count, time, cell, used);
    map_cover(view->slabs, view->slab_count, time, cell, held);
    for (uint32_t row = 0; row < MAP_ROWS; row++) {
        heap_draw_bytes((uint64_t)(cell * MAP_COLUMNS * row), text, sizeof text);
        printf("%9s |", text);
        for (uint32_t c = row * MAP_COLUMNS; c < (row + 1) * MAP_COLUMNS; c++)
            putchar(used[c] > 0.995   ? '#'
                    : used[c] > 0.5   ? '+'
                    : used[c] > 0.005 ? '-'
                    : held[c] > 0.005 ? '.'
                                      : ' ');
        puts("|");
    }
    free(used);
    return true;
}
