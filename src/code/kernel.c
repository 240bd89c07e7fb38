/* From a function of the parser to a kernel's description; see kernel.h.
 *
 * The last step of reading: here doubts and unread bodies become UNKNOWN, and everything else a
 * reason.
 */
#include "code/kernel.h"

#include "code/parser.h"

static const char *base_name(const struct code_type *type)
{
    if (type->form == CODE_FORM_RECORD && type->record != NULL)
        return type->record->keyword;
    return type->form == CODE_FORM_VALUE ? code_scalar_text((enum code_scalar)type->scalar) : "";
}

static enum code_param_kind kind_of(const struct code_type *type)
{
    if (type->form == CODE_FORM_VALUE || type->form == CODE_FORM_RECORD)
        return CODE_PARAM_VALUE;
    if (type->form != CODE_FORM_POINTER || type->next->form == CODE_FORM_POINTER ||
        type->next->form == CODE_FORM_FUNCTION)
        return CODE_PARAM_OTHER;
    switch (code_type_pointee_space(type)) {
    case CODE_SPACE_GLOBAL:
    case CODE_SPACE_CONSTANT:
        return CODE_PARAM_BUFFER;
    case CODE_SPACE_LOCAL:
        return CODE_PARAM_LOCAL;
    default:
        return CODE_PARAM_OTHER;
    }
}

static void describe_type(struct code_context *context, const struct code_type *type,
                          struct code_param *param)
{
    param->is_pointer = type->form == CODE_FORM_POINTER;
    const struct code_type *base = code_type_element(param->is_pointer ? type->next : type);
    param->kind = kind_of(type);
    param->type_name = code_type_text(context, type);
    param->base_name = base_name(base);
    param->scalar =
        base->form == CODE_FORM_VALUE ? (enum code_scalar)base->scalar : CODE_SCALAR_NONE;
    param->vector_width = base->form == CODE_FORM_VALUE ? base->width : 0;
    param->size_bytes = code_type_size(base);
    param->size_known = param->size_bytes != 0 && context->doubt == NULL;
    if (!param->is_pointer)
        return;
    param->space = code_type_pointee_space(type);
    param->is_const =
        (base->quals & CODE_QUALIFIER_CONST) != 0 || param->space == CODE_SPACE_CONSTANT;
    param->is_volatile = (base->quals & CODE_QUALIFIER_VOLATILE) != 0;
    param->is_restrict = (type->quals & CODE_QUALIFIER_RESTRICT) != 0;
}

/* Why nothing is known about the whole function, or NULL. */
static const char *unknown_reason(struct code_context *context,
                                  const struct code_function *function)
{
    if (context->doubt != NULL)
        return context->doubt;
    if (!function->unread)
        return NULL;
    return code_context_sentence(context, "line %u: %s", function->class.lines[CODE_USE_UNREAD],
                                 function->class.details[CODE_USE_UNREAD]);
}

static void describe_access(struct code_context *context, struct code_marks marks,
                            const char *unknown, struct code_param *param)
{
    const uint32_t changes = CODE_MARK_WRITE | CODE_MARK_ATOMIC | CODE_MARK_ESCAPE;
    if (param->kind != CODE_PARAM_BUFFER)
        return;
    if (unknown != NULL) {
        bool constant = param->space == CODE_SPACE_CONSTANT && context->doubt == NULL;
        param->access = constant ? CODE_ACCESS_READ : CODE_ACCESS_UNKNOWN;
        param->why = constant ? NULL : unknown;
        return;
    }
    param->unused = marks.marks == 0;
    param->writes_only = marks.marks == CODE_MARK_WRITE;
    param->atomic = (marks.marks & CODE_MARK_ATOMIC) != 0;
    param->escapes = (marks.marks & changes) == CODE_MARK_ESCAPE;
    param->access = CODE_ACCESS_READ;
    if ((marks.marks & changes) == 0 || param->space == CODE_SPACE_CONSTANT)
        return;
    param->access = CODE_ACCESS_READ_WRITE;
    param->why = code_context_sentence(context, "line %u: %s", marks.line,
                                       marks.reason != NULL ? marks.reason : "it is written");
}

void code_kernel_make(struct code_context *context, const struct code_function *function,
                      struct code_kernel *kernel)
{
    struct code_param *params =
        code_context_alloc(context, (function->parameter_count + (size_t)1) * sizeof *params);
    const char *unknown = unknown_reason(context, function);
    if (params == NULL)
        return;
    *kernel = (struct code_kernel){
        .name = code_names_text(&context->names, function->name),
        .line = function->place.line,
        .column = function->place.column,
        .param_count = function->parameter_count,
        .params = params,
        .has_required_group = function->required_group,
        .has_hinted_group = function->hinted_group,
        .group = {function->group[0], function->group[1], function->group[2]},
        .from_macro = (function->place.flags & CODE_TOKEN_MACRO) != 0,
        .body_token = function->body,
        .body_end_token = function->body_end,
        .class = function->class,
    };
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        const struct code_parameter *parameter = &function->parameters[i];
        params[i].name = code_names_text(&context->names, parameter->name);
        params[i].line = parameter->place.line;
        describe_type(context, parameter->type, &params[i]);
        describe_access(context, parameter->marks, unknown, &params[i]);
    }
    if (context->doubt != NULL)
        code_class_note(&kernel->class, CODE_USE_DOUBT, context->doubt_line, context->doubt);
    code_class_conclude(&kernel->class, context);
}
