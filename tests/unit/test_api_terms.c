/* Terms of tasks and tenants through the public API, on the cpu device: values that are not
 * allowed, deadlines that are refused or degraded, quotas, and results that do not change.
 */
#include <stdio.h>
#include <stdlib.h>
#include "lib/api_rig.h"

static int work_a_while(const fgpu_range *range, void *const *args, void *user)
{
    volatile uint32_t *words = args[0];
    (void)range;
    (void)user;
    for (uint32_t i = 0; i < 200000; i++)
        words[0] = words[0] + (i & 1);
    return 0;
}

static fgpu_kernel long_kernel(void)
{
    fgpu_kernel kernel;
    rig_need(fgpu_kernel_create(rig_pool, "long", &kernel));
    rig_need(fgpu_kernel_add_native(kernel, work_a_while, NULL));
    rig_need(fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    return kernel;
}

static fgpu_tenant tenant_of(const char *name, uint32_t weight, uint64_t quota_ns)
{
    fgpu_tenant tenant;
    fgpu_tenant_desc desc;
    fgpu_tenant_desc_init(&desc);
    desc.name = name;
    desc.weight = weight;
    desc.quota_ns = quota_ns;
    rig_need(fgpu_tenant_create(rig_pool, &desc, &tenant));
    return tenant;
}

static fgpu_task_desc desc_of(fgpu_kernel kernel, const fgpu_arg *arg, const fgpu_terms *terms)
{
    fgpu_task_desc desc;
    fgpu_task_desc_init(&desc);
    desc.kernel = kernel;
    desc.dims = 1;
    desc.global[0] = 1;
    desc.args = arg;
    desc.arg_count = 1;
    desc.terms = terms;
    return desc;
}

static fgpu_tenant_stats stats_of(fgpu_tenant tenant)
{
    fgpu_tenant_stats stats = {.struct_bytes = sizeof stats};
    rig_need(fgpu_tenant_get_stats(tenant, &stats));
    return stats;
}

/* ---- values ------------------------------------------------------------------------------ */

static void refuse_terms(fgpu_terms terms, fgpu_status status, const char *text)
{
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_task_desc desc = desc_of(rig_new_kernel(), &arg, &terms);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), status, text);
}

static void test_values(void **state)
{
    (void)state;
    fgpu_terms terms;
    fgpu_terms_init(&terms);
    refuse_terms((fgpu_terms){.struct_bytes = 3}, FGPU_E_VERSION, "struct_bytes is 3");
    terms.task_class = 3;
    refuse_terms(terms, FGPU_E_INVAL, "task_class is 3");
    fgpu_terms_init(&terms);
    terms.late = 3;
    refuse_terms(terms, FGPU_E_INVAL, "late is 3");
    fgpu_terms_init(&terms);
    terms.deadline_ns = 5;
    refuse_terms(terms, FGPU_E_INVAL, "deadline_ns is 5 with class 0");
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    terms.deadline_ns = UINT64_MAX;
    refuse_terms(terms, FGPU_E_INVAL, "deadline_ns is more than 2^60");
    fgpu_terms_init(&terms);
    terms.estimate_ns = UINT64_MAX;
    refuse_terms(terms, FGPU_E_INVAL, "estimate_ns is more than 2^60");
    fgpu_terms_init(&terms);
    terms.reserved = 1;
    refuse_terms(terms, FGPU_E_INVAL, "reserved");
    fgpu_terms_init(&terms);
    terms.tenant.bits = rig_pool.bits;
    refuse_terms(terms, FGPU_E_HANDLE, "is a pool, not a tenant");
    terms.tenant = tenant_of("one", 1, 0);
    terms.tenant.bits += 1; /* there is no second */
    refuse_terms(terms, FGPU_E_STALE, "tenant");
    rig_works();
}

