/* Units at their edges: what the corpus of kernels (test_code_corpus.c) cannot hold because no
 * compiler takes it, sizes of all types against C's own, failures, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "base/limits.h"
#include "code/unit.h"
#include "lib/kernel_corpus.h"
#include "lib/poor_alloc.h"

static struct code_unit *read_text(const char *text)
{
    struct code_unit *unit = NULL;
    fgpu_status status = code_unit_create(text, strlen(text), NULL, NULL, &unit);
    if (status != FGPU_OK)
        fprintf(stderr, "%s\n", error_text());
    assert_int_equal(status, FGPU_OK);
    return unit;
}

/* Accesses of the parameters of kernel `k`, as "a=READ b=UNKNOWN". */
static void expect_access(const char *text, const char *wanted)
{
    struct code_unit *unit = read_text(text);
    const struct code_kernel *kernel = code_unit_find(unit, "k");
    char found[512] = "";
    assert_non_null(kernel);
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (kernel->params[i].kind == CODE_PARAM_BUFFER)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s=%s",
                     found[0] != '\0' ? " " : "", kernel->params[i].name,
                     code_access_text(kernel->params[i].access));
    if (strcmp(found, wanted) != 0)
        fprintf(stderr, "%s\n", text);
    assert_string_equal(found, wanted);
    code_unit_destroy(unit);
}

#define HEAD "kernel void k(global int *a, global int *b) "

/* Each way in which a pointer can get out of sight must be noticed. */
static void test_escapes(void **unused)
{
    (void)unused;
    expect_access(HEAD "{ }", "a=READ b=READ");
    expect_access(HEAD "{ int x = a[0] + *b; }", "a=READ b=READ");
    expect_access(HEAD "{ a[b[0]] = 1; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ 0[a]++; --*b; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ (b)[1] = (*(a + 1)); }", "a=READ b=READ_WRITE");
    expect_access(HEAD "{ global int *p; p = a; p += 3; *p++ = b[0]; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ global int *p = (b, a); *p = 1; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ global int *p = b ? b : a; *p = 1; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ global int *p = b ?: a; *p = 1; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ (b[0] ? a : 0)[1] = 1; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ global int *p, *q; q = p; q[0] = 1; p = a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ long n = (long)a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ long n = a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ int n = a == b; if (!a && b) n++; }", "a=READ b=READ");
    expect_access(HEAD "{ union { global int *p; long n; } u; u.p = a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ struct { global int *p; } s = {a}, t = {.p = b}; }",
                  "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ global int *x[2]; x[1] = a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ global int **p = &a; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ global int *p = &*a; p = &a[3]; p = &0[a]; *b = *p; }",
                  "a=READ b=READ_WRITE");
    expect_access(HEAD "{ unknown_function(a); }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ int x = max(a[0], unknown_function(b[0])); }", "a=READ b=READ");
    expect_access(HEAD "{ *(global int * global *)b = a; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ a = b; *a = 1; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD "{ for (global int *p = a; p < a + 4; p++) *p = 0; }",
                  "a=READ_WRITE b=READ");
    expect_access(HEAD "{ ((global char *)a)[1] = 'x'; }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ vstore2((int2)(1, 2), 0, a); int2 v = vload2(0, b); }",
                  "a=READ_WRITE b=READ");
    expect_access(HEAD "{ float f = fract(1.5f, (global float *)a); }", "a=READ_WRITE b=READ");
    expect_access(HEAD "{ a[0] += a - b; }", "a=READ_WRITE b=READ_WRITE");
    expect_access(HEAD
                  "{ global int *p = (global int[]){1}; typedef global int *t; t q = a; *q = 1; }",
                  "a=READ_WRITE b=READ");
    expect_access("int f(global int *p) { return *p; } " HEAD "{ f(a); (f)(b); }",
                  "a=READ b=READ_WRITE");
    expect_access("void f(global int *p, int n); " HEAD
                  "{ f(a, 1); } void f(global int *p, int n) { f(p, n); }",
                  "a=READ_WRITE b=READ");
    expect_access(HEAD "{ f(a); } void f(global int *p) { }", "a=READ_WRITE b=READ");
    expect_access("void f(global int *p, global int *q) { p = q; *p = 1; } " HEAD
                  "{ f(a, a); int x = b[0]; }",
                  "a=READ_WRITE b=READ");
    expect_access("void f(global int *p) { global int *q = p; q[0] = 1; } " HEAD "{ f(b); }",
                  "a=READ b=READ_WRITE");
    expect_access("global int *f(global int *p, global int *q) { return q; } " HEAD
                  "{ *f(a, b) = 1; }",
                  "a=READ b=READ_WRITE");
    expect_access("void f(long n) { } " HEAD "{ f(a); }", "a=READ_WRITE b=READ");
    expect_access("void f(global int *p) { } " HEAD "{ f(a, b); }", "a=READ_WRITE b=READ_WRITE");
    expect_access("long f(global int *p) { return p; } " HEAD "{ f(a); }", "a=READ_WRITE b=READ");
    expect_access("typedef global int row[4]; kernel void k(global row *a, global int (*b)[4]) "
                  "{ a[1][2] = b[0][3]; }",
                  "a=READ_WRITE b=READ");
    expect_access("struct s { int n[4]; }; kernel void k(global struct s *a, global struct s *b) "
                  "{ global int *p = a->n; p[1] = b[0].n[2]; }",
                  "a=READ_WRITE b=READ");
    expect_access("kernel void k(constant int *a, global const int *b) { int x = a[0] + b[0]; }",
                  "a=READ b=READ");
}

