/* Tables of names; see cuda_names.h. */
#include "code/cuda_names.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
/* Keywords of C++20, and what NVRTC defines as macros or takes as words; sorted by strcmp. */
static const char *const taken[] = {
    "__CUDACC__", "__CUDA_ARCH__", "__align__", "__cluster_dims__", "__constant__", "__device__",
    "__forceinline__", "__func__", "__global__", "__grid_constant__", "__host__",
    "__launch_bounds__",
    "__managed__", "__noinline__", "__restrict__", "__shared__", "alignas", "alignof", "and",
    "and_eq", "assert", "atomicAdd", "bitand", "bitor", "blockDim", "blockIdx", "catch", "char16_t",
    "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept",
    "const_cast", "consteval", "constexpr", "constinit", "decltype", "delete", "dynamic_cast",
    "explicit", "export", "fcl", "final", "friend", "gridDim", "main", "mutable", "namespace",
    "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "override",
    "private", "protected", "public", "reinterpret_cast", "requires", "static_assert",
    "static_cast", "std", "template", "this", "thread_local", "threadIdx", "throw", "try",
    "typeid", "typename", "user", "using", "virtual", "warpSize", "wchar_t", "xor", "xor_eq",
};

/* Functions that our reader knows and that are not translated; sorted by strcmp. */
static const char *const refused[] = {
    "get_enqueued_local_size", "get_local_linear_id", "get_work_dim", "lgamma_r",
    "work_group_barrier",
};
/* clang-format on */

static int compare(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

bool code_cuda_taken(const char *name)
{
    return strncmp(name, "fcl_", 4) == 0 || strncmp(name, "FCL_", 4) == 0 ||
           bsearch(name, taken, sizeof taken / sizeof *taken, sizeof *taken, compare) != NULL;
}

/* `as_TYPE`, `convert_TYPE[_sat][_rte|_rtz|_rtp|_rtn]`. */
static bool conversion(struct code_context *context, const char *name, const char **call)
{
    static const char *const types[] = {"char", "uchar", "short", "ushort", "int",
                                        "uint", "long",  "ulong", "float",  "double"};
    static const char *const widths[] = {"", "2", "3", "4", "8", "16"};
    static const char *const modes[] = {"_rtz", "_rte", "_rtp", "_rtn"};
    bool as = strncmp(name, "as_", 3) == 0;
    const char *type = name + (as ? 3 : sizeof "convert_" - 1);
    size_t length = strspn(type, "abcdefghijklmnopqrstuvwxyz");
    size_t whole = length + strspn(type + length, "0123456789");
    const char *rest = type + whole;
    bool known = false, wide = false, sat = !as && strncmp(rest, "_sat", 4) == 0;
    int mode = -1;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        known |= strlen(types[i]) == length && memcmp(types[i], type, length) == 0;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        wide |= strlen(widths[i]) == whole - length &&
                memcmp(widths[i], type + length, whole - length) == 0;
    rest += sat ? 4 : 0;
    for (int i = 0; i < 4 && !as; i++)
        if (strcmp(rest, modes[i]) == 0)
            mode = i;
    if (!known || !wide || (mode < 0 && rest[0] != '\0'))
        return false;
    if (mode < 0) /* what casts do */
        mode = strncmp(type, "float", 5) == 0 || strncmp(type, "double", 6) == 0 ? 1 : 0;
    if (as)
        *call = code_context_sentence(context, "fcl::as<%.*s>", (int)whole, type);
    else
        *call = code_context_sentence(context, "fcl::convert<%.*s, %s, %d>", (int)whole, type,
                                      sat ? "true" : "false", mode);
    return true;
}

bool code_cuda_call(struct code_context *context, const char *name, const char **call)
{
    size_t length = strlen(name);
    *call = NULL;
    if (strcmp(name, "get_global_id") == 0 || strcmp(name, "get_global_offset") == 0) {
        *call = code_context_sentence(context, "fcl_at.%s", name);
        return true;
    }
    if (strncmp(name, "as_", 3) == 0 || strncmp(name, "convert_", 8) == 0)
        return conversion(context, name, call);
    if (strncmp(name, "vstore", 6) == 0 && length > 4 &&
        (strcmp(name + length - 4, "_rtz") == 0 || strcmp(name + length - 4, "_rtp") == 0 ||
         strcmp(name + length - 4, "_rtn") == 0))
        return false;
    return bsearch(name, refused, sizeof refused / sizeof *refused, sizeof *refused, compare) ==
           NULL;
}
