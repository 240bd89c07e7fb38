/* The tokenizer against tokens written down by hand, its places, and bytes that are no program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "code/token.h"
#include "code/word.h"
#include "lib/poor_alloc.h"
#include "lib/seed.h"

/* All tokens of a text: "kind:spelling" joined by blanks, kinds as one letter. */
static char *tokens_of(const char *text, size_t length, char *out, size_t out_bytes)
{
    static const char letters[] = "enNscpo";
    struct code_context context;
    struct code_lexer lexer;
    size_t used = 0;
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    code_lexer_init(&lexer, &context, text, length, 1);
    out[0] = '\0';
    for (;;) {
        struct code_token token = code_lexer_next(&lexer);
        if (token.kind == CODE_TOKEN_END)
            break;
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%c:%s", used > 0 ? " " : "",
                                 letters[token.kind], code_token_text(&context, &token));
        assert_true(used < out_bytes);
    }
    code_context_fini(&context);
    return out;
}

static void test_kinds(void **unused)
{
    static const struct {
        const char *text;
        const char *tokens;
    } cases[] = {
        {"", ""},
        {"a _b $c d1", "n:a n:_b n:$c n:d1"},
        {"0x1p-3f 1e+5 .5f 1.0E-3 077ul 1..2 3.x",
         "N:0x1p-3f N:1e+5 N:.5f N:1.0E-3 N:077ul N:1..2 N:3.x"},
        {"1+2 1-x 0xe+1 0xf+1", "N:1 p:+ N:2 N:1 p:- n:x N:0xe+1 N:0xf p:+ N:1"},
        {"\"a\\\"b\" 'c' '\\''", "s:\"a\\\"b\" c:'c' c:'\\''"},
        {"a+++b---c", "n:a p:++ p:+ n:b p:-- p:- n:c"},
        {"a<<=b>>=c<<d>>e<=f>=g", "n:a p:<<= n:b p:>>= n:c p:<< n:d p:>> n:e p:<= n:f p:>= n:g"},
        {"x...y .. a->b&&c||d^^e", "n:x p:... n:y p:. p:. n:a p:-> n:b p:&& n:c p:|| n:d p:^^ n:e"},
        {"*=/=%=+=-=&=^=|====!=", "p:*= p:/= p:%= p:+= p:-= p:&= p:^= p:|= p:== p:= p:!="},
        {"<:1:><%x%>%:%:%:a<::", "p:[ N:1 p:] p:{ n:x p:} p:## p:# n:a p:[ p::"},
        {"a/*b*/c//d\ne", "n:a n:c n:e"},
        {"a/**/b/***/c/*/ */d", "n:a n:b n:c n:d"},
        {"a//b\\\nc\nd", "n:a n:d"},
        {"a//b\\ \t\nc\nd", "n:a n:d"},
        {"a//b\\\r\nc\r\nd\re", "n:a n:d n:e"},
        {"in\\\nt f\\\r\noo +\\\n+ 1\\\n2 \"a\\\nb\"", "n:int n:foo p:++ N:12 s:\"ab\""},
        {"/\\\n* c *\\\n/ a /\\\n/ c\nb", "n:a n:b"},
        {"a \\ b", "n:a o:\\ n:b"},
        {"'a \"b\nc", "o:' n:a o:\" n:b n:c"},
        {"@`#", "o:@ o:` p:#"},
        {"\xc3\xa9t\xc3\xa9", "n:\xc3\xa9t\xc3\xa9"},
        {"\xef\xbb\xbf x", "n:x"},
        {"a\v\fb", "n:a n:b"},
    };
    char found[512];
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(tokens_of(cases[i].text, strlen(cases[i].text), found, sizeof found),
                            cases[i].tokens);
    assert_string_equal(tokens_of("a\0b", 3, found, sizeof found), "n:a n:b");
}

static void test_places(void **unused)
{
    static const char text[] = "\xef\xbb\xbf"
                               "ab /* x\n y */ c\r\n\t#d \\\n e\rf";
    static const struct {
        const char *spelling;
        uint32_t offset, length, line, column;
        unsigned flags;
    } wanted[] = {
        {"ab", 3, 2, 1, 1, CODE_TOKEN_FIRST},
        {"c", 17, 1, 2, 7, CODE_TOKEN_SPACED},
        {"#", 21, 1, 3, 2, CODE_TOKEN_FIRST | CODE_TOKEN_SPACED},
        {"d", 22, 1, 3, 3, 0},
        {"e", 27, 1, 4, 2, CODE_TOKEN_SPACED},
        {"f", 29, 1, 5, 1, CODE_TOKEN_FIRST | CODE_TOKEN_SPACED},
    };
    struct code_context context;
    struct code_lexer lexer;
    (void)unused;
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    code_lexer_init(&lexer, &context, text, sizeof text - 1, 1);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct code_token token = code_lexer_next(&lexer);
        assert_string_equal(code_token_text(&context, &token), wanted[i].spelling);
        assert_int_equal(token.offset, wanted[i].offset);
        assert_int_equal(token.length, wanted[i].length);
        assert_int_equal(token.line, wanted[i].line);
        assert_int_equal(token.column, wanted[i].column);
        assert_int_equal(token.flags, wanted[i].flags);
    }
    for (int i = 0; i < 3; i++) {
        struct code_token end = code_lexer_next(&lexer);
        assert_int_equal(end.kind, CODE_TOKEN_END);
        assert_true((end.flags & CODE_TOKEN_FIRST) != 0);
    }
    code_context_fini(&context);
}