/* What cannot be read gives no promise, and only where it stands. */
static void test_unread(void **unused)
{
    (void)unused;
    expect_access(HEAD "{ int x = a[0]; asm(\"\"); }", "a=UNKNOWN b=UNKNOWN");
    expect_access(HEAD "{ undeclared = a[0]; }", "a=UNKNOWN b=UNKNOWN");
    expect_access(HEAD "{ a[0]; } kernel void other(global int *c) { undeclared; }",
                  "a=READ b=READ");
    expect_access("void f(global int *p) { undeclared; } " HEAD "{ f(a); }", "a=READ_WRITE b=READ");
    expect_access("kernel void k(constant int *a, global const int *b) { undeclared; }",
                  "a=READ b=UNKNOWN");
    expect_access(HEAD "{ int x = a[0]; } nonsense here;", "a=UNKNOWN b=UNKNOWN");
    expect_access(HEAD "{ int __attribute__((cleanup(f))) x = a[0]; }", "a=UNKNOWN b=UNKNOWN");
    expect_access("#include \"x.h\"\n" HEAD "{ }", "a=UNKNOWN b=UNKNOWN");
}

static uint32_t uses_of(const char *text, enum code_slicing *slicing)
{
    struct code_unit *unit = read_text(text);
    const struct code_kernel *kernel = code_unit_find(unit, "k");
    assert_non_null(kernel);
    *slicing = kernel->class.slicing;
    uint32_t uses = kernel->class.uses;
    code_unit_destroy(unit);
    return uses;
}

static void expect_use(const char *text, enum code_use use, enum code_slicing wanted)
{
    enum code_slicing slicing;
    uint32_t uses = uses_of(text, &slicing);
    if ((uses >> use & 1) == 0 || slicing != wanted)
        fprintf(stderr, "%s\n", text);
    assert_true((uses >> use & 1) != 0);
    assert_int_equal(slicing, wanted);
}

