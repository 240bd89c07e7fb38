/* The tokenizer; see token.h.
 *
 * Positions run over raw bytes; lexer_char() looks through line continuations, so that every
 * scanner below sees logical characters only.
 */
#include "code/token.h"

#include <string.h>
#include "code/word.h"

/* Offsets and lines are 32-bit. */
#define LEXER_MAX_BYTES (UINT32_MAX - 1)

struct spelling {
    const char *text;
    uint8_t punct;
};

/* Longest first, so that the first match is the longest one. */
static const struct spelling spellings[] = {{"%:%:", CODE_PUNCT_PASTE},
#define CODE_PUNCT_ROW(name, text) {text, CODE_PUNCT_##name},
                                            CODE_PUNCT_LIST(CODE_PUNCT_ROW)
#undef CODE_PUNCT_ROW
};

static const struct spelling digraphs[] = {
    {"<:", CODE_PUNCT_LBRACKET}, {":>", CODE_PUNCT_RBRACKET}, {"<%", CODE_PUNCT_LBRACE},
    {"%>", CODE_PUNCT_RBRACE},   {"%:", CODE_PUNCT_HASH},
};

static const char *const punct_texts[] = {"",
#define CODE_PUNCT_TEXT(name, text) text,
                                          CODE_PUNCT_LIST(CODE_PUNCT_TEXT)
#undef CODE_PUNCT_TEXT
};

