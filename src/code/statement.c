/* Statements, local declarations and initializers: the frame around expressions. See parser.h.
 *
 * Since the order of statements plays no role for access.h, control flow is read only to find where
 * it ends; the one exception is a loop that waits for global memory to change.
 */
#include "code/parser.h"

static void statement_parse(struct code_parser *parser);

/* ---- initializers ---- */

/* `.x =`, `[3] =` or `x:` before an element. */
static void designators_parse(struct code_parser *parser)
{
    bool any = false;
    for (;;) {
        if (code_parser_accept(parser, CODE_PUNCT_DOT)) {
            code_parser_advance(parser);
        } else if (code_parser_accept(parser, CODE_PUNCT_LBRACKET)) {
            code_watch_refuse(parser->watch, parser->at - 1,
                              "[index] = in initialisers is not translated for this device");
            code_conditional_parse(parser);
            if (code_parser_accept(parser, CODE_PUNCT_ELLIPSIS))
                code_conditional_parse(parser);
            code_parser_expect(parser, CODE_PUNCT_RBRACKET);
        } else {
            break;
        }
        any = true;
    }
    if (any) {
        code_parser_accept(parser, CODE_PUNCT_ASSIGN);
    } else if (code_parser_peek(parser)->kind == CODE_TOKEN_NAME &&
               code_token_is(code_parser_peek_next(parser), CODE_PUNCT_COLON)) {
        code_parser_advance(parser);
        code_parser_advance(parser);
    }
}

static void shaped_parse(struct code_parser *parser, struct code_operand target,
                         const struct code_type *shape);

/* What the value that comes next is for: an element, or a member of a struct; *index is its number,
 * unless a `.name =` tells. */
static const struct code_type *inner_shape(const struct code_parser *parser,
                                           const struct code_type *shape, uint32_t *index)
{
    const struct code_record *record = shape->record;
    uint32_t i = *index;
    if (shape->form == CODE_FORM_ARRAY)
        return shape->next;
    if (shape->form != CODE_FORM_RECORD || record == NULL || !record->complete)
        return &code_type_unknown;
    if (code_parser_sees(parser, CODE_PUNCT_DOT))
        for (i = 0; i < record->member_count &&
                    record->members[i].name != code_parser_peek_next(parser)->name;)
            i++;
    *index = i + 1;
    return i < record->member_count ? record->members[i].type : &code_type_unknown;
}

/* `{ a, b }`: every value goes into the same target, whole for a pointer, as a part otherwise.
 * shape: what the braces make, as far as it is known. */
static void list_parse(struct code_parser *parser, struct code_operand target,
                       const struct code_type *shape)
{
    uint32_t open = parser->at, index = 0;
    code_parser_expect(parser, CODE_PUNCT_LBRACE);
    while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_RBRACE)) {
        const struct code_type *inner = inner_shape(parser, shape, &index);
        designators_parse(parser);
        shaped_parse(parser, target, inner);
        if (!code_parser_accept(parser, CODE_PUNCT_COMMA))
            break;
    }
    code_parser_expect(parser, CODE_PUNCT_RBRACE);
    if (code_parser_ok(parser))
        code_watch_braces(parser->watch, shape, open, parser->at - 1);
}

static void value_parse(struct code_parser *parser, struct code_operand target,
                        const struct code_type *shape)
{
    uint32_t begin = parser->at;
    struct code_operand value = code_operand_load(parser, code_assignment_parse(parser));
    bool element = shape != target.type && shape->form == CODE_FORM_VALUE && shape->width > 1;
    if (element && code_operand_breadth(&value) == CODE_BREADTH_SCALAR)
        code_watch_refuse(parser->watch, begin,
                          "a number is given for a vector inside braces, which is not translated");
    if (code_parser_ok(parser))
        code_watch_convert(parser->watch, target.type, value.type, begin, parser->at);
    code_operand_store(parser, target, value);
}

static void shaped_parse(struct code_parser *parser, struct code_operand target,
                         const struct code_type *shape)
{
    if (code_parser_enter(parser)) {
        if (code_parser_sees(parser, CODE_PUNCT_LBRACE))
            list_parse(parser, target, shape);
        else
            value_parse(parser, target, shape);
    }
    code_parser_leave(parser);
}

void code_initializer_parse(struct code_parser *parser, struct code_operand target)
{
    shaped_parse(parser, target, target.type);
}

/* ---- declarations ---- */

