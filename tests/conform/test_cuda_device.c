/* The cuda device beyond what every device is held to (test_devices): copies that need pieces,
 * pinned memory, the cache of built code, options, readings. Runs against the fake driver.
 */
#include <string.h>
#include "base/error.h"
#include "dev/cuda/cuda.h"
#include "lib/fakecuda_rig.h"
#include "lib/seed.h"
#include "lib/temp_folder.h"

static struct rig_target target = {.name = "cuda", .backend = &cuda_backend, .executes = true};

static int setup(void **state)
{
    (void)state;
    fake.reset();
    target.cuda_library = fake.path;
    target.index = 0;
    return 0;
}

/* There and back, in one row and as a block with pitches, where each side is larger than what is
 * staged at once. */
static void there_and_back(struct rig *rig, uint64_t row_bytes, uint64_t rows, uint64_t gap)
{
    uint64_t bytes = rows * (row_bytes + gap);
    unsigned char *out = malloc(bytes), *in = calloc(1, bytes);
    fgpu_mem mem = rig_alloc(rig, rows * row_bytes + (rows - 1) * 3);
    fgpu_cmd_copy copy = {.src = (uintptr_t)out,
                          .src_is_host = 1,
                          .dst = mem,
                          .src_pitch_bytes = row_bytes + gap,
                          .dst_pitch_bytes = row_bytes + 3,
                          .row_bytes = row_bytes,
                          .rows = rows};
    fgpu_cmd_copy back = {.src = mem,
                          .dst = (uintptr_t)in,
                          .dst_is_host = 1,
                          .src_pitch_bytes = row_bytes + 3,
                          .dst_pitch_bytes = row_bytes + gap,
                          .row_bytes = row_bytes,
                          .rows = rows};
    struct rng rng;

    rng_init(&rng, row_bytes);
    rig_noise(&rng, out, bytes);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_COPY, 0, &back), FGPU_OK);
    for (uint64_t row = 0; row < rows; row++)
        assert_memory_equal(in + row * (row_bytes + gap), out + row * (row_bytes + gap), row_bytes);
    rig_free(rig, mem);
    free(out);
    free(in);
}

static void test_pieces(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, &target);
    there_and_back(&rig, (9u << 20) + 5, 1, 0);
    there_and_back(&rig, (5u << 20) + 1, 2, 7);
    there_and_back(&rig, 100001, 70, 11);
    there_and_back(&rig, 3, 1000, 0);
    rig_close(&rig);
    fake_check_clean();
}

/* More pieces than a stream takes without making the caller wait: in parts, under one number, with
 * its time where asked for; what comes behind it comes after it. */
static void test_parts(void **state)
{
    enum { ROWS = 1000, PITCH = 103 };
    struct rig rig;
    static unsigned char from[ROWS * PITCH], to[ROWS * PITCH];
    struct rng rng;

    (void)state;
    rng_init(&rng, 9);
    rig_noise(&rng, from, sizeof from);
    fake.set("pitch", 100); /* so that each row is a piece */
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, sizeof from);
    fgpu_cmd_copy in = {.src = (uintptr_t)from,
                        .src_is_host = 1,
                        .dst = mem,
                        .src_pitch_bytes = PITCH,
                        .dst_pitch_bytes = PITCH,
                        .row_bytes = 90,
                        .rows = ROWS};
    fgpu_cmd_copy out = {.src = mem,
                         .dst_is_host = 1,
                         .dst = (uintptr_t)to,
                         .src_pitch_bytes = PITCH,
                         .dst_pitch_bytes = PITCH,
                         .row_bytes = 90,
                         .rows = ROWS};
    fgpu_cmd cmds[] = {{FGPU_CMD_COPY, FGPU_CMD_TIMED, &in}, {FGPU_CMD_COPY, 0, &out}};
    in.result.timed = 0;
    uint64_t before = rig.queues[1].accepted;
    rig_wait(&rig, 1, rig_submit(&rig, 1, cmds, 2));
    assert_int_equal(rig.queues[1].accepted, before + 2);
    assert_int_equal(in.result.status, FGPU_OK);
    assert_int_equal(out.result.status, FGPU_OK);
    assert_int_equal(in.result.timed, 1);
    assert_true(in.result.end_ns > in.result.start_ns);
    for (int row = 0; row < ROWS; row++)
        assert_memory_equal(to + row * PITCH, from + row * PITCH, 90);
    rig_free(&rig, mem);
    rig_close(&rig);
    fake_check_clean();
}

