/* Expressions, from `a, b` down to names; see parser.h. Operands come unloaded and are loaded where
 * a value is used. */
#include "code/builtin.h"
#include "code/parser.h"

static const struct code_operand unknown_operand = {.type = &code_type_unknown,
                                                    .form = CODE_OPERAND_VALUE};

static struct code_operand cast_parse(struct code_parser *parser);

static bool is_pointer(const struct code_operand *operand)
{
    return operand->type->form == CODE_FORM_POINTER;
}

/* An arithmetic value, of which at most the breadth is known. */
static struct code_operand value_operand(enum code_breadth breadth)
{
    struct code_operand value = code_operand_value(&code_type_int, 0);
    value.breadth = (uint8_t)breadth;
    return value;
}

static struct code_operand number_operand(void)
{
    return value_operand(CODE_BREADTH_SCALAR);
}

/* What an operation on both is. */
static enum code_breadth wider(const struct code_operand *a, const struct code_operand *b)
{
    enum code_breadth x = code_operand_breadth(a), y = code_operand_breadth(b);
    if (x == CODE_BREADTH_VECTOR || y == CODE_BREADTH_VECTOR)
        return CODE_BREADTH_VECTOR;
    return x == y ? x : CODE_BREADTH_UNKNOWN;
}

/* Does a type name begin here? Attributes are no type. */
static bool type_begins(const struct code_parser *parser)
{
    uint32_t word = code_parser_word(parser);
    return code_specifiers_begin(parser) && word != CODE_WORD___attribute__ &&
           word != CODE_WORD___attribute;
}

/* ---- primary ---- */

static struct code_operand variable_operand(struct code_parser *parser,
                                            const struct code_symbol *symbol)
{
    struct code_operand operand = {.type = symbol->type, .form = CODE_OPERAND_VARIABLE};
    operand.symbol = (uint32_t)((const struct code_symbol *)symbol -
                                (const struct code_symbol *)vec_at(&parser->symbols, 0));
    return operand;
}

static struct code_operand name_parse(struct code_parser *parser)
{
    const struct code_token *token = code_parser_peek(parser);
    const struct code_symbol *symbol = code_parser_lookup(parser, token->name);
    const char *text = code_token_text(parser->context, token);
    code_parser_advance(parser);
    if (code_parser_sees(parser, CODE_PUNCT_LPAREN) &&
        (symbol == NULL || symbol->kind == CODE_SYMBOL_FUNCTION))
        return code_call_parse(parser, token, symbol);
    if (symbol == NULL && code_builtin_is_constant(text))
        return number_operand();
    if (symbol != NULL && symbol->kind == CODE_SYMBOL_ENUMERATOR)
        return number_operand();
    if (symbol != NULL && symbol->kind == CODE_SYMBOL_VARIABLE)
        return variable_operand(parser, symbol);
    if (symbol != NULL && symbol->kind == CODE_SYMBOL_FUNCTION)
        code_parser_note(parser, CODE_USE_INDIRECT, text);
    else
        code_parser_fail(parser, "'%.64s' is not declared", text);
    return unknown_operand;
}

static struct code_operand primary_parse(struct code_parser *parser)
{
    const struct code_token *token = code_parser_peek(parser);
    struct code_operand operand;
    switch (token->kind) {
    case CODE_TOKEN_NUMBER:
    case CODE_TOKEN_CHAR:
        code_parser_advance(parser);
        return number_operand();
    case CODE_TOKEN_STRING:
        while (code_parser_peek(parser)->kind == CODE_TOKEN_STRING)
            code_parser_advance(parser);
        return code_operand_value(&code_type_literal, 0);
    case CODE_TOKEN_NAME:
        if (token->name >= CODE_WORD_KEYWORDS)
            return name_parse(parser);
        break;
    default:
        break;
    }
    if (!code_parser_accept(parser, CODE_PUNCT_LPAREN)) {
        code_parser_fail(parser, "'%.64s' cannot be read in an expression",
                         code_token_text(parser->context, token));
        return unknown_operand;
    }
    operand = code_expression_parse(parser);
    code_parser_expect(parser, CODE_PUNCT_RPAREN);
    return operand;
}