void code_type_note(struct code_parser *parser, const struct code_type *type)
{
    bool pointer = type->form == CODE_FORM_POINTER;
    const struct code_type *element = code_type_element(pointer ? type->next : type);
    bool value = element->form == CODE_FORM_VALUE;
    if (element->space == CODE_SPACE_LOCAL)
        code_parser_note(parser, CODE_USE_LOCAL_MEMORY, NULL);
    if (value && element->scalar == CODE_SCALAR_DOUBLE)
        code_parser_note(parser, CODE_USE_FP64, NULL);
    if (value && element->scalar == CODE_SCALAR_HALF && !pointer)
        code_parser_note(parser, CODE_USE_FP16, NULL);
    if (element->form == CODE_FORM_OPAQUE &&
        element->opaque != code_names_find(&parser->context->names, "event_t"))
        code_parser_note(parser, CODE_USE_IMAGE, NULL);
}

static void variable_parse(struct code_parser *parser, struct code_specifiers *specifiers,
                           uint32_t begin)
{
    struct code_declarator declarator;
    code_declarator_parse(parser, specifiers->type, &declarator);
    specifiers->type = declarator.type;
    code_attributes_parse(parser, specifiers);
    const struct code_type *type = specifiers->type;
    bool function = type->form == CODE_FORM_FUNCTION;
    if (declarator.name == 0 || (function && !specifiers->is_typedef)) {
        code_parser_fail(parser, "a declaration cannot be read");
        return;
    }
    enum code_symbol_kind kind =
        specifiers->is_typedef ? CODE_SYMBOL_TYPEDEF : CODE_SYMBOL_VARIABLE;
    uint32_t number = code_parser_declare(parser, kind, declarator.name, type);
    if (number == 0 || kind == CODE_SYMBOL_TYPEDEF)
        return;
    code_type_note(parser, type);
    code_watch_variable(parser, begin, type);
    code_parser_symbol(parser, number)->node = code_variable_node(parser, type);
    if (!code_parser_accept(parser, CODE_PUNCT_ASSIGN))
        return;
    struct code_operand target = {.type = type, .form = CODE_OPERAND_VARIABLE, .symbol = number};
    code_initializer_parse(parser, target);
}

static void declaration_parse(struct code_parser *parser)
{
    struct code_specifiers specifiers;
    uint32_t begin = parser->at;
    code_specifiers_parse(parser, &specifiers);
    const struct code_type *base = specifiers.type;
    if (!code_parser_sees(parser, CODE_PUNCT_SEMICOLON)) {
        do {
            specifiers.type = base;
            variable_parse(parser, &specifiers, begin);
        } while (code_parser_accept(parser, CODE_PUNCT_COMMA));
    }
    code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
}

/* ---- statements ---- */

static void condition_parse(struct code_parser *parser)
{
    code_parser_expect(parser, CODE_PUNCT_LPAREN);
    code_operand_load(parser, code_expression_parse(parser));
    code_parser_expect(parser, CODE_PUNCT_RPAREN);
}

/* An expression and `end`; nothing is allowed. */
static void optional_parse(struct code_parser *parser, enum code_punct end)
{
    if (!code_parser_sees(parser, end))
        code_operand_load(parser, code_expression_parse(parser));
    code_parser_expect(parser, end);
}

/* Is the statement that begins here empty? */
static bool body_is_empty(const struct code_parser *parser)
{
    if (code_parser_sees(parser, CODE_PUNCT_SEMICOLON))
        return true;
    return code_parser_sees(parser, CODE_PUNCT_LBRACE) &&
           code_token_is(code_parser_peek_next(parser), CODE_PUNCT_RBRACE);
}

/* A loop without a body whose condition only looks at global memory waits for somebody else. */
static void note_spin(struct code_parser *parser, bool empty, uint32_t reads, uint32_t effects)
{
    if (empty && parser->global_reads != reads && parser->effects == effects)
        code_parser_note(parser, CODE_USE_SPIN, NULL);
}

static void while_parse(struct code_parser *parser)
{
    uint32_t reads = parser->global_reads;
    uint32_t effects = parser->effects;
    condition_parse(parser);
    note_spin(parser, body_is_empty(parser), reads, effects);
    statement_parse(parser);
}

static void do_parse(struct code_parser *parser)
{
    bool empty = body_is_empty(parser);
    statement_parse(parser);
    if (!code_parser_accept_word(parser, CODE_WORD_while))
        code_parser_fail(parser, "'while' expected");
    uint32_t reads = parser->global_reads;
    uint32_t effects = parser->effects;
    condition_parse(parser);
    code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
    note_spin(parser, empty, reads, effects);
}

static void for_parse(struct code_parser *parser)
{
    code_parser_open_scope(parser);
    code_parser_expect(parser, CODE_PUNCT_LPAREN);
    if (code_specifiers_begin(parser))
        declaration_parse(parser);
    else
        optional_parse(parser, CODE_PUNCT_SEMICOLON);
    uint32_t reads = parser->global_reads;
    uint32_t effects = parser->effects;
    optional_parse(parser, CODE_PUNCT_SEMICOLON);
    optional_parse(parser, CODE_PUNCT_RPAREN);
    note_spin(parser, body_is_empty(parser), reads, effects);
    statement_parse(parser);
    code_parser_close_scope(parser);
}

