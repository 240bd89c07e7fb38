/* code/cuda.h: what the translation says, keeps and refuses. What it computes is compared by
 * tests/conform/test_cuda_language.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/cuda.h"
#include "code/preempt.h"
#include "lib/poor_alloc.h"

static fgpu_status make(const char *text, const char *options, struct code_cuda *made)
{
    const struct code_cuda_source source = {
        .text = text, .length = strlen(text), .options = options, .entry = "k"};
    return code_cuda_make(&source, made);
}

/* The text of the program itself, without blanks: behind the prelude. */
static void squeeze(const struct code_cuda *made, char *out, size_t bytes)
{
    const char *at = strstr(made->text.text, "namespace user {");
    size_t used = 0;

    assert_non_null(at);
    for (at += strlen("namespace user {"); *at != '\0' && used + 1 < bytes; at++)
        if (*at != ' ')
            out[used++] = *at;
    out[used] = '\0';
}

static void has(const char *text, const char *part)
{
    struct code_cuda made;
    char out[8192];

    if (make(text, NULL, &made) != FGPU_OK)
        fail_msg("%s: %s", text, error_text());
    squeeze(&made, out, sizeof out);
    code_cuda_fini(&made, NULL);
    if (strstr(out, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, out);
}

static void refuses(const char *text, fgpu_status wanted, const char *part)
{
    struct code_cuda made;
    fgpu_status status = make(text, NULL, &made);

    if (made.text.text != NULL || status != wanted || strstr(error_text(), part) == NULL)
        fail_msg("%s: %s, not %s: %s", text, fgpu_status_name(status), part, error_text());
}

#define KERNEL(body) "__kernel void k(__global float4 *a, int n) { " body " }"

static void test_expressions(void **state)
{
    (void)state;
    has(KERNEL("a[0] = (float4)(1, 2, a[1].xy);"), "a[0]=fcl::make<float4>(1,2,a[1].get<0,1>());");
    has(KERNEL("a[0] = (float4){1, 2, 3, 4};"), "fcl::make<float4>(1,2,3,4);");
    has(KERNEL("a[0].zx = a[1].hi;"), "a[0].ref<2,0>()=a[1].get<2,3>();");
    has(KERNEL("a[0].hi.x += 1;"), "a[0].ref<2,3>().at<0>()+=1;");
    has(KERNEL("a[0].x = (a[0] + a[1]).lo.x;"), "(a[0]+a[1]).lo().at<0>();");
    has(KERNEL("a[0].x = n << 3 >> n;"), "n<<fcl::sh()<<3>>fcl::sh()>>n;");
    has(KERNEL("n <<= 1 + n;"), "n<<=fcl::sh()=1+n;");
    has(KERNEL("a[0].x = n > 3 ? 1 : 2;"), "n>3?1:2;");
    has(KERNEL("uchar b = n; a[0].x = clz(n > 3 ? b : b);"), "clz(+(n>3?b:b));");
    has(KERNEL("a[0] = a[1] > a[2] ? a[3] : a[4];"),
        "fcl::fcl_choose(a[1]>a[2],[&]{return(a[3]);},[&]{return(a[4]);});");
    has(KERNEL("a[0] = convert_float4_rtz(as_int4(a[1]));"),
        "fcl::convert<float4,false,0>(fcl::as<int4>(a[1]));");
    has(KERNEL("a[get_global_id(0)] = get_local_id(0);"),
        "a[fcl_at.get_global_id(0)]=get_local_id(0);");
    has(KERNEL("struct { float x, xy; } s; a[0].x = s.x + s.xy;"), "s.x+s.xy;");
}

static void test_declarations(void **state)
{
    (void)state;
    has(KERNEL("__local int t[4], u; t[0] = u = n;"), "__shared__intt[4],u;");
    has(KERNEL("__local int *p = 0; __global int *new = 0; *new = *p;"), "int*fcl_u_new=0;");
    has(KERNEL("void *v = a; float4 *f = v;"), "float4*f=fcl::pointer(v);");
    has("__constant float4 t[2] = {(float4)(1, 2, 3, 4), {5, 6}}; " KERNEL("a[0] = t[n];"),
        "t[2]={fcl::make<float4>(1,2,3,4),fcl::fcl_braces(5,6)};");
    has(KERNEL("float4 v = {1, n}; a[0] = v;"), "float4v=fcl::fcl_braces(1,n);");
    has("__constant int t[2] = {1, 2}; " KERNEL("a[0].x = t[n];"), "__constant__intt[2]={1,2};");
    has("typedef enum { A, B } e; " KERNEL("e x = 1; a[0].x = x;"), "enum{A,B};typedefinte;");
    has("struct s { int x; }; " KERNEL("struct s s = {n}; a[0].x = s.x;"), "structfcl_tag_ss={n};");
    has("float f(void) { return get_global_id(0); } " KERNEL("a[0].x = f();"),
        "floatf(fcl::gridfcl_at){returnfcl_at.get_global_id(0);}");
    has("float f(void) { return get_global_id(0); } " KERNEL("a[0].x = f();"), "=f(fcl_at);");
    has("float f(float x) { return x; } " KERNEL("a[0].x = f(n);"), "f(fcl_at,n);");
}

/* What is said behind the `}` of a struct is written where NVRTC heeds it. */
static void test_attributes(void **state)
{
    (void)state;
    has("typedef struct { char c; int v; } __attribute__((packed)) s; " KERNEL("s t; a[0].x = n;"),
        "typedefstruct__attribute__((packed)){charc;intv;}s;");
    has("union u { char c; int v; } __attribute__((aligned(1 << 4))); " KERNEL("a[0].x = n;"),
        "union__attribute__((aligned(1<<fcl::sh()<<4)))fcl_tag_u{charc;intv;};");
    has("struct __attribute__((packed)) s { struct { char c; int v; }\n__attribute__((packed))"
        " __attribute__((unused))\n__attribute__((aligned(2))) in; int w; };" KERNEL(
            "struct s t; a[0].x = n;"),
        "struct__attribute__((packed))fcl_tag_s{struct__attribute__((packed))__attribute__(("
        "aligned(2))){charc;intv;}\n\nin;intw;};");
    /* Not the struct's: what a declarator or what follows has stays there. */
    has("typedef struct { int v[3]; } s __attribute__((aligned(16))); " KERNEL("a[0].x = n;"),
        "typedefstruct{intv[3];}s__attribute__((aligned(16)));");
    has(KERNEL("{ n++; } __attribute__((aligned(16))) int t = n; a[0].x = t;"),
        "{n++;}__attribute__((aligned(16)))intt=n;");
    refuses("typedef enum { A }\n__attribute__((packed)) e; __kernel void k(int n) { e x = 0; }",
            FGPU_E_UNSUPPORTED, "line 2, column 1: attributes of enums");
    refuses("enum __attribute__((packed)) e { A }; __kernel void k(int n) { }", FGPU_E_UNSUPPORTED,
            "line 1, column 6: attributes of enums");
}

static bool contracts(const char *text)
{
    struct code_cuda made;
    bool found;

    assert_int_equal(make(text, NULL, &made), FGPU_OK);
    found = strstr(made.options, "--fmad=false") != NULL;
    code_cuda_fini(&made, NULL);
    return !found;
}

static void test_pragmas(void **state)
{
    (void)state;
    assert_true(contracts("#pragma OPENCL FP_CONTRACT ON\n" KERNEL("a[0].x = n;")));
    assert_false(contracts("#pragma OPENCL FP_CONTRACT OFF\n" KERNEL("a[0].x = n;")));
    assert_false(contracts(KERNEL("_Pragma(\"OPENCL FP_CONTRACT OFF\") a[0].x = n;")));
    assert_true(contracts(
        "#if 0\n#pragma OPENCL FP_CONTRACT OFF\n#pragma pack(1)\n#endif\n" KERNEL("a[0].x = n;")));
    refuses("\n#pragma pack(push, 1)\n__kernel void k(int n) { }", FGPU_E_UNSUPPORTED,
            "line 2, column 1: #pragma pack");
    refuses("\n_Pragma(\" pack(1)\")\n__kernel void k(int n) { }", FGPU_E_UNSUPPORTED,
            "line 2, column 1: #pragma pack");
}

/* Only what the kernel needs is there. */
static void test_wanted(void **state)
{
    struct code_cuda made;
    char out[4096];

    (void)state;
    assert_int_equal(make("__kernel void other(image2d_t i) { }\n"
                          "float unused(float x) { return x; }\n" KERNEL("a[0].x = n;"),
                          NULL, &made),
                     FGPU_OK);
    squeeze(&made, out, sizeof out);
    assert_null(strstr(out, "unused"));
    assert_null(strstr(out, "other"));
    code_cuda_fini(&made, NULL);
}

static void test_kernel(void **state)
{
    struct code_cuda made;
    char out[4096];

    (void)state;
    assert_int_equal(
        make("__kernel __attribute__((reqd_work_group_size(8, 4, 2))) void k(__global float *a,"
             " __local int *l, const uint3 v, __local float *m) { a[0] = l[0] + m[0] + v.x; }",
             "-cl-fast-relaxed-math -cl-std=CL1.2", &made),
        FGPU_OK);
    assert_int_equal(made.param_count, 4);
    assert_int_equal(made.required_local[0], 8);
    assert_int_equal(made.required_local[2], 2);
    assert_non_null(strstr(made.options, "--use_fast_math"));
    squeeze(&made, out, sizeof out);
    assert_non_null(strstr(out,
                           "extern\"C\"__global__void__launch_bounds__(64)fgpu_kernel(\nfloat*a,"
                           "unsignedfcl_local_1,constuint3v,unsignedfcl_local_3,fcl::gridfcl_at)\n"
                           "{k(fcl_at,a,fcl::pointer(&fcl_shared[0].bytes[fcl_local_1]),v,"
                           "fcl::pointer(&fcl_shared[0].bytes[fcl_local_3]));}"));
    code_cuda_fini(&made, NULL);
}

/* What a compiler says of line 7 is said of line 7 of the text, also of one changed for a guard. */
static void test_lines(void **state)
{
    static const char text[] = "\n\n\n\n\n\n__kernel void k(__global uint *a) { a[0] = 1; }\n";
    struct code_preempt_source source = {.text = text, .length = sizeof text - 1};
    struct code_unit *unit = NULL;
    struct code_text changed;
    struct code_cuda made;

    (void)state;
    assert_int_equal(make(text, NULL, &made), FGPU_OK);
    assert_non_null(strstr(made.text.text, "#line 7\n"));
    code_cuda_fini(&made, NULL);
    assert_int_equal(code_unit_create(text, source.length, NULL, NULL, &unit), FGPU_OK);
    source.unit = unit;
    assert_int_equal(
        code_preempt_make(&source, code_unit_find(unit, "k"), CODE_PREEMPT_GUARDED, &changed),
        FGPU_OK);
    assert_int_equal(make(changed.text, NULL, &made), FGPU_OK);
    assert_int_equal(made.param_count, 1 + CODE_PREEMPT_ARGS(CODE_PREEMPT_GUARDED));
    const char *line = strstr(made.text.text, "#line 7\n");
    assert_non_null(line);
    assert_memory_equal(line, "#line 7\nvoid k", 8);
    code_cuda_fini(&made, NULL);
    alloc_put(NULL, changed.text, changed.length + 1);
    code_unit_destroy(unit);
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("\n__kernel void k(image2d_t i) { }", FGPU_E_UNSUPPORTED, "line 2, column 30: images");
    refuses("__kernel void k(half h) { }", FGPU_E_UNSUPPORTED, "kernel parameter 'h'");
    refuses("__kernel void k(int n) {\n half h; }", FGPU_E_UNSUPPORTED, "line 2, column 2: half");
    refuses("__kernel void k(int n) {\n f(n); }", FGPU_E_UNSUPPORTED, "line 2, column 2: 'f'");
    refuses("float f(int); __kernel void k(int n) { f(n); }", FGPU_E_UNSUPPORTED, "'f'");
    refuses("__kernel void k(int n) {\n get_work_dim(); }", FGPU_E_UNSUPPORTED, "get_work_dim");
    refuses("__kernel void k(int n) { printf(\"%v4f\", (float4)(n)); }", FGPU_E_UNSUPPORTED,
            "printf of vectors");
    refuses("__kernel void k(int n) { int a[2] = {[1] = n}; }", FGPU_E_UNSUPPORTED, "[index]");
    refuses("__kernel void k(int n) { float4 a[2] = {1, 2, 3, 4, 5, 6, 7, 8}; }",
            FGPU_E_UNSUPPORTED, "inside braces");
    refuses(
        "struct s { float4 v; int n; }; __kernel void k(int n) { struct s s = {1, 2, 3, 4, n}; }",
        FGPU_E_UNSUPPORTED, "inside braces");
    refuses("__kernel void k(int n) { asm(\"\"); }", FGPU_E_BUILD, "line 1");
    refuses("__kernel void k(int n) { n = ; }", FGPU_E_BUILD, "line 1");
    refuses("__kernel void k(int n) { float4 v; v.xq = 1; }", FGPU_E_BUILD, "'xq'");
    refuses("\n#include \"x.h\"\n__kernel void k(int n) { }", FGPU_E_UNSUPPORTED,
            "line 2, column 1: #include");
    refuses("#ifndef cl_khr_fp64\n#error none\n#endif\n#error x\n__kernel void k(int n) { }",
            FGPU_E_UNSUPPORTED, "line 4, column 1: #error");
    refuses("__kernel void other(int n) { }", FGPU_E_UNSUPPORTED, "no kernel 'k'");
}

/* Whichever allocation fails: FGPU_E_NOMEM, and nothing is left lying. */
static void test_no_memory(void **state)
{
    static const char text[] =
        "float f(float x) { return x; } __constant int c[2] = {1, 2};" KERNEL(
            "a[0].xy = (a[1] > a[2] ? a[3] : a[4]).lo + f(n) + c[0];");
    struct poor_alloc poor;
    struct code_cuda_source source = {.text = text, .length = sizeof text - 1, .entry = "k"};
    struct code_cuda made;
    fgpu_status status = FGPU_E_NOMEM;

    (void)state;
    poor_alloc_init(&poor);
    source.hooks = &poor.hooks;
    for (long count = 0; status != FGPU_OK; count++) {
        poor.left = count;
        status = code_cuda_make(&source, &made);
        assert_true(status == FGPU_OK || status == FGPU_E_NOMEM);
        assert_true(count < 1000);
        code_cuda_fini(&made, source.hooks);
        assert_int_equal(poor.live_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_declarations),
        cmocka_unit_test(test_attributes),  cmocka_unit_test(test_pragmas),
        cmocka_unit_test(test_wanted),      cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_lines),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
