/* Pictures and a map in letters of what heap_view.h holds. Thread: any; writes a file. */
#ifndef FASTGPU_CLI_MEMORY_HEAP_DRAW_H
#define FASTGPU_CLI_MEMORY_HEAP_DRAW_H

#include "cli/memory/heap_view.h"

/* Addresses over time; or, with `moment`, all addresses at `time`, row by row. PNG where the name
 * ends in .png, SVG where it ends in .svg; FGPU_E_INVAL otherwise, FGPU_E_IO, FGPU_E_NOMEM. */
fgpu_status heap_draw(const struct heap_view *view, bool moment, uint64_t time, const char *path,
                      char *why, size_t why_bytes);

/* Lines of 64 letters to stdout: '#' all in use, '+' more than half, '-' less, '.' free, ' ' no
 * slab. False without memory. */
bool heap_draw_map(const struct heap_view *view, uint64_t time);

/* Bytes as people read them: "5.2GiB". */
void heap_draw_bytes(uint64_t bytes, char *text, size_t text_bytes);

#endif
