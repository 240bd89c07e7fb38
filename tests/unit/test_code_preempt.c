/* Slices and guards as changes of a text: the text, letter by letter where it is short; what is
 * refused, with line and reason; and for every kernel of the corpus that the changed text is read
 * again as the same kernel with more parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/error.h"
#include "code/preempt.h"
#include "lib/kernel_corpus.h"
#include "lib/poor_alloc.h"

static const struct alloc_hooks *hooks;

static fgpu_status make(const char *text, const char *options, const char *entry,
                        enum code_preempt form, struct code_text *result)
{
    struct code_preempt_source source = {
        .text = text, .length = strlen(text), .options = options, .hooks = hooks};
    struct code_unit *unit = NULL;
    fgpu_status status = code_unit_create(text, source.length, options, hooks, &unit);
    *result = (struct code_text){NULL, 0};
    if (status != FGPU_OK)
        return status;
    const struct code_kernel *kernel = code_unit_find(unit, entry);
    assert_non_null(kernel);
    source.unit = unit;
    status = code_preempt_make(&source, kernel, form, result);
    code_unit_destroy(unit);
    return status;
}

static void drop(struct code_text *text)
{
    if (text->text != NULL)
        alloc_put(hooks, text->text, text->length + 1);
    text->text = NULL;
}

#define WHERE " const fgpu_where fgpu_at = fgpu_find(fgpu_grid);"
#define GUARD_PARAMETERS                                                                           \
    "const uint4 fgpu_grid, volatile __global uint *fgpu_flag, __global uchar *fgpu_done"
#define GUARD_ENTER                                                                                \
    WHERE " __local uint fgpu_go;"                                                                 \
          " if (fgpu_enter(fgpu_grid, fgpu_flag, fgpu_done, &fgpu_go) == 0u) return;"
#define SLICE_PARAMETERS "const uint4 fgpu_grid"
#define SLICE_ENTER WHERE " if (fgpu_grid.x == 0xffffffffu) return;"

/* What stands behind the prelude, and macros of its own in it. */
static void expect(const char *text, enum code_preempt form, const char *calls, const char *wanted)
{
    struct code_text result;
    if (make(text, NULL, "k", form, &result) != FGPU_OK)
        fail_msg("%s: %s", text, error_text());
    const char *body = strstr(result.text, "#line 1\n");
    assert_non_null(body);
    assert_string_equal(body + strlen("#line 1\n"), wanted);
    const char *last = strstr(result.text, "#define get_global_offset");
    assert_non_null(last);
    last = strchr(last, '\n') + 1;
    assert_int_equal((size_t)(body - last), strlen(calls));
    assert_memory_equal(last, calls, strlen(calls));
    drop(&result);
}

static void test_kernels(void **unused)
{
    (void)unused;
    expect("kernel void k(global int *a)\n{ a[get_global_id(0)] = 1; }", CODE_PREEMPT_SLICED, "",
           "kernel void k(global int *a, " SLICE_PARAMETERS ")\n{" SLICE_ENTER
           " a[get_global_id(0)] = 1; }");
    expect("kernel void k(global int *a)\n{ a[get_global_id(0)] = 1; }", CODE_PREEMPT_GUARDED, "",
           "kernel void k(global int *a, " GUARD_PARAMETERS ")\n{" GUARD_ENTER
           " a[get_global_id(0)] = 1; }");
    expect("kernel void k() {}", CODE_PREEMPT_GUARDED, "",
           "kernel void k(" GUARD_PARAMETERS ") {" GUARD_ENTER "}");
    expect("kernel void k(void);\nkernel __attribute__((reqd_work_group_size(8, 1, 1)))\n"
           "void k(void) { local int x; if (get_group_id(0)) return; x = 1; }",
           CODE_PREEMPT_SLICED, "",
           "kernel void k(" SLICE_PARAMETERS
           ");\nkernel __attribute__((reqd_work_group_size(8, 1, 1)))\n"
           "void k(" SLICE_PARAMETERS ") {" SLICE_ENTER
           " local int x; if (get_group_id(0)) return; x = 1; }");
    expect("kernel void k(global int *(p), int n) <% p[n] = 1; %>", CODE_PREEMPT_SLICED, "",
           "kernel void k(global int *(p), int n, " SLICE_PARAMETERS ") <%" SLICE_ENTER
           " p[n] = 1; %>");
}

