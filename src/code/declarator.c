/* Declarators, parameter lists and type names: `*const name[4]`, `(int, global float *)`.
 *
 * Take a base type and the tokens around a name, give the type that C builds from the inside out.
 * What lies in nested parentheses binds last, so its suffixes are read before it. Sizes of arrays
 * are not kept. See parser.h.
 */
#include "code/parser.h"

#include <string.h>

/* Parameters become pointers where C99 6.7.5.3 says so. */
static const struct code_type *adjusted(struct code_parser *parser, const struct code_type *type)
{
    if (type->form == CODE_FORM_ARRAY)
        return code_type_over(parser->context, CODE_FORM_POINTER, type->next);
    if (type->form == CODE_FORM_FUNCTION)
        return code_type_over(parser->context, CODE_FORM_POINTER, type);
    return type;
}

static void parameter_parse(struct code_parser *parser)
{
    struct code_specifiers specifiers;
    struct code_declarator declarator;
    code_specifiers_parse(parser, &specifiers);
    code_declarator_parse(parser, specifiers.type, &declarator);
    code_attributes_parse(parser, &specifiers);
    struct code_parameter parameter = {
        .name = declarator.name,
        .place = declarator.place,
        .type = adjusted(parser, declarator.type),
    };
    code_context_push(parser->context, &parser->collected, &parameter);
}

/* `(void)` or nothing between the parentheses. */
static bool no_parameters(struct code_parser *parser)
{
    if (code_parser_sees(parser, CODE_PUNCT_RPAREN))
        return true;
    if (code_parser_word(parser) != CODE_WORD_void ||
        !code_token_is(code_parser_peek_next(parser), CODE_PUNCT_RPAREN))
        return false;
    code_parser_advance(parser);
    return true;
}

/* Behind the `(`, to behind the `)`. What follows a `...` can be any argument: those escape. */
static void parameters_parse(struct code_parser *parser, struct code_declarator *out)
{
    size_t base = parser->collected.count;
    if (!no_parameters(parser)) {
        do {
            if (code_parser_accept(parser, CODE_PUNCT_ELLIPSIS))
                break;
            parameter_parse(parser);
        } while (code_parser_accept(parser, CODE_PUNCT_COMMA));
    }
    code_parser_expect(parser, CODE_PUNCT_RPAREN);
    size_t count = parser->collected.count - base;
    out->parameters = code_context_alloc(parser->context, (count + 1) * sizeof *out->parameters);
    out->parameter_count = 0;
    if (out->parameters != NULL && count > 0) {
        memcpy(out->parameters, vec_at(&parser->collected, base), count * sizeof *out->parameters);
        out->parameter_count = (uint32_t)count;
    }
    parser->collected.count = base;
}

/* `[ 4 ]`, behind the `[`. The size is not kept. */
static void bound_parse(struct code_parser *parser)
{
    code_parser_accept_word(parser, CODE_WORD_static);
    code_qualifiers_parse(parser, &code_type_unknown);
    if (!code_parser_sees(parser, CODE_PUNCT_RBRACKET))
        code_assignment_parse(parser);
    code_parser_expect(parser, CODE_PUNCT_RBRACKET);
}

/* `(parameters)` and `[bounds]` behind a name. */
static const struct code_type *suffixes_parse(struct code_parser *parser,
                                              const struct code_type *base,
                                              struct code_declarator *out)
{
    uint32_t dimensions = 0;
    if (code_parser_accept(parser, CODE_PUNCT_LPAREN)) {
        parameters_parse(parser, out);
        return code_type_over(parser->context, CODE_FORM_FUNCTION, base);
    }
    while (code_parser_accept(parser, CODE_PUNCT_LBRACKET)) {
        bound_parse(parser);
        dimensions++;
    }
    for (uint32_t i = 0; i < dimensions && i <= LIMITS_CODE_DEPTH; i++)
        base = code_type_over(parser->context, CODE_FORM_ARRAY, base);
    return base;
}

/* Does `(` open a declarator, and not parameters? */
static bool nested_begins(const struct code_parser *parser)
{
    const struct code_token *next = code_parser_peek_next(parser);
    if (!code_parser_sees(parser, CODE_PUNCT_LPAREN))
        return false;
    if (code_token_is(next, CODE_PUNCT_STAR) || code_token_is(next, CODE_PUNCT_LPAREN) ||
        code_token_is(next, CODE_PUNCT_LBRACKET))
        return true;
    if (next->kind != CODE_TOKEN_NAME || next->name < CODE_WORD_KEYWORDS)
        return false;
    const struct code_symbol *symbol = code_parser_lookup(parser, next->name);
    return symbol == NULL || symbol->kind != CODE_SYMBOL_TYPEDEF;
}

/* `(declarator)suffixes`: the suffixes bind first, so they are read first. */
static void nested_parse(struct code_parser *parser, const struct code_type *base,
                         struct code_declarator *out)
{
    uint32_t open = parser->at;
    code_parser_skip_balanced(parser);
    uint32_t behind = parser->at;
    struct code_declarator ignored;
    base = suffixes_parse(parser, base, &ignored);
    uint32_t end = parser->at;
    if (!code_parser_ok(parser))
        return;
    parser->at = open + 1;
    code_declarator_parse(parser, base, out);
    code_parser_expect(parser, CODE_PUNCT_RPAREN);
    if (parser->at != behind)
        code_parser_fail(parser, "a declarator cannot be read");
    if (code_parser_ok(parser))
        parser->at = end;
}

void code_declarator_parse(struct code_parser *parser, const struct code_type *base,
                           struct code_declarator *out)
{
    *out = (struct code_declarator){.place = *code_parser_peek(parser), .type = base};
    if (!code_parser_enter(parser)) {
        code_parser_leave(parser);
        return;
    }
    base = code_qualifiers_parse(parser, base);
    while (code_parser_accept(parser, CODE_PUNCT_STAR)) {
        base = code_type_over(parser->context, CODE_FORM_POINTER, base);
        base = code_qualifiers_parse(parser, base);
    }
    if (nested_begins(parser)) {
        nested_parse(parser, base, out);
    } else {
        const struct code_token *token = code_parser_peek(parser);
        if (token->kind == CODE_TOKEN_NAME && token->name >= CODE_WORD_KEYWORDS) {
            out->name = token->name;
            out->place = *token;
            code_parser_advance(parser);
        }
        out->type = suffixes_parse(parser, base, out);
    }
    code_parser_leave(parser);
}

const struct code_type *code_type_name_parse(struct code_parser *parser)
{
    struct code_specifiers specifiers;
    struct code_declarator declarator;
    code_specifiers_parse(parser, &specifiers);
    code_declarator_parse(parser, specifiers.type, &declarator);
    if (declarator.name != 0)
        code_parser_fail(parser, "a type must not have a name here");
    const struct code_type *type = declarator.type;
    if (type->form == CODE_FORM_VALUE && type->scalar == CODE_SCALAR_HALF)
        code_parser_note(parser, CODE_USE_FP16, NULL);
    return type;
}
