/* A machine as a description: devices, memory nodes, links and what kernels cost on it.
 *
 * Read from text (*.fgm, docs/machine.md), from published tables, from the running machine, or made
 * up. The simulator runs on it, policies and bounds take their numbers from it. Devices that are
 * alike form a class; each device has a number, by class and then within it. Memory nodes: 0 is the
 * host's; every device of a class with memory of its own has a node. A link is a segment of a path
 * between two nodes with a bandwidth that all copies on it share at that moment; a link that
 * belongs to a class exists once for each device of it, or for each group of neighbours. Sizes grow
 * with classes, links and costs, never with devices. Pure. Thread: any for reading, one for making.
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
#define MACHINE_ANY_SIZE 0u
#define MACHINE_NONE UINT32_MAX /* no such name */

enum machine_kind { MACHINE_CPU = 1, MACHINE_GPU, MACHINE_ACCELERATOR };

/* Devices that are alike. machine_class_init() says what is not known. */
struct machine_class {
    char name[LIMITS_NAME_BYTES];
    uint32_t kind; /* enum machine_kind */
    uint32_t count;
    uint32_t first_device;
    uint32_t first_node;         /* of its first device; 0: all of them work in the host's memory.
                                    Before sealing: not 0 where they have memory of their own */
    uint32_t node_rank;          /* nodes before those of this class: grows with the class */
    uint64_t memory_bytes;       /* of each; 0: no limit */
    uint64_t launch_ns;          /* between the end of one kernel and the start of the next */
    uint32_t units;              /* work groups that each runs at the same time; 0: not known, then
                                    kernels are not cut between groups, nor stopped there */
    double flops_per_ns;         /* of a kernel whose cost is not listed; MACHINE_UNKNOWN */
    double bytes_per_ns;         /* of its own memory: fills, copies inside it; MACHINE_UNKNOWN */
    double idle_watt, busy_watt; /* MACHINE_UNKNOWN */
};

struct machine_link {
    char name[LIMITS_NAME_BYTES];
    double bytes_per_ns;
    uint64_t latency_ns;
    uint32_t of_class;       /* MACHINE_SHARED, or of which class */
    uint32_t group;          /* ... then one for each `group` devices of it, neighbours by number */
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
    uint32_t group;     /* 0; else only between devices of one group of so many, of one class */
    uint32_t first_hop; /* in `hops` */
    uint32_t hop_count;
};

/* What a kernel takes on a device of the class for a size (the edge of a tile, or whatever the
 * workload counts in). */
struct machine_cost {
    uint32_t kernel; /* in `kernels` */
    uint32_t class_index;
    uint64_t size; /* MACHINE_ANY_SIZE: it does not depend on the size */
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
    struct vec routes;  /* struct machine_route; by source, target, group (small ones first) */
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
void machine_class_init(struct machine_class *class);

/* Numbers devices, nodes and instances, sorts routes and costs, checks everything that
 * docs/machine.md demands; afterwards the machine does not change. FGPU_E_INVAL with a text
 * (error_set) that names what is wrong and what would be right; FGPU_E_LIMIT; FGPU_E_NOMEM. */
int machine_seal(struct machine *machine); /* machine_seal.c */

uint32_t machine_device_class(const struct machine *machine, uint32_t device);
uint32_t machine_device_node(const struct machine *machine, uint32_t device);
/* The class of a node's device, MACHINE_HOST for node 0. */
uint32_t machine_node_class(const struct machine *machine, uint32_t node);

/* The instances of links that a copy crosses, in order. One that it crosses twice stands there
 * twice and the copy takes two shares of it. Two nodes without a route of their own go through the
 * host (the hops of both ways, one after the other). [out] instances: MACHINE_HOPS. [out]
 * latency_ns: the sum. Returns how many; 0: the same node, or a way that takes no time (a sealed
 * machine has a way between any two nodes). O(hops + log routes). */
uint32_t machine_path(const struct machine *machine, uint32_t source_node, uint32_t target_node,
                      uint32_t *instances, uint64_t *latency_ns);
/* Does the path lead directly there, or by way of the host's memory? */
bool machine_path_direct(const struct machine *machine, uint32_t source_node, uint32_t target_node);
double machine_instance_bytes_per_ns(const struct machine *machine, uint32_t instance);
/* [out] text: link name, with "[device]" behind it where it belongs to a class. */
void machine_instance_name(const struct machine *machine, uint32_t instance, char text[96]);

/* The kernel's number, UINT32_MAX when the machine has no costs for it. */
uint32_t machine_kernel_find(const struct machine *machine, const char *name);

/* Mean and deviation. Between listed sizes the mean lies on the straight line through the two
 * neighbours in log-log; beyond them the outermost pair's slope goes on, but no less than 0 and no
 * more than 3 (the work of a tile grows with the cube of its edge at most, and two sizes close
 * together may have any slope by chance). The deviation is as large a part of the mean as at the
 * neighbours, linear in the logarithm of the size between them. Where one size only is listed
 * nothing is known of others, unless that is MACHINE_ANY_SIZE. False: nothing is known. */
bool machine_cost_ns(const struct machine *machine, uint32_t kernel, uint32_t class_index,
                     uint64_t size, double *mean_ns, double *deviation_ns);

/* ---- text (machine_text.c) ------------------------------------------------------------------ */

/* [in] machine: initialised and empty; sealed on success. [in] text: need not end in a NUL.
 * FGPU_E_INVAL, FGPU_E_LIMIT with "NAME:LINE: ..." as the error text; FGPU_E_NOMEM. */
int machine_parse(struct machine *machine, const char *name, const char *text, size_t bytes);
/* [out] out: vec of char, without a NUL, to which it is appended. What machine_parse reads back as
 * the same machine (machine_print.c). */
int machine_print(const struct machine *machine, struct vec *out);

/* ---- made from other things (machine_import.c, machine_synth.c) ----------------------------- */

struct machine_table {
    const char *text; /* NULL: there is none */
    size_t bytes;
    const char *name; /* for error texts */
};

struct machine_tables {
    struct machine_table costs, devices, links, routes;
    const char *note; /* lines; NULL: nothing */
};

/* [in] machine: initialised and empty; sealed on success. Without links and routes copies take no
 * time. FGPU_E_INVAL, FGPU_E_LIMIT with "TABLE:LINE: ..."; FGPU_E_NOMEM. */
int machine_import(struct machine *machine, const char *name, const struct machine_tables *tables);

/* "gpu:8x80GiB,cpu:64": docs/machine.md. The same contract; the error text names the part. */
int machine_synth(struct machine *machine, const char *text);

#endif
