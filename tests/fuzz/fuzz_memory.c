/* Any bytes as a trace of allocations, as one of references and as what `fastgpu heap` shows: read
 * or refused with a sentence, and what was read keeps what cli/memory/traces.h and heap_view.h
 * promise. Short traces are replayed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/cli_limits.h"
#include "cli/memory/heap_view.h"
#include "cli/memory/traces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void try_lives(const uint8_t *data, size_t size)
{
    struct traces_lives lives;
    char why[CLI_WHY_BYTES] = "";
    fgpu_status status =
        traces_read_lives("file", (const char *)data, size, &lives, why, sizeof why);
    require((status == FGPU_OK) == (lives.count > 0) && (status == FGPU_OK || why[0] != 0));
    for (uint32_t i = 0; i < lives.count; i++)
        require(lives.blocks[i].lower < lives.blocks[i].upper && lives.blocks[i].bytes > 0);
    if (status == FGPU_OK && lives.count <= 100) {
        const fgpu_replay_alloc_options options = {
            .struct_bytes = sizeof options, .rounds = 1, .plan_steps = 10000};
        fgpu_replay_alloc_result result = {.struct_bytes = sizeof result};
        require(fgpu_replay_alloc(lives.blocks, lives.count, &options, &result, NULL) == FGPU_OK);
        require(result.peak_live_bytes <= result.planned_bytes);
        require(result.peak_live_bytes <= result.online_bytes);
        require(result.peak_live_bytes <= result.compact_bytes);
    }
    traces_lives_fini(&lives);
}

static void try_references(const uint8_t *data, size_t size)
{
    struct traces_references references;
    char why[CLI_WHY_BYTES] = "";
    fgpu_status status =
        traces_read_references("file", (const char *)data, size, &references, why, sizeof why);
    require((status == FGPU_OK) == (references.count > 0) && (status == FGPU_OK || why[0] != 0));
    if (status == FGPU_OK && references.count <= 1000) {
        const fgpu_replay_cache_options options = {
            .struct_bytes = sizeof options, .capacity = 1 + size % 16, .lookahead = size % 7};
        fgpu_replay_cache_result result = {.struct_bytes = sizeof result};
        require(fgpu_replay_cache(references.keys, references.count, &options, &result) == FGPU_OK);
        require(result.hits <= result.hits_optimum && result.hits_lru <= result.hits_optimum);
        require(result.hits_fifo <= result.hits_optimum);
        require(result.hits_s3fifo <= result.hits_optimum);
        require(result.hits_lookahead <= result.hits_optimum);
    }
    traces_references_fini(&references);
}

static void try_heap(const uint8_t *data, size_t size)
{
    const struct heap_view_options options = {.name = "file", .node = UINT32_MAX};
    struct heap_view view;
    struct heap_moment moment;
    char why[CLI_WHY_BYTES] = "", *text = calloc(1, size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    fgpu_status status = heap_view_read(text, size, &options, &view, why, sizeof why);
    require(status == FGPU_OK || (why[0] != 0 && view.count == 0));
    if (status == FGPU_OK) {
        require(heap_view_look(&view, view.moment ? 0 : view.peak_time, &moment));
        require(moment.largest_hole_bytes <= moment.held_bytes);
    }
    heap_view_fini(&view);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_heap(data, size);
    try_lives(data, size);
    try_references(data, size);
    return 0;
}
