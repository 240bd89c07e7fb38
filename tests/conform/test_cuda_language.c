/* OpenCL C on the cuda device (code/cuda.h) against an OpenCL device: random kernels of vector
 * expressions, and kernels of the corpus, give the same bytes on both. The cuda device is the fake
 * driver's, which runs the translated text on the host. Exits 77 without either.
 * With FASTGPU_TEST_CARD set: a CUDA card (of FASTGPU_CUDA_LIBRARY or the machine's driver) against
 * the fake driver where there is one, else against an OpenCL device.
 * FASTGPU_TEST_SEEDS: how many random kernels, and then all of the corpus.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "code/cuda.h"
#include "code/unit.h"
#include "dev/cuda/cuda.h"
#include "lib/device_kernels.h"
#include "lib/device_targets.h"
#include "lib/kernel_corpus.h"
#include "lib/random_opencl.h"
#include "lib/seed.h"

#define ITEMS 8u
#define IN_BYTES (ITEMS * RANDOM_OPENCL_IN)
#define OUT_BYTES (ITEMS * RANDOM_OPENCL_STATEMENTS * RANDOM_OPENCL_SLOT)
#define CASES 1u
#define CORPUS_PARAMS 32
#define CORPUS_BYTES 65536u

static struct rig rigs[2]; /* what is right, CUDA */
static struct rig_target targets[TARGETS_MAX];
static bool on_card;

static fgpu_code build(struct rig *rig, const char *text, const char *entry, const char *options,
                       uint32_t arg_count)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                               .arg_count = arg_count,
                               .text = text,
                               .entry = entry,
                               .options = options};
    fgpu_code_built built = {0};
    fgpu_status status;

    if (on_card) /* either may be a CUDA device, each with an NVRTC of its own */
        rig_cuda_library(rig->target->cuda_library);
    status = device_code_build(&rig->device, &source, &built);
    if (status != FGPU_OK)
        fail_msg("%s: %s: %s\n%s\n%s", rig->target->name, entry, error_text(),
                 built.log != NULL ? built.log : "", text);
    free(built.log);
    return built.code;
}

/* Runs `k` on one device. */
static void run(struct rig *rig, const char *text, const uint8_t *in, uint8_t *out)
{
    fgpu_code code = build(rig, text, "k", "", 2);
    fgpu_mem mems[2] = {rig_alloc(rig, IN_BYTES), rig_alloc(rig, OUT_BYTES)};
    fgpu_cmd_arg args[2] = {kernel_buffer(mems[0], 0, IN_BYTES),
                            kernel_buffer(mems[1], 0, OUT_BYTES)};
    fgpu_cmd_launch launch = kernel_launch(code, args, 2, ITEMS, 4);

    memset(out, 0, OUT_BYTES);
    rig_write(rig, mems[0], 0, in, IN_BYTES);
    rig_write(rig, mems[1], 0, out, OUT_BYTES);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
    rig_read(rig, mems[1], 0, out, OUT_BYTES);
    for (int i = 0; i < 2; i++)
        rig_free(rig, mems[i]);
    device_code_free(&rig->device, code);
}

static void compare(const char *text, const size_t *lines, uint8_t *out[2])
{
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t s = 0; s < RANDOM_OPENCL_STATEMENTS; s++) {
            size_t at = ((size_t)i * RANDOM_OPENCL_STATEMENTS + s) * RANDOM_OPENCL_SLOT;
            if (memcmp(out[0] + at, out[1] + at, RANDOM_OPENCL_SLOT) == 0)
                continue;
            for (size_t b = at; b < at + RANDOM_OPENCL_SLOT; b++)
                if (out[0][b] != out[1][b])
                    (void)fprintf(stderr, "byte %zu: %s %02x, %s %02x\n", b - at,
                                  rigs[0].target->name, out[0][b], rigs[1].target->name, out[1][b]);
            size_t end = s + 1 < RANDOM_OPENCL_STATEMENTS ? lines[s + 1] : strlen(text);
            fail_msg("item %u, statement %u:\n%.*s", i, s, (int)(end - lines[s]), text + lines[s]);
        }
}

static void test_random(void **state)
{
    static char text[RANDOM_OPENCL_TEXT];
    static uint8_t in[IN_BYTES], outs[2][OUT_BYTES];
    uint8_t *out[2] = {outs[0], outs[1]};
    size_t lines[RANDOM_OPENCL_STATEMENTS];
    uint64_t first = seed_get(1), count = seed_count(CASES);

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        rig_noise(&rng, in, sizeof in);
        random_opencl_make(&rng, text, lines);
        seed_print("test_cuda_language", seed);
        if (getenv("FASTGPU_TEST_PRINT") != NULL)
            (void)fprintf(stderr, "%s", text);
        for (int i = 0; i < 2; i++)
            run(&rigs[i], text, in, out[i]);
        compare(text, lines, out);
    }
}

/* ---- the corpus ----------------------------------------------------------------------------- */

