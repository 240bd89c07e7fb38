/* Macros and their expansion: C99 6.10.3 with the GNU forms that clang takes (named variadics, `,
 * ## __VA_ARGS__`).
 *
 * The table says for each name whether it is defined, and whether another device might see it
 * differently
 * (`uncertain`, from a #define under an #if over what the device defines). The expander reads raw
 * tokens from a source and delivers expanded ones; tokens out of a macro carry the place of the
 * invocation. The method is a stack of token lists with the macro switched off while its list
 * lasts, as GNU cpp describes in its internals manual. Every token read, copied or pasted costs
 * budget, so that no text expands exponentially. Thread: one.
 */
#ifndef FASTGPU_CODE_MACRO_H
#define FASTGPU_CODE_MACRO_H

#include "code/token.h"

/* More parameters than C99 5.2.4.1 asks for (127), few enough to look through. */
enum { CODE_MACRO_PARAMETERS = 256 };

struct code_macro {
    uint32_t name;
    bool defined;
    bool function_like;
    bool variadic;   /* the last parameter takes the rest */
    bool predefined; /* by the language: its value is known to condition.c only */
    bool uncertain;  /* on another device it may be defined otherwise */
    bool harmless;   /* if so, then as another number */
    bool disabled;   /* its own expansion is being read */
    uint32_t parameter_count;
    uint32_t body_count;
    const struct code_token *body;
    const uint32_t *slots; /* per body token: 1 + index of the parameter that it names, or 0 */
};

struct code_macros {
    struct code_context *context;
    struct vec by_name; /* of struct code_macro *, NULL where a name is no macro */
};

void code_macros_init(struct code_macros *macros, struct code_context *context);
void code_macros_fini(struct code_macros *macros);

/* The record of a name, also when it is not defined at present; NULL when it never was. */
struct code_macro *code_macros_find(const struct code_macros *macros, uint32_t name);

/* The same, made when missing; NULL when there is no memory. */
struct code_macro *code_macros_touch(struct code_macros *macros, uint32_t name);

/* Reads the tokens behind `#define` into `macro` (its `name` and all that follows from the text);
 * false when they are no definition. Bodies live in the context's arena. */
bool code_macro_parse(struct code_context *context, const struct code_token *tokens, size_t count,
                      struct code_macro *macro);

/* True when the body is one number, perhaps with signs and parentheses around it. */
bool code_macro_is_number(const struct code_macro *macro);

/* Where raw tokens come from; CODE_TOKEN_END at the end. */
struct code_token_source {
    struct code_token (*next)(void *user);
    void *user;
};

struct code_expander {
    struct code_context *context;
    struct code_macros *macros;
    struct code_token_source source;
    struct vec levels; /* stack of struct expand_level */
    size_t base;       /* levels below it are out of reach; 0: the source lies at the bottom */
    bool bounded;      /* a list is being expanded, the source is out of reach */
    bool condition;    /* what is uncertain becomes an uncertain 0 (condition.h) */
    bool peeked;       /* `ahead` holds a raw token */
    struct code_token ahead;
    uint64_t budget;  /* what may still be done */
    uint32_t depth;   /* arguments inside arguments */
    uint32_t counter; /* __COUNTER__ */
};

void code_expander_init(struct code_expander *expander, struct code_macros *macros,
                        struct code_token_source source, uint64_t budget);
void code_expander_fini(struct code_expander *expander);

/* Next expanded token of the source. */
struct code_token code_expander_next(struct code_expander *expander);

/* Expands a list on its own, to the end of `out` (a vec of struct code_token). */
void code_expander_list(struct code_expander *expander, const struct code_token *tokens,
                        size_t count, struct vec *out);

/* The steps of one replacement, in substitute.c. `arguments` are the raw tokens between the
 * parentheses, `ends[i]` the end of argument i in them. Appends the replacement of `macro` at
 * `place` to `out`. */
struct code_arguments {
    struct vec tokens; /* of struct code_token */
    struct vec ends;   /* of uint32_t */
};

void code_macro_substitute(struct code_expander *expander, const struct code_macro *macro,
                           const struct code_token *place, const struct code_arguments *arguments,
                           struct vec *out);

/* Takes `cost` from the budget; false, with the failure raised, when it is spent. */
bool code_expander_charge(struct code_expander *expander, uint64_t cost,
                          const struct code_token *place);

#endif
