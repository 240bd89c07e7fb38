/* Reductions: the operators that the library has, and the public calls. See reduce.h. Thread: any.
 */
#include <stdio.h>
#include <string.h>

#include "api/reduce.h"

/* ---- operators -------------------------------------------------------------------------- */

#define SUM(a, b) ((a) + (b))
#define PRODUCT(a, b) ((a) * (b))
/* What is no number stays where it is in the buffer. */
#define MIN(a, b) ((b) < (a) ? (b) : (a))
#define MAX(a, b) ((b) > (a) ? (b) : (a))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define XOR(a, b) ((a) ^ (b))

/* X(OP, op, C type, name in OpenCL C, identity). Sums and products of signed integers are those of
 * unsigned ones, so that they wrap around. x + -0.0 is x for every x, also for -0.0. */
#define REDUCE_INTEGERS(X, U, u, S, s, low, most)                                                  \
    X(SUM, S, uint##s##_t, u, 0)                                                                   \
    X(SUM, U, uint##s##_t, u, 0)                                                                   \
    X(PRODUCT, S, uint##s##_t, u, 1)                                                               \
    X(PRODUCT, U, uint##s##_t, u, 1)                                                               \
    X(MIN, U, uint##s##_t, u, most)                                                                \
    X(MAX, U, uint##s##_t, u, 0)                                                                   \
    X(AND, S, uint##s##_t, u, most)                                                                \
    X(AND, U, uint##s##_t, u, most)                                                                \
    X(OR, S, uint##s##_t, u, 0)                                                                    \
    X(OR, U, uint##s##_t, u, 0)                                                                    \
    X(XOR, S, uint##s##_t, u, 0)                                                                   \
    X(XOR, U, uint##s##_t, u, 0)                                                                   \
    X(MIN, S, int##s##_t, low, INT##s##_MAX)                                                       \
    X(MAX, S, int##s##_t, low, INT##s##_MIN)

#define REDUCE_FLOATS(X, F, type, infinity)                                                        \
    X(SUM, F, type, type, (type)-0.0)                                                              \
    X(PRODUCT, F, type, type, (type)1)                                                             \
    X(MIN, F, type, type, (type)infinity)                                                          \
    X(MAX, F, type, type, (type)-infinity)

#define REDUCE_LIST(X)                                                                             \
    REDUCE_INTEGERS(X, U32, uint, I32, 32, int, UINT32_MAX)                                        \
    REDUCE_INTEGERS(X, U64, ulong, I64, 64, long, UINT64_MAX)                                      \
    REDUCE_FLOATS(X, F32, float, __builtin_inff())                                                 \
    REDUCE_FLOATS(X, F64, double, __builtin_inf())

/* The items of a native call's groups. */
static void reduce_items(const fgpu_range *range, uint64_t *first, uint64_t *last)
{
    *first = range->group_begin * range->local[0];
    *last = range->group_end * range->local[0];
    if (*last > range->global[0])
        *last = range->global[0];
}

#define REDUCE_NATIVE(OP, ELEMENT, type, text, identity)                                           \
    static int reduce_##OP##_##ELEMENT(const fgpu_range *range, void *const *args, void *user)     \
    {                                                                                              \
        typedef type __attribute__((aligned(1), may_alias))                                        \
        element; /* a caller's may be anywhere */                                                  \
        element *into = args[0];                                                                   \
        const element *from = args[1];                                                             \
        uint64_t i, last;                                                                          \
        (void)user;                                                                                \
        for (reduce_items(range, &i, &last); i < last; i++)                                        \
            into[i] = OP(into[i], from[i]);                                                        \
        return 0;                                                                                  \
    }
REDUCE_LIST(REDUCE_NATIVE)

#define REDUCE_IDENTITY(OP, ELEMENT, type, text, identity)                                         \
    static const type identity_##OP##_##ELEMENT = identity;
REDUCE_LIST(REDUCE_IDENTITY)

struct reduce_op {
    uint32_t op, element;
    uint32_t bytes;
    const char *op_name, *type; /* in OpenCL C */
    const void *identity;
    fgpu_native_fn native;
};

#define REDUCE_ENTRY(OP, ELEMENT, type, text, identity)                                            \
    {FGPU_OP_##OP,           FGPU_##ELEMENT, sizeof(type), #OP, #text, &identity_##OP##_##ELEMENT, \
     reduce_##OP##_##ELEMENT},
static const struct reduce_op reduce_ops[] = {REDUCE_LIST(REDUCE_ENTRY)};

/* The same operators, built with -D T=type -D OP=name. */
static const char reduce_text[] = "#ifdef WIDE\n"
                                  "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
                                  "#endif\n"
                                  "#define SUM(a, b) ((a) + (b))\n"
                                  "#define PRODUCT(a, b) ((a) * (b))\n"
                                  "#define MIN(a, b) ((b) < (a) ? (b) : (a))\n"
                                  "#define MAX(a, b) ((b) > (a) ? (b) : (a))\n"
                                  "#define AND(a, b) ((a) & (b))\n"
                                  "#define OR(a, b) ((a) | (b))\n"
                                  "#define XOR(a, b) ((a) ^ (b))\n"
                                  "__kernel void combine(__global T *into,\n"
                                  "                      __global const T *from)\n"
                                  "{\n"
                                  "    size_t i = get_global_id(0);\n"
                                  "    T a = into[i], b = from[i];\n"
                                  "    into[i] = OP(a, b);\n"
                                  "}\n";

static const struct reduce_op *reduce_op_find(uint32_t op, uint32_t element)
{
    for (size_t i = 0; i < sizeof reduce_ops / sizeof reduce_ops[0]; i++)
        if (reduce_ops[i].op == op && reduce_ops[i].element == element)
            return &reduce_ops[i];
    return NULL;
}

uint32_t reduce_identity(uint32_t op, uint32_t element, uint8_t identity[16])
{
    const struct reduce_op *found = reduce_op_find(op, element);
    if (found == NULL)
        return 0;
    for (uint32_t i = 0; i < 16; i += found->bytes)
        memcpy(identity + i, found->identity, found->bytes);
    return found->bytes;
}

/* Kinds of variants that some device of the pool takes. */
static uint32_t reduce_variants(const struct pool *pool)
{
    uint32_t variants = 0;
    for (uint32_t d = 0; d < pool->driver->visible_count; d++)
        variants |= pool->driver->engine.devices[d].caps.variants;
    return variants;
}

/* Doubles are an option of OpenCL C: its text is for pools that have nothing else. */
static fgpu_status reduce_add_variants(const struct pool *pool, const struct reduce_op *op,
                                       fgpu_kernel kernel)
{
    char options[64];
    bool native = reduce_variants(pool) & (1u << FGPU_VARIANT_NATIVE);
    bool text = reduce_variants(pool) & (1u << FGPU_VARIANT_OPENCL);
    bool wide = op->element == FGPU_F64;
    fgpu_status status = FGPU_OK;
    snprintf(options, sizeof options, "-D T=%s -D OP=%s%s", op->type, op->op_name,
             wide ? " -D WIDE" : "");
    if (text && !(wide && native))
        status = fgpu_kernel_add_opencl(kernel, reduce_text, "combine", options);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(kernel, 0, FGPU_ARG_BUFFER, FGPU_READ_WRITE, 0);
    if (status == FGPU_OK)
        status = fgpu_kernel_set_arg(kernel, 1, FGPU_ARG_BUFFER, FGPU_READ, 0);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(kernel, op->native, NULL);
    return status;
}

fgpu_status reduce_kernel(struct pool *pool, uint32_t op, uint32_t element, fgpu_kernel *kernel)
{
    fgpu_kernel *kept = &pool->reduces->kernels[op][element];
    if (kept->bits == 0) {
        const struct reduce_op *found = reduce_op_find(op, element);
        char name[LIMITS_NAME_BYTES], why[LIMITS_ERROR_TEXT];
        fgpu_kernel made;
        snprintf(name, sizeof name, "combine %s %s", found->op_name, found->type);
        fgpu_status status = fgpu_kernel_create(lookup_pool_handle(pool), name, &made);
        if (status != FGPU_OK)
            return status;
        status = reduce_add_variants(pool, found, made);
        if (status != FGPU_OK) {
            snprintf(why, sizeof why, "%s", error_text());
            (void)fgpu_kernel_destroy(made);
            return error_set(status, "%s", why);
        }
        *kept = made;
    }
    *kernel = *kept;
    return FGPU_OK;
}

/* ---- the public calls ------------------------------------------------------------------- */

static const char reduce_who[] = "fgpu_buffer_set_reduction";

void fgpu_reduction_init(fgpu_reduction *reduction)
{
    memset(reduction, 0, sizeof *reduction);
    reduction->struct_bytes = sizeof *reduction;
}

static fgpu_status reduce_check_values(const fgpu_reduction *wanted)
{
    uint8_t identity[16];
    if (wanted->struct_bytes != sizeof *wanted)
        return error_set(FGPU_E_VERSION,
                         "%s: reduction.struct_bytes is %u, this library's is %zu: call "
                         "fgpu_reduction_init first",
                         reduce_who, wanted->struct_bytes, sizeof *wanted);
    if (wanted->op < FGPU_OP_SUM || wanted->op > FGPU_OP_KERNEL)
        return error_set(FGPU_E_INVAL, "%s: op is %u, it takes 1 to 8", reduce_who, wanted->op);
    if (wanted->op == FGPU_OP_KERNEL) {
        uint32_t bytes = wanted->element_bytes;
        if (bytes == 0 || bytes > 16 || (bytes & (bytes - 1)) != 0)
            return error_set(FGPU_E_INVAL, "%s: element_bytes is %u, it takes 1, 2, 4, 8 or 16",
                             reduce_who, bytes);
        return wanted->element == 0
                   ? FGPU_OK
                   : error_set(FGPU_E_INVAL, "%s: element is %u beside a kernel, it takes 0",
                               reduce_who, wanted->element);
    }
    if (wanted->element < FGPU_I32 || wanted->element > FGPU_F64)
        return error_set(FGPU_E_INVAL, "%s: element is %u, it takes 1 to 6", reduce_who,
                         wanted->element);
    if (wanted->element_bytes != 0 || wanted->combine.bits != 0)
        return error_set(FGPU_E_INVAL, "%s: %s is given, but op is no kernel", reduce_who,
                         wanted->combine.bits != 0 ? "combine" : "element_bytes");
    if (reduce_identity(wanted->op, wanted->element, identity) == 0)
        return error_set(FGPU_E_INVAL, "%s: op %u is one of bits, element %u a floating point type",
                         reduce_who, wanted->op, wanted->element);
    return FGPU_OK;
}

/* Under the driver's lock. */
static fgpu_status reduce_check_kernel(const struct pool *pool, const struct kernel *kernel)
{
    if (kernel->arg_count != 2 || kernel->args[0].kind != FGPU_ARG_BUFFER ||
        kernel->args[1].kind != FGPU_ARG_BUFFER || kernel->args[0].access != FGPU_READ_WRITE ||
        kernel->args[1].access != FGPU_READ)
        return error_set(FGPU_E_INVAL,
                         "%s: kernel '%s' must take two buffers, the first read-write and the "
                         "second read",
                         reduce_who, kernel->name);
    if (kernel->required_local[0] > 1 || kernel->required_local[1] > 1 ||
        kernel->required_local[2] > 1)
        return error_set(FGPU_E_INVAL,
                         "%s: the source of kernel '%s' requires groups of %u x %u x %u, a "
                         "combination has any number of work items",
                         reduce_who, kernel->name, kernel->required_local[0],
                         kernel->required_local[1], kernel->required_local[2]);
    if (!(kernel->variant_mask & reduce_variants(pool)))
        return error_set(FGPU_E_NOVARIANT, "%s: no chosen device takes a variant of kernel '%s'",
                         reduce_who, kernel->name);
    return FGPU_OK;
}

/* Checks and keeps the kernel, whoever destroys it. */
static fgpu_status reduce_keep_kernel(struct pool *pool, fgpu_kernel handle, uint32_t *index)
{
    driver_enter(pool->driver);
    fgpu_status status = lookup_kernel(pool, handle, reduce_who, index);
    if (status == FGPU_OK) {
        struct kernel *kernel = engine_kernel(&pool->driver->engine, *index);
        status = reduce_check_kernel(pool, kernel);
        if (status == FGPU_OK) {
            atomic_store_release_u32(&kernel->sealed, 1);
            kernel->users++;
        }
    }
    driver_leave(pool->driver);
    return status;
}

/* As many as can be worked on at a time, unless they would take more than a quarter of a device's
 * memory. */
static uint32_t reduce_part_limit(const struct pool *pool, uint64_t size_bytes)
{
    const struct driver *driver = pool->driver;
    uint64_t most = 0, room = UINT64_MAX;
    for (uint32_t d = 0; d < driver->visible_count; d++) {
        const fgpu_device_info *info = &driver->devices[d].info;
        most += driver->engine.devices[d].lane_count;
        if ((info->valid & FGPU_INFO_MEMORY) && info->memory_bytes / 4 / size_bytes < room)
            room = info->memory_bytes / 4 / size_bytes;
    }
    most = most < LIMITS_REDUCE_PARTS ? most : LIMITS_REDUCE_PARTS;
    most = most < room ? most : room;
    return most > 0 ? (uint32_t)most : 1;
}

/* A reduction that no buffer has yet. NULL with *status and a text. */
static struct reduction *reduce_make(struct pool *pool, uint64_t key, uint64_t size_bytes,
                                     const fgpu_reduction *wanted, fgpu_status *status)
{
    struct reduction made = {.key = key, .element_bytes = wanted->element_bytes};
    fgpu_kernel kernel = wanted->combine;
    memcpy(made.identity, wanted->identity, sizeof made.identity);
    made.part_limit = reduce_part_limit(pool, size_bytes);
    vec_init(&made.parts, sizeof(struct reduce_part), pool->driver->alloc);
    if (wanted->op != FGPU_OP_KERNEL)
        made.element_bytes = reduce_identity(wanted->op, wanted->element, made.identity);
    *status = FGPU_OK;
    if (size_bytes % made.element_bytes != 0)
        *status = error_set(FGPU_E_INVAL, "%s: the buffer's %llu bytes are no whole elements of %u",
                            reduce_who, (unsigned long long)size_bytes, made.element_bytes);
    if (*status == FGPU_OK && wanted->op != FGPU_OP_KERNEL)
        *status = reduce_kernel(pool, wanted->op, wanted->element, &kernel);
    struct reduction *out = NULL;
    if (*status == FGPU_OK) {
        out = alloc_get(pool->driver->alloc, sizeof *out, 16);
        if (out == NULL)
            *status = error_set(FGPU_E_NOMEM, "%s: no memory for a reduction", reduce_who);
    }
    if (out == NULL)
        return NULL;
    *status = reduce_keep_kernel(pool, kernel, &made.kernel);
    *out = made;
    if (*status == FGPU_OK)
        return out;
    alloc_put(pool->driver->alloc, out, sizeof *out);
    return NULL;
}

/* Under the reductions' lock. [in] next: takes the place of the old one, also NULL; still the
 * caller's on failure. */
static fgpu_status reduce_change(struct pool *pool, uint64_t key, struct reduction *next)
{
    struct reduces *reduces = pool->reduces;
    struct reduction *old = reduce_find(reduces, key);
    fgpu_status status = old != NULL ? reduce_combine(pool, old) : FGPU_OK;
    if (status != FGPU_OK)
        return status;
    if (old != NULL)
        reduce_drop(pool, old);
    if (next == NULL)
        return FGPU_OK;
    if (map_put(&reduces->by_buffer, key, (uint64_t)(uintptr_t)next) != FGPU_OK)
        return error_set(FGPU_E_NOMEM, "%s: no memory for a reduction", reduce_who);
    (void)atomic_add_seqcst_u32(&reduces->declared, 1);
    return FGPU_OK;
}

fgpu_status fgpu_buffer_set_reduction(fgpu_buffer handle, const fgpu_reduction *wanted)
{
    fgpu_status status;
    uint32_t slot;
    struct reduction *next = NULL;
    LOOKUP_GUEST *pool = lookup_pool_of(handle.bits, HANDLE_BUFFER, reduce_who, &status);
    if (pool == NULL)
        return status;
    status = lookup_buffer(pool, handle, reduce_who, &slot);
    if (status == FGPU_OK && wanted != NULL)
        status = reduce_check_values(wanted);
    if (status == FGPU_OK)
        status = reduce_enter(pool->reduces, reduce_who);
    if (status != FGPU_OK)
        return status;
    uint64_t key = reduce_key(slot, handle_generation(handle.bits));
    uint64_t size_bytes =
        atomic_load_relaxed_u64(&engine_buffer(&pool->driver->engine, slot)->size_bytes);
    if (wanted != NULL)
        next = reduce_make(pool, key, size_bytes, wanted, &status);
    if (status == FGPU_OK)
        status = reduce_change(pool, key, next);
    if (status != FGPU_OK && next != NULL)
        reduce_discard(pool, next);
    reduce_leave(pool->reduces);
    return status;
}

fgpu_status fgpu_buffer_reduce_by(fgpu_buffer buffer, fgpu_reduction_op op, fgpu_element element)
{
    fgpu_reduction reduction;
    fgpu_reduction_init(&reduction);
    reduction.op = (uint32_t)op;
    reduction.element = (uint32_t)element;
    if (op == FGPU_OP_KERNEL)
        return error_set(FGPU_E_INVAL,
                         "fgpu_buffer_reduce_by: op is a kernel; use fgpu_buffer_set_reduction");
    return fgpu_buffer_set_reduction(buffer, &reduction);
}
