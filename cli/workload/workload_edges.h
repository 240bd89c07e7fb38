/* Which tasks of a workload must wait for which, from what they read and write and from `after`.
 *
 * The order is that of workload.order; an edge leads from an earlier task to a later one that reads
 * what it writes, writes what it reads, or writes what it writes (byte for byte: two regions
 * conflict only where they really share a byte). An access that only the kernel's source tells
 * (FGPU_ACCESS_DEFAULT) counts as read and write. Edges that follow from others may be left out.
 * Pure.
 */
#ifndef FASTGPU_CLI_WORKLOAD_WORKLOAD_EDGES_H
#define FASTGPU_CLI_WORKLOAD_WORKLOAD_EDGES_H

#include "cli/workload/workload.h"

/* More than these are refused, and so are regions of different pitch in one buffer that have more
 * rows together. */
#define WORKLOAD_EDGES_LIMIT ((uint32_t)1 << 24)

/* The region of a buffer argument with nothing left out; one without gaps as a single row. */
fgpu_region workload_edges_region(const struct workload *workload, const struct workload_arg *arg);

struct workload_edge {
    uint32_t from, to; /* numbers of tasks */
};

struct workload_edges {
    struct workload_edge *items; /* sorted by `to`, then `from`; none twice */
    uint32_t count;
};

/* FGPU_OK, FGPU_E_NOMEM, or FGPU_E_LIMIT beyond WORKLOAD_EDGES_LIMIT. On failure `edges` is empty.
 */
fgpu_status workload_edges_init(struct workload_edges *edges, const struct workload *workload);
void workload_edges_fini(struct workload_edges *edges);

#endif