static void test_functions(void **unused)
{
    (void)unused;
    /* One that asks, one that calls it, one that does neither, one that nobody calls. */
    expect("int at(int d); int plain(int x) { return x; }\n"
           "int row() { return at(1); }\n"
           "int at(int d) { return get_global_id(d); }\n"
           "int other(int x) { return get_global_id(x); }\n"
           "kernel void k(global int *a) { a[at(0)] = row() + plain(2); }",
           CODE_PREEMPT_SLICED,
           "#define at(...) fgpu_at_at(fgpu_at, __VA_ARGS__)\n"
           "#define row() fgpu_at_row(fgpu_at)\n",
           "int fgpu_at_at(fgpu_where fgpu_at, int d); int plain(int x) { return x; }\n"
           "int fgpu_at_row(fgpu_where fgpu_at) { return at(1); }\n"
           "int fgpu_at_at(fgpu_where fgpu_at, int d) { return get_global_id(d); }\n"
           "int other(int x) { return get_global_id(x); }\n"
           "kernel void k(global int *a, " SLICE_PARAMETERS ") {" SLICE_ENTER
           " a[at(0)] = row() + plain(2); }");
    /* Calls and questions inside macros. */
    expect("#define ID get_global_id(0)\n#define CALL f(1)\nint f(int x) { return x + ID; }\n"
           "kernel void k(global int *a) { a[ID] = CALL; }",
           CODE_PREEMPT_SLICED, "#define f(...) fgpu_at_f(fgpu_at, __VA_ARGS__)\n",
           "#define ID get_global_id(0)\n#define CALL f(1)\n"
           "int fgpu_at_f(fgpu_where fgpu_at, int x) { return x + ID; }\n"
           "kernel void k(global int *a, " SLICE_PARAMETERS ") {" SLICE_ENTER " a[ID] = CALL; }");
}

static void refused(const char *text, const char *options, const char *reason)
{
    for (int form = 0; form < 2; form++) {
        struct code_text result;
        assert_int_equal(make(text, options, "k", (enum code_preempt)form, &result),
                         FGPU_E_UNSUPPORTED);
        assert_null(result.text);
        if (strstr(error_text(), reason) == NULL)
            fail_msg("%s: %s", text, error_text());
        assert_non_null(strstr(error_text(), form == 0 ? "cannot be sliced" : "be guarded"));
    }
}

#define HEAD "kernel void k(global int *a)\n"

static void test_refused(void **unused)
{
    (void)unused;
    refused(HEAD "{ atomic_inc(a); }", NULL, "line 2: it uses atomics on global memory");
    refused(HEAD "{\nwhile (a[0] == 0) ; }", NULL, "line 3: it waits in a loop");
    refused(HEAD "{ f(a); }", NULL, "line 2: it calls a function whose body is not in the text");
    refused("#include <x.h>\n" HEAD "{ }", NULL, "#include is not read");
    refused("kernel void other(global int *a) { }\n" HEAD "{ other(a); }", NULL,
            "line 3: it calls another kernel, other");
    refused("#define K(n) kernel void n(global int *a) { a[0] = 1; }\nK(k)", NULL,
            "line 2: this comes out of a macro, where no parameter can be added: k");
    refused("#define F int f(int x) { return get_group_id(x); }\nF\n" HEAD "{ a[0] = f(0); }", NULL,
            "line 2: this comes out of a macro, where no parameter can be added: f");
    refused("#define OPEN {\n" HEAD "OPEN a[0] = 1; }", NULL, "line 3: its body begins in a macro");
    refused("#define END )\nkernel void k(global int *a END { a[0] = 1; }", NULL,
            "line 2: its parameters end in a macro");
    refused("#define get_group_id(x) 7\n" HEAD "{ a[0] = 1; }", NULL,
            "line 1: the text has a macro of its own for get_group_id");
    refused("int f(int x) { return get_group_id(x); }\n#define f(x) f(x)\n" HEAD "{ a[0] = f(0); }",
            NULL, "line 2: the text has a macro of its own for f");
    refused(HEAD "{ int fgpu_x = 1; a[0] = fgpu_x; }", NULL, "line 2: a name begins with fgpu_");
    refused(HEAD "{ a[0] = 1; }", "-Dfgpu_grid=1", "a build option names what begins with fgpu_");
    refused(HEAD "{ a[0] = 1; }", "-Dget_group_id(x)=1", "a build option names get_group_id");
    refused("int __attribute__((overloadable)) f(int x) { return get_group_id(x); }\n"
            "int __attribute__((overloadable)) f() { return 1; }\n" HEAD "{ a[0] = f(0) + f(); }",
            NULL, "line 2: of this name there are functions with and without parameters: f");
}

/* ---- the corpus ------------------------------------------------------------------------- */

static unsigned made_count, refused_count;

/* Lines of the prelude: a compiler does not count them. */
static uint32_t lines_before(const char *text)
{
    static const char end[] = "#line 1\n";
    const char *stop = strstr(text, end) + strlen(end);
    uint32_t lines = 0;
    for (; text < stop; text++)
        lines += *text == '\n';
    return lines;
}