static void test_classes(void **unused)
{
    enum code_slicing slicing;
    (void)unused;
    assert_int_equal(uses_of(HEAD "{ a[get_global_id(0)] = sin(1.0f); }", &slicing), 0);
    assert_int_equal(slicing, CODE_SLICING_FREE);
    assert_int_equal(uses_of(HEAD "{ int x = sizeof(get_group_id(0)); }", &slicing), 0);
    expect_use("int f(int n) { return n ? f(n - 1) : 0; } " HEAD "{ f(1); }", CODE_USE_RECURSION,
               CODE_SLICING_NEVER);
    expect_use("int g(int); int f(int n) { return g(n); } int g(int n) { return f(n); } " HEAD
               "{ g(1); }",
               CODE_USE_RECURSION, CODE_SLICING_NEVER);
    expect_use("int f(int n) { return n; } " HEAD "{ int (*p)(int) = f; p(1); }", CODE_USE_INDIRECT,
               CODE_SLICING_NEVER);
    expect_use("int f(int n); " HEAD "{ f(1); }", CODE_USE_EXTERNAL, CODE_SLICING_NEVER);
    expect_use(HEAD "{ sub_group_barrier(1); }", CODE_USE_EXTERNAL, CODE_SLICING_NEVER);
    expect_use("int f(void) { return get_group_id(0); } int g(void) { return f(); } " HEAD
               "{ a[0] = g(); }",
               CODE_USE_GROUP_ID, CODE_SLICING_REWRITE);
    expect_use(HEAD "{ a[0] = get_global_offset(0); }", CODE_USE_GLOBAL_OFFSET,
               CODE_SLICING_REWRITE);
    expect_use(HEAD "{ atomic_add(a, 1); }", CODE_USE_GLOBAL_ATOMIC, CODE_SLICING_NEVER);
    expect_use(HEAD "{ int x; x = atomic_add(a, 1); }", CODE_USE_GLOBAL_ATOMIC_RESULT,
               CODE_SLICING_NEVER);
    expect_use(HEAD "{ local int t; atomic_add(&t, 1); }", CODE_USE_LOCAL_ATOMIC,
               CODE_SLICING_FREE);
    expect_use(HEAD "{ mem_fence(CLK_GLOBAL_MEM_FENCE); }", CODE_USE_FENCE, CODE_SLICING_NEVER);
    expect_use(HEAD "{ asm(\"\"); }", CODE_USE_UNREAD, CODE_SLICING_NEVER);
    expect_use(HEAD "{ double x = 1; }", CODE_USE_FP64, CODE_SLICING_FREE);
    expect_use(HEAD "{ half x = 1; }", CODE_USE_FP16, CODE_SLICING_FREE);
    uint32_t uses = uses_of(HEAD "{ atomic_inc(a); mem_fence(CLK_LOCAL_MEM_FENCE); }", &slicing);
    assert_int_equal(uses, 1u << CODE_USE_GLOBAL_ATOMIC);
}

static void test_reasons(void **unused)
{
    struct code_unit *unit =
        read_text("void f(global int *p)\n{\n  p[1] = 2;\n}\n" HEAD
                  "{\n  a[get_group_id(0)] = 1;\n  f(b);\n  atomic_inc(b);\n}\n");
    const struct code_kernel *kernel = code_unit_find(unit, "k");
    (void)unused;
    assert_int_equal(kernel->line, 5);
    assert_int_equal(kernel->column, 13);
    assert_string_equal(kernel->params[0].why, "line 6: it is written");
    assert_string_equal(kernel->params[1].why, "line 7: it is written");
    assert_int_equal(kernel->class.reason_line, 8);
    assert_non_null(strstr(kernel->class.reason, "line 8: it uses atomics"));
    assert_non_null(strstr(kernel->class.reason, "atomic_inc"));
    assert_null(code_unit_doubt(unit));
    assert_null(code_unit_find(unit, "f"));
    assert_null(code_unit_kernel(unit, 1));
    assert_string_equal(code_unit_token_text(unit, kernel->body_token), "{");
    assert_string_equal(code_unit_token_text(unit, UINT32_MAX), "");
    code_unit_destroy(unit);
}

/* Sizes of the types that both languages have, from this compiler; the others follow from the
 * specification. */
