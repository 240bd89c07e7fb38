/* OpenCL C on the cuda device (code/cuda.h) against an OpenCL device: random kernels of vector
 * expressions, and kernels of the corpus, give the same bytes on both. The cuda device is the fake
 * driver's, which runs the translated text on the host. Exits 77 without either.
 * FASTGPU_TEST_SEEDS: how many random kernels, and then all of the corpus.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "lib/device_kernels.h"
#include "lib/device_targets.h"
#include "lib/fakecuda_rig.h"
#include "lib/random_opencl.h"
#include "lib/seed.h"

#define ITEMS 8u
#define IN_BYTES (ITEMS * RANDOM_OPENCL_IN)
#define OUT_BYTES (ITEMS * RANDOM_OPENCL_STATEMENTS * RANDOM_OPENCL_SLOT)
#define CASES 2u

static struct rig rigs[2]; /* OpenCL, CUDA */
static struct rig_target targets[TARGETS_MAX];

static fgpu_code build(struct rig *rig, const char *text, const char *entry, uint32_t arg_count)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_OPENCL,
                               .arg_count = arg_count,
                               .text = text,
                               .entry = entry,
                               .options = ""};
    fgpu_code_built built = {0};
    fgpu_status status = device_code_build(&rig->device, &source, &built);

    if (status != FGPU_OK)
        fail_msg("%s: %s: %s\n%s\n%s", rig->target->name, entry, error_text(),
                 built.log != NULL ? built.log : "", text);
    free(built.log);
    return built.code;
}

/* Runs `k` on one device. */
static void run(struct rig *rig, const char *text, const uint8_t *in, uint8_t *out)
{
    fgpu_code code = build(rig, text, "k", 2);
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

static bool open_both(void)
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
    return found[0] && found[1];
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    int failed;

    if (!open_both())
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 2; i++)
        rig_close(&rigs[i]);
    return failed;
}
