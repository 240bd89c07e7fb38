/* Which number has the item of this name? For lists whose items begin with their name, while they
 * are made. Thread: one.
 */
#ifndef FASTGPU_MACHINE_MACHINE_NAMES_H
#define FASTGPU_MACHINE_MACHINE_NAMES_H

#include "base/map.h"
#include "base/vec.h"

struct machine_names {
    const struct vec *items; /* [borrow] each begins with char name[LIMITS_NAME_BYTES] */
    struct map map;          /* hash of the name -> number; equal hashes lie one behind another */
};

void machine_names_init(struct machine_names *names, const struct vec *items);
void machine_names_fini(struct machine_names *names);

/* MACHINE_NONE when there is none. */
uint32_t machine_names_find(const struct machine_names *names, const char *name);

/* The item `number` of the list has a name that is not known yet. FGPU_E_NOMEM. */
int machine_names_put(struct machine_names *names, uint32_t number);

#endif
