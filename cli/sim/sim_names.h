/* Names and the numbers behind them, for files with very many of them: a table that doubles.
 * Thread: one at a time; pure but for memory.
 */
#ifndef FASTGPU_CLI_SIM_SIM_NAMES_H
#define FASTGPU_CLI_SIM_SIM_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_NAMES_NONE UINT32_MAX

struct sim_names_entry {
    const char *name; /* NULL: free */
    uint32_t number;
};

/* All zero is the empty table. */
struct sim_names {
    struct sim_names_entry *entries;
    uint32_t count, room; /* room: a power of two, or 0 */
};

void sim_names_fini(struct sim_names *names);

/* SIM_NAMES_NONE where there is no such name. */
uint32_t sim_names_find(const struct sim_names *names, const char *name);

/* [borrow] name. A name that is there keeps its number. False without memory. */
bool sim_names_add(struct sim_names *names, const char *name, uint32_t number);

#endif
