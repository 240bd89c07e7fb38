/* Notes of the parser for a translation to CUDA C++; see watch.h and cuda.h. */
#include "code/watch.h"

#include <stdio.h>
#include <string.h>
#include "code/builtin.h"
#include "code/cuda_names.h"
#include "code/parser.h"

void code_watch_init(struct code_watch *watch, struct code_context *context, uint32_t token_count)
{
    *watch = (struct code_watch){.context = context, .count = token_count};
    vec_init(&watch->texts, sizeof(struct code_watch_text), context->hooks);
    vec_init(&watch->items, sizeof(struct code_watch_item), context->hooks);
    watch->tokens = code_context_alloc(context, ((size_t)token_count + 1) * sizeof *watch->tokens);
}

void code_watch_fini(struct code_watch *watch)
{
    vec_fini(&watch->texts);
    vec_fini(&watch->items);
}

static bool listens(const struct code_watch *watch, uint32_t token)
{
    return watch != NULL && watch->tokens != NULL && token < watch->count;
}

void code_watch_replace(struct code_watch *watch, uint32_t token, const char *text)
{
    if (listens(watch, token))
        watch->tokens[token].text = text;
}

static void insert(struct code_watch *watch, uint32_t token, bool behind, const char *text)
{
    if (!listens(watch, token))
        return;
    const struct code_watch_text made = {token, (uint32_t)watch->texts.count, behind, text};
    code_context_push(watch->context, &watch->texts, &made);
}

void code_watch_before(struct code_watch *watch, uint32_t token, const char *text)
{
    insert(watch, token, false, text);
}

void code_watch_behind(struct code_watch *watch, uint32_t token, const char *text)
{
    insert(watch, token, true, text);
}

void code_watch_refuse(struct code_watch *watch, uint32_t token, const char *text)
{
    if (listens(watch, token) && watch->tokens[token].refusal == NULL)
        watch->tokens[token].refusal = text;
}

void code_watch_unread(struct code_watch *watch, uint32_t token, const char *text)
{
    if (!listens(watch, token) || watch->tokens[token].refusal != NULL)
        return;
    watch->tokens[token].refusal = text;
    watch->tokens[token].unread = true;
}

/* ---- swizzles ---- */

static uint32_t pick_half(const char *name, uint32_t width, uint8_t picked[16])
{
    uint32_t count = width == 3 ? 2 : width / 2;
    uint32_t first = strcmp(name, "hi") == 0 ? count : strcmp(name, "odd") == 0 ? 1 : 0;
    uint32_t step = strcmp(name, "even") == 0 || strcmp(name, "odd") == 0 ? 2 : 1;
    for (uint32_t i = 0; i < count; i++)
        picked[i] = (uint8_t)(first + i * step);
    return width > 1 ? count : 0;
}

uint32_t code_watch_components(const char *name, uint32_t width, uint8_t picked[16])
{
    static const char letters[] = "xyzw";
    bool numbers = (name[0] == 's' || name[0] == 'S') && name[1] != '\0';
    uint32_t count = 0;
    if (strcmp(name, "lo") == 0 || strcmp(name, "hi") == 0 || strcmp(name, "even") == 0 ||
        strcmp(name, "odd") == 0)
        return pick_half(name, width, picked);
    for (const char *at = name + numbers; *at != '\0'; at++) {
        static const char digits[] = "0123456789abcdef";
        char c = numbers && *at >= 'A' && *at <= 'F' ? (char)(*at - 'A' + 'a') : *at;
        const char *found = strchr(numbers ? digits : letters, c);
        if (found == NULL || count == 16)
            return 0;
        picked[count] = (uint8_t)(found - (numbers ? digits : letters));
        if (width != 0 && picked[count] >= width)
            return 0;
        count++;
    }
    return count;
}

void code_watch_swizzle(struct code_watch *watch, uint32_t token, uint32_t width, uint32_t base)
{
    if (!listens(watch, token))
        return;
    watch->tokens[token].swizzle = true;
    watch->tokens[token].width = (uint8_t)width;
    watch->tokens[token].base = base;
}

