/* Types; see type.h.
 *
 * Nodes are never changed once made, so that they are shared freely; memory that is missing gives
 * UNKNOWN.
 */
#include "code/type.h"

#include <stdio.h>
#include <string.h>
#include "base/limits.h"

const struct code_type code_type_unknown = {.form = CODE_FORM_UNKNOWN};
const struct code_type code_type_void = {.form = CODE_FORM_VOID};
const struct code_type code_type_int = {
    .form = CODE_FORM_VALUE, .scalar = CODE_SCALAR_INT, .width = 1};
static const struct code_type type_letter = {.form = CODE_FORM_VALUE,
                                             .scalar = CODE_SCALAR_CHAR,
                                             .width = 1,
                                             .quals = CODE_QUALIFIER_CONST,
                                             .space = CODE_SPACE_CONSTANT};
const struct code_type code_type_literal = {.form = CODE_FORM_POINTER, .next = &type_letter};

static const struct {
    const char *name;
    uint8_t size_bytes;
} scalars[CODE_SCALAR_COUNT] = {
    [CODE_SCALAR_NONE] = {"", 0},          [CODE_SCALAR_BOOL] = {"bool", 0},
    [CODE_SCALAR_CHAR] = {"char", 1},      [CODE_SCALAR_UCHAR] = {"uchar", 1},
    [CODE_SCALAR_SHORT] = {"short", 2},    [CODE_SCALAR_USHORT] = {"ushort", 2},
    [CODE_SCALAR_INT] = {"int", 4},        [CODE_SCALAR_UINT] = {"uint", 4},
    [CODE_SCALAR_LONG] = {"long", 8},      [CODE_SCALAR_ULONG] = {"ulong", 8},
    [CODE_SCALAR_HALF] = {"half", 2},      [CODE_SCALAR_FLOAT] = {"float", 4},
    [CODE_SCALAR_DOUBLE] = {"double", 8},  [CODE_SCALAR_SIZE] = {"size_t", 8},
    [CODE_SCALAR_DIFF] = {"ptrdiff_t", 8}, [CODE_SCALAR_ENUM] = {"enum", 4},
};

static const uint8_t widths[] = {2, 3, 4, 8, 16};

static const struct {
    const char *name;
    uint8_t form;
    uint8_t scalar;
} others[] = {
    {"size_t", CODE_FORM_VALUE, CODE_SCALAR_SIZE},
    {"uintptr_t", CODE_FORM_VALUE, CODE_SCALAR_SIZE},
    {"ptrdiff_t", CODE_FORM_VALUE, CODE_SCALAR_DIFF},
    {"intptr_t", CODE_FORM_VALUE, CODE_SCALAR_DIFF},
    {"cl_mem_fence_flags", CODE_FORM_VALUE, CODE_SCALAR_UINT},
    {"image1d_t", CODE_FORM_OPAQUE, 0},
    {"image1d_buffer_t", CODE_FORM_OPAQUE, 0},
    {"image1d_array_t", CODE_FORM_OPAQUE, 0},
    {"image2d_t", CODE_FORM_OPAQUE, 0},
    {"image2d_array_t", CODE_FORM_OPAQUE, 0},
    {"image2d_depth_t", CODE_FORM_OPAQUE, 0},
    {"image2d_array_depth_t", CODE_FORM_OPAQUE, 0},
    {"image3d_t", CODE_FORM_OPAQUE, 0},
    {"sampler_t", CODE_FORM_OPAQUE, 0},
    {"event_t", CODE_FORM_OPAQUE, 0},
};

static const struct code_type *type_new(struct code_context *context, struct code_type type)
{
    struct code_type *copy = code_context_alloc(context, sizeof *copy);
    if (copy == NULL)
        return &code_type_unknown;
    *copy = type;
    return copy;
}

const struct code_type *code_type_value(struct code_context *context, enum code_scalar scalar,
                                        uint32_t width)
{
    return type_new(context, (struct code_type){.form = CODE_FORM_VALUE,
                                                .scalar = (uint8_t)scalar,
                                                .width = (uint8_t)width});
}

