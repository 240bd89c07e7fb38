/* Declaration specifiers, struct, enum and attributes: what stands before a declarator. See
 * parser.h.
 *
 * Words may come in any order (`long unsigned const`), a typedef name only where no other type was
 * seen. Attributes that would change what a pointer points to make the declaration unreadable;
 * others say nothing about memory.
 */
#include "code/condition.h"
#include "code/parser.h"

/* What the words of one declaration add up to. */
struct gathered {
    const struct code_type *type; /* of a typedef name, a struct or an enum */
    uint32_t base;                /* CODE_WORD_int, ...; 0 for none */
    uint32_t long_count;
    bool is_short;
    bool is_signed;
    bool is_unsigned;
    uint32_t quals;
    enum code_space space;
};

static bool qualifier_word(uint32_t word, uint32_t *quals, enum code_space *space)
{
    switch (word) {
    case CODE_WORD_const:
    case CODE_WORD___const:
        *quals |= CODE_QUALIFIER_CONST;
        return true;
    case CODE_WORD_volatile:
    case CODE_WORD___volatile:
    case CODE_WORD___volatile__:
        *quals |= CODE_QUALIFIER_VOLATILE;
        return true;
    case CODE_WORD_restrict:
    case CODE_WORD___restrict:
    case CODE_WORD___restrict__:
        *quals |= CODE_QUALIFIER_RESTRICT;
        return true;
    case CODE_WORD_global:
    case CODE_WORD___global:
        *space = CODE_SPACE_GLOBAL;
        return true;
    case CODE_WORD_local:
    case CODE_WORD___local:
        *space = CODE_SPACE_LOCAL;
        return true;
    case CODE_WORD_constant:
    case CODE_WORD___constant:
        *space = CODE_SPACE_CONSTANT;
        return true;
    case CODE_WORD_private:
    case CODE_WORD___private:
    case CODE_WORD_read_only:
    case CODE_WORD___read_only:
    case CODE_WORD_write_only:
    case CODE_WORD___write_only:
    case CODE_WORD_read_write:
    case CODE_WORD___read_write:
    case CODE_WORD___extension__:
        return true;
    default:
        return false;
    }
}

static bool storage_word(uint32_t word)
{
    switch (word) {
    case CODE_WORD_typedef:
    case CODE_WORD_static:
    case CODE_WORD_extern:
    case CODE_WORD_inline:
    case CODE_WORD___inline:
    case CODE_WORD___inline__:
    case CODE_WORD_register:
    case CODE_WORD_auto:
    case CODE_WORD_kernel:
    case CODE_WORD___kernel:
        return true;
    default:
        return false;
    }
}

static bool type_word(uint32_t word)
{
    switch (word) {
    case CODE_WORD_void:
    case CODE_WORD_char:
    case CODE_WORD_short:
    case CODE_WORD_int:
    case CODE_WORD_long:
    case CODE_WORD_float:
    case CODE_WORD_double:
    case CODE_WORD_half:
    case CODE_WORD_bool:
    case CODE_WORD__Bool:
    case CODE_WORD_signed:
    case CODE_WORD___signed:
    case CODE_WORD___signed__:
    case CODE_WORD_unsigned:
        return true;
    default:
        return false;
    }
}

static bool attribute_word(uint32_t word)
{
    return word == CODE_WORD___attribute__ || word == CODE_WORD___attribute;
}

bool code_specifiers_begin(const struct code_parser *parser)
{
    uint32_t word = code_parser_word(parser);
    uint32_t quals = 0;
    enum code_space space = CODE_SPACE_PRIVATE;
    if (word != 0)
        return qualifier_word(word, &quals, &space) || storage_word(word) || type_word(word) ||
               attribute_word(word) || word == CODE_WORD_struct || word == CODE_WORD_union ||
               word == CODE_WORD_enum || word == CODE_WORD_typeof || word == CODE_WORD___typeof ||
               word == CODE_WORD___typeof__ || word == CODE_WORD__Atomic;
    const struct code_token *token = code_parser_peek(parser);
    if (token->kind != CODE_TOKEN_NAME)
        return false;
    const struct code_symbol *symbol = code_parser_lookup(parser, token->name);
    return symbol != NULL && symbol->kind == CODE_SYMBOL_TYPEDEF;
}