/* A chain of `else if` is one level, however long. Also switch, which has no else. */
static void if_parse(struct code_parser *parser)
{
    condition_parse(parser);
    statement_parse(parser);
    while (code_parser_accept_word(parser, CODE_WORD_else)) {
        if (code_parser_accept_word(parser, CODE_WORD_if))
            condition_parse(parser);
        statement_parse(parser);
    }
}

static void case_parse(struct code_parser *parser)
{
    code_conditional_parse(parser);
    if (code_parser_accept(parser, CODE_PUNCT_ELLIPSIS)) {
        code_watch_refuse(parser->watch, parser->at - 1,
                          "ranges of cases are not translated for this device");
        code_conditional_parse(parser);
    }
    code_parser_expect(parser, CODE_PUNCT_COLON);
}

/* A pointer that is returned joins what the function returns. */
static void return_parse(struct code_parser *parser)
{
    if (!code_parser_sees(parser, CODE_PUNCT_SEMICOLON)) {
        struct code_operand value = code_operand_load(parser, code_expression_parse(parser));
        bool pointer =
            parser->current != NULL && parser->current->result->form == CODE_FORM_POINTER;
        if (pointer && value.node != 0)
            parser->result_node = code_flow_join(&parser->flow, parser->result_node, value.node);
        else
            code_operand_escape(parser, value, "its address is returned as a number");
    }
    code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
}

/* A statement that its keyword tells; false when there is none. */
static bool keyword_parse(struct code_parser *parser)
{
    uint32_t word = code_parser_word(parser);
    switch (word) {
    case CODE_WORD_if:
    case CODE_WORD_switch:
    case CODE_WORD_while:
    case CODE_WORD_do:
    case CODE_WORD_for:
    case CODE_WORD_case:
    case CODE_WORD_default:
    case CODE_WORD_return:
    case CODE_WORD_break:
    case CODE_WORD_continue:
    case CODE_WORD_goto:
        code_parser_advance(parser);
        break;
    default:
        return false;
    }
    if (word == CODE_WORD_if || word == CODE_WORD_switch) {
        if_parse(parser);
    } else if (word == CODE_WORD_while) {
        while_parse(parser);
    } else if (word == CODE_WORD_do) {
        do_parse(parser);
    } else if (word == CODE_WORD_for) {
        for_parse(parser);
    } else if (word == CODE_WORD_case) {
        case_parse(parser);
    } else if (word == CODE_WORD_default) {
        code_parser_expect(parser, CODE_PUNCT_COLON);
    } else if (word == CODE_WORD_return) {
        return_parse(parser);
    } else {
        if (word == CODE_WORD_goto)
            code_parser_advance(parser);
        code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
    }
    return true;
}

static void simple_parse(struct code_parser *parser)
{
    struct code_specifiers ignored = {.type = &code_type_unknown};
    uint32_t word = code_parser_word(parser);
    if (word == CODE_WORD___attribute__ || word == CODE_WORD___attribute)
        code_attributes_parse(parser, &ignored);
    const struct code_token *token = code_parser_peek(parser);
    bool label = token->kind == CODE_TOKEN_NAME && token->name >= CODE_WORD_KEYWORDS &&
                 code_token_is(code_parser_peek_next(parser), CODE_PUNCT_COLON);
    if (label) {
        code_parser_advance(parser);
        code_parser_advance(parser);
    } else if (code_parser_sees(parser, CODE_PUNCT_LBRACE)) {
        code_block_parse(parser);
    } else if (keyword_parse(parser)) {
        return;
    } else if (code_specifiers_begin(parser)) {
        declaration_parse(parser);
    } else {
        parser->statement = parser->at;
        optional_parse(parser, CODE_PUNCT_SEMICOLON);
    }
}

static void statement_parse(struct code_parser *parser)
{
    if (code_parser_enter(parser))
        simple_parse(parser);
    code_parser_leave(parser);
}

void code_block_parse(struct code_parser *parser)
{
    code_parser_open_scope(parser);
    code_parser_expect(parser, CODE_PUNCT_LBRACE);
    while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_RBRACE)) {
        if (code_parser_peek(parser)->kind == CODE_TOKEN_END)
            code_parser_fail(parser, "a block does not end");
        else
            statement_parse(parser);
    }
    code_parser_expect(parser, CODE_PUNCT_RBRACE);
    code_parser_close_scope(parser);
}