/* ---- postfix ---- */

/* An element or some components of what may be memory, a variable, or a value. */
static struct code_operand part_of(struct code_operand whole, const struct code_type *type)
{
    struct code_operand part = whole;
    part.type = type;
    if (whole.form == CODE_OPERAND_MEMORY) {
        part.quals = (uint8_t)(whole.quals | type->quals);
        return part;
    }
    part.node = 0;
    part.form = whole.form == CODE_OPERAND_VALUE ? CODE_OPERAND_VALUE : CODE_OPERAND_PART;
    return part;
}

static struct code_operand subscript(struct code_parser *parser, struct code_operand base,
                                     struct code_operand index)
{
    bool vector = base.type->form == CODE_FORM_VALUE && base.type->width != 1;
    index = code_operand_load(parser, index);
    if (vector && !is_pointer(&index))
        return part_of(base,
                       code_type_value(parser->context, (enum code_scalar)base.type->scalar, 1));
    base = code_operand_load(parser, base);
    if (is_pointer(&index) && !is_pointer(&base)) { /* 3[p] */
        struct code_operand swap = base;
        base = index;
        index = swap;
    }
    code_operand_escape(parser, index, "its address is used as an index");
    return code_operand_dereference(parser, base);
}

/* Components of a vector; also of an arithmetic result, which may be one. */
static struct code_operand swizzle(struct code_parser *parser, struct code_operand base,
                                   const struct code_token *name)
{
    bool known = base.type != &code_type_int;
    uint8_t picked[16];
    uint32_t width = known ? base.type->width : 0;
    const char *text = code_token_text(parser->context, name);
    uint32_t count = code_watch_components(text, width, picked);
    const struct code_type *type = base.type;
    if (known)
        type = code_type_value(parser->context, (enum code_scalar)type->scalar, count);
    code_watch_swizzle(parser->watch, parser->at - 1, width, base.part);
    struct code_operand part = part_of(base, type);
    part.part = parser->at;
    part.breadth = count == 1 ? CODE_BREADTH_SCALAR : CODE_BREADTH_VECTOR;
    return part;
}

/* `.name` of a struct, `.xyz` of a vector. */
static struct code_operand member(struct code_parser *parser, struct code_operand base)
{
    const struct code_token *name = code_parser_peek(parser);
    const struct code_type *type = &code_type_unknown;
    if (name->kind != CODE_TOKEN_NAME) {
        code_parser_fail(parser, "a member's name is missing");
        return unknown_operand;
    }
    code_parser_advance(parser);
    if (base.type->form == CODE_FORM_RECORD)
        type = code_type_member(base.type, name->name);
    else if (base.type->form == CODE_FORM_VALUE &&
             (base.type->width != 1 || base.type == &code_type_int))
        return swizzle(parser, base, name);
    else if (base.type->form == CODE_FORM_UNKNOWN)
        code_watch_refuse(parser->watch, parser->at - 1,
                          "a member of something whose type is not known");
    else
        code_parser_fail(parser, "'%.64s' is a member of something that has none",
                         code_token_text(parser->context, name));
    base.part = 0;
    return part_of(base, type);
}

static struct code_operand increment(struct code_parser *parser, struct code_operand target)
{
    struct code_operand value = code_operand_load(parser, target);
    struct code_operand changed = value;
    changed.node = 0; /* the class stays the same */
    code_operand_store(parser, target, changed);
    return value;
}