static unsigned corpus_ran;

/* A launch of a kernel of the corpus, on one device. */
struct corpus_launch {
    fgpu_mem mems[CORPUS_PARAMS];
    fgpu_cmd_arg args[CORPUS_PARAMS];
    uint8_t values[CORPUS_PARAMS][256];
    uint8_t *after[CORPUS_PARAMS];
};

/* Small numbers, which kernels may use as indices. */
static void corpus_fill(uint8_t *bytes, const struct code_param *param)
{
    for (uint32_t i = 0; i < CORPUS_BYTES / 8; i++) {
        double wide = 0.25 * (double)(i % 7) + 0.5;
        float number = (float)wide;
        uint32_t whole = i % 7;
        for (size_t k = 0; k < 8; k += 4)
            memcpy(bytes + (size_t)i * 8 + k,
                   param->scalar == CODE_SCALAR_FLOAT ? (void *)&number : (void *)&whole, 4);
        if (param->scalar == CODE_SCALAR_DOUBLE)
            memcpy(bytes + (size_t)i * 8, &wide, 8);
    }
}

static void corpus_value(struct corpus_launch *launch, const struct code_param *param, uint32_t i)
{
    uint32_t width = param->vector_width > 0 ? param->vector_width : 1;
    uint32_t each = param->size_bytes / (width == 3 ? 4 : width);
    const float one = 1.0f;
    const double one_double = 1.0;

    for (uint32_t c = 0; c < width; c++) {
        launch->values[i][(size_t)c * each] = 8;
        if (param->scalar == CODE_SCALAR_FLOAT)
            memcpy(&launch->values[i][(size_t)c * each], &one, sizeof one);
        if (param->scalar == CODE_SCALAR_DOUBLE)
            memcpy(&launch->values[i][(size_t)c * each], &one_double, sizeof one_double);
    }
    launch->args[i] = kernel_scalar(launch->values[i], param->size_bytes);
}

static void corpus_args(struct rig *rig, const struct code_kernel *kernel,
                        struct corpus_launch *launch)
{
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        const struct code_param *param = &kernel->params[i];
        if (param->kind == CODE_PARAM_LOCAL) {
            launch->args[i] = kernel_local(4096);
        } else if (param->kind == CODE_PARAM_VALUE) {
            corpus_value(launch, param, i);
        } else {
            launch->after[i] = malloc(CORPUS_BYTES);
            launch->mems[i] = rig_alloc(rig, CORPUS_BYTES);
            corpus_fill(launch->after[i], param);
            rig_write(rig, launch->mems[i], 0, launch->after[i], CORPUS_BYTES);
            launch->args[i] = kernel_buffer(launch->mems[i], 0, CORPUS_BYTES);
        }
    }
}

static void corpus_run(struct rig *rig, const struct corpus_file *file,
                       const struct code_kernel *kernel, struct corpus_launch *made)
{
    unsigned global[2] = {16, 1}, local[2] = {8, 1};
    char line[256];
    fgpu_code code;

    memset(made, 0, sizeof *made);
    if (corpus_line_of(file, "// run: ", kernel->name, line, sizeof line))
        (void)sscanf(line, "%u %u %u %u", &global[0], &global[1], &local[0], &local[1]);
    else if (kernel->has_required_group)
        for (int d = 0; d < 2; d++)
            local[d] = kernel->group[d];
    code = build(rig, file->text, kernel->name, file->options, kernel->param_count);
    corpus_args(rig, kernel, made);
    fgpu_cmd_launch launch =
        kernel_launch(code, made->args, kernel->param_count, global[0], local[0]);
    launch.dims = 2;
    launch.global[1] = global[1];
    launch.local[1] = local[1];
    if (rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch) != FGPU_OK)
        fail_msg("%s: %s: %s", file->name, kernel->name, rig->target->name);
    for (uint32_t i = 0; i < kernel->param_count; i++)
        if (made->mems[i] != 0) {
            rig_read(rig, made->mems[i], 0, made->after[i], CORPUS_BYTES);
            rig_free(rig, made->mems[i]);
        }
    device_code_free(&rig->device, code);
}

/* Are 8 bytes the same numbers, as far as libraries of functions agree? Up to 16 units of the last
 * place for each function (OpenCL 1.2, 7.4), a few functions after one another. */
static bool corpus_same(const struct code_param *param, const uint8_t *a, const uint8_t *b)
{
    double x, y;
    float f, g;
    bool same = memcmp(a, b, 8) == 0;

    if (!same && param->scalar == CODE_SCALAR_DOUBLE) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        return fabs(x - y) <= 1e-14 * (fabs(x) + 1);
    }
    if (!same && param->scalar == CODE_SCALAR_FLOAT) {
        same = true;
        for (int k = 0; k < 8; k += 4) {
            memcpy(&f, a + k, 4);
            memcpy(&g, b + k, 4);
            same &= memcmp(a + k, b + k, 4) == 0 ||
                    fabs((double)f - (double)g) <= 1e-5 * (fabs((double)f) + 1);
        }
    }
    return same;
}

