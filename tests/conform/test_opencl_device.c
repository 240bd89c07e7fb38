/* The OpenCL backend driven through its table: probe, memory, launches, copies, fills, order, what
 * is told of. Runs against every target of opencl_targets.h; oracles are plain loops over host
 * arrays. FASTGPU_TEST_SEEDS is how many random cases each random test tries.
 */
#include "conform/opencl_targets.h"

#include "base/limits.h"

#define SEED 77001u
#define AREA 20000u /* bytes of the arrays that copies and fills work on */

static const char *const add_text =
    "__kernel void add(__global int *a, int v) { a[get_global_id(0)] += v; }";

static uint64_t case_count(uint64_t usual)
{
    const char *asked = getenv("FASTGPU_TEST_SEEDS");

    return asked != NULL ? strtoull(asked, NULL, 10) : usual;
}

/* Argument offsets that the device takes. */
static uint64_t aligned(const struct rig *rig, uint64_t offset)
{
    return offset / rig->caps.offset_align_bytes * rig->caps.offset_align_bytes;
}

static void setup(struct rig *rig)
{
    fgpu_backend_options options = target_options();

    rig_open(rig, &options, 0);
}

/* ---- what exists ---- */

static void test_probe(void **state)
{
    fgpu_backend_options options = target_options();
    fgpu_device_info infos[2][LIMITS_DEVICES];
    uint32_t counts[2] = {0, 0};
    char why[256] = "";
    char id[64];

    (void)state;
    for (int k = 0; k < 2; k++) {
        memset(infos[k], 0xff, sizeof(infos[k]));
        for (uint32_t i = 0; i < LIMITS_DEVICES; i++)
            infos[k][i].struct_bytes = sizeof(infos[k][i]);
        assert_int_equal(
            opencl_backend.probe(&options, infos[k], LIMITS_DEVICES, &counts[k], why, sizeof(why)),
            FGPU_OK);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_in_range(counts[0], 1, LIMITS_DEVICES);
    assert_memory_equal(infos[0], infos[1], counts[0] * sizeof(infos[0][0]));
    if (target->subdevices == 2 && counts[0] >= 2)
        (void)snprintf(id, sizeof(id), "opencl:0.0");
    else
        (void)snprintf(id, sizeof(id), "opencl:0");
    assert_string_equal(infos[0][0].id, id);
    for (uint32_t i = 0; i < counts[0]; i++) {
        const fgpu_device_info *info = &infos[0][i];
        uint32_t wanted = FGPU_INFO_UNITS | FGPU_INFO_MEMORY | FGPU_INFO_LOCAL_MEMORY |
                          FGPU_INFO_MAX_GROUP | FGPU_INFO_ALIGN | FGPU_INFO_RESOURCE_GROUP;
        assert_int_equal(info->struct_bytes, sizeof(*info));
        assert_int_equal(info->valid & wanted, wanted);
        assert_true(info->name[0] != '\0' && info->vendor[0] != '\0' && info->driver[0] != '\0');
        assert_string_equal(info->backend, "opencl");
        assert_true(info->compute_units > 0 && info->memory_bytes > 0);
        assert_true(info->max_group_items > 0 && info->memory_align_bytes > 0);
        assert_int_equal(info->type, target_is_fake() ? FGPU_DEVICE_GPU : FGPU_DEVICE_CPU);
    }
    /* the count is told also where there is no room for the devices */
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &counts[1], why, sizeof(why)),
                     FGPU_OK);
    assert_int_equal(counts[0], counts[1]);
}

