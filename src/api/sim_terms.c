/* Simulations with terms: tenants, classes, deadlines and moments of submission. See fastgpu/sim.h.
 * Thread: one at a time per simulation.
 */
#include "api/sim.h"
#include "base/error.h"
#include "core/serve.h"

#define SIM_LATEST_NS (UINT64_C(1) << 60)

fgpu_status fgpu_sim_tenant(fgpu_sim *sim, const char *name, uint32_t weight, uint32_t *tenant)
{
    if (sim == NULL || name == NULL || tenant == NULL)
        return error_set(FGPU_E_INVAL, "fgpu_sim_tenant: %s is NULL",
                         sim == NULL    ? "sim"
                         : name == NULL ? "name"
                                        : "tenant");
    if (sim->has_run)
        return error_set(FGPU_E_INVAL, "fgpu_sim_tenant: the simulation has run already");
    if (weight < 1 || weight > SHARE_WEIGHT_MOST)
        return error_set(FGPU_E_INVAL, "fgpu_sim_tenant: weight is %u; from 1 to %u", weight,
                         SHARE_WEIGHT_MOST);
    fgpu_status status = serve_begin(&sim->simulator.engine);
    if (status == FGPU_OK)
        status = serve_tenant_add(&sim->simulator.engine, name, weight, 0, tenant);
    if (status != FGPU_OK)
        return error_set(status, "fgpu_sim_tenant: %s",
                         status == FGPU_E_LIMIT ? "there are too many" : "no memory");
    sim->has_terms = true;
    return FGPU_OK;
}

fgpu_status sim_check_terms(const struct fgpu_sim *sim, const fgpu_sim_task *task)
{
    const struct serve *serve = sim->simulator.engine.serve;
    size_t tenants = serve != NULL ? serve->tenants.count : 1;
    if (task->tenant >= tenants)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: tenant is %u; %zu are described",
                         task->tenant, tenants - 1);
    if (task->task_class > FGPU_CLASS_BATCH)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: task_class is %u; from 0 to 2",
                         task->task_class);
    if (task->late > FGPU_LATE_DEGRADE)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: late is %u; from 0 to 2", task->late);
    if (task->deadline_ns > 0 && task->task_class != FGPU_CLASS_INTERACTIVE)
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_add: deadline_ns is %llu with class %u; only interactive tasks "
                         "(1) have deadlines",
                         (unsigned long long)task->deadline_ns, task->task_class);
    if (task->release_ns > SIM_LATEST_NS || task->deadline_ns > SIM_LATEST_NS)
        return error_set(FGPU_E_INVAL, "fgpu_sim_add: %s is more than 2^60",
                         task->release_ns > SIM_LATEST_NS ? "release_ns" : "deadline_ns");
    uint64_t before_ns = 0;
    if (sim->tasks.count > 0)
        before_ns =
            ((const struct sim_task *)vec_at(&sim->tasks, sim->tasks.count - 1))->release_ns;
    if (task->release_ns < before_ns)
        return error_set(FGPU_E_INVAL,
                         "fgpu_sim_add: release_ns is %llu, before the %llu of the task before",
                         (unsigned long long)task->release_ns, (unsigned long long)before_ns);
    return FGPU_OK;
}

void sim_keep_terms(struct fgpu_sim *sim, const fgpu_sim_task *task, struct sim_task *kept)
{
    static const uint8_t ranks[] = {[FGPU_CLASS_NORMAL] = SERVE_NORMAL,
                                    [FGPU_CLASS_INTERACTIVE] = SERVE_URGENT,
                                    [FGPU_CLASS_BATCH] = SERVE_BATCH};
    kept->rank = ranks[task->task_class];
    kept->late = (uint8_t)task->late;
    kept->tenant = (uint16_t)task->tenant;
    kept->release_ns = task->release_ns;
    kept->deadline_ns = task->deadline_ns;
    sim->has_terms |= kept->rank != SERVE_NORMAL;
}

fgpu_status sim_terms(struct fgpu_sim *sim, const struct sim_task *task,
                      struct submit_request *request, struct task_terms *terms)
{
    struct engine *engine = &sim->simulator.engine;
    const struct simulator_type *type = vec_at(&sim->simulator.types, task->type);
    if (!sim->has_terms)
        return FGPU_OK;
    fgpu_status status = serve_begin(engine);
    if (status != FGPU_OK)
        return status;
    *terms = (struct task_terms){
        .deadline_ns = EDF_NEVER, .tenant = task->tenant, .rank = task->rank, .late = task->late};
    request->terms = terms;
    if (task->deadline_ns == 0)
        return FGPU_OK;
    engine_clock(engine, sim->simulator.now_ns);
    terms->deadline_ns = task->release_ns + task->deadline_ns;
    if (task->late != FGPU_LATE_REFUSE)
        return FGPU_OK; /* what is to become of it is decided when it is linked */
    request->kernel = type->kernel;
    request->global[0] = type->model_size;
    request->global[1] = request->global[2] = 1;
    bool fits = serve_predict(engine, request, terms).is_admitted;
    engine->serve->refused += !fits;
    return fits ? FGPU_OK : FGPU_E_DEADLINE;
}