static struct code_operand postfix_parse(struct code_parser *parser, struct code_operand operand)
{
    for (;;) {
        if (code_parser_accept(parser, CODE_PUNCT_LBRACKET)) {
            struct code_operand index = code_expression_parse(parser);
            code_parser_expect(parser, CODE_PUNCT_RBRACKET);
            operand = subscript(parser, operand, index);
        } else if (code_parser_accept(parser, CODE_PUNCT_DOT)) {
            operand = member(parser, operand);
        } else if (code_parser_accept(parser, CODE_PUNCT_ARROW)) {
            operand = code_operand_dereference(parser, code_operand_load(parser, operand));
            operand = member(parser, operand);
        } else if (code_parser_accept(parser, CODE_PUNCT_INC) ||
                   code_parser_accept(parser, CODE_PUNCT_DEC)) {
            operand = increment(parser, operand);
        } else if (code_parser_sees(parser, CODE_PUNCT_LPAREN)) {
            operand = code_call_indirect(parser, operand);
        } else {
            return operand;
        }
    }
}

/* ---- unary ---- */

static struct code_operand size_parse(struct code_parser *parser)
{
    uint32_t begin = parser->at;
    bool step = code_parser_word(parser) == CODE_WORD_vec_step;
    code_parser_advance(parser);
    parser->unevaluated++;
    if (code_parser_sees(parser, CODE_PUNCT_LPAREN)) {
        code_parser_advance(parser);
        bool type = type_begins(parser);
        parser->at--;
        if (type) {
            code_parser_advance(parser);
            code_type_name_parse(parser);
            code_parser_expect(parser, CODE_PUNCT_RPAREN);
            if (step)
                code_watch_step(parser->watch, begin, parser->at);
        } else {
            cast_parse(parser);
            if (step)
                code_watch_replace(parser->watch, begin, "(int)sizeof(fcl::steps_of");
            if (step && code_parser_ok(parser))
                code_watch_behind(parser->watch, parser->at - 1, ")");
        }
    } else {
        cast_parse(parser);
    }
    parser->unevaluated--;
    return number_operand();
}

static struct code_operand unary_parse(struct code_parser *parser)
{
    struct code_operand operand;
    switch (code_parser_peek(parser)->punct) {
    case CODE_PUNCT_INC:
    case CODE_PUNCT_DEC:
        code_parser_advance(parser);
        return increment(parser, cast_parse(parser));
    case CODE_PUNCT_AMP:
        code_parser_advance(parser);
        return code_operand_address(parser, cast_parse(parser));
    case CODE_PUNCT_STAR:
        code_parser_advance(parser);
        return code_operand_dereference(parser, code_operand_load(parser, cast_parse(parser)));
    case CODE_PUNCT_NOT:
        code_parser_advance(parser);
        operand = code_operand_load(parser, cast_parse(parser));
        return value_operand(code_operand_breadth(&operand));
    case CODE_PUNCT_PLUS:
    case CODE_PUNCT_MINUS:
    case CODE_PUNCT_TILDE:
        code_parser_advance(parser);
        operand = code_operand_load(parser, cast_parse(parser));
        code_operand_escape(parser, operand, "its address is computed with");
        if (operand.type == &code_type_int)
            return value_operand(code_operand_breadth(&operand));
        return code_operand_value(is_pointer(&operand) ? &code_type_int : operand.type, 0);
    default:
        break;
    }
    switch (code_parser_word(parser)) {
    case CODE_WORD_sizeof:
    case CODE_WORD__Alignof:
    case CODE_WORD___alignof:
    case CODE_WORD___alignof__:
    case CODE_WORD_vec_step:
        return size_parse(parser);
    case CODE_WORD___extension__:
        code_parser_advance(parser);
        return cast_parse(parser);
    default:
        return postfix_parse(parser, primary_parse(parser));
    }
}

/* What a loaded value becomes under `(type)`. */
static struct code_operand converted(struct code_parser *parser, const struct code_type *type,
                                     struct code_operand value)
{
    if (type->form == CODE_FORM_POINTER)
        return code_operand_value(type, value.node);
    if (type->form != CODE_FORM_VOID)
        code_operand_escape(parser, value, "its address is converted to a number");
    return code_operand_value(type, 0);
}

/* `(type){ values }`, behind the parenthesis: like a variable that is set. */
static struct code_operand literal_parse(struct code_parser *parser, const struct code_type *type)
{
    struct code_operand part = {.type = type, .form = CODE_OPERAND_PART};
    code_initializer_parse(parser, part);
    return postfix_parse(parser, part);
}