static void test_sizes(void **unused)
{
    static const struct {
        const char *type;
        size_t bytes;
        uint32_t width;
        const char *name;
        const char *base;
    } cases[] = {
        {"char", sizeof(char), 1, "char", "char"},
        {"unsigned char", 1, 1, "uchar", "uchar"},
        {"signed char", 1, 1, "char", "char"},
        {"short int", sizeof(short), 1, "short", "short"},
        {"short unsigned", 2, 1, "ushort", "ushort"},
        {"int", sizeof(int), 1, "int", "int"},
        {"signed", 4, 1, "int", "int"},
        {"unsigned", 4, 1, "uint", "uint"},
        {"long", sizeof(int64_t), 1, "long", "long"},
        {"unsigned long int", 8, 1, "ulong", "ulong"},
        {"long unsigned", 8, 1, "ulong", "ulong"},
        {"float", sizeof(float), 1, "float", "float"},
        {"double", sizeof(double), 1, "double", "double"},
        {"half", 2, 1, "half", "half"},
        {"size_t", 8, 1, "size_t", "size_t"},
        {"const float", 4, 1, "float", "float"},
        {"uchar2", 2, 2, "uchar2", "uchar"},
        {"int3", 16, 3, "int3", "int"},
        {"float4", 16, 4, "float4", "float"},
        {"short8", 16, 8, "short8", "short"},
        {"ulong16", 128, 16, "ulong16", "ulong"},
        {"bool", 0, 1, "bool", "bool"},
        {"struct s", 0, 0, "struct s", "struct"},
        {"s_t", 0, 0, "s_t", "struct"},
        {"real3", 32, 3, "real3", "double"},
        {"enum e", 4, 1, "enum e", "enum"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "struct s { int a; }; typedef struct s s_t; typedef double3 real3; enum e { A };"
                 "kernel void k(%s x, global %s *y) { }",
                 cases[i].type, cases[i].type);
        struct code_unit *unit = read_text(text);
        const struct code_kernel *kernel = code_unit_find(unit, "k");
        char pointer[64];
        assert_int_equal(kernel->param_count, 2);
        snprintf(pointer, sizeof pointer, "%s*", cases[i].name);
        for (int p = 0; p < 2; p++) {
            const struct code_param *param = &kernel->params[p];
            assert_int_equal(param->size_known, cases[i].bytes != 0);
            assert_int_equal(param->size_bytes, cases[i].bytes);
            assert_int_equal(param->vector_width, cases[i].width);
            assert_string_equal(param->base_name, cases[i].base);
            assert_string_equal(param->type_name, p == 0 ? cases[i].name : pointer);
            assert_int_equal(param->is_pointer, p == 1);
            assert_int_equal(param->kind, p == 0 ? CODE_PARAM_VALUE : CODE_PARAM_BUFFER);
        }
        code_unit_destroy(unit);
    }
}

static void test_lists(void **unused)
{
    struct code_unit *unit = read_text(
        "void kernel b(void); __kernel void a() { } void b(void) { } kernel void p(int);\n"
        "#define K(n) kernel void n(int n##_x) { }\nK(c) inline void d() { } K(e);\n"
        "typedef void fn(int); extern kernel void g(read_only image2d_t i, sampler_t s) { }");
    static const char *const names[] = {"a", "b", "c", "e", "g"};
    (void)unused;
    assert_int_equal(code_unit_kernel_count(unit), 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct code_kernel *kernel = code_unit_kernel(unit, i);
        assert_string_equal(kernel->name, names[i]);
        assert_ptr_equal(code_unit_find(unit, names[i]), kernel);
        assert_int_equal(kernel->from_macro, i == 2 || i == 3);
    }
    assert_string_equal(code_unit_find(unit, "c")->params[0].name, "c_x");
    assert_int_equal(code_unit_find(unit, "g")->params[0].kind, CODE_PARAM_OTHER);
    assert_int_equal(code_unit_find(unit, "g")->params[1].kind, CODE_PARAM_OTHER);
    code_unit_destroy(unit);
    unit = read_text("");
    assert_int_equal(code_unit_kernel_count(unit), 0);
    assert_int_equal(code_unit_token_count(unit), 1);
    code_unit_destroy(unit);
    code_unit_destroy(NULL);
}

static void test_failures(void **unused)
{
    struct code_unit *unit = (struct code_unit *)-1;
    (void)unused;
    assert_int_equal(code_unit_create(NULL, 0, NULL, NULL, &unit), FGPU_E_INVAL);
    assert_null(unit);
    assert_int_equal(code_unit_create("", LIMITS_SOURCE_BYTES + 1, NULL, NULL, &unit),
                     FGPU_E_LIMIT);
    assert_non_null(strstr(error_text(), "16777217"));
    static const char open[] = "kernel void k(global int *a)\n  { if (a) { a[0] = 1; }\n";
    assert_int_equal(code_unit_create(open, sizeof open - 1, NULL, NULL, &unit), FGPU_E_BUILD);
    assert_non_null(strstr(error_text(), "line 2, column 3"));
}

/* `count` times `open`, `middle`, `count` times `close`. */
static char *repeated(const char *head, const char *open, const char *middle, const char *close,
                      size_t count)
{
    size_t bytes = strlen(head) + count * (strlen(open) + strlen(close)) + strlen(middle) + 8;
    char *text = calloc(bytes, 1);
    char *at = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, close);
    stpcpy(at, "; }\n");
    return text;
}

