/* Terms of tasks: class, tenant, deadline; and the tenants. See fastgpu/task.h, fastgpu/tenant.h.
 * Thread: any.
 */
#include <string.h>

#include "api/task.h"
#include "core/serve.h"

#define TERMS_FURTHEST_NS (UINT64_C(1) << 60) /* 36 years: sums of such do not overflow */

void fgpu_terms_init(fgpu_terms *terms)
{
    memset(terms, 0, sizeof *terms);
    terms->struct_bytes = sizeof *terms;
}

void fgpu_tenant_desc_init(fgpu_tenant_desc *desc)
{
    memset(desc, 0, sizeof *desc);
    desc->struct_bytes = sizeof *desc;
}

/* ---- tenants ---------------------------------------------------------------------------- */

/* Under the driver's lock: the pool goes by terms from now on. */
static fgpu_status terms_begin(struct pool *pool, const char *who)
{
    struct engine *engine = &pool->driver->engine;
    if (serve_begin(engine) != FGPU_OK)
        return error_set(FGPU_E_NOMEM, "%s: no memory for terms", who);
    atomic_store_release_u32(&pool->tenants, (uint32_t)engine->serve->tenants.count);
    return FGPU_OK;
}

static fgpu_status terms_check_tenant(const fgpu_tenant_desc *desc, const char *who)
{
    if (desc == NULL)
        return error_set(FGPU_E_INVAL, "%s: desc is NULL", who);
    if (desc->struct_bytes != sizeof *desc)
        return error_set(FGPU_E_VERSION,
                         "%s: desc.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_tenant_desc_init first",
                         who, desc->struct_bytes, sizeof *desc);
    if (desc->weight > SHARE_WEIGHT_MOST)
        return error_set(FGPU_E_INVAL, "%s: desc.weight is %u, it takes 1 to %u", who, desc->weight,
                         SHARE_WEIGHT_MOST);
    size_t length = desc->name != NULL ? strnlen(desc->name, LIMITS_NAME_BYTES) : 0;
    if (length == 0 || length == LIMITS_NAME_BYTES)
        return error_set(FGPU_E_INVAL, "%s: desc.name has 1 to %d characters", who,
                         LIMITS_NAME_BYTES - 1);
    return FGPU_OK;
}

fgpu_status fgpu_tenant_create(fgpu_pool handle, const fgpu_tenant_desc *desc, fgpu_tenant *tenant)
{
    static const char who[] = "fgpu_tenant_create";
    fgpu_status status;
    LOOKUP_GUEST *pool = lookup_pool(handle, "fgpu_tenant_create: pool", &status);
    if (pool == NULL)
        return status;
    status = terms_check_tenant(desc, who);
    if (status != FGPU_OK)
        return status;
    if (tenant == NULL)
        return error_set(FGPU_E_INVAL, "%s: tenant is NULL", who);
    uint32_t index = 0;
    driver_enter(pool->driver);
    status = terms_begin(pool, who);
    if (status == FGPU_OK) {
        status = serve_tenant_add(&pool->driver->engine, desc->name,
                                  desc->weight != 0 ? desc->weight : 1, desc->quota_ns, &index);
        (void)atomic_add_seqcst_u32(&pool->quotas, status == FGPU_OK && desc->quota_ns > 0);
        (void)terms_begin(pool, who);
    }
    driver_leave(pool->driver);
    if (status == FGPU_E_LIMIT)
        return error_set(status, "%s: the pool has %d tenants, its limit", who, LIMITS_TENANTS - 1);
    if (status != FGPU_OK)
        return error_set(status, "%s: no memory for a tenant", who);
    tenant->bits =
        handle_make(HANDLE_TENANT, pool->index, atomic_load_relaxed_u32(&pool->live), index);
    return FGPU_OK;
}

fgpu_status fgpu_tenant_get_stats(fgpu_tenant tenant, fgpu_tenant_stats *stats)
{
    static const char who[] = "fgpu_tenant_get_stats: tenant";
    uint32_t index;
    fgpu_status status;
    if (stats == NULL || stats->struct_bytes != sizeof *stats)
        return error_set(stats == NULL ? FGPU_E_INVAL : FGPU_E_VERSION,
                         "fgpu_tenant_get_stats: stats is NULL, or its struct_bytes is not %zu",
                         sizeof *stats);
    LOOKUP_GUEST *pool = lookup_pool_of(tenant.bits, HANDLE_TENANT, who, &status);
    if (pool == NULL)
        return status;
    status = lookup_tenant(pool, tenant, who, &index);
    if (status != FGPU_OK)
        return status;
    driver_enter(pool->driver);
    const struct serve_tenant *found = vec_at(&pool->driver->engine.serve->tenants, index);
    stats->weight = found->weight;
    stats->used_ns = found->used_ns;
    stats->quota_ns = found->quota_ns;
    stats->tasks = found->tasks;
    driver_leave(pool->driver);
    return FGPU_OK;
}

/* ---- tasks ------------------------------------------------------------------------------ */

