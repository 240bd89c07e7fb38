/* Calls: what a function does to the pointers it is given; see parser.h and builtin.h.
 *
 * A function of the text has been read before its callers (function.c), so its effect is known per
 * parameter.
 */
#include <string.h>
#include "code/builtin.h"
#include "code/parser.h"

/* Loaded arguments of one call: a window on parser->arguments. */
struct window {
    size_t base;
    size_t count;
};

static struct code_operand argument(const struct code_parser *parser, struct window window,
                                    size_t index)
{
    if (index < window.count)
        return *(struct code_operand *)vec_at(&parser->arguments, window.base + index);
    return code_operand_value(&code_type_unknown, 0);
}

/* `( a , b )` */
static struct window arguments_parse(struct code_parser *parser)
{
    struct window window = {parser->arguments.count, 0};
    code_parser_expect(parser, CODE_PUNCT_LPAREN);
    if (!code_parser_sees(parser, CODE_PUNCT_RPAREN)) {
        do {
            struct code_operand value = code_operand_load(parser, code_assignment_parse(parser));
            code_context_push(parser->context, &parser->arguments, &value);
        } while (code_parser_accept(parser, CODE_PUNCT_COMMA));
    }
    code_parser_expect(parser, CODE_PUNCT_RPAREN);
    window.count = parser->arguments.count - window.base;
    return window;
}

static void arguments_drop(struct code_parser *parser, struct window window)
{
    parser->arguments.count = window.base;
}

static void escape_all(struct code_parser *parser, struct window window, const char *reason)
{
    for (size_t i = 0; i < window.count; i++)
        code_operand_escape(parser, argument(parser, window, i), reason);
}

/* ---- functions of the text ---- */

/* Prototype only: what is behind pointers to const counts as read. */
static void call_external(struct code_parser *parser, const struct code_function *function,
                          struct window window, const char *text)
{
    const char *reason =
        code_context_sentence(parser->context, "it is passed to %.64s, which is elsewhere", text);
    for (size_t i = 0; i < window.count; i++) {
        const struct code_type *type =
            i < function->parameter_count ? function->parameters[i].type : &code_type_unknown;
        bool reads = type->form == CODE_FORM_POINTER &&
                     (code_type_element(type->next)->quals & CODE_QUALIFIER_CONST) != 0 &&
                     type->next->form != CODE_FORM_POINTER;
        if (reads)
            code_operand_mark(parser, argument(parser, window, i), CODE_MARK_READ, NULL);
        else
            code_operand_escape(parser, argument(parser, window, i), reason);
    }
    code_parser_note(parser, CODE_USE_EXTERNAL, text);
}

/* Does to the arguments what the body does to the parameters. Where the body joined two of them,
 * both have the marks of the class; the arguments themselves stay two, for the body changed copies
 * of them. */
static void call_known(struct code_parser *parser, const struct code_function *function,
                       struct window window)
{
    for (size_t i = 0; i < window.count; i++) {
        struct code_operand value = argument(parser, window, i);
        const struct code_parameter *parameter =
            i < function->parameter_count ? &function->parameters[i] : NULL;
        if (value.node == 0)
            continue;
        if (parameter == NULL || parameter->type->form != CODE_FORM_POINTER) {
            code_operand_escape(parser, value, "it is passed where no pointer is expected");
            continue;
        }
        code_operand_mark(parser, value, parameter->marks.marks, parameter->marks.reason);
    }
    if (parser->current != NULL && parser->unevaluated == 0)
        code_class_merge(&parser->current->class, &function->class);
}

/* Node of the result of a known function. */
static uint32_t result_node(struct code_parser *parser, const struct code_function *function,
                            struct window window)
{
    uint32_t node = 0;
    for (size_t i = 0; i < window.count && i < function->parameter_count; i++)
        if (function->result_group != UINT32_MAX &&
            function->parameters[i].group == function->result_group)
            node = code_flow_join(&parser->flow, node, argument(parser, window, i).node);
    return node;
}

/* One function, or all of one name (clang's overloadable) that take as many arguments. */
static struct code_operand call_function(struct code_parser *parser,
                                         const struct code_function *first, struct window window,
                                         const char *text)
{
    struct code_operand result = code_operand_value(&code_type_unknown, 0);
    uint32_t matches = 0;
    uint32_t looked = 0;
    for (const struct code_function *f = first; f != NULL; f = f->overload) {
        if (++looked > LIMITS_CODE_OVERLOADS) {
            matches = 0;
            break;
        }
        if (f->parameter_count != window.count)
            continue;
        result.type = matches++ == 0 ? f->result : &code_type_unknown;
        if (!f->defined) {
            call_external(parser, f, window, text);
        } else if (f->state != CODE_FUNCTION_DONE) {
            escape_all(parser, window, "it is passed to a function that calls itself");
            code_parser_note(parser, CODE_USE_RECURSION, text);
        } else {
            call_known(parser, f, window);
            result.node =
                code_flow_join(&parser->flow, result.node, result_node(parser, f, window));
        }
    }
    if (matches == 0) {
        escape_all(parser, window, "it is passed to a function that does not take it");
        code_parser_note(parser, CODE_USE_EXTERNAL, text);
    }
    return result;
}

