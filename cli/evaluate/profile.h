/* Tuned profiles: what `fastgpu optimize` found for a workload on a machine, as a small JSON file
 * that later runs take (docs/optimize.md).
 *
 * A profile counts only for what it was made for: the same version of FastGPU, the same workload
 * (tune_fingerprint()), the same processor, and the same devices under the same pattern. Where one
 * of them differs it is not used, and profile_read() says which.
 *
 * Without a name of its own a profile lies in the cache folder ($XDG_CACHE_HOME/fastgpu, or
 * ~/.cache/fastgpu) as profiles/W-M.json, W and M the fingerprints of workload and machine. Thread:
 * one at a time; blocks on the disk.
 */
#ifndef FASTGPU_CLI_EVALUATE_PROFILE_H
#define FASTGPU_CLI_EVALUATE_PROFILE_H

#include "cli/common/json_out.h"
#include "cli/optimize/tune_space.h"

#define PROFILE_DEVICES_LIMIT 64
#define PROFILE_PATH_BYTES 4096

/* Where choices were made, and where they are to be used. */
struct profile_place {
    uint64_t workload; /* fingerprint */
    char processor[64];
    double cores;
    const char *pattern; /* of devices; "": all. [borrow] */
    uint32_t device_count;
    char devices[PROFILE_DEVICES_LIMIT][256]; /* "opencl:0, NAME, DRIVER" */
};

struct profile {
    char path[PROFILE_PATH_BYTES];
    char made[32];              /* ISO 8601 with zone */
    double before_ns, after_ns; /* medians; 0: not measured */
    struct tune_choices choices;
};

/* Fills in machine and devices. [in] pattern: NULL for all. The pool's devices are looked at, which
 * opens and closes one. Returns the pool's status with a sentence. */
fgpu_status profile_place_init(struct profile_place *place, const struct workload *workload,
                               const char *pattern, char *why, size_t why_bytes);

/* The devices that a pool of that pattern has; it is opened and closed. [out] devices:
 * PROFILE_DEVICES_LIMIT of them. */
fgpu_status profile_list_devices(const char *pattern, fgpu_device_info *devices, uint32_t *count,
                                 char *why, size_t why_bytes);

/* From devices that the caller has. */
void profile_place_set(struct profile_place *place, const struct workload *workload,
                       const char *pattern, const fgpu_device_info *devices, uint32_t count);

/* The profile's place in the cache folder; it needs no devices. [out] path: "" where there is no
 * such folder. */
void profile_path(const struct workload *workload, const char *pattern,
                  char path[PROFILE_PATH_BYTES]);

/* Whether the cache folder has a place for profiles at all: without it nothing needs to be looked
 * for. */
bool profile_is_any(void);

/* Replaces the file, and makes the folder it is in where that is the cache's. */
fgpu_status profile_write(const struct profile *profile, const struct profile_place *place,
                          char *why, size_t why_bytes);

/* Reads profile->path. [in] place: `device_count` 0: devices are not compared yet. FGPU_OK;
 * FGPU_E_NOTFOUND without a file; FGPU_E_IO; FGPU_E_INVAL where it is damaged; FGPU_E_VERSION
 * where it is for something else, with the difference in `why`. */
fgpu_status profile_read(struct profile *profile, const struct profile_place *place, char *why,
                         size_t why_bytes);

/* The choices as JSON. */
void profile_json_choices(cJSON *root, const char *name, const struct tune_choices *choices);

#endif
