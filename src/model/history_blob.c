/* The performance model as bytes, and back.
 *
 * Blob, all numbers little-endian: "FGPUHIST", u32 version, u32 count of entries, u64 XXH64 of the
 * entries, u64 0; then per entry 64 bytes: u64 kernel, u64 device, u16 bucket, u16 idle, u8
 * samples, 3 x 0, 9 x float32 oldest first (0 where there are fewer), u32 0. What comes back in is
 * trusted in nothing: everything is checked before anything is taken.
 */
#include <math.h>
#include <string.h>
#include "base/assert.h"
#include "model/history.h"
#include "model/history_entry.h"

#define BLOB_VERSION 1u
#define BLOB_HEAD_BYTES 32u
#define BLOB_ENTRY_BYTES 64u
#define BLOB_BUCKETS 512u
#define BLOB_NS_MAX 9.0e18f

static const char blob_magic[8] = {'F', 'G', 'P', 'U', 'H', 'I', 'S', 'T'};

static void blob_put(uint8_t *at, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t blob_get(const uint8_t *at, uint32_t bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* ---- out */

static void blob_put_entry(uint8_t *at, const struct history_group *group,
                           const struct history_entry *entry)
{
    const struct recent *recent = &entry->recent;
    memset(at, 0, BLOB_ENTRY_BYTES);
    blob_put(at, group->kernel, 8);
    blob_put(at + 8, group->device, 8);
    blob_put(at + 16, entry->bucket, 2);
    blob_put(at + 18, entry->idle, 2);
    at[20] = recent->count;
    uint32_t oldest = recent->count < RECENT_SAMPLES ? 0 : recent->next;
    for (uint32_t i = 0; i < recent->count; i++) {
        uint32_t bits;
        memcpy(&bits, &recent->samples[(oldest + i) % RECENT_SAMPLES], sizeof bits);
        blob_put(at + 24 + 4 * i, bits, 4);
    }
}

/* How many entries of each idle time to write: the fresh ones first, half the limit altogether. */
static uint32_t blob_shares(const struct history *history, uint32_t shares[LIMITS_HISTORY_IDLE])
{
    uint32_t room = history->limit / 2 > 0 ? history->limit / 2 : 1, total = 0;
    memset(shares, 0, LIMITS_HISTORY_IDLE * sizeof shares[0]);
    for (size_t i = 0; i < history->entries.count; i++) {
        const struct history_entry *entry = vec_at(&history->entries, i);
        if (entry->recent.count > 0 && entry->idle < LIMITS_HISTORY_IDLE)
            shares[entry->idle]++;
    }
    for (uint32_t idle = 0; idle < LIMITS_HISTORY_IDLE; idle++) {
        if (shares[idle] > room - total)
            shares[idle] = room - total;
        total += shares[idle];
    }
    return total;
}

fgpu_status history_save(struct history *history, struct vec *out)
{
    uint32_t shares[LIMITS_HISTORY_IDLE];
    FGPU_ASSERT(out->item_bytes == 1);
    uint32_t count = blob_shares(history, shares);
    size_t bytes = BLOB_HEAD_BYTES + (size_t)count * BLOB_ENTRY_BYTES;
    if (!vec_reserve(out, out->count + bytes))
        return FGPU_E_NOMEM;
    uint8_t *head = (uint8_t *)out->items + out->count;
    uint8_t *at = head + BLOB_HEAD_BYTES;
    for (size_t i = 0; i < history->entries.count; i++) {
        const struct history_entry *entry = vec_at(&history->entries, i);
        if (entry->recent.count == 0 || entry->idle >= LIMITS_HISTORY_IDLE ||
            shares[entry->idle] == 0)
            continue;
        shares[entry->idle]--;
        blob_put_entry(at, vec_at(&history->groups, entry->group), entry);
        at += BLOB_ENTRY_BYTES;
    }
    FGPU_ASSERT(at == head + bytes);
    memset(head, 0, BLOB_HEAD_BYTES);
    memcpy(head, blob_magic, sizeof blob_magic);
    blob_put(head + 8, BLOB_VERSION, 4);
    blob_put(head + 12, count, 4);
    blob_put(head + 16, hash_bytes(head + BLOB_HEAD_BYTES, bytes - BLOB_HEAD_BYTES, BLOB_VERSION),
             8);
    out->count += bytes;
    history->changed = false;
    return FGPU_OK;
}

/* ---- in */

static float blob_sample(const uint8_t *entry, uint32_t index)
{
    uint32_t bits = (uint32_t)blob_get(entry + 24 + 4 * index, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool blob_entry_is_sound(const uint8_t *entry)
{
    uint32_t count = entry[20];
    if (blob_get(entry + 16, 2) >= BLOB_BUCKETS || count == 0 || count > RECENT_SAMPLES)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        float value = blob_sample(entry, i);
        if (!(value >= 1.0f && value <= BLOB_NS_MAX))
            return false;
    }
    return true;
}

static fgpu_status blob_is_sound(const uint8_t *blob, size_t size_bytes)
{
    if (size_bytes < BLOB_HEAD_BYTES || memcmp(blob, blob_magic, sizeof blob_magic) != 0)
        return FGPU_E_INVAL;
    if (blob_get(blob + 8, 4) != BLOB_VERSION)
        return FGPU_E_VERSION;
    uint64_t count = blob_get(blob + 12, 4);
    if (count != (size_bytes - BLOB_HEAD_BYTES) / BLOB_ENTRY_BYTES ||
        (size_bytes - BLOB_HEAD_BYTES) % BLOB_ENTRY_BYTES != 0)
        return FGPU_E_INVAL;
    const uint8_t *entries = blob + BLOB_HEAD_BYTES;
    if (blob_get(blob + 16, 8) != hash_bytes(entries, size_bytes - BLOB_HEAD_BYTES, BLOB_VERSION))
        return FGPU_E_INVAL;
    for (uint64_t i = 0; i < count; i++) {
        if (!blob_entry_is_sound(entries + i * BLOB_ENTRY_BYTES))
            return FGPU_E_INVAL;
    }
    return FGPU_OK;
}

static fgpu_status blob_take_entry(struct history *history, const uint8_t *at)
{
    uint32_t slot = history_make_entry(history, blob_get(at, 8), blob_get(at + 8, 8),
                                       (uint16_t)blob_get(at + 16, 2));
    if (slot == HISTORY_NONE)
        return history->entries.count >= history->limit ? FGPU_OK : FGPU_E_NOMEM;
    struct history_entry *entry = vec_at(&history->entries, slot);
    if (entry->recent.count > 0 && entry->idle == 0)
        return FGPU_OK;
    uint64_t idle = blob_get(at + 18, 2) + 1;
    entry->idle = (uint16_t)(idle < LIMITS_HISTORY_IDLE ? idle : LIMITS_HISTORY_IDLE);
    entry->recent = (struct recent){0};
    for (uint32_t i = 0; i < at[20]; i++)
        recent_add(&entry->recent, blob_sample(at, i));
    recent_inherit(&entry->recent);
    history_settle_entry(history, slot);
    return FGPU_OK;
}

fgpu_status history_load(struct history *history, const void *bytes, size_t size_bytes)
{
    const uint8_t *blob = bytes;
    fgpu_status status = blob_is_sound(blob, size_bytes);
    if (status != FGPU_OK)
        return status;
    for (size_t at = BLOB_HEAD_BYTES; status == FGPU_OK && at < size_bytes; at += BLOB_ENTRY_BYTES)
        status = blob_take_entry(history, blob + at);
    return status;
}
