/* What the parser tells a translation while it reads (cuda.h): changes to the tokens, by their
 * number.
 *
 * The parser builds no tree, so what a translation needs of types is written down where they are
 * known: texts that replace a token or go before or behind it, and what cannot be translated. All
 * functions take NULL for "nobody watches" and do nothing then. Memory and failures are the
 * context's. Thread: one. Owns its vectors.
 */
#ifndef FASTGPU_CODE_WATCH_H
#define FASTGPU_CODE_WATCH_H

#include "code/token.h"
#include "code/type.h"

struct code_function;
struct code_parser;

struct code_watch_token {
    const char *text; /* stands for it; NULL: itself */
    uint32_t base;    /* of a swizzle: 1 + the swizzle that it is applied to; 0 for none */
    uint8_t width;    /* of a swizzle: of the vector it is applied to; 0 where that is not known */
    bool swizzle;
    bool stored;         /* of a swizzle: what it names is changed */
    const char *refusal; /* NULL, or why it cannot be translated */
    bool unread;         /* the refusal is the reader's: no compiler may take it either */
};

struct code_watch_text {
    uint32_t token;
    uint32_t order; /* ascending in time */
    bool behind;
    const char *text;
};

/* A declaration of the outer level: tokens [begin, end). */
struct code_watch_item {
    uint32_t begin, end;
    uint32_t function; /* its name, where it declares a function; else 0 */
    uint32_t body;     /* of a definition; else 0 */
    bool kernel;
};

struct code_watch {
    struct code_context *context;
    struct code_watch_token *tokens;
    uint32_t count;
    struct vec texts; /* of struct code_watch_text */
    struct vec items; /* of struct code_watch_item */
};

/* FGPU_E_NOMEM through the context; call code_watch_fini in any case. */
void code_watch_init(struct code_watch *watch, struct code_context *context, uint32_t token_count);
void code_watch_fini(struct code_watch *watch);

/* [borrow] texts: live as long as the context. */
void code_watch_replace(struct code_watch *watch, uint32_t token, const char *text);
void code_watch_before(struct code_watch *watch, uint32_t token, const char *text);
void code_watch_behind(struct code_watch *watch, uint32_t token, const char *text);
void code_watch_unread(struct code_watch *watch, uint32_t token, const char *text);
void code_watch_refuse(struct code_watch *watch, uint32_t token, const char *text);

/* ---- what the parser sees ---- */

/* `.name` of a vector of `width` components (0: not known), which is itself the swizzle `base`. */
void code_watch_swizzle(struct code_watch *watch, uint32_t token, uint32_t width, uint32_t base);

/* What the swizzle `part` - 1 names is changed; 0 for none. */
void code_watch_stored(struct code_watch *watch, uint32_t part);

/* Components that `name` picks out of a vector of `width` (0: not known): their numbers go to
 * `picked`. 0: it is no swizzle. lo, hi, even and odd need a width. */
uint32_t code_watch_components(const char *name, uint32_t width, uint8_t picked[16]);

/* `(type)` from token `open` to `close`; what follows is at close + 1. */
void code_watch_cast(const struct code_parser *parser, uint32_t open, uint32_t close,
                     const struct code_type *type);

/* `a ? b : c` with `?` and `:` there, c up to `end`, and a condition that may be a vector. */
void code_watch_choice(struct code_watch *watch, const uint32_t places[3], uint32_t end);

/* Tokens [begin, end) are a choice between two scalars of types below int: an int in C. */
void code_watch_promote(struct code_watch *watch, uint32_t begin, uint32_t end);

/* A call of a function of the text, or of none: the name's token, and behind the `)`. */
void code_watch_call(const struct code_parser *parser, uint32_t name, uint32_t end,
                     const struct code_function *function);

/* `{ values }` at those tokens, which initialises a `type`. */
void code_watch_braces(struct code_watch *watch, const struct code_type *type, uint32_t open,
                       uint32_t close);

/* `vec_step ( type )`, tokens [begin, end). */
void code_watch_step(struct code_watch *watch, uint32_t begin, uint32_t end);

/* A variable whose specifiers begin at that token. */
void code_watch_variable(const struct code_parser *parser, uint32_t begin,
                         const struct code_type *type);

/* Something of type `from`, tokens [begin, end), becomes a `to`. */
void code_watch_convert(struct code_watch *watch, const struct code_type *to,
                        const struct code_type *from, uint32_t begin, uint32_t end);

#endif
