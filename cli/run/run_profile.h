/* The profile that a run takes (profile.h): found by the workload and the machine, or named. Main
 * thread; blocks on the disk, and where there is a profile while a pool is opened to see whether
 * its devices are those that the profile is for.
 */
#ifndef FASTGPU_CLI_RUN_RUN_PROFILE_H
#define FASTGPU_CLI_RUN_RUN_PROFILE_H

#include "cli/evaluate/profile.h"

struct run_profile_options {
    const char *path;    /* of the profile; NULL: the cache's */
    const char *from;    /* the workload's file */
    const char *devices; /* NULL: all */
    bool is_quiet;       /* nothing is said of a profile that is not used */
    const struct workload_options *constants;
};

/* Puts the profile's choices into `workload`, which is read again where constants were chosen.
 * [out] is_used. Where a profile is there and cannot be used, stderr says why and the workload
 * stays as it was: FGPU_OK. FGPU_E_NOTFOUND, FGPU_E_IO and FGPU_E_INVAL for a named file that is
 * not there or no profile, with a sentence in `why`. */
fgpu_status run_profile_take(const struct run_profile_options *options, struct workload *workload,
                             struct profile *profile, bool *is_used, char *why, size_t why_bytes);

#endif
