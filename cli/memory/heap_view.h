/* What `fastgpu heap` shows: who had which addresses of a memory, and when.
 *
 * Read from a trace of lives (CSV, replayed by the heap) or from what fgpu_heap_write() wrote
 * (JSON), in which everything is at one moment. Thread: any; pure but for the replay's memory.
 */
#ifndef FASTGPU_CLI_MEMORY_HEAP_VIEW_H
#define FASTGPU_CLI_MEMORY_HEAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fastgpu/replay.h>

struct heap_view {
    fgpu_replay_span *blocks, *slabs; /* blocks of 0 bytes: they do not fit */
    char **names;                     /* of blocks; NULL: there are none */
    uint64_t *ids;                    /* of blocks; NULL: there are none */
    uint32_t count, slab_count, slab_capacity, missing;
    uint64_t begin, end; /* time */
    uint64_t top;        /* behind the highest address */
    uint64_t peak_time;  /* the first at which most bytes are in use */
    bool moment;         /* a dump: time means nothing */
    char device[64];     /* of a dump */
    uint32_t node, nodes;
};

/* How it is at one time. */
struct heap_moment {
    uint64_t used_bytes, held_bytes, largest_hole_bytes;
    uint32_t blocks, slabs, holes;
    double fragmentation; /* 1 - largest hole / all free bytes of slabs */
};

struct heap_view_options {
    const char *name;        /* of the file, for `why` */
    uint64_t capacity_bytes; /* of a trace; 0: none */
    uint32_t node;           /* of a dump; UINT32_MAX: the one that uses most */
};

/* [in] text: with a 0 behind it. FGPU_OK, FGPU_E_INVAL, FGPU_E_LIMIT, FGPU_E_NOMEM,
 * FGPU_E_CANCELLED, with a sentence in `why`; the view is empty then. */
fgpu_status heap_view_read(const char *text, size_t size_bytes,
                           const struct heap_view_options *options, struct heap_view *view,
                           char *why, size_t why_bytes);
void heap_view_fini(struct heap_view *view);

static inline bool heap_view_is_at(const fgpu_replay_span *span, uint64_t time)
{
    return span->bytes > 0 && span->from <= time && time < span->until;
}

/* False without memory. */
bool heap_view_look(const struct heap_view *view, uint64_t time, struct heap_moment *moment);

#endif