void code_watch_stored(struct code_watch *watch, uint32_t part)
{
    while (part != 0 && listens(watch, part - 1) && !watch->tokens[part - 1].stored) {
        watch->tokens[part - 1].stored = true;
        part = watch->tokens[part - 1].base;
    }
}

/* ---- casts and literals ---- */

/* The bracket that closes the one at `open`; `open` where there is none. */
static uint32_t matching(const struct code_parser *parser, uint32_t open)
{
    uint8_t punct = parser->tokens[open].punct;
    uint8_t close = punct == CODE_PUNCT_LPAREN ? CODE_PUNCT_RPAREN : CODE_PUNCT_RBRACE;
    uint32_t depth = 0;
    for (uint32_t at = open; at < parser->count; at++) {
        depth += parser->tokens[at].punct == punct;
        if (parser->tokens[at].punct == close && --depth == 0)
            return at;
    }
    return open;
}

static bool is_postfix(uint8_t punct)
{
    return punct == CODE_PUNCT_DOT || punct == CODE_PUNCT_ARROW || punct == CODE_PUNCT_LBRACKET ||
           punct == CODE_PUNCT_INC || punct == CODE_PUNCT_DEC;
}

void code_watch_cast(const struct code_parser *parser, uint32_t open, uint32_t close,
                     const struct code_type *type)
{
    struct code_watch *watch = parser->watch;
    if (!listens(watch, close + 1))
        return;
    uint8_t next = parser->tokens[close + 1].punct;
    bool vector = type->form == CODE_FORM_VALUE && type->width > 1;
    if (next == CODE_PUNCT_LBRACE) {
        uint32_t end = matching(parser, close + 1);
        code_watch_replace(watch, open, vector ? "fcl::make<" : "fcl::same<");
        code_watch_replace(watch, close, ">");
        if (vector) {
            code_watch_replace(watch, close + 1, "(");
            code_watch_replace(watch, end, ")");
        }
    } else if (vector && next == CODE_PUNCT_LPAREN) {
        uint32_t end = matching(parser, close + 1);
        /* `(float2)(v).xy` converts v.xy. */
        if (end + 1 < parser->count && is_postfix(parser->tokens[end + 1].punct))
            return;
        code_watch_replace(watch, open, "fcl::make<");
        code_watch_replace(watch, close, ">");
    }
}

void code_watch_convert(struct code_watch *watch, const struct code_type *to,
                        const struct code_type *from, uint32_t begin, uint32_t end)
{
    if (to->form != CODE_FORM_POINTER || from->form != CODE_FORM_POINTER ||
        to->next->form == CODE_FORM_VOID || from->next->form != CODE_FORM_VOID || end <= begin)
        return;
    code_watch_before(watch, begin, "fcl::pointer(");
    code_watch_behind(watch, end - 1, ")");
}

void code_watch_braces(struct code_watch *watch, const struct code_type *type, uint32_t open,
                       uint32_t close)
{
    if (type->form != CODE_FORM_VALUE || type->width < 2 || !listens(watch, close) ||
        watch->tokens[open].text != NULL) /* behind `(type)` */
        return;
    code_watch_replace(watch, open, "fcl::fcl_braces(");
    code_watch_replace(watch, close, ")");
}

void code_watch_step(struct code_watch *watch, uint32_t begin, uint32_t end)
{
    if (end < begin + 3)
        return;
    code_watch_replace(watch, begin, "fcl::steps");
    code_watch_replace(watch, begin + 1, "<");
    code_watch_replace(watch, end - 1, ">");
}

/* ---- choices and calls ---- */

void code_watch_choice(struct code_watch *watch, const uint32_t places[3], uint32_t end)
{
    if (!listens(watch, end))
        return;
    code_watch_before(watch, places[0], "fcl::fcl_choose(");
    code_watch_replace(watch, places[1], ", [&] { return (");
    code_watch_replace(watch, places[2], "); }, [&] { return (");
    code_watch_behind(watch, end - 1, "); })");
}