/* `(type) expression`, or something else. */
static struct code_operand cast_parse(struct code_parser *parser)
{
    struct code_operand operand = unknown_operand;
    if (!code_parser_enter(parser)) {
        code_parser_leave(parser);
        return operand;
    }
    bool cast = false;
    uint32_t open = parser->at;
    if (code_parser_sees(parser, CODE_PUNCT_LPAREN)) {
        code_parser_advance(parser);
        cast = type_begins(parser);
        parser->at -= !cast;
    }
    if (cast) {
        const struct code_type *type = code_type_name_parse(parser);
        code_parser_expect(parser, CODE_PUNCT_RPAREN);
        if (code_parser_ok(parser))
            code_watch_cast(parser, open, parser->at - 1, type);
        if (code_parser_sees(parser, CODE_PUNCT_LBRACE))
            operand = literal_parse(parser, type);
        else
            operand = converted(parser, type, code_operand_load(parser, cast_parse(parser)));
    } else {
        operand = unary_parse(parser);
    }
    code_parser_leave(parser);
    return operand;
}

/* ---- binary ---- */

/* p + n and n + p stay in the class; p - q makes both one, since q + (p - q) is p. */
static struct code_operand sum(struct code_parser *parser, bool minus, struct code_operand a,
                               struct code_operand b)
{
    bool unknown = a.type->form == CODE_FORM_UNKNOWN || b.type->form == CODE_FORM_UNKNOWN;
    uint32_t node = code_flow_join(&parser->flow, a.node, b.node);
    if (unknown)
        return code_operand_value(&code_type_unknown, node);
    if (is_pointer(&a) && is_pointer(&b)) {
        if (!minus)
            code_operand_escape(parser, a, "its address is computed with");
        return number_operand();
    }
    if (is_pointer(&a) || is_pointer(&b))
        return code_operand_value(is_pointer(&a) ? a.type : b.type, node);
    if (a.type->form != CODE_FORM_VALUE || b.type->form != CODE_FORM_VALUE)
        return code_operand_value(&code_type_unknown, node);
    return value_operand(wider(&a, &b));
}

static struct code_operand combined(struct code_parser *parser, uint8_t punct,
                                    struct code_operand a, struct code_operand b)
{
    int level = code_punct_precedence(punct);
    if (level == 9)
        return sum(parser, punct == CODE_PUNCT_MINUS, a, b);
    bool compares = level == 7 || level == 6 || level <= 2;
    if (!compares) {
        code_operand_escape(parser, a, "its address is computed with");
        code_operand_escape(parser, b, "its address is computed with");
    }
    if (a.type->form == CODE_FORM_UNKNOWN || b.type->form == CODE_FORM_UNKNOWN)
        return code_operand_value(&code_type_unknown, 0);
    return value_operand(wider(&a, &b));
}

static struct code_operand binary_parse(struct code_parser *parser, int least)
{
    struct code_operand left = cast_parse(parser);
    for (;;) {
        uint8_t punct = code_parser_peek(parser)->punct;
        int level = code_punct_precedence(punct);
        if (level == 0 || level < least)
            return left;
        code_parser_advance(parser);
        left = code_operand_load(parser, left);
        struct code_operand right = code_operand_load(parser, binary_parse(parser, level + 1));
        left = combined(parser, punct, left, right);
    }
}

/* `a ? b : c`: the value may be either, so both are one class. */
static struct code_operand choice(struct code_parser *parser, struct code_operand a,
                                  struct code_operand b)
{
    uint32_t node = code_flow_join(&parser->flow, a.node, b.node);
    const struct code_type *type = is_pointer(&a) ? a.type : b.type;
    if (!is_pointer(&a) && !is_pointer(&b) && a.type->form == CODE_FORM_UNKNOWN)
        type = a.type;
    struct code_operand value = code_operand_value(type, node);
    value.breadth = (uint8_t)wider(&a, &b);
    return value;
}

