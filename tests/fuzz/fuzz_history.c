/* Any bytes as a performance model file: loaded or refused, never believed in part.
 *
 * The input goes in as it is, and once more with the right magic, version, count and checksum put
 * in front of it, so that the fuzzer reaches what lies behind them. What was taken must predict
 * numbers, and survive saving.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "model/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Loads; whatever came of it, the model must be usable, and save and load to the same predictions.
 */
static void try_load(const uint8_t *data, size_t size)
{
    struct history history, again;
    struct vec blob;
    history_init(&history, 64, NULL);
    history_init(&again, 64, NULL);
    vec_init(&blob, 1, NULL);
    fgpu_status status = history_load(&history, data, size);
    if (status != FGPU_OK)
        FGPU_ASSERT(history.entries.count == 0);
    FGPU_ASSERT(history_save(&history, &blob) == FGPU_OK);
    FGPU_ASSERT(history_load(&again, blob.items, blob.count) == FGPU_OK);
    FGPU_ASSERT(history.entries.count <= 64 && again.entries.count <= 32);
    for (size_t i = 0; i < history.entries.count; i++) {
        const struct history_entry *entry = vec_at(&history.entries, i);
        const struct history_group *group = vec_at(&history.groups, entry->group);
        uint64_t ns = 0;
        for (uint64_t size_asked = 1; size_asked < UINT64_C(1) << 60; size_asked <<= 7) {
            FGPU_ASSERT(history_predict(&history, group->kernel, group->device, size_asked, &ns) !=
                        HISTORY_UNKNOWN);
            FGPU_ASSERT(ns > 0);
        }
        history_learn(&history, group->kernel, group->device, 1000, 1000);
    }
    vec_fini(&blob);
    history_fini(&history);
    history_fini(&again);
}

/* The same bytes as entries under a correct head. */
static void try_sealed(const uint8_t *data, size_t size)
{
    uint32_t count = (uint32_t)(size / 64);
    size_t body = (size_t)count * 64;
    uint8_t *blob = calloc(1, 32 + body);
    if (blob == NULL)
        return;
    if (body > 0)
        memcpy(blob + 32, data, body);
    memcpy(blob, "FGPUHIST\1", 9);
    uint64_t sum = hash_bytes(blob + 32, body, 1);
    for (int i = 0; i < 4; i++)
        blob[12 + i] = (uint8_t)(count >> (8 * i));
    for (int i = 0; i < 8; i++)
        blob[16 + i] = (uint8_t)(sum >> (8 * i));
    try_load(blob, 32 + body);
    free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_load(data, size);
    try_sealed(data, size);
    return 0;
}