/* ( x , y , z ) behind reqd_work_group_size; false when they are no known numbers. */
static bool group_parse(struct code_parser *parser, uint32_t group[3])
{
    bool good = true;
    code_parser_expect(parser, CODE_PUNCT_LPAREN);
    for (int i = 0; i < 3; i++) {
        uint32_t begin = parser->at;
        while (!code_parser_sees(parser, CODE_PUNCT_COMMA) &&
               !code_parser_sees(parser, CODE_PUNCT_RPAREN) &&
               code_parser_peek(parser)->kind != CODE_TOKEN_END) {
            if (code_parser_sees(parser, CODE_PUNCT_LPAREN))
                code_parser_skip_balanced(parser);
            else
                code_parser_advance(parser);
        }
        struct code_value value = code_condition_value(parser->context, NULL, 0,
                                                       parser->tokens + begin, parser->at - begin);
        good = good && value.known && value.bits > 0 && value.bits <= UINT32_MAX;
        group[i] = good ? (uint32_t)value.bits : 0;
        code_parser_expect(parser, i < 2 ? CODE_PUNCT_COMMA : CODE_PUNCT_RPAREN);
    }
    return good && code_parser_ok(parser);
}

static void attribute_parse(struct code_parser *parser, struct code_specifiers *out)
{
    uint32_t word = code_parser_peek(parser)->name;
    code_parser_advance(parser);
    switch (word) {
    case CODE_WORD_reqd_work_group_size:
    case CODE_WORD___reqd_work_group_size__:
        out->required_group = group_parse(parser, out->group);
        return;
    case CODE_WORD_work_group_size_hint:
    case CODE_WORD___work_group_size_hint__:
        if (out->required_group)
            break;
        out->hinted_group = group_parse(parser, out->group);
        return;
    case CODE_WORD_vector_size:
    case CODE_WORD___vector_size__:
    case CODE_WORD_ext_vector_type:
    case CODE_WORD___ext_vector_type__:
        if (out->type != NULL && out->type->form == CODE_FORM_VALUE)
            out->type = code_type_value(parser->context, (enum code_scalar)out->type->scalar, 0);
        break;
    case CODE_WORD_cleanup:
    case CODE_WORD___cleanup__:
    case CODE_WORD_address_space:
    case CODE_WORD___address_space__:
    case CODE_WORD_opencl_global:
    case CODE_WORD_opencl_local:
    case CODE_WORD_opencl_constant:
    case CODE_WORD_opencl_private:
    case CODE_WORD_opencl_generic:
    case CODE_WORD_mode:
    case CODE_WORD___mode__:
        code_parser_fail(parser, "attribute %.64s is not read",
                         code_names_text(&parser->context->names, word));
        break;
    default: /* says nothing about memory */
        break;
    }
    if (code_parser_sees(parser, CODE_PUNCT_LPAREN))
        code_parser_skip_balanced(parser);
}

void code_attributes_parse(struct code_parser *parser, struct code_specifiers *out)
{
    while (attribute_word(code_parser_word(parser))) {
        code_parser_advance(parser);
        code_parser_expect(parser, CODE_PUNCT_LPAREN);
        code_parser_expect(parser, CODE_PUNCT_LPAREN);
        while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_RPAREN)) {
            if (code_parser_peek(parser)->kind == CODE_TOKEN_NAME)
                attribute_parse(parser, out);
            else
                code_parser_expect(parser, CODE_PUNCT_COMMA);
        }
        code_parser_expect(parser, CODE_PUNCT_RPAREN);
        code_parser_expect(parser, CODE_PUNCT_RPAREN);
    }
}

const struct code_type *code_qualifiers_parse(struct code_parser *parser,
                                              const struct code_type *type)
{
    struct code_specifiers ignored = {.type = type};
    uint32_t quals = 0;
    enum code_space space = CODE_SPACE_PRIVATE;
    for (;;) {
        uint32_t word = code_parser_word(parser);
        if (attribute_word(word))
            code_attributes_parse(parser, &ignored);
        else if (qualifier_word(word, &quals, &space))
            code_parser_advance(parser);
        else
            break;
    }
    return code_type_with(parser->context, type, quals, space, 0);
}

/* One declaration of members: `float x, y : 3;`. */
static void member_parse(struct code_parser *parser)
{
    struct code_specifiers specifiers;
    code_specifiers_parse(parser, &specifiers);
    do {
        struct code_declarator declarator = {.type = specifiers.type};
        if (!code_parser_sees(parser, CODE_PUNCT_COLON) &&
            !code_parser_sees(parser, CODE_PUNCT_SEMICOLON))
            code_declarator_parse(parser, specifiers.type, &declarator);
        if (code_parser_accept(parser, CODE_PUNCT_COLON))
            code_conditional_parse(parser);
        code_attributes_parse(parser, &specifiers);
        const struct code_member member = {declarator.name, declarator.type};
        code_context_push(parser->context, &parser->members, &member);
    } while (code_parser_accept(parser, CODE_PUNCT_COMMA));
    code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
}

