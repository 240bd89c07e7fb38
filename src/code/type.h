/* Types of OpenCL C, as far as pointers, address spaces and sizes are concerned.
 *
 * Immutable nodes in the context's arena, outermost first: POINTER -> ARRAY -> VALUE. Qualifiers
 * and the address space belong to the node that they qualify, so that of a `global const float
 * *restrict p` the POINTER is restrict and the VALUE is const and global. UNKNOWN is a type that
 * could not be read: every use of it is treated with care. Thread: one. Source: OpenCL C 1.2
 * specification, 6.1 and 6.5.
 */
#ifndef FASTGPU_CODE_TYPE_H
#define FASTGPU_CODE_TYPE_H

#include "code/context.h"

enum code_scalar {
    CODE_SCALAR_NONE,
    CODE_SCALAR_BOOL,
    CODE_SCALAR_CHAR,
    CODE_SCALAR_UCHAR,
    CODE_SCALAR_SHORT,
    CODE_SCALAR_USHORT,
    CODE_SCALAR_INT,
    CODE_SCALAR_UINT,
    CODE_SCALAR_LONG,
    CODE_SCALAR_ULONG,
    CODE_SCALAR_HALF,
    CODE_SCALAR_FLOAT,
    CODE_SCALAR_DOUBLE,
    CODE_SCALAR_SIZE, /* size_t, and uintptr_t: 8 bytes on 64-bit devices */
    CODE_SCALAR_DIFF, /* ptrdiff_t and intptr_t */
    CODE_SCALAR_ENUM,
    CODE_SCALAR_COUNT
};

enum code_space { CODE_SPACE_PRIVATE, CODE_SPACE_GLOBAL, CODE_SPACE_LOCAL, CODE_SPACE_CONSTANT };

enum code_qualifier {
    CODE_QUALIFIER_CONST = 1,
    CODE_QUALIFIER_VOLATILE = 2,
    CODE_QUALIFIER_RESTRICT = 4
};

enum code_form {
    CODE_FORM_UNKNOWN,
    CODE_FORM_VOID,
    CODE_FORM_VALUE,  /* scalar or vector */
    CODE_FORM_RECORD, /* struct or union */
    CODE_FORM_OPAQUE, /* image, sampler, event */
    CODE_FORM_POINTER,
    CODE_FORM_ARRAY,
    CODE_FORM_FUNCTION
};

struct code_record;

struct code_type {
    uint8_t form;    /* enum code_form */
    uint8_t scalar;  /* of a VALUE */
    uint8_t width;   /* of a VALUE: 1, 2, 3, 4, 8, 16; 0 where an attribute changed it */
    uint8_t quals;   /* enum code_qualifier */
    uint8_t space;   /* enum code_space */
    uint8_t depth;   /* nodes below it, at most LIMITS_CODE_DEPTH */
    uint32_t alias;  /* typedef name that it was written with; 0 for none */
    uint32_t opaque; /* own name of an OPAQUE */
    const struct code_type *next;     /* what is pointed to, element, or returned value */
    const struct code_record *record; /* of a RECORD, and of an enum with a tag */
};

struct code_member {
    uint32_t name; /* 0 for an unnamed struct or bit-field */
    const struct code_type *type;
};

struct code_record {
    uint32_t tag;        /* 0 for none */
    const char *keyword; /* "struct", "union" or "enum" */
    bool complete;       /* members are all there */
    uint32_t member_count;
    const struct code_member *members;
};

/* Shared nodes. */
extern const struct code_type code_type_unknown;
extern const struct code_type code_type_void;
extern const struct code_type code_type_int;     /* also stands for every arithmetic result */
extern const struct code_type code_type_literal; /* string literal: pointer to constant char */

/* New nodes; code_type_unknown when there is no memory. */
const struct code_type *code_type_value(struct code_context *context, enum code_scalar scalar,
                                        uint32_t width);
const struct code_type *code_type_over(struct code_context *context, enum code_form form,
                                       const struct code_type *next);

/* The same type with qualifiers, a space (where not PRIVATE) and an alias (where not 0) added.
 * Those of an array go to its element, as C99 6.7.3 has it. */
const struct code_type *code_type_with(struct code_context *context, const struct code_type *type,
                                       uint32_t quals, enum code_space space, uint32_t alias);

/* Calls `visit` with each type name that needs no declaration (uint, float4, image2d_t, event_t);
 * both texts and types last for the call. */
void code_type_each_predeclared(void (*visit)(void *user, const char *name,
                                              const struct code_type *type),
                                void *user);

/* Address space of what a pointer or an array holds. */
enum code_space code_type_pointee_space(const struct code_type *pointer);

/* Innermost element of an array, else the type itself. */
const struct code_type *code_type_element(const struct code_type *type);

/* Member by name; code_type_unknown when it cannot be told. */
const struct code_type *code_type_member(const struct code_type *record, uint32_t name);

/* Size of a VALUE (bool and enum: 4 counts for enum, bool is unknown); 0 where unknown. Vectors of
 * 3 take 4. */
uint32_t code_type_size(const struct code_type *type);

/* Plain name of a scalar: "uint". */
const char *code_scalar_text(enum code_scalar scalar);

/* Spelling as clGetKernelArgInfo gives it for a parameter of this type: without qualifiers and
 * spaces, typedef names kept, "uint" for unsigned int, pointers with a "*". In the arena. */
const char *code_type_text(struct code_context *context, const struct code_type *type);

#endif