static void test_tenants(void **state)
{
    (void)state;
    fgpu_tenant tenant;
    fgpu_tenant_desc desc;
    fgpu_tenant_stats stats = {.struct_bytes = 1};
    fgpu_tenant_desc_init(&desc);
    rig_refused(fgpu_tenant_create(rig_pool, NULL, &tenant), FGPU_E_INVAL, "desc is NULL");
    rig_refused(fgpu_tenant_create(rig_pool, &desc, &tenant), FGPU_E_INVAL, "desc.name");
    desc.name = "0123456789012345678901234567890123456789012345678901234567890123";
    rig_refused(fgpu_tenant_create(rig_pool, &desc, &tenant), FGPU_E_INVAL, "desc.name");
    desc.name = "one";
    rig_refused(fgpu_tenant_create(rig_pool, &desc, NULL), FGPU_E_INVAL, "tenant is NULL");
    desc.weight = 10001;
    rig_refused(fgpu_tenant_create(rig_pool, &desc, &tenant), FGPU_E_INVAL, "weight is 10001");
    desc.weight = 0;
    desc.struct_bytes = 8;
    rig_refused(fgpu_tenant_create(rig_pool, &desc, &tenant), FGPU_E_VERSION, "struct_bytes is 8");
    fgpu_tenant_desc_init(&desc);
    desc.name = "one";
    rig_need(fgpu_tenant_create(rig_pool, &desc, &tenant));
    rig_refused(fgpu_tenant_get_stats(tenant, &stats), FGPU_E_VERSION, "struct_bytes");
    rig_refused(fgpu_tenant_get_stats(tenant, NULL), FGPU_E_INVAL, "NULL");
    assert_int_equal(stats_of(tenant).weight, 1);
    for (uint32_t i = 2; i < 256; i++)
        rig_need(fgpu_tenant_create(rig_pool, &desc, &tenant));
    rig_refused(fgpu_tenant_create(rig_pool, &desc, &tenant), FGPU_E_LIMIT, "255 tenants");
    rig_works();
}

static void test_not_recorded(void **state)
{
    (void)state;
    fgpu_graph graph = rig_graph();
    fgpu_terms terms;
    fgpu_terms_init(&terms);
    fgpu_arg arg = fgpu_arg_buffer(rig_buffer(64));
    fgpu_task_desc desc = desc_of(rig_new_kernel(), &arg, &terms);
    rig_refused(fgpu_graph_add(graph, &desc, NULL), FGPU_E_UNSUPPORTED, "terms");
    rig_works();
}

/* ---- deadlines --------------------------------------------------------------------------- */

static void test_deadlines(void **state)
{
    (void)state;
    uint32_t words[16] = {0};
    fgpu_task task;
    fgpu_admission admission = {0};
    fgpu_terms terms;
    fgpu_buffer buffer = rig_buffer(sizeof words);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    terms.deadline_ns = 1000;
    terms.estimate_ns = 5000000;
    terms.admission = &admission;
    fgpu_task_desc desc = desc_of(rig_new_kernel(), &arg, &terms);
    rig_need(fgpu_buffer_write(buffer, NULL, words, 0));
    rig_refused(fgpu_task_submit(rig_pool, &desc, &task), FGPU_E_DEADLINE, "ns after its deadline");
    assert_false(admission.is_admitted);
    assert_true(admission.is_known && admission.finish_ns >= 5000000);
    terms.late = FGPU_LATE_DROP;
    rig_refused(fgpu_task_submit(rig_pool, &desc, &task), FGPU_E_DEADLINE, "refused");
    /* As batch work it runs. */
    terms.late = FGPU_LATE_DEGRADE;
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    assert_false(admission.is_admitted);
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    /* An hour is enough. */
    terms.late = FGPU_LATE_REFUSE;
    terms.deadline_ns = UINT64_C(3600000000000);
    rig_need(fgpu_task_submit(rig_pool, &desc, &task));
    assert_true(admission.is_admitted);
    rig_need(fgpu_task_wait(task, FGPU_FOREVER));
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    assert_int_equal(words[0], 2); /* the refused ones had no effect */
    rig_works();
}

/* ---- quotas ------------------------------------------------------------------------------ */

static void test_quota(void **state)
{
    (void)state;
    fgpu_terms terms;
    fgpu_task tasks[8];
    uint32_t failed = 0;
    fgpu_buffer buffer = rig_buffer(64);
    fgpu_arg arg = fgpu_arg_buffer(buffer);
    fgpu_terms_init(&terms);
    terms.tenant = tenant_of("small", 1, 1); /* a nanosecond: the first task uses it up */
    fgpu_task_desc desc = desc_of(long_kernel(), &arg, &terms);
    for (uint32_t i = 0; i < 8; i++)
        if (fgpu_task_submit(rig_pool, &desc, &tasks[i]) != FGPU_OK)
            tasks[i].bits = 0;
    for (uint32_t i = 0; i < 8; i++) {
        fgpu_status status =
            tasks[i].bits != 0 ? fgpu_task_wait(tasks[i], FGPU_FOREVER) : FGPU_E_QUOTA;
        assert_true(status == FGPU_OK || status == FGPU_E_QUOTA || status == FGPU_E_POISONED);
        failed += status != FGPU_OK;
        if (tasks[i].bits != 0 && status == FGPU_E_QUOTA)
            assert_non_null(strstr(fgpu_last_error(), "tenant 'small' has used"));
        if (tasks[i].bits != 0)
            rig_need(fgpu_task_forget(tasks[i]));
    }
    fgpu_tenant_stats stats = stats_of(terms.tenant);
    assert_true(failed > 0 && stats.tasks == 8 - failed && stats.used_ns > 1);
    rig_refused(fgpu_task_submit(rig_pool, &desc, NULL), FGPU_E_QUOTA, "its quota is 1");
    /* Another's is his own; and what was poisoned is overwritten. */
    uint32_t words[16] = {0};
    rig_need(fgpu_buffer_write(buffer, NULL, words, 0));
    terms.tenant = tenant_of("large", 1, 0);
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    assert_int_equal(stats_of(terms.tenant).tasks, 1);
    rig_works();
}

