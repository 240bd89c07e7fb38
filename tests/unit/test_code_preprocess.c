/* Preprocessing against the examples of C99 6.10.3.5, constant expressions against C's own, and
 * what devices define. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/limits.h"
#include "code/preprocess.h"
#include "lib/poor_alloc.h"

struct result {
    fgpu_status status;
    char text[4096]; /* spellings, joined by blanks */
    char doubt[512];
};

static struct result preprocess(const char *source, const char *options)
{
    struct result result = {.status = FGPU_OK};
    struct code_context context;
    struct vec tokens;
    size_t used = 0;
    assert_int_equal(code_context_init(&context, NULL), FGPU_OK);
    vec_init(&tokens, sizeof(struct code_token), NULL);
    result.status = code_preprocess(&context, source, strlen(source), options, &tokens);
    for (size_t i = 0; i + 1 < tokens.count && used < sizeof result.text; i++)
        used += (size_t)snprintf(result.text + used, sizeof result.text - used, "%s%s",
                                 i > 0 ? " " : "", code_token_text(&context, vec_at(&tokens, i)));
    snprintf(result.doubt, sizeof result.doubt, "%s", context.doubt != NULL ? context.doubt : "");
    vec_fini(&tokens);
    code_context_fini(&context);
    return result;
}

static void expect(const char *source, const char *options, const char *wanted)
{
    struct result result = preprocess(source, options);
    assert_int_equal(result.status, FGPU_OK);
    assert_string_equal(result.text, wanted);
    assert_string_equal(result.doubt, "");
}

/* C99 6.10.3.5, examples 3, 4, 5 and 7. */
static void test_standard(void **unused)
{
    (void)unused;
    expect(
        "#define x 3\n#define f(a) f(x * (a))\n#undef x\n#define x 2\n#define g f\n"
        "#define z z[0]\n#define h g(~\n#define m(a) a(w)\n#define w 0,1\n#define t(a) a\n"
        "#define p() int\n#define q(x) x\n#define r(x,y) x ## y\n#define str(x) # x\n"
        "f(y+1) + f(f(z)) % t(t(g)(0) + t)(1);\n"
        "g(x+(3,4)-w) | h 5) & m\n(f)^m(m);\n"
        "p() i[q()] = { q(1), r(2,3), r(4,), r(,5), r(,) };\n"
        "char c[2][6] = { str(hello), str() };\n",
        NULL,
        "f ( 2 * ( y + 1 ) ) + f ( 2 * ( f ( 2 * ( z [ 0 ] ) ) ) ) % f ( 2 * ( 0 ) ) + t ( 1 ) ; "
        "f ( 2 * ( 2 + ( 3 , 4 ) - 0 , 1 ) ) | f ( 2 * ( ~ 5 ) ) & f ( 2 * ( 0 , 1 ) ) ^ m ( 0 , "
        "1 ) ; int i [ ] = { 1 , 23 , 4 , 5 , } ; char c [ 2 ] [ 6 ] = { \"hello\" , \"\" } ;");
    expect(
        "#define str(s) # s\n#define xstr(s) str(s)\n"
        "#define debug(s, t) printf(\"x\" # s \"= %d, x\" # t \"= %s\", \\\n x ## s, x ## t)\n"
        "#define INCFILE(n) vers ## n\n#define glue(a, b) a ## b\n"
        "#define xglue(a, b) glue(a, b)\n#define HIGHLOW \"hello\"\n#define LOW LOW \", world\"\n"
        "debug(1, 2);\nfputs(str(strncmp(\"abc\\0d\", \"abc\", '\\4') // this goes away\n"
        "== 0) str(: @\\n), s);\nxstr(INCFILE(2).h)\nglue(HIGH, LOW);\nxglue(HIGH, LOW)\n",
        NULL,
        "printf ( \"x\" \"1\" \"= %d, x\" \"2\" \"= %s\" , x1 , x2 ) ; "
        "fputs ( \"strncmp(\\\"abc\\\\0d\\\", \\\"abc\\\", '\\\\4') == 0\" \": @\\n\" , s ) ; "
        "\"vers2.h\" \"hello\" ; \"hello\" \", world\"");
    expect("#define t(x,y,z) x ## y ## z\nint j[] = { t(1,2,3), t(,4,5), t(6,,7), t(8,9,),\n"
           "t(10,,), t(,11,), t(,,12), t(,,) };\n",
           NULL, "int j [ ] = { 123 , 45 , 67 , 89 , 10 , 11 , 12 , } ;");
    expect("#define debug(...) fprintf(stderr, __VA_ARGS__)\n#define showlist(...) "
           "puts(#__VA_ARGS__)\n"
           "#define report(test, ...) ((test)?puts(#test):printf(__VA_ARGS__))\n"
           "debug(\"Flag\");\ndebug(\"X = %d\\n\", x);\nshowlist(The first, second, and third "
           "items.);\n"
           "report(x>y, \"x is %d but y is %d\", x, y);\n",
           NULL,
           "fprintf ( stderr , \"Flag\" ) ; fprintf ( stderr , \"X = %d\\n\" , x ) ; "
           "puts ( \"The first, second, and third items.\" ) ; "
           "( ( x > y ) ? puts ( \"x>y\" ) : printf ( \"x is %d but y is %d\" , x , y ) ) ;");
}

