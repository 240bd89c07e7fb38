/* Machine descriptions: what the simulator (fastgpu/sim.h) runs on.
 *
 * A machine is made by one of the calls that end in an out parameter, never changes, and may be
 * used by any thread until it is destroyed. The text format is docs/machine.md.
 */
#ifndef FASTGPU_MACHINE_H
#define FASTGPU_MACHINE_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fgpu_machine fgpu_machine;

/* Read a description. [in] text: `bytes` of it; need not end in a NUL. [in] name: for error texts,
 * usually the file's. [out] machine: [give], NULL on failure. Errors: FGPU_E_INVAL with
 * "NAME:LINE: what is wrong and what would be right", FGPU_E_LIMIT, FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_machine_parse(const char *name, const char *text, size_t bytes,
                                        fgpu_machine **machine);

/* Make one up: "gpu:8x80GiB,cpu:64" (docs/machine.md). Errors: FGPU_E_INVAL naming the part. */
FGPU_API fgpu_status fgpu_machine_synth(const char *text, fgpu_machine **machine);

/* One text of a table and its length. */
typedef struct fgpu_machine_tables {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t reserved;
    const char *costs, *devices, *links, *routes; /* CSV texts */
    size_t costs_bytes, devices_bytes, links_bytes, routes_bytes;
    const char *costs_name, *devices_name; /* for error texts, usually the files'; NULL: "costs" */
    const char *links_name, *routes_name;
    const char *note; /* where they come from; lines; NULL: nothing */
} fgpu_machine_tables;

/* Published tables (docs/machine.md says which columns). [in] name: of the machine. [in] tables:
 * links and routes may both be NULL; copies take no time then. Errors: FGPU_E_INVAL with
 * "TABLE:LINE: what is wrong and what would be right", FGPU_E_LIMIT, FGPU_E_NOMEM. */
FGPU_API fgpu_status fgpu_machine_import(const char *name, const fgpu_machine_tables *tables,
                                         fgpu_machine **machine);

/* As text. [out] text: [give], ends in a NUL, fgpu_machine_text_free(). */
FGPU_API fgpu_status fgpu_machine_print(const fgpu_machine *machine, char **text, size_t *bytes);
FGPU_API void fgpu_machine_text_free(char *text);

/* What it has. */
typedef struct fgpu_machine_info {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t class_count;
    uint32_t device_count;
    uint32_t node_count; /* the host's included */
    uint32_t link_count;
    uint32_t cost_count;
    uint32_t kernel_count;
    uint32_t route_count;
    uint32_t note_count;
    uint32_t reserved;
    char name[64];
} fgpu_machine_info;
FGPU_API fgpu_status fgpu_machine_get_info(const fgpu_machine *machine, fgpu_machine_info *info);

#define FGPU_MACHINE_UNKNOWN (-1.0)  /* a figure that the description does not have */
#define FGPU_MACHINE_HOST UINT32_MAX /* in place of a class: the host's memory */

/* Devices that are alike. */
typedef struct fgpu_machine_class {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t kind;         /* FGPU_DEVICE_CPU, _GPU or _ACCELERATOR */
    uint32_t count;
    uint32_t first_device; /* devices are numbered class by class */
    uint32_t first_node;   /* of the first one's memory; 0: they work in the host's */
    uint32_t reserved;
    uint64_t memory_bytes;       /* of each; 0: the host's, or without a limit */
    uint64_t launch_ns;          /* between the end of one kernel and the start of the next */
    double flops_per_ns;         /* of a kernel without a cost; or FGPU_MACHINE_UNKNOWN */
    double bytes_per_ns;         /* inside its memory; or FGPU_MACHINE_UNKNOWN */
    double idle_watt, busy_watt; /* or FGPU_MACHINE_UNKNOWN */
    char name[64];
} fgpu_machine_class;

/* A segment of paths, shared equally by the copies that cross it at a moment. */
typedef struct fgpu_machine_link {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t of_class;     /* exists for each `group` devices of it; FGPU_MACHINE_HOST: once */
    uint32_t group;
    uint32_t reserved;
    uint64_t latency_ns;
    double bytes_per_ns;
    char name[64];
} fgpu_machine_link;

/* How a copy travels between memories of two classes. */
typedef struct fgpu_machine_route {
    uint32_t struct_bytes;   /* set by the caller */
    uint32_t source, target; /* classes, or FGPU_MACHINE_HOST */
    uint32_t group;          /* 0, or only between devices of a group of so many */
    uint32_t hop_count;      /* links, those that it crosses twice counted twice */
    uint32_t reserved;
    uint64_t latency_ns;
    double bytes_per_ns; /* of a copy that is alone; FGPU_MACHINE_UNKNOWN: it takes no time */
} fgpu_machine_route;

enum fgpu_machine_end { FGPU_MACHINE_ONCE, FGPU_MACHINE_OF_SOURCE, FGPU_MACHINE_OF_TARGET };

/* What a kernel takes on a device of a class for a size. */
typedef struct fgpu_machine_cost {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t class_index;
    uint64_t size;    /* 0: whatever the size is */
    uint64_t samples; /* 0: not known */
    double mean_ns;
    double deviation_ns;
    char kernel[64];
} fgpu_machine_cost;

/* What it has, one by one, in the order of the text. [in] index: from 0. [in,out] struct_bytes set
 * by the caller, else FGPU_E_VERSION. Errors: FGPU_E_INVAL (NULL), FGPU_E_RANGE naming the count.
 */
FGPU_API fgpu_status fgpu_machine_class_at(const fgpu_machine *machine, uint32_t index,
                                           fgpu_machine_class *info);
FGPU_API fgpu_status fgpu_machine_link_at(const fgpu_machine *machine, uint32_t index,
                                          fgpu_machine_link *info);
FGPU_API fgpu_status fgpu_machine_route_at(const fgpu_machine *machine, uint32_t index,
                                           fgpu_machine_route *info);
FGPU_API fgpu_status fgpu_machine_cost_at(const fgpu_machine *machine, uint32_t index,
                                          fgpu_machine_cost *info);

/* A link of a route. [out] link: its number. [out] end: enum fgpu_machine_end, whose it is. */
FGPU_API fgpu_status fgpu_machine_hop_at(const fgpu_machine *machine, uint32_t route,
                                         uint32_t index, uint32_t *link, uint32_t *end);

/* A line of where the figures come from. [out] note: [borrow] from the machine. */
FGPU_API fgpu_status fgpu_machine_note_at(const fgpu_machine *machine, uint32_t index,
                                          const char **note);

/* What to call a device: its class, with its number in it where that has several ("cpu[3]"). [out]
 * name: cut at `bytes`, always terminated. Errors: FGPU_E_INVAL, FGPU_E_RANGE. */
FGPU_API fgpu_status fgpu_machine_device_name(const fgpu_machine *machine, uint32_t device,
                                              char *name, size_t bytes);

/* Destroy. NULL is accepted. Not while a simulation made from it is open. */
FGPU_API void fgpu_machine_destroy(fgpu_machine *machine);

#ifdef __cplusplus
}
#endif
#endif
