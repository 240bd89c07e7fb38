/* Tokens, failure and scopes of the parser; see parser.h.
 *
 * Symbols are a stack; each name knows its innermost symbol, and closing a scope gives it back what
 * it meant before.
 */
#include "code/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct code_token end_token = {.kind = CODE_TOKEN_END};

static void declare_predeclared(void *user, const char *name, const struct code_type *type)
{
    struct code_parser *parser = user;
    struct code_names *names = &parser->context->names;
    uint32_t number = code_names_find(names, name);
    if (number == 0) /* the text does not use it */
        return;
    struct code_type named = *type;
    named.opaque = type->form == CODE_FORM_OPAQUE ? number : 0;
    const struct code_type *kept =
        code_type_with(parser->context, &named, 0, CODE_SPACE_PRIVATE, number);
    uint32_t symbol = code_parser_declare(parser, CODE_SYMBOL_TYPEDEF, number, kept);
    if (symbol != 0)
        code_parser_symbol(parser, symbol)->predeclared = true;
}

bool code_parser_init(struct code_parser *parser, struct code_context *context,
                      const struct code_token *tokens, size_t count)
{
    const struct alloc_hooks *hooks = context->hooks;
    *parser = (struct code_parser){.context = context, .tokens = tokens, .count = (uint32_t)count};
    vec_init(&parser->symbols, sizeof(struct code_symbol), hooks);
    vec_init(&parser->scopes, sizeof(uint32_t), hooks);
    vec_init(&parser->functions, sizeof(struct code_function *), hooks);
    vec_init(&parser->heads, sizeof(struct code_head), hooks);
    vec_init(&parser->arguments, sizeof(struct code_operand), hooks);
    vec_init(&parser->collected, sizeof(struct code_parameter), hooks);
    vec_init(&parser->members, sizeof(struct code_member), hooks);
    code_flow_init(&parser->flow, context);
    parser->name_count = (uint32_t)context->names.entries.count;
    size_t bytes = parser->name_count * sizeof *parser->names;
    parser->names = alloc_get_zeroed(hooks, bytes, 16);
    parser->tags = alloc_get_zeroed(hooks, bytes, 16);
    if (parser->names == NULL || parser->tags == NULL)
        code_context_fail_memory(context);
    code_context_push(context, &parser->symbols, NULL);
    if (!code_context_ok(context))
        return false;
    code_type_each_predeclared(declare_predeclared, parser);
    return code_context_ok(context);
}

void code_parser_fini(struct code_parser *parser)
{
    if (parser == NULL)
        return;
    size_t bytes = parser->name_count * sizeof *parser->names;
    alloc_put(parser->context->hooks, parser->names, bytes);
    alloc_put(parser->context->hooks, parser->tags, bytes);
    code_flow_fini(&parser->flow);
    vec_fini(&parser->members);
    vec_fini(&parser->collected);
    vec_fini(&parser->arguments);
    vec_fini(&parser->functions);
    vec_fini(&parser->heads);
    vec_fini(&parser->scopes);
    vec_fini(&parser->symbols);
}

const struct code_token *code_parser_peek(const struct code_parser *parser)
{
    return code_parser_ok(parser) ? &parser->tokens[parser->at] : &end_token;
}

const struct code_token *code_parser_peek_next(const struct code_parser *parser)
{
    if (!code_parser_ok(parser) || parser->at + 1 >= parser->count)
        return &end_token;
    return &parser->tokens[parser->at + 1];
}

void code_parser_advance(struct code_parser *parser)
{
    if (parser->at + 1 < parser->count)
        parser->at++;
}

uint32_t code_parser_word(const struct code_parser *parser)
{
    const struct code_token *token = code_parser_peek(parser);
    return token->kind == CODE_TOKEN_NAME && token->name < CODE_WORD_KEYWORDS ? token->name : 0;
}

bool code_parser_accept(struct code_parser *parser, enum code_punct punct)
{
    if (!code_parser_sees(parser, punct))
        return false;
    code_parser_advance(parser);
    return true;
}

bool code_parser_accept_word(struct code_parser *parser, uint32_t word)
{
    if (code_parser_word(parser) != word)
        return false;
    code_parser_advance(parser);
    return true;
}

void code_parser_expect(struct code_parser *parser, enum code_punct punct)
{
    const struct code_token wanted = {.kind = CODE_TOKEN_PUNCT, .punct = (uint8_t)punct};
    if (code_parser_accept(parser, punct))
        return;
    code_parser_fail(parser, "'%s' expected before '%.64s'",
                     code_token_text(parser->context, &wanted),
                     code_token_text(parser->context, code_parser_peek(parser)));
}