static bool is_newline(int c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\0';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 count as letters: where they are not, the parser stumbles over an unknown name. */
static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

/* Length of the line continuation at `at`, or 0. */
static size_t splice_length(const struct code_lexer *lexer, size_t at)
{
    size_t end = at + 1;
    while (end < lexer->length && is_blank((unsigned char)lexer->text[end]) &&
           lexer->text[end] != '\0')
        end++;
    if (end >= lexer->length || !is_newline((unsigned char)lexer->text[end]))
        return 0;
    char first = lexer->text[end++];
    if (end < lexer->length && is_newline((unsigned char)lexer->text[end]) &&
        lexer->text[end] != first)
        end++;
    return end - at;
}

/* Logical character at *at, which moves over continuations; -1 at the end. */
static int lexer_char(const struct code_lexer *lexer, size_t *at)
{
    while (*at < lexer->length && lexer->text[*at] == '\\') {
        size_t skip = splice_length(lexer, *at);
        if (skip == 0)
            break;
        *at += skip;
    }
    return *at < lexer->length ? (unsigned char)lexer->text[*at] : -1;
}

/* Logical character after the one at `at`. */
static int lexer_after(const struct code_lexer *lexer, size_t at)
{
    size_t next = at + 1;
    return lexer_char(lexer, &next);
}

/* Moves to `to`, counting lines. */
static void lexer_move(struct code_lexer *lexer, size_t to)
{
    for (; lexer->at < to; lexer->at++) {
        char c = lexer->text[lexer->at];
        bool pair =
            c == '\r' && lexer->at + 1 < lexer->length && lexer->text[lexer->at + 1] == '\n';
        if (!is_newline((unsigned char)c) || pair || lexer->line == 0)
            continue;
        lexer->line++;
        lexer->line_start = lexer->at + 1;
    }
}

static struct code_token lexer_mark(const struct code_lexer *lexer, uint8_t kind)
{
    return (struct code_token){
        .offset = (uint32_t)lexer->at,
        .line = lexer->line,
        .column = lexer->line != 0 ? (uint32_t)(lexer->at - lexer->line_start + 1) : 0,
        .kind = kind,
    };
}

/* Position behind the comment at `at`; SIZE_MAX when it does not end. */
static size_t comment_end(const struct code_lexer *lexer, size_t at, bool block)
{
    size_t here = at + 1;
    lexer_char(lexer, &here);
    here++;
    for (;; here++) {
        int c = lexer_char(lexer, &here);
        if (c < 0)
            return block ? SIZE_MAX : here;
        if (!block && is_newline(c))
            return here;
        if (block && c == '*' && lexer_after(lexer, here) == '/') {
            here++;
            lexer_char(lexer, &here);
            return here + 1;
        }
    }
}

/* Skips white space and comments; returns the flags of the token that follows. */
static uint16_t lexer_skip(struct code_lexer *lexer)
{
    unsigned flags = lexer->begun ? 0 : CODE_TOKEN_FIRST;
    lexer->begun = true;
    size_t at = lexer->at;
    for (;;) {
        int c = lexer_char(lexer, &at);
        int next = c == '/' ? lexer_after(lexer, at) : -1;
        if (is_newline(c)) {
            flags |= CODE_TOKEN_FIRST;
            at++;
        } else if (is_blank(c)) {
            at++;
        } else if (next == '/' || next == '*') {
            lexer_move(lexer, at);
            at = comment_end(lexer, at, next == '*');
            if (at == SIZE_MAX) {
                struct code_token token = lexer_mark(lexer, CODE_TOKEN_OTHER);
                code_context_fail(lexer->context, FGPU_E_BUILD, &token, "a comment does not end");
                at = lexer->length;
            }
        } else {
            lexer_move(lexer, at);
            return (uint16_t)flags;
        }
        flags |= CODE_TOKEN_SPACED;
    }
}

static size_t name_end(const struct code_lexer *lexer, size_t at)
{
    size_t end = at + 1;
    for (;;) {
        size_t here = end;
        int c = lexer_char(lexer, &here);
        if (!is_letter(c) && !is_digit(c))
            return end;
        end = here + 1;
    }
}

/* C99's preprocessing number: everything that begins like a number. */
static size_t number_end(const struct code_lexer *lexer, size_t at)
{
    size_t end = at + 1;
    int last = (unsigned char)lexer->text[at];
    for (;;) {
        size_t here = end;
        int c = lexer_char(lexer, &here);
        bool exponent = last == 'e' || last == 'E' || last == 'p' || last == 'P';
        if (!is_letter(c) && !is_digit(c) && c != '.' && !(exponent && (c == '+' || c == '-')))
            return end;
        last = c;
        end = here + 1;
    }
}

/* Position behind the closing quote; SIZE_MAX when the line ends before it. */
static size_t quote_end(const struct code_lexer *lexer, size_t at)
{
    int quote = (unsigned char)lexer->text[at];
    for (at++;; at++) {
        int c = lexer_char(lexer, &at);
        if (c < 0 || is_newline(c))
            return SIZE_MAX;
        if (c == quote)
            return at + 1;
        if (c != '\\')
            continue;
        at++;
        c = lexer_char(lexer, &at);
        if (c < 0 || is_newline(c))
            return SIZE_MAX;
    }
}

/* End of the spelling at `at` if it stands there, else 0. */
static size_t match_end(const struct code_lexer *lexer, size_t at, const char *text)
{
    for (; *text != '\0'; text++, at++)
        if (lexer_char(lexer, &at) != (unsigned char)*text)
            return 0;
    return at;
}

static size_t punct_end(const struct code_lexer *lexer, size_t at, uint8_t *punct)
{
    size_t digraph_count = sizeof digraphs / sizeof *digraphs;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        if (spellings[i].text[0] != lexer->text[at])
            continue;
        size_t end = match_end(lexer, at, spellings[i].text);
        bool single = spellings[i].text[1] == '\0';
        for (size_t d = 0; end != 0 && single && d < digraph_count; d++)
            if (match_end(lexer, at, digraphs[d].text) != 0) {
                *punct = digraphs[d].punct;
                return match_end(lexer, at, digraphs[d].text);
            }
        if (end != 0) {
            *punct = spellings[i].punct;
            return end;
        }
    }
    return 0;
}

/* Number of the spelling [offset, end), without its line continuations. */
static uint32_t lexer_spell(struct code_lexer *lexer, size_t offset, size_t end)
{
    const char *text = lexer->text + offset;
    size_t length = end - offset;
    uint32_t name;
    if (memchr(text, '\\', length) == NULL) {
        name = code_names_intern(&lexer->context->names, text, length);
    } else {
        char *clean = alloc_get(lexer->context->hooks, length, 1);
        size_t used = 0;
        for (size_t at = offset; clean != NULL && at < end; at++) {
            int c = lexer_char(lexer, &at);
            if (at < end)
                clean[used++] = (char)c;
        }
        name = clean != NULL ? code_names_intern(&lexer->context->names, clean, used) : 0;
        alloc_put(lexer->context->hooks, clean, length);
    }
    if (name == 0)
        code_context_fail_memory(lexer->context);
    return name;
}

