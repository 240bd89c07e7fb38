/* Simulations: open, describe, close; how one runs is sim_run.c. See fastgpu/sim.h.
 *
 * Data are buffers of the engine from the start (at addresses that nobody touches), tasks are kept
 * in vectors until the run. Thread: one at a time per simulation.
 */
#include "api/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fastgpu/pool.h>
#include "api/machine.h"
#include "base/error.h"

#define SIM_ADDRESS UINT64_C(0x100000)
#define SIM_PARTS 65536u
#define SIM_GROUPS (1u << 20)

/* ---- open and close --------------------------------------------------------------------- */

static fgpu_status sim_check_number(const char *name, double value, double least, double most)
{
    if (isfinite(value) && value >= least && value <= most)
        return FGPU_OK;
    return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.%s is %g; from %g to %g", name, value,
                     least, most);
}

static fgpu_status sim_check_options(const fgpu_sim_options *options)
{
    if (options == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options is NULL");
    if (options->struct_bytes != sizeof *options)
        return error_set(FGPU_E_VERSION,
                         "fgpu_sim_open: options.struct_bytes is %u, this library's is %zu",
                         options->struct_bytes, sizeof *options);
    if (options->machine == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.machine is NULL");
    if (machine_of(options->machine)->device_count == 0)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: the machine has no devices");
    if (options->policy != NULL && policy_find(options->policy) == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.policy is '%s'; there are: %s",
                         options->policy, policy_names());
    if (options->flags & ~15u)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.flags has unknown bits 0x%x",
                         options->flags & ~15u);
    if (options->preempt > FGPU_POOL_PREEMPT_GUARD)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: options.preempt is %u; from 0 to %u",
                         options->preempt, (unsigned)FGPU_POOL_PREEMPT_GUARD);
    fgpu_status status = sim_check_number("noise", options->noise, -1e9, 1);
    if (status == FGPU_OK)
        status = sim_check_number("cost_error", options->cost_error, 0, 0.99);
    if (status == FGPU_OK)
        status = sim_check_number("fail_rate", options->fail_rate, 0, 1);
    if (status == FGPU_OK)
        status = sim_check_number("loss_per_s", options->loss_per_s, 0, 1e9);
    return status == FGPU_OK ? sim_power_options(options) : status;
}

static const char *sim_policy(const fgpu_sim_options *options)
{
    if (options->policy != NULL)
        return options->policy;
    return policy_find("auto") != NULL ? "auto" : "eft";
}

static fgpu_status sim_open(struct fgpu_sim *sim, const fgpu_sim_options *options)
{
    uint32_t flags = SIMULATOR_QUIET;
    if (!(options->flags & FGPU_SIM_TRACE))
        flags |= SIMULATOR_NO_RUNS;
    if (options->flags & FGPU_SIM_NO_TRANSFERS)
        flags |= SIMULATOR_NO_TRANSFERS;
    const struct simulator_config config = {.policy = sim_policy(options),
                                            .seed = options->seed,
                                            .checks = options->flags & FGPU_SIM_CHECK,
                                            .flags = flags,
                                            .machine = machine_of(options->machine),
                                            .noise = options->noise,
                                            .cost_error = options->cost_error,
                                            .memory_bytes = options->memory_bytes,
                                            .fail_rate = options->fail_rate,
                                            .loss_per_s = options->loss_per_s,
                                            .cap_watt = options->power_cap_watt,
                                            .objective = options->objective,
                                            .preempt = options->preempt};
    fgpu_status status = simulator_init(&sim->simulator, &config);
    if (status == FGPU_E_LIMIT)
        return error_set(status, "fgpu_sim_open: the machine has too many devices (%u)",
                         config.machine->device_count);
    return status == FGPU_OK ? status
                             : error_set(status, "fgpu_sim_open: no memory for the simulation");
}

