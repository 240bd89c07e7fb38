/* The operators of reductions, each for each element; what is neutral; and the caller's own.
 *
 * Expected values are computed here one task after another. On the cpu device.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/rng.h"
#include "lib/api_rig.h"

/* ---- operators --------------------------------------------------------------------------- */

#define PICK(op, a, b)                                                                             \
    ((op) == FGPU_OP_SUM       ? (a) + (b)                                                         \
     : (op) == FGPU_OP_PRODUCT ? (a) * (b)                                                         \
     : (op) == FGPU_OP_MIN     ? ((a) < (b) ? (a) : (b))                                           \
                               : ((a) > (b) ? (a) : (b)))
#define PICK_BITS(op, a, b)                                                                        \
    ((op) == FGPU_OP_AND   ? (a) & (b)                                                             \
     : (op) == FGPU_OP_OR  ? (a) | (b)                                                             \
     : (op) == FGPU_OP_XOR ? (a) ^ (b)                                                             \
                           : PICK(op, a, b))

/* X(element, type, wrapping type, operator) */
#define ELEMENTS(X)                                                                                \
    X(FGPU_I32, int32_t, uint32_t, PICK_BITS)                                                      \
    X(FGPU_U32, uint32_t, uint32_t, PICK_BITS)                                                     \
    X(FGPU_I64, int64_t, uint64_t, PICK_BITS)                                                      \
    X(FGPU_U64, uint64_t, uint64_t, PICK_BITS)                                                     \
    X(FGPU_F32, float, float, PICK)                                                                \
    X(FGPU_F64, double, double, PICK)

static uint32_t element_bytes(uint32_t element)
{
    return element == FGPU_I32 || element == FGPU_U32 || element == FGPU_F32 ? 4 : 8;
}

static void element_apply(uint32_t op, uint32_t element, void *into, const void *from)
{
#define APPLY(E, type, wide, pick)                                                                 \
    if (element == (E) && (op == FGPU_OP_MIN || op == FGPU_OP_MAX)) {                              \
        type a, b;                                                                                 \
        memcpy(&a, into, sizeof a);                                                                \
        memcpy(&b, from, sizeof b);                                                                \
        a = PICK(op, a, b);                                                                        \
        memcpy(into, &a, sizeof a);                                                                \
    } else if (element == (E)) {                                                                   \
        wide a, b;                                                                                 \
        memcpy(&a, into, sizeof a);                                                                \
        memcpy(&b, from, sizeof b);                                                                \
        a = pick(op, a, b);                                                                        \
        memcpy(into, &a, sizeof a);                                                                \
    }
    ELEMENTS(APPLY)
}

struct element_task {
    uint32_t op, element;
};

static int element_task(void *const *args, void *user)
{
    const struct element_task *task = user;
    uint32_t bytes = element_bytes(task->element);
    for (uint32_t i = 0; i < 8; i++)
        element_apply(task->op, task->element, (char *)args[0] + (size_t)i * bytes,
                      (const char *)args[1] + (size_t)i * bytes);
    return 0;
}

/* Small whole numbers, negative ones too: nothing is rounded. */
static void element_draw(struct rng *rng, uint32_t element, void *out)
{
    int64_t n = (int64_t)rng_below(rng, 41) - 20;
    float f = (float)n;
    double d = (double)n;
    uint64_t bits = rng_below(rng, UINT64_MAX);
    if (element == FGPU_F32)
        memcpy(out, &f, 4);
    else if (element == FGPU_F64)
        memcpy(out, &d, 8);
    else
        memcpy(out, &bits, element_bytes(element));
}

static void test_operators(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11);
    for (uint32_t op = FGPU_OP_SUM; op <= FGPU_OP_XOR; op++) {
        for (uint32_t element = FGPU_I32; element <= FGPU_F64; element++) {
            struct element_task task = {op, element};
            uint32_t bytes = element_bytes(element);
            fgpu_buffer sum = rig_buffer(8 * bytes), data = rig_buffer(64 * 8 * bytes);
            fgpu_status status =
                fgpu_buffer_reduce_by(sum, (fgpu_reduction_op)op, (fgpu_element)element);
            if (op >= FGPU_OP_AND && element >= FGPU_F32) {
                assert_int_equal(status, FGPU_E_INVAL);
                continue;
            }
            rig_need(status);
            uint8_t values[9 * 8 * 8], expected[64], got[64];
            for (uint32_t i = 0; i < 72; i++)
                element_draw(&rng, element, values + (size_t)i * bytes);
            memcpy(expected, values + (size_t)64 * bytes, (size_t)8 * bytes);
            rig_need(fgpu_buffer_write(data, &(fgpu_region){0, 64 * bytes, 0, 1}, values, 0));
            rig_need(fgpu_buffer_write(sum, NULL, expected, 0));
            for (uint32_t n = 0; n < 8; n++) {
                fgpu_arg args[2] = {
                    fgpu_arg_region(sum, FGPU_REDUCE, fgpu_region_whole()),
                    fgpu_arg_span(data, FGPU_READ, (uint64_t)n * 8 * bytes, 8 * bytes)};
                fgpu_task_desc desc;
                fgpu_task_desc_init(&desc);
                desc.kind = FGPU_TASK_HOST;
                desc.host_fn = element_task;
                desc.host_user = &task;
                desc.args = args;
                desc.arg_count = 2;
                rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
                for (uint32_t i = 0; i < 8; i++)
                    element_apply(op, element, expected + (size_t)i * bytes,
                                  values + ((size_t)n * 8 + i) * bytes);
            }
            rig_need(fgpu_buffer_read(sum, NULL, got, 0));
            for (uint32_t i = 0; i < 8 && element >= FGPU_F32; i++) {
                /* Products may become too large to be exact; the order of the same numbers is all
                 * that differs. */
                double a = element == FGPU_F32 ? (double)((float *)(void *)got)[i]
                                               : ((double *)(void *)got)[i];
                double b = element == FGPU_F32 ? (double)((float *)(void *)expected)[i]
                                               : ((double *)(void *)expected)[i];
                assert_true(fabs(a - b) <= 9 * 1.2e-7 * fabs(b));
            }
            if (element < FGPU_F32)
                assert_memory_equal(got, expected, (size_t)8 * bytes);
            rig_need(fgpu_buffer_destroy(sum));
            rig_need(fgpu_buffer_destroy(data));
        }
    }
    rig_works();
}

