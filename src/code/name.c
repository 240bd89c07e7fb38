/* Interned names; see name.h. FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo, 1991) with a final mix,
 * linear probing. */
#include "code/name.h"

#include <string.h>
#include "code/word.h"

enum { NAME_FIRST_SLOTS = 1024 };

static const char *const word_texts[] = {"",
#define CODE_WORD_TEXT(word) #word,
                                         CODE_WORD_LIST(CODE_WORD_TEXT)
#undef CODE_WORD_TEXT
};

static uint32_t name_hash(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    hash ^= hash >> 15;
    return hash * 0x2c1b3c6du ^ (hash >> 12);
}

static const struct code_name *name_at(const struct code_names *names, uint32_t name)
{
    return vec_at(&names->entries, name);
}

/* Slot that holds the name, or the free one where it belongs. */
static uint32_t *name_slot(const struct code_names *names, const char *text, size_t length,
                           uint32_t hash)
{
    uint32_t mask = names->slot_count - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        if (names->slots[at] == 0)
            return &names->slots[at];
        const struct code_name *entry = name_at(names, names->slots[at]);
        if (entry->hash == hash && entry->length == length &&
            memcmp(entry->text, text, length) == 0)
            return &names->slots[at];
    }
}

static bool name_grow(struct code_names *names, uint32_t slot_count)
{
    uint32_t *slots = alloc_get_zeroed(names->entries.hooks, slot_count * sizeof *slots, 16);
    if (slots == NULL)
        return false;
    alloc_put(names->entries.hooks, names->slots, names->slot_count * sizeof *slots);
    names->slots = slots;
    names->slot_count = slot_count;
    for (uint32_t i = 1; i < names->entries.count; i++) {
        const struct code_name *entry = name_at(names, i);
        *name_slot(names, entry->text, entry->length, entry->hash) = i;
    }
    return true;
}

bool code_names_init(struct code_names *names, struct arena *arena, const struct alloc_hooks *hooks)
{
    *names = (struct code_names){.arena = arena};
    vec_init(&names->entries, sizeof(struct code_name), hooks);
    const struct code_name empty = {.text = ""};
    if (vec_push(&names->entries, &empty) == NULL || !name_grow(names, NAME_FIRST_SLOTS))
        return false;
    for (uint32_t i = 1; i < CODE_WORD_COUNT; i++)
        if (code_names_intern(names, word_texts[i], strlen(word_texts[i])) != i)
            return false;
    return true;
}

void code_names_fini(struct code_names *names)
{
    if (names == NULL)
        return;
    alloc_put(names->entries.hooks, names->slots, names->slot_count * sizeof *names->slots);
    names->slots = NULL;
    names->slot_count = 0;
    vec_fini(&names->entries);
}

uint32_t code_names_intern(struct code_names *names, const char *text, size_t length)
{
    if (length == 0 || length >= UINT32_MAX)
        return 0;
    uint32_t hash = name_hash(text, length);
    uint32_t *slot = name_slot(names, text, length, hash);
    if (*slot != 0)
        return *slot;
    if (names->entries.count * 4 >= (size_t)names->slot_count * 3) {
        if (names->slot_count > UINT32_MAX / 4 || !name_grow(names, names->slot_count * 2))
            return 0;
        slot = name_slot(names, text, length, hash);
    }
    char *copy = arena_alloc(names->arena, length + 1, 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    const struct code_name entry = {copy, (uint32_t)length, hash};
    if (vec_push(&names->entries, &entry) == NULL)
        return 0;
    *slot = (uint32_t)(names->entries.count - 1);
    return *slot;
}

uint32_t code_names_find(const struct code_names *names, const char *text)
{
    size_t length = strlen(text);
    return length == 0 ? 0 : *name_slot(names, text, length, name_hash(text, length));
}

const char *code_names_text(const struct code_names *names, uint32_t name)
{
    return name_at(names, name)->text;
}

uint32_t code_names_length(const struct code_names *names, uint32_t name)
{
    return name_at(names, name)->length;
}
