/* Kernels of the device conformance tests: see device_kernels.h. */
#include "lib/device_kernels.h"

#include <stdlib.h>
#include <string.h>

/* Calls `body` with the coordinates of every work item of the range. */
struct item {
    uint64_t x, y, z;
    uint64_t lx; /* within its group */
    uint64_t gx; /* of its group */
};

static void kernel_each(const fgpu_range *range, void *const *args,
                        void (*body)(const struct item *item, void *const *args))
{
    for (uint64_t group = range->group_begin; group < range->group_end; group++) {
        uint64_t gx = group % range->groups[0];
        uint64_t gy = group / range->groups[0] % range->groups[1];
        uint64_t gz = group / range->groups[0] / range->groups[1];
        for (uint64_t i = 0; i < range->local[0] * range->local[1] * range->local[2]; i++) {
            struct item item;
            item.lx = i % range->local[0];
            item.gx = gx;
            item.x = gx * range->local[0] + item.lx;
            item.y = gy * range->local[1] + i / range->local[0] % range->local[1];
            item.z = gz * range->local[2] + i / range->local[0] / range->local[1];
            if (item.x < range->global[0] && item.y < range->global[1] && item.z < range->global[2])
                body(&item, args);
        }
    }
}

static void affine_item(const struct item *item, void *const *args)
{
    const uint32_t *in = args[0];
    uint32_t *out = args[1];

    out[item->x] = in[item->x] * *(const uint32_t *)args[2] + *(const uint32_t *)args[3];
}

static int affine(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    kernel_each(range, args, affine_item);
    return 0;
}

static void stamp_item(const struct item *item, void *const *args)
{
    uint32_t *data = args[0];

    data[item->x] = data[item->x] * 31 + *(const uint32_t *)args[1];
}

static int stamp(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    kernel_each(range, args, stamp_item);
    return 0;
}

static void place_item(const struct item *item, void *const *args)
{
    uint32_t *out = args[0];
    uint32_t width = *(const uint32_t *)args[1];
    uint32_t height = *(const uint32_t *)args[2];

    out[item->x + width * (item->y + height * item->z)] =
        (uint32_t)(item->x + 1000 * item->y + 1000000 * item->z);
}

static int place(const fgpu_range *range, void *const *args, void *user)
{
    (void)user;
    kernel_each(range, args, place_item);
    return 0;
}

static int turn(const fgpu_range *range, void *const *args, void *user)
{
    uint64_t size = range->local[0];
    const uint32_t *in = args[0];
    uint32_t *out = args[1];
    uint32_t *scratch = args[2];

    (void)user;
    for (uint64_t group = range->group_begin; group < range->group_end; group++) {
        for (uint64_t i = 0; i < size; i++)
            scratch[i] = in[group * size + i];
        for (uint64_t i = 0; i < size; i++)
            out[group * size + i] = scratch[size - 1 - i];
    }
    return 0;
}

