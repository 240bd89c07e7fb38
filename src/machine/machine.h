/* A machine as a description: devices, memory nodes, links and what kernels cost on it.
 *
 * Read from text (*.fgm, docs/machine.md), from published tables, from the running machine, or made
 * up. The simulator runs on it, policies and bounds take their numbers from it. Devices that are
 * alike form a class; each device has a number, by class and then within it. Memory nodes: 0 is the
 * host's; every device of a class with memory of its own has a node. A link is a segment of a path
 * between two nodes with a bandwidth that all copies on it share at that moment; a link that
 * belongs to a class exists once for each device of it. Pure; the text is the only allocation that
 * lives longer than a call. Thread: any for reading, one for making.
 */
#ifndef FASTGPU_MACHINE_MACHINE_H
#define FASTGPU_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/limits.h"
#include "base/vec.h"

#define MACHINE_HOST UINT32_MAX   /* a class number: the host's memory, as end of a route */
#define MACHINE_SHARED UINT32_MAX /* a link of no class: exists once */
#define MACHINE_HOPS 32u          /* links of one path */
#define MACHINE_UNKNOWN (-1.0)

enum machine_kind { MACHINE_CPU = 1, MACHINE_GPU, MACHINE_ACCELERATOR };

/* Devices that are alike. */
struct machine_class {
    char name[LIMITS_NAME_BYTES];
    uint32_t kind; /* enum machine_kind */
    uint32_t count;
    uint32_t first_device;
    uint32_t first_node;         /* of its first device; 0: all of them work in the host's memory */
    uint64_t memory_bytes;       /* of each; 0: no limit */
    uint64_t launch_ns;          /* between the end of one kernel and the start of the next */
    double flops_per_ns;         /* of a kernel whose cost is not listed; MACHINE_UNKNOWN */
    double bytes_per_ns;         /* of its own memory: fills, copies inside it; MACHINE_UNKNOWN */
    double idle_watt, busy_watt; /* MACHINE_UNKNOWN */
};

struct machine_link {
    char name[LIMITS_NAME_BYTES];
    double bytes_per_ns;
    uint64_t latency_ns;
    uint32_t of_class;       /* MACHINE_SHARED, or one for each device of the class */
    uint32_t first_instance; /* instances are numbered over all links */
};

enum machine_end { MACHINE_END_SHARED, MACHINE_END_SOURCE, MACHINE_END_TARGET };

struct machine_hop {
    uint32_t link;
    uint32_t end; /* enum machine_end: which device's instance of a link that belongs to a class */
};

/* How a copy travels from a node of one class to a node of another (or of the same) class. */
struct machine_route {
    uint32_t source, target; /* class, or MACHINE_HOST */
    uint32_t first_hop;      /* in `hops` */
    uint32_t hop_count;
};

/* What a kernel takes on a device of the class for a size (the edge of a tile, or whatever the
 * workload counts in). */
struct machine_cost {
    uint32_t kernel; /* in `kernels` */
    uint32_t class_index;
    uint64_t size;
    double mean_ns;
    double deviation_ns; /* standard deviation of one run; 0 */
    uint64_t samples;    /* 0: not known */
};

struct machine_kernel {
    char name[LIMITS_NAME_BYTES];
};

struct machine {
    char name[LIMITS_NAME_BYTES];
    struct vec classes; /* struct machine_class */
    struct vec links;   /* struct machine_link */
    struct vec routes;  /* struct machine_route; at most one for a pair of classes */
    struct vec hops;    /* struct machine_hop */
    struct vec kernels; /* struct machine_kernel */
    struct vec costs;   /* struct machine_cost, by kernel, class, size */
    struct vec notes;   /* char: lines of text, each with its NUL: where the figures come from */
    uint32_t device_count;
    uint32_t node_count;     /* the host's included */
    uint32_t instance_count; /* of links */
};

/* ---- asking (machine.c) --------------------------------------------------------------------- */

void machine_init(struct machine *machine);
void machine_fini(struct machine *machine);

/* Numbers devices, nodes and instances, sorts the costs, checks everything that docs/machine.md
 * demands. FGPU_E_INVAL with a text (error_set) that names what is wrong and what would be right.
 * After it the machine does not change. */
int machine_seal(struct machine *machine);

uint32_t machine_device_class(const struct machine *machine, uint32_t device);
uint32_t machine_device_node(const struct machine *machine, uint32_t device);
/* The class of a node's device, MACHINE_HOST for node 0. */
uint32_t machine_node_class(const struct machine *machine, uint32_t node);

/* The instances of links that a copy crosses, in order. Two nodes without a route of their own go
 * through the host (the hops of both ways, one after the other). [out] instances: MACHINE_HOPS.
 * [out] latency_ns: the sum. Returns how many; 0: the same node, or no way at all. O(hops). */
uint32_t machine_path(const struct machine *machine, uint32_t source_node, uint32_t target_node,
                      uint32_t *instances, uint64_t *latency_ns);
/* Does the path lead directly there, or by way of the host's memory? */
bool machine_path_direct(const struct machine *machine, uint32_t source_node, uint32_t target_node);
double machine_instance_bytes_per_ns(const struct machine *machine, uint32_t instance);
/* [out] text: link name, with "[device]" behind it where it belongs to a class. */
void machine_instance_name(const struct machine *machine, uint32_t instance, char text[96]);

/* The kernel's number, UINT32_MAX when the machine has no costs for it. */
uint32_t machine_kernel_find(const struct machine *machine, const char *name);

/* Mean and deviation. Between listed sizes: a straight line in log-log through the two neighbours;
 * beyond them through the two last, or in proportion to size^3... the nearest with the slope of the
 * outermost pair. False when nothing is listed for the pair. */
bool machine_cost_ns(const struct machine *machine, uint32_t kernel, uint32_t class_index,
                     uint64_t size, double *mean_ns, double *deviation_ns);

/* ---- text (machine_text.c) ------------------------------------------------------------------ */

/* Appends. [in] text: need not end in a NUL. FGPU_E_INVAL with "NAME:LINE: ..." as the error text.
 */
int machine_parse(struct machine *machine, const char *name, const char *text, size_t bytes);
/* [out] out: vec of char, without a NUL. What machine_parse reads back as the same machine. */
int machine_print(const struct machine *machine, struct vec *out);

/* ---- made from other things (machine_import.c, machine_synth.c) ----------------------------- */

struct machine_tables {
    const char *costs, *devices, *links, *routes; /* texts of CSV files */
    size_t costs_bytes, devices_bytes, links_bytes, routes_bytes;
};
int machine_import(struct machine *machine, const char *name, const struct machine_tables *tables);

/* "gpu:8x80GiB,cpu:64": docs/machine.md */
int machine_synth(struct machine *machine, const char *text);

#endif
