/* The tokenizer of OpenCL C 1.2: from bytes to preprocessing tokens.
 *
 * First step of reading a source. Takes any bytes of up to 4 GiB (the limit of sources is lower)
 * and never fails but for a comment that does not end: what is no token (a stray byte, a quote
 * without its end) becomes CODE_TOKEN_OTHER, because in groups that #if leaves out compilers accept
 * it too. Handles line continuations (also with blanks after the backslash, as clang does),
 * comments, digraphs, \r and \r\n, a byte order mark. Trigraphs raise a doubt. A directive is
 * recognised by its `#` with CODE_TOKEN_FIRST; it lasts until the next token with that flag. Tokens
 * keep offset, length, line and column for rewriting (rewrite.h). Source: C99 5.1.1.2, 6.4. Thread:
 * one.
 */
#ifndef FASTGPU_CODE_TOKEN_H
#define FASTGPU_CODE_TOKEN_H

#include "code/context.h"

#define CODE_PUNCT_LIST(X)                                                                         \
    X(ELLIPSIS, "...")                                                                             \
    X(SHL_ASSIGN, "<<=")                                                                           \
    X(SHR_ASSIGN, ">>=")                                                                           \
    X(PASTE, "##")                                                                                 \
    X(SHL, "<<")                                                                                   \
    X(SHR, ">>")                                                                                   \
    X(ARROW, "->")                                                                                 \
    X(INC, "++")                                                                                   \
    X(DEC, "--")                                                                                   \
    X(LE, "<=")                                                                                    \
    X(GE, ">=")                                                                                    \
    X(EQ, "==")                                                                                    \
    X(NE, "!=")                                                                                    \
    X(AND_AND, "&&")                                                                               \
    X(OR_OR, "||")                                                                                 \
    X(XOR_XOR, "^^")                                                                               \
    X(MUL_ASSIGN, "*=")                                                                            \
    X(DIV_ASSIGN, "/=")                                                                            \
    X(MOD_ASSIGN, "%=")                                                                            \
    X(ADD_ASSIGN, "+=")                                                                            \
    X(SUB_ASSIGN, "-=")                                                                            \
    X(AND_ASSIGN, "&=")                                                                            \
    X(XOR_ASSIGN, "^=")                                                                            \
    X(OR_ASSIGN, "|=")                                                                             \
    X(LPAREN, "(")                                                                                 \
    X(RPAREN, ")")                                                                                 \
    X(LBRACKET, "[")                                                                               \
    X(RBRACKET, "]")                                                                               \
    X(LBRACE, "{")                                                                                 \
    X(RBRACE, "}")                                                                                 \
    X(DOT, ".")                                                                                    \
    X(AMP, "&")                                                                                    \
    X(STAR, "*")                                                                                   \
    X(PLUS, "+")                                                                                   \
    X(MINUS, "-")                                                                                  \
    X(TILDE, "~")                                                                                  \
    X(NOT, "!")                                                                                    \
    X(DIV, "/")                                                                                    \
    X(MOD, "%")                                                                                    \
    X(LT, "<")                                                                                     \
    X(GT, ">")                                                                                     \
    X(XOR, "^")                                                                                    \
    X(OR, "|")                                                                                     \
    X(QUESTION, "?")                                                                               \
    X(COLON, ":")                                                                                  \
    X(SEMICOLON, ";")                                                                              \
    X(ASSIGN, "=")                                                                                 \
    X(COMMA, ",")                                                                                  \
    X(HASH, "#")

enum code_punct {
    CODE_PUNCT_NONE = 0,
#define CODE_PUNCT_ENUM(name, text) CODE_PUNCT_##name,
    CODE_PUNCT_LIST(CODE_PUNCT_ENUM)
#undef CODE_PUNCT_ENUM
        CODE_PUNCT_COUNT
};

enum code_token_kind {
    CODE_TOKEN_END,
    CODE_TOKEN_NAME,
    CODE_TOKEN_NUMBER,
    CODE_TOKEN_STRING,
    CODE_TOKEN_CHAR,
    CODE_TOKEN_PUNCT,
    CODE_TOKEN_OTHER
};

enum code_token_flag {
    CODE_TOKEN_FIRST = 1,   /* first on its line */
    CODE_TOKEN_SPACED = 2,  /* white space or a comment before it */
    CODE_TOKEN_PAINTED = 4, /* never to be expanded again (C99 6.10.3.4) */
    CODE_TOKEN_MACRO = 8,   /* comes out of a macro; its place is that of the invocation */
    CODE_TOKEN_UNCERTAIN =
        16 /* a number, or a name, that another device may see as another number */
};

struct code_token {
    uint32_t offset; /* bytes of the source that it was read from: [offset, offset + length) */
    uint32_t length;
    uint32_t line;   /* from 1; 0 for text that is not in the source (build options) */
    uint32_t column; /* from 1, in bytes */
    uint32_t name;   /* its spelling (name.h); 0 for punctuators and the end */
    uint8_t kind;    /* enum code_token_kind */
    uint8_t punct;   /* enum code_punct */
    uint16_t flags;  /* enum code_token_flag */
};

struct code_lexer {
    struct code_context *context;
    const char *text;
    size_t length;
    size_t at;
    size_t line_start;
    uint32_t line; /* 0: positions are not counted */
    bool begun;    /* the first token was read */
};

/* [borrow] text: at most UINT32_MAX bytes, until the last token was read. first_line: 1, or 0 for
 * no positions. */
void code_lexer_init(struct code_lexer *lexer, struct code_context *context, const char *text,
                     size_t length, uint32_t first_line);

/* The next token; CODE_TOKEN_END for ever after the last, or after a failure of the context. */
struct code_token code_lexer_next(struct code_lexer *lexer);

/* Spelling as text, NUL-terminated. */
const char *code_token_text(const struct code_context *context, const struct code_token *token);

/* How tightly a binary operator binds, from 1 (`||`, `^^`) to 10 (`*`, `/`, `%`); 0 for everything
 * else, also for assignments and the comma. */
int code_punct_precedence(uint8_t punct);

static inline bool code_token_is(const struct code_token *token, enum code_punct punct)
{
    return token->punct == (uint8_t)punct;
}

static inline bool code_token_is_word(const struct code_token *token, uint32_t word)
{
    return token->kind == CODE_TOKEN_NAME && token->name == word;
}

#endif
