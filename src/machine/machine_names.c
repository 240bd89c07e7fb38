/* Names of a machine's parts while it is made. See machine_names.h. */
#include "machine/machine_names.h"

#include <string.h>
#include "base/error.h"
#include "machine/machine.h"

void machine_names_init(struct machine_names *names, const struct vec *items)
{
    names->items = items;
    map_init(&names->map, NULL);
}

void machine_names_fini(struct machine_names *names)
{
    map_fini(&names->map);
}

uint32_t machine_names_find(const struct machine_names *names, const char *name)
{
    uint64_t number;
    for (uint64_t key = hash_bytes(name, strlen(name), 0); map_get(&names->map, key, &number);
         key++)
        if (strcmp(vec_at(names->items, (size_t)number), name) == 0)
            return (uint32_t)number;
    return MACHINE_NONE;
}

int machine_names_put(struct machine_names *names, uint32_t number)
{
    const char *name = vec_at(names->items, number);
    uint64_t key = hash_bytes(name, strlen(name), 0);
    while (map_find(&names->map, key) != NULL)
        key++;
    if (map_put(&names->map, key, number) != FGPU_OK)
        return error_set(FGPU_E_NOMEM, "machine: no memory for names");
    return FGPU_OK;
}
