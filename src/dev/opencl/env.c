/* Reads the environment: see env.h. */
#include "dev/opencl/env.h"

#include <stdlib.h>
#include <string.h>
#include "base/error.h"

#define ENV_BESIDE_USUAL 4u

static const char *env_memory(void)
{
    const char *value = getenv("FASTGPU_OPENCL_MEMORY");

    return value != NULL ? value : "";
}

static const char *env_events(void)
{
    const char *value = getenv("FASTGPU_OPENCL_EVENTS");

    return value != NULL ? value : "";
}

bool ocl_env_separate(void)
{
    return strcmp(env_memory(), "separate") == 0;
}

enum ocl_env_events ocl_env_events(void)
{
    const char *value = env_events();

    if (strcmp(value, "all") == 0)
        return OCL_ENV_EVENTS_ALL;
    return strcmp(value, "few") == 0 ? OCL_ENV_EVENTS_FEW : OCL_ENV_EVENTS_USUAL;
}

static const char *env_beside(void)
{
    const char *value = getenv("FASTGPU_OPENCL_BESIDE");

    return value != NULL ? value : "";
}

uint32_t ocl_env_beside(void)
{
    const char *value = env_beside();

    return value[0] != '\0' ? (uint32_t)(value[0] - '0') : ENV_BESIDE_USUAL;
}

fgpu_status ocl_env_check(void)
{
    const char *beside = env_beside();

    const char *memory = env_memory();
    const char *events = env_events();

    if (memory[0] != '\0' && !ocl_env_separate())
        return error_set(FGPU_E_INVAL,
                         "opencl: the environment variable FASTGPU_OPENCL_MEMORY is \"%.80s\"; it "
                         "may be \"separate\", empty, or not set",
                         memory);
    if (events[0] != '\0' && ocl_env_events() == OCL_ENV_EVENTS_USUAL)
        return error_set(FGPU_E_INVAL,
                         "opencl: the environment variable FASTGPU_OPENCL_EVENTS is \"%.80s\"; it "
                         "may be \"all\", \"few\", empty, or not set",
                         events);
    if (beside[0] != '\0' && (strchr("1234", beside[0]) == NULL || beside[1] != '\0'))
        return error_set(FGPU_E_INVAL,
                         "opencl: the environment variable FASTGPU_OPENCL_BESIDE is \"%.80s\"; it "
                         "may be 1, 2, 3, 4, empty, or not set",
                         beside);
    return FGPU_OK;
}
