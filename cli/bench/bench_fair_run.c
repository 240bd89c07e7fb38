/* Two tenants on the cpu device; see bench_fair.h. The tasks themselves write down when they ran.
 */
#include <string.h>

#include <fastgpu/fastgpu.h>

#include "cli/bench/bench_fair.h"
#include "cli/common/figures.h"

#define FAIR_LOOP 1024u /* steps between two looks at the clock */

struct fair_record {
    struct fair_run *runs;
    uint32_t count, limit;
};

/* Computes until its time is up, as a kernel of that length would. One worker runs all of them. */
static int fair_body(const fgpu_range *range, void *const *args, void *user)
{
    struct fair_record *record = user;
    uint64_t start_ns = figures_wall_ns(), work_ns, end_ns;
    uint32_t tenant;
    volatile uint64_t value = 1;
    (void)range;
    memcpy(&tenant, args[0], sizeof tenant);
    memcpy(&work_ns, args[1], sizeof work_ns);
    do {
        for (uint32_t i = 0; i < FAIR_LOOP; i++)
            value = value * 25214903917u + 11;
        end_ns = figures_wall_ns();
    } while (end_ns - start_ns < work_ns);
    if (record->count < record->limit)
        record->runs[record->count++] = (struct fair_run){start_ns, end_ns, tenant};
    return 0;
}

static fgpu_status fair_kernel(fgpu_pool pool, struct fair_record *record, fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, "fair", kernel);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, fair_body, record);
    for (uint32_t i = 0; i < 2 && status == FGPU_OK; i++)
        status =
            fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, i == 0 ? 4 : 8);
    return status;
}

static fgpu_status fair_tenants(fgpu_pool pool, uint32_t weight, fgpu_tenant handles[2])
{
    static const char *const names[] = {"one", "other"};
    fgpu_status status = FGPU_OK;
    for (uint32_t t = 0; t < 2 && status == FGPU_OK; t++) {
        fgpu_tenant_desc desc;
        fgpu_tenant_desc_init(&desc);
        desc.name = names[t];
        desc.weight = t == 0 ? 1 : weight;
        status = fgpu_tenant_create(pool, &desc, &handles[t]);
    }
    return status;
}

static fgpu_status fair_submit(fgpu_pool pool, fgpu_kernel kernel, fgpu_tenant tenant,
                               uint32_t number, uint64_t work_ns)
{
    const fgpu_arg args[2] = {fgpu_arg_scalar(&number, sizeof number),
                              fgpu_arg_scalar(&work_ns, sizeof work_ns)};
    fgpu_task_desc desc;
    fgpu_terms terms;
    fgpu_terms_init(&terms);
    terms.tenant = tenant;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.args = args;
    desc.arg_count = 2;
    desc.terms = &terms;
    return fgpu_task_submit(pool, &desc, NULL);
}

/* Both submit all that they have, in turn; then it is seen who is served. */
static fgpu_status fair_fill(fgpu_pool pool, struct fair_record *record, uint32_t weight,
                             uint64_t work_ns, struct fair_tenant *tenants)
{
    fgpu_kernel kernel;
    fgpu_tenant handles[2];
    fgpu_status status = fair_kernel(pool, record, &kernel);
    if (status == FGPU_OK)
        status = fair_tenants(pool, weight, handles);
    for (uint32_t i = 0; i < record->limit && status == FGPU_OK; i++)
        status = fair_submit(pool, kernel, handles[i % 2], i % 2, work_ns);
    tenants[0] = tenants[1] = (struct fair_tenant){.since_ns = figures_wall_ns()};
    tenants[0].weight = 1;
    tenants[1].weight = weight;
    fgpu_status waited = fgpu_pool_wait(pool, FGPU_FOREVER);
    return status == FGPU_OK ? waited : status;
}

fgpu_status fair_measure(uint32_t weight, uint32_t count, uint64_t work_us, struct fair_run *runs,
                         struct fair_tenant *tenants)
{
    struct fair_record record = {.runs = runs, .limit = 2 * count};
    fgpu_pool pool;
    fgpu_pool_options options;
    fgpu_pool_options_init(&options);
    options.devices = "cpu";
    options.cpu_workers = 1;
    options.cache_dir = "";
    fgpu_status status = fgpu_pool_open(&options, &pool);
    if (status != FGPU_OK)
        return status;
    status = fair_fill(pool, &record, weight, work_us * 1000, tenants);
    fgpu_status closed = fgpu_pool_close(pool);
    for (uint32_t i = 0; i < record.count; i++) {
        struct fair_tenant *tenant = &tenants[runs[i].tenant];
        if (runs[i].start_ns > tenant->until_ns)
            tenant->until_ns = runs[i].start_ns;
    }
    return status == FGPU_OK ? closed : status;
}
