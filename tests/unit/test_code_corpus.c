/* What src/code reads from the kernels of tests/data/kernels, against what people wrote above each
 * of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "code/unit.h"
#include "lib/kernel_corpus.h"

/* Fewer labels than this and the corpus has been lost on the way. */
enum { LEAST_FILES = 40, LEAST_LABELS = 140 };

static unsigned failures;
static unsigned labels;

static void complain(const struct corpus_file *file, const char *kernel, const char *what,
                     const char *wanted, const char *found)
{
    fprintf(stderr, "%s: %s: %s: wanted %s, found %s\n", file->name, kernel, what, wanted, found);
    failures++;
}

/* "READ_WRITE:writes_only", as the corpus writes it. */
static void describe(const struct code_param *param, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%s%s%s%s%s", code_access_text(param->access),
             param->unused ? ":unused" : "", param->writes_only ? ":writes_only" : "",
             param->atomic ? ":atomic" : "", param->escapes ? ":escapes" : "");
}

/* Finds ` name=` in the line and copies what follows. */
static bool label_of(const char *line, const char *name, char *label, size_t label_bytes)
{
    char key[80];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    if (at == NULL)
        return false;
    at += strlen(key);
    snprintf(label, label_bytes, "%.*s", (int)strcspn(at, " "), at);
    return true;
}

static void check_params(const struct corpus_file *file, const struct code_kernel *kernel)
{
    char line[512] = "";
    if (!corpus_line_of(file, "// expect: ", kernel->name, line, sizeof line))
        complain(file, kernel->name, "kernel", "an expect line", "none");
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct code_param *param = &kernel->params[i];
        char wanted[64] = "no label";
        char found[64];
        bool labelled = label_of(line, param->name, wanted, sizeof wanted);
        describe(param, found, sizeof found);
        labels += labelled;
        if (labelled != (param->kind == CODE_PARAM_BUFFER) ||
            (labelled && strcmp(wanted, found) != 0))
            complain(file, kernel->name, param->name, wanted, found);
        bool explained =
            param->access == CODE_ACCESS_READ_WRITE || param->access == CODE_ACCESS_UNKNOWN;
        if ((param->why != NULL) != explained)
            complain(file, kernel->name, param->name, "a reason where it is changed",
                     param->why != NULL ? param->why : "none");
    }
}

static bool has_use(const struct code_class *class, const char *name)
{
    static const char *const names[] = {
#define USE_NAME(use, verdict, sentence) #use,
        CODE_USE_LIST(USE_NAME)
#undef USE_NAME
    };
    for (int use = 0; use < CODE_USE_COUNT; use++)
        if (strcmp(names[use], name) == 0)
            return code_class_uses(class, (enum code_use)use);
    return false;
}

static void check_class(const struct corpus_file *file, const struct code_kernel *kernel)
{
    static const char *const verdicts[] = {"free", "rewrite", "never"};
    const struct code_class *class = &kernel->class;
    char line[512];
    char *rest = line;
    if ((class->reason != NULL) != (class->slicing != CODE_SLICING_FREE))
        complain(file, kernel->name, "reason", "one unless free",
                 class->reason != NULL ? class->reason : "none");
    if (!corpus_line_of(file, "// class: ", kernel->name, line, sizeof line))
        return;
    labels++;
    const char *verdict = strtok_r(rest, " ", &rest);
    if (verdict == NULL || strcmp(verdict, verdicts[class->slicing]) != 0)
        complain(file, kernel->name, "class", verdict, verdicts[class->slicing]);
    for (const char *use; (use = strtok_r(rest, " ", &rest)) != NULL;)
        if (!has_use(class, use))
            complain(file, kernel->name, "use", use, "not seen");
}

/* Each expect line speaks of a kernel that is there. */
static void check_names(const struct corpus_file *file, const struct code_unit *unit)
{
    const char *at = file->text;
    char line[512];
    while (corpus_line(&at, "// expect: ", line, sizeof line)) {
        line[strcspn(line, " ")] = '\0';
        if (code_unit_find(unit, line) == NULL)
            complain(file, line, "kernel", "to be found", "not");
    }
}

static void check_file(const struct corpus_file *file, void *unused)
{
    struct code_unit *unit;
    (void)unused;
    if (code_unit_create(file->text, file->length, file->options, NULL, &unit) != FGPU_OK) {
        complain(file, "all", "source", "to be read", error_text());
        return;
    }
    check_names(file, unit);
    for (uint32_t k = 0; k < code_unit_kernel_count(unit); k++) {
        check_params(file, code_unit_kernel(unit, k));
        check_class(file, code_unit_kernel(unit, k));
    }
    code_unit_destroy(unit);
}

static void test_corpus(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_file, NULL) >= LEAST_FILES);
    assert_int_equal(failures, 0);
    assert_true(labels >= LEAST_LABELS);
}

/* A file with its line ends changed says the same. */
static void check_line_ends(const struct corpus_file *file, void *unused)
{
    char *text = calloc(2 * file->length + 1, 1);
    size_t length = 0;
    struct code_unit *plain;
    struct code_unit *other;
    (void)unused;
    assert_non_null(text);
    for (size_t i = 0; i < file->length; i++) {
        if (file->text[i] == '\n')
            text[length++] = '\r';
        text[length++] = file->text[i];
    }
    assert_int_equal(code_unit_create(file->text, file->length, file->options, NULL, &plain), 0);
    assert_int_equal(code_unit_create(text, length, file->options, NULL, &other), 0);
    assert_int_equal(code_unit_token_count(plain), code_unit_token_count(other));
    for (uint32_t i = 0; i < code_unit_token_count(plain); i++) {
        const struct code_token *a = code_unit_token(plain, i);
        const struct code_token *b = code_unit_token(other, i);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->punct, b->punct);
        assert_int_equal(a->line, b->line);
        assert_int_equal(a->column, b->column);
        assert_string_equal(code_unit_token_text(plain, i), code_unit_token_text(other, i));
    }
    code_unit_destroy(plain);
    code_unit_destroy(other);
    free(text);
}

static void test_line_ends(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_line_ends, NULL) >= LEAST_FILES);
}

/* A token that comes straight from the text spells what stands at its place there, but for line
 * continuations. */
static void check_places(const struct corpus_file *file, void *unused)
{
    struct code_unit *unit;
    (void)unused;
    assert_int_equal(code_unit_create(file->text, file->length, file->options, NULL, &unit), 0);
    for (uint32_t i = 0; i + 1 < code_unit_token_count(unit); i++) {
        const struct code_token *token = code_unit_token(unit, i);
        const char *spelling = code_unit_token_text(unit, i);
        if ((token->flags & CODE_TOKEN_MACRO) != 0 || token->line == 0)
            continue;
        assert_true(token->offset + token->length <= file->length);
        const char *place = file->text + token->offset;
        uint32_t line = 1;
        for (size_t at = 0; at < token->offset; at++)
            line += file->text[at] == '\n';
        assert_int_equal(line, token->line);
        bool plain = memchr(place, '\\', token->length) == NULL && *place != '<' && *place != ':' &&
                     *place != '%';
        if (plain) {
            assert_int_equal(strlen(spelling), token->length);
            assert_memory_equal(spelling, place, token->length);
        }
    }
    code_unit_destroy(unit);
}

static void test_places(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_places, NULL) >= LEAST_FILES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