/* Small copies that come together go as one, by the driver's call or without, from pinned memory or
 * staged; what overlaps does not. */
static void scattered(struct rig *rig, unsigned char *host, long batch, bool overlap)
{
    enum { COUNT = 300, BYTES = 40, STEP = 100 };
    fgpu_cmd_copy copies[COUNT];
    fgpu_cmd cmds[COUNT];
    unsigned char before[COUNT * STEP];
    long batched, staged;
    fgpu_mem mem = rig_alloc(rig, sizeof before);

    fake.set("batch", batch);
    memcpy(before, host, sizeof before);
    for (int out = 0; out < 2; out++) {
        batched = fake.get("batched");
        staged = fake.get("staged");
        for (int i = 0; i < COUNT; i++) {
            uint64_t at = (uint64_t)((i * 7) % COUNT * STEP); /* in no order */
            fgpu_mem address = (uintptr_t)host + at;
            copies[i] = (fgpu_cmd_copy){.src = out ? mem : address,
                                        .dst = out ? address : mem,
                                        .src_is_host = !out,
                                        .dst_is_host = (uint32_t)out,
                                        .row_bytes = BYTES,
                                        .rows = 1};
            *(out ? &copies[i].src_offset_bytes : &copies[i].dst_offset_bytes) =
                overlap ? at % (uint64_t)(STEP * 3) : at;
            cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, FGPU_CMD_TIMED, &copies[i]};
        }
        rig_wait(rig, 1, rig_submit(rig, 1, cmds, COUNT));
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(copies[i].result.status, FGPU_OK);
            assert_int_equal(copies[i].result.timed, 1);
            assert_true(copies[i].result.end_ns >= copies[i].result.start_ns);
        }
        assert_int_equal(fake.get("batched") > batched, batch != 0 && (!overlap || out));
        if (!overlap)
            assert_true(fake.get("staged") - staged < COUNT / 10);
        if (!out)
            memset(host, 0, sizeof before);
    }
    for (int i = 0; i < COUNT && !overlap; i++)
        assert_memory_equal(host + i * STEP, before + i * STEP, BYTES);
    memcpy(host, before, sizeof before);
    rig_free(rig, mem);
}

static void test_scattered(void **state)
{
    struct rig rig;
    static unsigned char pageable[30000];
    void *pinned = NULL;
    struct rng rng;

    (void)state;
    rng_init(&rng, 3);
    rig_noise(&rng, pageable, sizeof pageable);
    rig_open(&rig, &target);
    assert_int_equal(fake.host_alloc(&pinned, sizeof pageable, 0), 0);
    memcpy(pinned, pageable, sizeof pageable);
    scattered(&rig, pageable, 13, false);
    scattered(&rig, pinned, 13, false);
    scattered(&rig, pinned, 12, false);
    scattered(&rig, pinned, 13, true);
    scattered(&rig, pinned, 0, false); /* the queue remembers: */
    scattered(&rig, pageable, 0, false);
    rig_close(&rig);
    (void)fake.host_free(pinned);
    fake_check_clean();
}

/* Memory that is pinned while copies of it are being handed over: those that were found pageable
 * are staged, all of them. */