static void corpus_kernel(const struct corpus_file *file, const struct code_kernel *kernel)
{
    static struct corpus_launch made[2];

    for (int d = 0; d < 2; d++)
        corpus_run(&rigs[d], file, kernel, &made[d]);
    for (uint32_t i = 0; i < kernel->param_count; i++) {
        for (size_t at = 0; made[0].after[i] != NULL && at < CORPUS_BYTES; at += 8)
            if (!corpus_same(&kernel->params[i], made[0].after[i] + at, made[1].after[i] + at))
                fail_msg("%s: %s: argument %u differs at byte %zu", file->name, kernel->name, i,
                         at);
        for (int d = 0; d < 2; d++)
            free(made[d].after[i]);
    }
    corpus_ran++;
}

/* Not to be run, not supported, or of structs, whose sizes the reader does not know. */
static bool corpus_left_out(const struct corpus_file *file, const struct code_kernel *kernel)
{
    struct code_cuda_source source = {.text = file->text,
                                      .length = file->length,
                                      .options = file->options,
                                      .entry = kernel->name};
    struct code_cuda made;
    char line[64];
    bool out = corpus_line_of(file, "// norun: ", kernel->name, line, sizeof line) ||
               kernel->param_count > CORPUS_PARAMS;

    for (uint32_t i = 0; i < kernel->param_count; i++)
        out |= kernel->params[i].kind == CODE_PARAM_OTHER ||
               (kernel->params[i].kind == CODE_PARAM_VALUE && !kernel->params[i].size_known);
    if (code_cuda_make(&source, &made) != FGPU_OK) {
        assert_non_null(strstr(error_text(), "line "));
        return true;
    }
    code_cuda_fini(&made, NULL);
    return out;
}

static void corpus_visit(const struct corpus_file *file, void *unused)
{
    static const char *const few[] = {"casts.cl",         "initialisers.cl", "narrow.cl",
                                      "own_functions.cl", "reduce_local.cl", "swizzles.cl"};
    struct code_unit *unit = NULL;
    bool chosen = getenv("FASTGPU_TEST_SEEDS") != NULL;

    (void)unused;
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        chosen |= strcmp(few[i], file->name) == 0;
    if (!chosen || !file->builds)
        return;
    assert_int_equal(code_unit_create(file->text, file->length, file->options, NULL, &unit),
                     FGPU_OK);
    for (uint32_t k = 0; k < code_unit_kernel_count(unit); k++)
        if (!corpus_left_out(file, code_unit_kernel(unit, k)))
            corpus_kernel(file, code_unit_kernel(unit, k));
    code_unit_destroy(unit);
}

static void test_corpus(void **state)
{
    (void)state;
    assert_true(corpus_each(corpus_visit, NULL) > 0);
    assert_true(corpus_ran >= 4);
    print_message("%u kernels\n", corpus_ran);
}

/* Opens the card and what it is compared with; 0 when both are there, else the exit status. */
static int open_card(const char *library)
{
    static struct rig_target card;
    const struct rig_target *right = NULL;
    size_t count = targets_find(targets);

    card = (struct rig_target){
        .name = "cuda:0", .backend = &cuda_backend, .executes = true, .cuda_library = library};
    for (size_t t = 0; t < count; t++)
        if (strcmp(targets[t].name, "cuda:0(fake)") == 0 ||
            (right == NULL && strcmp(targets[t].name, "opencl:0") == 0))
            right = &targets[t];
    if (right == NULL) {
        (void)fprintf(stderr, "skipped: neither FAKECUDA_LIB nor an OpenCL device\n");
        return 77;
    }
    print_message("cuda:0 against %s\n", right->name);
    rig_open(&rigs[0], right);
    rig_open(&rigs[1], &card);
    return 0;
}

static int open_both(void)
{
    size_t count = targets_find(targets);
    bool found[2] = {false, false};

    for (size_t t = 0; t < count; t++) {
        bool cuda = strcmp(targets[t].name, "cuda:0(fake)") == 0;
        bool opencl = strcmp(targets[t].name, "opencl:0") == 0;
        if (cuda || opencl) {
            rig_open(&rigs[cuda], &targets[t]);
            found[cuda] = true;
        }
    }
    if (!found[0] || !found[1])
        (void)fprintf(stderr, "skipped: no %s\n", found[0] ? "FAKECUDA_LIB" : "OpenCL device");
    return found[0] && found[1] ? 0 : 77;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_corpus)};
    const char *named = getenv("FASTGPU_CUDA_LIBRARY");
    char *library = named != NULL ? strdup(named) : NULL; /* the environment is changed */
    int failed;

    on_card = getenv("FASTGPU_TEST_CARD") != NULL;
    failed = on_card ? open_card(library) : open_both();
    if (failed != 0)
        return failed;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 2; i++)
        rig_close(&rigs[i]);
    free(library);
    return failed;
}