static void test_open(void **state)
{
    fgpu_backend_options options = target_options();
    struct rig rig;
    fgpu_doorbell bell = rig_bell(&rig);
    void *device = NULL;
    void *queue = NULL;

    (void)state;
    assert_int_equal(opencl_backend.open(&options, 1000, &bell, &device), FGPU_E_RANGE);
    assert_non_null(strstr(error_text(), "1000"));
    assert_null(device);
    setup(&rig);
    assert_int_equal(rig.caps.host_memory, target->memory == NULL && !target_is_fake() ? 1 : 0);
    assert_int_equal(rig.caps.variants, 1u << FGPU_VARIANT_OPENCL);
    assert_int_equal(rig.caps.host_calls, 0);
    assert_true(rig.caps.queue_count >= 1 && rig.caps.max_queue_commands >= 64);
    assert_true(rig.caps.memory_bytes > 0 &&
                rig.caps.memory_max_alloc_bytes <= rig.caps.memory_bytes);
    assert_int_equal(opencl_backend.queue_open(rig.device, 99, &queue), FGPU_E_RANGE);
    rig_close(&rig);
    opencl_backend.close(NULL);
    opencl_backend.queue_close(NULL);
    opencl_backend.mem_free(NULL, 0);
    opencl_backend.code_free(NULL, 0);
}

/* All devices of the list at once, each with work; they share a context where they can. */
static void test_all_devices(void **state)
{
    fgpu_backend_options options = target_options();
    static struct rig rigs[LIMITS_DEVICES];
    uint32_t count = 0;
    int values[64];

    (void)state;
    assert_int_equal(opencl_backend.probe(&options, NULL, 0, &count, NULL, 0), FGPU_OK);
    for (uint32_t i = 0; i < count; i++)
        rig_open(&rigs[i], &options, i);
    for (uint32_t i = 0; i < count; i++) {
        struct rig *rig = &rigs[i];
        fgpu_code code = rig_build(rig, add_text, "add", 2);
        fgpu_mem mem = rig_alloc(rig, sizeof(values));
        int add = (int)(100 + i);
        fgpu_cmd_arg args[2] = {rig_buffer(mem, 0, sizeof(values)), rig_scalar(&add, sizeof(add))};
        fgpu_cmd_launch launch = rig_launch(code, args, 2, 64, 8);
        memset(values, 0, sizeof(values));
        rig_write(rig, mem, 0, values, sizeof(values));
        rig_run(rig, FGPU_CMD_LAUNCH, 0, &launch);
        rig_read(rig, mem, 0, values, sizeof(values));
        for (int k = 0; k < 64; k++)
            assert_int_equal(values[k], add);
        opencl_backend.code_free(rig->device, code);
        opencl_backend.mem_free(rig->device, mem);
    }
    for (uint32_t i = 0; i < count; i++)
        rig_close(&rigs[i]);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    fgpu_backend_options options = target_options();
    fgpu_device_sample sample = {.struct_bytes = sizeof(sample)};
    struct rig rig;
    fgpu_mem mems[8] = {0};
    uint32_t count = 0;

    (void)state;
    options.memory_bytes = 1u << 20;
    rig_open(&rig, &options, 0);
    assert_int_equal(rig.caps.memory_bytes, 1u << 20);
    assert_int_equal(opencl_backend.mem_alloc(rig.device, 0, &mems[0]), FGPU_E_INVAL);
    assert_int_equal(opencl_backend.mem_alloc(rig.device, (1u << 20) + 1, &mems[0]), FGPU_E_DEVMEM);
    assert_int_equal(opencl_backend.mem_alloc(rig.device, UINT64_MAX, &mems[0]), FGPU_E_DEVMEM);
    mems[count++] = rig_alloc(&rig, 1);
    while (count < 8 && opencl_backend.mem_alloc(rig.device, 300000, &mems[count]) == FGPU_OK)
        count++;
    assert_int_equal(count, 4); /* 1 + 3 x 300000 <= 1 MiB < 1 + 4 x 300000 */
    assert_true(mems[0] != mems[1] && mems[1] != mems[2]);
    assert_int_equal(opencl_backend.sample(rig.device, &sample), FGPU_OK);
    assert_true((sample.valid & FGPU_SAMPLE_MEMORY) != 0);
    assert_int_equal(sample.memory_used_bytes, 900001);
    for (uint32_t i = 0; i < count; i++)
        opencl_backend.mem_free(rig.device, mems[i]);
    assert_int_equal(opencl_backend.sample(rig.device, &sample), FGPU_OK);
    assert_int_equal(sample.memory_used_bytes, 0);
    sample.memory_used_bytes = 77; /* a caller of an older version gets what it knows */
    sample.struct_bytes = offsetof(fgpu_device_sample, memory_used_bytes);
    assert_int_equal(opencl_backend.sample(rig.device, &sample), FGPU_OK);
    assert_int_equal(sample.memory_used_bytes, 77);
    rig_close(&rig);
}

