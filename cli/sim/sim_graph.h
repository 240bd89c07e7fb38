/* A task graph for the simulator: kernels, data and tasks in the order in which they would have
 * been submitted. Made by the generators (sim_generate.h) or read from a file (sim_read.h).
 *
 * Functions that add do nothing once something failed; `status` says so at the end, so that those
 * who add need not look each time. Thread: one at a time; pure but for memory.
 */
#ifndef FASTGPU_CLI_SIM_SIM_GRAPH_H
#define FASTGPU_CLI_SIM_SIM_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include <fastgpu/sim.h>

#include "cli/common/cli_limits.h"

#define SIM_NAME_BYTES 64
#define SIM_NO_NAME UINT64_MAX

struct sim_kernel {
    char name[SIM_NAME_BYTES];
    char instead[SIM_NAME_BYTES]; /* whose cost stands in where a machine has none; "": none */
};

/* What a kernel takes on the devices of one class, said by the graph and not by the machine. */
struct sim_cost {
    uint32_t kernel;
    char class_name[SIM_NAME_BYTES];
    uint64_t size;
    double mean_us;
};

struct sim_task {
    uint32_t kernel;
    int32_t priority;
    uint32_t parts; /* alike, that pieces of it are made of; below 2: it runs whole */
    uint64_t size;
    double flops;   /* 0: unknown */
    double cost_ns; /* on every device; 0: from the machine */
    uint64_t name;  /* in `names`, or SIM_NO_NAME */
    uint32_t access_first, access_count;
    uint32_t after_first, after_count;
};

struct sim_graph {
    char name[128]; /* for people: "cholesky of 20 x 20 tiles of 960" */
    struct sim_kernel *kernels;
    struct sim_cost *costs;
    uint64_t *data_bytes;
    struct sim_task *tasks;
    fgpu_sim_access *accesses;
    uint32_t *after;
    char *names; /* each closed by a 0 */
    uint32_t kernel_count, cost_count, data_count, task_count, access_count, after_count;
    uint64_t names_bytes;
    uint64_t total_bytes; /* of all data */
    double flops;         /* of all tasks that say so */
    uint32_t flops_count; /* so many of them do */
    uint64_t left_out;    /* arguments of tasks that had more than a task may have */
    bool wants_names;     /* the generators name their tasks only where someone will look */
    fgpu_status status;   /* of everything that was added */
};

void sim_graph_init(struct sim_graph *graph);
void sim_graph_fini(struct sim_graph *graph); /* NULL is allowed */

/* The number of a kernel of that name (cut to fit); a new one where there is none yet. */
uint32_t sim_graph_kernel(struct sim_graph *graph, const char *name, const char *instead);

void sim_graph_cost(struct sim_graph *graph, const struct sim_cost *cost);

/* A piece of data; returns its number. */
uint32_t sim_graph_data(struct sim_graph *graph, uint64_t bytes);

/* Begins a task: sim_graph_access(), sim_graph_after() and sim_graph_name() add to it until the
 * next one begins. [in] task: lists and name are ignored. Returns its number. */
uint32_t sim_graph_task(struct sim_graph *graph, const struct sim_task *task);
void sim_graph_access(struct sim_graph *graph, uint32_t data, fgpu_access mode);
/* Reads data of which each piece needs everything; of a task that runs whole, just reads. */
void sim_graph_read_whole(struct sim_graph *graph, uint32_t data);
void sim_graph_after(struct sim_graph *graph, uint32_t task);
__attribute__((format(printf, 2, 3))) void sim_graph_name(struct sim_graph *graph,
                                                          const char *format, ...);

/* "" for a task without a name. */
const char *sim_graph_task_name(const struct sim_graph *graph, uint32_t task);

#endif
