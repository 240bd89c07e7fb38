/* The outer level of a file, and the order in which bodies are read; see parser.h.
 *
 * First the whole file is walked and bodies are skipped. Then each body is read after those it
 * calls (depth first over an explicit stack), so that a call finds what its function does. A cycle
 * is recursion, which OpenCL C forbids: its functions count as doing everything to what they are
 * given.
 */
#include "code/parser.h"

/* More are none that a device takes: 1024 bytes of arguments. */
enum { FUNCTION_PARAMETERS = 256 };

/* A function whose callees are being read. */
struct visit {
    struct code_function *function;
    uint32_t at; /* next token of its body to look at */
};

/* ---- the outer level ---- */

static bool same_type(const struct code_type *a, const struct code_type *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next)
        if (a->form != b->form || a->scalar != b->scalar || a->width != b->width ||
            a->space != b->space || a->record != b->record)
            return false;
    return a == b;
}

static bool same_parameters(const struct code_function *function,
                            const struct code_declarator *declarator)
{
    if (function->parameter_count != declarator->parameter_count)
        return false;
    for (uint32_t i = 0; i < declarator->parameter_count; i++)
        if (!same_type(function->parameters[i].type, declarator->parameters[i].type))
            return false;
    return true;
}

/* The function that is declared again, or a new one of that name. */
static struct code_function *function_find(struct code_parser *parser,
                                           const struct code_declarator *declarator, bool defines)
{
    uint32_t number =
        code_parser_declare(parser, CODE_SYMBOL_FUNCTION, declarator->name, declarator->type);
    struct code_symbol *symbol = code_parser_symbol(parser, number);
    if (number == 0 || symbol->kind != CODE_SYMBOL_FUNCTION) {
        code_parser_fail(parser, "a name is declared twice");
        return NULL;
    }
    struct code_function **place = &symbol->function;
    for (uint32_t i = 0; *place != NULL; place = &(*place)->overload, i++) {
        if (same_parameters(*place, declarator) && !(defines && (*place)->defined))
            return *place;
        if (i >= LIMITS_CODE_OVERLOADS) {
            code_parser_fail(parser, "more than %u functions of one name", LIMITS_CODE_OVERLOADS);
            return NULL;
        }
    }
    struct code_function *function = code_context_alloc(parser->context, sizeof *function);
    if (function == NULL)
        return NULL;
    *place = function;
    function->name = declarator->name;
    code_context_push(parser->context, &parser->functions, &function);
    return function;
}

/* Notes where the declaration stands that was just read: its name is the last one at that place. */
static void head_note(struct code_parser *parser, const struct code_declarator *declarator,
                      bool kernel)
{
    struct code_head head = {
        .name = declarator->name, .parameter_count = declarator->parameter_count, .kernel = kernel};
    for (uint32_t at = parser->at; at > 0 && head.token == 0; at--) {
        const struct code_token *token = &parser->tokens[at - 1];
        if (token->kind == CODE_TOKEN_NAME && token->name == declarator->name &&
            token->offset == declarator->place.offset && token->line == declarator->place.line)
            head.token = at - 1;
    }
    code_context_push(parser->context, &parser->heads, &head);
}

/* Takes a prototype or the head of a definition. */
static struct code_function *function_declare(struct code_parser *parser,
                                              const struct code_specifiers *specifiers,
                                              const struct code_declarator *declarator)
{
    bool defines = code_parser_sees(parser, CODE_PUNCT_LBRACE);
    struct code_function *function = function_find(parser, declarator, defines);
    if (function == NULL)
        return NULL;
    if (!function->defined) {
        function->place = declarator->place;
        function->result = declarator->type->next;
        function->parameters = declarator->parameters;
        function->parameter_count = declarator->parameter_count;
    }
    function->kernel |= specifiers->is_kernel;
    head_note(parser, declarator, specifiers->is_kernel);
    if (specifiers->required_group || specifiers->hinted_group) {
        function->required_group = specifiers->required_group;
        function->hinted_group = specifiers->hinted_group;
        for (int i = 0; i < 3; i++)
            function->group[i] = specifiers->group[i];
    }
    return function;
}

/* Skips a body and remembers where it is. An open brace is an error, unless the text may not be
 * what it seems. */
static void body_skip(struct code_parser *parser, struct code_function *function)
{
    const struct code_token *open = code_parser_peek(parser);
    uint32_t body = parser->at;
    code_parser_skip_balanced(parser);
    if (parser->failed && parser->context->doubt == NULL)
        code_context_fail(parser->context, FGPU_E_BUILD, open, "a '{' is not closed");
    if (!code_parser_ok(parser))
        return;
    function->defined = true;
    function->body = body;
    function->body_end = parser->at - 1;
    struct code_head *head = vec_at(&parser->heads, parser->heads.count - 1);
    head->body = body;
    head->body_end = parser->at - 1;
}

