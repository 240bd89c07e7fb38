/* From tokens to text; see cuda_write.h.
 *
 * Words that C++ does not have are dropped or become others; a number of bytes more is written for
 * shifts, whose counts OpenCL takes modulo the width (cuda_prelude.cu).
 */
#include "code/cuda_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "code/cuda_names.h"

enum { WRITE_NEWLINES = 16 }; /* more than that: #line */

static int compare_texts(const void *a, const void *b)
{
    const struct code_watch_text *x = a;
    const struct code_watch_text *y = b;
    if (x->token != y->token)
        return x->token < y->token ? -1 : 1;
    if (x->behind != y->behind)
        return x->behind ? 1 : -1;
    /* What encloses is noted after what it encloses. */
    return (x->order < y->order) == x->behind ? -1 : 1;
}

void code_cuda_writer_init(struct code_cuda_writer *writer, struct code_context *context,
                           struct code_watch *watch, const struct code_token *tokens)
{
    *writer = (struct code_cuda_writer){
        .context = context, .watch = watch, .tokens = tokens, .line = UINT32_MAX};
    vec_init(&writer->out, 1, context->hooks);
    if (watch->texts.count > 1)
        qsort(vec_at(&watch->texts, 0), watch->texts.count, watch->texts.item_bytes, compare_texts);
}

void code_cuda_writer_fini(struct code_cuda_writer *writer)
{
    vec_fini(&writer->out);
}

void code_cuda_put(struct code_cuda_writer *writer, const char *text)
{
    size_t bytes = strlen(text);
    struct vec *out = &writer->out;
    if (!code_context_ok(writer->context))
        return;
    if (out->count + bytes > 2 * (size_t)LIMITS_SOURCE_BYTES) {
        (void)code_context_fail(writer->context, FGPU_E_LIMIT, NULL,
                                "its translation is longer than %u bytes", 2 * LIMITS_SOURCE_BYTES);
        return;
    }
    while (out->capacity < out->count + bytes)
        if (!vec_reserve(out, out->capacity * 2 + 4096)) {
            (void)code_context_fail_memory(writer->context);
            return;
        }
    memcpy(out->items + out->count, text, bytes);
    out->count += bytes;
}

/* ---- words ---- */

/* What stands for a word: NULL for itself, "" for nothing. */
static const char *word_text(uint32_t word)
{
    switch (word) {
    case CODE_WORD_kernel:
    case CODE_WORD___kernel:
    case CODE_WORD_global:
    case CODE_WORD___global:
    case CODE_WORD_local:
    case CODE_WORD___local:
    case CODE_WORD_constant:
    case CODE_WORD___constant:
    case CODE_WORD_private:
    case CODE_WORD___private:
    case CODE_WORD___generic:
    case CODE_WORD_register:
    case CODE_WORD_auto:
    case CODE_WORD___extension__:
        return "";
    case CODE_WORD___const:
        return "const";
    case CODE_WORD___volatile:
    case CODE_WORD___volatile__:
        return "volatile";
    case CODE_WORD_restrict:
    case CODE_WORD___restrict:
        return "__restrict__";
    case CODE_WORD___inline:
    case CODE_WORD___inline__:
        return "inline";
    case CODE_WORD___signed:
    case CODE_WORD___signed__:
        return "signed";
    case CODE_WORD__Bool:
        return "bool";
    case CODE_WORD__Alignof:
    case CODE_WORD___alignof:
        return "__alignof__";
    case CODE_WORD__Static_assert:
        return "static_assert";
    case CODE_WORD___OPENCL_VERSION__:
        return "120";
    default:
        return NULL;
    }
}

static bool word_refused(uint32_t word)
{
    return word == CODE_WORD_asm || word == CODE_WORD___asm || word == CODE_WORD___asm__ ||
           word == CODE_WORD__Generic || word == CODE_WORD__Atomic || word == CODE_WORD_typeof ||
           word == CODE_WORD___typeof || word == CODE_WORD___typeof__;
}

const char *code_cuda_name(struct code_cuda_writer *writer, uint32_t name)
{
    const char *text = code_names_text(&writer->context->names, name);
    size_t bytes = strlen(text) + sizeof "fcl_u_";
    char *other = NULL;
    if (!code_cuda_taken(text))
        return text;
    other = code_context_alloc(writer->context, bytes);
    if (other == NULL)
        return "";
    (void)snprintf(other, bytes, "fcl_u_%s", text);
    return other;
}

