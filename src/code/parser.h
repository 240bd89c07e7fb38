/* The parser's state and what its files offer each other; nobody else includes it.
 *
 * The parser takes the preprocessed tokens and builds no tree. One pass over the file's outer level
 * finds types and functions (function.c); then each function body is read once, callees first, and
 * what expressions do is recorded at once: in the flow (access.h) and in the function's class
 * (classify.h). A body that cannot be read makes only its function unknown: `failed` stops the
 * tokens until the function ends. function.c -> statement.c -> expression.c -> call.c, operand.c;
 * all -> declarator.c -> specifier.c -> parser.c Owns symbols and nodes; functions live in the
 * arena. Thread: one. Source of the grammar: C99 annex A.
 */
#ifndef FASTGPU_CODE_PARSER_H
#define FASTGPU_CODE_PARSER_H

#include "base/limits.h"
#include "code/access.h"
#include "code/classify.h"
#include "code/head.h"
#include "code/token.h"
#include "code/type.h"
#include "code/watch.h"
#include "code/word.h"

enum code_symbol_kind {
    CODE_SYMBOL_TYPEDEF,
    CODE_SYMBOL_VARIABLE,
    CODE_SYMBOL_ENUMERATOR,
    CODE_SYMBOL_FUNCTION,
    CODE_SYMBOL_TAG
};

struct code_symbol {
    uint32_t name;
    uint8_t kind; /* enum code_symbol_kind */
    bool predeclared;
    uint32_t depth;    /* of its scope; 0: the file */
    uint32_t from;     /* first token that may use it */
    uint32_t previous; /* what the name meant before, 0 for nothing */
    uint32_t node;     /* of a pointer variable, in the flow */
    const struct code_type *type;
    struct code_record *record;     /* of a tag */
    struct code_function *function; /* first one of this name */
};

struct code_parameter {
    uint32_t name; /* 0 for none */
    struct code_token place;
    const struct code_type *type;
    /* After the body was read: */
    struct code_marks marks;
    uint32_t group; /* index of the first parameter of the same class */
};

struct code_function {
    uint32_t name;
    struct code_token place;
    const struct code_type *result;
    uint32_t parameter_count;
    struct code_parameter *parameters;
    struct code_function *overload; /* next of the same name */
    bool kernel;
    bool defined;
    bool required_group; /* reqd_work_group_size, or a hint */
    bool hinted_group;
    uint32_t group[3];
    uint32_t body;     /* index of the `{` token */
    uint32_t body_end; /* of its `}` */
    /* After the body was read: */
    enum { CODE_FUNCTION_NEW, CODE_FUNCTION_OPEN, CODE_FUNCTION_DONE } state;
    bool unread;           /* the body could not be read: everything escapes */
    uint32_t result_group; /* index of the parameter that the result may point into; UINT32_MAX for
                              none */
    struct code_class class;
};

/* What an expression stands for. */
enum code_operand_form {
    CODE_OPERAND_VALUE,
    CODE_OPERAND_VARIABLE, /* a whole variable */
    CODE_OPERAND_PART,     /* of a variable: a member, an element of a vector */
    CODE_OPERAND_MEMORY    /* behind a pointer of class `node` */
};

enum code_breadth { CODE_BREADTH_UNKNOWN, CODE_BREADTH_SCALAR, CODE_BREADTH_VECTOR };

struct code_operand {
    const struct code_type *type;
    uint32_t node;   /* class of a pointer value; 0 for none */
    uint32_t symbol; /* of a VARIABLE */
    uint8_t form;    /* enum code_operand_form */
    uint8_t space;   /* of MEMORY */
    uint8_t quals;   /* of MEMORY, gathered on the way into it */
    uint8_t breadth; /* enum code_breadth, where the type is that of every arithmetic result */
    uint32_t part;   /* 1 + the token of the swizzle that it is, for `watch` */
};

struct code_parser {
    struct code_context *context;
    const struct code_token *tokens; /* CODE_TOKEN_END last */
    uint32_t count;
    uint32_t at;
    uint32_t depth; /* of statements, expressions, declarators */
    bool failed;
    uint32_t failed_line;
    const char *failed_text;
    struct vec symbols; /* of struct code_symbol; 0 is none */
    struct vec scopes;  /* of uint32_t: symbols when it was opened */
    uint32_t *names;    /* by name: innermost symbol that is no tag */
    uint32_t *tags;     /* by name: innermost tag */
    uint32_t name_count;
    struct vec functions; /* of struct code_function * */
    struct vec heads;     /* of struct code_head, in the order of the text */
    struct vec arguments; /* of struct code_operand: stack for calls */
    struct vec collected; /* of struct code_parameter: stack for declarators */
    struct vec members;   /* of struct code_member: stack for structs */
    struct code_flow flow;
    struct code_function *current; /* whose body is read; NULL at the outer level */
    uint32_t result_node;          /* what `current` returns */
    uint32_t statement;            /* first token of the statement */
    uint32_t unevaluated;          /* inside sizeof */
    uint32_t global_reads;         /* loads from global memory so far */
    struct code_watch *watch;      /* [borrow] NULL: nobody translates this */
    uint32_t effects;              /* assignments, and calls that may do something, so far */
};

/* ---- parser.c: tokens, failure, scopes ---- */

bool code_parser_init(struct code_parser *parser, struct code_context *context,
                      const struct code_token *tokens, size_t count);
void code_parser_fini(struct code_parser *parser);

/* The token to be read, and the one after it; the end when something failed. Never NULL. */
const struct code_token *code_parser_peek(const struct code_parser *parser);
const struct code_token *code_parser_peek_next(const struct code_parser *parser);
void code_parser_advance(struct code_parser *parser);