static bool is_narrow(const struct code_operand *operand)
{
    const struct code_type *type = operand->type;
    return type->form == CODE_FORM_VALUE && type->width == 1 && type->scalar >= CODE_SCALAR_CHAR &&
           type->scalar <= CODE_SCALAR_USHORT;
}

struct code_operand code_conditional_parse(struct code_parser *parser)
{
    struct code_operand operand = unknown_operand;
    if (code_parser_enter(parser)) {
        uint32_t places[3] = {parser->at, 0, 0};
        operand = binary_parse(parser, 1);
        places[1] = parser->at;
        if (code_parser_accept(parser, CODE_PUNCT_QUESTION)) {
            struct code_operand first = code_operand_load(parser, operand);
            enum code_breadth breadth = code_operand_breadth(&first);
            if (!code_parser_sees(parser, CODE_PUNCT_COLON)) /* `a ?: b` is GNU's a ? a : b */
                first = code_operand_load(parser, code_expression_parse(parser));
            places[2] = parser->at;
            code_parser_expect(parser, CODE_PUNCT_COLON);
            struct code_operand second = code_operand_load(parser, code_conditional_parse(parser));
            operand = choice(parser, first, second);
            if (breadth != CODE_BREADTH_SCALAR && code_parser_ok(parser))
                code_watch_choice(parser->watch, places, parser->at);
            else if (is_narrow(&first) && is_narrow(&second) && code_parser_ok(parser))
                code_watch_promote(parser->watch, places[0], parser->at);
            if (breadth == CODE_BREADTH_VECTOR && operand.type == &code_type_int)
                operand.breadth = CODE_BREADTH_VECTOR;
        }
    }
    code_parser_leave(parser);
    return operand;
}

/* ---- assignment and comma ---- */

static bool is_compound(uint8_t punct)
{
    switch (punct) {
    case CODE_PUNCT_MUL_ASSIGN:
    case CODE_PUNCT_DIV_ASSIGN:
    case CODE_PUNCT_MOD_ASSIGN:
    case CODE_PUNCT_ADD_ASSIGN:
    case CODE_PUNCT_SUB_ASSIGN:
    case CODE_PUNCT_SHL_ASSIGN:
    case CODE_PUNCT_SHR_ASSIGN:
    case CODE_PUNCT_AND_ASSIGN:
    case CODE_PUNCT_XOR_ASSIGN:
    case CODE_PUNCT_OR_ASSIGN:
        return true;
    default:
        return false;
    }
}

struct code_operand code_assignment_parse(struct code_parser *parser)
{
    struct code_operand target = unknown_operand;
    if (code_parser_enter(parser)) {
        target = code_conditional_parse(parser);
        uint8_t punct = code_parser_peek(parser)->punct;
        if (punct == CODE_PUNCT_ASSIGN || is_compound(punct)) {
            code_parser_advance(parser);
            uint32_t begin = parser->at;
            struct code_operand value = code_operand_load(parser, code_assignment_parse(parser));
            struct code_operand old = target;
            if (punct == CODE_PUNCT_ASSIGN && code_parser_ok(parser))
                code_watch_convert(parser->watch, target.type, value.type, begin, parser->at);
            if (punct != CODE_PUNCT_ASSIGN)
                old = code_operand_load(parser, target);
            code_operand_store(parser, target, value);
            bool pointer = target.type->form == CODE_FORM_POINTER;
            uint32_t node = pointer && punct != CODE_PUNCT_ASSIGN ? old.node : value.node;
            target = code_operand_value(target.type, pointer ? node : 0);
        }
    }
    code_parser_leave(parser);
    return target;
}

struct code_operand code_expression_parse(struct code_parser *parser)
{
    struct code_operand operand = code_assignment_parse(parser);
    while (code_parser_accept(parser, CODE_PUNCT_COMMA)) {
        code_operand_load(parser, operand);
        operand = code_operand_load(parser, code_assignment_parse(parser));
    }
    return operand;
}