const struct code_type *code_type_over(struct code_context *context, enum code_form form,
                                       const struct code_type *next)
{
    if (next->depth >= LIMITS_CODE_DEPTH)
        return &code_type_unknown;
    return type_new(context, (struct code_type){.form = (uint8_t)form,
                                                .depth = (uint8_t)(next->depth + 1),
                                                .next = next});
}

const struct code_type *code_type_with(struct code_context *context, const struct code_type *type,
                                       uint32_t quals, enum code_space space, uint32_t alias)
{
    struct code_type copy = *type;
    if (quals == 0 && space == CODE_SPACE_PRIVATE && alias == 0)
        return type;
    if (type->form == CODE_FORM_ARRAY && (quals != 0 || space != CODE_SPACE_PRIVATE))
        copy.next = code_type_with(context, type->next, quals, space, 0);
    copy.quals = (uint8_t)(copy.quals | quals);
    copy.space = space != CODE_SPACE_PRIVATE ? (uint8_t)space : copy.space;
    copy.alias = alias != 0 ? alias : copy.alias;
    return type_new(context, copy);
}

void code_type_each_predeclared(void (*visit)(void *user, const char *name,
                                              const struct code_type *type),
                                void *user)
{
    for (int s = CODE_SCALAR_CHAR; s <= CODE_SCALAR_DOUBLE; s++) {
        struct code_type type = {.form = CODE_FORM_VALUE, .scalar = (uint8_t)s, .width = 1};
        char name[24];
        visit(user, scalars[s].name, &type);
        for (size_t w = 0; w < sizeof widths; w++) {
            type.width = widths[w];
            snprintf(name, sizeof name, "%s%u", scalars[s].name, widths[w]);
            visit(user, name, &type);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct code_type type = {.form = others[i].form, .scalar = others[i].scalar, .width = 1};
        visit(user, others[i].name, &type);
    }
}

enum code_space code_type_pointee_space(const struct code_type *pointer)
{
    if (pointer->next == NULL)
        return CODE_SPACE_PRIVATE;
    return (enum code_space)code_type_element(pointer->next)->space;
}

const struct code_type *code_type_element(const struct code_type *type)
{
    while (type->form == CODE_FORM_ARRAY)
        type = type->next;
    return type;
}

const struct code_type *code_type_member(const struct code_type *record, uint32_t name)
{
    const struct code_record *body = record->record;
    if (body == NULL || !body->complete)
        return &code_type_unknown;
    for (uint32_t i = 0; i < body->member_count; i++)
        if (body->members[i].name == name)
            return body->members[i].type;
    return &code_type_unknown;
}

uint32_t code_type_size(const struct code_type *type)
{
    uint32_t width = type->width == 3 ? 4 : type->width;
    return type->form == CODE_FORM_VALUE ? scalars[type->scalar].size_bytes * width : 0;
}

const char *code_scalar_text(enum code_scalar scalar)
{
    return scalars[scalar].name;
}

static const char *plain_text(struct code_context *context, const struct code_type *type)
{
    const struct code_record *record = type->record;
    if (type->alias != 0)
        return code_names_text(&context->names, type->alias);
    if (record != NULL && record->tag != 0)
        return code_context_sentence(context, "%s %s", record->keyword,
                                     code_names_text(&context->names, record->tag));
    if (type->form == CODE_FORM_VALUE && type->width > 1)
        return code_context_sentence(context, "%s%u", scalars[type->scalar].name, type->width);
    if (type->form == CODE_FORM_VALUE)
        return scalars[type->scalar].name;
    if (type->form == CODE_FORM_VOID)
        return "void";
    return record != NULL ? record->keyword : "?";
}

const char *code_type_text(struct code_context *context, const struct code_type *type)
{
    char stars[8];
    size_t depth = 0;
    while ((type->form == CODE_FORM_POINTER || type->form == CODE_FORM_ARRAY) &&
           depth + 1 < sizeof stars) {
        type = type->next;
        stars[depth++] = '*';
    }
    stars[depth] = '\0';
    const char *text = plain_text(context, type);
    return depth == 0 ? text : code_context_sentence(context, "%s%s", text, stars);
}