/* ---- single tokens ---- */

/* A decimal constant with a fraction or an exponent and without a suffix. */
static bool is_plain_double(const char *number)
{
    size_t length = strlen(number);
    bool hex = number[0] == '0' && (number[1] == 'x' || number[1] == 'X');
    bool floats = strpbrk(number, hex ? ".pP" : ".eE") != NULL;
    return floats && strchr("fFlLhH", number[length - 1]) == NULL;
}

/* A conversion for vectors in a format of printf. */
static bool has_vector_format(const char *text)
{
    for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at, '%')) {
        at++;
        if (*at == '%') {
            at++;
            continue;
        }
        at += strspn(at, "-+ #0123456789.*");
        if (*at == 'v')
            return true;
    }
    return false;
}

static void put_swizzle(struct code_cuda_writer *writer, const struct code_watch_token *note,
                        const struct code_token *token)
{
    const char *name = code_token_text(writer->context, token);
    uint8_t picked[16];
    uint32_t count = code_watch_components(name, note->width, picked);
    char text[80] = "";
    int used;
    if (count == 0 && note->width == 0 &&
        (strcmp(name, "lo") == 0 || strcmp(name, "hi") == 0 || strcmp(name, "even") == 0 ||
         strcmp(name, "odd") == 0)) {
        code_cuda_put(writer, name);
        code_cuda_put(writer, "()");
        return;
    }
    if (count == 0) {
        (void)code_context_fail(writer->context, FGPU_E_BUILD, token,
                                "'%.64s' names no components of this vector", name);
        return;
    }
    used = snprintf(text, sizeof text, "%s<", count == 1 ? "at" : note->stored ? "ref" : "get");
    for (uint32_t i = 0; i < count; i++)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s%u", i > 0 ? ", " : "", picked[i]);
    code_cuda_put(writer, text);
    code_cuda_put(writer, ">()");
}

static void put_punct(struct code_cuda_writer *writer, const struct code_token *token)
{
    const char *text = code_token_text(writer->context, token);
    switch (token->punct) {
    case CODE_PUNCT_SHL:
        code_cuda_put(writer, "<< fcl::sh() <<");
        break;
    case CODE_PUNCT_SHR:
        code_cuda_put(writer, ">> fcl::sh() >>");
        break;
    case CODE_PUNCT_SHL_ASSIGN:
        code_cuda_put(writer, "<<= fcl::sh() =");
        break;
    case CODE_PUNCT_SHR_ASSIGN:
        code_cuda_put(writer, ">>= fcl::sh() =");
        break;
    default:
        code_cuda_put(writer, text);
    }
}

static void put_name(struct code_cuda_writer *writer, const struct code_watch_token *note,
                     const struct code_token *token)
{
    const char *word = word_text(token->name);
    if (note->swizzle)
        put_swizzle(writer, note, token);
    else if (word != NULL)
        code_cuda_put(writer, word);
    else if (word_refused(token->name))
        (void)code_context_fail(writer->context, FGPU_E_UNSUPPORTED, token,
                                "'%.64s' is not translated for this device",
                                code_token_text(writer->context, token));
    else
        code_cuda_put(writer, code_cuda_name(writer, token->name));
}

static void put_plain(struct code_cuda_writer *writer, uint32_t at)
{
    const struct code_token *token = &writer->tokens[at];
    const char *text = code_token_text(writer->context, token);
    switch (token->kind) {
    case CODE_TOKEN_PUNCT:
        put_punct(writer, token);
        break;
    case CODE_TOKEN_NAME:
        put_name(writer, &writer->watch->tokens[at], token);
        break;
    case CODE_TOKEN_STRING:
        if (has_vector_format(text))
            (void)code_context_fail(writer->context, FGPU_E_UNSUPPORTED, token,
                                    "printf of vectors (%%v) is not translated for this device");
        code_cuda_put(writer, text);
        break;
    case CODE_TOKEN_CHAR: /* an int in C */
        code_cuda_put(writer, "+");
        code_cuda_put(writer, text);
        break;
    case CODE_TOKEN_OTHER:
        (void)code_context_fail(writer->context, FGPU_E_BUILD, token, "'%.64s' cannot be read",
                                text);
        break;
    default:
        code_cuda_put(writer, text);
        if (token->kind == CODE_TOKEN_NUMBER && writer->single && is_plain_double(text))
            code_cuda_put(writer, "f");
    }
}

