/* The OpenCL devices that test_opencl_*.c run against, by environment: the machine's own in host
 * memory and with memory of its own, split into sub-devices, and the fake driver. */
#ifndef FASTGPU_CONFORM_OPENCL_TARGETS_H
#define FASTGPU_CONFORM_OPENCL_TARGETS_H

#include "conform/opencl_rig.h"

struct target {
    const char *name;
    const char *library_from; /* environment variable that names the library, or NULL */
    const char *memory;       /* FASTGPU_OPENCL_MEMORY, or NULL */
    const char *events;       /* FASTGPU_OPENCL_EVENTS, or NULL */
    uint32_t subdevices;
};

static const struct target targets[] = {
    {"host memory", NULL, NULL, NULL, 0},
    {"own memory", NULL, "separate", NULL, 0},
    {"sub-devices", NULL, NULL, "all", 2},
    {"sub-devices, own memory", NULL, "separate", NULL, 2},
    {"fake driver", "FAKEICD_LIB", NULL, NULL, 0},
    {"fake driver, few events", "FAKEICD_LIB", NULL, "few", 0},
};

static const struct target *target; /* the one that runs now */

static inline void target_set(const char *name, const char *value)
{
    if (value != NULL)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

static inline bool target_is_fake(void)
{
    return target->library_from != NULL;
}

static inline fgpu_backend_options target_options(void)
{
    return (fgpu_backend_options){.subdevices = target->subdevices};
}

/* Makes the environment that of the target; false, with a message, when it is absent. */
static inline bool target_select(const struct target *chosen)
{
    fgpu_backend_options options = {.subdevices = chosen->subdevices};
    const char *library = chosen->library_from != NULL ? getenv(chosen->library_from) : NULL;
    char why[512] = "";
    uint32_t count = 0;

    target = chosen;
    if (ATOMIC_TSAN != 0 && chosen->library_from == NULL) {
        (void)fprintf(stderr, "%s: skipped, drivers are not instrumented\n", chosen->name);
        return false;
    }
    if (chosen->library_from != NULL && library == NULL) {
        (void)fprintf(stderr, "%s: skipped, %s is not set\n", chosen->name, chosen->library_from);
        return false;
    }
    target_set("FASTGPU_OPENCL_LIBRARY", library);
    target_set("FASTGPU_OPENCL_MEMORY", chosen->memory);
    target_set("FASTGPU_OPENCL_EVENTS", chosen->events);
    if (opencl_backend.probe(&options, NULL, 0, &count, why, sizeof(why)) != FGPU_OK) {
        (void)fprintf(stderr, "%s: skipped, %s\n", chosen->name, why);
        return false;
    }
    return true;
}

/* Runs the tests against all targets; the exit status: 77 when none is there. */
#define TARGETS_RUN(tests, ran, failed)                                                            \
    for (size_t t_ = 0; t_ < sizeof(targets) / sizeof(targets[0]); t_++)                           \
        if (target_select(&targets[t_])) {                                                         \
            (ran)++;                                                                               \
            (failed) += cmocka_run_group_tests_name(target->name, tests, NULL, NULL);              \
        }

#endif
