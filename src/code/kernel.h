/* A kernel as its source describes it: what the pool has to know before it builds anything.
 *
 * Made from the parser's functions (function.c), read by src/api and src/core. Texts live as long
 * as the unit. Names of types are spelled as clGetKernelArgInfo spells them. Pure data. Thread:
 * any, once the unit is made.
 */
#ifndef FASTGPU_CODE_KERNEL_H
#define FASTGPU_CODE_KERNEL_H

#include "code/access.h"
#include "code/classify.h"
#include "code/type.h"

enum code_param_kind {
    CODE_PARAM_BUFFER, /* pointer to global or constant memory */
    CODE_PARAM_LOCAL,  /* pointer to local memory: the pool passes a size */
    CODE_PARAM_VALUE,  /* scalar, vector or struct */
    CODE_PARAM_OTHER   /* image, sampler, or something that no kernel may take: not supported */
};

struct code_param {
    const char *name;      /* "" for none */
    const char *type_name; /* "float4*", "uint": typedef names kept */
    const char
        *base_name; /* "float": scalar under pointer, vector and typedef; "struct", "" for others */
    uint32_t line;
    enum code_param_kind kind;
    enum code_space space; /* of what a pointer points to; PRIVATE for values */
    bool is_pointer;
    bool is_const; /* what it points to; also set in constant memory */
    bool is_volatile;
    bool is_restrict;
    enum code_scalar scalar; /* base; NONE for structs and void */
    uint32_t vector_width;   /* 1, 2, 3, 4, 8, 16; 0 where unknown */
    /* Of the value, or of one element behind the pointer. A 3-vector takes 4; structs and bool are
     * unknown. */
    uint32_t size_bytes;
    bool size_known;
    /* Of a BUFFER (access.h); NONE for others. */
    enum code_access access;
    bool unused;      /* nothing is read or written through it; access is READ then */
    bool writes_only; /* nothing is read through it: WRITE, if the caller knows that all is
                         overwritten */
    bool atomic;      /* changed by atomics */
    bool escapes;     /* READ_WRITE only because it could not be followed */
    const char *why;  /* for READ_WRITE and UNKNOWN: "line 7: it is written"; NULL otherwise */
};

struct code_kernel {
    const char *name;
    uint32_t line;
    uint32_t column;
    uint32_t param_count;
    const struct code_param *params;
    bool has_required_group; /* reqd_work_group_size */
    bool has_hinted_group;   /* work_group_size_hint */
    uint32_t group[3];
    bool from_macro;         /* its name comes out of a macro: it cannot be edited in place */
    uint32_t body_token;     /* of the unit's tokens: the `{` */
    uint32_t body_end_token; /* and the `}` */
    struct code_class class;
};

struct code_function;

/* Fills in what `function` says. FGPU_E_NOMEM through the context. */
void code_kernel_make(struct code_context *context, const struct code_function *function,
                      struct code_kernel *kernel);

#endif
