/* Tables of built-in functions and constants; see builtin.h.
 *
 * Source: OpenCL 1.2 specification, tables 6.7 to 6.25. Found by binary search, families of names
 * by their prefix.
 */
#include "code/builtin.h"

#include <stdlib.h>
#include <string.h>

struct builtin_row {
    const char *name;
    uint8_t effect;
    uint8_t pointer;
};

#define E(effect) CODE_EFFECT_##effect

/* clang-format off */
/* Sorted by strcmp. */
static const struct builtin_row rows[] = {
    {"abs", E(NONE), 0}, {"abs_diff", E(NONE), 0}, {"acos", E(NONE), 0}, {"acosh", E(NONE), 0},
    {"acospi", E(NONE), 0}, {"add_sat", E(NONE), 0}, {"all", E(NONE), 0}, {"any", E(NONE), 0},
    {"asin", E(NONE), 0}, {"asinh", E(NONE), 0}, {"asinpi", E(NONE), 0},
    {"async_work_group_copy", E(ASYNC), 0}, {"async_work_group_strided_copy", E(ASYNC), 0},
    {"atan", E(NONE), 0}, {"atan2", E(NONE), 0}, {"atan2pi", E(NONE), 0}, {"atanh", E(NONE), 0},
    {"atanpi", E(NONE), 0}, {"atom_add", E(ATOMIC), 0}, {"atom_and", E(ATOMIC), 0},
    {"atom_cmpxchg", E(ATOMIC), 0}, {"atom_dec", E(ATOMIC), 0}, {"atom_inc", E(ATOMIC), 0},
    {"atom_max", E(ATOMIC), 0}, {"atom_min", E(ATOMIC), 0}, {"atom_or", E(ATOMIC), 0},
    {"atom_sub", E(ATOMIC), 0}, {"atom_xchg", E(ATOMIC), 0}, {"atom_xor", E(ATOMIC), 0},
    {"atomic_add", E(ATOMIC), 0}, {"atomic_and", E(ATOMIC), 0}, {"atomic_cmpxchg", E(ATOMIC), 0},
    {"atomic_dec", E(ATOMIC), 0}, {"atomic_inc", E(ATOMIC), 0}, {"atomic_max", E(ATOMIC), 0},
    {"atomic_min", E(ATOMIC), 0}, {"atomic_or", E(ATOMIC), 0}, {"atomic_sub", E(ATOMIC), 0},
    {"atomic_xchg", E(ATOMIC), 0}, {"atomic_xor", E(ATOMIC), 0}, {"barrier", E(BARRIER), 0},
    {"bitselect", E(NONE), 0}, {"cbrt", E(NONE), 0}, {"ceil", E(NONE), 0}, {"clamp", E(NONE), 0},
    {"clz", E(NONE), 0}, {"copysign", E(NONE), 0}, {"cos", E(NONE), 0}, {"cosh", E(NONE), 0},
    {"cospi", E(NONE), 0}, {"cross", E(NONE), 0}, {"degrees", E(NONE), 0}, {"distance", E(NONE), 0},
    {"dot", E(NONE), 0}, {"erf", E(NONE), 0}, {"erfc", E(NONE), 0}, {"exp", E(NONE), 0},
    {"exp10", E(NONE), 0}, {"exp2", E(NONE), 0}, {"expm1", E(NONE), 0}, {"fabs", E(NONE), 0},
    {"fast_distance", E(NONE), 0}, {"fast_length", E(NONE), 0}, {"fast_normalize", E(NONE), 0},
    {"fdim", E(NONE), 0}, {"floor", E(NONE), 0}, {"fma", E(NONE), 0}, {"fmax", E(NONE), 0},
    {"fmin", E(NONE), 0}, {"fmod", E(NONE), 0}, {"fract", E(STORE), 1}, {"frexp", E(STORE), 1},
    {"get_enqueued_local_size", E(NONE), 0}, {"get_global_id", E(NONE), 0},
    {"get_global_offset", E(GLOBAL_OFFSET), 0}, {"get_global_size", E(GLOBAL_SIZE), 0},
    {"get_group_id", E(GROUP_ID), 0}, {"get_local_id", E(NONE), 0},
    {"get_local_linear_id", E(NONE), 0}, {"get_local_size", E(NONE), 0},
    {"get_num_groups", E(NUM_GROUPS), 0}, {"get_work_dim", E(NONE), 0}, {"hadd", E(NONE), 0},
    {"half_cos", E(NONE), 0}, {"half_divide", E(NONE), 0}, {"half_exp", E(NONE), 0},
    {"half_exp10", E(NONE), 0}, {"half_exp2", E(NONE), 0}, {"half_log", E(NONE), 0},
    {"half_log10", E(NONE), 0}, {"half_log2", E(NONE), 0}, {"half_powr", E(NONE), 0},
    {"half_recip", E(NONE), 0}, {"half_rsqrt", E(NONE), 0}, {"half_sin", E(NONE), 0},
    {"half_sqrt", E(NONE), 0}, {"half_tan", E(NONE), 0}, {"hypot", E(NONE), 0},
    {"ilogb", E(NONE), 0}, {"isequal", E(NONE), 0}, {"isfinite", E(NONE), 0},
    {"isgreater", E(NONE), 0}, {"isgreaterequal", E(NONE), 0}, {"isinf", E(NONE), 0},
    {"isless", E(NONE), 0}, {"islessequal", E(NONE), 0}, {"islessgreater", E(NONE), 0},
    {"isnan", E(NONE), 0}, {"isnormal", E(NONE), 0}, {"isnotequal", E(NONE), 0},
    {"isordered", E(NONE), 0}, {"isunordered", E(NONE), 0}, {"ldexp", E(NONE), 0},
    {"length", E(NONE), 0}, {"lgamma", E(NONE), 0}, {"lgamma_r", E(STORE), 1}, {"log", E(NONE), 0},
    {"log10", E(NONE), 0}, {"log1p", E(NONE), 0}, {"log2", E(NONE), 0}, {"logb", E(NONE), 0},
    {"mad", E(NONE), 0}, {"mad24", E(NONE), 0}, {"mad_hi", E(NONE), 0}, {"mad_sat", E(NONE), 0},
    {"max", E(NONE), 0}, {"maxmag", E(NONE), 0}, {"mem_fence", E(FENCE), 0}, {"min", E(NONE), 0},
    {"minmag", E(NONE), 0}, {"mix", E(NONE), 0}, {"modf", E(STORE), 1}, {"mul24", E(NONE), 0},
    {"mul_hi", E(NONE), 0}, {"nan", E(NONE), 0}, {"native_cos", E(NONE), 0},
    {"native_divide", E(NONE), 0}, {"native_exp", E(NONE), 0}, {"native_exp10", E(NONE), 0},
    {"native_exp2", E(NONE), 0}, {"native_log", E(NONE), 0}, {"native_log10", E(NONE), 0},
    {"native_log2", E(NONE), 0}, {"native_powr", E(NONE), 0}, {"native_recip", E(NONE), 0},
    {"native_rsqrt", E(NONE), 0}, {"native_sin", E(NONE), 0}, {"native_sqrt", E(NONE), 0},
    {"native_tan", E(NONE), 0}, {"nextafter", E(NONE), 0}, {"normalize", E(NONE), 0},
    {"popcount", E(NONE), 0}, {"pow", E(NONE), 0}, {"pown", E(NONE), 0}, {"powr", E(NONE), 0},
    {"prefetch", E(PREFETCH), 0}, {"printf", E(PRINTF), 0}, {"radians", E(NONE), 0},
    {"read_mem_fence", E(FENCE), 0}, {"remainder", E(NONE), 0}, {"remquo", E(STORE), 2},
    {"rhadd", E(NONE), 0}, {"rint", E(NONE), 0}, {"rootn", E(NONE), 0}, {"rotate", E(NONE), 0},
    {"round", E(NONE), 0}, {"rsqrt", E(NONE), 0}, {"select", E(NONE), 0}, {"shuffle", E(NONE), 0},
    {"shuffle2", E(NONE), 0}, {"sign", E(NONE), 0}, {"signbit", E(NONE), 0}, {"sin", E(NONE), 0},
    {"sincos", E(STORE), 1}, {"sinh", E(NONE), 0}, {"sinpi", E(NONE), 0},
    {"smoothstep", E(NONE), 0}, {"sqrt", E(NONE), 0}, {"step", E(NONE), 0}, {"sub_sat", E(NONE), 0},
    {"tan", E(NONE), 0}, {"tanh", E(NONE), 0}, {"tanpi", E(NONE), 0}, {"tgamma", E(NONE), 0},
    {"trunc", E(NONE), 0}, {"upsample", E(NONE), 0}, {"vload16", E(LOAD), 1},
    {"vload2", E(LOAD), 1}, {"vload3", E(LOAD), 1}, {"vload4", E(LOAD), 1}, {"vload8", E(LOAD), 1},
    {"vload_half", E(LOAD), 1}, {"vload_half16", E(LOAD), 1}, {"vload_half2", E(LOAD), 1},
    {"vload_half3", E(LOAD), 1}, {"vload_half4", E(LOAD), 1}, {"vload_half8", E(LOAD), 1},
    {"vloada_half", E(LOAD), 1}, {"vloada_half16", E(LOAD), 1}, {"vloada_half2", E(LOAD), 1},
    {"vloada_half3", E(LOAD), 1}, {"vloada_half4", E(LOAD), 1}, {"vloada_half8", E(LOAD), 1},
    {"vstore16", E(STORE), 2}, {"vstore2", E(STORE), 2}, {"vstore3", E(STORE), 2},
    {"vstore4", E(STORE), 2}, {"vstore8", E(STORE), 2}, {"vstore_half", E(STORE), 2},
    {"vstore_half16", E(STORE), 2}, {"vstore_half16_rte", E(STORE), 2},
    {"vstore_half16_rtn", E(STORE), 2}, {"vstore_half16_rtp", E(STORE), 2},
    {"vstore_half16_rtz", E(STORE), 2}, {"vstore_half2", E(STORE), 2},
    {"vstore_half2_rte", E(STORE), 2}, {"vstore_half2_rtn", E(STORE), 2},
    {"vstore_half2_rtp", E(STORE), 2}, {"vstore_half2_rtz", E(STORE), 2},
    {"vstore_half3", E(STORE), 2}, {"vstore_half3_rte", E(STORE), 2},
    {"vstore_half3_rtn", E(STORE), 2}, {"vstore_half3_rtp", E(STORE), 2},
    {"vstore_half3_rtz", E(STORE), 2}, {"vstore_half4", E(STORE), 2},
    {"vstore_half4_rte", E(STORE), 2}, {"vstore_half4_rtn", E(STORE), 2},
    {"vstore_half4_rtp", E(STORE), 2}, {"vstore_half4_rtz", E(STORE), 2},
    {"vstore_half8", E(STORE), 2}, {"vstore_half8_rte", E(STORE), 2},
    {"vstore_half8_rtn", E(STORE), 2}, {"vstore_half8_rtp", E(STORE), 2},
    {"vstore_half8_rtz", E(STORE), 2}, {"vstore_half_rte", E(STORE), 2},
    {"vstore_half_rtn", E(STORE), 2}, {"vstore_half_rtp", E(STORE), 2},
    {"vstore_half_rtz", E(STORE), 2}, {"vstorea_half", E(STORE), 2},
    {"vstorea_half16", E(STORE), 2}, {"vstorea_half16_rte", E(STORE), 2},
    {"vstorea_half16_rtn", E(STORE), 2}, {"vstorea_half16_rtp", E(STORE), 2},
    {"vstorea_half16_rtz", E(STORE), 2}, {"vstorea_half2", E(STORE), 2},
    {"vstorea_half2_rte", E(STORE), 2}, {"vstorea_half2_rtn", E(STORE), 2},
    {"vstorea_half2_rtp", E(STORE), 2}, {"vstorea_half2_rtz", E(STORE), 2},
    {"vstorea_half3", E(STORE), 2}, {"vstorea_half3_rte", E(STORE), 2},
    {"vstorea_half3_rtn", E(STORE), 2}, {"vstorea_half3_rtp", E(STORE), 2},
    {"vstorea_half3_rtz", E(STORE), 2}, {"vstorea_half4", E(STORE), 2},
    {"vstorea_half4_rte", E(STORE), 2}, {"vstorea_half4_rtn", E(STORE), 2},
    {"vstorea_half4_rtp", E(STORE), 2}, {"vstorea_half4_rtz", E(STORE), 2},
    {"vstorea_half8", E(STORE), 2}, {"vstorea_half8_rte", E(STORE), 2},
    {"vstorea_half8_rtn", E(STORE), 2}, {"vstorea_half8_rtp", E(STORE), 2},
    {"vstorea_half8_rtz", E(STORE), 2}, {"vstorea_half_rte", E(STORE), 2},
    {"vstorea_half_rtn", E(STORE), 2}, {"vstorea_half_rtp", E(STORE), 2},
    {"vstorea_half_rtz", E(STORE), 2}, {"wait_group_events", E(WAIT), 1},
    {"work_group_barrier", E(BARRIER), 0}, {"write_mem_fence", E(FENCE), 0},
};
/* clang-format on */

