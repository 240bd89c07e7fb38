/* Names and the numbers behind them: see sim_names.h. Open addressing, at most half full; the hash
 * is FNV-1a (Fowler, Noll, Vo). */
#include "cli/sim/sim_names.h"

#include <stdlib.h>
#include <string.h>

void sim_names_fini(struct sim_names *names)
{
    free(names->entries);
    *names = (struct sim_names){0};
}

/* Where a name is, or would be. [in] names->room > 0. */
static struct sim_names_entry *sim_names_slot(const struct sim_names *names, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *letter = name; *letter; letter++)
        hash = (hash ^ (unsigned char)*letter) * 0x100000001b3u;
    for (uint32_t at = (uint32_t)(hash ^ (hash >> 32));; at++) {
        struct sim_names_entry *entry = &names->entries[at & (names->room - 1)];
        if (!entry->name || strcmp(entry->name, name) == 0)
            return entry;
    }
}

uint32_t sim_names_find(const struct sim_names *names, const char *name)
{
    const struct sim_names_entry *entry = names->room > 0 ? sim_names_slot(names, name) : NULL;

    return entry && entry->name ? entry->number : SIM_NAMES_NONE;
}

static bool sim_names_grow(struct sim_names *names)
{
    struct sim_names larger = {.count = names->count,
                               .room = names->room > 0 ? 2 * names->room : 64};

    larger.entries = calloc(larger.room, sizeof *larger.entries);
    if (!larger.entries)
        return false;
    for (uint32_t i = 0; i < names->room; i++)
        if (names->entries[i].name)
            *sim_names_slot(&larger, names->entries[i].name) = names->entries[i];
    free(names->entries);
    *names = larger;
    return true;
}

bool sim_names_add(struct sim_names *names, const char *name, uint32_t number)
{
    if (names->count >= names->room / 2 && !sim_names_grow(names))
        return false;
    struct sim_names_entry *entry = sim_names_slot(names, name);
    if (!entry->name) {
        *entry = (struct sim_names_entry){.name = name, .number = number};
        names->count++;
    }
    return true;
}