/* ---- functions of the language ---- */

/* Is the value of the call that began at token `begin` thrown away? */
static bool result_unused(const struct code_parser *parser, uint32_t begin)
{
    return begin == parser->statement && code_parser_sees(parser, CODE_PUNCT_SEMICOLON);
}

static void call_atomic(struct code_parser *parser, struct window window, uint32_t begin,
                        const char *text)
{
    struct code_operand target = argument(parser, window, 0);
    bool local = target.type->form == CODE_FORM_POINTER &&
                 code_type_pointee_space(target.type) == CODE_SPACE_LOCAL;
    code_operand_mark(parser, target, CODE_MARK_READ | CODE_MARK_WRITE | CODE_MARK_ATOMIC,
                      "an atomic changes it");
    escape_all(parser, (struct window){window.base + 1, window.count > 0 ? window.count - 1 : 0},
               "its address is passed to an atomic");
    if (local)
        code_parser_note(parser, CODE_USE_LOCAL_ATOMIC, text);
    else
        code_parser_note(parser, CODE_USE_GLOBAL_ATOMIC, text);
    if (!local && !result_unused(parser, begin))
        code_parser_note(parser, CODE_USE_GLOBAL_ATOMIC_RESULT, text);
}

/* Does a fence or a barrier order local memory only? Tokens [begin, at) are the call. */
static bool fence_is_local(const struct code_parser *parser, uint32_t begin)
{
    static const char wanted[] = "CLK_LOCAL_MEM_FENCE";
    uint32_t local = code_names_find(&parser->context->names, wanted);
    for (uint32_t i = begin + 1; i < parser->at; i++)
        if (parser->tokens[i].kind == CODE_TOKEN_NUMBER ||
            (parser->tokens[i].kind == CODE_TOKEN_NAME && parser->tokens[i].name != local))
            return false;
    return true;
}

/* `name ( 0 )` asks for one dimension, anything else for any of them. */
static void call_note_dims(struct code_parser *parser, uint32_t begin)
{
    uint8_t dims = 7;
    if (parser->at == begin + 4 && parser->tokens[begin + 2].kind == CODE_TOKEN_NUMBER) {
        const char *digit = code_token_text(parser->context, &parser->tokens[begin + 2]);
        if (digit[0] >= '0' && digit[0] <= '2' && digit[1] == '\0')
            dims = (uint8_t)(1u << (digit[0] - '0'));
    }
    if (parser->current != NULL && parser->unevaluated == 0 && code_parser_ok(parser))
        parser->current->class.size_dims |= dims;
}

/* Effects that touch no memory of the caller's. */
static void call_note(struct code_parser *parser, enum code_effect effect, uint32_t begin,
                      const char *text)
{
    switch (effect) {
    case CODE_EFFECT_BARRIER:
        code_parser_note(parser, CODE_USE_BARRIER, NULL);
        break;
    case CODE_EFFECT_FENCE:
        if (!fence_is_local(parser, begin))
            code_parser_note(parser, CODE_USE_FENCE, text);
        break;
    case CODE_EFFECT_GROUP_ID:
        code_parser_note(parser, CODE_USE_GROUP_ID, NULL);
        break;
    case CODE_EFFECT_NUM_GROUPS:
        code_parser_note(parser, CODE_USE_NUM_GROUPS, NULL);
        call_note_dims(parser, begin);
        break;
    case CODE_EFFECT_GLOBAL_SIZE:
        code_parser_note(parser, CODE_USE_GLOBAL_SIZE, NULL);
        call_note_dims(parser, begin);
        break;
    case CODE_EFFECT_GLOBAL_OFFSET:
        code_parser_note(parser, CODE_USE_GLOBAL_OFFSET, NULL);
        break;
    case CODE_EFFECT_PRINTF:
        code_parser_note(parser, CODE_USE_PRINTF, NULL);
        break;
    case CODE_EFFECT_IMAGE:
        code_parser_note(parser, CODE_USE_IMAGE, text);
        break;
    case CODE_EFFECT_ASYNC:
    case CODE_EFFECT_WAIT:
        code_parser_note(parser, CODE_USE_ASYNC_COPY, NULL);
        break;
    case CODE_EFFECT_UNKNOWN:
        code_parser_note(parser, CODE_USE_EXTERNAL, text);
        break;
    default:
        break;
    }
}