static void test_macros(void **unused)
{
    (void)unused;
    expect("#define e(f, ...) p(f, ## __VA_ARGS__)\ne(1) e(1,2) e(1,2,3)\n", NULL,
           "p ( 1 ) p ( 1 , 2 ) p ( 1 , 2 , 3 )");
    expect("#define n(a, rest...) a rest\nn(1,2,3)\n", NULL, "1 2 , 3");
    expect("#define u(x, y) a x ## y\nu(,b) u(c,) u(,)\n", NULL, "a b a c a");
    expect("#define id(x) x\n#define foo id(foo\nfoo) b\n", NULL, "foo b");
    expect("#define f (x)\n#define g(x) [x]\nf g g(1)\ng\n(2)\n", NULL, "( x ) g [ 1 ] [ 2 ]");
    expect("#define a a b\n#define b a\na b\n", NULL, "a a a b");
    expect("#define h # x\nh\n#define i(x) #x ## 1\n", NULL, "# x");
    expect("__LINE__\n#define L __LINE__\n\nL __COUNTER__ __COUNTER__ __FILE__\n", NULL,
           "1 4 0 1 \"\"");
    expect("_Pragma(\"unroll\") a\n#pragma unroll\n#error not here\n#line 9\n#\nb", NULL, "a b");
}

static void test_options(void **unused)
{
    static const char names[] = "A B C D\n#ifdef E\nE\n#endif\n";
    (void)unused;
    expect(names, NULL, "A B C D");
    expect(names, "-DA=3 -D B -D C=x+y -UD -w -I. -cl-mad-enable -DE=F(1)", "3 1 x + y D F ( 1 )");
    expect("F(2)", "-DF(x)=x*x", "2 * 2");
    expect("A", "-DA=1 -UA", "A");
    expect("A", "-DA=a\nb", "a");
    expect("__OPENCL_C_VERSION__ CL_VERSION_1_2", NULL, "120 120");
    expect("__OPENCL_C_VERSION__", "-cl-std=CL2.0", "200");
    assert_string_not_equal(preprocess("a", "-cl-std=clc++").doubt, "");
    assert_string_not_equal(preprocess("a", "-DA=\"1 2\"").doubt, "");
    assert_string_not_equal(preprocess("a", "-include x.h").doubt, "");
    expect("k", "-DNAME=1 \t  -g ", "k");
}

