/* A disk as a memory node: what does not fit into the host's memory goes there.
 *
 * It runs no task. Its one useful queue takes copies between host memory and its allocations, which
 * a thread of its own carries out one after another; a copy that the disk refuses fails alone
 * (FGPU_E_IO). Not in the registry: run/open.c opens it for pools that name a folder.
 */
#ifndef FASTGPU_DEV_SPILL_SPILL_H
#define FASTGPU_DEV_SPILL_SPILL_H

#include <fastgpu/backend.h>

#include "dev/spill/pack.h"

struct spill_stats {
    uint64_t stored_bytes; /* written to the file, after compression */
    uint64_t chunks, zero_chunks, packed_chunks;
    uint64_t zstd_chunks; /* of the packed ones */
};

/* What open() takes, with the options' address as that of its first member. */
struct spill_options {
    fgpu_backend_options backend;
    const char *folder;
    uint64_t limit_bytes; /* 0: none */
    enum pack_mode mode;
};

extern const fgpu_backend spill_backend;

/* Consistent only when nothing is in flight. */
void spill_get_stats(void *device, struct spill_stats *stats);

#endif