static void test_pinned_meanwhile(void **state)
{
    enum { COUNT = 6, BYTES = 16 };
    struct rig rig;
    unsigned char bytes[COUNT * BYTES], back[COUNT * BYTES];
    fgpu_cmd_copy copies[COUNT];
    fgpu_cmd cmds[COUNT];
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    rig_noise(&rng, bytes, sizeof bytes);
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, sizeof bytes);
    for (uint32_t i = 0; i < COUNT; i++) {
        copies[i] = (fgpu_cmd_copy){.src = (uintptr_t)bytes + i * (uint64_t)BYTES,
                                    .dst = mem,
                                    .dst_offset_bytes = i * (uint64_t)BYTES,
                                    .src_is_host = 1,
                                    .row_bytes = BYTES,
                                    .rows = 1};
        cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, 0, &copies[i]};
    }
    long staged = fake.get("staged");
    fake.set("pin_after", COUNT + 1);
    rig_wait(&rig, 1, rig_submit(&rig, 1, cmds, COUNT));
    fake.set("pin_after", 0);
    assert_int_equal(fake.get("staged"), staged + 1);
    rig_read(&rig, mem, 0, back, sizeof back);
    assert_memory_equal(back, bytes, sizeof back);
    rig_free(&rig, mem);
    rig_close(&rig);
    fake_check_clean();
}

static void test_pinned(void **state)
{
    struct rig rig;
    void *pinned = NULL;
    char pageable[64];
    fgpu_cmd_copy copy = {.src_is_host = 1, .row_bytes = 64, .rows = 1};

    (void)state;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 64);
    assert_int_equal(fake.host_alloc(&pinned, 64, 0), 0);
    memset(pinned, 42, 64);
    fake.set("host_alloc_error", 2); /* nothing can be staged */
    copy.src = (uintptr_t)pinned;
    copy.dst = mem;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_OK);
    copy.src = (uintptr_t)pageable;
    assert_int_equal(rig_run(&rig, 0, FGPU_CMD_COPY, 0, &copy), FGPU_E_DEVMEM);
    fake.set("host_alloc_error", 0);
    rig_read(&rig, mem, 0, pageable, 64);
    assert_memory_equal(pageable, pinned, 64);
    rig_free(&rig, mem);
    rig_close(&rig);
    (void)fake.host_free(pinned);
    fake_check_clean();
}

/* Where the driver takes no blocks inside the card: row by row, and with others in flight only as
 * many as do not make it wait. */
static void test_rows(void **state)
{
    struct rig rig;
    unsigned char from[3000], to[3000];
    fgpu_cmd_copy copies[3];
    fgpu_cmd cmds[3];
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    rig_noise(&rng, from, sizeof from);
    fake.set("copy_2d_error", 1);
    rig_open(&rig, &target);
    fgpu_mem a = rig_alloc(&rig, sizeof from), b = rig_alloc(&rig, sizeof from);
    rig_write(&rig, a, 0, from, sizeof from);
    rig_write(&rig, b, 0, from, sizeof from);
    for (int i = 0; i < 3; i++) {
        copies[i] = (fgpu_cmd_copy){.src = a,
                                    .dst = b,
                                    .src_pitch_bytes = 10,
                                    .dst_pitch_bytes = 9,
                                    .row_bytes = 8,
                                    .rows = 300};
        cmds[i] = (fgpu_cmd){FGPU_CMD_COPY, 0, &copies[i]};
    }
    rig_wait(&rig, 0, rig_submit(&rig, 0, cmds, 3));
    fgpu_cmd_fill fills[2];
    for (int i = 0; i < 2; i++) { /* the same of fills with a long pattern */
        fills[i] = (fgpu_cmd_fill){.mem = a,
                                   .pitch_bytes = 10,
                                   .row_bytes = 8,
                                   .rows = 300,
                                   .pattern_bytes = 8,
                                   .pattern = {1, 2, 3, 4, 5, 6, 7, 8}};
        cmds[i] = (fgpu_cmd){FGPU_CMD_FILL, 0, &fills[i]};
    }
    rig_wait(&rig, 0, rig_submit(&rig, 0, cmds, 2));
    rig_read(&rig, a, 0, to, sizeof to);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(to[i], i % 10 < 8 ? i % 10 + 1 : from[i]);
    rig_read(&rig, b, 0, to, sizeof to);
    for (int i = 0; i < 2700; i++)
        assert_int_equal(to[i], i % 9 < 8 ? from[i / 9 * 10 + i % 9] : from[i]);
    rig_free(&rig, a);
    rig_free(&rig, b);
    rig_close(&rig);
    fake_check_clean();
}