/* Values of C itself, from this compiler. */
#define VALUE(expression)                                                                          \
    {                                                                                              \
#expression, (expression) != 0                                                             \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wparentheses"
static const struct {
    const char *text;
    bool value;
} values[] = {
    VALUE(1),
    VALUE(0),
    VALUE(0x10 == 16),
    VALUE(010 == 8),
    VALUE(1 + 2 * 3 == 7),
    VALUE((1 + 2) * 3 == 9),
    VALUE(10 - 4 - 3 == 3),
    VALUE(7 / 2 == 3),
    VALUE(-7 / 2 == -3),
    VALUE(-7 % 3 == -1),
    VALUE(1 << 4 == 16),
    VALUE(-16 >> 2 == -4),
    VALUE(5 & 3 == 3),
    VALUE((5 & 3) == 1),
    VALUE(5 | 8 ^ 2),
    VALUE((5 ^ 1) == 4),
    VALUE(~0 == -1),
    VALUE(!5 == 0),
    VALUE(1 < 2 && 2 < 3 || 0),
    VALUE(0 && 1 || 1),
    VALUE(1 ? 0 : 1),
    VALUE(0   ? 0
          : 1 ? 2
              : 0),
    VALUE(- -3 == 3),
    VALUE(2 > 1 == 1),
    VALUE(3 >= 3),
    VALUE(3 <= 2),
    VALUE(1 != 1),
    VALUE('a' == 97),
    VALUE(0xffffffffffffffff > 0),
    VALUE(+3 - -3 == 6),
    VALUE(100ull / 7 == 14),
    VALUE(1 || 1 / 1),
};
#pragma GCC diagnostic pop

static void test_values(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char source[256];
        snprintf(source, sizeof source, "#if %s\nyes\n#else\nno\n#endif\n", values[i].text);
        struct result result = preprocess(source, NULL);
        if (strcmp(result.text, values[i].value ? "yes" : "no") != 0)
            fprintf(stderr, "%s\n", values[i].text);
        assert_string_equal(result.text, values[i].value ? "yes" : "no");
        assert_string_equal(result.doubt, "");
    }
}

static void test_conditions(void **unused)
{
    (void)unused;
    expect("#if defined A\n1\n#elif defined(B) && B > 1\n2\n#else\n3\n#endif\n", "-DB=2", "2");
    expect("#if defined A\n1\n#elif defined(B) && B > 1\n2\n#else\n3\n#endif\n", "-DB=1", "3");
    expect("#if UNDEFINED\n1\n#endif\n#ifndef UNDEFINED\n2\n#endif\n", NULL, "2");
    expect("#if 0\n#if 1\n1\n#else\n2\n#endif\nit's\n#elif 1\n3\n#elif 1\n4\n#else\n5\n#endif",
           NULL, "3");
    expect("#define F(x) x > 2\n#if F(3)\n1\n#endif\n#if F(1) || 0\n2\n#endif\n", NULL, "1");
    expect("#if 0 && __GPU__\n1\n#elif 1 || __GPU__\n2\n#endif\n", NULL, "2");
    expect("a\n#if __OPENCL_VERSION__ >= 120\nb\n#endif\n#ifdef __OPENCL_VERSION__\nc\n#endif",
           NULL, "a b c");
    expect("a\n#ifdef __cplusplus\nb\n#endif\n#ifndef FOO_H\nc\n#endif\n#ifndef __BAR_CL__\nd\n"
           "#endif\n",
           NULL, "a c d");
    expect("a\n#ifdef cl_khr_fp64\nb\n#endif\n", "-Dcl_khr_fp64", "a b");
    expect("a\n#ifdef cl_khr_fp64\nb\n#endif\n", "-Ucl_khr_fp64", "a");
}

