/* What `bench fair` looks at, wherever the runs come from. Pure.
 */
#ifndef FASTGPU_CLI_BENCH_BENCH_FAIR_H
#define FASTGPU_CLI_BENCH_BENCH_FAIR_H

#include <signal.h>
#include <stdint.h>

#include <fastgpu/status.h>

#define FAIR_TENANTS 16u

/* One task that has run. */
struct fair_run {
    uint64_t start_ns, end_ns;
    uint32_t tenant;
};

/* When a tenant had work that waited. */
struct fair_tenant {
    uint64_t since_ns, until_ns; /* its first task is there; its last one starts */
    uint32_t weight;
};

struct fair_figures {
    double gap;     /* largest difference of two tenants' device time over weight, at any moment
                       at which both had work that waited, since the later began; ns */
    double largest; /* task over its tenant's weight; ns */
    double served[FAIR_TENANTS]; /* while all had work that waited; ns */
    double idle; /* device time that nobody used while somebody waited, as a share */
};

/* [in] devices: that ran them. FGPU_E_NOMEM. */
fgpu_status fair_look(const struct fair_run *runs, uint32_t count,
                      const struct fair_tenant *tenants, uint32_t tenant_count, uint32_t devices,
                      struct fair_figures *figures);

/* Two tenants with weights 1 and `weight` and `count` tasks each of about `work_us` on the cpu
 * device. [out] runs: [2 * count], tenants: [2]. Errors with a text. */
fgpu_status fair_measure(uint32_t weight, uint32_t count, uint64_t work_us, struct fair_run *runs,
                         struct fair_tenant *tenants);

#endif