static const char add_text[] =
    "#ifndef STEP\n#define STEP 1\n#endif\n"
    "__global__ void __launch_bounds__(64) add(unsigned *p) { p[threadIdx.x] += STEP; }";

static const char include_text[] = "#  include <stddef.h>\n"
                                   "__global__ void add(unsigned *p) { p[threadIdx.x] += 1; }";

static fgpu_code build_source(struct rig *rig, fgpu_code_source source, fgpu_code_built *built)
{
    if (device_code_build(&rig->device, &source, built) != FGPU_OK)
        fail_msg("%s: %s", error_text(), built->log != NULL ? built->log : "");
    free(built->log);
    return built->code;
}

static fgpu_code build_add(struct rig *rig, const char *folder, const char *options,
                           fgpu_code_built *built)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_CUDA,
                               .arg_count = 1,
                               .text = add_text,
                               .entry = "add",
                               .options = options,
                               .cache_dir = folder};

    return build_source(rig, source, built);
}

static fgpu_code build_text(struct rig *rig, const char *folder, const char *text,
                            fgpu_code_built *built)
{
    fgpu_code_source source = {.kind = FGPU_VARIANT_CUDA,
                               .arg_count = 1,
                               .text = text,
                               .entry = "add",
                               .options = "",
                               .cache_dir = folder};

    return build_source(rig, source, built);
}

static void run_add(struct rig *rig, fgpu_code code, uint32_t step)
{
    uint32_t values[64] = {0};
    fgpu_mem mem = rig_alloc(rig, sizeof values);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, sizeof values)};
    fgpu_cmd_launch launch = kernel_launch(code, args, 1, 64, 64);

    rig_write(rig, mem, 0, values, sizeof values);
    assert_int_equal(rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch), FGPU_OK);
    rig_read(rig, mem, 0, values, sizeof values);
    for (int i = 0; i < 64; i++)
        assert_int_equal(values[i], step);
    rig_free(rig, mem);
    device_code_free(&rig->device, code);
}

/* One launch of a kernel that counts items; its status. shape: the group it ran in, in y and z. */
static fgpu_status run_shape(struct rig *rig, fgpu_code code, const uint64_t *global,
                             const uint32_t *local, uint32_t *shape)
{
    uint32_t seen[3] = {0};
    fgpu_mem mem = rig_alloc(rig, sizeof seen);
    fgpu_cmd_arg args[] = {kernel_buffer(mem, 0, sizeof seen)};
    fgpu_cmd_launch launch = kernel_launch(code, args, 1, global[0], local[0]);
    fgpu_status status;

    launch.dims = 3;
    for (int d = 0; d < 3; d++) {
        launch.global[d] = global[d];
        launch.local[d] = local[d];
    }
    rig_write(rig, mem, 0, seen, sizeof seen);
    status = rig_run(rig, 0, FGPU_CMD_LAUNCH, 0, &launch);
    rig_read(rig, mem, 0, seen, sizeof seen);
    assert_int_equal(seen[0], status == FGPU_OK ? global[0] * global[1] * global[2] : 0);
    memcpy(shape, seen + 1, 2 * sizeof *shape);
    rig_free(rig, mem);
    return status;
}

static void refuses_shape(struct rig *rig, fgpu_code code, const uint64_t *global,
                          const uint32_t *local, const char *why)
{
    char text[256];
    uint32_t shape[2];

    assert_int_equal(run_shape(rig, code, global, local, shape), FGPU_E_INVAL);
    device_reason(&rig->device, text, sizeof text);
    if (strstr(text, why) == NULL)
        fail_msg("%s: not %s", text, why);
}

