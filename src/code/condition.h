/* Integer constant expressions, as behind #if and in attributes (C99 6.10.1, 6.6), in three-valued
 * logic.
 *
 * A value is known, or it depends on something that only the device's compiler knows: then `0 &&
 * unknown` is still a known 0. Macros are expanded before; here names are left that are no macros
 * of the text. Thread: one. Pure.
 */
#ifndef FASTGPU_CODE_CONDITION_H
#define FASTGPU_CODE_CONDITION_H

#include "code/macro.h"

struct code_value {
    bool known;
    bool malformed; /* no constant expression at all */
    bool is_unsigned;
    uint64_t bits; /* two's complement; 0 where unknown */
};

/* [in] macros: which names are known to be no macros (they are 0); NULL: every name is unknown.
 * [in] opencl_version: what __OPENCL_VERSION__ is taken to be. */
struct code_value code_condition_value(struct code_context *context,
                                       const struct code_macros *macros, uint32_t opencl_version,
                                       const struct code_token *tokens, size_t count);

/* Is the name a macro? `known` may be false; `bits` is 0 or 1. */
struct code_value code_condition_defined(const struct code_context *context,
                                         const struct code_macros *macros, uint32_t name);

#endif
