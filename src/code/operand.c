/* What expressions stand for: loads, stores, pointers that leave. The rules of access.h at work.
 *
 * Keeps true: a pointer value loses its node only where it is compared, where its class is marked
 * ESCAPE, or inside sizeof; so memory that is changed through a value without a node belongs to a
 * class that is marked already.
 */
#include "code/parser.h"

struct code_operand code_operand_value(const struct code_type *type, uint32_t node)
{
    return (struct code_operand){.type = type, .node = node, .form = CODE_OPERAND_VALUE};
}

enum code_breadth code_operand_breadth(const struct code_operand *operand)
{
    const struct code_type *type = operand->type;
    if (type->form == CODE_FORM_POINTER || type->form == CODE_FORM_ARRAY)
        return CODE_BREADTH_SCALAR;
    if (type->form != CODE_FORM_VALUE || type == &code_type_int)
        return (enum code_breadth)operand->breadth;
    return type->width == 1 ? CODE_BREADTH_SCALAR : CODE_BREADTH_VECTOR;
}

uint32_t code_variable_node(struct code_parser *parser, const struct code_type *type)
{
    bool holds = type->form == CODE_FORM_POINTER || type->form == CODE_FORM_UNKNOWN;
    return holds ? code_flow_add(&parser->flow) : 0;
}

static void mark(struct code_parser *parser, uint32_t node, uint32_t marks, const char *reason)
{
    uint32_t at = parser->at > 0 ? parser->at - 1 : 0;
    if (parser->unevaluated == 0 && code_parser_ok(parser))
        code_flow_mark(&parser->flow, node,
                       (struct code_marks){marks, parser->tokens[at].line, reason});
}

void code_operand_mark(struct code_parser *parser, struct code_operand pointer, uint32_t marks,
                       const char *reason)
{
    mark(parser, pointer.node, marks, reason);
}

void code_operand_escape(struct code_parser *parser, struct code_operand value, const char *reason)
{
    mark(parser, value.node, CODE_MARK_ESCAPE, reason);
}

/* Notes what an access of this memory says about the function. */
static void touch(struct code_parser *parser, struct code_operand memory)
{
    bool global = memory.space == CODE_SPACE_GLOBAL;
    uint32_t quals = (uint32_t)memory.quals | memory.type->quals;
    if (global && (quals & CODE_QUALIFIER_VOLATILE) != 0)
        code_parser_note(parser, CODE_USE_VOLATILE_GLOBAL, NULL);
    if (memory.type->form == CODE_FORM_VALUE && memory.type->scalar == CODE_SCALAR_HALF)
        code_parser_note(parser, CODE_USE_FP16, NULL);
    if (memory.type->form == CODE_FORM_VALUE && memory.type->scalar == CODE_SCALAR_DOUBLE)
        code_parser_note(parser, CODE_USE_FP64, NULL);
}

/* The pointer that an array becomes. */
static struct code_operand decay(struct code_parser *parser, struct code_operand array)
{
    const struct code_type *element = array.type->next;
    uint32_t node = array.form == CODE_OPERAND_VARIABLE
                        ? code_parser_symbol(parser, array.symbol)->node
                        : array.node;
    if (array.form == CODE_OPERAND_MEMORY)
        element =
            code_type_with(parser->context, element, array.quals, (enum code_space)array.space, 0);
    return code_operand_value(code_type_over(parser->context, CODE_FORM_POINTER, element), node);
}

struct code_operand code_operand_load(struct code_parser *parser, struct code_operand operand)
{
    if (operand.type->form == CODE_FORM_ARRAY)
        return decay(parser, operand);
    if (operand.form == CODE_OPERAND_VALUE)
        return operand;
    struct code_operand value = code_operand_value(operand.type, 0);
    value.breadth = operand.breadth;
    if (operand.form == CODE_OPERAND_VARIABLE) {
        value.node = code_parser_symbol(parser, operand.symbol)->node;
    } else if (operand.form == CODE_OPERAND_MEMORY) {
        touch(parser, operand);
        mark(parser, operand.node, CODE_MARK_READ, NULL);
        if (operand.type->form == CODE_FORM_UNKNOWN)
            mark(parser, operand.node, CODE_MARK_ESCAPE, "something of an unknown type is read");
        parser->global_reads += operand.space == CODE_SPACE_GLOBAL;
    }
    return value;
}

void code_operand_store(struct code_parser *parser, struct code_operand target,
                        struct code_operand value)
{
    parser->effects++;
    code_watch_stored(parser->watch, target.part);
    if (target.form == CODE_OPERAND_VARIABLE) {
        struct code_symbol *symbol = code_parser_symbol(parser, target.symbol);
        if (symbol->type->form == CODE_FORM_POINTER && symbol->depth > 0)
            symbol->node = code_flow_join(&parser->flow, symbol->node, value.node);
        else
            code_operand_escape(parser, value,
                                "its address is kept in something that is no pointer");
        return;
    }
    if (target.form == CODE_OPERAND_MEMORY) {
        touch(parser, target);
        mark(parser, target.node, CODE_MARK_WRITE, "it is written");
    } else if (target.form == CODE_OPERAND_VALUE) {
        code_parser_fail(parser, "something is assigned to that is no variable");
    }
    code_operand_escape(parser, value, "its address is stored in memory or in a struct");
}

struct code_operand code_operand_dereference(struct code_parser *parser,
                                             struct code_operand pointer)
{
    struct code_operand memory = {.form = CODE_OPERAND_MEMORY, .node = pointer.node};
    if (pointer.type->form == CODE_FORM_POINTER) {
        memory.type = pointer.type->next;
        memory.space = (uint8_t)code_type_pointee_space(pointer.type);
        memory.quals = code_type_element(pointer.type->next)->quals;
        return memory;
    }
    memory.type = &code_type_unknown;
    if (pointer.type->form != CODE_FORM_UNKNOWN)
        code_parser_fail(parser, "something is followed that is no pointer");
    return memory;
}

struct code_operand code_operand_address(struct code_parser *parser, struct code_operand operand)
{
    const struct code_type *type = operand.type;
    uint32_t node = operand.form == CODE_OPERAND_MEMORY ? operand.node : 0;
    code_watch_stored(parser->watch, operand.part);
    if (operand.form == CODE_OPERAND_VARIABLE) {
        const struct code_symbol *symbol = code_parser_symbol(parser, operand.symbol);
        if (type->form == CODE_FORM_ARRAY)
            node = symbol->node;
        else
            mark(parser, symbol->node, CODE_MARK_ESCAPE, "the address of a pointer to it is taken");
    } else if (operand.form == CODE_OPERAND_PART && type->form == CODE_FORM_ARRAY) {
        node = operand.node;
    } else if (operand.form == CODE_OPERAND_MEMORY) {
        type =
            code_type_with(parser->context, type, operand.quals, (enum code_space)operand.space, 0);
    } else if (operand.form == CODE_OPERAND_VALUE) {
        code_parser_fail(parser, "the address of something is taken that is no variable");
    }
    return code_operand_value(code_type_over(parser->context, CODE_FORM_POINTER, type), node);
}