/* Cards take 65535 groups in the second and the third dimension, and 64 items in the third. */
static void test_shapes(void **state)
{
    static const uint32_t none[3], deep[3] = {1, 1, 128}, flat[3] = {1, 1, 1}, wide[3] = {1024};
    struct rig rig;
    fgpu_code_built built;
    uint32_t shape[2];

    (void)state;
    rig_open(&rig, &target);
    fgpu_code code = build_text(&rig, *state,
                                "extern \"C\" __global__ void add(unsigned *a) { a[0]++; "
                                "a[1] = blockDim.y; a[2] = blockDim.z; }",
                                &built);
    assert_int_equal(run_shape(&rig, code, (uint64_t[]){2, 65535, 1}, none, shape), FGPU_OK);
    assert_int_equal(shape[0], 1);
    assert_int_equal(run_shape(&rig, code, (uint64_t[]){3, 65536 * 2, 1}, none, shape), FGPU_OK);
    assert_int_equal(shape[0], 4);
    assert_int_equal(run_shape(&rig, code, (uint64_t[]){1, 1, 65535 * 3}, none, shape), FGPU_OK);
    assert_int_equal(shape[1], 3);
    refuses_shape(&rig, code, (uint64_t[]){1, 65537, 1}, none,
                  "dimension 1 of the launch has 65537 groups, at most 65535");
    refuses_shape(&rig, code, (uint64_t[]){1, 1, 65536}, flat,
                  "dimension 2 of the launch has 65536 groups, at most 65535");
    refuses_shape(&rig, code, (uint64_t[]){1, 1, 256}, deep,
                  "dimension 2 of the launch has 128 items in a group, at most 64");
    refuses_shape(&rig, code, (uint64_t[]){1024, 65536, 1}, wide, "65536 groups");
    device_code_free(&rig.device, code);
    rig_close(&rig);
    fake_check_clean();
}

static void test_cache(void **state)
{
    const char *folder = temp_folder_path("");
    struct rig rig;
    fgpu_code_built built;

    (void)state;
    rig_open(&rig, &target);
    run_add(&rig, build_add(&rig, folder, "", &built), 1);
    assert_int_equal(built.cached, 0);
    assert_int_equal(built.max_group_items, 64);
    run_add(&rig, build_add(&rig, folder, "-DSTEP=5", &built), 5); /* another program */
    assert_int_equal(built.cached, 0);
    rig_close(&rig);
    rig_open(&rig, &target);
    run_add(&rig, build_add(&rig, folder, "", &built), 1);
    assert_int_equal(built.cached, 1);
    run_add(&rig, build_add(&rig, folder, "-DSTEP=5", &built), 5);
    assert_int_equal(built.cached, 1);
    fake.set("nvrtc_most", 80); /* other code for the same text */
    run_add(&rig, build_add(&rig, folder, "", &built), 1);
    assert_int_equal(built.cached, 0);
    run_add(&rig, build_add(&rig, NULL, "  -DSTEP=6\t", &built), 6);
    assert_int_equal(built.cached, 0);
    for (int i = 0; i < 2; i++) { /* what depends on other files is not kept */
        run_add(&rig, build_add(&rig, folder, "-DSTEP=7 -Dinclude", &built), 7);
        assert_int_equal(built.cached, 0);
        run_add(&rig, build_text(&rig, folder, include_text, &built), 1);
        assert_int_equal(built.cached, 0);
    }
    rig_close(&rig);
    fake_check_clean();
}