/* ---- places ---- */

static void put_line(struct code_cuda_writer *writer, const struct code_token *token)
{
    char text[40];
    uint32_t line = token->line;
    if (line == 0 || line == writer->line)
        return;
    if (line > writer->line && line - writer->line < WRITE_NEWLINES) {
        for (; writer->line < line; writer->line++)
            code_cuda_put(writer, "\n");
        return;
    }
    (void)snprintf(text, sizeof text, "\n#line %u\n",
                   line > writer->first ? line - writer->first : 1);
    code_cuda_put(writer, text);
    writer->line = line;
}

/* Texts noted for the token, before or behind it. */
static void put_notes(struct code_cuda_writer *writer, uint32_t at, bool behind)
{
    const struct vec *texts = &writer->watch->texts;
    size_t low = 0, high = texts->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (((const struct code_watch_text *)vec_at(texts, middle))->token < at)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < texts->count; low++) {
        const struct code_watch_text *text = vec_at(texts, low);
        if (text->token != at)
            return;
        if (text->behind == behind)
            code_cuda_put(writer, text->text);
    }
}

/* ---- runs of tokens ---- */

/* Behind the `)) `that ends an attribute. *kept: it changes a layout. */
static uint32_t skip_attribute(const struct code_cuda_writer *writer, uint32_t at, uint32_t end,
                               bool *kept)
{
    uint32_t depth = 0;
    *kept = false;
    for (at++; at < end; at++) {
        const struct code_token *token = &writer->tokens[at];
        const char *text =
            token->kind == CODE_TOKEN_NAME ? code_token_text(writer->context, token) : "";
        *kept |= strstr(text, "packed") != NULL || strstr(text, "aligned") != NULL;
        depth += code_token_is(token, CODE_PUNCT_LPAREN);
        if (code_token_is(token, CODE_PUNCT_RPAREN) && --depth == 0)
            return at + 1;
        if (depth == 0)
            return at;
    }
    return end;
}

/* `enum` at `at`: where its braces close, 0 where it has none. */
static uint32_t enum_end(const struct code_cuda_writer *writer, uint32_t at, uint32_t end)
{
    at++;
    if (at < end && writer->tokens[at].kind == CODE_TOKEN_NAME)
        at++;
    if (at >= end || !code_token_is(&writer->tokens[at], CODE_PUNCT_LBRACE))
        return 0;
    for (; at < end; at++)
        if (code_token_is(&writer->tokens[at], CODE_PUNCT_RBRACE))
            return at;
    return 0;
}

static bool is_attribute(const struct code_token *token)
{
    return code_token_is_word(token, CODE_WORD___attribute__) ||
           code_token_is_word(token, CODE_WORD___attribute);
}

/* `struct` or `union` at `at`: where its braces close, 0 where it has none. */
static uint32_t record_end(const struct code_cuda_writer *writer, uint32_t at, uint32_t end)
{
    uint32_t depth = 0;
    bool kept;
    at++;
    while (at < end && is_attribute(&writer->tokens[at]))
        at = skip_attribute(writer, at, end, &kept);
    if (at < end && writer->tokens[at].kind == CODE_TOKEN_NAME)
        at++;
    if (at >= end || !code_token_is(&writer->tokens[at], CODE_PUNCT_LBRACE))
        return 0;
    for (; at < end; at++) {
        depth += code_token_is(&writer->tokens[at], CODE_PUNCT_LBRACE);
        depth -= code_token_is(&writer->tokens[at], CODE_PUNCT_RBRACE);
        if (depth == 0)
            return at;
    }
    return 0;
}

/* `struct` is written: attributes behind its `}` come here, for NVRTC ignores them there without a
 * word. What moves has an empty text of its own from now on. */