/* ---- results ----------------------------------------------------------------------------- */

/* A chain through all classes and tenants, tasks without terms among them. */
static void test_results_stay(void **state)
{
    (void)state;
    uint32_t words[RIG_WORDS] = {0};
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_buffer buffers[4];
    fgpu_tenant tenants[3] = {{0}, tenant_of("a", 3, 0), tenant_of("b", 1, 0)};
    for (uint32_t i = 0; i < 4; i++) {
        buffers[i] = rig_buffer(sizeof words);
        rig_need(fgpu_buffer_write(buffers[i], NULL, words, 0));
    }
    for (uint32_t i = 0; i < 2000; i++) {
        fgpu_terms terms;
        fgpu_terms_init(&terms);
        terms.task_class = i % 3;
        terms.tenant = tenants[i % 5 % 3];
        terms.late = FGPU_LATE_DEGRADE;
        terms.deadline_ns = terms.task_class == FGPU_CLASS_INTERACTIVE ? 1 + i * 1000 : 0;
        fgpu_arg arg = fgpu_arg_buffer(buffers[i % 4]);
        fgpu_task_desc desc = desc_of(kernel, &arg, i % 7 == 0 ? NULL : &terms);
        desc.global[0] = RIG_WORDS;
        desc.priority = (int32_t)(i % 11) - 5;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    }
    rig_need(fgpu_pool_wait(rig_pool, FGPU_FOREVER));
    for (uint32_t b = 0; b < 4; b++) {
        rig_need(fgpu_buffer_read(buffers[b], NULL, words, 0));
        for (uint32_t i = 0; i < RIG_WORDS; i++)
            assert_int_equal(words[i], 500);
    }
    assert_true(stats_of(tenants[1]).tasks > 0 && stats_of(tenants[2]).tasks > 0);
    rig_works();
}

/* Terms come while tasks without any are under way: nothing is lost. */
static void test_in_the_middle(void **state)
{
    (void)state;
    uint32_t words[RIG_WORDS] = {0};
    fgpu_kernel kernel = rig_new_kernel();
    fgpu_buffer buffer = rig_buffer(sizeof words), other = rig_buffer(64);
    fgpu_arg arg = fgpu_arg_buffer(buffer), its = fgpu_arg_buffer(other);
    fgpu_terms terms;
    fgpu_task_desc desc = desc_of(long_kernel(), &its, NULL);
    rig_need(fgpu_buffer_write(buffer, NULL, words, 0));
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    for (uint32_t i = 0; i < 500; i++)
        rig_need(fgpu_task_run(kernel, RIG_WORDS, &arg, 1, NULL));
    fgpu_terms_init(&terms);
    terms.task_class = FGPU_CLASS_INTERACTIVE;
    desc = desc_of(kernel, &arg, &terms);
    desc.global[0] = RIG_WORDS;
    rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    for (uint32_t i = 0; i < 499; i++)
        rig_need(fgpu_task_run(kernel, RIG_WORDS, &arg, 1, NULL));
    rig_need(fgpu_buffer_read(buffer, NULL, words, 0));
    for (uint32_t i = 0; i < RIG_WORDS; i++)
        assert_int_equal(words[i], 1000);
    rig_works();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ON(cpu, test_values),       RIG_ON(cpu, test_tenants), RIG_ON(cpu, test_not_recorded),
        RIG_ON(cpu, test_deadlines),    RIG_ON(cpu, test_quota),   RIG_ON(cpu, test_results_stay),
        RIG_ON(cpu, test_in_the_middle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
