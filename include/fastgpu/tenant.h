/* Tenants: who shares a pool. Each has a weight, by which device time is divided while several have
 * work, and perhaps a quota. A task names its tenant in its terms (fastgpu/task.h).
 *
 * Device time is what devices measured of a tenant's tasks (copies between memories are not
 * counted). While two tenants both have ready tasks of one class, the time that they have got, over
 * their weights, differs by no more than the largest task and what was in flight when the later
 * began: on one queue two tasks, or half a millisecond of tiny ones. A tenant that had nothing to
 * do collects no credit meanwhile. Every function may be called from any thread.
 */
#ifndef FASTGPU_TENANT_H
#define FASTGPU_TENANT_H

#include <fastgpu/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fgpu_tenant_desc {
    uint32_t struct_bytes; /* set by fgpu_tenant_desc_init() */
    uint32_t weight;       /* 1..10000; 0: 1 */
    const char *name;      /* 1 to 63 bytes, copied */
    uint64_t quota_ns;     /* device time that its tasks may use in all; 0: no limit. Past it submit
                              refuses them and those that wait fail, with FGPU_E_QUOTA; what is in
                              flight then is the error: on each queue two tasks, or 0.5 ms of tiny
                              ones, at most */
} fgpu_tenant_desc;

typedef struct fgpu_tenant_stats {
    uint32_t struct_bytes; /* set by the caller */
    uint32_t weight;
    uint64_t used_ns;  /* device time measured of its tasks that have ended */
    uint64_t quota_ns; /* 0: no limit */
    uint64_t tasks;    /* that have run */
} fgpu_tenant_stats;

/* Fill with zeros and the struct's size. */
FGPU_API void fgpu_tenant_desc_init(fgpu_tenant_desc *desc);

/* A new tenant, which stays until the pool closes. [in] desc. [out] tenant. Errors: FGPU_E_INVAL
 * (the field, its value and what it takes), FGPU_E_LIMIT (255 in a pool), FGPU_E_NOMEM,
 * FGPU_E_VERSION, FGPU_E_HANDLE, FGPU_E_CLOSED. Does not block. */
FGPU_API fgpu_status fgpu_tenant_create(fgpu_pool pool, const fgpu_tenant_desc *desc,
                                        fgpu_tenant *tenant);

/* What it has used until now. [out] stats. Does not block. */
FGPU_API fgpu_status fgpu_tenant_get_stats(fgpu_tenant tenant, fgpu_tenant_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