static fgpu_status terms_check(const fgpu_terms *terms, const char *who)
{
    if (terms->struct_bytes != sizeof *terms)
        return error_set(FGPU_E_VERSION,
                         "%s: terms.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_terms_init first",
                         who, terms->struct_bytes, sizeof *terms);
    if (terms->task_class > FGPU_CLASS_BATCH)
        return error_set(FGPU_E_INVAL, "%s: terms.task_class is %u, it takes 0 to 2", who,
                         terms->task_class);
    if (terms->late > FGPU_LATE_DEGRADE)
        return error_set(FGPU_E_INVAL, "%s: terms.late is %u, it takes 0 to 2", who, terms->late);
    if (terms->deadline_ns > 0 && terms->task_class != FGPU_CLASS_INTERACTIVE)
        return error_set(FGPU_E_INVAL,
                         "%s: terms.deadline_ns is %llu with class %u; only interactive tasks (1) "
                         "have deadlines",
                         who, (unsigned long long)terms->deadline_ns, terms->task_class);
    if (terms->deadline_ns > TERMS_FURTHEST_NS || terms->estimate_ns > TERMS_FURTHEST_NS)
        return error_set(FGPU_E_INVAL, "%s: terms.%s is more than 2^60", who,
                         terms->deadline_ns > TERMS_FURTHEST_NS ? "deadline_ns" : "estimate_ns");
    if (terms->reserved != 0)
        return error_set(FGPU_E_INVAL, "%s: terms.reserved is %u, not 0", who, terms->reserved);
    return FGPU_OK;
}

/* Under the driver's lock. */
static fgpu_status terms_check_quota(const struct pool *pool, uint32_t tenant, const char *who)
{
    const struct serve_tenant *found = vec_at(&pool->driver->engine.serve->tenants, tenant);
    if (found->quota_ns == 0 || found->used_ns < found->quota_ns)
        return FGPU_OK;
    return error_set(
        FGPU_E_QUOTA, "%s: tenant '%s' has used %llu ns of device time, its quota is %llu", who,
        found->name, (unsigned long long)found->used_ns, (unsigned long long)found->quota_ns);
}

/* Under the driver's lock. A deadline that cannot be met is refused, or forgotten. */
static fgpu_status terms_admit(struct pool *pool, const fgpu_terms *terms, const char *who,
                               struct submit_request *request, struct task_terms *out)
{
    struct engine *engine = &pool->driver->engine;
    out->deadline_ns = engine->now_ns + terms->deadline_ns;
    struct serve_answer answer = serve_predict(engine, request, out);
    uint64_t finish_ns =
        answer.finish_ns == EDF_NEVER ? FGPU_FOREVER : answer.finish_ns - engine->now_ns;
    if (terms->admission != NULL)
        *terms->admission = (fgpu_admission){finish_ns, answer.is_admitted, answer.is_known};
    if (answer.is_admitted)
        return FGPU_OK;
    if (terms->late == FGPU_LATE_DEGRADE) {
        engine->serve->degraded++;
        out->deadline_ns = EDF_NEVER;
        out->rank = SERVE_BATCH;
        return FGPU_OK;
    }
    engine->serve->refused++;
    if (finish_ns == FGPU_FOREVER || finish_ns <= terms->deadline_ns)
        return error_set(FGPU_E_DEADLINE,
                         "%s: refused: with it, others that were admitted would miss their "
                         "deadlines (%llu ns to its own)",
                         who, (unsigned long long)terms->deadline_ns);
    return error_set(
        FGPU_E_DEADLINE, "%s: refused: predicted to end in %llu ns, %llu ns after its deadline",
        who, (unsigned long long)finish_ns, (unsigned long long)(finish_ns - terms->deadline_ns));
}

fgpu_status task_check_terms(struct pool *pool, const fgpu_terms *terms, const char *who,
                             struct task_room *room, struct submit_request *request)
{
    static const uint8_t ranks[] = {[FGPU_CLASS_NORMAL] = SERVE_NORMAL,
                                    [FGPU_CLASS_INTERACTIVE] = SERVE_URGENT,
                                    [FGPU_CLASS_BATCH] = SERVE_BATCH};
    uint32_t tenant = 0;
    fgpu_status status = terms_check(terms, who);
    if (status == FGPU_OK && terms->tenant.bits != 0)
        status = lookup_tenant(pool, terms->tenant, who, &tenant);
    if (status != FGPU_OK)
        return status;
    room->terms = (struct task_terms){.deadline_ns = EDF_NEVER,
                                      .estimate_ns = terms->estimate_ns,
                                      .tenant = (uint16_t)tenant,
                                      .rank = ranks[terms->task_class],
                                      .late = (uint8_t)terms->late};
    request->terms = &room->terms;
    bool quota = tenant != 0 && atomic_load_relaxed_u32(&pool->quotas) > 0;
    if (atomic_load_acquire_u32(&pool->tenants) > 0 && !quota && terms->deadline_ns == 0)
        return FGPU_OK;
    driver_enter(pool->driver);
    status = terms_begin(pool, who);
    if (status == FGPU_OK && quota)
        status = terms_check_quota(pool, tenant, who);
    if (status == FGPU_OK && terms->deadline_ns > 0)
        status = terms_admit(pool, terms, who, request, &room->terms);
    driver_leave(pool->driver);
    return status;
}
