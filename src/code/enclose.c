/* Finds the conditions around all text of a file; see enclose.h.
 *
 * Those open at the first text are candidates; text after one of them has ended or changed its
 * group drops it.
 */
#include "code/enclose.h"

#include "code/word.h"

struct search {
    struct vec
        *offsets; /* of the conditions that are open; after the first text those that may enclose */
    uint32_t depth;  /* conditions open now */
    uint32_t closed; /* those candidates from this number on have ended, or are in another group */
    bool text;       /* the first text was seen */
};

static void on_text(struct search *search)
{
    if (!search->text) {
        search->text = true;
        search->closed = (uint32_t)search->offsets->count;
    } else if (search->closed < search->offsets->count) {
        search->offsets->count = search->closed;
    }
}

/* The group of the innermost open condition ends here. */
static void on_group_end(struct search *search)
{
    uint32_t innermost = search->depth - 1;
    if (search->text && innermost < search->closed)
        search->closed = innermost;
}

static void on_directive(struct code_context *context, struct search *search, uint32_t offset,
                         uint32_t word)
{
    switch (word) {
    case CODE_WORD_if:
    case CODE_WORD_ifdef:
    case CODE_WORD_ifndef:
        search->depth++;
        if (!search->text)
            code_context_push(context, search->offsets, &offset);
        break;
    case CODE_WORD_else:
    case CODE_WORD_elif:
    case CODE_WORD_elifdef:
    case CODE_WORD_elifndef:
    case CODE_WORD_endif:
        if (search->depth == 0)
            break;
        on_group_end(search);
        /* A later group is not entered by what the #if itself says. */
        if (!search->text && word != CODE_WORD_endif)
            *(uint32_t *)vec_at(search->offsets, search->depth - 1) = UINT32_MAX;
        if (!search->text && word == CODE_WORD_endif)
            vec_pop(search->offsets);
        search->depth -= word == CODE_WORD_endif;
        break;
    default:
        break;
    }
}

void code_enclose_find(struct code_context *context, const char *text, size_t length,
                       struct vec *offsets)
{
    struct code_lexer lexer;
    struct search search = {.offsets = offsets};
    enum { TEXT, HASH, LINE } state = TEXT;
    uint32_t offset = 0;
    code_lexer_init(&lexer, context, text, length, 1);
    for (;;) {
        struct code_token token = code_lexer_next(&lexer);
        if (token.kind == CODE_TOKEN_END)
            break;
        if ((token.flags & CODE_TOKEN_FIRST) != 0) {
            state = code_token_is(&token, CODE_PUNCT_HASH) ? HASH : TEXT;
            offset = token.offset;
        } else if (state == HASH) {
            state = LINE;
            if (token.kind == CODE_TOKEN_NAME)
                on_directive(context, &search, offset, token.name);
        }
        if (state == TEXT)
            on_text(&search);
    }
    if (!search.text)
        vec_clear(offsets);
}