/* Skips the value of a variable of the file: constants hold no pointers to a kernel's memory. */
static void value_skip(struct code_parser *parser)
{
    while (code_parser_ok(parser) && !code_parser_sees(parser, CODE_PUNCT_COMMA) &&
           !code_parser_sees(parser, CODE_PUNCT_SEMICOLON)) {
        const struct code_token *token = code_parser_peek(parser);
        if (token->kind == CODE_TOKEN_END)
            code_parser_fail(parser, "a declaration does not end");
        else if (code_token_is(token, CODE_PUNCT_LPAREN) ||
                 code_token_is(token, CODE_PUNCT_LBRACE) ||
                 code_token_is(token, CODE_PUNCT_LBRACKET))
            code_parser_skip_balanced(parser);
        else
            code_parser_advance(parser);
    }
}

/* One declarator; true when it was a function's definition, which no `;` ends. */
static bool outer_declarator(struct code_parser *parser, struct code_specifiers *specifiers,
                             uint32_t begin)
{
    struct code_declarator declarator;
    code_declarator_parse(parser, specifiers->type, &declarator);
    specifiers->type = declarator.type;
    code_attributes_parse(parser, specifiers);
    if (declarator.name == 0)
        code_parser_fail(parser, "a name is missing");
    if (!code_parser_ok(parser))
        return false;
    if (specifiers->type->form == CODE_FORM_FUNCTION && !specifiers->is_typedef) {
        struct code_function *function = function_declare(parser, specifiers, &declarator);
        if (function == NULL || !code_parser_sees(parser, CODE_PUNCT_LBRACE))
            return false;
        body_skip(parser, function);
        return true;
    }
    if (!specifiers->is_typedef)
        code_watch_variable(parser, begin, specifiers->type);
    const struct code_operand target = {.type = specifiers->type, .form = CODE_OPERAND_PART};
    code_parser_declare(parser, specifiers->is_typedef ? CODE_SYMBOL_TYPEDEF : CODE_SYMBOL_VARIABLE,
                        declarator.name, specifiers->type);
    if (code_parser_accept(parser, CODE_PUNCT_ASSIGN)) {
        if (parser->watch != NULL) /* vector literals have to be seen */
            code_initializer_parse(parser, target);
        else
            value_skip(parser);
    }
    return false;
}

static void outer_declaration(struct code_parser *parser)
{
    struct code_specifiers specifiers;
    uint32_t begin = parser->at;
    if (code_parser_accept(parser, CODE_PUNCT_SEMICOLON))
        return;
    code_specifiers_parse(parser, &specifiers);
    const struct code_type *base = specifiers.type;
    if (!code_parser_sees(parser, CODE_PUNCT_SEMICOLON)) {
        do {
            specifiers.type = base;
            if (outer_declarator(parser, &specifiers, begin))
                return;
        } while (code_parser_accept(parser, CODE_PUNCT_COMMA));
    }
    code_parser_expect(parser, CODE_PUNCT_SEMICOLON);
}

/* Goes on behind a declaration that could not be read: what it said is in doubt. */
static void recover(struct code_parser *parser, uint32_t begin)
{
    uint32_t depth = 0;
    code_context_doubt(parser->context, parser->failed_line, "%s", parser->failed_text);
    code_watch_unread(parser->watch, begin, parser->failed_text);
    parser->failed = false;
    parser->depth = 0;
    parser->unevaluated = 0;
    for (parser->at = begin; code_parser_peek(parser)->kind != CODE_TOKEN_END;) {
        uint8_t punct = code_parser_peek(parser)->punct;
        code_parser_advance(parser);
        depth += punct == CODE_PUNCT_LBRACE;
        if (depth > 0 && punct == CODE_PUNCT_RBRACE && --depth == 0)
            return;
        if (depth == 0 && (punct == CODE_PUNCT_SEMICOLON || punct == CODE_PUNCT_RBRACE))
            return;
    }
}

/* For a translation: what was declared, in one piece. */
static void item_note(struct code_parser *parser, uint32_t begin, size_t heads)
{
    struct code_watch_item item = {.begin = begin, .end = parser->at};
    if (parser->watch == NULL)
        return;
    if (parser->heads.count > heads) {
        const struct code_head *head = vec_at(&parser->heads, heads);
        item.function = head->name;
        item.body = head->body;
        item.kernel = head->kernel;
    }
    code_context_push(parser->context, &parser->watch->items, &item);
}

/* ---- bodies ---- */

/* Parameters in their scope; parameter i has node i + 2, also one that is no pointer. */
static void declare_parameters(struct code_parser *parser, const struct code_function *function)
{
    parser->result_node = code_flow_add(&parser->flow);
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        const struct code_parameter *parameter = &function->parameters[i];
        uint32_t node = code_flow_add(&parser->flow);
        code_type_note(parser, parameter->type);
        if (parameter->type->form == CODE_FORM_OPAQUE)
            code_watch_refuse(parser->watch, function->body,
                              "images and samplers are not supported on this device");
        if (parameter->name == 0)
            continue;
        uint32_t number =
            code_parser_declare(parser, CODE_SYMBOL_VARIABLE, parameter->name, parameter->type);
        bool holds = parameter->type->form == CODE_FORM_POINTER ||
                     parameter->type->form == CODE_FORM_UNKNOWN;
        if (number != 0)
            code_parser_symbol(parser, number)->node = holds ? node : 0;
    }
}

