/* Translated OpenCL C through the machine's own NVRTC, to PTX: the kernels of the corpus, of the
 * demonstration and of the examples, whole, sliced and guarded; compiled only, so no card is
 * needed. Exits 77 where NVRTC is not installed. Of the corpus the first kernel of every
 * fifth file, in a plain run; with FASTGPU_TEST_SEEDS set, all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/cuda.h"
#include "code/preempt.h"
#include "dev/cuda/loader.h"
#include "lib/kernel_corpus.h"

enum { LEAST_BUILT = 20, OPTIONS = 8 };

static const struct cuda_nvrtc *nvrtc;
static char target[40];
static unsigned built, refused, forms;

/* The architecture of an H200 where this NVRTC knows it, else the newest. */
static bool choose_target(void)
{
    int archs[128], count = 0, best = 0;

    if (nvrtc->arch_count(&count) != 0 || count > 128 || nvrtc->archs(archs) != 0)
        return false;
    for (int i = 0; i < count; i++)
        best = archs[i] == 90 || best != 90 ? archs[i] : best;
    (void)snprintf(target, sizeof target, "--gpu-architecture=compute_%d", best);
    return best != 0;
}

static void check_ptx(void *program, const char *where)
{
    size_t bytes = 0;
    char *ptx = NULL;

    assert_int_equal(nvrtc->ptx_bytes(program, &bytes), 0);
    ptx = calloc(1, bytes + 1);
    assert_int_equal(nvrtc->ptx(program, ptx), 0);
    if (strstr(ptx, ".visible .entry fgpu_kernel(") == NULL)
        fail_msg("%s: no entry in the PTX", where);
    free(ptx);
}