void code_watch_promote(struct code_watch *watch, uint32_t begin, uint32_t end)
{
    if (!listens(watch, end))
        return;
    code_watch_before(watch, begin, "+(");
    code_watch_behind(watch, end - 1, ")");
}

static void watch_builtin(const struct code_parser *parser, uint32_t name, const char *text)
{
    struct code_watch *watch = parser->watch;
    const char *call = NULL;
    switch (code_builtin_find(text).effect) {
    case CODE_EFFECT_UNKNOWN:
        code_watch_refuse(watch, name,
                          code_context_sentence(watch->context,
                                                "'%.64s' is called, which is neither in the text "
                                                "nor a function of OpenCL C 1.2",
                                                text));
        return;
    case CODE_EFFECT_IMAGE:
        code_watch_refuse(
            watch, name,
            code_context_sentence(watch->context, "%.64s: no images on this device", text));
        return;
    default:
        break;
    }
    if (!code_cuda_call(watch->context, text, &call))
        code_watch_refuse(
            watch, name,
            code_context_sentence(watch->context, "%.64s is not translated for this device", text));
    else if (call != NULL)
        code_watch_replace(watch, name, call);
}

void code_watch_call(const struct code_parser *parser, uint32_t name, uint32_t end,
                     const struct code_function *function)
{
    struct code_watch *watch = parser->watch;
    if (!listens(watch, end))
        return;
    if (function == NULL) {
        watch_builtin(parser, name, code_token_text(parser->context, &parser->tokens[name]));
        return;
    }
    bool defined = false;
    for (const struct code_function *f = function; f != NULL && !defined; f = f->overload)
        defined = f->defined;
    if (!defined)
        code_watch_refuse(watch, name,
                          code_context_sentence(
                              watch->context, "'%.64s' is called, whose body is not in the text",
                              code_token_text(parser->context, &parser->tokens[name])));
    if (name + 1 < watch->count)
        code_watch_behind(watch, name + 1, end - name > 3 ? "fcl_at, " : "fcl_at");
}

/* ---- variables ---- */

static bool says(const struct code_parser *parser, uint32_t begin, uint32_t word)
{
    for (uint32_t at = begin; at < parser->at; at++)
        if (code_token_is_word(&parser->tokens[at], word))
            return true;
    return false;
}

void code_watch_variable(const struct code_parser *parser, uint32_t begin,
                         const struct code_type *type)
{
    struct code_watch *watch = parser->watch;
    const struct code_type *element = code_type_element(type);
    const char *text = "";
    if (!listens(watch, begin))
        return;
    if (element->form == CODE_FORM_OPAQUE &&
        element->opaque != code_names_find(&parser->context->names, "event_t"))
        code_watch_refuse(watch, begin, "images and samplers are not supported on this device");
    if (element->form == CODE_FORM_VALUE && element->scalar == CODE_SCALAR_HALF)
        code_watch_refuse(watch, begin, "half is for storage only on this device");
    if (element->form == CODE_FORM_VALUE && element->width == 0)
        code_watch_refuse(watch, begin, "vectors of other widths are not supported");
    if (element->space == CODE_SPACE_LOCAL)
        text = "__shared__ ";
    else if (element->space == CODE_SPACE_CONSTANT && parser->current == NULL)
        text = "__constant__ ";
    else if (element->space == CODE_SPACE_CONSTANT)
        text = says(parser, begin, CODE_WORD_static)          ? ""
               : (element->quals & CODE_QUALIFIER_CONST) != 0 ? "static "
                                                              : "static const ";
    for (size_t i = watch->texts.count; i > 0; i--) {
        const struct code_watch_text *other = vec_at(&watch->texts, i - 1);
        if (other->token == begin && !other->behind) { /* of the declarator before */
            if (strcmp(other->text, text) != 0)
                code_watch_refuse(watch, begin,
                                  "variables of different address spaces in one declaration");
            return;
        }
    }
    code_watch_before(watch, begin, text);
}