static void test_options(void **state)
{
    struct rig rig;
    char many[400] = "";
    fgpu_code_source source = {.kind = FGPU_VARIANT_CUDA,
                               .arg_count = 1,
                               .text = add_text,
                               .entry = "add",
                               .options = "--no-such-option"};
    fgpu_code_built built;

    (void)state;
    rig_open(&rig, &target);
    assert_int_equal(device_code_build(&rig.device, &source, &built), FGPU_E_BUILD);
    assert_non_null(strstr(built.log, "NVRTC_ERROR_INVALID_OPTION"));
    assert_non_null(strstr(built.log, "unrecognized option"));
    free(built.log);
    for (int i = 0; i < 70; i++)
        memcpy(many + (size_t)i * 4, "-DA ", 5);
    source.options = many;
    assert_int_equal(device_code_build(&rig.device, &source, &built), FGPU_E_BUILD);
    free(built.log);
    source.form = FGPU_FORM_GUARDED;
    assert_int_equal(device_code_build(&rig.device, &source, &built), FGPU_E_UNSUPPORTED);
    free(built.log);
    rig_close(&rig);
    fake_check_clean();
}

static fgpu_device_sample sample_of(uint32_t index)
{
    struct rig rig;
    fgpu_device_sample sample = {.struct_bytes = sizeof sample};

    target.index = index;
    rig_open(&rig, &target);
    fgpu_mem mem = rig_alloc(&rig, 1000);
    assert_int_equal(device_sample(&rig.device, &sample), FGPU_OK);
    assert_int_equal(sample.memory_used_bytes, 1000);
    assert_true((sample.valid & FGPU_SAMPLE_MEMORY) != 0);
    rig_free(&rig, mem);
    rig_close(&rig);
    return sample;
}

static void test_readings(void **state)
{
    fgpu_device_sample sample;

    (void)state;
    sample = sample_of(0);
    assert_int_equal(sample.valid, 31);
    assert_true(sample.utilisation > 0.369 && sample.utilisation < 0.371);
    assert_true(sample.power_watt > 123.4 && sample.power_watt < 123.6);
    assert_true(sample.temperature_celsius == 41);
    assert_int_equal(sample.clock_mhz, 1980);
    sample = sample_of(1); /* found by its bus; does not tell its power */
    assert_int_equal(sample.valid, 31 & ~FGPU_SAMPLE_POWER);
    fake.set("nvml_error", 9); /* told before, so not again: it has started */
    assert_int_equal(sample_of(0).valid, 31);
    fake_check_clean();
}

static void test_info(void **state)
{
    fgpu_device_info infos[2];
    fgpu_backend_options options = {.memory_bytes = 1 << 20};
    uint32_t count = 0;
    char why[100] = "";

    (void)state;
    infos[0].struct_bytes = infos[1].struct_bytes = sizeof infos[0];
    rig_cuda_library(fake.path);
    assert_int_equal(cuda_backend.probe(&options, infos, 2, &count, why, sizeof why), FGPU_OK);
    assert_int_equal(count, 2);
    assert_string_equal(infos[1].id, "cuda:1");
    assert_string_equal(infos[1].name, "Fake GPU 1");
    assert_string_equal(infos[1].vendor, "NVIDIA");
    assert_int_equal(infos[1].type, FGPU_DEVICE_GPU);
    assert_int_equal(infos[1].compute_units, 132);
    assert_int_equal(infos[1].clock_mhz, 1755);
    assert_int_equal(infos[1].memory_bytes, 1 << 20);
    assert_int_equal(infos[1].max_group_items, 1024);
    assert_int_equal(infos[1].local_memory_bytes, 49152);
    assert_int_not_equal(infos[0].resource_group, infos[1].resource_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_parts, setup),
        cmocka_unit_test_setup(test_scattered, setup),
        cmocka_unit_test_setup(test_pieces, setup),
        cmocka_unit_test_setup(test_pinned, setup),
        cmocka_unit_test_setup(test_rows, setup),
        cmocka_unit_test_setup(test_cache, setup),
        cmocka_unit_test_setup(test_options, setup),
        cmocka_unit_test_setup(test_readings, setup),
        cmocka_unit_test_setup(test_pinned_meanwhile, setup),
        cmocka_unit_test_setup(test_info, setup),
        cmocka_unit_test_setup(test_shapes, setup),
    };

    if (!fake_open())
        return 77;
    return cmocka_run_group_tests_name("cuda device", tests, temp_folder_make, temp_folder_remove);
}