fgpu_status fgpu_sim_open(const fgpu_sim_options *options, fgpu_sim **out)
{
    if (out == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_open: sim is NULL");
    *out = NULL;
    fgpu_status status = sim_check_options(options);
    if (status != FGPU_OK)
        return status;
    struct fgpu_sim *sim = alloc_get_zeroed(NULL, sizeof *sim, LIMITS_CACHE_LINE);
    if (sim == NULL)
        return error_set(FGPU_E_NOMEM, "fgpu_sim_open: no memory for the simulation");
    status = sim_open(sim, options);
    if (status != FGPU_OK) {
        alloc_put(NULL, sim, sizeof *sim);
        return status;
    }
    sim->machine = machine_of(options->machine);
    sim->flags = options->flags;
    sim->next_address = SIM_ADDRESS;
    vec_init(&sim->data, sizeof(uint32_t), NULL);
    vec_init(&sim->kernels, sizeof(struct sim_kernel), NULL);
    vec_init(&sim->tasks, sizeof(struct sim_task), NULL);
    vec_init(&sim->accesses, sizeof(fgpu_sim_access), NULL);
    vec_init(&sim->after, sizeof(uint32_t), NULL);
    vec_init(&sim->names, 1, NULL);
    vec_init(&sim->places, sizeof(struct sim_place), NULL);
    vec_init(&sim->run_index, sizeof(uint32_t), NULL);
    vec_init(&sim->copy_index, sizeof(uint32_t), NULL);
    *out = sim;
    return FGPU_OK;
}

void fgpu_sim_close(fgpu_sim *sim)
{
    if (sim == NULL)
        return;
    simulator_fini(&sim->simulator);
    vec_fini(&sim->data);
    vec_fini(&sim->kernels);
    vec_fini(&sim->tasks);
    vec_fini(&sim->accesses);
    vec_fini(&sim->after);
    vec_fini(&sim->names);
    vec_fini(&sim->places);
    vec_fini(&sim->run_index);
    vec_fini(&sim->copy_index);
    alloc_put(NULL, sim, sizeof *sim);
}

/* ---- describe --------------------------------------------------------------------------- */

static fgpu_status sim_describes(const fgpu_sim *sim, const char *call)
{
    if (sim == NULL)
        return error_set(FGPU_E_INVAL, "%s: sim is NULL", call);
    if (sim->has_run)
        return error_set(FGPU_E_INVAL, "%s: the simulation has run already", call);
    return FGPU_OK;
}

fgpu_status fgpu_sim_data(fgpu_sim *sim, uint64_t bytes, uint32_t *data)
{
    fgpu_status status = sim_describes(sim, "fgpu_sim_data");
    if (status != FGPU_OK)
        return status;
    if (data == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_data: data is NULL");
    if (bytes == 0 || bytes > UINT64_C(1) << 50)
        return error_set(FGPU_E_INVAL, "fgpu_sim_data: bytes is %llu; from 1 to 2^50",
                         (unsigned long long)bytes);
    uint32_t buffer;
    status = engine_buffer_create(&sim->simulator.engine, bytes,
                                  (void *)(uintptr_t)sim->next_address, &buffer);
    if (status != FGPU_OK)
        return error_set(status, "fgpu_sim_data: %s",
                         status == FGPU_E_LIMIT ? "there are too many pieces of data"
                                                : "no memory");
    sim->next_address += (bytes + 4095) & ~UINT64_C(4095);
    if (vec_push(&sim->data, &buffer) == NULL) {
        engine_buffer_destroy(&sim->simulator.engine, buffer);
        return error_set(FGPU_E_NOMEM, "fgpu_sim_data: no memory");
    }
    *data = (uint32_t)sim->data.count - 1;
    return FGPU_OK;
}

fgpu_status fgpu_sim_kernel(fgpu_sim *sim, const char *name, uint32_t *kernel)
{
    fgpu_status status = sim_describes(sim, "fgpu_sim_kernel");
    if (status != FGPU_OK)
        return status;
    if (name == NULL || kernel == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_kernel: %s is NULL",
                         name == NULL ? "name" : "kernel");
    struct sim_kernel new_kernel = {.machine_kernel = machine_kernel_find(sim->machine, name)};
    size_t length = strnlen(name, sizeof new_kernel.name);
    if (length == 0 || length == sizeof new_kernel.name)
        return error_set(FGPU_E_INVAL, "fgpu_sim_kernel: a name has 1 to %zu characters",
                         sizeof new_kernel.name - 1);
    memcpy(new_kernel.name, name, length);
    if (vec_push(&sim->kernels, &new_kernel) == NULL)
        return error_set(FGPU_E_NOMEM, "fgpu_sim_kernel: no memory");
    *kernel = (uint32_t)sim->kernels.count - 1;
    return FGPU_OK;
}

/* ---- tasks ------------------------------------------------------------------------------ */

static fgpu_status sim_check_accesses(const fgpu_sim *sim, const fgpu_sim_task *task)
{
    if (task->access_count > LIMITS_ACCESSES)
        return error_set(FGPU_E_LIMIT, "fgpu_sim_add: access_count is %u, at most %u",
                         task->access_count, (unsigned)LIMITS_ACCESSES);
    if (task->access_count > 0 && task->accesses == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: accesses is NULL");
    for (uint32_t i = 0; i < task->access_count; i++) {
        const fgpu_sim_access *access = &task->accesses[i];
        if (access->data >= sim->data.count)
            return error_set(FGPU_E_INVAL,
                             "fgpu_sim_add: accesses[%u].data is %u; %zu pieces are described", i,
                             access->data, sim->data.count);
        uint32_t mode = access->mode & ~FGPU_SIM_WHOLE;
        if (mode < FGPU_READ || mode > FGPU_READ_WRITE)
            return error_set(FGPU_E_INVAL,
                             "fgpu_sim_add: accesses[%u].mode is %u; read, write or both", i,
                             access->mode);
        if (mode != access->mode && ((mode & FGPU_WRITE) || task->parts < 2))
            return error_set(
                FGPU_E_INVAL, "fgpu_sim_add: accesses[%u].mode has FGPU_SIM_WHOLE; %s", i,
                task->parts < 2 ? "parts is less than 2" : "pieces cannot write all of the data");
        for (uint32_t j = 0; j < i; j++)
            if (task->accesses[j].data == access->data)
                return error_set(FGPU_E_INVAL,
                                 "fgpu_sim_add: accesses[%u] and [%u] name the same data, %u", j, i,
                                 access->data);
    }
    return FGPU_OK;
}

static fgpu_status sim_check_task(const fgpu_sim *sim, const fgpu_sim_task *task)
{
    if (task == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: task is NULL");
    if (task->struct_bytes != sizeof *task)
        return error_set(FGPU_E_VERSION,
                         "fgpu_sim_add: task.struct_bytes is %u, this library's is %zu",
                         task->struct_bytes, sizeof *task);
    if (task->kernel >= sim->kernels.count)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: kernel is %u; %zu are described",
                         task->kernel, sim->kernels.count);
    if (task->priority < -1000 || task->priority > 1000)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: priority is %d; from -1000 to 1000",
                         task->priority);
    if (!isfinite(task->flops) || task->flops < 0)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: flops is %g; 0 or more", task->flops);
    if (!isfinite(task->cost_ns) || task->cost_ns < 0)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: cost_ns is %g; 0 or more", task->cost_ns);
    if (task->parts > SIM_PARTS)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: parts is %u; at most %u", task->parts,
                         SIM_PARTS);
    if (task->groups > SIM_GROUPS || (task->groups > 1 && task->parts > 1))
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_add: groups is %u, parts is %u; at most %u groups, and not both",
                         task->groups, task->parts, SIM_GROUPS);
    if (task->after_count > LIMITS_DEPS)
        return error_set(FGPU_E_LIMIT, "fgpu_sim_add: after_count is %u, at most %u",
                         task->after_count, (unsigned)LIMITS_DEPS);
    if (task->after_count > 0 && task->after == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: after is NULL");
    for (uint32_t i = 0; i < task->after_count; i++)
        if (task->after[i] >= sim->tasks.count)
            return error_set(FGPU_E_INVAL, "fgpu_sim_add: after[%u] is %u; %zu tasks came before",
                             i, task->after[i], sim->tasks.count);
    fgpu_status status = sim_check_terms(sim, task);
    return status == FGPU_OK ? sim_check_accesses(sim, task) : status;
}

static fgpu_status sim_task_type(fgpu_sim *sim, const fgpu_sim_task *task, uint32_t *type)
{
    const struct sim_kernel *kernel = vec_at(&sim->kernels, task->kernel);
    struct simulator_type asked = {.machine_kernel = kernel->machine_kernel, .size = task->size};
    asked.cost_ns = task->cost_ns;
    asked.parts = task->parts > 1 ? task->parts : 0;
    asked.groups = task->groups > 1 ? task->groups : 0;
    if (asked.machine_kernel == UINT32_MAX && task->cost_ns <= 0)
        asked.flops = task->flops;
    fgpu_status status = simulator_type(&sim->simulator, kernel->name, &asked, type);
    if (status == FGPU_E_NODEVICE)
        return error_set(status,
                         "fgpu_sim_add: no device of '%s' has a cost for kernel '%s' of size %llu",
                         sim->machine->name, kernel->name, (unsigned long long)task->size);
    return status == FGPU_OK ? status : error_set(status, "fgpu_sim_add: no memory");
}

static bool sim_keep(struct vec *vec, const void *items, size_t count)
{
    size_t need = vec->count + count;
    if (need > vec->capacity && !vec_reserve(vec, 2 * need))
        return false;
    if (count > 0)
        memcpy(vec->items + vec->count * vec->item_bytes, items, count * vec->item_bytes);
    vec->count = need;
    return true;
}

static bool sim_keep_task(fgpu_sim *sim, const fgpu_sim_task *task, uint32_t type)
{
    struct sim_task kept = {.type = type,
                            .first_access = (uint32_t)sim->accesses.count,
                            .first_after = (uint32_t)sim->after.count,
                            .flops = task->flops,
                            .access_count = (uint16_t)task->access_count,
                            .after_count = (uint16_t)task->after_count,
                            .priority = (int16_t)task->priority};
    sim_keep_terms(sim, task, &kept);
    if (task->name != NULL) {
        if (sim->names.count == 0 && vec_push(&sim->names, NULL) == NULL)
            return false;
        kept.name = (uint32_t)sim->names.count;
        if (!sim_keep(&sim->names, task->name, strlen(task->name) + 1))
            return false;
    }
    return sim_keep(&sim->accesses, task->accesses, task->access_count) &&
           sim_keep(&sim->after, task->after, task->after_count) &&
           vec_push(&sim->tasks, &kept) != NULL;
}

fgpu_status fgpu_sim_add(fgpu_sim *sim, const fgpu_sim_task *task, uint32_t *number)
{
    uint32_t type;
    fgpu_status status = sim_describes(sim, "fgpu_sim_add");
    if (status == FGPU_OK)
        status = sim_check_task(sim, task);
    if (status == FGPU_OK)
        status = sim_task_type(sim, task, &type);
    if (status != FGPU_OK)
        return status;
    if (!sim_keep_task(sim, task, type))
        return error_set(FGPU_E_NOMEM, "fgpu_sim_add: no memory for another task");
    if (number != NULL)
        *number = (uint32_t)sim->tasks.count - 1;
    return FGPU_OK;
}

fgpu_status fgpu_sim_progress(fgpu_sim *sim, fgpu_sim_progress_fn call, void *user)
{
    if (sim == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_progress: sim is NULL");
    sim->progress = call;
    sim->progress_user = user;
    return FGPU_OK;
}