/* Members between braces. Too many to look through are none that is known. */
static void members_parse(struct code_parser *parser, struct code_record *record)
{
    size_t base = parser->members.count;
    code_parser_expect(parser, CODE_PUNCT_LBRACE);
    while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_RBRACE))
        member_parse(parser);
    code_parser_expect(parser, CODE_PUNCT_RBRACE);
    size_t count = parser->members.count - base;
    if (count <= LIMITS_CODE_MEMBERS) {
        struct code_member *members =
            code_context_alloc(parser->context, (count + 1) * sizeof *members);
        for (size_t i = 0; members != NULL && i < count; i++)
            members[i] = *(struct code_member *)vec_at(&parser->members, base + i);
        record->members = members;
        record->member_count = members != NULL ? (uint32_t)count : 0;
        record->complete = code_parser_ok(parser);
    }
    parser->members.count = base;
}

/* The record of a tag: the one that is meant, or a new one. */
static struct code_record *record_find(struct code_parser *parser, uint32_t tag,
                                       const char *keyword, bool defines)
{
    struct code_symbol *symbol = tag != 0 ? code_parser_lookup_tag(parser, tag) : NULL;
    if (symbol != NULL &&
        (!defines || (symbol->depth == parser->scopes.count && !symbol->record->complete)))
        return symbol->record;
    struct code_record *record = code_context_alloc(parser->context, sizeof *record);
    if (record == NULL)
        return NULL;
    record->tag = tag;
    record->keyword = keyword;
    uint32_t number =
        tag != 0 ? code_parser_declare(parser, CODE_SYMBOL_TAG, tag, &code_type_unknown) : 0;
    if (number != 0 && code_parser_symbol(parser, number)->record == NULL)
        code_parser_symbol(parser, number)->record = record;
    return record;
}

static void enumerators_parse(struct code_parser *parser)
{
    code_parser_expect(parser, CODE_PUNCT_LBRACE);
    while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_RBRACE)) {
        const struct code_token *name = code_parser_peek(parser);
        if (name->kind != CODE_TOKEN_NAME)
            code_parser_fail(parser, "an enumerator's name is missing");
        else
            code_parser_declare(parser, CODE_SYMBOL_ENUMERATOR, name->name, &code_type_int);
        code_parser_advance(parser);
        if (code_parser_accept(parser, CODE_PUNCT_ASSIGN))
            code_conditional_parse(parser);
        if (!code_parser_accept(parser, CODE_PUNCT_COMMA))
            break;
    }
    code_parser_expect(parser, CODE_PUNCT_RBRACE);
}

/* struct, union or enum, from its keyword on. */
static const struct code_type *record_parse(struct code_parser *parser,
                                            struct code_specifiers *specifiers)
{
    uint32_t word = code_parser_word(parser);
    uint32_t tag = 0;
    code_parser_advance(parser);
    code_attributes_parse(parser, specifiers);
    if (code_parser_peek(parser)->kind == CODE_TOKEN_NAME) {
        tag = code_parser_peek(parser)->name;
        code_parser_advance(parser);
    }
    bool defines = code_parser_sees(parser, CODE_PUNCT_LBRACE);
    const char *keyword = code_names_text(&parser->context->names, word);
    struct code_record *record = record_find(parser, tag, keyword, defines);
    struct code_type *type = code_context_alloc(parser->context, sizeof *type);
    if (record == NULL || type == NULL)
        return &code_type_unknown;
    bool entered = code_parser_enter(parser);
    if (!entered) {
        type->form = CODE_FORM_UNKNOWN;
    } else if (word == CODE_WORD_enum) {
        *type = *code_type_value(parser->context, CODE_SCALAR_ENUM, 1);
        if (defines)
            enumerators_parse(parser);
    } else {
        type->form = CODE_FORM_RECORD;
        if (defines)
            members_parse(parser, record);
    }
    type->record = record;
    code_parser_leave(parser);
    code_attributes_parse(parser, specifiers);
    return type;
}