static void compile(const struct code_cuda *made, const char *where)
{
    const char *options[OPTIONS] = {target};
    char words[sizeof made->options], *rest = NULL, log[4096] = "";
    const char *name = NULL;
    size_t bytes = 0;
    void *program = NULL;
    int count = 1;

    memcpy(words, made->options, sizeof words);
    for (char *w = strtok_r(words, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        options[count++] = w;
    assert_int_equal(nvrtc->create(&program, made->text.text, "kernel.cu", 0, NULL, NULL), 0);
    assert_int_equal(nvrtc->add_name(program, CODE_CUDA_ENTRY), 0);
    if (nvrtc->compile(program, count, options) != 0) {
        if (nvrtc->log_bytes(program, &bytes) == 0 && bytes < sizeof log)
            (void)nvrtc->log(program, log);
        fail_msg("%s: NVRTC refuses it: %s", where, log);
    }
    assert_int_equal(nvrtc->lowered(program, CODE_CUDA_ENTRY, &name), 0);
    assert_string_equal(name, "fgpu_kernel");
    check_ptx(program, where);
    (void)nvrtc->destroy(&program);
    built++;
}

/* The text in one form or, with form < 0, as it is. */
static void check_form(const struct code_preempt_source *source, const struct code_kernel *kernel,
                       const char *file, int form)
{
    struct code_text changed = {NULL, 0};
    struct code_cuda_source text = {.text = source->text,
                                    .length = source->length,
                                    .options = source->options,
                                    .entry = kernel->name};
    struct code_cuda made;
    char where[300];

    if (form >= 0) {
        if (code_preempt_make(source, kernel, (enum code_preempt)form, &changed) != FGPU_OK)
            return;
        text.text = changed.text;
        text.length = changed.length;
        forms++;
    }
    (void)snprintf(where, sizeof where, "%.200s: %.60s", file, kernel->name);
    fgpu_status status = code_cuda_make(&text, &made);
    if (status == FGPU_OK)
        compile(&made, where);
    else if (status == FGPU_E_UNSUPPORTED && strstr(error_text(), "line") != NULL)
        refused++;
    else
        fail_msg("%s: %s", where, error_text());
    code_cuda_fini(&made, NULL);
    if (changed.text != NULL)
        alloc_put(NULL, changed.text, changed.length + 1);
}

static void check_text(const char *file, const char *text, const char *options, uint32_t most,
                       bool in_forms)
{
    struct code_preempt_source source = {.text = text, .length = strlen(text), .options = options};
    struct code_unit *unit = NULL;

    if (code_unit_create(text, source.length, options, NULL, &unit) != FGPU_OK)
        fail_msg("%s: %s", file, error_text());
    source.unit = unit;
    for (uint32_t k = 0; k < code_unit_kernel_count(unit) && k < most; k++)
        for (int form = in_forms ? 1 : -1; form >= -1; form--)
            check_form(&source, code_unit_kernel(unit, k), file, form);
    code_unit_destroy(unit);
}

static void check_corpus_file(const struct corpus_file *file, void *unused)
{
    static unsigned number;
    bool all = getenv("FASTGPU_TEST_SEEDS") != NULL;

    (void)unused;
    if (file->builds && (all || number++ % 5 == 0))
        check_text(file->name, file->text, file->options, all ? 64 : 1, all);
}

static void test_corpus(void **state)
{
    (void)state;
    assert_true(corpus_each(check_corpus_file, NULL) > 0);
    assert_true(built >= 6);
}

static void check_folder(const char *folder)
{
    const char *root = getenv("FASTGPU_SOURCE_DIR");
    char path[1200], text[1 << 15];
    struct dirent **entries = NULL;
    int count;

    (void)snprintf(path, sizeof path, "%.900s/%s", root != NULL ? root : ".", folder);
    count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        (void)snprintf(path, sizeof path, "%.600s/%s/%.200s", root != NULL ? root : ".", folder,
                       entries[i]->d_name);
        FILE *file = dot != NULL && strcmp(dot, ".cl") == 0 ? fopen(path, "rb") : NULL;
        if (file != NULL) {
            text[fread(text, 1, sizeof text - 1, file)] = '\0';
            (void)fclose(file);
            check_text(path, text, NULL, 64, i % 8 == 7);
        }
        free(entries[i]);
    }
    free(entries);
}

static void test_ours(void **state)
{
    (void)state;
    check_folder("cli/filters/kernels");
    check_folder("examples/workloads/kernels");
    assert_true(built >= LEAST_BUILT);
    assert_true(forms > 0);
}

/* Compiles only where the sizes are those of OpenCL C. */
static void test_layouts(void **state)
{
    static const char text[] =
        "#define IS(t, bytes) { char c[sizeof(t) == (bytes) ? 1 : -1]; c[0] = 0; *a += c[0]; }\n"
        "typedef struct { char c; int v; } __attribute__((packed)) behind;\n"
        "typedef struct __attribute__((packed)) { char c; int v; } front;\n"
        "typedef struct { int v[3]; } __attribute__((aligned(16))) wide;\n"
        "struct both { char c; int v; } __attribute__((packed)) __attribute__((aligned(2)));\n"
        "typedef struct { char c; float4 v; } __attribute__((packed)) vector;\n"
        "typedef struct { char c; struct { char d; int v; } __attribute__((packed)) in; } nest;\n"
        "typedef struct { char c; int v; } name __attribute__((packed));\n" /* ignored */
        "typedef struct { char c; int v __attribute__((packed)); } member;\n"
        "__kernel void k(__global int *a) {\n"
        "IS(behind, 5) IS(front, 5) IS(wide, 16) IS(struct both, 6) IS(vector, 17) IS(nest, 6)\n"
        "IS(name, 8) IS(member, 5) }\n";

    (void)state;
    check_text("layouts", text, NULL, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus), cmocka_unit_test(test_ours),
                                       cmocka_unit_test(test_layouts)};
    char why[512] = "";

    if ((cuda_loader_nvrtc(13000, &nvrtc, why, sizeof why) != FGPU_OK &&
         cuda_loader_nvrtc(12000, &nvrtc, why, sizeof why) != FGPU_OK) ||
        !choose_target()) {
        (void)fprintf(stderr, "skipped: no NVRTC to compile with: %s\n", why);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
