/* What `fastgpu optimize` may choose for a workload, and choices put into effect.
 *
 * The space has a dimension for each thing that can be chosen, with its values as texts; value 0 is
 * "as it stands". A point of it (tune_search.h) becomes a list of choices: what is in a profile
 * (profile.h), and what a run takes (tune_choices_apply()). Pure.
 *
 *   constant  a whole number of the file that says in how many pieces work is cut
 *   devices   one of the devices alone
 *   policy    how tasks are placed
 *   order     priorities: "critical", the task with most work behind it first; "deep", the task
 *             with most predecessors in a row first
 *   variant   "native" or "opencl" alone, of a kernel that has both; of the kernel "*": of all
 *   local     work items of a group: "64", "16x4"; "0": the pool chooses
 */
#ifndef FASTGPU_CLI_OPTIMIZE_TUNE_SPACE_H
#define FASTGPU_CLI_OPTIMIZE_TUNE_SPACE_H

#include <cjson/cJSON.h>

#include "cli/optimize/tune_search.h"
#include "cli/workload/workload.h"

enum tune_kind {
    TUNE_CONSTANT,
    TUNE_DEVICES,
    TUNE_POLICY,
    TUNE_ORDER,
    TUNE_VARIANT,
    TUNE_LOCAL,
    TUNE_KINDS
};

/* "constant", "devices", ... */
extern const char *const tune_kind_names[TUNE_KINDS];

struct tune_choice {
    enum tune_kind kind;
    char name[WORKLOAD_NAME_BYTES]; /* of the constant or kernel; "" where there is none */
    char value[64];
};

struct tune_choices {
    uint32_t count;
    struct tune_choice list[TUNE_DIMS_LIMIT];
};

struct tune_dim {
    enum tune_kind kind;
    char name[WORKLOAD_NAME_BYTES];
    uint32_t count;
    char values[TUNE_VALUES_LIMIT][64]; /* values[0]: "" */
};

struct tune_space {
    uint32_t count;
    struct tune_dim dims[TUNE_DIMS_LIMIT];
};

/* What the space is made from. [borrow] all of it. */
struct tune_source {
    const struct workload *workload;
    const cJSON *file;         /* the workload as JSON */
    const char *const *sets;   /* NAME=VALUE that the user fixed */
    const char *const *pieces; /* names of constants that may be chosen beside the usual ones */
    uint32_t set_count, piece_count;
    const fgpu_device_info *devices; /* of the pool */
    uint32_t device_count;
    bool is_policy_fixed;
};

/* FGPU_OK, or FGPU_E_INVAL where a name of `pieces` is no whole number among the constants. */
fgpu_status tune_space_make(struct tune_space *space, const struct tune_source *source, char *why,
                            size_t why_bytes);

/* [out] counts: of each dimension, TUNE_DIMS_LIMIT of them. */
void tune_space_counts(const struct tune_space *space, uint32_t *counts);

void tune_space_choices(const struct tune_space *space, const struct tune_point *point,
                        struct tune_choices *choices);

/* The value of the only choice of that kind, or NULL. */
const char *tune_choices_find(const struct tune_choices *choices, enum tune_kind kind);

/* What a choice is called: "bands = 16", "policy auto", "blur: local 64". */
void tune_choice_text(const struct tune_choice *choice, char text[192]);

/* Writes order, variants and work-group sizes into the workload. Constants must have been given to
 * its reader, policy and devices go to the pool. FGPU_E_INVAL where a kernel is not there or a
 * value does not fit, FGPU_E_NOMEM. */
fgpu_status tune_choices_apply(const struct tune_choices *choices, struct workload *workload,
                               char *why, size_t why_bytes);

/* Reads a workload under choices: constants are given to its reader, the rest is put into effect.
 * [out] workload: always to be given to workload_fini(). Statuses and sentences of both. */
fgpu_status tune_choices_load(const char *path, const struct workload_options *options,
                              const struct tune_choices *choices, struct workload *workload,
                              char *why, size_t why_bytes);

/* A number for the workload as it stands: equal for equal kernels, buffers and tasks, whatever the
 * data in the buffers. */
uint64_t tune_fingerprint(const struct workload *workload);

#endif