void code_parser_fail(struct code_parser *parser, const char *format, ...)
{
    if (!code_parser_ok(parser))
        return;
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    parser->failed_line = code_parser_line(parser);
    parser->failed_text = code_context_sentence(parser->context, "%s", text);
    parser->failed = true;
}

bool code_parser_enter(struct code_parser *parser)
{
    if (parser->depth++ < LIMITS_CODE_DEPTH)
        return true;
    code_parser_fail(parser, "it is nested deeper than %u", LIMITS_CODE_DEPTH);
    return false;
}

void code_parser_leave(struct code_parser *parser)
{
    parser->depth--;
}

static uint8_t closing(uint8_t open)
{
    switch (open) {
    case CODE_PUNCT_LPAREN:
        return CODE_PUNCT_RPAREN;
    case CODE_PUNCT_LBRACKET:
        return CODE_PUNCT_RBRACKET;
    default:
        return CODE_PUNCT_RBRACE;
    }
}

void code_parser_skip_balanced(struct code_parser *parser)
{
    uint8_t open = code_parser_peek(parser)->punct;
    uint8_t close = closing(open);
    uint32_t depth = 0;
    do {
        const struct code_token *token = code_parser_peek(parser);
        depth += token->punct == open;
        depth -= token->punct == close;
        if (token->kind == CODE_TOKEN_END) {
            code_parser_fail(parser, "a bracket is not closed");
            return;
        }
        code_parser_advance(parser);
    } while (depth > 0);
}

void code_parser_open_scope(struct code_parser *parser)
{
    uint32_t mark = (uint32_t)parser->symbols.count;
    code_context_push(parser->context, &parser->scopes, &mark);
}

void code_parser_close_scope(struct code_parser *parser)
{
    if (parser->scopes.count == 0)
        return;
    uint32_t mark = *(uint32_t *)vec_at(&parser->scopes, parser->scopes.count - 1);
    vec_pop(&parser->scopes);
    while (parser->symbols.count > mark) {
        const struct code_symbol *symbol =
            code_parser_symbol(parser, (uint32_t)parser->symbols.count - 1);
        uint32_t *table = symbol->kind == CODE_SYMBOL_TAG ? parser->tags : parser->names;
        table[symbol->name] = symbol->previous;
        vec_pop(&parser->symbols);
    }
}

struct code_symbol *code_parser_symbol(const struct code_parser *parser, uint32_t number)
{
    return vec_at(&parser->symbols, number);
}

uint32_t code_parser_declare(struct code_parser *parser, enum code_symbol_kind kind, uint32_t name,
                             const struct code_type *type)
{
    uint32_t *table = kind == CODE_SYMBOL_TAG ? parser->tags : parser->names;
    struct code_symbol fresh = {
        .name = name,
        .kind = (uint8_t)kind,
        .depth = (uint32_t)parser->scopes.count,
        .from = parser->at,
        .previous = table[name],
        .type = type,
    };
    if (fresh.depth == 0 && fresh.previous != 0 &&
        !code_parser_symbol(parser, fresh.previous)->predeclared)
        return fresh.previous;
    if (code_context_push(parser->context, &parser->symbols, &fresh) == NULL)
        return 0;
    table[name] = (uint32_t)parser->symbols.count - 1;
    return table[name];
}

/* Bodies are read after the outer level: what was declared behind them is not seen yet. */
static struct code_symbol *visible(const struct code_parser *parser, uint32_t number)
{
    while (number != 0) {
        struct code_symbol *symbol = code_parser_symbol(parser, number);
        if (symbol->depth > 0 || symbol->from <= parser->at)
            return symbol;
        number = symbol->previous;
    }
    return NULL;
}

struct code_symbol *code_parser_lookup(const struct code_parser *parser, uint32_t name)
{
    return visible(parser, parser->names[name]);
}

struct code_symbol *code_parser_lookup_tag(const struct code_parser *parser, uint32_t name)
{
    return visible(parser, parser->tags[name]);
}

void code_parser_note(struct code_parser *parser, enum code_use use, const char *detail)
{
    if (parser->current == NULL || parser->unevaluated > 0 || !code_parser_ok(parser))
        return;
    uint32_t at = parser->at > 0 ? parser->at - 1 : 0;
    code_class_note(&parser->current->class, use, parser->tokens[at].line, detail);
}

uint32_t code_parser_line(const struct code_parser *parser)
{
    return parser->tokens[parser->at].line;
}