static uint32_t parameter_node(uint32_t index)
{
    return index + 2;
}

/* What the body did, per parameter. */
static void conclude(struct code_parser *parser, struct code_function *function)
{
    struct code_flow *flow = &parser->flow;
    uint32_t result = code_flow_find(flow, parser->result_node);
    function->result_group = UINT32_MAX;
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        struct code_parameter *parameter = &function->parameters[i];
        uint32_t class = code_flow_find(flow, parameter_node(i));
        uint32_t first = 0;
        while (code_flow_find(flow, parameter_node(first)) != class)
            first++;
        parameter->group = first;
        parameter->marks = code_flow_marks(flow, class);
        if (class == result)
            function->result_group = first;
    }
}

/* The body could not be read: its parameters escape. */
static void give_up(struct code_parser *parser, struct code_function *function)
{
    function->unread = true;
    code_watch_unread(parser->watch, function->body, parser->failed_text);
    function->result_group = UINT32_MAX;
    code_class_note(&function->class, CODE_USE_UNREAD, parser->failed_line, parser->failed_text);
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        function->parameters[i].group = i;
        function->parameters[i].marks = (struct code_marks){CODE_MARK_ESCAPE, parser->failed_line,
                                                            "the function could not be read"};
    }
}

static void body_read(struct code_parser *parser, struct code_function *function)
{
    code_flow_reset(&parser->flow);
    parser->failed = false;
    parser->current = function;
    parser->at = function->body;
    parser->unevaluated = 0;
    code_parser_open_scope(parser);
    if (function->parameter_count > FUNCTION_PARAMETERS)
        code_parser_fail(parser, "it has more than %d parameters", FUNCTION_PARAMETERS);
    else
        declare_parameters(parser, function);
    code_block_parse(parser);
    if (code_parser_ok(parser) && parser->at != function->body_end + 1)
        code_parser_fail(parser, "the body does not end where it seems to");
    code_parser_close_scope(parser);
    if (!code_context_ok(parser->context))
        return;
    if (parser->failed)
        give_up(parser, function);
    else
        conclude(parser, function);
    parser->failed = false;
    parser->current = NULL;
}

/* A function that the body calls and that nobody has looked at; moves *at up to the call. */
static struct code_function *next_callee(const struct code_parser *parser,
                                         const struct code_function *caller, uint32_t *at)
{
    for (; *at < caller->body_end; (*at)++) {
        const struct code_token *token = &parser->tokens[*at];
        if (token->kind != CODE_TOKEN_NAME || parser->names[token->name] == 0)
            continue;
        const struct code_symbol *symbol = code_parser_symbol(parser, parser->names[token->name]);
        struct code_function *function =
            symbol->kind == CODE_SYMBOL_FUNCTION ? symbol->function : NULL;
        for (; function != NULL; function = function->overload)
            if (function->defined && function->state == CODE_FUNCTION_NEW)
                return function;
    }
    return NULL;
}

static void visit_push(struct code_parser *parser, struct vec *stack,
                       struct code_function *function)
{
    const struct visit visit = {function, function->body};
    function->state = CODE_FUNCTION_OPEN;
    code_context_push(parser->context, stack, &visit);
}

/* Reads `root` and all that it calls, callees first. */
static void bodies_read(struct code_parser *parser, struct code_function *root, struct vec *stack)
{
    visit_push(parser, stack, root);
    while (stack->count > 0 && code_context_ok(parser->context)) {
        struct visit *top = vec_at(stack, stack->count - 1);
        struct code_function *function = top->function;
        struct code_function *callee = next_callee(parser, function, &top->at);
        if (callee != NULL) {
            visit_push(parser, stack, callee);
            continue;
        }
        vec_pop(stack);
        body_read(parser, function);
        function->state = CODE_FUNCTION_DONE;
    }
}

void code_functions_parse(struct code_parser *parser)
{
    while (code_parser_peek(parser)->kind != CODE_TOKEN_END) {
        uint32_t begin = parser->at;
        size_t heads = parser->heads.count;
        outer_declaration(parser);
        if (parser->failed && code_context_ok(parser->context))
            recover(parser, begin);
        item_note(parser, begin, heads);
    }
    struct vec stack;
    vec_init(&stack, sizeof(struct visit), parser->context->hooks);
    for (size_t i = 0; i < parser->functions.count && code_context_ok(parser->context); i++) {
        struct code_function *function = *(struct code_function **)vec_at(&parser->functions, i);
        if (function->defined && function->state == CODE_FUNCTION_NEW)
            bodies_read(parser, function, &stack);
    }
    vec_fini(&stack);
}