/* A 2-D region within AREA bytes. */
struct area {
    uint64_t offset, pitch, row, rows;
};

static struct area area_random(struct rng *rng, uint64_t row, uint64_t rows)
{
    struct area area = {.row = row, .rows = rows};

    area.pitch = rows > 1 && rng_below(rng, 3) > 0 ? row + rng_below(rng, 50) : row;
    area.offset = rng_below(rng, AREA - ((rows - 1) * area.pitch + row) + 1);
    return area;
}

static void fill_random(struct rng *rng, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)rng_below(rng, 256);
}

static void oracle_copy(uint8_t *dst, struct area to, const uint8_t *src, struct area from)
{
    for (uint64_t r = 0; r < to.rows; r++)
        for (uint64_t i = 0; i < to.row; i++)
            dst[to.offset + r * to.pitch + i] = src[from.offset + r * from.pitch + i];
}

struct copy_case {
    uint8_t host[2][AREA];   /* host memory */
    uint8_t device[2][AREA]; /* what the device's memories hold */
    fgpu_mem mems[2];
};

/* One copy between random places among two host arrays and two of the device. */
static void copy_once(struct rig *rig, struct rng *rng, struct copy_case *c)
{
    uint64_t row = 1 + rng_below(rng, 200);
    uint64_t rows = 1 + rng_below(rng, 30);
    struct area from = area_random(rng, row, rows);
    struct area to = area_random(rng, row, rows);
    uint32_t way = (uint32_t)rng_below(rng, 4); /* in, out, inside, within one buffer */
    uint8_t *src = way == 0 ? c->host[0] : c->device[0];
    uint8_t *dst = way == 1 ? c->host[1] : c->device[way == 3 ? 0 : 1];
    fgpu_cmd_copy copy = {.src = way == 0 ? (fgpu_mem)(uintptr_t)src : c->mems[0],
                          .dst = way == 1 ? (fgpu_mem)(uintptr_t)dst : c->mems[way == 3 ? 0 : 1],
                          .src_is_host = way == 0,
                          .dst_is_host = way == 1,
                          .src_offset_bytes = from.offset,
                          .dst_offset_bytes = to.offset,
                          .src_pitch_bytes = from.pitch,
                          .dst_pitch_bytes = to.pitch,
                          .row_bytes = row,
                          .rows = rows};
    uint8_t *expected = malloc(AREA);

    if (way == 3 && from.offset < to.offset + (rows - 1) * to.pitch + row &&
        to.offset < from.offset + (rows - 1) * from.pitch + row) {
        free(expected); /* they overlap */
        return;
    }
    assert_non_null(expected);
    memcpy(expected, dst, AREA);
    oracle_copy(expected, to, src, from);
    rig_run(rig, FGPU_CMD_COPY, 0, &copy);
    assert_int_equal(copy.result.status, FGPU_OK);
    if (way != 1)
        rig_read(rig, copy.dst, 0, dst, AREA);
    if (memcmp(dst, expected, AREA) != 0)
        fail_msg("copy %u: %u: %llu rows of %llu from %llu/%llu to %llu/%llu", SEED, way,
                 (unsigned long long)rows, (unsigned long long)row, (unsigned long long)from.offset,
                 (unsigned long long)from.pitch, (unsigned long long)to.offset,
                 (unsigned long long)to.pitch);
    free(expected);
}

static void test_copy(void **state)
{
    static struct copy_case c;
    struct rig rig;
    struct rng rng;

    (void)state;
    setup(&rig);
    rng_init(&rng, SEED);
    for (int i = 0; i < 2; i++) {
        fill_random(&rng, c.host[i], AREA);
        fill_random(&rng, c.device[i], AREA);
        c.mems[i] = rig_alloc(&rig, AREA);
        rig_write(&rig, c.mems[i], 0, c.device[i], AREA);
    }
    for (uint64_t i = 0; i < case_count(150); i++)
        copy_once(&rig, &rng, &c);
    for (int i = 0; i < 2; i++)
        opencl_backend.mem_free(rig.device, c.mems[i]);
    rig_close(&rig);
}