void code_lexer_init(struct code_lexer *lexer, struct code_context *context, const char *text,
                     size_t length, uint32_t first_line)
{
    *lexer = (struct code_lexer){context, text, length, 0, 0, first_line, false};
    if (length > LEXER_MAX_BYTES) {
        code_context_fail(context, FGPU_E_LIMIT, NULL, "%zu bytes are too many", length);
        lexer->length = 0;
    }
    const char *end = text + lexer->length;
    for (const char *at = text; end - at >= 3 && (at = memchr(at, '?', (size_t)(end - at))); at++)
        if (end - at >= 3 && at[1] == '?' && at[2] != '\0' && strchr("=/'()!<>-", at[2]) != NULL) {
            code_context_doubt(context, 0, "it contains trigraphs");
            break;
        }
    if (lexer->length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        lexer->at = lexer->line_start = 3;
}

struct code_token code_lexer_next(struct code_lexer *lexer)
{
    uint16_t flags = lexer_skip(lexer);
    struct code_token token = lexer_mark(lexer, CODE_TOKEN_END);
    token.flags = flags;
    if (lexer->at >= lexer->length || !code_context_ok(lexer->context)) {
        token.flags |= CODE_TOKEN_FIRST;
        return token;
    }
    size_t at = lexer->at;
    size_t end;
    int c = (unsigned char)lexer->text[at];
    if (is_letter(c)) {
        token.kind = CODE_TOKEN_NAME;
        end = name_end(lexer, at);
    } else if (is_digit(c) || (c == '.' && is_digit(lexer_after(lexer, at)))) {
        token.kind = CODE_TOKEN_NUMBER;
        end = number_end(lexer, at);
    } else if (c == '"' || c == '\'') {
        token.kind = c == '"' ? CODE_TOKEN_STRING : CODE_TOKEN_CHAR;
        end = quote_end(lexer, at);
    } else {
        token.kind = CODE_TOKEN_PUNCT;
        end = punct_end(lexer, at, &token.punct);
    }
    if (end == 0 || end == SIZE_MAX) {
        token.kind = CODE_TOKEN_OTHER;
        end = at + 1;
    }
    if (token.kind != CODE_TOKEN_PUNCT)
        token.name = lexer_spell(lexer, at, end);
    token.length = (uint32_t)(end - at);
    lexer_move(lexer, end);
    return token;
}

const char *code_token_text(const struct code_context *context, const struct code_token *token)
{
    if (token->kind == CODE_TOKEN_PUNCT)
        return punct_texts[token->punct];
    return code_names_text(&context->names, token->name);
}

int code_punct_precedence(uint8_t punct)
{
    switch (punct) {
    case CODE_PUNCT_STAR:
    case CODE_PUNCT_DIV:
    case CODE_PUNCT_MOD:
        return 10;
    case CODE_PUNCT_PLUS:
    case CODE_PUNCT_MINUS:
        return 9;
    case CODE_PUNCT_SHL:
    case CODE_PUNCT_SHR:
        return 8;
    case CODE_PUNCT_LT:
    case CODE_PUNCT_GT:
    case CODE_PUNCT_LE:
    case CODE_PUNCT_GE:
        return 7;
    case CODE_PUNCT_EQ:
    case CODE_PUNCT_NE:
        return 6;
    case CODE_PUNCT_AMP:
        return 5;
    case CODE_PUNCT_XOR:
        return 4;
    case CODE_PUNCT_OR:
        return 3;
    case CODE_PUNCT_AND_AND:
        return 2;
    case CODE_PUNCT_OR_OR:
    case CODE_PUNCT_XOR_XOR:
        return 1;
    default:
        return 0;
    }
}