static const struct {
    const char *entry;
    uint32_t arg_count;
    fgpu_native_fn native;
    const char *text;
    const char *cuda;
} kernels[KERNEL_COUNT] = {
    [KERNEL_AFFINE] = {"affine", 4, affine,
                       "__kernel void affine(__global const uint *in, __global uint *out, uint f,"
                       " uint a) { size_t i = get_global_id(0); out[i] = in[i] * f + a; }",
                       "extern \"C\" __global__ void affine(const unsigned *in, unsigned *out,"
                       " unsigned f, unsigned a) { unsigned i = blockIdx.x * blockDim.x +"
                       " threadIdx.x; out[i] = in[i] * f + a; }"},
    [KERNEL_STAMP] = {"stamp", 2, stamp,
                      "__kernel void stamp(__global uint *data, uint s)"
                      " { size_t i = get_global_id(0); data[i] = data[i] * 31 + s; }",
                      "__global__ void stamp(unsigned *data, unsigned s)"
                      " { unsigned i = blockIdx.x * blockDim.x + threadIdx.x;"
                      " data[i] = data[i] * 31 + s; }"},
    [KERNEL_PLACE] = {"place", 3, place,
                      "__kernel void place(__global uint *out, uint w, uint h) {"
                      " size_t x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);"
                      " out[x + w * (y + h * z)] = x + 1000 * y + 1000000 * z; }",
                      "extern \"C\" __global__ void place(unsigned *out, unsigned w, unsigned h) {"
                      " unsigned x = blockIdx.x * blockDim.x + threadIdx.x;"
                      " unsigned y = blockIdx.y * blockDim.y + threadIdx.y;"
                      " unsigned z = blockIdx.z * blockDim.z + threadIdx.z;"
                      " out[x + w * (y + h * z)] = x + 1000 * y + 1000000 * z; }"},
    [KERNEL_TURN] = {"turn", 3, turn,
                     "__kernel void turn(__global const uint *in, __global uint *out,"
                     " __local uint *s) { size_t l = get_local_id(0), n = get_local_size(0);"
                     " s[l] = in[get_global_id(0)]; barrier(CLK_LOCAL_MEM_FENCE);"
                     " out[get_global_id(0)] = s[n - 1 - l]; }",
                     "extern \"C\" __global__ void turn(const unsigned *in, unsigned *out,"
                     " unsigned at) { extern __shared__ char shared[];"
                     " unsigned *s = (unsigned *)(shared + at);"
                     " unsigned l = threadIdx.x, n = blockDim.x, i = blockIdx.x * n + l;"
                     " s[l] = in[i]; __syncthreads(); out[i] = s[n - 1 - l]; }"},
};

fgpu_code kernel_build(struct rig *rig, enum kernel_id id)
{
    bool native = (rig->device.caps.variants & 1u << FGPU_VARIANT_NATIVE) != 0;
    /* Where both are taken one kernel is in CUDA C. */
    bool cuda = (rig->device.caps.variants & 1u << FGPU_VARIANT_OPENCL) == 0 ||
                ((rig->device.caps.variants & 1u << FGPU_VARIANT_CUDA) != 0 && id == KERNEL_STAMP);
    fgpu_code_source source = {.kind = native ? FGPU_VARIANT_NATIVE
                                       : cuda ? FGPU_VARIANT_CUDA
                                              : FGPU_VARIANT_OPENCL,
                               .arg_count = kernels[id].arg_count,
                               .options = ""};
    fgpu_code_built built;
    fgpu_status status;

    if (native) {
        source.native = kernels[id].native;
    } else {
        source.text = cuda ? kernels[id].cuda : kernels[id].text;
        source.entry = kernels[id].entry;
    }
    status = device_code_build(&rig->device, &source, &built);
    if (status != FGPU_OK)
        fail_msg("%s: build of %s: %s\n%s", rig->target->name, kernels[id].entry,
                 fgpu_status_name(status), built.log != NULL ? built.log : "");
    free(built.log);
    return built.code;
}

fgpu_cmd_arg kernel_buffer(fgpu_mem mem, uint64_t offset_bytes, uint64_t size_bytes)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_BUFFER, .size_bytes = size_bytes};

    arg.u.buffer.mem = mem;
    arg.u.buffer.offset_bytes = offset_bytes;
    return arg;
}

fgpu_cmd_arg kernel_scalar(const void *value, uint64_t size_bytes)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_SCALAR, .size_bytes = size_bytes};

    arg.u.value = value;
    return arg;
}

fgpu_cmd_arg kernel_local(uint64_t size_bytes)
{
    fgpu_cmd_arg arg = {.kind = FGPU_ARG_LOCAL, .size_bytes = size_bytes};

    return arg;
}

fgpu_cmd_launch kernel_launch(fgpu_code code, const fgpu_cmd_arg *args, uint32_t arg_count,
                              uint64_t global, uint32_t local)
{
    return (fgpu_cmd_launch){.code = code,
                             .args = args,
                             .arg_count = arg_count,
                             .dims = 1,
                             .global = {global, 1, 1},
                             .local = {local, 1, 1}};
}
