/* The kernels of random task graphs, native, in OpenCL C and in CUDA C; see random_graph.h. */
#include "tests/lib/random_graph.h"

static const char random_graph_source[] =
    "__kernel void update(__global uint *p, uint a, uint b)\n"
    "{ size_t i = get_global_id(0); p[i] = p[i] * a + b; }\n"
    "__kernel void combine(__global uint *d, __global const uint *s, uint c)\n"
    "{ size_t i = get_global_id(0); d[i] = d[i] * 31u + s[i] * 17u + c; }\n"
    "__kernel void derive(__global uint *d, __global const uint *s, uint c)\n"
    "{ size_t i = get_global_id(0); d[i] = s[i] ^ c; }\n"
    "__kernel void tile(__global uint *p, uint pitch, uint c)\n"
    "{ size_t x = get_global_id(0), y = get_global_id(1);\n"
    "  p[y * pitch + x] = p[y * pitch + x] * 5u + c + (uint)(y * 7 + x); }\n";

static const char random_graph_cuda[] =
    "#define X (blockIdx.x * blockDim.x + threadIdx.x)\n"
    "#define Y (blockIdx.y * blockDim.y + threadIdx.y)\n"
    "__global__ void update(unsigned *p, unsigned a, unsigned b)\n"
    "{ unsigned i = X; p[i] = p[i] * a + b; }\n"
    "__global__ void combine(unsigned *d, const unsigned *s, unsigned c)\n"
    "{ unsigned i = X; d[i] = d[i] * 31u + s[i] * 17u + c; }\n"
    "__global__ void derive(unsigned *d, const unsigned *s, unsigned c)\n"
    "{ unsigned i = X; d[i] = s[i] ^ c; }\n"
    "__global__ void tile(unsigned *p, unsigned pitch, unsigned c)\n"
    "{ unsigned x = X, y = Y; p[y * pitch + x] = p[y * pitch + x] * 5u + c + (y * 7 + x); }\n";

/* First and last work item of a native range of a 1-D grid. */
static void random_graph_items(const fgpu_range *range, uint64_t *begin, uint64_t *end)
{
    *begin = range->group_begin * range->local[0];
    *end = range->group_end * range->local[0];
    if (*end > range->global[0])
        *end = range->global[0];
}

static int native_update(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *p = args[0], a = random_graph_value(args, 1), b = random_graph_value(args, 2);
    uint64_t i, end;
    (void)user;
    if (b == RANDOM_GRAPH_FAILS)
        return 1;
    for (random_graph_items(range, &i, &end); i < end; i++)
        p[i] = p[i] * a + b;
    return 0;
}

static int native_combine(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *d = args[0], c = random_graph_value(args, 2);
    const uint32_t *s = args[1];
    uint64_t i, end;
    (void)user;
    if (c == RANDOM_GRAPH_FAILS)
        return 1;
    for (random_graph_items(range, &i, &end); i < end; i++)
        d[i] = d[i] * 31u + s[i] * 17u + c;
    return 0;
}

static int native_derive(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *d = args[0], c = random_graph_value(args, 2);
    const uint32_t *s = args[1];
    uint64_t i, end;
    (void)user;
    if (c == RANDOM_GRAPH_FAILS)
        return 1;
    for (random_graph_items(range, &i, &end); i < end; i++)
        d[i] = s[i] ^ c;
    return 0;
}

static int native_tile(const fgpu_range *range, void *const *args, void *user)
{
    uint32_t *p = args[0], pitch = random_graph_value(args, 1), c = random_graph_value(args, 2);
    (void)user;
    if (c == RANDOM_GRAPH_FAILS)
        return 1;
    for (uint64_t group = range->group_begin; group < range->group_end; group++) {
        uint64_t gx = group % range->groups[0], y = group / range->groups[0];
        uint64_t end = (gx + 1) * range->local[0];
        for (uint64_t x = gx * range->local[0]; x < end && x < range->global[0]; x++)
            p[y * pitch + x] = p[y * pitch + x] * 5u + c + (uint32_t)(y * 7 + x);
    }
    return 0;
}

static fgpu_status random_graph_kernel(fgpu_pool pool, const char *name, fgpu_native_fn fn,
                                       const fgpu_access *access, fgpu_kernel *kernel)
{
    fgpu_status status = fgpu_kernel_create(pool, name, kernel);
    for (uint32_t i = 0; i < 3 && status == FGPU_OK; i++)
        status = access[i] != FGPU_ACCESS_DEFAULT
                     ? fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_BUFFER, access[i], 0)
                     : fgpu_kernel_set_arg(*kernel, i, FGPU_ARG_SCALAR, FGPU_ACCESS_DEFAULT, 4);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_native(*kernel, fn, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_opencl(*kernel, random_graph_source, name, NULL);
    if (status == FGPU_OK)
        status = fgpu_kernel_add_cuda(*kernel, random_graph_cuda, name, NULL);
    return status;
}

fgpu_status random_graph_kernels(fgpu_pool pool, struct random_graph_kernels *k)
{
    static const fgpu_access one[3] = {FGPU_READ_WRITE, FGPU_ACCESS_DEFAULT, FGPU_ACCESS_DEFAULT};
    static const fgpu_access two[3] = {FGPU_READ_WRITE, FGPU_READ, FGPU_ACCESS_DEFAULT};
    static const fgpu_access over[3] = {FGPU_WRITE, FGPU_READ, FGPU_ACCESS_DEFAULT};
    fgpu_status status = random_graph_kernel(pool, "update", native_update, one, &k->update);
    if (status == FGPU_OK)
        status = random_graph_kernel(pool, "combine", native_combine, two, &k->combine);
    if (status == FGPU_OK)
        status = random_graph_kernel(pool, "derive", native_derive, over, &k->derive);
    if (status == FGPU_OK)
        status = random_graph_kernel(pool, "tile", native_tile, one, &k->tile);
    return status;
}