static int compare_rows(const void *key, const void *row)
{
    return strcmp(key, ((const struct builtin_row *)row)->name);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends_with_any(const char *text, const char *const *suffixes, size_t count)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < count; i++) {
        size_t part = strlen(suffixes[i]);
        if (length >= part && strcmp(text + length - part, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool starts_with_any(const char *text, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (starts_with(text, prefixes[i]))
            return true;
    return false;
}

struct code_builtin code_builtin_find(const char *name)
{
    static const char *const images[] = {"read_image", "write_image", "get_image_"};
    static const char *const values[] = {"convert_", "as_"};
    const struct builtin_row *row =
        bsearch(name, rows, sizeof rows / sizeof *rows, sizeof *rows, compare_rows);
    if (row != NULL)
        return (struct code_builtin){row->effect, row->pointer};
    if (starts_with_any(name, values, sizeof values / sizeof *values))
        return (struct code_builtin){CODE_EFFECT_NONE, 0};
    if (starts_with_any(name, images, sizeof images / sizeof *images))
        return (struct code_builtin){CODE_EFFECT_IMAGE, 0};
    return (struct code_builtin){CODE_EFFECT_UNKNOWN, 0};
}

bool code_builtin_is_constant(const char *name)
{
    static const char *const prefixes[] = {"CLK_", "M_", "FLT_", "DBL_", "HALF_"};
    static const char *const names[] = {
        "CHAR_BIT",           "CHAR_MAX",  "CHAR_MIN", "FP_ILOGB0", "FP_ILOGBNAN", "HUGE_VAL",
        "HUGE_VALF",          "INFINITY",  "INT_MAX",  "INT_MIN",   "LONG_MAX",    "LONG_MIN",
        "MAXFLOAT",           "NAN",       "NULL",     "SCHAR_MAX", "SCHAR_MIN",   "SHRT_MAX",
        "SHRT_MIN",           "UCHAR_MAX", "UINT_MAX", "ULONG_MAX", "USHRT_MAX",   "__FUNCTION__",
        "__OPENCL_VERSION__", "__func__",  "false",    "true",
    };
    if (starts_with_any(name, prefixes, sizeof prefixes / sizeof *prefixes))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool code_builtin_may_be_macro(const char *name)
{
    static const char *const prefixes[] = {"_", "cl_", "CL_", "cles_", "FP_FAST_", "POCL_"};
    static const char *const guards[] = {"_H", "_H_", "_H__", "_CL", "_CL_", "_CL__", "_INCLUDED"};
    if (strcmp(name, "__cplusplus") == 0 || strcmp(name, "__OBJC__") == 0)
        return false;
    if (ends_with_any(name, guards, sizeof guards / sizeof *guards))
        return false;
    return starts_with_any(name, prefixes, sizeof prefixes / sizeof *prefixes) ||
           code_builtin_is_constant(name);
}