/* Long is not deep. */
static void test_length(void **unused)
{
    static const char *const shapes[][2] = {
        {HEAD "{ if (b[0]) ; ", "else if (b[1]) a[1] = 1; "},
        {HEAD "{ a[0] = b[0]", " + b[0] * 2"},
        {HEAD "{ a[0] = b[0]; ", "int x = b[0]; "},
        {HEAD "{ a[0] = b[0]; ", "{ int x = b[0]; } "},
        {HEAD "{ a[0] = b[0]; switch (b[1]) { case 0: ", "case 1: b[2]; "},
        {HEAD "{ int x[] = {a[0] = b[0], ", "b[0], "},
    };
    static const char *const ends[] = {"", ";", "", "", "}", "};"};
    (void)unused;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *text = repeated(shapes[i][0], shapes[i][1], ends[i], "", 5000);
        expect_access(text, "a=READ_WRITE b=READ");
        free(text);
    }
}

/* Text that is nested without end neither overflows the stack nor takes for ever. */
static void test_depth(void **unused)
{
    static const char *const shapes[][4] = {
        {HEAD "{ a[0] = ", "(", "1", ")"},
        {HEAD "{ a[0] = ", "- ", "1", ""},
        {HEAD "{ a[0] = ", "a[", "1", "]"},
        {HEAD "{ a[0] = ", "1 ? ", "1", ": 1"},
        {HEAD "{ a[0] = ", "(int)", "1", ""},
        {HEAD "{ a[0] = ", "sizeof ", "1", ""},
        {HEAD "{ a[0] = ", "max(1, ", "1", ")"},
        {HEAD "{ a[0] = 1; ", "{", "", "}"},
        {HEAD "{ a[0] = 1; ", "if (1) ", "", ""},
        {HEAD "{ a[0] = 1; ", "for (;;) ", "", ""},
        {HEAD "{ a[0] = 1; ", "do ", "", "; while (1)"},
        {HEAD "{ a[0] = 1; int ", "(", "x", ")"},
        {HEAD "{ a[0] = 1; int ", "*", "x", ""},
        {HEAD "{ a[0] = 1; int x", "", "", "[1]"},
        {HEAD "{ a[0] = 1; int x[1] = ", "{", "1", "}"},
        {HEAD "{ a[0] = 1; ", "struct {", "int x;", "} y;"},
        {HEAD "{ a[0] = 1; int f", "(int ", "", ")"},
        {HEAD "{ a[0] = 1; a = b", "= b", "", ""},
        {HEAD "{ a[0] = 1", "+ 1", "", ""},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t count = 20; count <= 200000; count *= 100) {
            char *text = repeated(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], count);
            struct code_unit *unit;
            fgpu_status status = code_unit_create(text, strlen(text), NULL, NULL, &unit);
            assert_true(status == FGPU_OK || status == FGPU_E_LIMIT || status == FGPU_E_BUILD);
            if (status == FGPU_OK) {
                const struct code_kernel *kernel = code_unit_find(unit, "k");
                assert_true(kernel != NULL || code_unit_doubt(unit) != NULL);
                assert_true(kernel == NULL || kernel->params[0].access >= CODE_ACCESS_READ_WRITE);
            }
            code_unit_destroy(unit);
            free(text);
        }
    }
}

static void check_memory(const struct corpus_file *file, void *user)
{
    struct poor_alloc poor;
    (void)user;
    poor_alloc_init(&poor);
    for (long left = 0;; left = left < 40 ? left + 1 : left * 5 / 4) {
        struct code_unit *unit;
        poor.left = left;
        fgpu_status status =
            code_unit_create(file->text, file->length, file->options, &poor.hooks, &unit);
        code_unit_destroy(unit);
        assert_int_equal(poor.live_count, 0);
        if (status == FGPU_OK)
            break;
        assert_int_equal(status, FGPU_E_NOMEM);
        assert_string_not_equal(error_text(), "");
        assert_true(left < 1000000);
    }
}

static void test_memory(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_memory, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),  cmocka_unit_test(test_unread),
        cmocka_unit_test(test_classes),  cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_lists),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_length),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
