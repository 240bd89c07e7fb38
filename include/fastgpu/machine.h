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
    char name[64];
} fgpu_machine_info;
FGPU_API fgpu_status fgpu_machine_get_info(const fgpu_machine *machine, fgpu_machine_info *info);

/* One of its devices. */
typedef struct fgpu_machine_device {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t kind;         /* 1: cpu, 2: gpu, 3: accelerator */
    uint32_t class_index;  /* devices that are alike, in the order of the text */
    uint32_t node;         /* the memory that it works in; 0: the host's */
    uint64_t memory_bytes; /* 0: no limit */
    char class_name[64];
    char name[80]; /* "gpu[3]"; the class's where there is one device of it */
} fgpu_machine_device;

/* [in] device: from 0. FGPU_E_RANGE behind the last. */
FGPU_API fgpu_status fgpu_machine_get_device(const fgpu_machine *machine, uint32_t device,
                                             fgpu_machine_device *info);

/* Destroy. NULL is accepted. Not while a simulation made from it is open. */
FGPU_API void fgpu_machine_destroy(fgpu_machine *machine);

#ifdef __cplusplus
}
#endif
#endif