static enum code_scalar scalar_of(const struct gathered *all)
{
    bool u = all->is_unsigned;
    switch (all->base) {
    case CODE_WORD_char:
        return u ? CODE_SCALAR_UCHAR : CODE_SCALAR_CHAR;
    case CODE_WORD_float:
        return CODE_SCALAR_FLOAT;
    case CODE_WORD_double:
        return CODE_SCALAR_DOUBLE;
    case CODE_WORD_half:
        return CODE_SCALAR_HALF;
    case CODE_WORD_bool:
    case CODE_WORD__Bool:
        return CODE_SCALAR_BOOL;
    default:
        break;
    }
    if (all->is_short)
        return u ? CODE_SCALAR_USHORT : CODE_SCALAR_SHORT;
    if (all->long_count > 0)
        return u ? CODE_SCALAR_ULONG : CODE_SCALAR_LONG;
    return u ? CODE_SCALAR_UINT : CODE_SCALAR_INT;
}

/* Takes a word that says which arithmetic type is meant. */
static void gather_word(struct code_parser *parser, struct gathered *all, uint32_t word)
{
    switch (word) {
    case CODE_WORD_short:
        all->is_short = true;
        break;
    case CODE_WORD_long:
        all->long_count++;
        break;
    case CODE_WORD_signed:
    case CODE_WORD___signed:
    case CODE_WORD___signed__:
        all->is_signed = true;
        break;
    case CODE_WORD_unsigned:
        all->is_unsigned = true;
        break;
    default:
        if (all->base != 0 && all->base != word)
            code_parser_fail(parser, "two types in one declaration");
        all->base = word;
    }
    code_parser_advance(parser);
}

static bool has_type(const struct gathered *all)
{
    return all->type != NULL || all->base != 0 || all->long_count > 0 || all->is_short ||
           all->is_signed || all->is_unsigned;
}

/* Takes a name if it is the type of this declaration. */
static bool gather_name(struct code_parser *parser, struct gathered *all)
{
    const struct code_token *token = code_parser_peek(parser);
    if (has_type(all) || token->kind != CODE_TOKEN_NAME)
        return false;
    const struct code_symbol *symbol = code_parser_lookup(parser, token->name);
    if (symbol == NULL || symbol->kind != CODE_SYMBOL_TYPEDEF)
        return false;
    all->type = code_type_with(parser->context, symbol->type, 0, CODE_SPACE_PRIVATE, token->name);
    code_parser_advance(parser);
    return true;
}

static bool gather(struct code_parser *parser, struct gathered *all, struct code_specifiers *out)
{
    uint32_t word = code_parser_word(parser);
    if (word == 0)
        return gather_name(parser, all);
    if (word == CODE_WORD_struct || word == CODE_WORD_union || word == CODE_WORD_enum) {
        if (has_type(all))
            code_parser_fail(parser, "two types in one declaration");
        all->type = record_parse(parser, out);
    } else if (attribute_word(word)) {
        out->type = has_type(all) ? all->type : NULL;
        code_attributes_parse(parser, out);
        all->type = out->type != NULL ? out->type : all->type;
    } else if (storage_word(word)) {
        out->is_typedef |= word == CODE_WORD_typedef;
        out->is_kernel |= word == CODE_WORD_kernel || word == CODE_WORD___kernel;
        code_parser_advance(parser);
    } else if (type_word(word)) {
        gather_word(parser, all, word);
    } else if (qualifier_word(word, &all->quals, &all->space)) {
        code_parser_advance(parser);
    } else {
        return gather_name(parser, all);
    }
    return true;
}

void code_specifiers_parse(struct code_parser *parser, struct code_specifiers *out)
{
    struct gathered all = {.space = CODE_SPACE_PRIVATE};
    *out = (struct code_specifiers){.type = &code_type_unknown};
    while (gather(parser, &all, out)) {
    }
    if (!has_type(&all))
        code_parser_fail(parser, "a type is expected before '%.64s'",
                         code_token_text(parser->context, code_parser_peek(parser)));
    if (all.type != NULL &&
        (all.base != 0 || all.is_unsigned || all.is_signed || all.is_short || all.long_count > 0))
        code_parser_fail(parser, "two types in one declaration");
    const struct code_type *type = all.type;
    if (type == NULL)
        type = all.base == CODE_WORD_void ? &code_type_void
                                          : code_type_value(parser->context, scalar_of(&all), 1);
    if (type->form == CODE_FORM_VALUE && type->scalar == CODE_SCALAR_DOUBLE)
        code_parser_note(parser, CODE_USE_FP64, NULL);
    out->type = code_type_with(parser->context, type, all.quals, all.space, 0);
}