/* Text that depends on the device raises a doubt; pragmas, errors and numbers do not. */
static void test_doubts(void **unused)
{
    static const char *const doubtful[] = {
        "a\n#ifdef __GPU__\nb\n#endif\n",
        "a\n#ifdef __GPU__\n#else\nb\n#endif\n",
        "a\n#if __OPENCL_VERSION__ >= 200\nb\n#endif\n",
        "a\n#if defined(cl_khr_fp64) || defined(X)\nb\n#endif\n",
        "a\n#ifdef __GPU__\n#define M (b)\n#endif\nM\n",
        "a\n#ifdef __GPU__\n#undef A\n#endif\nA\n",
        "a\n#define M 1\n#ifdef __GPU__\n#undef M\n#endif\n#ifdef M\nb\n#endif\n",
        ("a\n#ifdef __GPU__\n#define N 4\n#endif\n#define C(a,b) a##b\n#define D(a,b) C(a,b)\n"
         "D(float,N)\n"),
        "a\n#ifdef __GPU__\n#define N 4\n#endif\n#ifdef __CPU__\n#undef N\n#endif\nN\n",
        "a\n#include <b.h>\n",
        "a\n#if 1 +\nb\n#endif\n",
        "a\n#if 1 ^^ 0\nb\n#endif\n",
        "a\n#if __has_builtin(x)\nb\n#endif\n",
        "a\n#define F(x) x\nF(1,2)\n",
        "a\n#define F(x) x\nF(1\n",
        "a\n#define P(x) x##+\nP(1)\n",
        "a\n#define 1\n",
        "a\n#pragma push_macro(\"a\")\n",
        "#ifdef __GPU__\na\n#endif\nb\n",
        "#ifdef __GPU__\na\n#else\nb\n#endif\n",
    };
    static const char *const harmless[] = {
        "a\n#ifdef __GPU__\n#pragma x\n#else\n#error y\n#endif\n",
        "a\n#ifdef __GPU__\n#define N 4\n#else\n#define N (-8)\n#endif\nN\n",
        "a\n#ifndef M_PI\n#define M_PI 3.14\n#endif\nM_PI\n",
        "a\n#ifdef __GPU__\n#ifdef X\nb\n#endif\n#endif\n",
        "#ifdef __GPU__\na\n#ifdef Y\n#else\nb\n#endif\n#endif\n",
        ("#define Z 1\n#if defined(cl_khr_fp64) || defined(cl_amd_fp64)\n#ifndef _X\n#define "
         "_X\na\n"
         "#define T b\nT\n#endif\n#else\n#error no\n#endif\n"),
        "#if 0\n#include <x.h>\n#endif\na\n",
    };
    (void)unused;
    for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
        struct result result = preprocess(doubtful[i], NULL);
        if (result.doubt[0] == '\0')
            fprintf(stderr, "no doubt in: %s\n", doubtful[i]);
        assert_int_equal(result.status, FGPU_OK);
        assert_string_not_equal(result.doubt, "");
    }
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        struct result result = preprocess(harmless[i], NULL);
        assert_int_equal(result.status, FGPU_OK);
        assert_string_equal(result.doubt, "");
        assert_string_not_equal(result.text, "");
    }
    assert_non_null(strstr(preprocess(doubtful[0], NULL).doubt, "line 2"));
}

static void test_failures(void **unused)
{
    static const struct {
        const char *source;
        fgpu_status status;
        const char *place;
    } cases[] = {
        {"a\n #if 1\nb\n", FGPU_E_BUILD, "line 2, column 2"},
        {"a\n#endif\n", FGPU_E_BUILD, "line 2, column 1"},
        {"#else\n", FGPU_E_BUILD, "line 1"},
        {"#if 1\n#else\n#else\n#endif\n", FGPU_E_BUILD, "line 3"},
        {"#if 0\n/* \n#endif\n", FGPU_E_BUILD, "line 2"},
        {"#define A(x) x x\n#define B(x) A(A(A(A(A(x)))))\n#define C(x) B(B(B(B(B(x)))))\n"
         "b C(C(C(1)))\n",
         FGPU_E_LIMIT, "line 4"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(preprocess(cases[i].source, NULL).status, cases[i].status);
        assert_non_null(strstr(fgpu_last_error(), cases[i].place));
    }
    char deep[8 * (LIMITS_CODE_DEPTH + 2)] = "";
    for (unsigned i = 0; i <= LIMITS_CODE_DEPTH; i++)
        strcat(deep, "#if 1\n");
    assert_int_equal(preprocess(deep, NULL).status, FGPU_E_LIMIT);
    char *nested = calloc(1, 4096);
    strcpy(nested, "#define f(x) x\n");
    for (int i = 0; i < 1000; i++)
        strcat(nested, "f(");
    for (int i = 0; i < 1000; i++)
        strcat(nested, ")");
    assert_int_equal(preprocess(nested, NULL).status, FGPU_E_LIMIT);
    free(nested);
}

static void test_memory(void **unused)
{
    static const char source[] = "#define F(a, ...) #a a##1 __VA_ARGS__\n#if defined(X) + F(2)\n"
                                 "#endif\n#ifdef __Y\n#endif\nF(b, c) /* d */ F(F(1,2),3)\n";
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    for (long left = 0;; left++) {
        struct code_context context;
        struct vec tokens;
        poor.left = left;
        vec_init(&tokens, sizeof(struct code_token), &poor.hooks);
        fgpu_status status = code_context_init(&context, &poor.hooks);
        if (status == FGPU_OK)
            status = code_preprocess(&context, source, sizeof source - 1, "-DX -DY=2", &tokens);
        vec_fini(&tokens);
        code_context_fini(&context);
        assert_int_equal(poor.live_count, 0);
        if (status == FGPU_OK)
            break;
        assert_int_equal(status, FGPU_E_NOMEM);
        assert_true(left < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard),   cmocka_unit_test(test_macros),
        cmocka_unit_test(test_options),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_failures),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