static void check_made(const struct corpus_file *file, const struct code_kernel *kernel,
                       const struct code_text *text, uint32_t more)
{
    struct code_unit *again = NULL;
    if (code_unit_create(text->text, text->length, file->options, NULL, &again) != FGPU_OK)
        fail_msg("%s: %s: %s", file->name, kernel->name, error_text());
    const struct code_kernel *same = code_unit_find(again, kernel->name);
    assert_non_null(same);
    assert_int_equal(same->param_count, kernel->param_count + more);
    assert_int_equal(same->line, kernel->line + lines_before(text->text));
    assert_int_equal(same->has_required_group, kernel->has_required_group);
    assert_memory_equal(same->group, kernel->group, sizeof same->group);
    assert_false(code_class_uses(&same->class, CODE_USE_UNREAD));
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        assert_string_equal(same->params[i].name, kernel->params[i].name);
        assert_int_equal(same->params[i].access, kernel->params[i].access);
    }
    code_unit_destroy(again);
}

static void check_file(const struct corpus_file *file, void *unused)
{
    struct code_unit *unit = NULL;
    (void)unused;
    if (code_unit_create(file->text, file->length, file->options, NULL, &unit) != FGPU_OK)
        return;
    const struct code_preempt_source source = {
        .unit = unit, .text = file->text, .length = file->length, .options = file->options};
    for (uint32_t k = 0; k < 2 * code_unit_kernel_count(unit); k++) {
        const struct code_kernel *kernel = code_unit_kernel(unit, k / 2);
        enum code_preempt form = k % 2 == 0 ? CODE_PREEMPT_SLICED : CODE_PREEMPT_GUARDED;
        struct code_text text;
        fgpu_status status = code_preempt_make(&source, kernel, form, &text);
        if (status == FGPU_OK) {
            assert_int_not_equal(kernel->class.slicing, CODE_SLICING_NEVER);
            check_made(file, kernel, &text, CODE_PREEMPT_ARGS(form));
            alloc_put(NULL, text.text, text.length + 1);
            made_count++;
        } else {
            assert_int_equal(status, FGPU_E_UNSUPPORTED);
            assert_true(kernel->class.slicing == CODE_SLICING_NEVER || kernel->from_macro);
            refused_count++;
        }
    }
    code_unit_destroy(unit);
}

static void test_corpus(void **unused)
{
    (void)unused;
    assert_true(corpus_each(check_file, NULL) > 0);
    printf("%u texts made, %u refused\n", made_count, refused_count);
    assert_true(made_count > 100 && refused_count > 20);
}

/* ---- memory, and long chains ------------------------------------------------------------ */

static void test_memory(void **unused)
{
    static const char text[] =
        "int g(int x); int f(int x) { return g(x) + get_group_id(0); }\n"
        "int g(int x) { return get_num_groups(x); }\n" HEAD "{ a[get_global_id(0)] = f(1); }";
    struct poor_alloc poor;
    (void)unused;
    poor_alloc_init(&poor);
    hooks = &poor.hooks;
    fgpu_status status = FGPU_E_NOMEM;
    for (long left = 0; status != FGPU_OK; left++) {
        struct code_text result;
        poor.left = left;
        status = make(text, NULL, "k", CODE_PREEMPT_GUARDED, &result);
        drop(&result);
        assert_int_equal(poor.live_count, 0);
        assert_true(status == FGPU_OK || status == FGPU_E_NOMEM);
        assert_true(left < 10000);
    }
    hooks = NULL;
}

/* Functions that call each other in a row, declared before and defined from the last to the first:
 * linear, or this takes for ever. */
static void test_chain(void **unused)
{
    enum { LINKS = 20000 };
    char *text = NULL;
    size_t bytes = 0;
    struct code_text result;
    (void)unused;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    for (int i = 0; i < LINKS; i++)
        fprintf(out, "int f%d(int x);\n", i);
    for (int i = 0; i < LINKS - 1; i++)
        fprintf(out, "int f%d(int x) { return f%d(x); }\n", i, i + 1);
    fprintf(out, "int f%d(int x) { return get_group_id(x); }\n" HEAD "{ a[0] = f0(0); }\n",
            LINKS - 1);
    fclose(out);
    assert_int_equal(make(text, NULL, "k", CODE_PREEMPT_SLICED, &result), FGPU_OK);
    assert_non_null(
        strstr(result.text, "int fgpu_at_f0(fgpu_where fgpu_at, int x) { return f1(x); }"));
    drop(&result);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels), cmocka_unit_test(test_functions),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_memory),  cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