/* Of scalars come scalars, but by names that say a type or a width. */
static enum code_breadth result_breadth(const struct code_parser *parser, const char *text,
                                        struct window window)
{
    static const char *const others[] = {"as_", "convert_", "vload", "shuffle"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(text, others[i], strlen(others[i])) == 0)
            return CODE_BREADTH_UNKNOWN;
    static const char *const reducers[] = {"all",           "any",         "distance", "dot",
                                           "fast_distance", "fast_length", "length"};
    for (size_t i = 0; i < sizeof reducers / sizeof *reducers; i++)
        if (strcmp(text, reducers[i]) == 0)
            return CODE_BREADTH_SCALAR;
    for (size_t i = 0; i < window.count; i++) {
        struct code_operand value = argument(parser, window, i);
        if (code_operand_breadth(&value) != CODE_BREADTH_SCALAR)
            return CODE_BREADTH_UNKNOWN;
    }
    return CODE_BREADTH_SCALAR;
}

static struct code_operand call_builtin(struct code_parser *parser, const char *text,
                                        struct window window, uint32_t begin)
{
    struct code_builtin builtin = code_builtin_find(text);
    uint32_t marks[2] = {0, 0};
    uint32_t which[2] = {builtin.pointer, builtin.pointer};
    switch (builtin.effect) {
    case CODE_EFFECT_LOAD:
        marks[0] = CODE_MARK_READ;
        break;
    case CODE_EFFECT_STORE:
        marks[0] = CODE_MARK_WRITE;
        break;
    case CODE_EFFECT_ASYNC:
        which[0] = 0;
        which[1] = 1;
        marks[0] = CODE_MARK_WRITE;
        marks[1] = CODE_MARK_READ;
        break;
    case CODE_EFFECT_PREFETCH:
        return code_operand_value(&code_type_void, 0);
    case CODE_EFFECT_ATOMIC:
        call_atomic(parser, window, begin, text);
        struct code_operand old = code_operand_value(&code_type_int, 0);
        old.breadth = CODE_BREADTH_SCALAR;
        return old;
    default:
        break;
    }
    const char *reason = code_context_sentence(parser->context, "it is passed to %.64s", text);
    for (uint32_t i = 0; i < window.count; i++) {
        bool known = (marks[0] != 0 && i == which[0]) || (marks[1] != 0 && i == which[1]);
        uint32_t mark = known && i == which[0] ? marks[0] : marks[1];
        struct code_operand value = argument(parser, window, i);
        if (known)
            code_operand_mark(parser, value, mark, "it is written");
        else
            code_operand_escape(parser, value, reason);
        bool volatile_global =
            known && value.type->form == CODE_FORM_POINTER &&
            code_type_pointee_space(value.type) == CODE_SPACE_GLOBAL &&
            (code_type_element(value.type->next)->quals & CODE_QUALIFIER_VOLATILE) != 0;
        if (volatile_global)
            code_parser_note(parser, CODE_USE_VOLATILE_GLOBAL, NULL);
    }
    call_note(parser, builtin.effect, begin, text);
    bool unknown = builtin.effect == CODE_EFFECT_UNKNOWN;
    struct code_operand value =
        code_operand_value(unknown ? &code_type_unknown : &code_type_int, 0);
    value.breadth = (uint8_t)result_breadth(parser, text, window);
    return value;
}

struct code_operand code_call_parse(struct code_parser *parser, const struct code_token *name,
                                    const struct code_symbol *symbol)
{
    const struct code_function *function = symbol != NULL ? symbol->function : NULL;
    const char *text = code_token_text(parser->context, name);
    uint32_t begin = parser->at - 1;
    struct window window = arguments_parse(parser);
    struct code_operand result;
    if (code_parser_ok(parser))
        code_watch_call(parser, begin, parser->at, function);
    enum code_effect effect =
        function != NULL ? CODE_EFFECT_UNKNOWN : code_builtin_find(text).effect;
    parser->effects += effect != CODE_EFFECT_NONE && effect != CODE_EFFECT_LOAD;
    if (function != NULL)
        result = call_function(parser, function, window, text);
    else
        result = call_builtin(parser, text, window, begin);
    arguments_drop(parser, window);
    return result;
}

struct code_operand code_call_indirect(struct code_parser *parser, struct code_operand callee)
{
    code_operand_load(parser, callee);
    struct window window = arguments_parse(parser);
    parser->effects++;
    escape_all(parser, window, "it is passed to a function that is not known");
    code_parser_note(parser, CODE_USE_INDIRECT, NULL);
    arguments_drop(parser, window);
    return code_operand_value(&code_type_unknown, 0);
}