/* What nobody adds to stays as it was, bit for bit: -0.0, no number, infinities. */
static void test_neutral(void **state)
{
    (void)state;
    static const uint32_t bits[] = {0x80000000, 0, 0x7fc12345, 0x7f800000, 0xff800000, 0x3f800000};
    fgpu_kernel add;
    rig_need(fgpu_kernel_create(rig_pool, "nothing", &add));
    rig_need(fgpu_kernel_add_native(add, rig_kernel_add_one, NULL));
    rig_need(fgpu_kernel_set_arg(add, 0, FGPU_ARG_BUFFER, FGPU_REDUCE, 0));
    for (uint32_t op = FGPU_OP_SUM; op <= FGPU_OP_MAX; op++) {
        uint32_t got[6];
        fgpu_buffer buffer = rig_buffer(sizeof bits);
        rig_need(fgpu_buffer_write(buffer, NULL, bits, 0));
        rig_need(fgpu_buffer_reduce_by(buffer, (fgpu_reduction_op)op, FGPU_F32));
        _Atomic uint32_t calls = 0;
        fgpu_arg arg = fgpu_arg_region(buffer, FGPU_REDUCE, fgpu_region_whole());
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = rig_count;
        desc.host_user = &calls;
        desc.args = &arg;
        desc.arg_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
        rig_need(fgpu_buffer_read(buffer, NULL, got, 0));
        assert_memory_equal(got, bits, sizeof got);
    }
}

/* ---- the caller's operator --------------------------------------------------------------- */

struct best {
    float value;
    uint32_t where;
};

static int best_combine(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    struct best *into = args[0];
    const struct best *from = args[1];
    for (uint64_t g = range->group_begin; g < range->group_end; g++)
        for (uint64_t i = g * range->local[0];
             i < (g + 1) * range->local[0] && i < range->global[0]; i++)
            if (from[i].value > into[i].value ||
                (!(from[i].value < into[i].value) && from[i].where < into[i].where))
                into[i] = from[i];
    return 0;
}

static int best_task(void *const *args, void *user)
{
    struct best *into = args[0], from = {0.0F, 0};
    from.where = (uint32_t)(uintptr_t)user;
    from.value = (float)(from.where * 7 % 19);
    if (from.value > into->value || (!(from.value < into->value) && from.where < into->where))
        *into = from;
    return 0;
}

static void test_own_operator(void **state)
{
    (void)state;
    fgpu_kernel combine;
    rig_need(fgpu_kernel_create(rig_pool, "best", &combine));
    rig_need(fgpu_kernel_add_native(combine, best_combine, NULL));
    rig_need(fgpu_kernel_set_arg(combine, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0));
    fgpu_reduction reduction;
    fgpu_reduction_init(&reduction);
    reduction.op = FGPU_OP_KERNEL;
    reduction.element_bytes = 8;
    reduction.combine = combine;
    struct best none = {-INFINITY, UINT32_MAX}, got;
    memcpy(reduction.identity, &none, sizeof none);
    fgpu_buffer buffer = rig_buffer(sizeof none);
    rig_refused(fgpu_buffer_set_reduction(buffer, &reduction), FGPU_E_INVAL, "two buffers");
    rig_need(fgpu_kernel_set_arg(combine, 1, FGPU_ARG_BUFFER, FGPU_READ, 0));
    rig_need(fgpu_buffer_set_reduction(buffer, &reduction));
    rig_need(fgpu_kernel_destroy(combine)); /* it is kept */
    rig_need(fgpu_buffer_write(buffer, NULL, &none, 0));
    for (uintptr_t n = 0; n < 50; n++) {
        fgpu_arg arg = fgpu_arg_region(buffer, FGPU_REDUCE, fgpu_region_whole());
        fgpu_task_desc desc;
        fgpu_task_desc_init(&desc);
        desc.kind = FGPU_TASK_HOST;
        desc.host_fn = best_task;
        desc.host_user = (void *)n;
        desc.args = &arg;
        desc.arg_count = 1;
        rig_need(fgpu_task_submit(rig_pool, &desc, NULL));
    }
    rig_need(fgpu_buffer_read(buffer, NULL, &got, 0));
    assert_true(got.value > 17.5F && got.value < 18.5F); /* 18 = 8 * 7 % 19, first at 8 */
    assert_int_equal(got.where, 8);
    rig_need(fgpu_buffer_destroy(buffer));
    rig_works();
}

#define ON_CPU(test) cmocka_unit_test_setup_teardown(test, rig_open_cpu, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CPU(test_operators),
        ON_CPU(test_neutral),
        ON_CPU(test_own_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