static inline bool code_parser_sees(const struct code_parser *parser, enum code_punct punct)
{
    return code_token_is(code_parser_peek(parser), punct);
}

/* The keyword to be read, 0 when it is none. */
uint32_t code_parser_word(const struct code_parser *parser);

bool code_parser_accept(struct code_parser *parser, enum code_punct punct);
bool code_parser_accept_word(struct code_parser *parser, uint32_t word);
/* Fails when it does not come next. */
void code_parser_expect(struct code_parser *parser, enum code_punct punct);

/* Gives the function up; only the first text counts. */
void code_parser_fail(struct code_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
static inline bool code_parser_ok(const struct code_parser *parser)
{
    return !parser->failed && code_context_ok(parser->context);
}

/* One level deeper; false, with the failure raised, past LIMITS_CODE_DEPTH. Leave only what was
 * entered. */
bool code_parser_enter(struct code_parser *parser);
void code_parser_leave(struct code_parser *parser);

/* From the opening bracket to behind the matching closing one, looking at that kind only; fails
 * when there is none. */
void code_parser_skip_balanced(struct code_parser *parser);

void code_parser_open_scope(struct code_parser *parser);
void code_parser_close_scope(struct code_parser *parser);

/* Declares a name here; returns the symbol's number, 0 on failure. A second declaration at the
 * outer level is the first one again. */
uint32_t code_parser_declare(struct code_parser *parser, enum code_symbol_kind kind, uint32_t name,
                             const struct code_type *type);

/* What a name means at this place; NULL when it is not declared. */
struct code_symbol *code_parser_lookup(const struct code_parser *parser, uint32_t name);
struct code_symbol *code_parser_lookup_tag(const struct code_parser *parser, uint32_t name);
struct code_symbol *code_parser_symbol(const struct code_parser *parser, uint32_t number);

/* Notes what the function being read uses, at the token before; nothing inside sizeof. */
void code_parser_note(struct code_parser *parser, enum code_use use, const char *detail);

/* Line of the token to be read. */
uint32_t code_parser_line(const struct code_parser *parser);

/* ---- specifier.c: `static const uint`, struct, enum, attributes ---- */

struct code_specifiers {
    const struct code_type *type;
    bool is_typedef;
    bool is_kernel;
    bool required_group;
    bool hinted_group;
    uint32_t group[3];
};

/* Does a declaration begin here? */
bool code_specifiers_begin(const struct code_parser *parser);
void code_specifiers_parse(struct code_parser *parser, struct code_specifiers *out);

/* Attributes, any number; those that matter go to `out`. */
void code_attributes_parse(struct code_parser *parser, struct code_specifiers *out);

/* Qualifiers, spaces and attributes behind a `*`; returns the type with them. */
const struct code_type *code_qualifiers_parse(struct code_parser *parser,
                                              const struct code_type *type);

/* ---- declarator.c: `*const name[4]` ---- */

struct code_declarator {
    uint32_t name; /* 0 for an abstract one */
    struct code_token place;
    const struct code_type *type;
    uint32_t parameter_count; /* when the type is a FUNCTION and the name stands right before `(` */
    struct code_parameter *parameters;
};

void code_declarator_parse(struct code_parser *parser, const struct code_type *base,
                           struct code_declarator *out);

/* `const float *` in casts and sizeof. */
const struct code_type *code_type_name_parse(struct code_parser *parser);

/* ---- operand.c: loads, stores, pointers that leave ---- */

/* Is the value a scalar or a vector, as far as that is known? */
enum code_breadth code_operand_breadth(const struct code_operand *operand);

struct code_operand code_operand_value(const struct code_type *type, uint32_t node);

/* A node for a variable that can hold a pointer to be followed, else 0: what goes into arrays and
 * structs escapes. */
uint32_t code_variable_node(struct code_parser *parser, const struct code_type *type);

/* The value in it; reads what has to be read. Arrays become pointers. */
struct code_operand code_operand_load(struct code_parser *parser, struct code_operand operand);

/* Puts a loaded value into it. */
void code_operand_store(struct code_parser *parser, struct code_operand target,
                        struct code_operand value);

/* What a loaded pointer points to. */
struct code_operand code_operand_dereference(struct code_parser *parser,
                                             struct code_operand pointer);

struct code_operand code_operand_address(struct code_parser *parser, struct code_operand operand);

/* A loaded value goes where pointers are not followed. */
void code_operand_escape(struct code_parser *parser, struct code_operand value, const char *reason);

/* Marks the class of a loaded pointer. */
void code_operand_mark(struct code_parser *parser, struct code_operand pointer, uint32_t marks,
                       const char *reason);

/* ---- expression.c, call.c ---- */

struct code_operand code_expression_parse(struct code_parser *parser);  /* with commas */
struct code_operand code_assignment_parse(struct code_parser *parser);  /* without */
struct code_operand code_conditional_parse(struct code_parser *parser); /* without `=` either */

/* `name ( arguments )`: the name has been read, the parenthesis comes next. symbol: NULL when it is
 * not declared. */
struct code_operand code_call_parse(struct code_parser *parser, const struct code_token *name,
                                    const struct code_symbol *symbol);

/* `expression ( arguments )` */
struct code_operand code_call_indirect(struct code_parser *parser, struct code_operand callee);

/* ---- statement.c ---- */

void code_block_parse(struct code_parser *parser);

/* Notes what a function that has something of this type uses. */
void code_type_note(struct code_parser *parser, const struct code_type *type);

/* `= value` or `= { values }`, behind the `=`. */
void code_initializer_parse(struct code_parser *parser, struct code_operand target);

/* ---- function.c ---- */

/* Reads the file: afterwards every function is DONE. */
void code_functions_parse(struct code_parser *parser);

#endif
