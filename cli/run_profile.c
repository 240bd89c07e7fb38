/* The profile that a run takes: see run_profile.h. */
#include "run_profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "why.h"

/* The workload once more, with the constants of the profile. [out] made: to be given to
 * workload_fini(). */
static fgpu_status profile_load(const struct run_profile_options *options,
                                const struct tune_choices *choices, struct workload *made,
                                char *why, size_t why_bytes)
{
    char texts[TUNE_DIMS_LIMIT][WORKLOAD_NAME_BYTES + 72];
    struct workload_options how = *options->constants;

    const char **sets = calloc((size_t)how.set_count + TUNE_DIMS_LIMIT, sizeof *sets);
    if (!sets)
        return why_fail(FGPU_E_NOMEM, why, why_bytes, "no memory");
    for (uint32_t i = 0; i < how.set_count; i++)
        sets[i] = how.sets[i];
    for (uint32_t i = 0; i < choices->count; i++) {
        const struct tune_choice *choice = &choices->list[i];
        if (choice->kind != TUNE_CONSTANT)
            continue;
        (void)snprintf(texts[i], sizeof texts[i], "%s=%s", choice->name, choice->value);
        sets[how.set_count++] = texts[i];
    }
    how.sets = sets;
    fgpu_status status = workload_load(options->from, &how, made);
    free(sets);
    if (status == FGPU_OK)
        return tune_choices_apply(choices, made, why, why_bytes);
    return why_fail(status, why, why_bytes, "%s",
                    made->mistake_count > 0 ? made->mistakes[0].text : fgpu_status_text(status));
}

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
    if (status == FGPU_OK &&
        profile_load(options, &profile->choices, made, why, why_bytes) != FGPU_OK)
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
    else
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