static void fill_once(struct rig *rig, struct rng *rng, fgpu_mem mem, uint8_t *model)
{
    static uint8_t got[AREA];
    uint32_t pattern = 1u << rng_below(rng, 5);
    uint64_t row = pattern * (1 + rng_below(rng, 12));
    struct area to = area_random(rng, row, 1 + rng_below(rng, 40));
    fgpu_cmd_fill fill = {.mem = mem,
                          .offset_bytes = to.offset,
                          .pitch_bytes = to.pitch,
                          .row_bytes = row,
                          .rows = to.rows,
                          .pattern_bytes = pattern};

    if (rng_below(rng, 2) == 0) /* both ways of filling: multiples of the pattern, and others */
        fill.offset_bytes = fill.offset_bytes / pattern * pattern;
    fill_random(rng, fill.pattern, sizeof(fill.pattern));
    for (uint64_t r = 0; r < to.rows; r++)
        for (uint64_t i = 0; i < row; i++)
            model[fill.offset_bytes + r * to.pitch + i] = fill.pattern[i % pattern];
    rig_run(rig, FGPU_CMD_FILL, 0, &fill);
    assert_int_equal(fill.result.status, FGPU_OK);
    rig_read(rig, mem, 0, got, AREA);
    if (memcmp(got, model, AREA) != 0)
        fail_msg("fill %u: pattern %u, %llu rows of %llu at %llu/%llu", SEED, pattern,
                 (unsigned long long)to.rows, (unsigned long long)row,
                 (unsigned long long)fill.offset_bytes, (unsigned long long)to.pitch);
}

