/* Every device that the conformance suite can find: see device_targets.h. */
#include "lib/device_targets.h"

#include <stdio.h>
#include <stdlib.h>
#include "dev/cpu/cpu.h"
#include "dev/cuda/cuda.h"
#include "dev/null/null.h"
#include "dev/opencl/opencl.h"
#include "dev/sim/sim.h"

static struct rig_target *target_list;
static size_t target_count;

static void target_add(const struct rig_target *target)
{
    if (target_count < TARGETS_MAX)
        target_list[target_count++] = *target;
}

static void targets_own(void)
{
    static const struct rig_target own[] = {
        {.name = "null", .backend = &null_backend},
        {.name = "null:validate", .backend = &null_backend, .validate = true},
        {.name = "cpu:1", .backend = &cpu_backend, .options.cpu_workers = 1, .executes = true},
        {.name = "cpu:2", .backend = &cpu_backend, .options.cpu_workers = 2, .executes = true},
        {.name = "cpu:4", .backend = &cpu_backend, .options.cpu_workers = 4, .executes = true},
        {.name = "cpu:2+layers",
         .backend = &cpu_backend,
         .options.cpu_workers = 2,
         .executes = true,
         .faults = "submit=300,slow=0x1.5",
         .validate = true,
         .trace = true},
        {.name = "sim", .backend = &sim_backend, .options.seed = 1, .executes = true},
        {.name = "sim:4q",
         .backend = &sim_backend,
         .options = {.seed = 2, .cpu_workers = 4},
         .index = 5,
         .executes = true},
        {.name = "sim+layers",
         .backend = &sim_backend,
         .options.seed = 3,
         .executes = true,
         .faults = "submit=300",
         .validate = true,
         .trace = true},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        target_add(&own[i]);
}

/* The OpenCL devices of one environment: bare, and the first inside the layers. */
static void targets_opencl(const char *library, const char *memory)
{
    struct rig_target target = {.backend = &opencl_backend,
                                .executes = true,
                                .opencl_library = library,
                                .opencl_memory = memory};
    char why[256] = "";
    uint32_t count = 0;

    if (library != NULL)
        (void)setenv("FASTGPU_OPENCL_LIBRARY", library, 1);
    if (memory != NULL)
        (void)setenv("FASTGPU_OPENCL_MEMORY", memory, 1);
    if (opencl_backend.probe(&target.options, NULL, 0, &count, why, sizeof why) != FGPU_OK)
        (void)fprintf(stderr, "test_devices: no OpenCL device: %s\n", why);
    for (uint32_t i = 0; i < count && i < 3; i++) {
        static char names[TARGETS_MAX][TARGETS_NAME_BYTES];
        char *name = names[target_count % TARGETS_MAX];
        (void)snprintf(name, TARGETS_NAME_BYTES, "opencl:%u%s%s", i,
                       library != NULL ? "(fake)" : "", memory != NULL ? "(own memory)" : "");
        target.name = name;
        target.index = i;
        target_add(&target);
    }
    if (count > 0) {
        target.index = 0;
        target.name = library != NULL  ? "opencl(fake)+layers"
                      : memory != NULL ? "opencl(own)+layers"
                                       : "opencl+layers";
        target.faults = "submit=300";
        target.validate = true;
        target.trace = true;
        target_add(&target);
    }
    (void)unsetenv("FASTGPU_OPENCL_LIBRARY");
    (void)unsetenv("FASTGPU_OPENCL_MEMORY");
}

/* CUDA cards: those of the machine, and those of the fake driver, bare and inside the layers. */
static void targets_cuda(const char *library)
{
    struct rig_target target = {.backend = &cuda_backend,
                                .name = library != NULL ? "cuda:0(fake)" : "cuda:0",
                                .executes = true,
                                .cuda_library = library};
    char why[256] = "";
    uint32_t count = 0;

    rig_cuda_library(library);
    if (cuda_backend.probe(&target.options, NULL, 0, &count, why, sizeof why) != FGPU_OK)
        (void)fprintf(stderr, "test_devices: no CUDA device: %s\n", why);
    rig_cuda_library(NULL);
    if (count == 0)
        return;
    target_add(&target);
    target.name = library != NULL ? "cuda:0(fake)+layers" : "cuda:0+layers";
    target.faults = "submit=300";
    target.validate = true;
    target.trace = true;
    target_add(&target);
}

size_t targets_find(struct rig_target *targets)
{
    target_list = targets;
    target_count = 0;
    targets_own();
    targets_opencl(NULL, NULL);
    targets_opencl(NULL, "separate");
    if (getenv("FAKEICD_LIB") != NULL)
        targets_opencl(getenv("FAKEICD_LIB"), NULL);
    targets_cuda(NULL);
    if (getenv("FAKECUDA_LIB") != NULL)
        targets_cuda(getenv("FAKECUDA_LIB"));
    return target_count;
}
