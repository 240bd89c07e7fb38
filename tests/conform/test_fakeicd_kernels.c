/*
 * Does the fake OpenCL library compute what kernels say?
 *
 * Integer kernels run on it and on the machine's own OpenCL library where there is one (an
 * independent implementation), and the results must be the same bit for bit; some also have a C
 * reference. Floating-point kernels are compared with C. FAKEICD_LIB names the library.
 */
#include "lib/fakeicd_rig.h"

#include <math.h>

enum { COUNT = 1024 };

static struct cl_api real; /* beside the fake one */
static bool has_real;

/* One launch: up to four buffers of 32-bit words, then a scalar n, then local memory. */
struct run {
    const char *source, *name;
    cl_uint dims;
    size_t offset[3], global[3], local[3];
    uint32_t *buffers[4];
    size_t sizes[4]; /* words; 0 ends the list */
    bool has_n;
    cl_int n;
    size_t local_bytes;
};

static void check(const struct cl_rig *rig, cl_int error, const char *what)
{
    if (error != CL_SUCCESS)
        fail_msg("%s on %s: error %d", what, rig->api == &cl ? "the fake" : "the real library",
                 error);
}

/* Runs it; the buffers' contents go in and come back. */
static void run_on(const struct cl_api *api, const struct run *run)
{
    struct cl_rig rig;
    cl_mem mems[4] = {NULL};
    cl_uint arg = 0;
    assert_true(cl_rig_open(&rig, api, 1, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, run->source, run->name);
    check(&rig, rig.error, "kernel");
    for (int i = 0; i < 4 && run->sizes[i] > 0; i++) {
        mems[i] = cl_rig_buffer(&rig, run->sizes[i] * 4, run->buffers[i]);
        check(&rig, rig.error, "buffer");
        check(&rig, api->clSetKernelArg(kernel, arg++, sizeof(cl_mem), &mems[i]), "argument");
    }
    if (run->has_n)
        check(&rig, api->clSetKernelArg(kernel, arg++, sizeof(cl_int), &run->n), "scalar");
    if (run->local_bytes > 0)
        check(&rig, api->clSetKernelArg(kernel, arg++, run->local_bytes, NULL), "local");
    check(&rig,
          api->clEnqueueNDRangeKernel(rig.queues[0], kernel, run->dims, run->offset, run->global,
                                      run->local[0] > 0 ? run->local : NULL, 0, NULL, NULL),
          "launch");
    for (int i = 0; i < 4 && mems[i] != NULL; i++) {
        check(&rig,
              api->clEnqueueReadBuffer(rig.queues[0], mems[i], CL_TRUE, 0, run->sizes[i] * 4,
                                       run->buffers[i], 0, NULL, NULL),
              "read");
        api->clReleaseMemObject(mems[i]);
    }
    api->clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

/* Both libraries on the same input; fails at the first word that differs. */
static void compare(const struct run *run)
{
    struct run other = *run;
    if (has_real)
        for (int i = 0; i < 4 && run->sizes[i] > 0; i++) {
            other.buffers[i] = malloc(run->sizes[i] * 4);
            memcpy(other.buffers[i], run->buffers[i], run->sizes[i] * 4);
        }
    run_on(&cl, run);
    if (!has_real)
        return;
    run_on(&real, &other);
    for (int i = 0; i < 4 && run->sizes[i] > 0; i++) {
        for (size_t w = 0; w < run->sizes[i]; w++)
            if (run->buffers[i][w] != other.buffers[i][w])
                fail_msg("%s: buffer %d word %zu: fake %08x, real %08x", run->name, i, w,
                         run->buffers[i][w], other.buffers[i][w]);
        free(other.buffers[i]);
    }
}

static void fill_random(uint32_t *words, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        words[i] = next_random(&seed);
}

static void adds_vectors(void **state)
{
    static const char source[] =
        "__kernel void add(__global const int *a, __global const int *b, __global int *c)\n"
        "{ size_t i = get_global_id(0); c[i] = a[i] + b[i]; }\n";
    static uint32_t a[COUNT], b[COUNT], c[COUNT];
    (void)state;
    fill_random(a, COUNT, 1);
    fill_random(b, COUNT, 2);
    struct run run = {.source = source,
                      .name = "add",
                      .dims = 1,
                      .global = {COUNT},
                      .buffers = {a, b, c},
                      .sizes = {COUNT, COUNT, COUNT}};
    compare(&run);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(c[i], a[i] + b[i]);
}

enum { WIDTH = 64, HEIGHT = 32 };

static uint8_t sharpen_at(const uint8_t *image, int x, int y)
{
    int sum = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int u = x + dx < 0 ? 0 : x + dx >= WIDTH ? WIDTH - 1 : x + dx;
            int v = y + dy < 0 ? 0 : y + dy >= HEIGHT ? HEIGHT - 1 : y + dy;
            sum += (dx == 0 && dy == 0 ? 9 : -1) * image[v * WIDTH + u];
        }
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void filters_an_image_of_bytes(void **state)
{
    static const char source[] =
        "__kernel void sharpen(__global const uchar *in, __global uchar *out, int width)\n"
        "{\n"
        "    int x = get_global_id(0), y = get_global_id(1), height = get_global_size(1);\n"
        "    int sum = 0;\n"
        "    for (int dy = -1; dy <= 1; dy++)\n"
        "        for (int dx = -1; dx <= 1; dx++)\n"
        "            sum += (dx == 0 && dy == 0 ? 9 : -1) *\n"
        "                   in[clamp(y + dy, 0, height - 1) * width + clamp(x + dx, 0, width - "
        "1)];\n"
        "    out[y * width + x] = convert_uchar_sat(sum);\n"
        "}\n";
    static uint32_t in[WIDTH * HEIGHT / 4], out[WIDTH * HEIGHT / 4];
    (void)state;
    fill_random(in, WIDTH * HEIGHT / 4, 3);
    struct run run = {.source = source,
                      .name = "sharpen",
                      .dims = 2,
                      .global = {WIDTH, HEIGHT},
                      .local = {16, 8},
                      .buffers = {in, out},
                      .sizes = {WIDTH * HEIGHT / 4, WIDTH * HEIGHT / 4},
                      .has_n = true,
                      .n = WIDTH};
    compare(&run);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            assert_int_equal(((uint8_t *)out)[y * WIDTH + x], sharpen_at((uint8_t *)in, x, y));
}

static void computes_with_float4(void **state)
{
    static const char source[] =
        "typedef struct { float gain; int shift; } tone;\n"
        "float4 shape(float4 x, tone t) { return x * t.gain + (float4)(0.25f, 0.5f, 1, t.shift); "
        "}\n"
        "__kernel void f(__global float4 *a, __global float *norms, __constant float *k, tone t)\n"
        "{\n"
        "    size_t i = get_global_id(0);\n"
        "    float4 x = shape(a[i], t);\n"
        "    norms[i] = sqrt(dot(x, x)) + k[i & 3];\n"
        "    a[i] = clamp(fabs(x.wzyx) - x.xyzw / 2, -1.0f, 40.0f);\n"
        "    a[i].y = fmin(a[i].y, convert_float(t.shift));\n"
        "}\n";
    struct tone {
        float gain;
        cl_int shift;
    } tone = {1.5f, 3};
    static float a[COUNT], norms[COUNT / 4];
    const float k[4] = {1, 2, 3, 4};
    float expected[4];
    struct cl_rig rig;
    uint64_t seed = 4;
    const size_t global = COUNT / 4;
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        a[i] = (float)(next_random(&seed) % 1000) / 16.0f - 30.0f;
    assert_true(cl_rig_open(&rig, &cl, 1, 0));
    cl_kernel kernel = cl_rig_kernel(&rig, source, "f");
    assert_non_null(kernel);
    cl_mem values = cl_rig_buffer(&rig, sizeof(a), a);
    cl_mem norm_mem = cl_rig_buffer(&rig, sizeof(norms), NULL);
    cl_mem constants = cl_rig_buffer(&rig, sizeof(k), k);
    check(&rig, cl.clSetKernelArg(kernel, 0, sizeof(cl_mem), &values), "0");
    check(&rig, cl.clSetKernelArg(kernel, 1, sizeof(cl_mem), &norm_mem), "1");
    check(&rig, cl.clSetKernelArg(kernel, 2, sizeof(cl_mem), &constants), "2");
    check(&rig, cl.clSetKernelArg(kernel, 3, sizeof(tone), &tone), "3");
    check(&rig,
          cl.clEnqueueNDRangeKernel(rig.queues[0], kernel, 1, NULL, &global, NULL, 0, NULL, NULL),
          "launch");
    static float out[COUNT];
    cl.clEnqueueReadBuffer(rig.queues[0], values, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL);
    cl.clEnqueueReadBuffer(rig.queues[0], norm_mem, CL_TRUE, 0, sizeof(norms), norms, 0, NULL,
                           NULL);
    for (size_t i = 0; i < COUNT / 4; i++) {
        const float add[4] = {0.25f, 0.5f, 1, 3};
        float x[4], sum = 0;
        for (int c = 0; c < 4; c++) { /* sums of multiples of 1/64 below 2^18: all exact */
            x[c] = a[i * 4 + (size_t)c] * 1.5f + add[c];
            sum += x[c] * x[c];
        }
        for (int c = 0; c < 4; c++)
            expected[c] = fminf(fmaxf(fabsf(x[3 - c]) - x[c] / 2, -1.0f), 40.0f);
        expected[1] = fminf(expected[1], 3.0f);
        assert_memory_equal(&out[i * 4], expected, sizeof(expected));
        assert_true(fabsf(norms[i] - (sqrtf(sum) + k[i & 3])) <= 1e-6f * norms[i]);
    }
    cl.clReleaseMemObject(values);
    cl.clReleaseMemObject(norm_mem);
    cl.clReleaseMemObject(constants);
    cl.clReleaseKernel(kernel);
    cl_rig_close(&rig);
}

static void reduces_with_barriers(void **state)
{
    static const char source[] =
        "__kernel void sum(__global const uint *in, __global uint *out, __local uint *part)\n"
        "{\n"
        "    __local uint total;\n"
        "    __local uint tile[64];\n"
        "    uint l = get_local_id(0), n = get_local_size(0);\n"
        "    part[l] = in[get_global_id(0)];\n"
        "    tile[n - 1 - l] = part[l] ^ l;\n"
        "    if (l == 5) total = 7;\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    for (uint s = n / 2; s > 0; s /= 2) {\n"
        "        if (l < s) part[l] += part[l + s];\n"
        "        barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    }\n"
        "    if (l == n - 1) total += part[0];\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    out[get_global_id(0)] = total + tile[l];\n"
        "}\n"
        "__kernel void plain(__global uint *a) { a[get_global_id(0)] = 1; }\n";
    static uint32_t in[COUNT], out[COUNT];
    (void)state;
    fill_random(in, COUNT, 5);
    struct run run = {.source = source,
                      .name = "sum",
                      .dims = 1,
                      .global = {COUNT},
                      .local = {64},
                      .buffers = {in, out},
                      .sizes = {COUNT, COUNT},
                      .local_bytes = 256};
    compare(&run);
    for (size_t g = 0; g < COUNT; g += 64) {
        uint32_t sum = 7;
        for (size_t l = 0; l < 64; l++)
            sum += in[g + l];
        for (size_t l = 0; l < 64; l++)
            assert_int_equal(out[g + l], sum + (in[g + 63 - l] ^ (63 - (uint32_t)l)));
    }
}

/* All work items store the same to a __local scalar, then one of them something else. GPUs do what
 * is meant here; PoCL 3.1 lets each work item have a flag of its own, so it is not compared. */
static void shares_local_scalars(void **state)
{
    static const char source[] = "__kernel void flags(__global uint *out)\n"
                                 "{\n"
                                 "    __local uint flag;\n"
                                 "    flag = 0;\n"
                                 "    barrier(CLK_LOCAL_MEM_FENCE);\n"
                                 "    if (get_local_id(0) == 3) flag = 40 + get_group_id(0);\n"
                                 "    barrier(CLK_LOCAL_MEM_FENCE);\n"
                                 "    out[get_global_id(0)] = flag;\n"
                                 "}\n";
    static uint32_t out[256];
    (void)state;
    struct run run = {.source = source,
                      .name = "flags",
                      .dims = 1,
                      .global = {256},
                      .local = {16},
                      .buffers = {out},
                      .sizes = {256}};
    run_on(&cl, &run);
    for (uint32_t i = 0; i < 256; i++)
        assert_int_equal(out[i], 40 + i / 16);
}

static void numbers_work_items(void **state)
{
    static const char source[] =
        "__kernel void ids(__global uint *out)\n"
        "{\n"
        "    uint at = ((get_global_id(2) - get_global_offset(2)) * get_global_size(1) +\n"
        "               get_global_id(1) - get_global_offset(1)) * get_global_size(0) +\n"
        "              get_global_id(0) - get_global_offset(0);\n"
        "    for (uint d = 0; d < 3; d++) {\n"
        "        __global uint *o = out + at * 32 + d * 8;\n"
        "        o[0] = get_global_id(d); o[1] = get_local_id(d); o[2] = get_group_id(d);\n"
        "        o[3] = get_global_size(d); o[4] = get_local_size(d); o[5] = get_num_groups(d);\n"
        "        o[6] = get_global_offset(d); o[7] = get_work_dim();\n"
        "    }\n"
        "}\n";
    static uint32_t out[8 * 6 * 4 * 32];
    (void)state;
    struct run run = {.source = source,
                      .name = "ids",
                      .dims = 3,
                      .offset = {5, 0, 1000},
                      .global = {8, 6, 4},
                      .local = {4, 3, 1},
                      .buffers = {out},
                      .sizes = {8 * 6 * 4 * 32}};
    compare(&run);
    for (uint32_t i = 0; i < 8 * 6 * 4; i++) {
        assert_int_equal(out[i * 32], 5 + i % 8);
        assert_int_equal(out[i * 32 + 8 + 2], i / 8 % 6 / 3);
        assert_int_equal(out[i * 32 + 16], 1000 + i / 48);
    }
}

static void counts_with_atomics(void **state)
{
    static const char source[] =
        "__kernel void histogram(__global const uint *in, __global uint *bins,\n"
        "                        __global int *marks, __local int *own)\n"
        "{\n"
        "    uint l = get_local_id(0), x = in[get_global_id(0)];\n"
        "    if (l < 16) own[l] = 0;\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    atomic_inc(own + x % 16);\n"
        "    atomic_min(marks, (int)x); atomic_max(marks + 1, (int)x);\n"
        "    atomic_or(marks + 2, (int)(x & 0x700)); atomic_xor(marks + 3, (int)x);\n"
        "    atomic_sub(marks + 4, 3); atomic_cmpxchg(marks + 5, 0, 77);\n"
        "    atomic_and(marks + 6, (int)~(x & 1)); atomic_dec(marks + 7);\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    if (l < 16) atomic_add(bins + l, (uint)own[l]);\n"
        "}\n";
    static uint32_t in[COUNT], bins[16], marks[8] = {0, 0, 0, 0, 0, 0, ~0u, 0};
    (void)state;
    fill_random(in, COUNT, 6);
    struct run run = {.source = source,
                      .name = "histogram",
                      .dims = 1,
                      .global = {COUNT},
                      .local = {128},
                      .buffers = {in, bins, marks},
                      .sizes = {COUNT, 16, 8},
                      .local_bytes = 64};
    compare(&run);
    uint32_t expected[16] = {0};
    for (size_t i = 0; i < COUNT; i++)
        expected[in[i] % 16]++;
    assert_memory_equal(bins, expected, sizeof(expected));
    assert_int_equal(marks[5], 77);
    assert_int_equal(marks[4], (uint32_t)(-3 * COUNT));
}

/* What OpenCL C calls integers: nearly every function, for bytes, shorts, ints and longs. */
static const char integer_source[] =
    "#define MIX(T, U, x, y, z) \\\n"
    "    { T a = x, b = y, c = z; \\\n"
    "      h = h * 31 + (uint)(add_sat(a, b) ^ sub_sat(b, c)); \\\n"
    "      h = h * 31 + (uint)(hadd(a, b) ^ rhadd(b, c)); \\\n"
    "      h = h * 31 + (uint)(mul_hi(a, b) ^ mad_hi(a, b, c)); \\\n"
    "      h = h * 31 + (uint)abs_diff(a, b) + (uint)abs(c); \\\n"
    "      h = h * 31 + (uint)(rotate(a, b) ^ clz(b) ^ popcount(c)); \\\n"
    "      h = h * 31 + (uint)(max(a, b) ^ min(b, c)); \\\n"
    "      h = h * 31 + (uint)clamp(a, min(b, c), max(b, c)); \\\n"
    "      h = h * 31 + (uint)bitselect(a, b, c) + (uint)select(a, b, (U)(c & 1)); }\n"
    "#define WIDE(T, x) h = h * 37 + as_uint(convert_uchar4_sat(convert_##T##4(x)));\n"
    "__kernel void mix_all(__global const uint *in, __global uint *out, int n)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    uint x = in[i], y = in[(i + 1) % n], z = in[(i + 2) % n], h = 1;\n"
    "    long p = (long)(((ulong)x << 32) | y), q = (long)(((ulong)z << 32) | x);\n"
    "    MIX(char, uchar, x, y, z) MIX(uchar, uchar, x, y, z) MIX(short, ushort, x, y, z)\n"
    "    MIX(ushort, ushort, x, y, z) MIX(int, uint, x, y, z) MIX(uint, uint, x, y, z)\n"
    "    MIX(long, ulong, p, q, p ^ 5) MIX(ulong, ulong, p, q, q >> 7)\n"
    "    h = h * 31 + mul24(x & 0xffffff, y & 0xffffff) + mad24(x & 0xfff, y & 0xfff, z);\n"
    "    h = h * 31 + (uint)mad_sat((int)x, (int)y, (int)z) + upsample((ushort)x, (ushort)y);\n"
    "    int4 v = (int4)((int)x, (int)y >> 16, (int)z >> 24, (int)(x ^ y) >> 20);\n"
    "    WIDE(int, v) WIDE(uint, v) WIDE(short, v) WIDE(long, v) WIDE(uchar, v) WIDE(ushort, v)\n"
    "    float4 f = convert_float4(v) / 64.0f;\n"
    "    h = h * 31 + as_uint(convert_uchar4_sat(f)) + as_uint(convert_char4_sat(f));\n"
    "    h = h * 31 + as_uint(convert_uchar4_sat_rte(f)) + as_uint(convert_uchar4_sat_rtp(f));\n"
    "    h = h * 31 + (uint)convert_int_sat(f.x * 1e6f) + (uint)convert_short_sat_rtn(f.y);\n"
    "    h = h * 31 + (uint)any(v > 5) + 2 * all(v > -9000) + (uint)isgreater(f.x, f.y);\n"
    "    uchar16 w = vload16(0, (__global const uchar *)in + (i * 16) % (n * 4 - 16));\n"
    "    w = select(w, w.s1032547698badcfe, w > (uchar)99);\n"
    "    uint r[4]; vstore16(w, 0, (uchar *)r);\n"
    "    h = h * 31 + (r[0] ^ r[1] ^ r[2] ^ r[3]) + as_uint(w.hi.odd);\n"
    "    uint3 t = vload3(i % 8, in); h = h * 31 + t.x + 3 * t.y + 5 * t.z;\n"
    "    out[i] = h;\n"
    "}\n";

static void agrees_on_integer_functions(void **state)
{
    static uint32_t in[COUNT], out[COUNT];
    (void)state;
    fill_random(in, COUNT, 7);
    for (size_t i = 0; i < 64; i++) /* the corners: 0, -1, extremes, small numbers */
        in[i] = (const uint32_t[]){0, ~0u, 0x80000000u, 0x7FFFFFFFu, 1, 0x8080, 0x7F, 255}[i % 8] +
                (uint32_t)(i / 16);
    struct run run = {.source = integer_source,
                      .name = "mix_all",
                      .dims = 1,
                      .global = {COUNT},
                      .buffers = {in, out},
                      .sizes = {COUNT, COUNT},
                      .has_n = true,
                      .n = COUNT};
    compare(&run);
    uint32_t all = 0;
    for (size_t i = 0; i < COUNT; i++)
        all |= out[i];
    assert_int_not_equal(all, 0);
}

/* Each function once, in a way whose result is exact: 1 where it is as it should be. */
static void has_the_other_functions(void **state)
{
    static const char source[] =
        "#define CHECK(e) out[k++] = (e) ? 1 : 0;\n"
        "__kernel void rest(__global uint *out, __global uint *in, __local float *l)\n"
        "{\n"
        "    int k = 0; float f; float4 v = (float4)(1.5f, -2.5f, 3, -4), w; __local double2 "
        "d[2];\n"
        "    CHECK(fract(2.75f, &f) == 0.75f && f == 2)\n"
        "    CHECK(modf(-2.75f, l) == -0.75f && l[0] == -2)\n"
        "    w = modf(v, &v); CHECK(all(w == (float4)(0.5f, -0.5f, 0, 0)) && v.y == -2)\n"
        "    CHECK(dot(v, v) == 30 && length((float2)(3, 4)) == 5 && distance(v, v) == 0)\n"
        "    CHECK(all(cross((float3)(1, 0, 0), (float3)(0, 1, 0)) == (float3)(0, 0, 1)))\n"
        "    CHECK(all(mix((float4)(0), (float4)(8), 0.25f) == 2) && mad(2.0f, 3.0f, 1.0f) == 7)\n"
        "    CHECK(fma(2.0f, 3.0f, 1.0f) == 7 && hypot(3.0f, 4.0f) == 5 && rsqrt(4.0f) == 0.5f)\n"
        "    CHECK(pow(2.0f, 10.0f) == 1024 && exp2(3.0f) == 8 && log2(8.0f) == 3 && exp(0.0f) == "
        "1)\n"
        "    CHECK(sin(0.0f) == 0 && cos(0.0f) == 1 && native_sqrt(9.0f) == 3 && half_recip(4.0f) "
        "== .25f)\n"
        "    CHECK(floor(-1.5f) == -2 && ceil(-1.5f) == -1 && rint(2.5f) == 2 && trunc(-1.5f) == "
        "-1)\n"
        "    CHECK(smoothstep(0.0f, 1.0f, 0.5f) == 0.5f && step(1.0f, 2.0f) == 1 && sign(-3.0f) == "
        "-1)\n"
        "    CHECK(isnan(nan((uint)0)) || isnan(sqrt(-1.0f))) CHECK(isinf(INFINITY) && "
        "!isfinite(-INFINITY))\n"
        "    CHECK(sqrt((double)2) * sqrt((double)2) - 2 < 1e-15 && fmax(v, 0.5f).y == 0.5f)\n"
        "    d[0] = (double2)(1, 2); CHECK(d[0].y == 2 && fabs(-d[0].x) == 1)\n"
        "    CHECK(as_int(1.0f) == 0x3f800000 && convert_int_rte(2.5f) == 2 && "
        "convert_int_rtp(2.1f) == 3)\n"
        "    CHECK(all(convert_int4(v) == (int4)(1, -2, 3, -4)) && convert_long(-7) == -7)\n"
        "    CHECK(all(min((int4)(1, 2, 3, 4), 2) == (int4)(1, 2, 2, 2)) && pown(2.0f, 3) == 8)\n"
        "    event_t e = async_work_group_copy(l, (__global float *)in, 4, 0);\n"
        "    wait_group_events(1, &e); barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);\n"
        "    CHECK(as_uint(l[3]) == in[3]) mem_fence(CLK_LOCAL_MEM_FENCE);\n"
        "    CHECK(atomic_xchg((volatile __local float *)l, 5.0f) == as_float(in[0]) && l[0] == "
        "5)\n"
        "    CHECK(M_PI_F > 3.14f && CHAR_BIT + sizeof(float3) + sizeof(size_t) == 32)\n"
        "    out[k] = 2;\n"
        "}\n";
    static uint32_t out[32], in[4] = {1, 2, 3, 0x3f800000};
    (void)state;
    struct run run = {.source = source,
                      .name = "rest",
                      .dims = 1,
                      .global = {1},
                      .buffers = {out, in},
                      .sizes = {32, 4},
                      .local_bytes = 64};
    run_on(&cl, &run);
    for (int i = 0; out[i] != 2; i++)
        if (i == 31 || out[i] != 1)
            fail_msg("check %d", i);
}

/* A random expression over x, y, z and the work item's number, as text. */
static void write_expression(FILE *out, uint64_t *seed, int depth)
{
    static const char *const binary[] = {"+", "-", "*", "&", "|", "^"};
    static const char *const leaves[] = {"x", "y", "z", "i"};
    static const char *const calls[] = {"rotate", "max", "min", "mul_hi", "abs_diff", "hadd"};
    uint32_t kind = next_random(seed) % 8;
    if (depth == 0 || kind == 0) {
        fprintf(out, "%s", leaves[next_random(seed) % 4]);
    } else if (kind == 1) {
        fprintf(out, "%uu", next_random(seed));
    } else {
        if (kind < 4)
            fprintf(out, "%s(", calls[next_random(seed) % 6]);
        else
            fprintf(out, "(");
        write_expression(out, seed, depth - 1);
        fprintf(out, " %s ", kind < 4 ? "," : binary[next_random(seed) % 6]);
        write_expression(out, seed, depth - 1);
        fprintf(out, ")");
    }
}

static void agrees_on_random_kernels(void **state)
{
    static uint32_t a[COUNT], b[COUNT];
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        char *source = NULL;
        size_t size;
        uint64_t draw = seed;
        FILE *out = open_memstream(&source, &size);
        fprintf(out, "__kernel void random_one(__global uint *a, __global const uint *b)\n"
                     "{ uint i = get_global_id(0), x = a[i], y = b[i], z = b[i ^ 1];\n"
                     "  for (int k = 0; k < 3; k++) { x = ");
        write_expression(out, &draw, 6);
        fprintf(out, "; y = ");
        write_expression(out, &draw, 5);
        fprintf(out, "; }\n  a[i] = x ^ y; }\n");
        fclose(out);
        fill_random(a, COUNT, seed);
        fill_random(b, COUNT, seed + 100);
        print_message("seed %llu\n", (unsigned long long)seed);
        struct run run = {.source = source,
                          .name = "random_one",
                          .dims = 1,
                          .global = {COUNT},
                          .local = {32},
                          .buffers = {a, b},
                          .sizes = {COUNT, COUNT}};
        compare(&run);
        free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(adds_vectors, clean_after),
        cmocka_unit_test_teardown(filters_an_image_of_bytes, clean_after),
        cmocka_unit_test_teardown(computes_with_float4, clean_after),
        cmocka_unit_test_teardown(reduces_with_barriers, clean_after),
        cmocka_unit_test_teardown(shares_local_scalars, clean_after),
        cmocka_unit_test_teardown(numbers_work_items, clean_after),
        cmocka_unit_test_teardown(counts_with_atomics, clean_after),
        cmocka_unit_test_teardown(agrees_on_integer_functions, clean_after),
        cmocka_unit_test_teardown(has_the_other_functions, clean_after),
        cmocka_unit_test_teardown(agrees_on_random_kernels, clean_after),
    };
    cl_uint platforms = 0;
    if (!fakeicd_open())
        return 77;
    has_real = getenv("FAKEICD_ALONE") == NULL && cl_open(&real, "libOpenCL.so.1") &&
               real.clGetPlatformIDs(0, NULL, &platforms) == CL_SUCCESS && platforms > 0;
    if (!has_real)
        printf("no other OpenCL library: compared with C references only\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