static void test_fill(void **state)
{
    static uint8_t model[AREA];
    struct rig rig;
    struct rng rng;
    fgpu_mem mem = 0;

    (void)state;
    setup(&rig);
    rng_init(&rng, SEED);
    mem = rig_alloc(&rig, AREA);
    fill_random(&rng, model, AREA);
    rig_write(&rig, mem, 0, model, AREA);
    for (uint64_t i = 0; i < case_count(150); i++)
        fill_once(&rig, &rng, mem, model);
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

/* Nothing to do is done at once; what cannot be is the command's own failure. */
static void test_copy_edges(void **state)
{
    struct rig rig;
    fgpu_mem mem = 0;
    uint8_t host[64] = {0};
    fgpu_cmd_copy copy = {.src = (fgpu_mem)(uintptr_t)host, .src_is_host = 1};
    fgpu_cmd_fill fill = {.pattern_bytes = 3, .row_bytes = 6, .rows = 1};
    uint64_t number = 0;

    (void)state;
    setup(&rig);
    mem = rig_alloc(&rig, 64);
    copy.dst = fill.mem = mem;
    rig_run(&rig, FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &copy); /* 0 rows of 0 bytes */
    assert_int_equal(copy.result.status, FGPU_OK);
    rig_run(&rig, FGPU_CMD_FILL, FGPU_CMD_NOTIFY, &fill);
    assert_int_equal(fill.result.status, FGPU_E_INVAL);
    copy.row_bytes = 8;
    copy.rows = 2;
    copy.src_pitch_bytes = 4; /* rows overlap */
    copy.dst_pitch_bytes = 8;
    rig_run(&rig, FGPU_CMD_COPY, FGPU_CMD_NOTIFY, &copy);
    assert_int_equal(copy.result.status, FGPU_E_INVAL);
    fill.pattern_bytes = 2;
    fill.mem = 0;
    rig_run(&rig, FGPU_CMD_FILL, FGPU_CMD_NOTIFY, &fill);
    assert_int_equal(fill.result.status, FGPU_E_INVAL);
    rig_run(&rig, FGPU_CMD_HOST, FGPU_CMD_NOTIFY, &copy); /* not among the caps */
    assert_int_equal(copy.result.status, FGPU_E_UNSUPPORTED);
    assert_int_equal(opencl_backend.poll(rig.queue, &number), FGPU_OK);
    assert_int_equal(number, rig.last);
    opencl_backend.mem_free(rig.device, mem);
    rig_close(&rig);
}

/* ---- launches ---- */

static const char *const grid_text =
    "__kernel void grid(__global uint *out, uint add, __local uint *scratch, ulong wide)\n"
    "{\n"
    "    size_t x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
    "    size_t at = x + get_global_size(0) * (y + get_global_size(1) * z);\n"
    "    size_t lane = get_local_id(0);\n"
    "    scratch[lane] = (uint)x;\n"
    "    barrier(CLK_LOCAL_MEM_FENCE);\n"
    "    out[at] = scratch[lane] + 1000 * (uint)y + 1000000 * (uint)z + add + (uint)(wide >> 32);\n"
    "}\n";

/* Random grids in 1 to 3 dimensions at random offsets, with all kinds of arguments. */
static void test_launch(void **state)
{
    struct rig rig;
    struct rng rng;
    fgpu_code code = 0;
    fgpu_mem mem = 0;
    uint32_t *out = malloc(1u << 20);

    (void)state;
    assert_non_null(out);
    setup(&rig);
    rng_init(&rng, SEED);
    code = rig_build(&rig, grid_text, "grid", 4);
    mem = rig_alloc(&rig, 1u << 20);
    for (uint64_t n = 0; n < case_count(40); n++) {
        uint32_t add = (uint32_t)rng_below(&rng, 100);
        uint64_t wide = rng_below(&rng, 100) << 32;
        uint32_t local = 1u << rng_below(&rng, 4);
        uint64_t offset = aligned(&rig, rng_below(&rng, 100000)) / 4 * 4;
        fgpu_cmd_arg args[4] = {rig_buffer(mem, offset, (1u << 20) - offset),
                                rig_scalar(&add, sizeof(add)), rig_local(local * sizeof(uint32_t)),
                                rig_scalar(&wide, sizeof(wide))};
        fgpu_cmd_launch launch = rig_launch(code, args, 4, local * (1 + rng_below(&rng, 8)), local);
        uint64_t *global = launch.global;
        launch.dims = (uint16_t)(1 + rng_below(&rng, 3));
        for (uint32_t i = 1; i < launch.dims; i++)
            global[i] = 1 + rng_below(&rng, 5);
        rig_run(&rig, FGPU_CMD_LAUNCH, 0, &launch);
        assert_int_equal(launch.result.status, FGPU_OK);
        rig_read(&rig, mem, offset, out, global[0] * global[1] * global[2] * sizeof(*out));
        for (uint64_t i = 0; i < global[0] * global[1] * global[2]; i++) {
            uint64_t x = i % global[0], y = i / global[0] % global[1],
                     z = i / global[0] / global[1];
            if (out[i] != x + 1000 * y + 1000000 * z + add + (wide >> 32))
                fail_msg("seed %u case %llu: item %llu is %u", SEED, (unsigned long long)n,
                         (unsigned long long)i, out[i]);
        }
    }
    opencl_backend.code_free(rig.device, code);
    opencl_backend.mem_free(rig.device, mem);
    free(out);
    rig_close(&rig);
}

/* In host memory a kernel reaches memory that the backend never saw, at any byte. */
static void test_foreign_memory(void **state)
{
    struct rig rig;
    fgpu_code code = 0;
    uint8_t *bytes = malloc(4096);

    (void)state;
    assert_non_null(bytes);
    setup(&rig);
    if (rig.caps.host_memory != 0) {
        code = rig_build(&rig, "__kernel void b(__global uchar *a) { a[get_global_id(0)] ^= 255; }",
                         "b", 1);
        for (uint64_t offset = 0; offset < 70; offset += 7) {
            fgpu_cmd_arg arg = rig_buffer((fgpu_mem)(uintptr_t)bytes, offset, 1000);
            fgpu_cmd_launch launch = rig_launch(code, &arg, 1, 1000, 0);
            memset(bytes, 3, 4096);
            rig_run(&rig, FGPU_CMD_LAUNCH, 0, &launch);
            for (uint64_t i = 0; i < 4096; i++)
                assert_int_equal(bytes[i], i - offset < 1000 ? 252 : 3);
        }
        opencl_backend.code_free(rig.device, code);
    }
    free(bytes);
    rig_close(&rig);
}

/* More views of one buffer than are kept, all arguments of one launch among them, twice around. */
static void test_views(void **state)
{
    static const char *const text =
        "__kernel void v(__global int *a, __global int *b, __global int *c, int add)\n"
        "{ a[0] += add; b[0] += 2 * add; c[0] += 3 * add; }";
    const uint32_t places = LIMITS_OPENCL_VIEWS + 40;
    struct rig rig;
    fgpu_code code = 0;
    fgpu_mem mem = 0;
    uint64_t step = 0;
    int *values = NULL;

    (void)state;
    setup(&rig);
    step = rig.caps.offset_align_bytes < sizeof(int) ? sizeof(int) : rig.caps.offset_align_bytes;
    values = calloc(places, step);
    assert_non_null(values);
    code = rig_build(&rig, text, "v", 4);
    mem = rig_alloc(&rig, places * step);
    rig_write(&rig, mem, 0, values, places * step);
    for (uint32_t i = 0; i < 2 * places; i++) {
        int add = 1;
        fgpu_cmd_arg args[4] = {rig_buffer(mem, i % places * step, sizeof(int)),
                                rig_buffer(mem, (i + 1) % places * step, sizeof(int)),
                                rig_buffer(mem, (i + 2) % places * step, sizeof(int)),
                                rig_scalar(&add, sizeof(add))};
        fgpu_cmd_launch launch = rig_launch(code, args, 4, 1, 1);
        rig_run(&rig, FGPU_CMD_LAUNCH, 0, &launch);
        assert_int_equal(launch.result.status, FGPU_OK);
    }
    rig_read(&rig, mem, 0, values, places * step);
    for (uint32_t i = 0; i < places; i++)
        assert_int_equal(values[i * step / sizeof(int)], 2 * (1 + 2 + 3));
    opencl_backend.code_free(rig.device, code);
    opencl_backend.mem_free(rig.device, mem);
    free(values);
    rig_close(&rig);
}

/* Memory that was freed and allocated again may come back under the same name; an unchanged
 * argument of a kernel must mean the new one. */
static void test_reallocation(void **state)
{
    struct rig rig;
    fgpu_code code = 0;
    int values[256];

    (void)state;
    setup(&rig);
    code = rig_build(&rig, add_text, "add", 2);
    for (int n = 0; n < 20; n++) {
        fgpu_mem mem = rig_alloc(&rig, sizeof(values));
        int add = 7;
        fgpu_cmd_arg args[2] = {rig_buffer(mem, 0, sizeof(values)), rig_scalar(&add, sizeof(add))};
        fgpu_cmd_launch launch = rig_launch(code, args, 2, 256, 0);
        for (int i = 0; i < 256; i++)
            values[i] = i + n;
        rig_write(&rig, mem, 0, values, sizeof(values));
        rig_run(&rig, FGPU_CMD_LAUNCH, 0, &launch);
        rig_read(&rig, mem, 0, values, sizeof(values));
        for (int i = 0; i < 256; i++)
            assert_int_equal(values[i], i + n + 7);
        opencl_backend.mem_free(rig.device, mem);
    }
    opencl_backend.code_free(rig.device, code);
    rig_close(&rig);
}

/* ---- main ---- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),          cmocka_unit_test(test_open),
        cmocka_unit_test(test_all_devices),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_copy),           cmocka_unit_test(test_fill),
        cmocka_unit_test(test_copy_edges),     cmocka_unit_test(test_launch),
        cmocka_unit_test(test_foreign_memory), cmocka_unit_test(test_views),
        cmocka_unit_test(test_reallocation),
    };
    int ran = 0;
    int failed = 0;

    TARGETS_RUN(tests, ran, failed)
    return ran == 0 ? 77 : failed;
}