static void move_attributes(struct code_cuda_writer *writer, uint32_t at, uint32_t end)
{
    uint32_t close = record_end(writer, at, end);
    bool kept = false;
    if (close == 0)
        return;
    for (at = close + 1; at < end && is_attribute(&writer->tokens[at]);) {
        uint32_t behind = skip_attribute(writer, at, end, &kept);
        for (; at < behind; at++) {
            if (kept) {
                put_plain(writer, at);
                code_cuda_put(writer, " ");
            }
            code_watch_replace(writer->watch, at, "");
        }
    }
}

static bool is_record_word(const struct code_token *token)
{
    return code_token_is_word(token, CODE_WORD_struct) ||
           code_token_is_word(token, CODE_WORD_union) || code_token_is_word(token, CODE_WORD_enum);
}

static void put_token(struct code_cuda_writer *writer, uint32_t at)
{
    const struct code_watch_token *note = &writer->watch->tokens[at];
    const struct code_token *token = &writer->tokens[at];
    if (note->refusal != NULL)
        (void)code_context_fail(writer->context, note->unread ? FGPU_E_BUILD : FGPU_E_UNSUPPORTED,
                                token, "%s", note->refusal);
    put_line(writer, token);
    put_notes(writer, at, false);
    /* Tags have names of their own in C. */
    if (writer->tag && token->kind == CODE_TOKEN_NAME)
        code_cuda_put(writer, "fcl_tag_");
    writer->tag = is_record_word(token);
    if (note->text != NULL)
        code_cuda_put(writer, note->text);
    else
        put_plain(writer, at);
    put_notes(writer, at, true);
    code_cuda_put(writer, " ");
}

/* What makes an enum other than an int. */
static void refuse_attribute(struct code_cuda_writer *writer, uint32_t at, uint32_t end)
{
    bool kept = false;
    if (at < end && is_attribute(&writer->tokens[at]))
        (void)skip_attribute(writer, at, end, &kept);
    if (kept)
        (void)code_context_fail(writer->context, FGPU_E_UNSUPPORTED, &writer->tokens[at],
                                "attributes of enums are not translated for this device");
}

/* An enum is an int in C: `enum E` becomes int, `typedef enum {A} E;` an enum and a typedef.
 * Returns where to go on. */
static uint32_t write_enum(struct code_cuda_writer *writer, uint32_t at, uint32_t end)
{
    uint32_t close = enum_end(writer, at, end);
    bool tagged = at + 1 < end && writer->tokens[at + 1].kind == CODE_TOKEN_NAME;
    bool is_typedef = writer->typedef_enum;
    writer->typedef_enum = false;
    refuse_attribute(writer, close == 0 ? at + 1 : close + 1, end);
    if (close == 0) {
        put_line(writer, &writer->tokens[at]);
        put_notes(writer, at, false);
        code_cuda_put(writer, "int ");
        return at + 1 + tagged;
    }
    for (; at <= close; at++)
        put_token(writer, at);
    if (at < end && !code_token_is(&writer->tokens[at], CODE_PUNCT_SEMICOLON))
        code_cuda_put(writer, is_typedef ? "; typedef int " : "; int ");
    return at;
}

void code_cuda_write(struct code_cuda_writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t at = begin;
    while (at < end && code_context_ok(writer->context)) {
        const struct code_token *token = &writer->tokens[at];
        uint32_t word = token->kind == CODE_TOKEN_NAME ? token->name : 0;
        bool kept = false;
        if (is_attribute(token)) {
            uint32_t behind = skip_attribute(writer, at, end, &kept);
            bool tag = writer->tag;
            kept = kept && writer->watch->tokens[at].text == NULL;
            writer->tag = false;
            put_notes(writer, at, false);
            for (; at < behind && kept; at++)
                put_token(writer, at);
            at = behind;
            writer->tag = tag;
        } else if (word == CODE_WORD_enum) {
            at = write_enum(writer, at, end);
        } else if (word == CODE_WORD_typedef && at + 1 < end &&
                   code_token_is_word(&writer->tokens[at + 1], CODE_WORD_enum) &&
                   enum_end(writer, at + 1, end) != 0) {
            writer->typedef_enum = true;
            at++;
        } else {
            put_token(writer, at++);
            if (word == CODE_WORD_struct || word == CODE_WORD_union)
                move_attributes(writer, at - 1, end);
        }
    }
}