static void test_words(void **unused)
{
    struct code_context context;
    (void)unused;
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    assert_int_equal(code_names_find(&context.names, "struct"), CODE_WORD_struct);
    assert_int_equal(code_names_find(&context.names, "__kernel"), CODE_WORD___kernel);
    assert_int_equal(code_names_find(&context.names, "nobody"), 0);
    assert_int_equal(code_names_find(&context.names, ""), 0);
    uint32_t first = code_names_intern(&context.names, "abcd", 3);
    assert_true(first >= CODE_WORD_COUNT);
    assert_int_equal(code_names_intern(&context.names, "abc", 3), first);
    assert_string_equal(code_names_text(&context.names, first), "abc");
    assert_int_equal(code_names_length(&context.names, first), 3);
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "name%d", i);
        assert_true(code_names_intern(&context.names, text, strlen(text)) != 0);
    }
    assert_int_equal(code_names_find(&context.names, "abc"), first);
    assert_int_equal(code_names_find(&context.names, "name4999"), first + 5000);
    code_context_fini(&context);
}

static void test_failures(void **unused)
{
    struct code_context context;
    struct code_lexer lexer;
    (void)unused;
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    code_lexer_init(&lexer, &context, "a\n  /* b", 8, 1);
    assert_int_equal(code_lexer_next(&lexer).kind, CODE_TOKEN_NAME);
    assert_int_equal(code_lexer_next(&lexer).kind, CODE_TOKEN_END);
    assert_int_equal(context.status, FGPU_E_BUILD);
    assert_non_null(strstr(fgpu_last_error(), "line 2, column 3"));
    code_context_fini(&context);
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    code_lexer_init(&lexer, &context,
                    "// ?"
                    "?/",
                    6, 1);
    assert_non_null(context.doubt);
    code_context_fini(&context);
    code_context_fini(NULL);
    code_names_fini(NULL);
}

/* Tokens printed with blanks between them are read again as they were; so are any bytes. */
static void test_random(void **unused)
{
    static const char *const pieces[] = {"a", "b1", "1.5e+3", "0x1f", "\"s\"", "'c'", "<<=", ">>",
                                         ">", "->", "++",     "+",    "##",    "#",   "...", ".",
                                         "(", ")",  "{",      "]",    "::",    "?"};
    uint64_t first = seed_get(20260101);
    (void)unused;
    for (uint64_t seed = first; seed < first + seed_count(300); seed++) {
        struct rng rng;
        char text[1024] = "";
        char plain[4096];
        char spaced[4096];
        rng_init(&rng, seed);
        size_t used = 0;
        uint64_t count = rng_below(&rng, 60);
        for (uint64_t i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)],
                                     rng_below(&rng, 4) == 0 ? "\\\n" : " ");
        tokens_of(text, used, plain, sizeof plain);
        char again[4096] = "";
        for (char *save = NULL, *word = strtok_r(strcpy(spaced, plain), " ", &save); word != NULL;
             word = strtok_r(NULL, " ", &save))
            snprintf(again + strlen(again), sizeof again - strlen(again), " /**/ %s", word + 2);
        char twice[4096];
        tokens_of(again, strlen(again), twice, sizeof twice);
        if (strcmp(plain, twice) != 0)
            seed_print("test_code_token", seed);
        assert_string_equal(plain, twice);
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)rng_below(&rng, rng_below(&rng, 2) == 0 ? 256 : 64);
        tokens_of(text, rng_below(&rng, sizeof text), spaced, sizeof spaced);
    }
}

static void test_memory(void **unused)
{
    static const char text[] = "int a\\\nb = 1; /* c */ \"string\"";
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    for (long left = 0;; left++) {
        struct code_context context;
        struct code_lexer lexer;
        poor.left = left;
        fgpu_status status = code_context_init(&context, &poor.hooks);
        if (status == FGPU_OK) {
            code_lexer_init(&lexer, &context, text, sizeof text - 1, 1);
            while (code_lexer_next(&lexer).kind != CODE_TOKEN_END)
                continue;
            status = context.status;
        }
        code_context_fini(&context);
        assert_int_equal(poor.live_count, 0);
        if (status == FGPU_OK)
            break;
        assert_int_equal(status, FGPU_E_NOMEM);
        assert_true(left < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_places),
        cmocka_unit_test(test_words),  cmocka_unit_test(test_failures),
        cmocka_unit_test(test_random), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
