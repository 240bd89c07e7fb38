/* Task graphs made up by a word: "cholesky:tiles=20,tile=960".
 *
 * Each generator is a row of a table with its parameters, their defaults and limits; the command's
 * help and its mistakes come from there. Equal words make equal graphs on every computer. Thread:
 * one at a time; pure but for memory.
 */
#ifndef FASTGPU_CLI_SIM_SIM_GENERATE_H
#define FASTGPU_CLI_SIM_SIM_GENERATE_H

#include <stddef.h>

#include "cli/sim/sim_graph.h"

#define SIM_PARAMS 9
#define SIM_LIST 8 /* entries of a list: "gemm+trsm" */

enum sim_param_kind { SIM_WHOLE, SIM_REAL, SIM_NAMES, SIM_SIZES };

struct sim_param {
    const char *name;
    const char *help;
    const char *usual; /* the default, as one would write it */
    enum sim_param_kind kind;
    double low, high; /* of a number, and of each of SIM_SIZES; high: of how many SIM_NAMES */
};

/* One parameter's value; of a list all its entries. */
struct sim_value {
    uint64_t whole;
    double real;
    char names[SIM_LIST][SIM_NAME_BYTES];
    uint64_t sizes[SIM_LIST];
    uint32_t count; /* of a list */
};

struct sim_generator {
    const char *name;
    const char *help;
    const struct sim_param *params;
    uint32_t param_count;
    /* [in] values: one for each parameter, within its limits. */
    void (*make)(struct sim_graph *graph, const struct sim_value *values);
    /* How many tasks that makes: looked at before anything is made. */
    double (*count)(const struct sim_value *values);
};

/* NULL behind the last. */
const struct sim_generator *sim_generator_at(uint32_t index);

/* Makes the graph that `text` names. [out] graph: initialised before; on failure to be given to
 * sim_graph_fini() all the same. FGPU_E_INVAL (with the parameter, its value and the limit in
 * `why`), FGPU_E_LIMIT, FGPU_E_NOMEM. */
fgpu_status sim_generate(const char *text, struct sim_graph *graph, char *why, size_t why_bytes);

/* For the generators' files (sim_generate_tiles.c, sim_generate_shapes.c). */

extern const struct sim_generator sim_generate_cholesky, sim_generate_lu, sim_generate_gemm;
extern const struct sim_generator sim_generate_wavefront, sim_generate_layers, sim_generate_random;
extern const struct sim_generator sim_generate_independent, sim_generate_chain;

/* Floating point operations of one call on tiles of edge `size`: 2 size^3 for names not known. */
double sim_generate_flops(const char *kernel, uint64_t size);

#endif
