/* Traces of memory as files: lives of blocks (CSV), references to blocks (JSON lines). Strict and
 * bounded; what is wrong is told with file, line, value and limit. Thread: any; pure but for files.
 */
#ifndef FASTGPU_CLI_MEMORY_TRACES_H
#define FASTGPU_CLI_MEMORY_TRACES_H

#include <stddef.h>
#include <stdint.h>

#include <fastgpu/replay.h>

/* Blocks of a CSV with the columns id, lower, upper and size, in any order. */
struct traces_lives {
    fgpu_replay_block *blocks;
    uint64_t *ids;
    uint32_t count;
};

/* [in] name: of the file, for `why`. [out] lives: empty on failure. FGPU_OK, FGPU_E_INVAL,
 * FGPU_E_LIMIT, FGPU_E_NOMEM, FGPU_E_CANCELLED. */
fgpu_status traces_read_lives(const char *name, const char *text, size_t size_bytes,
                              struct traces_lives *lives, char *why, size_t why_bytes);
void traces_lives_fini(struct traces_lives *lives);

/* The hash_ids of all lines in order. */
struct traces_references {
    uint64_t *keys;
    uint64_t count, capacity;
};

fgpu_status traces_read_references(const char *name, const char *text, size_t size_bytes,
                                   struct traces_references *references, char *why,
                                   size_t why_bytes);
void traces_references_fini(struct traces_references *references);

#endif
