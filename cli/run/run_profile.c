/* The profile that a run takes: see run_profile.h. */
#include "cli/run/run_profile.h"

#include <stdio.h>

/* Everything that a profile must fulfil: its file, its place, its choices. */
static fgpu_status profile_try(const struct run_profile_options *options,
                               const struct workload *workload, struct profile *profile,
                               struct workload *made, char *why, size_t why_bytes)
{
    struct profile_place place;

    profile_place_set(&place, workload, options->devices, NULL, 0);
    fgpu_status status = profile_read(profile, &place, why, why_bytes);
    if (status != FGPU_OK)
        return status;
    if (profile_place_init(&place, workload, options->devices, why, why_bytes) != FGPU_OK)
        return FGPU_E_VERSION; /* the run says it with its own code */
    status = profile_read(profile, &place, why, why_bytes);
    if (status == FGPU_OK && tune_choices_load(options->from, options->constants, &profile->choices,
                                               made, why, why_bytes) != FGPU_OK)
        status = FGPU_E_VERSION;
    return status;
}

fgpu_status run_profile_take(const struct run_profile_options *options, struct workload *workload,
                             struct profile *profile, bool *is_used, char *why, size_t why_bytes)
{
    struct workload made = {0};
    bool is_named = options->path != NULL;

    *is_used = false;
    *profile = (struct profile){0};
    if (is_named)
        (void)snprintf(profile->path, sizeof profile->path, "%s", options->path);
    else if (profile_is_any())
        profile_path(workload, options->devices, profile->path);
    if (!profile->path[0])
        return FGPU_OK;
    fgpu_status status = profile_try(options, workload, profile, &made, why, why_bytes);
    if (status == FGPU_OK) {
        workload_fini(workload);
        *workload = made;
        *is_used = true;
        return FGPU_OK;
    }
    workload_fini(&made);
    if (status == FGPU_E_NOTFOUND && !is_named)
        return FGPU_OK;
    if (is_named && status != FGPU_E_VERSION)
        return status;
    if (!options->is_quiet)
        fprintf(stderr, "fastgpu run: the profile %s is not used: %s\n", profile->path, why);
    return FGPU_OK;
}
